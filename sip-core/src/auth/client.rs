//! The client's side: which challenge to answer, and with what (RFC 3261 §22.2, §22.3).

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use smol_str::SmolStr;

use super::bearer::{Token, is_token};
use super::{BearerChallenge, Challenge, Credentials, HexDigest, ParseError, Protection, Secrets};
use crate::entropy::{self, Entropy};
use crate::limits;
use crate::message::typed::AuthParams;

/// Which kind of element challenges, and so which header fields are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authority {
    /// A user agent server or a registrar: 401, WWW-Authenticate, Authorization.
    Server,
    /// A proxy: 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

/// One header field for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// [`Authority::Server`]: Authorization. [`Authority::Proxy`]: Proxy-Authorization.
    pub authority: Authority,
    /// Its value.
    pub value: String,
}

/// What one request has tried so far. Begin with the default; keep it as long as the request is repeated.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    rounds: u8,
    sent: Vec<Sent>,
}

#[derive(Clone, Debug)]
struct Sent {
    authority: Authority,
    realm: SmolStr,
    /// The nonce came from a challenge that nothing else had answered: it cannot have been used up.
    first_use: bool,
    /// It was this token, and no digest.
    token: Option<SmolStr>,
}

/// Why a challenge is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// A 401 or 407 without a challenge.
    #[error("the response has no challenge")]
    NoChallenge,
    /// No challenge that can be answered; this is what is wrong with the last one.
    #[error("no challenge can be answered: {0}")]
    Unsupported(ParseError),
    /// A realm other than the expected one asks for the password (CVE-2021-41158).
    #[error("the challenge is for another realm, {0}")]
    WrongRealm(SmolStr),
    /// The credentials were refused: the user name or the password is wrong.
    #[error("the credentials were refused in realm {0}")]
    Rejected(SmolStr),
    /// Only HA1s are known, and none of an algorithm that was asked for.
    #[error("there is no HA1 of the algorithm that realm {0} asks for")]
    NoHa1(SmolStr),
    /// Neither password nor token is known.
    #[error("there are no credentials for realm {0}")]
    NoCredentials(SmolStr),
    /// Challenged [`limits::AUTH_ROUNDS`] times.
    #[error("challenged again and again")]
    TooManyRounds,
}

/// One user's answers to challenges, and the nonces that can still be used.
///
/// For every request: [`Self::authorize`], send; on 401 or 407 [`Self::challenged`], and on `Ok` again from the
/// start, with a new branch and CSeq. An ACK repeats its INVITE's header fields (§22.1), as a CANCEL does.
#[derive(Clone)]
pub struct Client {
    username: SmolStr,
    secret: Secret,
    expected_realm: Option<SmolStr>,
    sessions: Vec<Session>,
    tokens: Vec<Token>,
}

#[derive(Clone)]
enum Secret {
    None,
    Password(String),
    Hashed(Secrets),
}

#[derive(Clone)]
struct Session {
    authority: Authority,
    /// The Request-URI, where the challenge counts for no other: an Authorization that goes along to somebody
    /// else would only give them a digest to guess the password by.
    scope: Option<SmolStr>,
    challenge: Challenge,
    ha1: HexDigest,
    uses: u32,
    /// The nonce is a challenge's, and not one that an answer named and time may have made stale.
    challenged: bool,
    /// With `-sess`: the key, and the cnonce it was made with, which then stays.
    key: Option<(HexDigest, SmolStr)>,
}

impl Client {
    /// A client that knows the password.
    pub fn new(username: &str, password: &str) -> Self {
        Self::with_secret(username.into(), Secret::Password(password.into()))
    }

    /// A client without a password: it has only the tokens it is given.
    pub fn without_password(username: &str) -> Self {
        Self::with_secret(username.into(), Secret::None)
    }

    /// A client that knows only the HA1s. It answers no realm but theirs.
    pub fn from_secrets(secrets: Secrets) -> Self {
        let client = Self::with_secret(secrets.username().into(), Secret::Hashed(secrets.clone()));
        client.expecting(secrets.realm())
    }

    fn with_secret(username: SmolStr, secret: Secret) -> Self {
        Self { username, secret, expected_realm: None, sessions: Vec::new(), tokens: Vec::new() }
    }

    /// Answers only challenges of this realm. By default every realm is answered.
    #[must_use]
    pub fn expecting(mut self, realm: &str) -> Self {
        self.expected_realm = Some(realm.into());
        self
    }

