//! What messages cost in memory, counted. What the same inputs cost in time, `cargo bench --bench worst` tells.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use sip_core::limits;
use sip_core::message::Message;

mod shapes;

/// The system's allocator, which counts what each thread asks for.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    CALLS.set(CALLS.get() + 1);
    BYTES.set(BYTES.get() + bytes);
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Calls of the allocator and bytes asked for while `work` runs.
fn counted<T>(work: impl FnOnce() -> T) -> (usize, usize, T) {
    let before = (CALLS.get(), BYTES.get());
    let result = work();
    (CALLS.get() - before.0, BYTES.get() - before.1, result)
}

fn message(fields: usize) -> Bytes {
    let mut text = String::from(
        "INVITE sip:bob@biloxi.example SIP/2.0\r\nVia: SIP/2.0/UDP h:5060;branch=z9hG4bK1;rport, SIP/2.0/UDP i\r\n\
         From: \"Alice\" <sip:alice@atlanta.example>;tag=1\r\nTo: Bob <sip:bob@biloxi.example;x=%41?a=b>\r\n\
         Call-ID: 1@h\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n",
    );
    for field in 6..fields {
        text += &format!("X-Field-{field}: {field}, <sip:{field}@h>;a=b\r\n");
    }
    let bytes = Bytes::from(text + "\r\nbody");
    // Bytes that are shared already: the first clone of others allocates the count of its owners.
    drop(bytes.clone());
    bytes
}

#[test]
fn parsing_allocates_what_clones_share_and_a_list_of_many_fields() {
    for fields in 6..=limits::HEADER_FIELDS {
        let bytes = message(fields);
        let (calls, size, parsed) = counted(|| Message::parse(bytes.clone()));
        let Ok(Message::Request(request)) = parsed else { panic!("a request with {fields} fields") };
        assert_eq!(request.headers().fields().len(), fields);
        // Past 24 fields they are in a list with room for 48, which grows by doubling.
        let growths = fields.div_ceil(48).next_power_of_two().ilog2() as usize;
        let (lists, room) = if fields <= 24 { (0, 0) } else { (1 + growths, 48 << growths) };
        assert_eq!(calls, 1 + lists, "{fields} fields");
        assert!(size <= 1024 + 2 * room * 10, "{size} bytes for {fields} fields");
    }
}

#[test]
fn reading_what_routes_a_message_allocates_nothing() {
    let Ok(Message::Request(request)) = Message::parse(message(20)) else { panic!("a request") };
    let (calls, ..) = counted(|| {
        assert_eq!(request.via().branch(), Some("z9hG4bK1"));
        assert_eq!((request.from_tag(), request.to_tag()), (Some("1"), None));
        assert!(request.from().parsed_uri().is_some() && request.to().parsed_uri().is_some());
        assert_eq!((request.call_id(), request.cseq().number, request.max_forwards()), ("1@h", 1, Some(70)));
        assert_eq!(request.headers().list(sip_core::message::HeaderName::Via).count(), 2);
    });
    assert_eq!(calls, 0);
}

#[test]
fn large_inputs_take_linear_memory() {
    for shape in shapes::all() {
        let size = limits::MESSAGE_BYTES / 4;
        let (small, large) = (shape.of_size(size / 8), shape.of_size(size));
        let (_, few, ()) = counted(|| (shape.read)(&small));
        let (_, many, ()) = counted(|| (shape.read)(&large));
        // Vectors double, so that eight times as much may take sixteen; what is quadratic takes sixty-four.
        assert!(many <= 17 * few + 4096, "{}: {few} bytes, then {many}", shape.name);
    }
}
