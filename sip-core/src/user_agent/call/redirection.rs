//! Following a 3xx (RFC 3261 §8.1.3.4, §13.2.2.2).

use alloc::vec::Vec;

use smol_str::{SmolStr, format_smolstr};

use crate::limits;
use crate::message::typed::{Contact, QValue};
use crate::message::{Headers, Uri};
use crate::user_agent::target;

/// A place that a 3xx would have us call instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirection {
    /// What would be called: a SIP URI, without what has no place in a Request-URI. Of a 305 it is the proxy through which the
    /// same address is to be called once more (§21.3.4).
    pub uri: SmolStr,
    /// How much it is preferred by whoever answers (§20.10).
    pub q: QValue,
}

/// The target set of one call: where it went, and where it may still go.
#[derive(Debug)]
pub(crate) struct Targets {
    /// How many more may be tried.
    left: u8,
    /// "The UAC MUST NOT add any given URI to the target set more than once."
    known: Vec<SmolStr>,
    /// Best last.
    waiting: Vec<(QValue, Goal)>,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Goal {
    pub(crate) uri: SmolStr,
    /// Through this proxy, a value of Route.
    pub(crate) proxy: Option<SmolStr>,
}

impl Goal {
    /// Where a Contact of a 3xx leads that was the answer to a call to `called`.
    pub(crate) fn of(status: u16, contact: &SmolStr, called: &SmolStr) -> Self {
        if status != 305 {
            return Self { uri: contact.clone(), proxy: None };
        }
        // A Route without `lr` is a strict router's of RFC 2543.
        let loose = Uri::parse(contact).is_some_and(|uri| uri.sip().is_some_and(|sip| sip.has_param("lr")));
        let proxy = if loose { format_smolstr!("<{contact}>") } else { format_smolstr!("<{contact};lr>") };
        Self { uri: called.clone(), proxy: Some(proxy) }
    }
}

impl Targets {
    /// For a call to `uri` that may be sent on `left` times.
    pub(crate) fn new(uri: SmolStr, left: u8) -> Self {
        Self { left, known: Vec::from([uri]), waiting: Vec::new() }
    }

    /// The Contacts of a 3xx that may be added: SIP URIs that are new, by q (§20.10), the first first among equals. None if
    /// no more may be tried.
    pub(crate) fn found(&self, headers: &Headers) -> Vec<Redirection> {
        let mut found: Vec<Redirection> = Vec::new();
        for contact in headers.typed_all::<Contact<'_>>().flatten() {
            let Contact::Address(contact) = contact else { continue };
            let Some(uri) = target::from_uri(contact.address.uri) else { continue };
            let known = self.known.iter().chain(found.iter().map(|other| &other.uri));
            if self.left == 0 || self.known.len() + found.len() > limits::REDIRECTIONS || knows(known, &uri) {
                continue;
            }
            let q = contact.q.unwrap_or(QValue::ONE);
            let at = found.partition_point(|other| other.q.thousandths() >= q.thousandths());
            found.insert(at, Redirection { uri, q });
        }
        found
    }

    /// Adds them, each by its q among those that wait.
    pub(crate) fn extend(&mut self, status: u16, found: Vec<Redirection>, called: &SmolStr) {
        for Redirection { uri, q } in found {
            let at = self.waiting.partition_point(|(other, _)| other.thousandths() < q.thousandths());
            self.waiting.insert(at, (q, Goal::of(status, &uri, called)));
            self.known.push(uri);
        }
    }

    /// Adds those that were chosen, in that order and before all that wait.
    pub(crate) fn prefer(&mut self, status: u16, chosen: Vec<Redirection>, called: &SmolStr) {
        for Redirection { uri, .. } in chosen.into_iter().rev() {
            self.waiting.push((QValue::ONE, Goal::of(status, &uri, called)));
            self.known.push(uri);
        }
    }

    /// The next to try.
    pub(crate) fn next(&mut self) -> Option<Goal> {
        self.left = self.left.checked_sub(1)?;
        self.waiting.pop().map(|(_, goal)| goal)
    }
}

fn knows<'a>(known: impl Iterator<Item = &'a SmolStr>, uri: &str) -> bool {
    let Some(uri) = Uri::parse(uri) else { return true };
    known.filter_map(|known| Uri::parse(known)).any(|known| known.is_equivalent(&uri))
}
