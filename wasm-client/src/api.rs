//! The classes a page sees. `js/index.d.ts` is their contract and their documentation.

use std::rc::Rc;

use js_sys::{Array, Function, Promise};
use sip_core::user_agent::UserAgent as Core;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use wasm_bindgen_futures::future_to_promise;

use crate::call::{Direction, PhoneCall};
use crate::driver::Driver;
use crate::error::{Failure, Kind};
use crate::events::{RemoteIdentity, call_name, registration_name, value};
use crate::options::{CallOptions, Credentials, Options};

/// One account's telephone.
#[wasm_bindgen]
pub struct UserAgent {
    driver: Rc<Driver>,
    aor: String,
    instance: String,
}

#[wasm_bindgen]
impl UserAgent {
    /// `media` is the default factory, `instance` the default instance id.
    #[wasm_bindgen(constructor)]
    pub fn new(options: JsValue, media: Function, instance: String) -> Result<Self, JsValue> {
        let (options, config) = Options::read(options, media, instance)?;
        let (aor, instance) = (config.aor.as_str().into(), config.instance.as_str().into());
        let driver = Driver::new(options, config)
            .ok_or_else(|| Failure::new(Kind::InvalidState, "There is no crypto.getRandomValues here"))?;
        Ok(Self { driver, aor, instance })
    }

    /// State of the WebSocket.
    #[wasm_bindgen(getter, js_name = connectionState)]
    pub fn connection_state(&self) -> String {
        self.driver.connection_state().name().into()
    }

    /// State of the registration.
    #[wasm_bindgen(getter, js_name = registrationState)]
    pub fn registration_state(&self) -> String {
        registration_name(self.driver.ask(Core::registration)).into()
    }

    /// The address-of-record.
    #[wasm_bindgen(getter)]
    pub fn aor(&self) -> String {
        self.aor.clone()
    }

    /// The instance id in use.
    #[wasm_bindgen(getter, js_name = instanceId)]
    pub fn instance_id(&self) -> String {
        self.instance.clone()
    }

    /// Calls that have not ended.
    #[wasm_bindgen(getter)]
    pub fn calls(&self) -> Array {
        self.driver.calls().iter().map(|call| call.handle()).collect()
    }

    /// Opens the WebSocket and keeps it open.
    pub fn connect(&self) -> Promise {
        self.driver.connect()
    }

    /// Ends calls and registration, closes the WebSocket.
    pub fn disconnect(&self) -> Promise {
        self.driver.disconnect()
    }

    /// Registers and stays registered.
    pub fn register(&self) -> Promise {
        self.driver.register()
    }

    /// Removes the registration.
    pub fn unregister(&self) -> Promise {
        self.driver.unregister()
    }

    /// Replaces the password or the HA1s.
    #[wasm_bindgen(js_name = setCredentials)]
    pub fn set_credentials(&self, credentials: JsValue) -> Result<(), JsValue> {
        let username = self.driver.ask(|core| core.config().username.clone());
        let credentials = Credentials::replacing(credentials, &username)?;
        self.driver.turn(|core, _| match credentials {
            Credentials::Password(password) => core.set_password(password),
            Credentials::Ha1s(secrets) => core.set_secrets(secrets),
        });
        Ok(())
    }

    /// Another name for those who are called.
    #[wasm_bindgen(js_name = setDisplayName)]
    pub fn set_display_name(&self, name: Option<String>) {
        self.driver.turn(|core, _| core.set_display_name(name.map(Into::into)));
    }

    /// Calls somebody.
    pub fn call(&self, target: String, options: JsValue) -> Promise {
        let driver = Rc::clone(&self.driver);
        future_to_promise(async move { PhoneCall::place(driver, target, CallOptions::read(options)?).await })
    }

    /// Adds a listener.
    pub fn on(&self, event: &str, listener: Function) -> Result<Function, JsValue> {
        self.driver.emitter.on(&["connection", "registration", "incoming", "notify"], event, listener)
    }

