//! Route information preprocessing (§16.4): which of a request's Routes are ours and what they say.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

use super::{Domain, Refusal, record_route};
use crate::message::typed::Route;
use crate::message::{Fault, HeaderName, Host, NameAddr, Refused, Request, Rewrite, Uri};
use crate::time::Instant;
use crate::transport::{FlowToken, Hop, RegistrationKey, RouteTarget, RouteTokens, Transport, Unopened};

/// Where a request is to go by its Routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// Within a dialog that was recorded here: the top Route is the sender's own token, the next the receiver's.
    Dialog {
        /// Whom the sender must be.
        sender: RouteTarget,
        /// Whom it is for.
        receiver: RouteTarget,
    },
    /// Anything else: the Request-URI decides.
    Outside {
        /// How many Routes only name us.
        routes: usize,
    },
    /// Outside dialogs, where the Route after those that name us says.
    Preloaded {
        /// How many those are.
        routes: usize,
    },
    /// Along the Path of who has registered through us elsewhere (RFC 5626 §5.3.1).
    Flow {
        /// Whom it is for, and who may use it.
        token: Box<FlowToken>,
        /// How many Routes end with it.
        routes: usize,
    },
}

/// Whether the sender of an in-dialog request is the one its token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// It is.
    Proven,
    /// It is not.
    Other,
    /// It is if this registration is reached over the hop the request came from.
    Reached(RegistrationKey),
}

impl Path {
    /// How many Routes are consumed here.
    pub const fn routes(&self) -> usize {
        match self {
            Self::Dialog { .. } => 2,
            Self::Outside { routes } | Self::Preloaded { routes } | Self::Flow { routes, .. } => *routes,
        }
    }

    /// Reads a request's Routes. "Is this Route mine" is decided by opening its token, never by host and port; what
    /// has no token may only name us, and leads nowhere, or is preloaded.
    pub fn read(
        request: &Request,
        from: &Hop,
        domain: &Domain,
        tokens: &RouteTokens,
        now: Instant,
    ) -> Result<Self, Refusal> {
        let open = |token| match tokens.open(token, request.call_id(), now) {
            Ok(target) => Ok(Some(target)),
            Err(Unopened::Expired) => Err(Refusal::Expired),
            Err(Unopened::Foreign) => Ok(None),
        };
        let headers = request.headers();
        let mut routes = 0;
        let mut sender = None;
        for value in headers.list(HeaderName::Route) {
            // What opens is ours, whatever else the address says: most are not read further.
            let mut target = record_route::token(value).map_or(Ok(None), open)?;
            let mut uri = None;
            if target.is_none() {
                let Some(Uri::Sip(read)) = headers.typed_value::<Route<'_>>(value)?.parsed_uri() else {
                    return Err(Refusal::Invalid(Fault::Malformed(HeaderName::Route).into()));
                };
                target = read.user.map_or(Ok(None), open)?;
                let flow = || tokens.open_flow(read.user?, now);
                if target.is_none()
                    && sender.is_none()
                    && let Some(token) = flow()
                {
                    return Ok(Self::Flow { token: token.into(), routes: routes + 1 });
                }
                uri = Some(read);
            }
            match (target, sender.take(), uri) {
                // Only a dialog has tokens, and there stands nothing of ours before them.
                (Some(target), None, _) if routes == 0 && request.to_tag().is_some() => sender = Some(target),
                (Some(receiver), Some(sender), _) => return Ok(Self::Dialog { sender, receiver }),
                (Some(_), None, _) | (None, Some(_), _) => return Err(Refusal::RouteSet),
                (None, None, Some(uri)) if !domain.names(&uri, from.local.ip()) => {
                    return match request.to_tag() {
                        None => Ok(Self::Preloaded { routes }),
                        Some(_) => Err(Refusal::ForeignRoute),
                    };
                }
                // It is ours by its host and has a user part: in a dialog, a token of another call. To
                // follow the Request-URI past it would be to relay.
                (None, None, Some(uri)) if request.to_tag().is_some() && uri.user.is_some() => {
                    return Err(Refusal::RouteSet);
                }
                (None, None, _) => routes += 1,
            }
        }
        match sender {
            Some(_) => Err(Refusal::RouteSet),
            None => Ok(Self::Outside { routes }),
        }
    }
}

