//! The server's side: challenges whose nonces it need not keep, and the judgement of credentials.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use smol_str::SmolStr;

use super::nonce::{DEFAULT_NONCE_LIFETIME, NonceKey, NonceState};
use super::replay::NonceUse;
use super::{Algorithm, Challenge, Credentials, HexDigest, ParseError, Qop, Secrets};
use crate::entropy::Entropy;
use crate::time::{Duration, Instant};

/// Challenges for one realm and judges the answers, in two steps, since the secrets are elsewhere: read the
/// credentials with [`Self::find`], fetch the [`Secrets`] of their user name, then [`Self::verify`].
#[derive(Clone)]
pub struct Challenger {
    realm: SmolStr,
    key: NonceKey,
    lifetime: Duration,
}

/// What credentials proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They are this user's.
    Ok {
        /// The digest user name.
        username: SmolStr,
        /// What they serve for once: see [`super::Replays`].
        usage: NonceUse,
    },
    /// With a nonce that was too old, whatever they prove: challenge again with `stale`.
    Stale,
    /// The nonce is not one of ours (another key, say of another gateway): challenge again with `stale`.
    BadNonce,
    /// No such user, or another password, and the nonce was good: challenge again. Both cost the same time.
    Wrong,
    /// Only a name, no proof yet (RFC 8760 §2.7): challenge again; nothing failed.
    Unproven,
    /// Right for a Request-URI that is not this request's (RFC 7616 §3.4.6): 400.
    WrongUri,
    /// An algorithm or a protection that was not offered: challenge again.
    WrongAlgorithm,
    /// For another realm: challenge.
    WrongRealm,
}

impl Outcome {
    /// The `stale` flag of the challenge that follows.
    pub const fn is_stale(&self) -> bool {
        matches!(self, Self::Stale | Self::BadNonce)
    }
}

impl Challenger {
    /// A challenger for `realm`. Whoever has the key can make nonces, nothing more; all that share it accept
    /// each other's nonces.
    pub fn new(realm: &str, key: [u8; 32]) -> Self {
        Self { realm: realm.into(), key: NonceKey::new(key), lifetime: DEFAULT_NONCE_LIFETIME }
    }

    /// Another lifetime of nonces than [`DEFAULT_NONCE_LIFETIME`]. Zero makes every nonce stale at once.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The same, for challenges to `source` alone: to others its nonces are not ours, so that who reads one cannot use it
    /// elsewhere.
    #[must_use]
    pub fn bound_to(&self, source: IpAddr) -> Self {
        Self { key: self.key.bound_to(source), ..self.clone() }
    }

    /// The realm.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// One challenge for each algorithm, in their order: the order of preference, and each a header field of its
    /// own (RFC 8760 §2.3).
    pub fn challenges(
        &self,
        algorithms: &[Algorithm],
        stale: bool,
        now: Instant,
        entropy: &mut dyn Entropy,
    ) -> Vec<Challenge> {
        let nonce = SmolStr::from(self.key.seal(&self.realm, now, entropy));
        let challenge = |&algorithm| Challenge {
            realm: self.realm.clone(),
            nonce: nonce.clone(),
            opaque: None,
            algorithm,
            // RFC 8760 §2.6 item 8: always.
            session: false,
            qop: Some(Qop::Auth),
            stale,
            userhash: false,
        };
        algorithms.iter().map(challenge).collect()
    }

