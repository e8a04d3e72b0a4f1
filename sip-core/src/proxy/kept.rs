//! Calls that are being set up, kept over a restart: what whoever drives the proxy has to write down ([`Keep`]), and how a later
//! life takes it up ([`Proxy::take_up`]).
//!
//! What is kept of an INVITE on its way is the INVITE itself, who sent it from where, and each copy without a final response with
//! whom it went to. After a restart its transactions are there again. Who has lost a connection is waited for, and has the copy once
//! more, under its branch, over the next; who is reached by a datagram, or is a server, has lost nothing and answers by itself. From
//! then on the call is one like any other. It is answered, refused, given up by its CANCEL (§16.10) or by Timer C; a caller or callee
//! who does not come back ends it.
//!
//! What is not kept are targets of less weight, and other servers of a domain: it goes to none of them any more.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;
use smol_str::SmolStr;

use super::again::{Absence, Sent};
use super::branch;
use super::context::{Branch, Context, TIMER_C};
use super::divert::Diverter;
use super::edge::EdgeRole;
use super::identity::Asserted;
use super::shapes::{Inbound, Lost, Turn};
use super::table::{Leg, Proxy};
use super::targets::incoming_breadth;
use crate::message::{Method, Request};
use crate::time::{Duration, Instant};
use crate::transaction::{ClientId, ServerId};
use crate::transport::{FlowId, Hop, RouteTarget};

/// The form of what is written. Another is not taken up.
const FORM: u8 = 1;

/// How long a caller, or a callee, whose connection did not outlive the restart is waited for. Phones and pages try again after some
/// seconds; with what the answer to a CANCEL takes, a call of somebody who stays away has ended on both sides within 32 s.
pub(crate) const COMEBACK: Duration = Duration::from_secs(20);

/// How long a copy of which nobody had heard, nor may ever hear, is waited for: as for any INVITE (Timer B).
pub(super) const UNHEARD: Duration = Duration::from_secs(32);

/// How old a record may become while its call is heard of: Timer C begins anew with every 180 (§16.7 step 2).
const FRESH: Duration = Duration::from_secs(60);

/// The largest record that is kept: an INVITE of 64 KiB and a copy. Calls with more copies than have room go without.
const MOST: usize = 160 * 1024;

/// What is to be written down, or forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Names the call, also after a restart.
    pub key: u128,
    /// What [`KeptCall::read`] reads; `None`: it is answered, or over.
    pub record: Option<Bytes>,
}

/// What a context remembers of what was written.
#[derive(Debug)]
pub(super) struct Written {
    key: u128,
    /// When it was written, or anew after a while in which it was heard of.
    since: Instant,
    /// The copies in it, and which of them rang.
    copies: Vec<(ClientId, bool)>,
}

/// A call that was being set up when an earlier life ended.
#[derive(Debug)]
pub struct KeptCall {
    /// See [`Keep::key`].
    pub(crate) key: u128,
    since: Instant,
    pub(crate) request: Request,
    /// Where from.
    pub(crate) from: Hop,
    sender: RouteTarget,
    asserted: Asserted,
    routes: usize,
    /// Whose calls it was for, if they may go on to another address.
    pub(crate) diverter: Option<SmolStr>,
    /// When it does, as nobody answers.
    no_answer: Option<Instant>,
    /// Nobody waits for it any more.
    over: bool,
    copies: Vec<Copied>,
}

/// A copy of it.
#[derive(Debug)]
struct Copied {
    receiver: RouteTarget,
    copy: KeptCopy,
    trusted: bool,
    secure: bool,
    request: Bytes,
    branch: String,
}

/// What is known of a copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptCopy {
    /// Where it went.
    pub(super) to: Hop,
    /// It rang there.
    pub(super) rang: bool,
    /// Its share of Max-Breadth.
    pub(super) breadth: u32,
}

