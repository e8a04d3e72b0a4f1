//! `xylosip`: the grammar of RFC 3261 as it stands, every header typed while the message is parsed.

use bytes::Bytes;
use xylosip::Message;
use xylosip::header::Header;

use super::{Parser, Seen};

pub(super) const PARSER: Parser = Parser {
    package: "xylosip",
    index: None,
    route: Some(typed),
    typed: Some(typed),
    note: "types everything at once, so both forms are the same; requests only",
};

fn typed(bytes: &Bytes) -> Option<Seen> {
    let message = Message::parse(bytes).ok()?;
    // It keeps what follows a status line as bytes.
    let Message::Request(request) = &message else { return None };
    let mut seen = Seen::default();
    for header in &request.headers {
        match header {
            Header::Extension(..) => seen.text(header),
            header => seen.typed(header),
        }
    }
    Some(seen)
}