    /// The header fields for a request that is about to be sent: one for each realm that challenged before. `body`
    /// is the request's, for `auth-int`.
    pub fn authorize(
        &mut self,
        attempt: &mut Attempt,
        method: &str,
        uri: &str,
        body: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Vec<Authorization> {
        attempt.sent.clear();
        // A nonce count that cannot be counted on is a nonce that is used up.
        self.sessions.retain(|session| session.uses < u32::MAX);
        let mut out = Vec::new();
        for session in &mut self.sessions {
            if session.scope.as_deref().is_some_and(|scope| scope != uri) {
                continue;
            }
            session.uses += 1;
            attempt.sent.push(Sent {
                authority: session.authority,
                realm: session.challenge.realm.clone(),
                first_use: session.challenged && session.uses == 1,
                token: None,
            });
            let value = session.credentials(&self.username, method, uri, body, entropy).to_string();
            out.push(Authorization { authority: session.authority, value });
        }
        for token in &self.tokens {
            if token.scope.as_deref().is_none_or(|scope| scope == uri) {
                attempt.sent.push(Sent {
                    authority: token.authority,
                    realm: token.realm.clone(),
                    first_use: false,
                    token: Some(token.value.clone()),
                });
                let value = alloc::format!("Bearer {}", token.value);
                out.push(Authorization { authority: token.authority, value });
            }
        }
        out
    }

    /// Takes the challenges of a 401 or 407: all its WWW-Authenticate and Proxy-Authenticate values, in order.
    /// `uri` is the Request-URI of the request that was refused. On `Ok` the request is worth sending again.
    pub fn challenged<'a>(
        &mut self,
        attempt: &mut Attempt,
        uri: &str,
        challenges: impl IntoIterator<Item = (Authority, &'a str)>,
    ) -> Result<(), ClientError> {
        attempt.rounds += 1;
        if attempt.rounds > limits::AUTH_ROUNDS {
            return Err(ClientError::TooManyRounds);
        }
        let challenges: Vec<(Authority, &str)> = challenges.into_iter().collect();
        let bearer = self.meet_bearer(attempt, uri, &challenges);
        let chosen = match self.choose(challenges) {
            Err(_) if bearer => return Ok(()),
            chosen => chosen?,
        };
        for (authority, challenge, ha1) in chosen {
            // One scheme for a realm (RFC 8898 §2.1.1).
            if self.token(authority, uri, &challenge.realm).is_some() {
                continue;
            }
            let sent = attempt
                .sent
                .iter()
                .find(|s| s.token.is_none() && s.authority == authority && s.realm == challenge.realm);
            // §22.2: the same credentials are not tried again, unless their nonce had become too old; servers
            // that never say `stale` exist, so a nonce that had served before gets the benefit of the doubt.
            if sent.is_some_and(|sent| sent.first_use) && !challenge.stale {
                self.sessions.retain(|s| !(s.authority == authority && s.challenge.realm == challenge.realm));
                return Err(ClientError::Rejected(challenge.realm));
            }
            self.remember(authority, uri, challenge, ha1);
        }
        Ok(())
    }

    /// Whether a token that was not refused yet answers one of these challenges. One that was shown and is challenged
    /// all the same is forgotten.
    fn meet_bearer(&mut self, attempt: &Attempt, uri: &str, challenges: &[(Authority, &str)]) -> bool {
        let bearers =
            challenges.iter().filter_map(|(authority, value)| BearerChallenge::parse(*authority, value));
        let mut met = false;
        for BearerChallenge { authority, realm, .. } in bearers {
            let scope = scope(authority, uri);
            self.tokens.retain(|t| {
                let shown = || attempt.sent.iter().any(|sent| sent.token.as_ref() == Some(&t.value));
                !(t.authority == authority && t.realm == realm && t.scope == scope && shown())
            });
            met |= self.token(authority, uri, &realm).is_some();
        }
        met
    }

    fn token(&self, authority: Authority, uri: &str, realm: &str) -> Option<&Token> {
        let scope = scope(authority, uri);
        self.tokens.iter().find(|t| t.authority == authority && t.realm == realm && t.scope == scope)
    }

    /// The token at hand for this challenge to a request with this Request-URI.
    pub fn token_for(&self, uri: &str, challenge: &BearerChallenge) -> Option<&str> {
        self.token(challenge.authority, uri, &challenge.realm).map(|token| token.value.as_str())
    }

    /// Takes the token that answers a challenge to a request with this Request-URI (RFC 8898 §2.1). `false` if it is
    /// none by RFC 6750 §2.1.
    pub fn add_token(&mut self, uri: &str, challenge: &BearerChallenge, token: &str) -> bool {
        if !is_token(token) {
            return false;
        }
        let BearerChallenge { authority, realm, .. } = challenge;
        let scope = scope(*authority, uri);
        self.tokens.retain(|t| !(t.authority == *authority && t.realm == *realm && t.scope == scope));
        if self.tokens.len() == limits::AUTH_CHALLENGES {
            self.tokens.remove(0);
        }
        let (authority, realm, value) = (*authority, realm.clone(), token.into());
        self.tokens.push(Token { authority, realm, scope, value });
        true
    }

    /// Takes the Authentication-Info of a 2xx to a request with this Request-URI: its `nextnonce` is the one to use
    /// from now on (RFC 7616 §3.5).
    pub fn informed(&mut self, uri: &str, info: AuthParams<'_>) {
        let Some(nonce) = info.text("nextnonce").filter(|nonce| !nonce.is_empty()) else { return };
        let asked = |session: &&mut Session| session.scope.as_deref() == Some(uri);
        for session in self.sessions.iter_mut().filter(asked) {
            // The key of `-sess` stays: only a challenge begins another authentication session (§3.4.2, §3.6).
            session.challenge.nonce = nonce.as_ref().into();
            session.uses = 0;
            session.challenged = false;
        }
    }

    /// Forgets all challenges and tokens, as after a change of network.
    pub fn reset(&mut self) {
        self.sessions.clear();
        self.tokens.clear();
    }

    /// The strongest challenge of each authority and realm; of two equally strong ones the first (RFC 8760 §2.4,
    /// whose topmost-wins is left for strongest-wins as its local policy clause allows).
    fn choose<'a>(
        &self,
        challenges: impl IntoIterator<Item = (Authority, &'a str)>,
    ) -> Result<Vec<(Authority, Challenge, HexDigest)>, ClientError> {
        let mut chosen: Vec<(Authority, Challenge, HexDigest)> = Vec::new();
        let mut error = ClientError::NoChallenge;
        for (authority, value) in challenges {
            let challenge = match Challenge::parse(value) {
                Ok(challenge) => challenge,
                Err(parse_error) => {
                    error = ClientError::Unsupported(parse_error);
                    continue;
                }
            };
            if self.expected_realm.as_ref().is_some_and(|realm| *realm != challenge.realm) {
                error = ClientError::WrongRealm(challenge.realm);
                continue;
            }
            let Some(ha1) = self.ha1(&challenge) else {
                error = match &self.secret {
                    Secret::None => ClientError::NoCredentials(challenge.realm),
                    _ => ClientError::NoHa1(challenge.realm),
                };
                continue;
            };
            match chosen.iter().position(|(a, c, _)| *a == authority && c.realm == challenge.realm) {
                None if chosen.len() < limits::AUTH_CHALLENGES => chosen.push((authority, challenge, ha1)),
                Some(at) if chosen[at].1.strength() < challenge.strength() => {
                    chosen[at] = (authority, challenge, ha1);
                }
                _ => {}
            }
        }
        if chosen.is_empty() { Err(error) } else { Ok(chosen) }
    }

    fn ha1(&self, challenge: &Challenge) -> Option<HexDigest> {
        match &self.secret {
            Secret::Password(password) => {
                Some(challenge.algorithm.ha1(&self.username, &challenge.realm, password))
            }
            Secret::None => None,
            Secret::Hashed(secrets) => secrets.ha1(challenge.algorithm).copied(),
        }
    }

    fn remember(&mut self, authority: Authority, uri: &str, challenge: Challenge, ha1: HexDigest) {
        let scope = scope(authority, uri);
        self.sessions.retain(|s| {
            !(s.authority == authority && s.challenge.realm == challenge.realm && s.scope == scope)
        });
        if self.sessions.len() == limits::AUTH_CHALLENGES {
            self.sessions.remove(0);
        }
        self.sessions.push(Session {
            authority,
            scope,
            challenge,
            ha1,
            uses: 0,
            challenged: true,
            key: None,
        });
    }
}

/// Where credentials for a challenge may be shown.
fn scope(authority: Authority, uri: &str) -> Option<SmolStr> {
    match authority {
        Authority::Server => Some(uri.into()),
        Authority::Proxy => None,
    }
}

impl Session {
    fn credentials(
        &mut self,
        username: &SmolStr,
        method: &str,
        uri: &str,
        body: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Credentials {
        let Challenge { realm, nonce, opaque, algorithm, session, qop, userhash, .. } = &self.challenge;
        if *session && self.key.is_none() {
            let cnonce = entropy::token(entropy, 100);
            self.key = Some((algorithm.session_ha1(&self.ha1, nonce, &cnonce), cnonce.into()));
        }
        let protection = qop.map(|qop| {
            let cnonce = self.key.as_ref().map(|(_, cnonce)| cnonce.clone());
            let cnonce = cnonce.unwrap_or_else(|| entropy::token(entropy, 100).into());
            Protection { qop, nonce_count: self.uses, cnonce }
        });
        let username = match userhash {
            true => algorithm.hash(&[username, realm]).as_str().into(),
            false => username.clone(),
        };
        let mut credentials = Credentials {
            username,
            realm: realm.clone(),
            nonce: nonce.clone(),
            uri: uri.into(),
            response: SmolStr::default(),
            algorithm: *algorithm,
            session: *session,
            protection,
            opaque: opaque.clone(),
            userhash: *userhash,
        };
        let ha1 = self.key.as_ref().map_or(&self.ha1, |(key, _)| key);
        credentials.response = credentials.digest(ha1, method, body).as_str().into();
        credentials
    }
}

/// Without the secret.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("username", &self.username)
            .field("expected_realm", &self.expected_realm)
            .field("challenges", &self.sessions.len())
            .finish_non_exhaustive()
    }
}
