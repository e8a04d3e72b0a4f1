//! The Call-ID by which a message finds its shard is the one the parser finds.

use bytes::Bytes;
use sip_core::message::{Fault, HeaderName, Message, scan_call_id};

pub(crate) fn holds(input: &[u8]) {
    let scanned = scan_call_id(input);
    match Message::parse(Bytes::copy_from_slice(input)) {
        Ok(Message::Request(request)) => assert_eq!(scanned, Some(request.call_id().as_bytes())),
        Ok(Message::Response(response)) => assert_eq!(scanned, Some(response.call_id().as_bytes())),
        // None or two: shard 0 says so.
        Err(refused) => match refused.error.fault {
            Fault::Missing(HeaderName::CallId) | Fault::Duplicate(HeaderName::CallId) => {
                assert_eq!(scanned, None);
            }
            _ => {}
        },
    }
}
