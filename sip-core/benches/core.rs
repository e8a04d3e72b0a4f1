//! What a message costs: `cargo bench -p sip-core`.
//!
//! Compare ratios within one run; absolute times depend on the machine.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sip_core::message::{HeaderName, Message, Request, Rewrite, Writer};

/// An INVITE as a browser sends it through two proxies: 20 header fields, 1.6 kB with its session description.
fn invite() -> Bytes {
    let sdp = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
               m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
               a=ice-ufrag:Oyef\r\na=ice-pwd:0123456789abcdefghijklmn\r\na=ice-options:trickle\r\n\
               a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA\r\n\
               a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
               a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n";
    Bytes::from(format!(
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
         User-Agent: Trapezoid/0.1.0\r\nAccept: application/sdp\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT\r\n\
         P-Preferred-Identity: <sip:alice@atlanta.example.com>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    ))
}

fn messages(c: &mut Criterion) {
    let bytes = invite();
    let mut group = c.benchmark_group("message");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("parse an INVITE and read what routes it", |b| {
        b.iter(|| {
            let Ok(Message::Request(request)) = Message::parse(black_box(bytes.clone())) else {
                unreachable!()
            };
            let route = request.headers().list(HeaderName::Route).next().map(str::len);
            black_box((request.uri().len(), request.branch().map(str::len), request.cseq().number, route));
        });
    });
    let Ok(request) = Request::parse(bytes.clone()) else { unreachable!() };
    group.bench_function("print it as a proxy forwards it", |b| {
        b.iter(|| {
            let mut edit = Rewrite::new(black_box(request.headers()));
            edit.request_uri(&request, "sip:bob@192.0.2.4:5060;transport=tcp");
            edit.prepend(HeaderName::Via, "SIP/2.0/TCP ss2.biloxi.example.com;branch=z9hG4bK721e4.1");
            edit.set(HeaderName::MaxForwards, "68");
            edit.remove_first_values(HeaderName::Route, 1);
            edit.prepend(HeaderName::RecordRoute, "<sip:q2w3e4r5t6y7u8i9o0@ss2.biloxi.example.com;lr>");
            black_box(edit.finish())
        });
    });
    group.bench_function("answer it with 200", |b| {
        b.iter(|| {
            black_box(
                Writer::response(&request, 200, "OK", Some("314159"))
                    .copy(request.headers(), HeaderName::RecordRoute)
                    .header(HeaderName::Contact, "<sip:bob@192.0.2.4>")
                    .finish(),
            )
        });
    });
    group.finish();
}

criterion_group!(benches, messages);
criterion_main!(benches);
