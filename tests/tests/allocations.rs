//! What parsing a message takes from the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use sip_core::message::typed::{Contact, From, Route, To};
use sip_core::message::{HeaderName, Message, Via};

/// Counts what this thread takes.
struct Counting;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is handed to the system's allocator unchanged; growing is `alloc`, by the default of the trait.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn taken(work: impl FnOnce()) -> usize {
    let before = TAKEN.get();
    work();
    TAKEN.get() - before
}

/// An INVITE with so many header fields.
fn invite(fields: usize) -> Bytes {
    let mut text = String::from(
        "INVITE sip:bob@biloxi.example.com SIP/2.0\r\nVia: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK776asdhds\r\n\
         Max-Forwards: 70\r\nRoute: <sip:edge.example.com;lr>, <sip:core.example.com;lr>\r\n\
         From: \"Alice\" <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\nTo: <sip:bob@biloxi.example.com>\r\n\
         Call-ID: 3848276298220188511@atlanta.example.com\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:alice@df7jal23ls0d.invalid;transport=ws>;expires=60\r\n",
    );
    for n in 8..fields {
        text.push_str(&format!("X-Field-{n}: value {n}\r\n"));
    }
    text.push_str("\r\nbody");
    Bytes::from(text)
}

#[test]
fn a_message_of_24_fields_takes_what_its_clones_share_and_more_fields_a_list() {
    for (fields, expected) in [(8, 1), (20, 1), (24, 1), (25, 2), (48, 2), (49, 3), (96, 3), (97, 4)] {
        let bytes = invite(fields);
        // The buffer is the caller's, and shared by now.
        let _shared = bytes.clone();
        let mut message = None;
        let taken_by_parsing = taken(|| message = Message::parse(bytes.clone()).ok());
        let Some(Message::Request(request)) = message else { panic!("{fields} fields are refused") };
        assert_eq!(request.headers().fields().len(), fields);
        assert_eq!(taken_by_parsing, expected, "{fields} fields");
        let taken_by_views = taken(|| {
            let headers = request.headers();
            assert!(headers.typed_all::<Via<'_>>().all(|via| via.is_ok()));
            assert_eq!(headers.typed_all::<Route<'_>>().filter(Result::is_ok).count(), 2);
            assert!(matches!(headers.typed::<From<'_>>(), Ok(Some(_))));
            assert!(matches!(headers.typed::<To<'_>>(), Ok(Some(_))));
            assert!(matches!(headers.typed::<Contact<'_>>(), Ok(Some(_))));
            assert!(request.from().parsed_uri().is_some() && headers.has(HeaderName::CallId));
        });
        assert_eq!(taken_by_views, 0, "views borrow");
    }
}
