//! One WebSocket (RFC 7118), the browser's or an injected one: both have the same shape.

use std::rc::Weak;

use js_sys::{Array, ArrayBuffer, Function, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{BinaryType, MessageEvent, WebSocket};

/// What a socket tells.
pub(crate) trait SocketListener {
    /// It is open.
    fn opened(&self);
    /// One WebSocket message.
    fn received(&self, payload: Vec<u8>);
    /// It is closed, or could not be opened.
    fn closed(&self);
}

/// An open or opening socket. Dropping it closes it and silences it.
pub(crate) struct Socket {
    socket: WebSocket,
    _callbacks: [Closure<dyn Fn(JsValue)>; 3],
}

impl Socket {
    /// Opens `url` with a constructor of the WebSocket shape. The error is what the constructor threw.
    pub(crate) fn open(
        constructor: &Function,
        url: &str,
        listener: Weak<dyn SocketListener>,
    ) -> Result<Self, JsValue> {
        let arguments = Array::of2(&url.into(), &"sip".into());
        let socket: WebSocket = Reflect::construct(constructor, &arguments)?.unchecked_into();
        socket.set_binary_type(BinaryType::Arraybuffer);

        let told = listener.clone();
        let opened = Closure::<dyn Fn(JsValue)>::new(move |_| {
            if let Some(listener) = told.upgrade() {
                listener.opened();
            }
        });
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));

        let told = listener.clone();
        let received = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
            if let Some(listener) = told.upgrade() {
                listener.received(payload(&event.unchecked_into::<MessageEvent>().data()));
            }
        });
        socket.set_onmessage(Some(received.as_ref().unchecked_ref()));

        // An error is always followed by a close; npm's `ws` wants a listener all the same.
        let closed = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
            if event.unchecked_into::<web_sys::Event>().type_() == "close"
                && let Some(listener) = listener.upgrade()
            {
                listener.closed();
            }
        });
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        socket.set_onerror(Some(closed.as_ref().unchecked_ref()));

        Ok(Self { socket, _callbacks: [opened, received, closed] })
    }

    /// Sends one message: as text, which is what other implementations expect, if it is (RFC 7118 §5).
    pub(crate) fn send(&self, message: &[u8]) {
        // A socket that is closing drops it, and says so by `closed`.
        let _ = match str::from_utf8(message) {
            Ok(text) => self.socket.send_with_str(text),
            Err(_) => self.socket.send_with_array_buffer(&Uint8Array::from(message).buffer()),
        };
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // npm's `ws` throws when a socket that is being opened is closed and nobody listens for errors. `Object`
        // does nothing with an event, and a function made from text would need `unsafe-eval`.
        self.socket.set_onerror(Some(&Object::new().constructor()));
        let _ = self.socket.close();
    }
}

fn payload(data: &JsValue) -> Vec<u8> {
    match data.dyn_ref::<ArrayBuffer>() {
        Some(buffer) => Uint8Array::new(buffer).to_vec(),
        None => data.as_string().map(String::into_bytes).unwrap_or_default(),
    }
}
