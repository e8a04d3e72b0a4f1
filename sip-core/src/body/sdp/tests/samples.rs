//! Descriptions in the shape of what is met: browsers, a soft phone, a desk phone.

pub(crate) const CHROME: &str = "v=0\r\n\
o=- 4611731400430051336 2 IN IP4 127.0.0.1\r\n\
s=-\r\n\
t=0 0\r\n\
a=group:BUNDLE 0 1 2\r\n\
a=extmap-allow-mixed\r\n\
a=msid-semantic: WMS 5f8e\r\n\
m=audio 54321 UDP/TLS/RTP/SAVPF 111 63 9 0 8 110 126\r\n\
c=IN IP4 192.0.2.15\r\n\
a=rtcp:9 IN IP4 0.0.0.0\r\n\
a=candidate:1467250027 1 udp 2122260223 192.0.2.15 54321 typ host generation 0 network-id 1 network-cost 10\r\n\
a=candidate:842163049 1 udp 1685987071 203.0.113.7 61000 typ srflx raddr 192.0.2.15 rport 54321 generation 0\r\n\
a=candidate:3 1 tcp 1518280447 b2d7a1e4-0000-4000-8000-5a5a5a5a5a5a.local 9 typ host tcptype active\r\n\
a=ice-ufrag:EsAw\r\n\
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
a=ice-options:trickle renomination\r\n\
a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F\r\n\
a=setup:actpass\r\n\
a=mid:0\r\n\
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
a=extmap:14/sendonly urn:ietf:params:rtp-hdrext:toffset short\r\n\
a=sendrecv\r\n\
a=msid:5f8e 7c1b\r\n\
a=rtcp-mux\r\n\
a=rtcp-rsize\r\n\
a=rtpmap:111 opus/48000/2\r\n\
a=rtcp-fb:111 transport-cc\r\n\
a=fmtp:111 minptime=10;useinbandfec=1\r\n\
a=rtpmap:63 red/48000/2\r\n\
a=fmtp:63 111/111\r\n\
a=rtpmap:9 G722/8000\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:110 telephone-event/48000\r\n\
a=rtpmap:126 telephone-event/8000\r\n\
a=maxptime:60\r\n\
a=ssrc:3570614608 cname:4TOk42mSjXCkVIa6\r\n\
a=ssrc:3570614608 msid:5f8e 7c1b\r\n\
m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n\
c=IN IP4 0.0.0.0\r\n\
b=AS:2048\r\n\
b=TIAS:2000000\r\n\
a=mid:1\r\n\
a=bundle-only\r\n\
a=inactive\r\n\
a=rtpmap:96 VP8/90000\r\n\
a=rtcp-fb:96 nack pli\r\n\
a=rtcp-fb:* ccm fir\r\n\
a=rtpmap:97 rtx/90000\r\n\
a=fmtp:97 apt=96\r\n\
a=ssrc-group:FID 2231627014 632943048\r\n\
a=rid:hi send pt=96;max-width=1280;max-height=720\r\n\
a=rid:lo send max-width=320\r\n\
a=simulcast:send hi;~lo,hi recv 3\r\n\
a=imageattr:96 send [x=1280,y=720] recv *\r\n\
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
c=IN IP6 ::\r\n\
a=mid:2\r\n\
a=tls-id:91bbf309c0990a6bec11e38ba2933cee\r\n\
a=sctp-port:5000\r\n\
a=max-message-size:262144\r\n";

pub(crate) const FIREFOX: &str = "v=0\r\n\
o=mozilla...THIS_IS_SDPARTA-99.0 8115129867498137284 0 IN IP4 0.0.0.0\r\n\
s=-\r\n\
t=0 0\r\n\
a=fingerprint:sha-256 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF\r\n\
a=group:BUNDLE 0\r\n\
a=ice-options:trickle\r\n\
a=msid-semantic:WMS *\r\n\
m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101\r\n\
c=IN IP4 0.0.0.0\r\n\
a=sendrecv\r\n\
a=end-of-candidates\r\n\
a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level\r\n\
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r\n\
a=fmtp:101 0-15\r\n\
a=ice-pwd:c3a1f9e7b5d3a1c9e7f5b3d1a9c7e5f3\r\n\
a=ice-ufrag:3c5a7e91\r\n\
a=mid:0\r\n\
a=msid:- {0f1e2d3c-aaaa-4bbb-8ccc-0123456789ab}\r\n\
a=rtcp-mux\r\n\
a=rtpmap:109 opus/48000/2\r\n\
a=rtpmap:9 G722/8000/1\r\n\
a=rtpmap:101 telephone-event/8000/1\r\n\
a=setup:active\r\n";

pub(crate) const BARESIP: &str = "v=0\r\n\
o=- 3190134212 1207352710 IN IP4 198.51.100.20\r\n\
s=-\r\n\
c=IN IP4 198.51.100.20\r\n\
t=0 0\r\n\
a=tool:baresip 3.x\r\n\
m=audio 19878 RTP/AVP 8 0 101\r\n\
b=AS:125\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-15\r\n\
a=rtcp:19879\r\n\
a=sendrecv\r\n\
a=label:1\r\n\
a=rtcp-rsize\r\n\
a=ptime:20\r\n";

/// Everything the session part may hold, keys in the description, and an attribute nobody knows.
pub(crate) const DESK_PHONE: &str = "v=0\r\n\
o=root 20055 20056 IN IP6 2001:db8::20\r\n\
s=call with ü\r\n\
i=a lobby phone\r\n\
u=https://example.com/lobby\r\n\
e=lobby@example.com (Lobby)\r\n\
p=+1 617 555-6011\r\n\
c=IN IP6 2001:db8::20\r\n\
b=CT:1000\r\n\
t=3034423619 3042462419\r\n\
r=7d 1h 0 25h\r\n\
z=2882844526 -1h 2898848070 0\r\n\
k=clear:none\r\n\
a=sendonly\r\n\
a=X-vendor: keep  this \t as it is \r\n\
m=audio 65012/2 RTP/SAVP 18 9 101\r\n\
i=speech\r\n\
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4 KDR=1 UNENCRYPTED_SRTCP\r\n\
a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj\r\n\
a=fmtp:18 annexb=no\r\n\
a=maxptime:150\r\n\
a=ptime:20\r\n\
m=image 0 udptl t38\r\n\
m=video 0 RTP/AVP\r\n";

pub(crate) const ALL: [&str; 4] = [CHROME, FIREFOX, BARESIP, DESK_PHONE];
