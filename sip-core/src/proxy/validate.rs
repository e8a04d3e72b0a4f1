//! Request validation (§16.3), save authorization.

use alloc::vec::Vec;

use super::Refusal;
use super::branch::LoopMark;
use crate::message::{HeaderName, Method, Request, Uri, Via};

/// Checks what must hold before anything is decided about a request. Its syntax was checked when it was parsed.
pub fn validate(request: &Request) -> Result<(), Refusal> {
    // §16.3 step 2. `sips` would promise TLS on every hop, which no flow here can (RFC 5630 §3.1.1).
    match Uri::parse(request.uri()) {
        Some(Uri::Sip(uri)) if !uri.secure => {}
        _ => return Err(Refusal::Scheme),
    }
    // Step 3. An OPTIONS that ends here may be answered as if it were for us (§11), which the caller does.
    if request.max_forwards() == Some(0) && *request.method() != Method::Options {
        return Err(Refusal::TooManyHops);
    }
    let headers = request.headers();
    // Step 4. One Via is the sender's own, so that almost no request pays for the hash.
    let mut before = headers.list(HeaderName::Via).skip(1).filter_map(Via::parse).peekable();
    if before.peek().is_some() {
        let mark = LoopMark::of(request);
        if before.any(|via| via.branch().is_some_and(|branch| mark.ends(branch))) {
            return Err(Refusal::Loop);
        }
    }
    // Step 5: no option is supported at a proxy yet. ACK and CANCEL may not carry it (§20.29) and are not refused.
    if !matches!(request.method(), Method::Ack | Method::Cancel) {
        let unsupported: Vec<&str> = headers.list(HeaderName::ProxyRequire).collect();
        if !unsupported.is_empty() {
            return Err(Refusal::BadExtension { unsupported: unsupported.join(", ").into() });
        }
    }
    Ok(())
}
