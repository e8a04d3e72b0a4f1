//! What makes two messages belong to one transaction (RFC 3261 §17.1.3, §17.2.3).

use core::fmt::Write;
use core::net::IpAddr;

use smol_str::{SmolStr, SmolStrBuilder};

use crate::message::{Host, Method, Request, Response, Via};

/// Begins every branch made under RFC 3261 (§8.1.1.7).
const MAGIC_COOKIE: &str = "z9hG4bK";

/// §17.1.3: the branch, and CSeq's method because CANCEL shares its INVITE's branch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClientKey {
    branch: SmolStr,
    method: Method,
}

impl ClientKey {
    /// `None` if the request's top Via has no branch: its answers could not be told from others.
    pub(super) fn of_request(request: &Request) -> Option<Self> {
        Some(Self { branch: SmolStr::new(request.branch()?), method: request.method().clone() })
    }

    /// The same of a request that was written with this branch.
    pub(super) fn of_written(branch: &str, method: &Method) -> Self {
        Self { branch: SmolStr::new(branch), method: method.clone() }
    }

    pub(super) fn is_invite(&self) -> bool {
        self.method == Method::Invite
    }

    /// `None` if the answered request cannot have been ours.
    pub(super) fn of_response(response: &Response) -> Option<Self> {
        Some(Self { branch: SmolStr::new(response.branch()?), method: response.cseq().method.clone() })
    }
}

/// §17.2.3. INVITE and ACK fold to one key, CANCEL has its own.
///
/// Branches compare byte for byte: two that differ in case come from a generator that uses case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ServerKey {
    /// The top Via's branch has the magic cookie.
    Branch { branch: SmolStr, sent_by: SentBy, method: Method },
    /// It has not: the peer speaks RFC 2543.
    ///
    /// The To tag stands last: an ACK carries the tag of the response, so it searches all keys that are alike up
    /// to there ([`ServerKey::untagged`]).
    Rfc2543 {
        call_id: SmolStr,
        cseq: u32,
        method: Method,
        from_tag: Option<SmolStr>,
        uri: SmolStr,
        via: SmolStr,
        to_tag: Option<SmolStr>,
    },
}

/// `sent-by`, comparable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SentBy {
    Name(SmolStr, Option<u16>),
    Ip(IpAddr, Option<u16>),
}

impl SentBy {
    fn of(via: &Via<'_>) -> Self {
        match via.host {
            Host::Name(name) => Self::Name(name.chars().map(|c| c.to_ascii_lowercase()).collect(), via.port),
            Host::Ip(ip) => Self::Ip(ip, via.port),
        }
    }
}

impl ServerKey {
    pub(super) fn is_cancel(&self) -> bool {
        let (Self::Branch { method, .. } | Self::Rfc2543 { method, .. }) = self;
        *method == Method::Cancel
    }

    pub(super) fn of(request: &Request) -> Self {
        let method = match request.method() {
            Method::Ack => Method::Invite,
            other => other.clone(),
        };
        let via = request.via();
        match request.branch() {
            Some(branch) if has_cookie(branch) => {
                Self::Branch { branch: SmolStr::new(branch), sent_by: SentBy::of(&via), method }
            }
            _ => Self::Rfc2543 {
                call_id: SmolStr::new(request.call_id()),
                cseq: request.cseq().number,
                method,
                from_tag: request.from_tag().map(SmolStr::new),
                uri: SmolStr::new(request.uri()),
                via: without_hop(&via),
                to_tag: request.to_tag().map(SmolStr::new),
            },
        }
    }

    /// The key of the INVITE a CANCEL names (§9.2).
    pub(super) fn of_cancelled(&self) -> Self {
        let mut key = self.clone();
        let (Self::Branch { method, .. } | Self::Rfc2543 { method, .. }) = &mut key;
        *method = Method::Invite;
        key
    }

    /// For RFC 2543: this key without To tag, which sorts before all others that differ from it in the To tag only.
    pub(super) fn untagged(&self) -> Option<Self> {
        let mut key = self.clone();
        match &mut key {
            Self::Branch { .. } => None,
            Self::Rfc2543 { to_tag, .. } => {
                *to_tag = None;
                Some(key)
            }
        }
    }
}

/// RFC 4475 §3.2.1 has a bare cookie, which identifies nothing: it may be treated by RFC 2543's rules.
fn has_cookie(branch: &str) -> bool {
    branch.len() > MAGIC_COOKIE.len()
        && branch.as_bytes()[..MAGIC_COOKIE.len()].eq_ignore_ascii_case(MAGIC_COOKIE.as_bytes())
}

/// The whole Via but for what the hop between us adds or changes (§18.2.1, RFC 3581).
fn without_hop(via: &Via<'_>) -> SmolStr {
    let mut text = SmolStrBuilder::new();
    text.push_str(via.transport);
    text.push(' ');
    push_sent_by(&mut text, via);
    for (name, value) in via.params.iter() {
        if name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport") {
            continue;
        }
        text.push(';');
        text.push_str(name);
        if let Some(value) = value {
            text.push('=');
            text.push_str(value);
        }
    }
    text.finish()
}

fn push_sent_by(text: &mut SmolStrBuilder, via: &Via<'_>) {
    match via.host {
        Host::Name(name) => name.chars().for_each(|c| text.push(c.to_ascii_lowercase())),
        // Writing to a SmolStrBuilder cannot fail.
        Host::Ip(ip) => {
            let _ = write!(text, "{ip}");
        }
    }
    if let Some(port) = via.port {
        let _ = write!(text, " {port}");
    }
}
