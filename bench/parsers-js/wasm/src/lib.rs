//! A message in, the places of what routes it out: a string costs a copy and a decoder at the border, a place costs
//! nothing, and JavaScript has the text already.

use sip_core::message::{CSeq, HeaderName, Headers, Message, NameAddr, Via};
use wasm_bindgen::prelude::wasm_bindgen;

/// Places in the table, each a start and an end, in UTF-16 code units.
const PLACES: usize = 11;

/// Reads messages one after the other into the same table.
#[wasm_bindgen]
#[derive(Default)]
pub struct Reader {
    /// Starts and ends of Via's transport, sent-by and branch; From's display name, URI and tag; To's; Call-ID; CSeq's
    /// method. What is absent is empty. Then Via's port, 0 if it has none, and CSeq's number.
    places: [u32; PLACES * 2 + 2],
}

#[wasm_bindgen]
impl Reader {
    /// With an empty table.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the table lies in the module's memory.
    pub fn table(&self) -> *const u32 {
        self.places.as_ptr()
    }

    /// Parses a message; `false` if it is refused.
    pub fn parse(&mut self, text: String) -> bool {
        // The parser keeps the buffer it is given.
        let Ok(message) = Message::parse(text.into_bytes().into()) else { return false };
        match &message {
            Message::Request(m) => {
                self.fill(m.headers(), &m.via(), &m.from(), &m.to(), m.call_id(), m.cseq())
            }
            Message::Response(m) => {
                self.fill(m.headers(), &m.via(), &m.from(), &m.to(), m.call_id(), m.cseq())
            }
        }
        true
    }
}

impl Reader {
    fn fill(
        &mut self,
        headers: &Headers,
        via: &Via<'_>,
        from: &NameAddr<'_>,
        to: &NameAddr<'_>,
        call_id: &str,
        cseq: &CSeq,
    ) {
        let bytes = headers.bytes();
        // As they stand: an address and a method are values of their own by now.
        let top = headers.first(HeaderName::Via).unwrap_or_default();
        let sent_by =
            top.split_once(via.transport).map_or("", |(_, rest)| rest.split([';', ',']).next().unwrap_or(""));
        let method = headers.first(HeaderName::CSeq).and_then(|value| value.split_ascii_whitespace().last());
        let parts: [&str; PLACES] = [
            via.transport,
            sent_by.trim(),
            via.branch().unwrap_or_default(),
            from.display,
            from.uri,
            from.tag().unwrap_or_default(),
            to.display,
            to.uri,
            to.tag().unwrap_or_default(),
            call_id,
            method.unwrap_or_default(),
        ];
        let base = bytes.as_ptr() as usize;
        for (place, part) in self.places.chunks_exact_mut(2).zip(parts) {
            let start = (part.as_ptr() as usize).wrapping_sub(base);
            let span = if part.is_empty() { 0..0 } else { start..start + part.len() };
            (place[0], place[1]) = (span.start as u32, span.end as u32);
        }
        if !bytes.is_ascii() {
            self.count_utf16(bytes);
        }
        self.places[PLACES * 2] = via.port.unwrap_or_default().into();
        self.places[PLACES * 2 + 1] = cseq.number;
    }

    /// From bytes to the code units JavaScript counts in.
    fn count_utf16(&mut self, bytes: &[u8]) {
        for place in &mut self.places[..PLACES * 2] {
            let before = bytes.get(..*place as usize).unwrap_or_default();
            *place = String::from_utf8_lossy(before).encode_utf16().count() as u32;
        }
    }
}
