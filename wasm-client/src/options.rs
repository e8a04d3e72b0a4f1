//! What the page configures.

use std::time::Duration;

use js_sys::{Function, Reflect};
use serde::Deserialize;
use sip_core::transport::Transport;
use sip_core::user_agent::{Aor, Config};
use wasm_bindgen::{JsCast as _, JsValue};

use crate::error::{Failure, Kind};
use crate::link::Pace;

/// `UserAgentOptions` as they arrive.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    server: String,
    aor: String,
    password: Option<String>,
    username: Option<String>,
    display_name: Option<String>,
    expires: Option<u32>,
    instance_id: Option<String>,
    #[serde(default, with = "serde_wasm_bindgen::preserve")]
    ice_servers: JsValue,
    #[serde(default)]
    ice_gathering: GivenGathering,
    #[serde(default)]
    keep_alive: GivenKeepAlive,
    #[serde(default)]
    reconnect: GivenReconnect,
    no_answer_timeout: Option<f64>,
    #[serde(default, with = "serde_wasm_bindgen::preserve")]
    audio: JsValue,
    #[serde(default, with = "serde_wasm_bindgen::preserve")]
    web_socket: JsValue,
    #[serde(default, with = "serde_wasm_bindgen::preserve")]
    media: JsValue,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GivenGathering {
    after_first: Option<f64>,
    total: Option<f64>,
}

#[derive(Default, Deserialize)]
struct GivenKeepAlive {
    interval: Option<f64>,
    timeout: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GivenReconnect {
    initial_delay: Option<f64>,
    max_delay: Option<f64>,
}

/// `CallOptions`.
#[derive(Default, Deserialize)]
pub(crate) struct CallOptions {
    #[serde(default, with = "serde_wasm_bindgen::preserve")]
    pub(crate) audio: JsValue,
}

impl CallOptions {
    pub(crate) fn read(value: JsValue) -> Result<Self, JsValue> {
        if value.is_undefined() { Ok(Self::default()) } else { read(value) }
    }
}

/// What the driver needs of the options.
pub(crate) struct Options {
    pub(crate) server: String,
    pub(crate) web_socket: Function,
    pub(crate) pace: Pace,
    pub(crate) media: MediaOptions,
}

/// What media factories are told.
pub(crate) struct MediaOptions {
    pub(crate) factory: Function,
    pub(crate) audio: JsValue,
    pub(crate) ice_servers: JsValue,
    /// Milliseconds to wait for candidates after the first usable one, and in all.
    pub(crate) gathering: (f64, f64),
}

impl Options {
    /// Reads `UserAgentOptions`. `media` and `instance` stand in for what they leave out.
    pub(crate) fn read(value: JsValue, media: Function, instance: String) -> Result<(Self, Config), JsValue> {
        let given: Given = read(value)?;

        let Some(transport) = transport(&given.server) else {
            return Err(invalid("`server` must be a ws:// or wss:// URL"));
        };
        let aor =
            Aor::parse(&given.aor).map_err(|_| invalid("`aor` must look like sip:alice@example.com"))?;
        let mut config = Config::new(aor, given.instance_id.unwrap_or(instance));
        if let Some(username) = given.username {
            config.username = username.into();
        }
        config.password = given.password;
        config.display_name = given.display_name.map(Into::into);
        config.expires = given.expires.unwrap_or(config.expires);
        config.transport = transport;
        config.no_answer = given.no_answer_timeout.map_or(config.no_answer, seconds);
        config.dtls_required = true;

        let web_socket = match given.web_socket {
            value if value.is_undefined() => {
                Reflect::get(&js_sys::global(), &"WebSocket".into()).unwrap_or_default()
            }
            value => value,
        };
        let web_socket = web_socket
            .dyn_into()
            .map_err(|_| invalid("there is no WebSocket here: pass one as `webSocket`"))?;
        let factory = match given.media {
            value if value.is_undefined() => media,
            value => value.dyn_into().map_err(|_| invalid("`media` must be a function"))?,
        };
        let options = Self {
            server: given.server,
            web_socket,
            pace: Pace {
                initial: millis(given.reconnect.initial_delay, 500.0),
                max: millis(given.reconnect.max_delay, 15_000.0),
                ping: millis(given.keep_alive.interval, 25_000.0),
                pong: millis(given.keep_alive.timeout, 10_000.0),
            },
            media: MediaOptions {
                factory,
                audio: given.audio,
                ice_servers: given.ice_servers,
                gathering: (
                    given.ice_gathering.after_first.unwrap_or(500.0),
                    given.ice_gathering.total.unwrap_or(2000.0),
                ),
            },
        };
        Ok((options, config))
    }
}

fn read<T: for<'de> Deserialize<'de>>(value: JsValue) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(value).map_err(|error| {
        let error = JsValue::from(error);
        let text = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
        invalid(&["the options are not valid: ", &text.unwrap_or_default()].concat())
    })
}

fn transport(server: &str) -> Option<Transport> {
    let (scheme, rest) = server.split_once("://")?;
    let transport = [("ws", Transport::Ws), ("wss", Transport::Wss)]
        .into_iter()
        .find_map(|(name, transport)| scheme.eq_ignore_ascii_case(name).then_some(transport))?;
    (!rest.is_empty()).then_some(transport)
}

fn millis(given: Option<f64>, default: f64) -> Duration {
    // The conversion saturates; what is no number becomes zero. A millisecond keeps loops from spinning.
    Duration::from_millis((given.unwrap_or(default) as u64).max(1))
}

fn seconds(given: f64) -> Duration {
    Duration::from_millis((given * 1000.0) as u64)
}

fn invalid(message: &str) -> JsValue {
    Failure::new(Kind::InvalidArgument, message).into()
}
