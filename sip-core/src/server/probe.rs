//! OPTIONS of our own to the peers of the configuration (§11): who does not answer is tried last.

use alloc::collections::BTreeMap;
use alloc::format;

use smol_str::SmolStr;

use super::questions::Errand;
use super::{Health, Output, Server};
use crate::entropy;
use crate::message::{HeaderName, Method, Request, Writer};
use crate::time::Instant;
use crate::transaction::{ClientId, Event};
use crate::transport::Hop;

/// OPTIONS on their way. There is one at a time for each peer.
#[derive(Debug, Default)]
pub(super) struct Probes {
    pending: BTreeMap<ClientId, (SmolStr, Hop)>,
}

impl Probes {
    /// Whether an event is about one of them.
    pub(super) fn concerns(&self, event: &Event) -> bool {
        event.client().is_some_and(|client| self.pending.contains_key(&client))
    }
}

impl Server {
    pub(super) fn probe(&mut self, now: Instant, peer: SmolStr, call_id: SmolStr) {
        if self.probes.pending.values().any(|(other, _)| *other == peer) {
            // The outcome of that one is told.
            return;
        }
        let Some(uri) = self.config.peer(&peer).map(|peer| peer.uri.clone()) else {
            return self.emit(Output::Probed { peer, alive: false });
        };
        self.seek(now, Errand::Probe { peer, call_id }, [uri].into());
    }

    pub(super) fn send_probe(&mut self, now: Instant, peer: SmolStr, call_id: &str, hop: Hop) {
        let Some(uri) = self.config.peer(&peer).map(|peer| peer.uri.clone()) else {
            return self.emit(Output::Probed { peer, alive: false });
        };
        self.counters.probes += 1;
        let mut token = |bits| entropy::token(&mut *self.entropy, bits);
        let (branch, tag) = (token(80), token(80));
        let (transport, local, domain) = (hop.transport.via_token(), hop.local, &self.config.domain);
        let message = Writer::request(&Method::Options, &uri)
            .header(HeaderName::Via, format!("SIP/2.0/{transport} {local};branch=z9hG4bK{branch}"))
            .header(HeaderName::MaxForwards, 70)
            .header(HeaderName::From, format!("<sip:{domain}>;tag={tag}"))
            .header(HeaderName::To, format!("<{uri}>"))
            .header(HeaderName::CallId, call_id)
            .header(HeaderName::CSeq, "1 OPTIONS")
            .finish();
        let sent =
            Request::parse(message).ok().and_then(|request| self.layer.send_request(now, &request, hop));
        match sent {
            Some(client) => drop(self.probes.pending.insert(client, (peer, hop))),
            // There was no room for it, which says nothing of the peer's address.
            None => self.emit(Output::Probed { peer, alive: false }),
        }
    }

    /// Any answer is a sign of life but 503, by which a server says that it is none now; 408 is of one behind it.
    pub(super) fn probed(&mut self, event: &Event) {
        let alive = match event {
            Event::Response { response, .. } if response.is_provisional() => return,
            Event::Response { response, .. } => !matches!(response.status(), 408 | 503),
            _ => false,
        };
        let Some((peer, hop)) = event.client().and_then(|client| self.probes.pending.remove(&client)) else {
            return;
        };
        let health = if alive { Health::Alive } else { Health::Failed(None) };
        self.emit(Output::Target { transport: hop.transport, remote: hop.remote, health });
        self.emit(Output::Probed { peer, alive });
    }
}
