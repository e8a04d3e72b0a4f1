//! Following a 3xx (RFC 3261 §8.1.3.4, §13.2.2.2).

use alloc::vec::Vec;

use smol_str::SmolStr;

use crate::limits;
use crate::message::typed::{Contact, QValue};
use crate::message::{Headers, Uri};
use crate::user_agent::target;

/// The target set of one call: where it went, and where it may still go.
#[derive(Debug)]
pub(crate) struct Targets {
    /// How many more may be tried.
    left: u8,
    /// "The UAC MUST NOT add any given URI to the target set more than once."
    known: Vec<SmolStr>,
    /// Best last.
    waiting: Vec<(QValue, SmolStr)>,
}

impl Targets {
    /// For a call to `uri` that may be sent on `left` times.
    pub(crate) fn new(uri: SmolStr, left: u8) -> Self {
        Self { left, known: Vec::from([uri]), waiting: Vec::new() }
    }

    /// Takes the Contacts of a 3xx: SIP URIs that are new, by q (§20.10), the first first among equals.
    pub(crate) fn extend(&mut self, headers: &Headers) {
        if self.left == 0 {
            return;
        }
        for contact in headers.typed_all::<Contact<'_>>().flatten() {
            let Contact::Address(contact) = contact else { continue };
            let Some(uri) = target::from_uri(contact.address.uri) else { continue };
            if self.known.len() > limits::REDIRECTIONS || self.knows(&uri) {
                continue;
            }
            let q = contact.q.unwrap_or(QValue::ONE);
            let at = self.waiting.partition_point(|(other, _)| other.thousandths() < q.thousandths());
            self.known.push(uri.clone());
            self.waiting.insert(at, (q, uri));
        }
    }

    /// The next to try.
    pub(crate) fn next(&mut self) -> Option<SmolStr> {
        self.left = self.left.checked_sub(1)?;
        self.waiting.pop().map(|(_, uri)| uri)
    }

    fn knows(&self, uri: &str) -> bool {
        let Some(uri) = Uri::parse(uri) else { return true };
        self.known.iter().filter_map(|known| Uri::parse(known)).any(|known| known.is_equivalent(&uri))
    }
}
