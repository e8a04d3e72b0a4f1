//! Merged requests (§8.2.2.2): one request that was forked on its way to us and came twice, over two ways.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt::Write;

use smol_str::SmolStr;

use super::{ById, ServerId};
use crate::message::Request;

/// The requests an element takes for itself and has not done with. As many as there are such transactions, so it needs
/// no cap of its own.
#[derive(Debug, Default)]
pub(crate) struct Ongoing {
    names: BTreeMap<SmolStr, ServerId>,
    of: ById<ServerId, SmolStr>,
}

impl Ongoing {
    /// Notes a request; whether another transaction has the same already.
    pub(crate) fn is_merged(&mut self, server: ServerId, request: &Request) -> bool {
        // "If the request has no tag in the To header field".
        if request.to_tag().is_some() {
            return false;
        }
        let name = name(request);
        if let Some(other) = self.names.get(&name) {
            return *other != server;
        }
        self.names.insert(name.clone(), server);
        self.of.insert(server, name);
        false
    }

    /// A transaction is over.
    pub(crate) fn forget(&mut self, server: ServerId) {
        if let Some(name) = self.of.remove(&server) {
            self.names.remove(&name);
        }
    }

    /// Forgets those for which nothing can be said any more.
    pub(crate) fn forget_all(&mut self, mut lost: impl FnMut(ServerId) -> bool) {
        self.of.retain(|server, name| {
            let lost = lost(server);
            if lost {
                self.names.remove(name);
            }
            !lost
        });
    }
}

/// From tag, Call-ID and CSeq. A Call-ID has no white space.
fn name(request: &Request) -> SmolStr {
    let cseq = request.cseq();
    let mut name = String::from(request.call_id());
    // Writing to a String cannot fail.
    let _ = write!(name, " {} {} {}", cseq.number, cseq.method, request.from_tag().unwrap_or_default());
    name.into()
}
