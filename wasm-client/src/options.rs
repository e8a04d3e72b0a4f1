//! What the page configures.

use std::time::Duration;

use js_sys::{Function, Reflect};
use serde::de::DeserializeOwned;
use sip_core::auth::{Algorithm, Secrets};
use sip_core::transport::Transport;
use sip_core::user_agent::{Aor, Config, Presentation};
use wasm_bindgen::{JsCast as _, JsValue};

use crate::error::{Failure, Kind};
use crate::link::Pace;

/// An options object of the page's, read member by member so that a complaint can name the member.
struct Given {
    object: JsValue,
    /// Its own name with a dot, if it is a member itself.
    prefix: &'static str,
}

impl Given {
    fn new(object: JsValue, prefix: &'static str) -> Result<Self, JsValue> {
        if object.is_object() || object.is_undefined() {
            return Ok(Self { object, prefix });
        }
        Err(invalid(&["`", prefix.trim_end_matches('.'), "` must be an object"]))
    }

    /// A member as it is; undefined if it is not there.
    fn raw(&self, name: &str) -> JsValue {
        Reflect::get(&self.object, &name.into()).unwrap_or_default()
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, JsValue> {
        let value = self.raw(name);
        if value.is_undefined() {
            return Ok(None);
        }
        serde_wasm_bindgen::from_value(value).map(Some).map_err(|error| {
            let error = JsValue::from(error);
            let text = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
            invalid(&["`", self.prefix, name, "`: ", &text.unwrap_or_default()])
        })
    }

    fn required(&self, name: &str) -> Result<String, JsValue> {
        self.read(name)?.ok_or_else(|| invalid(&["`", name, "` is missing"]))
    }

    /// Milliseconds.
    fn millis(&self, name: &str, default: f64) -> Result<Duration, JsValue> {
        // The conversion saturates; what is no number becomes zero. A millisecond keeps loops from spinning.
        Ok(Duration::from_millis((self.read(name)?.unwrap_or(default) as u64).max(1)))
    }
}

/// `CallOptions`. What is left out is undefined.
pub(crate) struct CallOptions {
    pub(crate) audio: JsValue,
    /// How the call presents us.
    pub(crate) presentation: Presentation,
    signal: JsValue,
}

impl CallOptions {
    pub(crate) fn read(options: JsValue) -> Result<Self, JsValue> {
        let given = Given::new(options, "options.")?;
        let mut presentation = Presentation::new();
        if let Some(user) = given.read::<String>("fromUser")? {
            presentation = presentation
                .from_user(&user)
                .map_err(|error| invalid(&["`options.fromUser`: ", &error.to_string()]))?;
        }
        Ok(Self { audio: given.raw("audio"), presentation, signal: given.raw("signal") })
    }

    /// Whether the page has given the call up.
    pub(crate) fn aborted(&self) -> bool {
        Reflect::get(&self.signal, &"aborted".into()).is_ok_and(|aborted| aborted.is_truthy())
    }
}

/// `Credentials`.
pub(crate) enum Credentials {
    Password(Option<String>),
    Ha1s(Secrets),
}

impl Credentials {
    /// Those that replace others.
    pub(crate) fn replacing(value: JsValue, username: &str) -> Result<Self, JsValue> {
        Self::read(&Given::new(value, "credentials.")?, username)
    }

