//! Who a user agent is and how it behaves.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use smol_str::SmolStr;

use crate::auth::{Client, Secrets};
use crate::limits;
use crate::message::typed::features;
use crate::message::{Fields, HeaderName, Params, Request, SipUri, Uri, Writer, escape_param};
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

/// One way to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundFlow {
    /// Names it, the same after every restart (RFC 5626 §4.2.1): a registration over it replaces the one before.
    pub reg_id: u32,
    /// URI of the outbound proxy, `sip:edge1.example.com;lr`, for the Route of requests outside dialogs. `None`: they
    /// have no Route, and whoever is at the other end of the flow decides.
    pub proxy: Option<SmolStr>,
}

/// Which URI others reach us by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactAs {
    /// The address.
    Address,
    /// The public GRUU, if the registrar gives one (RFC 5627 §4.4); it names the address-of-record. Otherwise the
    /// address.
    PublicGruu,
    /// The temporary GRUU, if the registrar gives one: it says nothing of who it is. Otherwise the address.
    TemporaryGruu,
}

/// A push notification service (RFC 8599 §4.1). The registrar, or a proxy before it, wakes the device through it.
#[derive(Clone, PartialEq, Eq)]
pub struct PushService {
    /// `apns`, `fcm`, `webpush`, …
    pub provider: SmolStr,
    /// What the provider wants beside.
    pub param: Option<SmolStr>,
    /// The push resource. Who has it can wake the device.
    pub prid: SmolStr,
}

/// As URI parameters, each with its semicolon.
impl fmt::Display for PushService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let param = self.param.as_ref().map(|value| ("pn-param", value));
        let all = [("pn-provider", &self.provider)].into_iter().chain(param).chain([("pn-prid", &self.prid)]);
        for (name, value) in all {
            write!(f, ";{name}={}", escape_param(value))?;
        }
        Ok(())
    }
}

