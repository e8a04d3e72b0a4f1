//! One call's media: a session that a factory of the page's made. Descriptions pass through as text.

use std::cell::Cell;
use std::rc::Weak;

use js_sys::{Array, Object, Promise, Reflect};
use wasm_bindgen::prelude::{Closure, JsValue, wasm_bindgen};
use wasm_bindgen::{JsCast as _, UnwrapThrowExt as _};
use wasm_bindgen_futures::JsFuture;

use crate::error::{Failure, Kind};
use crate::options::MediaOptions;

#[wasm_bindgen]
extern "C" {
    /// `MediaSession` of the API.
    type Session;
    #[wasm_bindgen(structural, method, catch, js_name = createOffer)]
    fn create_offer(this: &Session) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(structural, method, catch, js_name = createAnswer)]
    fn create_answer(this: &Session, offer: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(structural, method, catch, js_name = acceptAnswer)]
    fn accept_answer(this: &Session, answer: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(structural, method, catch, js_name = setMuted)]
    fn set_muted(this: &Session, muted: bool) -> Result<(), JsValue>;
    #[wasm_bindgen(structural, method, catch, js_name = sendDtmf)]
    fn send_dtmf(this: &Session, tones: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(structural, method, catch, js_name = setMicrophone)]
    fn set_microphone(this: &Session, device: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(structural, method, catch)]
    fn close(this: &Session) -> Result<(), JsValue>;
    #[wasm_bindgen(structural, method, getter, js_name = peerConnection)]
    fn peer_connection(this: &Session) -> JsValue;
}

/// What media tells.
pub(crate) trait MediaListener {
    /// The remote stream is there.
    fn stream(&self, stream: JsValue);
    /// Packets can flow (again), or can no more.
    fn connected(&self, connected: bool);
    /// The microphone was unplugged or taken away.
    fn microphone_lost(&self);
}

/// A session. Dropping it closes it.
pub(crate) struct Media {
    session: Session,
    closed: Cell<bool>,
    _callbacks: Callbacks,
}

/// What the session calls; alive as long as the session.
struct Callbacks {
    stream: Closure<dyn Fn(JsValue)>,
    state: Closure<dyn Fn(JsValue)>,
    microphone_lost: Closure<dyn Fn()>,
}

impl Media {
    /// Asks the factory for a session: this may ask the person for the microphone.
    pub(crate) async fn open(
        options: &MediaOptions,
        audio: JsValue,
        listener: Weak<dyn MediaListener>,
    ) -> Result<Self, JsValue> {
        let callbacks = Callbacks::new(listener);
        let context = options.context(audio, &callbacks);
        let made = options.factory.call1(&JsValue::UNDEFINED, &context);
        let session = settled(made).await?;
        if !session.is_object() {
            return Err(Failure::new(Kind::InvalidArgument, "`media` made no session").into());
        }
        Ok(Self { session: session.unchecked_into(), closed: Cell::new(false), _callbacks: callbacks })
    }

    pub(crate) async fn create_offer(&self) -> Result<String, JsValue> {
        text(settled(self.session.create_offer()).await?)
    }

    pub(crate) async fn create_answer(&self, offer: &str) -> Result<String, JsValue> {
        text(settled(self.session.create_answer(offer)).await?)
    }

    pub(crate) fn accept_answer(
        &self,
        answer: &str,
    ) -> impl Future<Output = Result<JsValue, JsValue>> + use<> {
        settled(self.session.accept_answer(answer))
    }

    pub(crate) fn set_muted(&self, muted: bool) -> Result<(), JsValue> {
        self.session.set_muted(muted).map_err(Failure::of_media)
    }

    pub(crate) fn send_dtmf(&self, tones: &str) -> Result<(), JsValue> {
        self.session.send_dtmf(tones).map_err(Failure::of_media)
    }

    pub(crate) fn set_microphone(
        &self,
        device: &str,
    ) -> impl Future<Output = Result<JsValue, JsValue>> + use<> {
        settled(self.session.set_microphone(device))
    }

    pub(crate) fn close(&self) {
        if !self.closed.replace(true) {
            // A session that cannot even be closed has nobody left to tell.
            let _ = self.session.close();
        }
    }

    pub(crate) fn peer_connection(&self) -> JsValue {
        self.session.peer_connection()
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        self.close();
    }
}

impl Callbacks {
    fn new(listener: Weak<dyn MediaListener>) -> Self {
        let (told, lost) = (listener.clone(), listener.clone());
        Self {
            stream: Closure::new(move |stream| {
                if let Some(listener) = listener.upgrade() {
                    listener.stream(stream);
                }
            }),
            state: Closure::new(move |state: JsValue| {
                if let Some(listener) = told.upgrade() {
                    listener.connected(state == "connected");
                }
            }),
            microphone_lost: Closure::new(move || {
                if let Some(listener) = lost.upgrade() {
                    listener.microphone_lost();
                }
            }),
        }
    }
}

impl MediaOptions {
    /// `MediaContext` of the API.
    fn context(&self, audio: JsValue, callbacks: &Callbacks) -> JsValue {
        let or = |value: JsValue, default: JsValue| if value.is_undefined() { default } else { value };
        let gathering =
            object(&[("afterFirst", self.gathering.0.into()), ("total", self.gathering.1.into())]);
        let audio = or(or(audio, self.audio.clone()), JsValue::TRUE);
        object(&[
            ("audio", audio),
            ("iceServers", or(self.ice_servers.clone(), Array::new().into())),
            ("iceGathering", gathering),
            ("onStream", callbacks.stream.as_ref().clone()),
            ("onState", callbacks.state.as_ref().clone()),
            ("onMicrophoneLost", callbacks.microphone_lost.as_ref().clone()),
        ])
    }
}

fn object(members: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in members {
        Reflect::set(&object, &(*name).into(), value).unwrap_throw();
    }
    object.into()
}

/// What a session's method gave, awaited if it is a promise; what it threw, as an error of ours.
async fn settled(given: Result<JsValue, JsValue>) -> Result<JsValue, JsValue> {
    let promise = Promise::resolve(&given.map_err(Failure::of_media)?);
    JsFuture::from(promise).await.map_err(Failure::of_media)
}

fn text(value: JsValue) -> Result<String, JsValue> {
    value
        .as_string()
        .ok_or_else(|| Failure::new(Kind::MediaFailed, "The media session gave no description").into())
}
