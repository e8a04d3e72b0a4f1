//! `ezk-sip-types`: lines pulled into a table of names, typed on demand. It has no function for a whole message; this
//! is how its own stack (`ezk-sip-core`) reads one.

use bytes::Bytes;
use ezk_sip_types::header::typed::{
    Accept, Allow, CSeq, CallID, Contact, ContentLength, ContentType, FromTo, MaxForwards, MinSe, Routing,
    SessionExpires, Supported, Via,
};
use ezk_sip_types::msg::{Line, MessageLine, PullParser};
use ezk_sip_types::parse::Parse;
use ezk_sip_types::{Headers, Name};

use super::{Parser, Seen};

pub(super) const PARSER: Parser = Parser {
    package: "ezk-sip-types",
    index: Some(index),
    route: Some(route),
    typed: Some(typed),
    note: "a table of names, typed on demand",
};

fn parse(bytes: &Bytes) -> Option<(MessageLine, Headers, Bytes)> {
    let mut parser = PullParser::new(bytes, 0);
    let mut start = None;
    let mut headers = Headers::new();
    for item in &mut parser {
        let line = std::str::from_utf8(item.ok()?).ok()?;
        if start.is_none() {
            start = Some(MessageLine::parse(bytes)(line).ok()?.1);
        } else {
            let (_, line) = Line::parse(bytes, line).ok()?;
            headers.insert(line.name, line.value);
        }
    }
    let head_end = parser.head_end();
    let length = headers.get_named::<ContentLength>().ok()?.0;
    let body = bytes.slice(head_end..head_end.checked_add(length)?);
    Some((start?, headers, body))
}

fn index(bytes: &Bytes) -> Option<Seen> {
    std::hint::black_box(parse(bytes)?);
    Some(Seen::default())
}

fn route(bytes: &Bytes) -> Option<Seen> {
    let (start, headers, _) = parse(bytes)?;
    std::hint::black_box(start);
    let mut seen = Seen::default();
    seen.maybe(headers.get_named::<Via>());
    seen.maybe(headers.get::<FromTo>(Name::FROM));
    seen.maybe(headers.get::<FromTo>(Name::TO));
    seen.maybe(headers.get_named::<CallID>());
    seen.maybe(headers.get_named::<CSeq>());
    if let Some(routes) = headers.try_get::<Vec<Routing>>(Name::ROUTE) {
        all(&mut seen, routes);
    }
    Some(seen)
}

fn all<T, E>(seen: &mut Seen, values: Result<Vec<T>, E>) {
    match values {
        Ok(values) => {
            seen.typed += values.len() as u32;
            std::hint::black_box(values);
        }
        Err(_) => seen.refused += 1,
    }
}

fn typed(bytes: &Bytes) -> Option<Seen> {
    let (start, headers, _) = parse(bytes)?;
    std::hint::black_box(start);
    let mut seen = Seen::default();
    all(&mut seen, headers.get_named::<Vec<Via>>());
    seen.maybe(headers.get::<FromTo>(Name::FROM));
    seen.maybe(headers.get::<FromTo>(Name::TO));
    seen.maybe(headers.get_named::<CallID>());
    seen.maybe(headers.get_named::<CSeq>());
    seen.maybe(headers.get_named::<ContentLength>());
    for name in [Name::ROUTE, Name::RECORD_ROUTE] {
        if let Some(routes) = headers.try_get::<Vec<Routing>>(name) {
            all(&mut seen, routes);
        }
    }
    macro_rules! present {
        ($($type:ty),*) => { $(
            if let Some(value) = headers.try_get_named::<$type>() {
                seen.maybe(value);
            }
        )* };
    }
    macro_rules! present_all {
        ($($type:ty),*) => { $(
            if let Some(values) = headers.try_get_named::<Vec<$type>>() {
                all(&mut seen, values);
            }
        )* };
    }
    present!(MaxForwards, MinSe, SessionExpires, ContentType);
    present_all!(Accept, Allow, Contact, Supported);
    for name in [Name::USER_AGENT, Name::DATE, Name::AUTHORIZATION] {
        headers.get_raw(&name).for_each(|text| seen.text(text));
    }
    Some(seen)
}
