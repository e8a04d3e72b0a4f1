//! Request validation (§16.3), save authorization.

use super::branch::LoopMark;
use super::{Refusal, privacy};
use crate::message::validate::{Role, Rules};
use crate::message::{Request, Via};
use crate::transport::RouteTokens;

/// What this proxy takes; a number, where it is not one of our domain, along a Route. In Proxy-Require there may be `privacy`
/// (RFC 3323 §4.3).
pub const RULES: Rules<'_> = Rules {
    role: Role::Proxy,
    schemes: &["sip", "sips", "tel"],
    allow: "",
    supported: privacy::OPTION,
    accept: "",
};

/// Checks what must hold before anything is decided about a request. Its syntax was checked when it was parsed.
pub fn validate(request: &Request, tokens: &RouteTokens) -> Result<(), Refusal> {
    RULES.request(request)?;
    // Step 4. Branches that cannot have a mark are nearly all, so that almost no request pays for the hash.
    let others = request.next_vias().filter_map(Via::parse);
    let branches = request.branch().into_iter().chain(others.filter_map(|via| via.branch()));
    let mut marked = branches.filter(|branch| LoopMark::is_in(branch)).peekable();
    if marked.peek().is_some() {
        let mark = LoopMark::of(request, tokens);
        if marked.any(|branch| mark.ends(branch)) {
            return Err(Refusal::Loop);
        }
    }
    Ok(())
}
