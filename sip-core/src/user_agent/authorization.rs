//! Credentials in what we send, and challenges in what comes back (RFC 3261 §22).

use super::{Failure, UserAgent};
use crate::auth::{Attempt, Authority};
use crate::message::typed::AuthenticationInfo;
use crate::message::{HeaderName, Method, Response, Writer};
use crate::transaction::ClientId;

impl UserAgent {
    /// Adds credentials for the realms that challenged before. `body` is the one the request will have.
    pub(super) fn authorize(
        &mut self,
        mut writer: Writer,
        attempt: &mut Attempt,
        method: &Method,
        uri: &str,
        body: &[u8],
    ) -> Writer {
        for field in self.authenticator.authorize(attempt, method.as_str(), uri, body, &mut *self.entropy) {
            let name = match field.authority {
                Authority::Server => HeaderName::Authorization,
                Authority::Proxy => HeaderName::ProxyAuthorization,
            };
            writer = writer.header(name, field.value);
        }
        writer
    }

    /// RFC 7616 §3.5: the nonce for the next request.
    pub(super) fn learn_nonce(&mut self, client: ClientId, response: &Response) {
        if let Ok(Some(AuthenticationInfo(info))) = response.headers().typed()
            && response.is_success()
            && let Some(request) = self.layer.request(client)
        {
            self.authenticator.informed(request.uri(), info);
        }
    }

    /// Takes the challenges of a 401 or 407; on `Ok` the request is worth sending again.
    pub(super) fn learn_challenge(
        &mut self,
        attempt: &mut Attempt,
        uri: &str,
        response: &Response,
    ) -> Result<(), Failure> {
        let headers = response.headers();
        let challenges = headers.values().filter_map(|(name, value)| match name {
            HeaderName::WwwAuthenticate => Some((Authority::Server, value)),
            HeaderName::ProxyAuthenticate => Some((Authority::Proxy, value)),
            _ => None,
        });
        self.authenticator
            .challenged(attempt, uri, challenges)
            .map_err(|error| Failure::of_challenge(&error, response))
    }
}
