//! Dialogs (RFC 3261 §12): what two user agents keep in common between requests.
//!
//! What it does not do: send, retransmit, or decide when a dialog ends; its user does (§13–§15).

mod id;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::vec::Vec;
use core::fmt::Display;

use smol_str::SmolStr;

pub use self::id::DialogId;
use crate::limits;
use crate::message::{
    HeaderName, Headers, Method, NameAddr, Params, Request, Response, SessionIdentifier, SipUri, Uri, Writer,
    is_sips,
};

/// Whether the INVITE that made the dialog has its 2xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Made by a provisional response.
    Early,
    /// Made or confirmed by a 2xx.
    Confirmed,
}

/// One side's view of a dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    id: DialogId,
    stage: Stage,
    /// Name and address of this side as From or To has it, without the tag.
    local: SmolStr,
    /// The other side's.
    remote: SmolStr,
    /// The URI of the other side's Contact.
    target: SmolStr,
    /// Route values in the order a request of ours carries them.
    routes: Vec<SmolStr>,
    /// CSeq of our last request; `None` before the first.
    local_cseq: Option<u32>,
    /// CSeq of the other side's last request; `None` before the first.
    remote_cseq: Option<u32>,
    session: SessionIdentifier,
}

/// What a dialog is made of, to be kept outside and made a dialog again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Its name.
    pub id: DialogId,
    /// Name and address of this side, without the tag.
    pub local: SmolStr,
    /// The other side's.
    pub remote: SmolStr,
    /// The remote target.
    pub target: SmolStr,
    /// The route set.
    pub routes: Vec<SmolStr>,
    /// CSeq of our last request, if there was one.
    pub local_cseq: Option<u32>,
    /// CSeq of the other side's last request, if there was one.
    pub remote_cseq: Option<u32>,
    /// What names its session from end to end.
    pub session: SessionIdentifier,
}

/// A request whose CSeq is lower than one before: 500 (§12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("CSeq out of order")]
pub struct OutOfOrder;

/// Whether the Contact of an answer to a request that begins a dialog must be a `sips` URI (§12.1.1).
pub fn wants_sips(request: &Request) -> bool {
    let first = |name| request.headers().list(name).next().and_then(NameAddr::parse);
    let way = first(HeaderName::RecordRoute).or_else(|| first(HeaderName::Contact));
    is_sips(request.uri()) || way.is_some_and(|address| is_sips(address.uri))
}

impl Dialog {
    /// The caller's dialog, from its INVITE and a response above 100 (§12.1.2).
    ///
    /// A response without a usable Contact is against the RFC, yet the Request-URI found its sender once.
    pub fn uac(request: &Request, response: &Response) -> Self {
        let mut dialog = Self {
            id: DialogId::of_response(response),
            stage: Stage::Early,
            local: untagged(&request.from()),
            remote: untagged(&request.to()),
            target: request.uri().into(),
            routes: Vec::new(),
            local_cseq: Some(request.cseq().number),
            remote_cseq: None,
            session: SessionIdentifier::of(request.headers()),
        };
        dialog.answered(response);
        dialog
    }

    /// The callee's dialog, from the INVITE and the tag our responses carry (§12.1.1).
    ///
    /// An INVITE without a usable Contact is refused before ([`crate::message::validate`]), save RFC 2543's, whose
    /// sender is where From says.
    pub fn uas(request: &Request, local_tag: &str) -> Self {
        let target = contact(request.headers());
        Self {
            id: DialogId::new(request.call_id(), local_tag, request.from_tag().unwrap_or_default()),
            stage: Stage::Early,
            local: untagged(&request.to()),
            remote: untagged(&request.from()),
            target: target.unwrap_or_else(|| without_headers(request.from().uri).into()),
            routes: record_routes(request.headers()),
            local_cseq: None,
            remote_cseq: Some(request.cseq().number),
            session: SessionIdentifier::default(),
        }
    }

    /// The same dialog, in this session: what [`Self::uas`] cannot make up.
    #[must_use]
    pub const fn in_session(mut self, session: SessionIdentifier) -> Self {
        self.session = session;
        self
    }