impl KeptCall {
    /// Reads a record. `way` gives the hop to a peer that a datagram socket reaches, `(local, remote)`; everybody else has to connect
    /// again. `None`: it is of another form, or damaged.
    pub fn read(record: &Bytes, way: impl Fn(SocketAddr, SocketAddr) -> Option<Hop>) -> Option<Self> {
        let mut fields = Fields::of(record)?;
        let key = u128::from_be_bytes(fields.next()?[..].try_into().ok()?);
        let since = Instant::from_micros(u64::from_be_bytes(fields.next()?[..].try_into().ok()?));
        let request = Request::parse(fields.next()?).ok()?;
        let from = hop(&fields.next()?, &way)?;
        let sender = RouteTarget::decode(&fields.next()?)?;
        let asserted = read_asserted(&fields.next()?)?;
        let rest = fields.next()?;
        let (routes, rest) = rest.split_first()?;
        let (no_answer, diverter) = rest.split_first_chunk()?;
        let no_answer = Some(u64::from_be_bytes(*no_answer)).filter(|micros| *micros > 0);
        let no_answer = no_answer.map(Instant::from_micros);
        let routes = usize::from(*routes);
        let diverter = Some(core::str::from_utf8(diverter).ok()?).filter(|aor| !aor.is_empty());
        let diverter = diverter.map(SmolStr::from);
        let mut copies = Vec::new();
        while let Some(flags) = fields.next() {
            let flags = *flags.first()?;
            let receiver = RouteTarget::decode(&fields.next()?)?;
            let to = hop(&fields.next()?, &way)?;
            let request = fields.next()?;
            let sent = Request::parse(request.clone()).ok()?;
            let branch = sent.branch()?.into();
            let (trusted, secure) = (flags & TRUSTED != 0, flags & SECURE != 0);
            let copy = KeptCopy { to, rang: flags & RANG != 0, breadth: incoming_breadth(&sent, u32::MAX) };
            copies.push(Copied { receiver, copy, trusted, secure, request, branch });
        }
        let invite = *request.method() == Method::Invite;
        let over = false;
        invite.then_some(Self {
            key,
            since,
            request,
            from,
            sender,
            asserted,
            routes,
            diverter,
            no_answer,
            over,
            copies,
        })
    }

    /// See [`Keep::key`].
    pub const fn key(&self) -> u128 {
        self.key
    }

    /// The address-of-record whose call it is, if that proved itself here.
    pub fn account(&self) -> Option<SmolStr> {
        self.asserted.account()
    }

    /// Has it taken up only to be ended on both sides: its caller may have given up long ago, and nobody was there to hear of it.
    pub const fn give_up(&mut self) {
        self.over = true;
    }

    /// Its Call-ID, by which it finds the server that sees all of the call.
    pub fn call_id(&self) -> &str {
        self.request.call_id()
    }

    /// Whether it has rung for longer than any call may (Timer C), will only come to be, or is given up.
    fn is_over(&self, now: Instant) -> bool {
        self.over || self.since > now || now.since(self.since).as_micros() >= TIMER_C.as_micros()
    }
}

impl Proxy {
    /// What is to be written down next.
    pub fn poll_keep(&mut self) -> Option<Keep> {
        self.keeps.pop_front()
    }

