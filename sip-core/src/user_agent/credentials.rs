//! Bearer tokens (RFC 8898 §2.1): the application has them, or gets them; what was challenged waits meanwhile.

use alloc::format;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::{CredentialsId, Event, TokenError, UserAgent};
use crate::auth::{Authority, BearerChallenge};
use crate::limits;
use crate::message::{HeaderName, Response};
use crate::time::Instant;
use crate::transaction::ClientId;

/// A token that the application was asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    id: CredentialsId,
    challenge: BearerChallenge,
    /// The Request-URI of what was challenged.
    uri: SmolStr,
    until: Instant,
    waiting: Vec<Waiting>,
}

/// A request whose 401 or 407 is looked at again when there is a token, or will be none.
#[derive(Debug)]
struct Waiting {
    client: ClientId,
    response: Response,
    /// Its transaction ended meanwhile.
    terminated: bool,
}

impl UserAgent {
    /// Answers [`Event::CredentialsNeeded`]: the access token, or `None` if there will be none. What waited is sent
    /// again with it, or has failed. Every proxy on the way can read it, so it had better be encrypted (RFC 8898
    /// §2.1.2).
    pub fn provide_token(
        &mut self,
        now: Instant,
        request: CredentialsId,
        token: Option<&str>,
    ) -> Result<(), TokenError> {
        let at = self.tokens.iter().position(|wanted| wanted.id == request).ok_or(TokenError::NotAsked)?;
        let Wanted { uri, challenge, .. } = &self.tokens[at];
        if token.is_some_and(|token| !self.authenticator.add_token(uri, challenge, token)) {
            return Err(TokenError::Malformed);
        }
        let wanted = self.tokens.remove(at);
        self.go_on_with(now, wanted);
        self.settle(now);
        Ok(())
    }

    /// Holds a 401 or 407 back, if a token from one of the trusted authorization servers would answer it and none is
    /// at hand. "The UAC MUST check the AS URL received in the 401/407 response against a list of trusted ASs".
    pub(super) fn wait_for_token(&mut self, now: Instant, client: ClientId, response: &Response) -> bool {
        if !matches!(response.status(), 401 | 407) {
            return false;
        }
        let Some(request) = self.layer.request(client) else { return false };
        let uri = SmolStr::new(request.uri());
        let Some(challenge) = self.trusted_challenge(response) else { return false };
        if let Some(token) = self.authenticator.token_for(&uri, &challenge) {
            let name = match challenge.authority {
                Authority::Server => HeaderName::Authorization,
                Authority::Proxy => HeaderName::ProxyAuthorization,
            };
            let shown = format!("Bearer {token}");
            if !request.headers().all(name).any(|value| value == shown) {
                return false;
            }
        }
        let waiting = Waiting { client, response: response.clone(), terminated: false };
        let same = |wanted: &&mut Wanted| {
            let (asked, new) = (&wanted.challenge, &challenge);
            (asked.authority, &asked.realm, &asked.authz_server)
                == (new.authority, &new.realm, &new.authz_server)
                && wanted.uri == uri
        };
        if let Some(wanted) = self.tokens.iter_mut().find(same) {
            let room = wanted.waiting.len() < limits::TOKEN_WAITERS;
            let until = wanted.until;
            if room {
                wanted.waiting.push(waiting);
                self.held_up(client, until);
            }
            return room;
        }
        if self.tokens.len() == limits::TOKENS_WANTED {
            return false;
        }
        let id = CredentialsId(self.next_token);
        self.next_token += 1;
        self.event(Event::CredentialsNeeded { request: id, challenge: challenge.clone() });
        let until = now + limits::TOKEN_WAIT;
        self.tokens.push(Wanted { id, challenge, uri, until, waiting: [waiting].into() });
        self.held_up(client, until);
        true
    }

    fn trusted_challenge(&self, response: &Response) -> Option<BearerChallenge> {
        let trusted = &self.config.authorization_servers;
        let headers = response.headers();
        let all = [
            (HeaderName::WwwAuthenticate, Authority::Server),
            (HeaderName::ProxyAuthenticate, Authority::Proxy),
        ];
        all.into_iter()
            .flat_map(|(name, authority)| headers.all(name).map(move |value| (authority, value)))
            .filter_map(|(authority, value)| BearerChallenge::parse(authority, value))
            .find(|challenge| challenge.authz_server.as_ref().is_some_and(|server| trusted.contains(server)))
    }

    /// Whether a transaction's end is to be told later.
    pub(super) fn outlives(&mut self, client: ClientId) -> bool {
        let mut waiting = self.tokens.iter_mut().flat_map(|wanted| &mut wanted.waiting);
        let found = waiting.find(|waiting| waiting.client == client);
        found.map(|waiting| waiting.terminated = true).is_some()
    }

    pub(super) fn tokens_timeout(&self) -> Option<Instant> {
        self.tokens.iter().map(|wanted| wanted.until).min()
    }

    /// Nobody brought them in time.
    pub(super) fn tokens_time_passed(&mut self, now: Instant) {
        while let Some(at) = self.tokens.iter().position(|wanted| wanted.until <= now) {
            let wanted = self.tokens.remove(at);
            self.go_on_with(now, wanted);
        }
    }

    fn go_on_with(&mut self, now: Instant, wanted: Wanted) {
        for Waiting { client, response, terminated } in wanted.waiting {
            self.answered(now, client, response);
            if terminated {
                self.client_terminated(client);
            }
        }
    }
}
