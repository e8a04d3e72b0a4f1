//! `rvoip-sip-core`: every header typed while the message is parsed.

use bytes::Bytes;
use rvoip_sip_core::parse_message;
use rvoip_sip_core::types::headers::TypedHeader;

use super::{Parser, Seen};

pub(super) const PARSER: Parser = Parser {
    package: "rvoip-sip-core",
    index: None,
    route: Some(typed),
    typed: Some(typed),
    note: "types everything at once, so both forms are the same",
};

fn typed(bytes: &Bytes) -> Option<Seen> {
    let message = parse_message(bytes).ok()?;
    let mut seen = Seen::default();
    for header in message.all_headers() {
        match header {
            TypedHeader::Other(..) => seen.text(header),
            header => seen.typed(header),
        }
    }
    std::hint::black_box(message);
    Some(seen)
}