    /// Has a call written down whose copies changed, and forgotten that is answered or given up.
    pub(super) fn keep(&mut self, turn: &Turn<'_>, context: &mut Context) {
        if !self.settings.keeps_calls || !context.is_invite() {
            return;
        }
        if context.is_settled() {
            if let Some(Written { key, .. }) = context.written.take().map(|written| *written) {
                self.keeps.push_back(Keep { key, record: None });
            }
            return;
        }
        let ringing = context.branches.iter().filter(|branch| branch.is_pending() && !branch.given_up);
        let copies: Vec<_> = ringing.filter_map(|branch| Some((branch.client?, branch.rang))).collect();
        if let Some(written) = &context.written {
            let fresh = turn.now.since(written.since).as_micros() < FRESH.as_micros();
            // Who is away, and is waited for, stays in it, unless others have answered meanwhile: they are not to ring anew.
            let away = context.awaited > 0 && !context.has_ended(&written.copies);
            if fresh && (away || written.copies == copies) {
                return;
            }
        } else if copies.is_empty() {
            return;
        }
        // After a restart the same INVITE has the same.
        let Inbound { request, from, .. } = &context.inbound;
        let key = || branch::of_transaction(request, Some(from.remote.ip()), turn.tokens);
        let key = context.written.as_ref().map_or_else(key, |written| written.key);
        let written = Written { key, since: turn.now, copies };
        let record = self.record(turn, context, &written);
        context.written = Some(Box::new(written));
        if record.len() <= MOST {
            self.keeps.push_back(Keep { key, record: Some(record.into()) });
        } else {
            self.counters.not_kept += 1;
            // What stood there is so no longer.
            self.keeps.push_back(Keep { key, record: None });
        }
    }

    fn record(&self, turn: &Turn<'_>, context: &Context, written: &Written) -> Vec<u8> {
        let Written { key, since, copies } = written;
        let Inbound { request, from, sender, asserted, routes, .. } = &context.inbound;
        let from = turn.layer.server_hop(context.inbound.server).unwrap_or(*from);
        let mut record = Vec::with_capacity(512 + 2 * request.bytes().len());
        record.push(FORM);
        put(&mut record, |out| out.extend_from_slice(&key.to_be_bytes()));
        put(&mut record, |out| out.extend_from_slice(&since.as_micros().to_be_bytes()));
        put(&mut record, |out| out.extend_from_slice(request.bytes()));
        put(&mut record, |out| RouteTarget::at(&from).encode(out));
        put(&mut record, |out| sender.encode(out));
        put(&mut record, |out| write_asserted(asserted, out));
        put(&mut record, |out| {
            // A request has at most two Routes of ours.
            out.push(u8::try_from(*routes).unwrap_or(u8::MAX));
            out.extend_from_slice(&context.no_answer.map_or(0, Instant::as_micros).to_be_bytes());
            let diverter = context.diverter.as_ref().map_or("", |diverter| &diverter.aor);
            out.extend_from_slice(diverter.as_bytes());
        });
        for (client, rang) in copies {
            let branch = context.branches.iter().find(|branch| branch.client == Some(*client));
            let Some(branch) = branch else { continue };
            let receiver = branch.receiver.as_deref().or(branch.again.as_ref().map(|sent| &sent.receiver));
            let leg = self.clients.get(client);
            let Some(((receiver, leg), (bytes, hop))) = receiver.zip(leg).zip(turn.layer.sent(*client))
            else {
                continue;
            };
            let flag = |flag: u8, set: bool| if set { flag } else { 0 };
            let flags = flag(TRUSTED, leg.trusted) | flag(SECURE, branch.secure) | flag(RANG, *rang);
            put(&mut record, |out| out.push(flags));
            put(&mut record, |out| receiver.encode(out));
            put(&mut record, |out| RouteTarget::at(&hop).encode(out));
            put(&mut record, |out| out.extend_from_slice(&bytes));
        }
        record
    }