    /// A hint that the network or the machine came back.
    pub fn wake(&self) {
        self.driver.wake();
    }

    /// Closes at once; what `free` does before it gives the memory back.
    pub fn release(&self) {
        self.driver.release();
    }
}

/// One call.
#[wasm_bindgen]
pub struct Call {
    call: Rc<PhoneCall>,
}

impl Call {
    /// The object by which the page knows `call`.
    pub(crate) fn wrap(call: Rc<PhoneCall>) -> JsValue {
        Self { call }.into()
    }
}

#[wasm_bindgen]
impl Call {
    /// Unique within the user agent.
    #[wasm_bindgen(getter)]
    pub fn id(&self) -> String {
        self.call.id().map_or_else(String::new, |id| id.as_u64().to_string())
    }

    /// Which way it goes.
    #[wasm_bindgen(getter)]
    pub fn direction(&self) -> String {
        match self.call.direction {
            Direction::Incoming => "incoming".into(),
            Direction::Outgoing => "outgoing".into(),
        }
    }

    /// Where it is.
    #[wasm_bindgen(getter)]
    pub fn state(&self) -> String {
        call_name(self.call.state()).into()
    }

    /// The other side.
    #[wasm_bindgen(getter)]
    pub fn remote(&self) -> JsValue {
        self.call.remote().map_or(JsValue::UNDEFINED, |remote| value(&RemoteIdentity::from(remote)))
    }

    /// Whether the microphone is muted.
    #[wasm_bindgen(getter)]
    pub fn muted(&self) -> bool {
        self.call.muted()
    }

    /// How it ended.
    #[wasm_bindgen(getter)]
    pub fn end(&self) -> JsValue {
        self.call.end()
    }

    /// `Date.now()` of establishment.
    #[wasm_bindgen(getter, js_name = establishedAt)]
    pub fn established_at(&self) -> Option<f64> {
        self.call.established_at()
    }

    /// The media session's `RTCPeerConnection`, if it has one.
    #[wasm_bindgen(getter, js_name = peerConnection)]
    pub fn peer_connection(&self) -> JsValue {
        self.call.media().map_or(JsValue::UNDEFINED, |media| media.peer_connection())
    }

    /// What the other side sends.
    #[wasm_bindgen(getter, js_name = remoteStream)]
    pub fn remote_stream(&self) -> JsValue {
        self.call.stream()
    }

    /// Answers.
    pub fn accept(&self, options: JsValue) -> Promise {
        let call = Rc::clone(&self.call);
        future_to_promise(async move { call.accept(CallOptions::read(options)?.audio).await })
    }

    /// Declines.
    pub fn reject(&self, status: Option<u16>) -> Result<(), JsValue> {
        self.call.reject(status.unwrap_or(603))
    }

    /// Ends the call in whatever state.
    pub fn hangup(&self) -> Promise {
        self.call.hangup()
    }

    /// Gives up an outgoing call.
    pub fn cancel(&self) -> Result<(), JsValue> {
        self.call.cancel()
    }

    /// Mutes, or unmutes with `false`.
    pub fn mute(&self, muted: Option<bool>) -> Result<(), JsValue> {
        self.call.mute(muted.unwrap_or(true))
    }

    /// Sends tones.
    #[wasm_bindgen(js_name = sendDtmf)]
    pub fn send_dtmf(&self, tones: &str) -> Result<(), JsValue> {
        self.call.send_dtmf(tones)
    }

    /// Switches the microphone.
    #[wasm_bindgen(js_name = setMicrophone)]
    pub fn set_microphone(&self, device: String) -> Promise {
        future_to_promise(Rc::clone(&self.call).set_microphone(device))
    }

    /// Adds a listener.
    pub fn on(&self, event: &str, listener: Function) -> Result<Function, JsValue> {
        self.call.emitter.on(&["state", "ended", "muted", "stream", "warning"], event, listener)
    }
}
