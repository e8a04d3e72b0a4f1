//! `sipmsg`: every header taken apart into tags while the message is parsed.

use bytes::Bytes;
use sipmsg::{NomParser, SipMessageType, SipRequest, SipResponse, get_sip_message_type};

use super::{Parser, Seen};

pub(super) const PARSER: Parser = Parser {
    package: "sipmsg",
    index: None,
    route: Some(typed),
    typed: Some(typed),
    note: "types everything at once, so both forms are the same",
};

fn typed(bytes: &Bytes) -> Option<Seen> {
    let count = match get_sip_message_type(bytes) {
        SipMessageType::Response => std::hint::black_box(SipResponse::parse(bytes).ok()?.1).headers.len(),
        _ => std::hint::black_box(SipRequest::parse(bytes).ok()?.1).headers.len(),
    };
    Some(Seen { typed: count as u32, ..Seen::default() })
}