    /// Takes a call up in its server transaction. Copies whose receivers have to be found are told as
    /// [absences](Self::poll_absence); so has who sent it, if its flow is gone. `diverter`: whose it is, if it may go on to another
    /// address.
    pub fn take_up(
        &mut self,
        turn: &mut Turn<'_>,
        server: ServerId,
        call: KeptCall,
        diverter: Option<Box<Diverter>>,
    ) -> Lost {
        let over = call.is_over(turn.now);
        let KeptCall { key, since, request, from, sender, asserted, routes, no_answer, copies, .. } = call;
        let inbound = Inbound { server, request, from, sender, routes, asserted, edge: EdgeRole::None };
        let lost = inbound.lost();
        let mut context = self.begin(turn, inbound);
        context.no_answer = no_answer.filter(|_| diverter.is_some());
        context.diverter = diverter;
        context.cancelled = over;
        context.lost = (from.flow == FlowId::GONE).then_some((turn.now + COMEBACK, from.flow));
        context.written = Some(Box::new(Written { key, since, copies: Vec::new() }));
        let within = context.inbound.request.to_tag().is_some();
        if copies.is_empty() {
            // All had refused it, and where it was to go was being found out.
            context.branches.push(Branch::failed(480));
        }
        for Copied { receiver, copy, trusted, secure, request, branch } in copies {
            // Who would have to be told first that it rings is told nothing.
            if over && copy.to.transport.is_reliable() && receiver.registration().is_some() {
                context.branches.push(Branch::failed(480));
                continue;
            }
            let sent = Sent { receiver, request, branch, method: Method::Invite, within, secure };
            if copy.to.transport.is_reliable() {
                context.awaited += 1;
                self.absences.push_back(Absence { server, sent, trusted, kept: Some(copy), aim: 0 });
                continue;
            }
            let there = (copy.to.flow != FlowId::GONE).then_some(copy.to);
            match there.and_then(|hop| Some((sent.adopt(turn, hop)?, hop))) {
                Some(there) => {
                    self.begin_again(turn, &mut context, sent, there, Leg { server, trusted }, Some(copy));
                    if over {
                        turn.layer.cancel(turn.now, there.0);
                    }
                }
                None => context.branches.push(Branch::failed(480)),
            }
        }
        self.settle(turn, server, context);
        lost
    }
}

// Of a copy: whom it went to is of our trust domain; TLS is promised; it rang.
const TRUSTED: u8 = 1;
const SECURE: u8 = 2;
const RANG: u8 = 4;

/// What [`RouteTarget::at`] was written of, with the flow that it has now.
fn hop(field: &[u8], way: impl Fn(SocketAddr, SocketAddr) -> Option<Hop>) -> Option<Hop> {
    let RouteTarget::Address { transport, local, remote } = RouteTarget::decode(field)? else { return None };
    let there = if transport.is_reliable() { None } else { way(local, remote) };
    Some(there.unwrap_or(Hop { flow: FlowId::GONE, transport, local, remote }))
}

fn write_asserted(asserted: &Asserted, out: &mut Vec<u8>) {
    match asserted {
        Asserted::Nobody => out.push(0),
        Asserted::Theirs => out.push(1),
        Asserted::Ours(aor) => {
            out.push(2);
            out.extend_from_slice(aor.as_bytes());
        }
    }
}

fn read_asserted(field: &[u8]) -> Option<Asserted> {
    match field.split_first()? {
        (0, []) => Some(Asserted::Nobody),
        (1, []) => Some(Asserted::Theirs),
        (2, aor) => Some(Asserted::Ours(SmolStr::from(core::str::from_utf8(aor).ok()?))),
        _ => None,
    }
}

/// A field: its length and what it is.
fn put(record: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = record.len();
    record.extend_from_slice(&[0; 4]);
    write(record);
    // No message is longer than 64 KiB.
    let length = u32::try_from(record.len() - start - 4).unwrap_or(u32::MAX).to_be_bytes();
    record[start..start + 4].copy_from_slice(&length);
}

/// The fields of a record, which share its bytes.
struct Fields(Bytes);

impl Fields {
    fn of(record: &Bytes) -> Option<Self> {
        (*record.first()? == FORM).then(|| Self(record.slice(1..)))
    }

    /// `None` at the end. What is cut off is empty, and nothing that is written is.
    fn next(&mut self) -> Option<Bytes> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.whole();
        if field.is_none() {
            self.0.clear();
        }
        Some(field.unwrap_or_default())
    }

    fn whole(&mut self) -> Option<Bytes> {
        let (length, rest) = self.0.split_first_chunk()?;
        let length =
            usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length <= rest.len())?;
        let field = self.0.slice(4..4 + length);
        self.0 = self.0.slice(4 + length..);
        Some(field)
    }
}
