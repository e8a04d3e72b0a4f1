//! Globally routable user agent URIs (RFC 5627 §5.4): public ones name their instance, temporary ones hide it.
//!
//! A temporary GRUU is sealed, so nobody tells whether two belong together, and none of them is kept: it names the
//! address-of-record, the instance, and Call-ID and CSeq of the REGISTER it was given for. It is valid as long as the instance is
//! registered under that Call-ID, and has been since that CSeq without an end ([`Binding::first_cseq`]): §5.1, §5.3.

use alloc::format;
use alloc::string::String;

use sha2::{Digest as _, Sha256};
use smol_str::SmolStr;

use super::Binding;
use crate::entropy::Entropy;
use crate::message::typed::Gruu;
use crate::message::{SipUri, as_sips, escape_param};
use crate::transport::{Seals, is_same_instance};

/// What the user part of a temporary GRUU begins with. What follows is sealed.
const PREFIX: &str = "gruu.";

/// What everything sealed here is bound to, so that no route token is taken for a GRUU.
const BOUND: &str = "temporary gruu";

/// Makes and resolves GRUUs of one domain.
#[derive(Clone, Debug)]
pub struct Gruus {
    domain: SmolStr,
    seals: Seals,
}

/// Which bindings of an address-of-record a GRUU names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `+sip.instance` without quotes and brackets.
    urn: SmolStr,
    /// Of a temporary one: a hash of the Call-ID that it was made under, and the CSeq.
    made: Option<([u8; 8], u32)>,
}

impl Gruus {
    /// GRUUs of `domain`. They are sealed with the keys of `seals`.
    pub const fn new(domain: SmolStr, seals: Seals) -> Self {
        Self { domain, seals }
    }

    /// The public GRUU of an instance (§5.4): the address-of-record and `gr`; of a `sips` Contact the `sips` version (RFC 5630 §5.2.1).
    pub fn public(&self, binding: &Binding, urn: &str) -> String {
        let aor = &*binding.key.aor;
        let aor = if binding.is_secure() { as_sips(aor) } else { aor.into() };
        format!("{aor};gr={}", escape_param(urn))
    }

    /// A new temporary GRUU of an instance; likewise.
    pub fn temporary(&self, binding: &Binding, urn: &str, entropy: &mut dyn Entropy) -> String {
        let sealed = self.seals.seal(BOUND, entropy, |plain| {
            plain.extend_from_slice(&hash(&binding.call_id));
            plain.extend_from_slice(&binding.cseq.max(binding.first_cseq).to_be_bytes());
            plain.extend_from_slice(binding.key.aor.as_bytes());
            // Neither has one.
            plain.push(0);
            plain.extend_from_slice(urn.as_bytes());
        });
        let scheme = if binding.is_secure() { "sips" } else { "sip" };
        format!("{scheme}:{PREFIX}{sealed}@{};gr", self.domain)
    }

    /// The address-of-record and the instance that `uri` names, which is one of our domain; `aor` is what it is without
    /// `gr`. `None`: it is no GRUU. `Some(None)`: it is none of ours, or not any more.
    pub fn resolve(&self, uri: &SipUri<'_>, aor: &SmolStr) -> Option<Option<(SmolStr, Instance)>> {
        match uri.gruu()? {
            Gruu::Public(urn) => Some(Some((aor.clone(), Instance { urn: SmolStr::new(&urn), made: None }))),
            Gruu::Temporary => Some(self.open(uri.user?)),
        }
    }

    fn open(&self, user: &str) -> Option<(SmolStr, Instance)> {
        self.seals.open(user.strip_prefix(PREFIX)?, BOUND, |plain| {
            let (call_id, rest) = plain.split_first_chunk()?;
            let (cseq, names) = rest.split_first_chunk()?;
            let made = Some((*call_id, u32::from_be_bytes(*cseq)));
            let (aor, urn) = core::str::from_utf8(names).ok()?.split_once('\0')?;
            Some((aor.into(), Instance { urn: urn.into(), made }))
        })
    }
}

impl Instance {
    /// Whether a binding is the instance's.
    pub fn has(&self, binding: &Binding) -> bool {
        binding.instance().is_some_and(|urn| is_same_instance(&urn, &self.urn))
    }

    /// Whether the GRUU is valid, given the bindings of its address-of-record. A public one is as long as that is (§5.3);
    /// a temporary one while the instance is registered under the Call-ID that it was given out under, since then without an end.
    pub fn is_valid(&self, bindings: &[Binding]) -> bool {
        let Some((call_id, cseq)) = &self.made else { return true };
        let made = |binding: &Binding| *cseq >= binding.first_cseq && hash(&binding.call_id) == *call_id;
        bindings.iter().any(|binding| self.has(binding) && made(binding))
    }
}

fn hash(call_id: &str) -> [u8; 8] {
    let mut out = [0; 8];
    out.copy_from_slice(&Sha256::digest(call_id.as_bytes())[..8]);
    out
}
