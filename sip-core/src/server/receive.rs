//! From bytes to a transaction.

use alloc::format;
use alloc::string::ToString as _;
use alloc::sync::Arc;
use core::net::SocketAddr;

use bytes::Bytes;
use smol_str::SmolStr;

use super::peers::Standing;
use super::questions::Arrival;
use super::rule::Rule;
use super::{Config, Guests, Identity, Mode, Output, Server};
use crate::message::validate::Dropped;
use crate::message::{
    HeaderName, Host, Message, Method, NameAddr, Refused, Request, Response, Uri, Via, Writer,
};
use crate::proxy::{self, Domain, Proxy};
use crate::time::Instant;
use crate::transaction::{Layer, Received, ServerId};
use crate::transport::framing::StreamError;
use crate::transport::{Hop, RouteTarget, Transport, via};

/// What is known of the flow that a message came over.
pub(super) struct Known {
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) guests: Option<Arc<Guests>>,
    pub(super) certified: Option<Arc<[SmolStr]>>,
}

impl Server {
    pub(super) fn receive(&mut self, now: Instant, from: Hop, known: Known, message: Bytes) {
        self.counters.received += 1;
        match Message::parse(message) {
            Ok(Message::Request(request)) => match via::stamp(request, &from) {
                Ok(request) => self.receive_request(now, from, known, request),
                Err(refused) => self.refuse_malformed(from, &refused),
            },
            Ok(Message::Response(response)) => self.receive_response(now, from, response),
            Err(refused) => self.refuse_malformed(from, &refused),
        }
    }

    /// §18.3: a stream in which the next message cannot be found.
    pub(super) fn broken(&mut self, from: Hop, error: &StreamError) {
        match error.refused() {
            Some(refused) => self.refuse_malformed(from, &refused),
            None => self.counters.dropped(Dropped::Malformed),
        }
    }

    /// The reason phrase says what is wrong. No transaction is made: the bytes that would name it may be the wrong
    /// ones.
    fn refuse_malformed(&mut self, from: Hop, refused: &Refused) {
        match proxy::RULES.refused(refused) {
            Ok((headers, rejection)) => {
                self.counters.malformed_refused += 1;
                let tag = self.fresh_tag();
                let (explained, advice) = (rejection.to_string(), rejection.defect.advice());
                let explained = format!("{explained}: {advice}");
                let warning = proxy::warning(399, &self.config.domain, &explained, &tag);
                let top = headers.list(HeaderName::Via).next();
                let back = top.and_then(Via::parse).map_or(from, |via| via::response_hop(&from, &via));
                let stamped = top.and_then(|via| via::stamped(via, &from));
                let stamped = stamped.as_deref();
                self.transmit(back, Writer::refusal_because(headers, &rejection, &tag, &warning, stamped));
                let token = headers.start_line().split(' ').next().unwrap_or_default();
                self.emit(Output::Refused {
                    peer: from,
                    trace: proxy::trace(&tag).into(),
                    status: rejection.status,
                    reason: explained,
                    method: Method::from_token(token),
                    call_id: headers.first(HeaderName::CallId).unwrap_or_default().into(),
                });
            }
            Err(dropped) => self.counters.dropped(dropped),
        }
    }

    fn receive_response(&mut self, now: Instant, from: Hop, response: Response) {
        self.counters.responses += 1;
        // A transaction knows where its response goes, whatever stands in the next Via.
        if self.layer.receive_response(now, response.clone()) {
            return;
        }
        if let Err(dropped) = proxy::RULES.response(&response) {
            return self.counters.dropped(dropped);
        }
        let ours = self.config.routing.mode == Mode::Stateless;
        if ours && let Some((target, message)) = proxy::back(&response, &self.tokens, now) {
            return self.send_back(now, target, message);
        }
        // §18.1.2: "MUST be silently discarded" if sent-by is not what this transport inserts.
        let via = response.via();
        match via.host.ip().map(|ip| SocketAddr::new(ip, via.port.unwrap_or(5060))) {
            Some(sent_by) if sent_by == from.local => self.counters.stray_responses += 1,
            _ => self.counters.dropped(Dropped::Misrouted),
        }
    }

