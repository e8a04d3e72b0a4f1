//! The four messages every parser reads, here and in `bench/parsers-js`.

use bytes::Bytes;

/// A message with the name it has in the tables.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) bytes: Bytes,
}

pub(crate) fn samples() -> [Sample; 4] {
    macro_rules! sample {
        ($name:literal, $file:literal) => {
            Sample {
                name: $name,
                bytes: Bytes::from_static(include_bytes!(concat!("../../messages/", $file, ".sip"))),
            }
        };
    }
    [
        // As a browser sends it through two proxies: 20 header fields, 1.6 kB with its session description.
        sample!("INVITE", "invite"),
        // A phone refreshes its binding, with credentials.
        sample!("REGISTER", "register"),
        // On its way back through two proxies, with what they recorded.
        sample!("200", "ok"),
        // The smallest request there is.
        sample!("ACK", "ack"),
    ]
}
