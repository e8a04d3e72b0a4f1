//! The flows of one user agent (RFC 5626 §4): for each configured way to a server the connection that is open now,
//! its registration, and when its keep-alives are due.

use alloc::format;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::registration::Registration;
use super::{Config, Output, UserAgent};
use crate::entropy::{self, Entropy};
use crate::limits;
use crate::message::NameAddr;
use crate::time::{Duration, Instant};
use crate::transport::{FlowId, Hop};

/// One configured way to a server. Its place in the list of them is its name inside the user agent.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) reg_id: u32,
    /// The Route to its outbound proxy; `None`: whoever is at the other end.
    pub(super) proxy: Option<SmolStr>,
    /// The connection, while there is one.
    pub(super) hop: Option<Hop>,
    /// [`Output::OpenFlow`] was told, and the driver has not answered.
    opening: bool,
    pub(super) registration: Registration,
    pub(super) keep_alive: Option<KeepAlive>,
}

/// When the next keep-alive is due, and the bounds of the time between two (§4.4).
#[derive(Clone, Copy, Debug)]
pub(super) struct KeepAlive {
    at: Instant,
    least: Duration,
    most: Duration,
}

impl KeepAlive {
    /// `timer` is what Flow-Timer says: each is sent after 80 to 100 % of it. Without, 95 to 120 s over a connection
    /// (§4.4.1), 24 to 29 s over datagrams (§4.4.2).
    pub(super) fn new(
        now: Instant,
        timer: Option<Duration>,
        reliable: bool,
        entropy: &mut dyn Entropy,
    ) -> Self {
        let (least, most) = match timer {
            Some(timer) => (timer * 4 / 5, timer),
            None if reliable => (Duration::from_secs(95), Duration::from_secs(120)),
            None => (Duration::from_secs(24), Duration::from_secs(29)),
        };
        Self { at: now + between(least, most, entropy), least, most }
    }
}

/// A uniformly random duration between two.
pub(super) fn between(least: Duration, most: Duration, entropy: &mut dyn Entropy) -> Duration {
    let spread = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(u64::MAX - 1);
    least + Duration::from_millis(entropy::number(entropy) % (spread + 1))
}

impl Flow {
    /// The flows of a configuration: at most [`limits::OUTBOUND_FLOWS`], and each reg-id once (§4.2.1).
    pub(super) fn all(config: &Config, entropy: &mut dyn Entropy) -> Vec<Self> {
        let mut flows: Vec<Self> = Vec::new();
        for (reg_id, proxy) in config.flows.iter().map(|flow| (flow.reg_id, flow.proxy.as_ref())) {
            if flows.len() < limits::OUTBOUND_FLOWS && flows.iter().all(|flow| flow.reg_id != reg_id) {
                let proxy = proxy.map(|uri| format!("<{uri}>").into());
                flows.push(Self::new(reg_id, proxy, config, entropy));
            }
        }
        if flows.is_empty() {
            flows.push(Self::new(1, None, config, entropy));
        }
        flows
    }

    fn new(reg_id: u32, proxy: Option<SmolStr>, config: &Config, entropy: &mut dyn Entropy) -> Self {
        let registration = Registration::new(config.expires, entropy);
        Self { reg_id, proxy, hop: None, opening: false, registration, keep_alive: None }
    }

    /// The connection, if the registrar has our Contact over it.
    pub(super) fn registered(&self) -> Option<Hop> {
        self.hop.filter(|hop| self.registration.held == Some(hop.flow))
    }
}

impl UserAgent {
    /// The flow a new request goes out over: the first that is registered, otherwise the first that is open.
    pub fn flow(&self) -> Option<Hop> {
        let registered = self.flows.iter().find_map(Flow::registered);
        registered.or_else(|| self.flows.iter().find_map(|flow| flow.hop))
    }

    /// The same for requests within dialogs: "a browser on a new flow re-registers before any in-dialog request", for
    /// the gateway knows us by our registration.
    pub(super) fn ready(&self) -> Option<Hop> {
        if self.wanted { self.flows.iter().find_map(Flow::registered) } else { self.flow() }
    }

    /// The same for one flow: its connection, once it is registered.
    pub(super) fn ready_in(&self, slot: usize) -> Option<Hop> {
        let flow = self.flows.get(slot)?;
        if self.wanted { flow.registered() } else { flow.hop }
    }

