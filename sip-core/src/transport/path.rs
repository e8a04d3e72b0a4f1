//! What the Path of an edge proxy says (RFC 5626 §5.2): over which flow a user agent is reached that has registered elsewhere, and
//! for whom.
//!
//! It is sealed as route tokens are, but bound to no call: it is there for calls that have not begun. So it says who may use it.

use alloc::string::String;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::token::{RouteTarget, RouteTokens, decode_number, encode_number};
use crate::entropy::Entropy;
use crate::time::Instant;

/// What they are bound to: no Call-ID, nor anything else that is sealed, so that none is taken for another.
const BOUND: &str = "\r\nPath";

/// What is sealed into a Path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowToken {
    /// Where the user agent is: over a connection, or at an address for datagrams.
    pub flow: RouteTarget,
    /// The server that its REGISTER went to.
    pub registrar: RouteTarget,
    /// The domain that it registered in.
    pub domain: SmolStr,
}

impl RouteTokens {
    /// Appends it to `out`, in characters that need no escape in a URI's user part.
    pub fn seal_flow_into(
        &self,
        out: &mut String,
        token: &FlowToken,
        now: Instant,
        entropy: &mut dyn Entropy,
    ) {
        let expiry = self.expiry(now);
        self.seals.seal_into(out, BOUND, entropy, |plain| {
            plain.extend_from_slice(&expiry.to_be_bytes());
            for part in [&token.flow, &token.registrar] {
                let mut encoded = Vec::new();
                part.encode(&mut encoded);
                encode_number(encoded.len() as u64, plain);
                plain.extend_from_slice(&encoded);
            }
            plain.extend_from_slice(token.domain.as_bytes());
        });
    }

    /// What it says; `None`: it is none of ours, or too old.
    pub fn open_flow(&self, token: &str, now: Instant) -> Option<FlowToken> {
        self.seals.open(token, BOUND, |plain| {
            let (expiry, mut rest) = plain.split_first_chunk()?;
            if now.as_secs() > u64::from(u32::from_be_bytes(*expiry)) {
                return None;
            }
            let mut part = || {
                let length = usize::try_from(decode_number(&mut rest)?).ok()?;
                let (encoded, tail) = rest.split_at_checked(length)?;
                rest = tail;
                RouteTarget::decode(encoded)
            };
            let (flow, registrar) = (part()?, part()?);
            Some(FlowToken { flow, registrar, domain: core::str::from_utf8(rest).ok()?.into() })
        })
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::time::Duration;
    use crate::transport::{FlowId, Transport};

    #[test]
    fn rfc5626_5_2_a_flow_token_says_its_flow_and_is_no_route_token_of_any_call() {
        let tokens = RouteTokens::new([1; 32], &[], [2; 32], "example.com");
        let (now, mut entropy) = (Instant::from_micros(1_700_000_000_000_000), SeededEntropy(1));
        let at = |text: &str| -> SocketAddr { text.parse().unwrap() };
        let registrar = RouteTarget::Peer {
            transport: Transport::Tls,
            remote: at("[2001:db8::7]:5061"),
            domain: "pbx.example".into(),
            onward: false,
        };
        let (local, remote) = (at("192.0.2.1:5060"), at("203.0.113.5:5070"));
        for flow in
            [RouteTarget::Flow(FlowId(77)), RouteTarget::Address { transport: Transport::Udp, local, remote }]
        {
            let token =
                FlowToken { flow: flow.clone(), registrar: registrar.clone(), domain: "d.example".into() };
            let mut sealed = String::new();
            tokens.seal_flow_into(&mut sealed, &token, now, &mut entropy);
            assert_eq!(tokens.open_flow(&sealed, now), Some(token));
            assert_eq!(tokens.open_flow(&sealed, now + Duration::from_secs(31 * 86_400)), None);
            for call_id in ["", "Path", "a@b", BOUND.trim()] {
                assert!(tokens.open(&sealed, call_id, now).is_err());
                let route = tokens.seal(&flow, call_id, now, &mut entropy);
                assert_eq!(tokens.open_flow(&route, now), None);
            }
            for at in 0..sealed.len() {
                let mut changed = sealed.clone().into_bytes();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                assert_eq!(tokens.open_flow(core::str::from_utf8(&changed).unwrap(), now), None);
            }
        }
    }
}
