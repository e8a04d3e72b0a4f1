//! What makes two messages belong to one transaction (RFC 3261 §17.1.3, §17.2.3).

use core::fmt::Write;

use smol_str::{SmolStr, SmolStrBuilder};

use crate::message::{Host, Method, Request, Response, Via, push_param};

/// Begins every branch made under RFC 3261 (§8.1.1.7).
const MAGIC_COOKIE: &str = "z9hG4bK";

/// §17.1.3: the branch, and CSeq's method because CANCEL shares its INVITE's branch.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientKey<'m> {
    pub(super) branch: &'m str,
    pub(super) method: &'m Method,
}

impl<'m> ClientKey<'m> {
    /// `None` if the request's top Via has no branch: its answers could not be told from others.
    pub(super) fn of_request(request: &'m Request) -> Option<Self> {
        Some(Self { branch: request.branch()?, method: request.method() })
    }

    /// `None` if the answered request cannot have been ours.
    pub(super) fn of_response(response: &'m Response) -> Option<Self> {
        Some(Self { branch: response.branch()?, method: &response.cseq().method })
    }
}

/// §17.2.3.
#[derive(Clone, Debug)]
pub(super) enum ServerKey<'m> {
    /// The top Via's branch has the magic cookie.
    Branch(BranchKey<'m>),
    /// It has not: the peer speaks RFC 2543.
    Rfc2543(Rfc2543Key),
}

/// INVITE and ACK fold to one key, CANCEL has its own.
///
/// Branches compare byte for byte: two that differ in case come from a generator that uses case.
#[derive(Clone, Copy, Debug)]
pub(super) struct BranchKey<'m> {
    pub(super) branch: &'m str,
    /// `sent-by`, and its port.
    pub(super) host: Host<'m>,
    pub(super) port: Option<u16>,
    pub(super) method: &'m Method,
}

/// The To tag stands last: an ACK carries the tag of the response, so it searches all keys that are alike up to there
/// ([`Rfc2543Key::untagged`]).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rfc2543Key {
    call_id: SmolStr,
    cseq: u32,
    method: Method,
    from_tag: Option<SmolStr>,
    uri: SmolStr,
    via: SmolStr,
    to_tag: Option<SmolStr>,
}

impl Rfc2543Key {
    /// This key without To tag, which sorts before all others that differ from it in the To tag only.
    pub(super) fn untagged(&self) -> Self {
        Self { to_tag: None, ..self.clone() }
    }
}

impl<'m> ServerKey<'m> {
    pub(super) fn of(request: &'m Request) -> Self {
        let method = folded(request.method());
        let via = request.via();
        match BranchKey::of(request) {
            Some(key) => Self::Branch(key),
            None => Self::Rfc2543(Rfc2543Key {
                call_id: SmolStr::new(request.call_id()),
                cseq: request.cseq().number,
                method: method.clone(),
                from_tag: request.from_tag().map(SmolStr::new),
                uri: SmolStr::new(request.uri()),
                via: without_hop(&via),
                to_tag: request.to_tag().map(SmolStr::new),
            }),
        }
    }

    /// The key of the INVITE a CANCEL names (§9.2).
    pub(super) fn of_cancelled(&self) -> Self {
        match self {
            Self::Branch(key) => Self::Branch(BranchKey { method: &Method::Invite, ..*key }),
            Self::Rfc2543(key) => Self::Rfc2543(Rfc2543Key { method: Method::Invite, ..key.clone() }),
        }
    }
}

impl<'m> BranchKey<'m> {
    /// `None` if the request's sender speaks RFC 2543.
    pub(super) fn of(request: &'m Request) -> Option<Self> {
        let branch = request.branch().filter(|branch| has_cookie(branch))?;
        let Via { host, port, .. } = request.via();
        Some(Self { branch, host, port, method: folded(request.method()) })
    }
}

const fn folded(method: &Method) -> &Method {
    match method {
        Method::Ack => &Method::Invite,
        other => other,
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
    for (name, value) in via.params_of_sender() {
        push_param(&mut text, name, value);
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
