//! The four messages every parser reads.

use bytes::Bytes;

/// A message with the name it has in the tables.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) bytes: Bytes,
}

pub(crate) fn samples() -> [Sample; 4] {
    [("INVITE", invite()), ("REGISTER", register()), ("200", ok()), ("ACK", ack())]
        .map(|(name, text)| Sample { name, bytes: Bytes::from(text) })
}

/// An INVITE as a browser sends it through a proxy: 20 header fields, 1.6 kB with its session description.
fn invite() -> String {
    let sdp = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
               m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
               a=ice-ufrag:Oyef\r\na=ice-pwd:0123456789abcdefghijklmn\r\na=ice-options:trickle\r\n\
               a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA\r\n\
               a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
               a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n";
    format!(
        "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
         Via: SIP/2.0/TCP ss1.atlanta.example.com:5060;branch=z9hG4bK2d4790.1;received=192.0.2.111\r\n\
         Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK776asdhds;received=192.0.2.7;rport=53122\r\n\
         Max-Forwards: 69\r\n\
         Route: <sip:q2w3e4r5t6y7u8i9o0@ss2.biloxi.example.com;lr>, <sip:a1s2d3f4g5@ss3.biloxi.example.com;lr>\r\n\
         Record-Route: <sip:ss1.atlanta.example.com;transport=tcp;lr>\r\n\
         From: \"Alice Liddell\" <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n\
         To: Bob <sip:bob@biloxi.example.com>\r\n\
         Call-ID: 3848276298220188511@atlanta.example.com\r\n\
         CSeq: 2 INVITE\r\n\
         Contact: <sip:alice@df7jal23ls0d.invalid;transport=ws;ob>;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"\r\n\
         Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, MESSAGE, UPDATE\r\n\
         Supported: outbound, replaces, timer, path, gruu\r\n\
         Session-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\n\
         User-Agent: Example/1.0.0\r\nAccept: application/sdp\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT\r\n\
         P-Preferred-Identity: <sip:alice@atlanta.example.com>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

/// A REGISTER with credentials, as a phone refreshes its binding.
fn register() -> String {
    "REGISTER sip:biloxi.example.com SIP/2.0\r\n\
     Via: SIP/2.0/UDP 192.0.2.201:5060;branch=z9hG4bKnashd92;rport\r\n\
     Max-Forwards: 70\r\n\
     From: Bob <sip:bob@biloxi.example.com>;tag=ja743ks76zlflH\r\n\
     To: Bob <sip:bob@biloxi.example.com>\r\n\
     Call-ID: 1j9FpLxk3uxtm8tn@biloxi.example.com\r\n\
     CSeq: 2 REGISTER\r\n\
     Contact: <sip:bob@192.0.2.201:5060>;expires=3600\r\n\
     Authorization: Digest username=\"bob\", realm=\"biloxi.example.com\", nonce=\"ea9c8e88df84f1cec4341ae6cbe5a359\", \
     uri=\"sip:biloxi.example.com\", response=\"dfe56131d1958046689d83306477ecc1\", algorithm=MD5\r\n\
     User-Agent: Example/1.0.0\r\n\
     Content-Length: 0\r\n\r\n"
        .into()
}

/// A 200 on its way back through two proxies, with what they recorded.
fn ok() -> String {
    let sdp = "v=0\r\no=bob 2890844527 2890844527 IN IP4 192.0.2.201\r\ns=-\r\nc=IN IP4 192.0.2.201\r\nt=0 0\r\n\
               m=audio 3456 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
    format!(
        "SIP/2.0 200 OK\r\n\
         Via: SIP/2.0/UDP ss2.biloxi.example.com:5060;branch=z9hG4bK721e4.1;received=192.0.2.222\r\n\
         Via: SIP/2.0/UDP ss1.atlanta.example.com:5060;branch=z9hG4bK2d4790.1;received=192.0.2.111\r\n\
         Via: SIP/2.0/UDP client.atlanta.example.com:5060;branch=z9hG4bK74bf9;received=192.0.2.101\r\n\
         Record-Route: <sip:ss2.biloxi.example.com;lr>, <sip:ss1.atlanta.example.com;lr>\r\n\
         From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n\
         To: Bob <sip:bob@biloxi.example.com>;tag=314159\r\n\
         Call-ID: 3848276298220188511@atlanta.example.com\r\n\
         CSeq: 2 INVITE\r\n\
         Contact: <sip:bob@client.biloxi.example.com>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

/// The smallest request there is.
fn ack() -> String {
    "ACK sip:bob@client.biloxi.example.com SIP/2.0\r\n\
     Via: SIP/2.0/UDP client.atlanta.example.com:5060;branch=z9hG4bK74bd5\r\n\
     Max-Forwards: 70\r\n\
     From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n\
     To: Bob <sip:bob@biloxi.example.com>;tag=314159\r\n\
     Call-ID: 2xTb9vxSit55XU7p8@atlanta.example.com\r\n\
     CSeq: 1 ACK\r\n\
     Content-Length: 0\r\n\r\n"
        .into()
}