    fn receive_request(&mut self, now: Instant, from: Hop, known: Known, request: Request) {
        let Known { identity, guests, certified } = known;
        self.counters.requests += 1;
        self.alias(&from, certified.is_some(), &request);
        if self.config.routing.mode == Mode::Stateless && *request.method() != Method::Register {
            return self.dispatch(
                now,
                Arrival {
                    server: None,
                    request,
                    from,
                    identity,
                    guests,
                    back: None,
                    certified,
                    standing: Standing::Stranger,
                },
            );
        }
        let back = via::response_hop(&from, &request.via());
        let Self { layer, domain, config, proxy, .. } = self;
        let received = layer.receive_request_if(now, &request, back, |layer, first| {
            is_senders_own(layer, domain, first, &from, identity.as_deref())
                || is_peers_own(layer, config, proxy, first, &from, certified.as_deref())
        });
        let standing = Standing::Stranger;
        let arrival =
            Arrival { server: None, request, from, identity, guests, back: None, certified, standing };
        match received {
            Some(received) => self.received(now, received, arrival),
            None if *arrival.request.method() == Method::Cancel => self.cancel_from_elsewhere(now, arrival),
            None => self.counters.sender_mismatched += 1,
        }
    }

    /// A request that is its sender's own, as the transaction layer has it.
    pub(super) fn received(&mut self, now: Instant, received: Received, mut arrival: Arrival) {
        match received {
            Received::New(server) => {
                arrival.server = Some(server);
                self.dispatch(now, arrival);
            }
            Received::AckToSuccess => self.dispatch(now, arrival),
            Received::Cancel { cancel, invite } => {
                arrival.server = Some(cancel);
                self.cancel(now, arrival, cancel, invite);
            }
            Received::Absorbed => {}
            Received::Full => {
                self.counters.transactions_full += 1;
                let back = via::response_hop(&arrival.from, &arrival.request.via());
                self.reply_stateless(&arrival.request, back, Rule::TransactionsFull.into());
            }
        }
    }

    /// RFC 5923 §8.2, §9.2: a connection is an alias of the address in its peer's Via only if a certificate says who that is.
    fn alias(&mut self, from: &Hop, certified: bool, request: &Request) {
        let via = request.via();
        if certified && via.marks.alias && from.transport == Transport::Tls {
            let remote = SocketAddr::new(from.remote.ip(), via.port.unwrap_or(5061));
            self.emit(Output::Alias { flow: from.flow, remote });
        }
    }
}

/// Whoever receives a forwarded request reads the branch of its sender, and could with it cancel the request or have its
/// responses come to himself: a CANCEL must come over the hop of the `first` request (§22.1), and so must a repeated
/// request, unless an account repeats its own over a new flow.
fn is_senders_own(
    layer: &Layer,
    domain: &Domain,
    first: ServerId,
    from: &Hop,
    identity: Option<&Identity>,
) -> bool {
    let (Some(hop), Some(first)) = (layer.server_hop(first), layer.server_origin(first)) else {
        return true;
    };
    // What is for a `sips` URI, and came over TLS, does not come again without, nor is it answered there.
    if first.is_secure() && hop.transport.is_secure() && !from.transport.is_secure() {
        return false;
    }
    // A NAT may have given a phone another port since.
    if hop.flow == from.flow && hop.remote.ip() == from.remote.ip() {
        return true;
    }
    let aor = match first.from().and_then(|from| from.parsed_uri()) {
        Some(Uri::Sip(uri)) => domain.aor(&uri, hop.local.ip()),
        _ => None,
    };
    aor.is_some_and(|aor| identity.is_some_and(|identity| identity.registration.aor == aor))
}

/// A peer has many connections, and where one was lost there is another by now (§18.2.2): its own is what comes from the same host over
/// the same transport, where the configuration knows that host or a certificate names the domain that the `first` request is of: by
/// its Via or its From, or by the proxy that recorded itself.
fn is_peers_own(
    layer: &Layer,
    config: &Config,
    proxy: &Proxy,
    first: ServerId,
    from: &Hop,
    certified: Option<&[SmolStr]>,
) -> bool {
    let Some(hop) = layer.server_hop(first) else { return false };
    let there = hop.remote.ip();
    if from.transport.is_websocket() || hop.transport != from.transport || there != from.remote.ip() {
        return false;
    }
    if config.peer_at(there).is_some() {
        return true;
    }
    let Some(certified) = certified else { return false };
    let shows = |domain: &str| certified.iter().any(|name| name.eq_ignore_ascii_case(domain));
    let named = |host: Host<'_>| matches!(host, Host::Name(name) if shows(name));
    matches!(proxy.sender(first), Some(RouteTarget::Peer { domain, .. }) if shows(domain))
        || layer.server_origin(first).is_some_and(|first| {
            let uri = |address: NameAddr<'_>| match address.parsed_uri() {
                Some(Uri::Sip(uri)) => named(uri.host),
                _ => false,
            };
            let by = first.via().is_some_and(|via| named(via.host));
            by || first.from().is_some_and(uri) || first.recorded().is_some_and(uri)
        })
}
