//! `rsip`, its fork `ftth-rsip`, and `rsipstack`, which grew out of it: text headers that are typed on demand.

use bytes::Bytes;

use super::{Parser, Seen};

macro_rules! family {
    ($module:ident, $parser:ident, $package:literal, $lib:path, [$($typed:ident),*], $note:literal) => {
        pub(super) const $parser: Parser = Parser {
            package: $package,
            index: Some($module::index),
            route: Some($module::route),
            typed: Some($module::typed),
            note: $note,
        };

        mod $module {
            use super::*;
            use $lib as sip;
            use sip::prelude::*;
            use sip::{Header, SipMessage};

            fn parse(bytes: &Bytes) -> Option<SipMessage> {
                SipMessage::try_from(&bytes[..]).ok()
            }

            pub(super) fn index(bytes: &Bytes) -> Option<Seen> {
                std::hint::black_box(parse(bytes)?);
                Some(Seen::default())
            }

            pub(super) fn route(bytes: &Bytes) -> Option<Seen> {
                let message = parse(bytes)?;
                let mut seen = Seen::default();
                seen.maybe(message.via_header().and_then(|header| header.typed()));
                seen.maybe(message.from_header().and_then(|header| header.typed()));
                seen.maybe(message.to_header().and_then(|header| header.typed()));
                seen.typed(message.call_id_header().ok()?.value());
                seen.maybe(message.cseq_header().and_then(|header| header.typed()));
                for header in message.headers().iter() {
                    if let Header::Route(route) = header {
                        seen.maybe(route.typed());
                    }
                }
                Some(seen)
            }

            pub(super) fn typed(bytes: &Bytes) -> Option<Seen> {
                let message = parse(bytes)?;
                let mut seen = Seen::default();
                for header in message.headers().iter() {
                    match header {
                        $(Header::$typed(header) => seen.maybe(header.typed()),)*
                        Header::MaxForwards(header) => seen.maybe(header.value().trim().parse::<u32>()),
                        Header::ContentLength(header) => seen.maybe(header.value().trim().parse::<u32>()),
                        other => seen.text(other),
                    }
                }
                Some(seen)
            }
        }
    };
}

family!(
    rsip,
    RSIP,
    "rsip",
    ::rsip,
    [Via, From, To, CSeq, Route, RecordRoute, Contact, Allow, Accept, ContentType, Authorization],
    "text headers, typed on demand"
);
family!(
    ftth_rsip,
    FTTH_RSIP,
    "ftth-rsip",
    ::ftth_rsip,
    [Via, From, To, CSeq, Route, RecordRoute, Contact, Allow, Accept, ContentType, Authorization],
    "a fork of rsip"
);
family!(
    rsipstack,
    RSIPSTACK,
    "rsipstack",
    ::rsipstack::sip,
    [Via, From, To, CSeq, Route, RecordRoute, Contact],
    "text headers, typed on demand; the parser of a whole stack"
);