/// §16.4: a strict router (RFC 2543) put our Record-Route into the Request-URI and what had stood there behind the Routes.
/// The request as a loose router would have sent it; `None` if it is one.
pub fn loosen(request: &Request, tokens: &RouteTokens, now: Instant) -> Option<Result<Request, Refused>> {
    let Some(Uri::Sip(uri)) = request.parsed_uri() else { return None };
    tokens.open(uri.user?, request.call_id(), now).ok()?;
    let headers = request.headers();
    let last = NameAddr::parse(headers.list(HeaderName::Route).last()?)?;
    let mut rewrite = Rewrite::new(headers);
    rewrite.request_uri(request, last.uri);
    rewrite.prepend(HeaderName::Route, &format!("<{}>", request.uri()));
    rewrite.remove_last_value(HeaderName::Route);
    Some(Request::parse(rewrite.finish()))
}

/// §16.4: the Request-URI has a `maddr` that is ours, and the request came to the port and over the transport that it names. The
/// request as if none of them stood there; `None`: it is another.
pub fn without_maddr(request: &Request, from: &Hop, domain: &Domain) -> Option<Result<Request, Refused>> {
    // Nearly none has a parameter.
    if !request.uri().contains(';') {
        return None;
    }
    let Some(Uri::Sip(uri)) = Uri::parse(request.uri()) else { return None };
    let maddr = Host::parse(uri.param("maddr")?)?;
    let transport = match (uri.param("transport"), uri.secure) {
        (None, false) => Transport::Udp,
        (None, true) => Transport::Tls,
        (Some(token), secure) => match Transport::from_token(token)? {
            Transport::Tcp if secure => Transport::Tls,
            other => other,
        },
    };
    let default = if transport == Transport::Tls { 5061 } else { 5060 };
    let here = domain.is(maddr, from.local.ip())
        && transport == from.transport
        && uri.port.unwrap_or(default) == from.local.port();
    if !here {
        return None;
    }
    let mut plain = String::from(if uri.secure { "sips:" } else { "sip:" });
    if let Some(user) = uri.user {
        plain.push_str(user);
        if let Some(password) = uri.password {
            plain.push(':');
            plain.push_str(password);
        }
        plain.push('@');
    }
    // Writing to a String cannot fail.
    let _ = write!(plain, "{}", uri.host);
    for (name, value) in uri.params() {
        let gone = ["maddr", "transport"].iter().any(|gone| gone.eq_ignore_ascii_case(name));
        if !gone {
            let _ = write!(plain, ";{name}");
            let _ = value.map(|value| write!(plain, "={value}"));
        }
    }
    let mut rewrite = Rewrite::new(request.headers());
    rewrite.request_uri(request, &plain);
    Some(Request::parse(rewrite.finish()))
}

impl Sender {
    /// Compares a sender's token with where the request came from and what that flow proved to be.
    pub fn of(token: &RouteTarget, from: &Hop, proven: Option<&RegistrationKey>) -> Self {
        let is = |same: bool| if same { Self::Proven } else { Self::Other };
        let is_of = |key: &RegistrationKey| proven.is_some_and(|proven| proven.is_of_same_agent(key));
        match token {
            RouteTarget::Registration(_) | RouteTarget::Phone(_)
                if token.registration().is_some_and(is_of) =>
            {
                Self::Proven
            }
            // It is where it was. A NAT may have given it another port since, and what is too long for a datagram comes over a
            // connection (§18.1.1).
            RouteTarget::Phone(phone)
                if !from.transport.is_websocket() && phone.remote.ip() == from.remote.ip() =>
            {
                Self::Proven
            }
            // A WebSocket proves itself before it does anything else.
            RouteTarget::Registration(_) | RouteTarget::Phone(_) if from.transport.is_websocket() => {
                Self::Other
            }
            // A phone's connection may carry several registrations, and a datagram proves none.
            RouteTarget::Registration(key) => Self::Reached(key.clone()),
            RouteTarget::Phone(phone) => Self::Reached(phone.registration.clone()),
            RouteTarget::Flow(flow) => is(*flow == from.flow),
            // Likewise.
            RouteTarget::Address { remote, .. } => {
                is(!from.transport.is_websocket() && remote.ip() == from.remote.ip())
            }
            // A domain has many servers, and where none of them stays in the way its users come themselves: what they
            // prove is that they know the token. Browsers are none of them.
            RouteTarget::Peer { .. } => is(!from.transport.is_websocket()),
        }
    }
}
