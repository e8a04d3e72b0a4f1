//! Parsers that tell header fields apart and have no types for them.

use bytes::Bytes;

use super::{Parser, Seen};

pub(super) const PARSIP: Parser = Parser {
    package: "parsip",
    index: Some(parsip_index),
    route: None,
    typed: None,
    note: "no typed headers",
};

fn parsip_index(bytes: &Bytes) -> Option<Seen> {
    let mut headers = [parsip::EMPTY_HEADER; 32];
    if bytes.starts_with(b"SIP/") {
        let mut response = parsip::Response::new(&mut headers);
        response.parse(bytes).to_result().ok()?;
        std::hint::black_box(response);
    } else {
        let mut request = parsip::Request::new(&mut headers);
        request.parse(bytes).to_result().ok()?;
        std::hint::black_box(request);
    }
    Some(Seen::default())
}

pub(super) const SIP_CODEC: Parser = Parser {
    package: "sip-codec",
    index: Some(sip_codec_index),
    route: None,
    typed: None,
    note: "no typed routing headers; requests only",
};

fn sip_codec_index(bytes: &Bytes) -> Option<Seen> {
    std::hint::black_box(sip_codec::parser::parse_request(bytes).ok()?.1);
    Some(Seen::default())
}

pub(super) const SIPR: Parser = Parser {
    package: "sip-core (sipr)",
    index: Some(sipr_index),
    route: None,
    typed: None,
    note: "headers are text; only CSeq has a type",
};

fn sipr_index(bytes: &Bytes) -> Option<Seen> {
    std::hint::black_box(sipr::SipMessage::parse(std::str::from_utf8(bytes).ok()?).ok()?);
    Some(Seen::default())
}