/// Without the resource.
impl fmt::Debug for PushService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushService").field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// A registration on behalf of somebody else (RFC 3261 §10.2, From ≠ To; RFC 5626 §4.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThirdParty {
    /// The address-of-record that is registered.
    pub aor: Aor,
    /// The URI of the Contact it gets. It says neither reg-id nor instance.
    pub contact: SmolStr,
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
    /// The HA1s of one realm instead of the password, which then counts for nothing, nor does `username`: they have their
    /// own. Challenges of other realms are not answered. Default: none.
    pub secrets: Option<Secrets>,
    /// `https` URIs of the authorization servers whose tokens the application can get (RFC 8898 §2.1.1): a challenge
    /// that names one of them is told as [`Event::CredentialsNeeded`](super::Event::CredentialsNeeded), and a password
    /// is not tried before that. Default: none.
    pub authorization_servers: Vec<SmolStr>,
    /// Tell [`Event::Snapshot`](super::Event::Snapshot). Default `false`.
    pub snapshots: bool,
    /// Shown to those who are called.
    pub display_name: Option<SmolStr>,
    /// `urn:uuid:…` of this device or tab (RFC 5626 §4.1). Keep it: the registrar replaces a binding by it, and
    /// the gateway finds the way back to a call by it.
    pub instance: SmolStr,
    /// The ways to servers that are kept open at once, in order of preference (RFC 5626 §4.2.1): four at most, and
    /// each reg-id once; further ones are left out. Default: one, with reg-id 1 and no proxy of a name.
    pub flows: Vec<OutboundFlow>,
    /// What stands in the Contacts of calls. Default [`ContactAs::PublicGruu`].
    pub contact: ContactAs,
    /// How to wake this device when a request comes for it. Default: none.
    pub push: Option<PushService>,
    /// What this device can do (RFC 3840 §5), each a feature tag with its value, `audio`, `video`, `+sip.foo="bar"`: it stands
    /// in the Contact of REGISTER, where the preferences of callers (RFC 3841) find it, and in those of calls. What is none is left out.
    /// Default: none.
    pub features: Vec<SmolStr>,
    /// Registers somebody else's Contact instead of ours. Default: none.
    pub third_party: Option<ThirdParty>,
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
    /// How long a session may go without a refresh, which both sides are asked to agree upon (RFC 4028): the call of a
    /// side that vanished ends after so long, also where that side knows no timers. 90 s to a day; `None` asks for no
    /// timer, but agrees to one. Default 1800 s, the RFC's advice; small values cost traffic.
    pub session_expires: Option<Duration>,
    /// How many other addresses one call may try when it is answered with 3xx (RFC 3261 §8.1.3.4). Default 0: the call
    /// fails, and [`Failure::contacts`](super::Failure::contacts) says where it could go, for the addresses come from
    /// whoever answers and may cost money.
    pub redirections: u8,
    /// A 3xx is told as [`Event::Redirected`](super::Event::Redirected), and [`follow`](super::UserAgent::follow) decides where the
    /// call goes: `redirections` says how often at most. Default `false`: it goes where whoever answers would like it best.
    pub redirections_asked: bool,
    /// Make and take only calls whose provisional answers are acknowledged (RFC 3262): callers without get 421. Default
    /// `false`: they are where both sides can.
    pub reliable_required: bool,
    /// How long the PRACK to the answer in a provisional response waits for an offer of the application's, which then goes in
    /// it (RFC 3262 §5; ten seconds at most). Default zero: offers before the 2xx go by UPDATE, which not everybody takes.
    /// Only with strong reasons to expect that the other side accepts them (RFC 6337 §4.1).
    pub prack_hold: Duration,
    /// Event packages whose state others may subscribe to (RFC 6665), `presence` for one. Default: none, and
    /// SUBSCRIBE is refused.
    pub event_packages: Vec<SmolStr>,
    /// Event packages whose NOTIFYs are taken without a subscription, `message-summary` or `check-sync` for one, as PBXs send them
    /// unasked: told as [`Event::Unsolicited`](super::Event::Unsolicited). Who sent them is whoever can reach us. Default: none, and
    /// they get 481 (RFC 6665 §4.1.3).
    pub unsolicited: Vec<SmolStr>,
    /// Others may ask us to call somebody (REFER, RFC 3515), in a call to transfer it and outside. Default `false`, and REFER gets 405:
    /// an application that does not know [`Event::Referred`](super::Event::Referred) would leave it waiting.
    pub referrals: bool,
    /// Others may join our calls (Join, RFC 3911): the application mixes. Default `false`: an INVITE that insists gets 420, and
    /// another is a call of its own.
    pub joins: bool,
    /// Info Packages taken in INFO (RFC 6086 §5.2). Default: none. DTMF in legacy INFO is always taken.
    pub info_packages: Vec<SmolStr>,
    /// Media types taken in MESSAGE (RFC 3428), `text/plain` for one. Default: none, and MESSAGE is refused: nobody
    /// would read it.
    pub message_types: Vec<SmolStr>,
    /// The largest body taken in any request, bytes; larger ones get 413 (RFC 3261 §21.4.11). What ends a call is taken
    /// whatever it brings. Default [`limits::MESSAGE_BYTES`](crate::limits::MESSAGE_BYTES), which no message exceeds.
    pub body_bytes: usize,
    /// The largest body of a MESSAGE taken, bytes; larger ones get 413. Default
    /// [`limits::MESSAGE_BYTES`](crate::limits::MESSAGE_BYTES), which no message exceeds.
    pub message_bytes: usize,
    /// How long the application may take to refuse a MESSAGE before it is answered with 200. Default zero: it
    /// cannot. Above two seconds senders over UDP repeat it.
    pub message_hold: Duration,
    /// The servers behind our flows are trusted to say who calls (P-Asserted-Identity, RFC 3325 §9.1), and to remove what
    /// others claim. Default `false`: it is not told.
    pub asserted_identity: bool,
    /// MESSAGEs above [`limits::MESSAGE_COMFORT`](crate::limits::MESSAGE_COMFORT) may be sent outside calls, for every
    /// hop to wherever they go is known to control congestion (RFC 3428 §8). That the first one is a WebSocket says
    /// nothing about the last. Default `false`.
    pub congestion_safe: bool,
}

