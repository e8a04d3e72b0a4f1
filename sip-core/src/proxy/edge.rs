//! The edge proxy of other registrars (RFC 5626 §5): a REGISTER that goes on gets a Path which leads back to its sender's flow, and what
//! its registrar grants is told.

use alloc::string::String;
use core::hash::Hasher as _;

use siphasher::sip128::Hasher128 as _;

use super::shapes::{Inbound, Target, Turn};
use super::table::Proxy;
use crate::message::digits::push_socket;
use crate::message::typed::Contact;
use crate::message::{HeaderName, Headers, Method, Response, Uri, is_sips};
use crate::time::{Duration, Instant};
use crate::transport::{FlowId, FlowToken, RouteTarget, RouteTokens, Transport, via};

/// Seconds that a binding lasts if nobody says how many.
const EXPIRES: u32 = 3_600;

/// What a proxy is to a request as the edge proxy of a registrar behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EdgeRole {
    /// None: it is one as any other.
    #[default]
    None,
    /// Its sender registers through here, or has: a REGISTER gets a Path, and what is granted is told.
    Guest,
    /// It came along such a Path.
    AlongPath,
}

/// What a registrar behind us said of a contact that registered over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The connection.
    pub flow: FlowId,
    /// The [`mark`] of the address-of-record.
    pub aor: u128,
    /// That of the contact; `None`: all of them.
    pub contact: Option<u128>,
    /// Until when it is bound; not later than now if it is no longer.
    pub until: Instant,
}

/// What is kept of an address or a contact: they may be long, and nobody without the key makes two that are alike.
pub fn mark(tokens: &RouteTokens, text: &str) -> u128 {
    let mut hash = tokens.fingerprint();
    hash.write(b"guest");
    hash.write(text.as_bytes());
    hash.finish128().into()
}

/// The Path value of a REGISTER that goes to `target` (RFC 3327 §5.2). `None`: it is another request, or not for us to be reached by.
///
/// RFC 5626 §5.1: "the first node MUST include an \"ob\" URI parameter", and one that is not MUST NOT.
pub(super) fn path(turn: &mut Turn<'_>, inbound: &Inbound, target: &Target) -> Option<String> {
    let Inbound { request, from, edge, .. } = inbound;
    if *edge != EdgeRole::Guest || *request.method() != Method::Register {
        return None;
    }
    let Some(Uri::Sip(uri)) = request.parsed_uri() else { return None };
    let flow = match from.transport.is_reliable() {
        true => RouteTarget::Flow(from.flow),
        false => {
            let back = via::response_hop(from, &request.via());
            RouteTarget::Address { transport: back.transport, local: back.local, remote: back.remote }
        }
    };
    let mut domain = alloc::format!("{}", uri.host);
    domain.make_ascii_lowercase();
    let token = FlowToken { flow, registrar: target.receiver.clone(), domain: domain.into() };
    let secure = is_sips(request.uri());
    let mut out = String::from(if secure { "<sips:" } else { "<sip:" });
    turn.tokens.seal_flow_into(&mut out, &token, turn.now, turn.entropy);
    out.push('@');
    push_socket(&mut out, &target.hop.local);
    if !(secure && target.hop.transport == Transport::Tls) {
        out.push_str(";transport=");
        out.push_str(target.hop.transport.uri_token());
    }
    out.push_str(";lr");
    if request.headers().list(HeaderName::Via).nth(1).is_none() {
        out.push_str(";ob");
    }
    out.push('>');
    Some(out)
}

impl Proxy {
    /// What the 2xx to a REGISTER says of its contacts. A datagram socket is everybody's.
    pub(super) fn note_granted(&mut self, turn: &Turn<'_>, inbound: &Inbound, response: &Response) {
        let Inbound { request, from, edge, .. } = inbound;
        let registers = *edge == EdgeRole::Guest && *request.method() == Method::Register;
        if !registers || !from.transport.is_reliable() {
            return;
        }
        let to = request.to();
        let Some(Uri::Sip(uri)) = to.parsed_uri() else { return };
        let aor = mark(turn.tokens, &uri.aor());
        for contact in request.headers().typed_all::<Contact<'_>>().flatten() {
            let (contact, seconds) = match contact {
                Contact::Any => (None, 0),
                Contact::Address(contact) => {
                    let asked = contact.expires.or_else(|| expires(request.headers())).unwrap_or(EXPIRES);
                    let seconds = if asked == 0 { 0 } else { granted(response, contact.address.uri, asked) };
                    (Some(mark(turn.tokens, contact.address.uri)), seconds)
                }
            };
            let until = turn.now + Duration::from_secs(u64::from(seconds));
            self.granted.push_back(Granted { flow: from.flow, aor, contact, until });
        }
    }

    /// What a registrar behind us has granted since this was last asked.
    pub fn poll_granted(&mut self) -> Option<Granted> {
        self.granted.pop_front()
    }
}

/// For how many seconds a contact is bound (§10.2.4). Some registrars write it in another way than they were told it.
fn granted(response: &Response, contact: &str, asked: u32) -> u32 {
    let headers = response.headers();
    let own = headers.typed_all::<Contact<'_>>().flatten().find_map(|bound| match bound {
        Contact::Address(bound) if is_same(bound.address.uri, contact) => bound.expires,
        _ => None,
    });
    own.or_else(|| expires(headers)).unwrap_or(asked)
}

fn is_same(one: &str, other: &str) -> bool {
    let equivalent = || Some(Uri::parse(one)?.is_equivalent(&Uri::parse(other)?));
    one == other || equivalent().unwrap_or(false)
}

/// What the Expires field says.
fn expires(headers: &Headers) -> Option<u32> {
    headers.first(HeaderName::Expires)?.trim().parse().ok()
}
