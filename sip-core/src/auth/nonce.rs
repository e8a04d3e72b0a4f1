//! Nonces that carry their own proof, so that a server keeps none of them.
//!
//! `base64url(time ‖ random ‖ HMAC-SHA-256(key, time ‖ random ‖ realm ‖ source))`, the MAC cut to 16 bytes.

use alloc::string::String;
use core::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::replay::NonceId;
use crate::entropy::Entropy;
use crate::time::{Duration, Instant};

/// How long a nonce is good. Longer: fewer second round trips. Shorter: less time to replay captured credentials.
pub const DEFAULT_NONCE_LIFETIME: Duration = Duration::from_secs(300);

const TIME: usize = 8;
const RANDOM: usize = 8;
const SIGNED: usize = TIME + RANDOM;
const MAC: usize = 16;
const TOTAL: usize = SIGNED + MAC;

/// Whether a nonce has the shape of one of ours. Another server may challenge with our realm: a PBX of the same domain.
pub(crate) fn is_like_ours(nonce: &str) -> bool {
    nonce.len() == TOTAL.div_ceil(3) * 4 - 1
        && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// What is known of a nonce that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonceState {
    Fresh(NonceId),
    /// Ours, but too old, or from a future that a clock set back has left behind.
    Stale,
    /// Not made with this key for this realm.
    Foreign,
}

/// The key that seals nonces.
#[derive(Clone)]
pub(super) struct NonceKey {
    key: [u8; 32],
    /// Whose nonces these are.
    source: Option<IpAddr>,
}

impl NonceKey {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self { key, source: None }
    }

    /// The same key for nonces that only `source` can use.
    pub(super) const fn bound_to(&self, source: IpAddr) -> Self {
        // Of a socket for both, an IPv4 peer's address is one in IPv6.
        Self { key: self.key, source: Some(source.to_canonical()) }
    }

    pub(super) fn seal(&self, realm: &str, now: Instant, entropy: &mut dyn Entropy) -> String {
        let mut bytes = [0u8; TOTAL];
        bytes[..TIME].copy_from_slice(&now.as_micros().to_be_bytes());
        entropy.fill(&mut bytes[TIME..SIGNED]);
        let mac = self.mac(realm, &bytes[..SIGNED]).finalize().into_bytes();
        bytes[SIGNED..].copy_from_slice(&mac[..MAC]);
        BASE64URL.encode(bytes)
    }

    pub(super) fn check(&self, realm: &str, nonce: &str, now: Instant, lifetime: Duration) -> NonceState {
        // The decoder wants room for whole groups of three.
        let mut buffer = [0u8; TOTAL.next_multiple_of(3)];
        let Ok(length) = BASE64URL.decode_slice(nonce, &mut buffer) else {
            return NonceState::Foreign;
        };
        let bytes = &buffer[..length];
        let Some((signed, mac)) = bytes.split_at_checked(SIGNED).filter(|(_, mac)| mac.len() == MAC) else {
            return NonceState::Foreign;
        };
        // Constant time.
        if self.mac(realm, signed).verify_truncated_left(mac).is_err() {
            return NonceState::Foreign;
        }
        let mut time = [0u8; TIME];
        time.copy_from_slice(&signed[..TIME]);
        let made = Instant::from_micros(u64::from_be_bytes(time));
        if now.since(made) > lifetime || made.since(now) > lifetime {
            NonceState::Stale
        } else {
            let mut random = [0u8; RANDOM];
            random.copy_from_slice(&signed[TIME..]);
            NonceState::Fresh(NonceId { made, random })
        }
    }

    fn mac(&self, realm: &str, signed: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(signed);
        mac.update(realm.as_bytes());
        match self.source {
            // A realm has no zero.
            Some(IpAddr::V4(v4)) => {
                mac.update(&[0, 4]);
                mac.update(&v4.octets());
            }
            Some(IpAddr::V6(v6)) => {
                mac.update(&[0, 6]);
                mac.update(&v6.octets());
            }
            None => {}
        }
        mac
    }
}