impl Config {
    /// A configuration with the defaults above.
    pub fn new(aor: Aor, instance: impl Into<SmolStr>) -> Self {
        Self {
            username: aor.user.clone(),
            aor,
            password: None,
            secrets: None,
            authorization_servers: Vec::new(),
            snapshots: false,
            display_name: None,
            instance: instance.into(),
            flows: vec![OutboundFlow { reg_id: 1, proxy: None }],
            contact: ContactAs::PublicGruu,
            push: None,
            features: Vec::new(),
            third_party: None,
            expires: 600,
            user_agent: concat!("Trapezoid/", env!("CARGO_PKG_VERSION")).into(),
            transport: Transport::Ws,
            no_answer: Duration::from_secs(60),
            dtls_required: false,
            session_expires: Some(Duration::from_secs(1800)),
            redirections: 0,
            redirections_asked: false,
            reliable_required: false,
            prack_hold: Duration::ZERO,
            event_packages: Vec::new(),
            unsolicited: Vec::new(),
            referrals: false,
            joins: false,
            info_packages: Vec::new(),
            message_types: Vec::new(),
            body_bytes: limits::MESSAGE_BYTES,
            message_bytes: limits::MESSAGE_BYTES,
            message_hold: Duration::ZERO,
            asserted_identity: false,
            congestion_safe: false,
        }
    }

    /// What answers challenges.
    pub(super) fn authenticator(&self) -> Client {
        match (&self.secrets, &self.password) {
            (Some(secrets), _) => Client::from_secrets(secrets.clone()),
            (None, Some(password)) => Client::new(&self.username, password),
            (None, None) => Client::without_password(&self.username),
        }
    }

    /// The features, each with its semicolon.
    pub(super) fn write_features(&self) -> String {
        let mut out = String::new();
        for feature in &self.features {
            let text = format!(";{feature}");
            // One parameter, which is a feature tag: nothing else can be said in the Contact so.
            let Some(params) = Params::parse(&text) else { continue };
            if params.iter().count() == 1 && matches!(features(params).next(), Some(Ok(_))) {
                out.push_str(&text);
            }
        }
        out
    }

    /// Allow-Events (RFC 6665 §4.4.4).
    pub(super) fn allow_events(&self) -> SmolStr {
        self.event_packages.join(", ").into()
    }

    /// Adds Allow-Events, if there is anything to be told (RFC 6665 §4.4.4).
    pub(super) fn write_allow_events(&self, writer: Writer) -> Writer {
        match self.event_packages.is_empty() {
            true => writer,
            false => writer.header(HeaderName::AllowEvents, self.allow_events()),
        }
    }

    /// Who calls for our server alone (RFC 3325 §9.2, §9.3), unless the application says otherwise.
    pub(super) fn write_privacy(&self, mut writer: Writer, fields: &Fields) -> Writer {
        if !fields.has(HeaderName::PPreferredIdentity) {
            writer = writer.header(HeaderName::PPreferredIdentity, super::local::from(self));
        }
        match fields.has(HeaderName::Privacy) {
            true => writer,
            false => writer.header(HeaderName::Privacy, "id"),
        }
    }

    /// The Recv-Info of an answer to a request that has one (RFC 6086 §5.2.3).
    pub(super) fn answer_recv_info(&self, writer: Writer, request: &Request) -> Writer {
        match request.headers().has(HeaderName::RecvInfo) {
            true => writer.header(HeaderName::RecvInfo, self.recv_info()),
            false => writer,
        }
    }

    /// Recv-Info (RFC 6086 §5.2.2); empty says that none is taken.
    pub(super) fn recv_info(&self) -> SmolStr {
        self.info_packages.join(", ").into()
    }
}

/// Without the password.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("aor", &self.aor)
            .field("username", &self.username)
            .field("instance", &self.instance)
            .field("flows", &self.flows)
            .field("expires", &self.expires)
            .field("transport", &self.transport)
            .field("no_answer", &self.no_answer)
            .finish_non_exhaustive()
    }
}
