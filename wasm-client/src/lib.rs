//! The browser's seams around `sip-core` — WebSocket, timers, random numbers, `RTCPeerConnection` — and the
//! public JavaScript API.

use wasm_bindgen::prelude::wasm_bindgen;

/// The version of this library.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}