    /// The credentials that are meant for this realm, among all of a request's (Proxy-)Authorization values
    /// (§22.3); of several the one with the strongest algorithm.
    ///
    /// `Ok(None)`: there are none: challenge. An error means that there are none and one value was malformed: 400.
    /// Credentials that are merely not supported do not count as malformed.
    pub fn find<'a>(
        &self,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<Option<Credentials>, ParseError> {
        let mut best: Option<Credentials> = None;
        let mut malformed = None;
        for value in values {
            match Credentials::parse(value) {
                Ok(found) if found.realm != self.realm => {}
                Ok(found) => {
                    if best.as_ref().is_none_or(|best| best.algorithm < found.algorithm) {
                        best = Some(found);
                    }
                }
                Err(ParseError::NotDigest | ParseError::Unsupported(_)) => {}
                Err(error) => malformed = Some(error),
            }
        }
        match (best, malformed) {
            (Some(best), _) => Ok(Some(best)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }

    /// Judges credentials. `secrets` are those of [`Credentials::username`] (`None`: no such user), `method` and
    /// `request_uri` the request's, `algorithms` those that were offered.
    pub fn verify(
        &self,
        credentials: &Credentials,
        secrets: Option<&Secrets>,
        algorithms: &[Algorithm],
        method: &str,
        request_uri: &str,
        now: Instant,
    ) -> Outcome {
        if credentials.realm != self.realm {
            return Outcome::WrongRealm;
        }
        if credentials.response.is_empty() {
            return Outcome::Unproven;
        }
        let algorithm = credentials.algorithm;
        // Neither `-sess` nor `auth-int` is ever offered.
        let integrity = credentials.protection.as_ref().is_some_and(|p| p.qop == Qop::AuthInt);
        if !algorithms.contains(&algorithm) || credentials.session || integrity {
            return Outcome::WrongAlgorithm;
        }
        // First, so that only who was given a nonce can guess: `stale` says nothing of the password (RFC 7616 §3.3).
        let id = match self.key.check(&self.realm, &credentials.nonce, now, self.lifetime) {
            NonceState::Fresh(id) => id,
            NonceState::Stale => return Outcome::Stale,
            NonceState::Foreign => return Outcome::BadNonce,
        };
        let ha1 = secrets
            .filter(|secrets| secrets.username() == credentials.username && secrets.realm() == self.realm)
            .and_then(|secrets| secrets.ha1(algorithm));
        // Without an HA1 the same work is done with one that nobody has, so that time does not tell who exists.
        let nobody = algorithm.hash(&[]);
        let expected = credentials.digest(ha1.unwrap_or(&nobody), method, &[]);
        let matches = HexDigest::parse(algorithm, &credentials.response) == Some(expected);
        if !matches || ha1.is_none() {
            return Outcome::Wrong;
        }
        if !same_resource(&credentials.uri, request_uri) {
            return Outcome::WrongUri;
        }
        let count = credentials.protection.as_ref().map_or(1, |protection| protection.nonce_count);
        Outcome::Ok { username: credentials.username.clone(), usage: NonceUse { id, count } }
    }
}

/// Without the key.
impl fmt::Debug for Challenger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenger")
            .field("realm", &self.realm)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// Whether digest-uri and Request-URI name the same resource (RFC 7616 §3.4.6).
///
/// Loosely, as RFC 8760 §2.6 item 6 permits: the same user at the same host. Port and parameters are left out,
/// because phones leave them out, and `sips` is `sip`.
pub(super) fn same_resource(digest_uri: &str, request_uri: &str) -> bool {
    digest_uri == request_uri
        || matches!((resource(digest_uri), resource(request_uri)), (Some(a), Some(b)) if {
            a.0.eq_ignore_ascii_case(b.0) && unescaped(a.1).eq(unescaped(b.1)) && a.2.eq_ignore_ascii_case(b.2)
        })
}

/// Scheme, user and host of a SIP URI; of any other kind of URI the scheme, all up to the parameters, and nothing.
fn resource(uri: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
        return Some((scheme, rest.split(';').next()?, ""));
    }
    // An `@` stands nowhere else unescaped, while `;` and `?` may stand in a user (RFC 3261 §25.1).
    let (user, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    let host = host.split([';', '?']).next()?;
    let host = match host.rfind(']') {
        Some(end) => &host[..=end],
        None => host.split(':').next()?,
    };
    Some(("sip", user, host))
}

/// The bytes of a URI's user with `%hh` resolved (RFC 3261 §19.1.4).
fn unescaped(text: &str) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    core::iter::from_fn(move || {
        if let [b'%', high, low, tail @ ..] = rest
            && let (Some(high), Some(low)) = (char::from(*high).to_digit(16), char::from(*low).to_digit(16))
        {
            rest = tail;
            return u8::try_from(high * 16 + low).ok();
        }
        let (first, tail) = rest.split_first()?;
        rest = tail;
        Some(*first)
    })
}
