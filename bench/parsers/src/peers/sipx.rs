//! `sipx-sip`: slices of one buffer, typed on demand.

use bytes::Bytes;
use sipx_sip::headers::{
    Allow, CSeq, CallId, ContactValue, ContentLength, ContentType, Date, From, MaxForwards, RecordRoute,
    Route, Supported, To, Via,
};
use sipx_sip::message::Message;
use sipx_sip::parser::{Limits, parse_datagram};
use sipx_sip::session::{MinSe, SessionExpires};

use super::{Parser, Seen};

pub(super) const PARSER: Parser = Parser {
    package: "sipx-sip",
    index: Some(index),
    route: Some(route),
    typed: Some(typed),
    note: "slices of one buffer, typed on demand",
};

fn parse(bytes: &Bytes) -> Option<Message> {
    parse_datagram(bytes.clone(), &Limits::datagram()).ok()
}

fn index(bytes: &Bytes) -> Option<Seen> {
    std::hint::black_box(parse(bytes)?);
    Some(Seen::default())
}

macro_rules! first {
    ($seen:ident, $headers:ident: $($type:ty),*) => { $(
        if let Some(value) = $headers.typed::<$type>() {
            $seen.maybe(value);
        }
    )* };
}

macro_rules! every {
    ($seen:ident, $headers:ident: $($type:ty),*) => { $(
        $headers.typed_all::<$type>().for_each(|value| $seen.maybe(value));
    )* };
}

fn route(bytes: &Bytes) -> Option<Seen> {
    let message = parse(bytes)?;
    let headers = message.headers();
    let mut seen = Seen::default();
    first!(seen, headers: Via, From, To, CallId, CSeq);
    every!(seen, headers: Route);
    Some(seen)
}

fn typed(bytes: &Bytes) -> Option<Seen> {
    let message = parse(bytes)?;
    let headers = message.headers();
    let mut seen = Seen::default();
    first!(seen, headers: From, To, CallId, CSeq, MaxForwards, ContentLength, ContentType, Date, MinSe, SessionExpires);
    every!(seen, headers: Via, Route, RecordRoute, ContactValue, Allow, Supported);
    Some(seen)
}