    fn read(given: &Given, username: &str) -> Result<Self, JsValue> {
        let at = given.prefix;
        let (password, ha1) = (given.read::<String>("password")?, given.raw("ha1"));
        let realm = given.read::<String>("realm")?;
        if ha1.is_undefined() {
            return match realm {
                None => Ok(Self::Password(password)),
                Some(_) => {
                    Err(invalid(&["`", at, "realm` goes with `ha1`: a password serves in every realm"]))
                }
            };
        }
        if password.is_some() {
            return Err(invalid(&["`", at, "password` and `", at, "ha1`: only one of them can be given"]));
        }
        let Some(realm) = realm else {
            return Err(invalid(&["`", at, "realm` is missing: an HA1 holds in one realm alone"]));
        };
        let (md5, sha256) = match ha1.as_string() {
            Some(md5) => (Some(md5), None),
            None => {
                let each = Given::new(ha1, "ha1.")?;
                (each.read::<String>("md5")?, each.read::<String>("sha256")?)
            }
        };
        if md5.is_none() && sha256.is_none() {
            return Err(invalid(&["`", at, "ha1` has neither `md5` nor `sha256`"]));
        }
        let ha1s = [(Algorithm::Md5, &md5), (Algorithm::Sha256, &sha256)];
        let ha1s = ha1s.into_iter().filter_map(|(algorithm, ha1)| Some((algorithm, ha1.as_deref()?)));
        match Secrets::from_ha1s(username, &realm, ha1s) {
            Ok(secrets) => Ok(Self::Ha1s(secrets)),
            Err(error) => Err(invalid(&["`", at, "ha1`: ", &error.to_string()])),
        }
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
        let given = Given::new(value, "")?;
        let server = given.required("server")?;
        let Some(transport) = transport(&server) else {
            return Err(invalid(&["`server` must be a ws:// or wss:// URL"]));
        };
        let Ok(aor) = Aor::parse(&given.required("aor")?) else {
            return Err(invalid(&["`aor` must look like sip:alice@example.com"]));
        };

        let mut config = Config::new(aor, given.read("instanceId")?.unwrap_or(instance));
        if let Some(username) = given.read::<String>("username")? {
            config.username = username.into();
        }
        match Credentials::read(&given, &config.username)? {
            Credentials::Password(password) => config.password = password,
            Credentials::Ha1s(secrets) => config.secrets = Some(secrets),
        }
        config.display_name = given.read::<String>("displayName")?.map(Into::into);
        config.expires = given.read("expires")?.unwrap_or(config.expires);
        if config.expires == 0 {
            return Err(invalid(&["`expires` must be at least 1: 0 would remove the registration"]));
        }
        config.transport = transport;
        if let Some(seconds) = given.read::<f64>("noAnswerTimeout")? {
            config.no_answer = Duration::from_millis((seconds * 1000.0) as u64);
        }
        let unsolicited: Vec<String> = given.read("unsolicited")?.unwrap_or_default();
        config.unsolicited = unsolicited.into_iter().map(Into::into).collect();
        config.dtls_required = true;

        let web_socket = match given.raw("webSocket") {
            value if value.is_undefined() => {
                Reflect::get(&js_sys::global(), &"WebSocket".into()).unwrap_or_default()
            }
            value => value,
        };
        let Ok(web_socket) = web_socket.dyn_into() else {
            return Err(invalid(&["there is no WebSocket constructor here: pass one as `webSocket`"]));
        };
        let factory = match given.raw("media") {
            value if value.is_undefined() => media,
            value => value.dyn_into().map_err(|_| invalid(&["`media` must be a function"]))?,
        };
        let reconnect = Given::new(given.raw("reconnect"), "reconnect.")?;
        let keep_alive = Given::new(given.raw("keepAlive"), "keepAlive.")?;
        let gathering = Given::new(given.raw("iceGathering"), "iceGathering.")?;
        let options = Self {
            server,
            web_socket,
            pace: Pace {
                initial: reconnect.millis("initialDelay", 500.0)?,
                max: reconnect.millis("maxDelay", 15_000.0)?,
                ping: keep_alive.millis("interval", 25_000.0)?,
                pong: keep_alive.millis("timeout", 10_000.0)?,
            },
            media: MediaOptions {
                factory,
                audio: given.raw("audio"),
                ice_servers: given.raw("iceServers"),
                gathering: (
                    gathering.read("afterFirst")?.unwrap_or(500.0),
                    gathering.read("total")?.unwrap_or(2000.0),
                ),
            },
        };
        Ok((options, config))
    }
}

fn transport(server: &str) -> Option<Transport> {
    let (scheme, rest) = server.split_once("://")?;
    let transport = [("ws", Transport::Ws), ("wss", Transport::Wss)]
        .into_iter()
        .find_map(|(name, transport)| scheme.eq_ignore_ascii_case(name).then_some(transport))?;
    (!rest.is_empty()).then_some(transport)
}

fn invalid(message: &[&str]) -> JsValue {
    Failure::new(Kind::InvalidArgument, message.concat()).into()
}
