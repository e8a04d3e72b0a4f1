//! Who a user agent is and how it behaves.

use alloc::string::String;
use core::fmt;

use smol_str::SmolStr;

use crate::message::{SipUri, Uri};
use crate::time::Duration;
use crate::transport::Transport;

/// An address-of-record in canonical form, `sip:alice@example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aor {
    text: SmolStr,
    user: SmolStr,
    domain: SmolStr,
}

/// Why a text is no address-of-record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AorError {
    /// It is not a `sip:` or `sips:` URI.
    #[error("an address-of-record looks like sip:alice@example.com")]
    NotSip,
    /// It names a host, but nobody there.
    #[error("the address-of-record has no user part")]
    NoUser,
}

impl Aor {
    /// Reads `sip:alice@example.com`. Port, parameters and headers are left out: they are no part of an
    /// address-of-record (RFC 3261 §10.3).
    pub fn parse(text: &str) -> Result<Self, AorError> {
        let uri = Uri::parse(text.trim()).ok_or(AorError::NotSip)?;
        let sip: &SipUri<'_> = uri.sip().ok_or(AorError::NotSip)?;
        let user = sip.user.ok_or(AorError::NoUser)?;
        let text = SmolStr::from(sip.aor());
        let domain = text.rsplit_once('@').map_or("", |(_, domain)| domain).into();
        Ok(Self { user: crate::message::unescape(user).as_ref().into(), domain, text })
    }

    /// The whole URI.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The user part, without escapes.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The host.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

impl fmt::Display for Aor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Who a [`UserAgent`](super::UserAgent) is and how it behaves.
#[derive(Clone)]
pub struct Config {
    /// Whose calls it makes and takes.
    pub aor: Aor,
    /// Digest user name. Default: the AoR's user part.
    pub username: SmolStr,
    /// Default: none; then a challenge is a wrong password at once.
    pub password: Option<String>,
    /// Shown to those who are called.
    pub display_name: Option<SmolStr>,
    /// `urn:uuid:…` of this device or tab (RFC 5626 §4.1). Keep it: the registrar replaces a binding by it, and
    /// the gateway finds the way back to a call by it.
    pub instance: SmolStr,
    /// Which of the instance's flows this is (RFC 5626 §4.2). Default 1.
    pub reg_id: u32,
    /// Seconds of registration to ask for. Default 600. Small values cost traffic, large ones leave calls ringing
    /// at a device that is gone.
    pub expires: u32,
    /// Value of User-Agent and Server.
    pub user_agent: SmolStr,
    /// The transport of the flows that will be opened, for who opens them. What is written into Via and Contact
    /// follows each flow's own: over WebSocket a random `.invalid` host (RFC 7118 §5), otherwise the flow's address.
    /// Default [`Transport::Ws`].
    pub transport: Transport,
    /// How long an outgoing call rings before it is given up. Default 60 s.
    pub no_answer: Duration,
    /// Refuse, with 488 and a Warning, offers without a DTLS fingerprint: WebRTC cannot take them (RFC 8827 §6.5).
    /// Default `false`.
    pub dtls_required: bool,
}

impl Config {
    /// A configuration with the defaults above.
    pub fn new(aor: Aor, instance: impl Into<SmolStr>) -> Self {
        Self {
            username: aor.user.clone(),
            aor,
            password: None,
            display_name: None,
            instance: instance.into(),
            reg_id: 1,
            expires: 600,
            user_agent: concat!("Trapezoid/", env!("CARGO_PKG_VERSION")).into(),
            transport: Transport::Ws,
            no_answer: Duration::from_secs(60),
            dtls_required: false,
        }
    }
}

/// Without the password.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("aor", &self.aor)
            .field("username", &self.username)
            .field("instance", &self.instance)
            .field("reg_id", &self.reg_id)
            .field("expires", &self.expires)
            .field("transport", &self.transport)
            .field("no_answer", &self.no_answer)
            .finish_non_exhaustive()
    }
}
