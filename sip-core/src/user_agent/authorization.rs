//! Credentials in what we send, and challenges in what comes back (RFC 3261 §22).

use alloc::string::String;

use smol_str::SmolStr;

use super::{Failure, UserAgent};
use crate::auth::{Attempt, Authority, Secrets};
use crate::message::typed::AuthenticationInfo;
use crate::message::{HeaderName, Method, Response, Writer};
use crate::transaction::ClientId;

impl UserAgent {
    /// Another password for [`Config::username`](super::Config::username), in place of the one before or of HA1s; `None`: none.
    /// The next challenge is answered with it. Where the one before was refused, [`register`](Self::register) tries again.
    pub fn set_password(&mut self, password: Option<String>) {
        self.config.password = password;
        self.config.secrets = None;
        self.begin_anew();
    }

    /// HA1s in place of those before or of the password, as [`set_password`](Self::set_password).
    pub fn set_secrets(&mut self, secrets: Secrets) {
        self.config.password = None;
        self.config.secrets = Some(secrets);
        self.begin_anew();
    }

    /// Another name for those who are called from now on; `None`: none.
    pub fn set_display_name(&mut self, name: Option<SmolStr>) {
        self.config.display_name = name;
    }

    /// What was proven with the credentials before says nothing of these. Tokens are asked for again.
    fn begin_anew(&mut self) {
        self.authenticator = self.config.authenticator();
        // A REGISTER on its way was refused for what it had.
        for flow in &mut self.flows {
            flow.registration.attempt = Attempt::default();
        }
    }

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