    /// A confirmed dialog from what was kept of it. `None` if that is no dialog's: nothing of it may do more in a
    /// message than stand where it belongs.
    pub fn restore(parts: Parts) -> Option<Self> {
        let Parts { id, local, remote, target, routes, local_cseq, remote_cseq, session } = parts;
        let clean = |text: &str| !text.chars().any(char::is_control);
        let word = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && !b",;<>\"".contains(&b));
        let names = [&id.call_id, &id.local_tag, &id.remote_tag];
        let named = !id.call_id.is_empty()
            && !id.local_tag.is_empty()
            && names.into_iter().all(|name| word(name) && name.len() <= limits::IDENTIFIER_BYTES);
        let address = |text: &SmolStr| {
            let found = NameAddr::parse(text).filter(|_| clean(text));
            found
                .filter(|address| address.parsed_uri().is_some() && address.params.as_str().is_empty())
                .is_some()
        };
        let routed = routes.len() <= limits::HEADER_FIELDS
            && routes.iter().all(|route| {
                clean(route) && NameAddr::parse(route).is_some_and(|r| r.parsed_uri().is_some())
            });
        let bare = target.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"".contains(&b));
        let sip = bare && Uri::parse(&target).is_some_and(|uri| uri.sip().is_some());
        // RFC 3261 §8.1.1.5: "less than 2**31", and the next has to be, too.
        let sequence = local_cseq.is_none_or(|last| last < (1 << 31) - 1)
            && remote_cseq.is_none_or(|last| last < 1 << 31);
        (named && sequence && address(&local) && address(&remote) && routed && sip).then_some(Self {
            id,
            stage: Stage::Confirmed,
            local,
            remote,
            target,
            routes,
            local_cseq,
            remote_cseq,
            session,
        })
    }

    /// What is to be kept of it.
    pub fn parts(&self) -> Parts {
        Parts {
            id: self.id.clone(),
            local: self.local.clone(),
            remote: self.remote.clone(),
            target: self.target.clone(),
            routes: self.routes.clone(),
            local_cseq: self.local_cseq,
            remote_cseq: self.remote_cseq,
            session: self.session,
        }
    }

    /// CSeq of our last request and of the other side's.
    pub const fn sequence(&self) -> (Option<u32>, Option<u32>) {
        (self.local_cseq, self.remote_cseq)
    }

    /// Takes a further response to the INVITE that made this dialog. A 2xx confirms the dialog and computes the
    /// route set anew, for proxies may have added themselves in 2xx only (§13.2.2.4).
    pub fn answered(&mut self, response: &Response) {
        self.session.heard(response.headers());
        if self.stage == Stage::Confirmed {
            return;
        }
        if response.is_success() {
            self.stage = Stage::Confirmed;
        }
        // §12.1.2: "taken in reverse order"
        self.routes = record_routes(response.headers());
        self.routes.reverse();
        self.refresh_target(response.headers());
    }

    /// The same dialog, made by the other side's request after one of ours: our CSeq goes on after `number`
    /// (RFC 6665 §4.4.1: a NOTIFY makes the dialog of a SUBSCRIBE).
    #[must_use]
    pub fn continued_from(mut self, number: u32) -> Self {
        self.stage = Stage::Confirmed;
        self.local_cseq = Some(number);
        self
    }

    /// The request that made this dialog came again another way, before it was answered.
    pub fn repeated(&mut self, request: &Request) {
        self.routes = record_routes(request.headers());
        self.refresh_target(request.headers());
    }

    /// Our 2xx is out (§12.1.1).
    pub const fn confirm(&mut self) {
        self.stage = Stage::Confirmed;
    }

    /// Takes the Contact of a target refresh request or of its 2xx (§12.2.1.2, §12.2.2).
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Some(target) = contact(headers) {
            self.target = target;
        }
    }

    /// Checks and notes the CSeq of a request of the other side's (§12.2.2). Not for ACK and CANCEL, which repeat
    /// their INVITE's.
    pub fn check_sequence(&mut self, request: &Request) -> Result<(), OutOfOrder> {
        let number = request.cseq().number;
        if self.remote_cseq.is_some_and(|last| number < last) {
            return Err(OutOfOrder);
        }
        self.remote_cseq = Some(number);
        Ok(())
    }

    /// Whether this side says nothing of who it is (RFC 3323 §4.1.1.3).
    pub fn is_anonymous(&self) -> bool {
        let uri = NameAddr::parse(&self.local).and_then(|local| local.parsed_uri());
        uri.as_ref().and_then(Uri::sip).is_some_and(SipUri::is_nobody)
    }

    /// Begins our next request (§12.2.1.1): start line, Via, Max-Forwards, Route, From, To, Call-ID and CSeq.
    /// `via` is the whole value.
    pub fn request(&mut self, method: &Method, via: impl Display) -> Writer {
        let number = self.local_cseq.map_or(1, |last| last.saturating_add(1));
        self.local_cseq = Some(number);
        self.start(method, number, via)
    }

    /// Begins the ACK to a 2xx (§13.2.2.4), whose CSeq is the INVITE's.
    pub fn ack(&self, number: u32, via: impl Display) -> Writer {
        self.start(&Method::Ack, number, via)
    }

    fn start(&self, method: &Method, number: u32, via: impl Display) -> Writer {
        let strict = self.strict_router();
        let uri = self.request_uri();
        let mut writer =
            Writer::request(method, uri).header(HeaderName::Via, via).header(HeaderName::MaxForwards, 70);
        for route in self.routes.iter().skip(usize::from(strict.is_some())) {
            writer = writer.header(HeaderName::Route, route);
        }
        if strict.is_some() {
            // A strict router takes the last Route for the target.
            writer = writer.header(HeaderName::Route, format_args!("<{}>", self.target));
        }
        let writer = writer
            .header(HeaderName::From, tagged(&self.local, &self.id.local_tag))
            .header(HeaderName::To, tagged(&self.remote, &self.id.remote_tag))
            .header(HeaderName::CallId, &self.id.call_id)
            .header(HeaderName::CSeq, format_args!("{number} {method}"));
        self.session.write(writer)
    }

    /// What our next request has as its Request-URI (§12.2.1.1).
    pub fn request_uri(&self) -> &str {
        match self.strict_router().and_then(NameAddr::parse) {
            Some(first) => without_headers(first.uri),
            None => &self.target,
        }
    }

    /// The first route, if it is one of RFC 2543.
    fn strict_router(&self) -> Option<&str> {
        self.routes.first().map(SmolStr::as_str).filter(|route| !is_loose(route))
    }

    /// What names the dialog.
    pub const fn id(&self) -> &DialogId {
        &self.id
    }

    /// What names its session from end to end.
    pub const fn session(&self) -> SessionIdentifier {
        self.session
    }

    /// Takes the other side's UUID from a message that is accepted (RFC 7989 §8).
    pub fn hear_session(&mut self, headers: &Headers) {
        self.session.heard(headers);
    }

    /// Early or confirmed.
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// The remote target: where the other side's Contact points.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The route set, in the order a request carries it.
    pub fn routes(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().map(SmolStr::as_str)
    }
}

