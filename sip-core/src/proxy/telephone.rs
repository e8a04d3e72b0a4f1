//! Telephone numbers as Request-URIs (RFC 3966): whoever asks this domain for one asks for a user of it, or of its routes.

use crate::message::{Method, Refused, Request, Rewrite, number_in};

/// A request for a number as one for a user of `domain`. `None`: it is for something else.
pub fn number_as_user(request: &Request, domain: &str) -> Option<Result<Request, Refused>> {
    let uri = number_in(request.uri(), domain).filter(|_| *request.method() != Method::Register)?;
    let mut rewrite = Rewrite::new(request.headers());
    rewrite.request_uri(request, &uri);
    Some(Request::parse(rewrite.finish()))
}
