//! What this user agent writes about itself: Via, Contact, From (RFC 3261 §8.1.1, RFC 7118 §5).

use alloc::format;
use alloc::string::String;
use core::fmt::Display;

use smol_str::{SmolStr, format_smolstr};

use super::{Config, ContactAs};
use crate::entropy::{self, Entropy};
use crate::message::{HeaderName, SessionIdentifier, SipUri, Uri, Writer, as_sips, is_sips, quote};
use crate::transport::{Hop, Transport};

/// Methods a peer may send whatever the configuration (§20.5).
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, NOTIFY";

/// Extensions a peer may require (§20.37), whatever the configuration. In a re-INVITE 100rel is not among them, for its
/// provisional responses say nothing.
const SUPPORTED: &str = "norefersub, outbound, replaces, tdialog, timer";

/// The one body understood in INVITE.
pub(crate) const SDP: &str = "application/sdp";

/// Bodies of parts, in which we look for what we understand (RFC 5621 §4.2).
pub(super) const MULTIPARTS: &str = "multipart/mixed, multipart/alternative";

/// Name and address of nobody (RFC 3323 §4.1.1.3).
const NOBODY: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// Names made up once: the Contact stays for the user agent's life, so that dialogs outlive connections.
#[derive(Debug)]
pub(super) struct Local {
    /// User part of the Contact. Random: it tells our calls' requests from a guess.
    pub(super) user: SmolStr,
    /// A host nobody can look up (RFC 7118 §5, RFC 2606).
    pub(super) host: SmolStr,
    /// The GRUU that stands for the Contact, while there is one to be used (RFC 5627 §4.4).
    pub(super) gruu: Option<SmolStr>,
    /// The newest that says nothing of who we are, for calls as nobody.
    pub(super) temporary: Option<SmolStr>,
    /// Methods a peer may send (§20.5).
    pub(super) allow: SmolStr,
    /// Extensions a peer may require (§20.37).
    pub(super) supported: SmolStr,
    /// The same in a re-INVITE or UPDATE of ours.
    pub(super) within: SmolStr,
    /// What this device can do, each feature with its semicolon.
    pub(super) features: SmolStr,
    /// Media types taken in MESSAGE, as they stand or in parts.
    pub(super) message_types: SmolStr,
    /// The same with [`MULTIPARTS`].
    pub(super) message_accept: SmolStr,
}

impl Local {
    pub(super) fn new(config: &Config, entropy: &mut dyn Entropy) -> Self {
        let mut allow = String::from(ALLOW);
        for (taken, method) in [
            (!config.event_packages.is_empty(), "SUBSCRIBE"),
            (!config.message_types.is_empty(), "MESSAGE"),
            (config.referrals, "REFER"),
        ] {
            if taken {
                allow.push_str(", ");
                allow.push_str(method);
            }
        }
        let joins = if config.joins { "join, " } else { "" };
        // RFC 5627 §4.4.
        let gruu = if config.contact == ContactAs::Address { "" } else { "gruu, " };
        Self {
            allow: allow.into(),
            supported: format_smolstr!("100rel, {gruu}{joins}{SUPPORTED}"),
            within: format_smolstr!("{gruu}{joins}{SUPPORTED}"),
            features: config.write_features().into(),
            message_types: config.message_types.join(", ").into(),
            message_accept: format_smolstr!("{}, {MULTIPARTS}", config.message_types.join(", ")),
            user: entropy::token(entropy, 60).into(),
            host: format!("{}.invalid", entropy::token(entropy, 60)).into(),
            gruu: None,
            temporary: None,
        }
    }

    /// A Via value with a new branch (§8.1.1.7).
    pub(super) fn via(&self, hop: Hop, entropy: &mut dyn Entropy) -> String {
        let branch = entropy::token(entropy, 100);
        let transport = hop.transport.via_token();
        if hop.transport.is_websocket() {
            format!("SIP/2.0/{transport} {};branch=z9hG4bK{branch}", self.host)
        } else {
            // RFC 3581: the answer comes back through whatever translates our address.
            format!("SIP/2.0/{transport} {};branch=z9hG4bK{branch};rport", hop.local)
        }
    }

    /// The URI of a Contact other than REGISTER's: the GRUU, or the address with `ob`, that requests in the dialog
    /// may come back over this flow (RFC 5626 §4.3).
    fn contact_uri(&self, hop: Hop) -> String {
        self.gruu.as_ref().map_or_else(|| self.bound_uri(hop) + ";ob", |gruu| gruu.as_str().into())
    }

