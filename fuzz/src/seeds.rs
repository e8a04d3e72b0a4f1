//! Valid inputs: the vectors of RFC 4475 and RFC 5118, and messages and bodies in the shape of what is met.

use std::fs;
use std::path::Path;

use sip_core::entropy::{Entropy as _, SeededEntropy};

use crate::samples::*;

/// Messages.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = MESSAGES.iter().map(|text| text.as_bytes().to_vec()).collect();
    all.extend(vectors());
    all
}

/// The torture vectors, in the order of their names.
pub(crate) fn vectors() -> Vec<Vec<u8>> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../sip-core/vectors"));
    let mut paths = Vec::new();
    for rfc in ["rfc4475", "rfc5118"] {
        let entries = fs::read_dir(folder.join(rfc)).expect("the vectors are there");
        paths.extend(entries.map(|entry| entry.expect("a folder that can be read").path()));
    }
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a vector that can be read")).collect()
}

pub(crate) const INVITE: &str = "INVITE sip:bob@example.com SIP/2.0\r\n\
Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks\r\n\
Via: SIP/2.0/UDP 192.0.2.1:5060;received=192.0.2.2;rport=5062;branch=z9hG4bKbelow, SIP/2.0/TCP [2001:db8::9:1];branch=z9hG4bK1\r\n\
Max-Forwards: 70\r\n\
Route: <sip:one.example.com;lr>, <sip:two.example.com;lr>\r\n\
Record-Route: <sip:r1.example.com;lr>\r\n\
From: \"Alice \\\"A\\\"\" <sip:alice@example.com>;tag=asdyka899\r\n\
To: Bob <sip:bob@example.com;user=phone>\r\n\
Call-ID: asidkj3ss@df7jal23ls0d.invalid\r\n\
CSeq: 1 INVITE\r\n\
Contact: <sip:alice@df7jal23ls0d.invalid;transport=ws;ob>;+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-000000000001>\"\r\n\
Supported: path, outbound, gruu\r\n\
Subject: one\r\n  folded\r\n\
X-Unknown:  kept as it is  \r\n\
Content-Type: application/sdp\r\n\
Content-Length: 133\r\n\r\n\
v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 54321 RTP/AVP 0 8\r\nc=IN IP4 192.0.2.15\r\na=rtpmap:0 PCMU/8000\r\n";

const OK: &str = "SIP/2.0 200 OK\r\n\
v: SIP/2.0/UDP server10.biloxi.com;branch=z9hG4bK4b43c2ff8.1;received=192.0.2.3\r\n\
f: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
t: Bob <sip:bob@biloxi.com>;tag=a6c85cf\r\n\
i: a84b4c76e66710@pc33.atlanta.com\r\n\
CSeq: 314159 INVITE\r\n\
m: <sips:bob:secret@[2001:db8::1]:5061;transport=tcp?Subject=x%20y&Priority=urgent>;q=0.7;expires=3600\r\n\
l: 0\r\n\r\n";

const REGISTER: &str = "REGISTER sip:example.com SIP/2.0\r\n\
Via: SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9hG4bKnashds7;rport\r\n\
Max-Forwards: 70\r\n\
To: <tel:+1-201-555-0123>\r\n\
From: sip:bob@biloxi.com;tag=456248\r\n\
Call-ID: 843817637684230@998sdasdh09\r\n\
CSeq: 1826 REGISTER\r\n\
Contact: *\r\n\
Expires: 0\r\n\
Authorization: Digest username=\"bob\", realm=\"example.com\", nonce=\"84a4cc6f3082121f32b42a2187831a9e\", uri=\"sip:example.com\", response=\"7587245234b3434cc3412213e5f113a5\", qop=auth, nc=00000001, cnonce=\"0a4f113b\"\r\n\
Content-Length: 0\r\n\r\n";

pub(crate) const MESSAGES: &[&str] = &[INVITE, OK, REGISTER];

/// Session descriptions, and the fragments candidates come in.
pub(crate) fn descriptions() -> Vec<Vec<u8>> {
    owned(&[CHROME, FIREFOX, BARESIP, DESK_PHONE, SDPFRAG])
}

/// A Content-Type each, and a body.
pub(crate) fn multiparts() -> Vec<Vec<u8>> {
    let one = format!("multipart/mixed;boundary=unique-boundary-1\r\n{MULTIPART}");
    let two = "Multipart/Related; boundary=\"a b\";type=x\r\n--a b\r\n\r\n--a b\n\n--a b--";
    owned(&[&one, two])
}

/// XML.
pub(crate) fn documents() -> Vec<Vec<u8>> {
    owned(&[PIDF, DIALOG_INFO, REGINFO, IS_COMPOSING])
}

/// Other bodies.
pub(crate) fn bodies() -> Vec<Vec<u8>> {
    owned(&[SIPFRAG, "SIP/2.0 100 Trying", SUMMARY, "Signal=5\r\nDuration=160\r\n", " 11\r\n"])
}

fn owned(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Lists of choices: any bytes are one.
pub(crate) fn operations() -> Vec<Vec<u8>> {
    (0..24u64)
        .map(|seed| {
            let mut bytes = vec![0; 400];
            SeededEntropy(seed).fill(&mut bytes);
            bytes
        })
        .collect()
}