    /// Which of the flows a connection is.
    pub(super) fn slot_of(&self, flow: FlowId) -> Option<usize> {
        self.flows.iter().position(|slot| slot.hop.is_some_and(|hop| hop.flow == flow))
    }

    fn slot_named(&self, reg_id: u32) -> Option<usize> {
        self.flows.iter().position(|slot| slot.reg_id == reg_id)
    }

    /// The Route values of a request outside dialogs: the flow's outbound proxy, then what the registrar told
    /// (RFC 3608 §5), which may begin with that proxy.
    pub(super) fn routes(&self, hop: Hop) -> Vec<SmolStr> {
        let Some(flow) = self.slot_of(hop.flow).map(|slot| &self.flows[slot]) else { return Vec::new() };
        let service = flow.registration.service_route.iter();
        let first = service.clone().next().and_then(|route| host(route));
        let proxy = flow.proxy.iter().filter(|proxy| first.is_none() || host(proxy) != first);
        proxy.chain(service).cloned().collect()
    }

    pub(super) fn first_flow_opened(&mut self, now: Instant, hop: Hop) {
        self.flow_opened(now, 0, hop);
    }

    pub(super) fn named_flow_opened(&mut self, now: Instant, reg_id: u32, hop: Hop) {
        if let Some(slot) = self.slot_named(reg_id) {
            self.flow_opened(now, slot, hop);
        }
    }

    fn flow_opened(&mut self, now: Instant, slot: usize, hop: Hop) {
        if let Some(old) = self.flows[slot].hop.filter(|old| old.flow != hop.flow) {
            self.flow_closed(now, old.flow);
        }
        let flow = &mut self.flows[slot];
        flow.hop = Some(hop);
        flow.opening = false;
        if self.wanted {
            self.register_over_new_flow(now, slot);
        } else {
            self.go_on(now, slot);
            self.catch_up(now);
        }
    }

    pub(super) fn flow_closed(&mut self, now: Instant, flow: FlowId) {
        if let Some(slot) = self.slot_of(flow) {
            self.flows[slot].hop = None;
            self.flows[slot].keep_alive = None;
            self.doubt_calls(slot);
            self.registration_flow_lost(now, slot);
            self.events_flow_lost(now, flow);
        }
        // Who forwarded a request to us may try another way now, and its answer goes that way.
        self.ongoing.forget_all(|server| self.layer.server_hop(server).is_none_or(|hop| hop.flow == flow));
        self.layer.flow_closed(now, flow);
        // What was on its way goes over another, once the transactions have told what that is.
        self.resume_wanted = self.ready().is_some();
    }

    /// The driver could not open a flow.
    pub(super) fn flow_failed(&mut self, now: Instant, reg_id: u32) {
        if let Some(slot) = self.slot_named(reg_id).filter(|slot| self.flows[*slot].hop.is_none()) {
            self.flows[slot].opening = false;
            self.flow_not_opened(now, slot);
        }
    }

    /// Asks the driver for a connection.
    pub(super) fn open_flow(&mut self, slot: usize) {
        let flow = &mut self.flows[slot];
        if !flow.opening {
            flow.opening = true;
            self.outputs.push_back(Output::OpenFlow { reg_id: flow.reg_id });
        }
    }

    pub(super) fn flows_timeout(&self) -> Option<Instant> {
        let keep_alives = self.flows.iter().filter_map(|flow| flow.keep_alive.map(|keep| keep.at));
        let ends = self.flows.iter().filter_map(|flow| flow.registration.until);
        self.flows.iter().filter_map(|flow| flow.registration.next).chain(ends).chain(keep_alives).min()
    }

    pub(super) fn flows_time_passed(&mut self, now: Instant) {
        for slot in 0..self.flows.len() {
            self.registration_timeout(now, slot);
            let flow = &mut self.flows[slot];
            let Some(to) = flow.hop else { continue };
            let Some(keep) = flow.keep_alive.as_mut().filter(|keep| keep.at <= now) else { continue };
            keep.at = now + between(keep.least, keep.most, &mut *self.entropy);
            self.outputs.push_back(Output::KeepAlive { to });
        }
    }
}

/// Host and port of a Route value.
fn host(route: &str) -> Option<(SmolStr, Option<u16>)> {
    let uri = NameAddr::parse(route)?.parsed_uri()?;
    let sip = uri.sip()?;
    Some((format!("{}", sip.host).to_ascii_lowercase().into(), sip.port))
}