    /// The same in the dialog of somebody who says nobody: a public GRUU names the address-of-record (RFC 5627 §3.1.2), a
    /// temporary one, which §4.4 wants there, and the address do not.
    fn contact_uri_as(&self, hop: Hop, anonymous: bool, params: &str) -> String {
        let uri = match (anonymous, &self.temporary) {
            (false, _) => self.contact_uri(hop),
            (true, Some(gruu)) => gruu.as_str().into(),
            (true, None) => self.bound_uri(hop) + ";ob",
        };
        // RFC 5627 §3.1.2 lets a GRUU have what is for the user agent alone.
        uri + params
    }

    /// The Contact of what makes or refreshes a dialog: with what this device can do (RFC 3840 §7).
    pub(super) fn contact(&self, hop: Hop, anonymous: bool, params: &str) -> String {
        format!("<{}>{}", self.contact_uri_as(hop, anonymous, params), self.features)
    }

    /// The URI of REGISTER's Contact.
    pub(super) fn bound_uri(&self, hop: Hop) -> String {
        let user = &self.user;
        match hop.transport {
            Transport::Ws | Transport::Wss => format!("sip:{user}@{};transport=ws", self.host),
            Transport::Udp => format!("sip:{user}@{}", hop.local),
            other => format!("sip:{user}@{};transport={}", hop.local, other.uri_token()),
        }
    }

    /// There is no registration that a GRUU would lead to.
    pub(super) fn forget_gruus(&mut self) {
        self.gruu = None;
        self.temporary = None;
    }

    /// Whether a URI is our Contact, over whatever flow it was given out, or the GRUU that stands for it.
    pub(super) fn is_contact(&self, uri: &SipUri<'_>) -> bool {
        let mut gruus =
            [&self.gruu, &self.temporary].into_iter().flatten().filter_map(|gruu| Uri::parse(gruu));
        let is_gruu = |gruu: Uri<'_>| {
            gruu.sip().is_some_and(|gruu| {
                (gruu.user, gruu.param("gr")) == (uri.user, uri.param("gr")) && gruu.host.matches(uri.host)
            })
        };
        uri.user == Some(&self.user) || gruus.any(is_gruu)
    }
}

/// Begins a request outside a dialog (§8.1.1): all mandatory fields.
pub(super) struct Outside<'a> {
    pub(super) method: &'a crate::message::Method,
    pub(super) uri: &'a str,
    pub(super) via: &'a str,
    pub(super) to: &'a str,
    pub(super) from_tag: &'a str,
    pub(super) call_id: &'a str,
    pub(super) cseq: u32,
    /// What [`UserAgent::routes`](super::UserAgent::routes) says.
    pub(super) routes: &'a [SmolStr],
    /// From says nobody.
    pub(super) anonymous: bool,
    pub(super) session: SessionIdentifier,
}

impl Outside<'_> {
    pub(super) fn begin(&self, config: &Config) -> Writer {
        self.begin_as(config, None)
    }

    /// The same under another name, as From has it.
    pub(super) fn begin_as(&self, config: &Config, name: Option<&str>) -> Writer {
        let own = || name.map_or_else(|| format!("{}", from(config)), String::from);
        let Self { method, uri, via, to, from_tag, call_id, cseq, routes, anonymous, session } = self;
        let mut writer =
            Writer::request(method, uri).header(HeaderName::Via, via).header(HeaderName::MaxForwards, 70);
        for route in *routes {
            writer = match is_sips(uri) {
                true => writer.header(HeaderName::Route, secured(route)),
                false => writer.header(HeaderName::Route, route),
            };
        }
        let name = if *anonymous { String::from(NOBODY) } else { own() };
        let writer = writer
            .header(HeaderName::From, format_args!("{name};tag={from_tag}"))
            .header(HeaderName::To, format_args!("<{to}>"))
            .header(HeaderName::CallId, call_id)
            .header(HeaderName::CSeq, format_args!("{cseq} {method}"));
        session.write(writer)
    }
}

/// A Route value as a request for a `sips` URI has it: "simply by changing the scheme" (RFC 5630 §5.1.1).
fn secured(route: &str) -> String {
    match route.strip_prefix('<') {
        Some(uri) => format!("<{}", as_sips(uri)),
        None => String::from(route),
    }
}

/// Our name and address, as From has them.
pub(super) fn from(config: &Config) -> impl Display {
    match &config.display_name {
        Some(name) => format!("{} <{}>", quote(name), config.aor),
        None => format!("<{}>", config.aor),
    }
}
