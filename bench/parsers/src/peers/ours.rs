//! `sip-core`: the project's own.

use bytes::Bytes;
use sip_core::message::typed::*;
use sip_core::message::{CSeq, HeaderName, Message, NameAddr, Via, split_list};

use super::{Parser, Seen};

pub(super) const PARSER: Parser = Parser {
    package: "sip-core (ours)",
    index: Some(index),
    route: Some(route),
    typed: Some(typed),
    note: "the index checks Via, From, To, Call-ID, CSeq and Content-Length too",
};

fn index(bytes: &Bytes) -> Option<Seen> {
    std::hint::black_box(Message::parse(bytes.clone()).ok()?);
    Some(Seen::default())
}

/// An address with its URI in parts.
fn address(seen: &mut Seen, address: NameAddr<'_>) {
    std::hint::black_box(address.parsed_uri());
    seen.typed(address);
}

fn route(bytes: &Bytes) -> Option<Seen> {
    let message = Message::parse(bytes.clone()).ok()?;
    let mut seen = Seen::default();
    macro_rules! read {
        ($message:ident) => {{
            seen.typed($message.via());
            address(&mut seen, $message.from());
            address(&mut seen, $message.to());
            seen.typed($message.call_id());
            seen.typed($message.cseq());
            for value in $message.headers().list(HeaderName::Route) {
                match NameAddr::parse(value) {
                    Some(route) => address(&mut seen, route),
                    None => seen.refused += 1,
                }
            }
        }};
    }
    match &message {
        Message::Request(request) => read!(request),
        Message::Response(response) => read!(response),
    }
    Some(seen)
}

fn typed(bytes: &Bytes) -> Option<Seen> {
    let message = Message::parse(bytes.clone()).ok()?;
    let headers = match &message {
        Message::Request(request) => request.headers(),
        Message::Response(response) => response.headers(),
    };
    let mut seen = Seen::default();
    for (name, text) in headers.values() {
        macro_rules! of {
            ($type:ty) => {
                match <$type as TypedHeader<'_>>::CARDINALITY {
                    Cardinality::List => split_list(text)
                        .for_each(|value| seen.maybe(<$type as TypedHeader<'_>>::parse(value))),
                    _ => seen.maybe(<$type as TypedHeader<'_>>::parse(text)),
                }
            };
        }
        macro_rules! with_uri {
            ($type:ty) => {
                for value in split_list(text) {
                    match <$type as TypedHeader<'_>>::parse(value) {
                        Ok(value) => address(&mut seen, *value),
                        Err(_) => seen.refused += 1,
                    }
                }
            };
        }
        match name {
            HeaderName::Via => of!(Via<'_>),
            HeaderName::From => with_uri!(From<'_>),
            HeaderName::To => with_uri!(To<'_>),
            HeaderName::CallId => of!(CallIdValue<'_>),
            HeaderName::CSeq => of!(CSeq),
            HeaderName::Route => with_uri!(Route<'_>),
            HeaderName::RecordRoute => with_uri!(RecordRoute<'_>),
            HeaderName::PPreferredIdentity => with_uri!(PPreferredIdentity<'_>),
            HeaderName::Contact => {
                for value in split_list(text) {
                    match <Contact<'_> as TypedHeader<'_>>::parse(value) {
                        Ok(Contact::Address(contact)) => {
                            std::hint::black_box(contact.address.parsed_uri());
                            seen.typed(contact);
                        }
                        Ok(any) => seen.typed(any),
                        Err(_) => seen.refused += 1,
                    }
                }
            }
            HeaderName::MaxForwards => of!(MaxForwards),
            HeaderName::Allow => of!(Allow),
            HeaderName::Supported => of!(Supported<'_>),
            HeaderName::SessionExpires => of!(SessionExpires<'_>),
            HeaderName::MinSe => of!(MinSe<'_>),
            HeaderName::UserAgent => of!(UserAgent<'_>),
            HeaderName::Accept => of!(Accept<'_>),
            HeaderName::Date => of!(Date),
            HeaderName::ContentType => of!(ContentType<'_>),
            HeaderName::ContentLength => of!(ContentLength),
            HeaderName::Authorization => of!(Authorization<'_>),
            _ => seen.text(text),
        }
    }
    Some(seen)
}