fn untagged(address: &NameAddr<'_>) -> SmolStr {
    let bare = NameAddr { params: Params::default(), ..*address };
    format!("{bare}").into()
}

/// An RFC 2543 peer has no tag, and then none may be sent (§12.2.1.1).
fn tagged(address: &str, tag: &str) -> SmolStr {
    if tag.is_empty() { address.into() } else { format!("{address};tag={tag}").into() }
}

/// The first Contact's URI, if it is a SIP URI. Its headers part has no place in a Request-URI (§19.1.5).
fn contact(headers: &Headers) -> Option<SmolStr> {
    let contact = NameAddr::parse(headers.list(HeaderName::Contact).next()?)?;
    contact.parsed_uri()?.sip()?;
    Some(without_headers(contact.uri).into())
}

fn without_headers(uri: &str) -> &str {
    uri.split_once('?').map_or(uri, |(uri, _)| uri)
}

/// Record-Route values in the message's order. What is no address cannot be followed and is left out.
fn record_routes(headers: &Headers) -> Vec<SmolStr> {
    let routes = headers.list(HeaderName::RecordRoute).filter_map(NameAddr::parse);
    let mut routes: Vec<SmolStr> =
        routes.map(|route| format!("<{}>{}", route.uri, route.params.as_str()).into()).collect();
    // A dialog may last for hours.
    routes.shrink_to_fit();
    routes
}

fn is_loose(route: &str) -> bool {
    NameAddr::parse(route)
        .and_then(|route| route.parsed_uri())
        .is_some_and(|uri| uri.sip().is_some_and(|sip| sip.has_param("lr")))
}
