//! What names a dialog (RFC 3261 §12).

use smol_str::SmolStr;

use crate::message::{Request, Response};

/// Call-ID and both tags, as one side sees them. An RFC 2543 peer's tag is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: SmolStr,
    /// The tag of this side.
    pub local_tag: SmolStr,
    /// The tag of the other side.
    pub remote_tag: SmolStr,
}

impl DialogId {
    /// A dialog's name.
    pub fn new(call_id: &str, local_tag: &str, remote_tag: &str) -> Self {
        Self { call_id: call_id.into(), local_tag: local_tag.into(), remote_tag: remote_tag.into() }
    }

    /// The dialog a received request is in (§12.2.2): To names us. `None` outside a dialog.
    pub fn of_request(request: &Request) -> Option<Self> {
        let local_tag = request.to_tag()?;
        Some(Self::new(request.call_id(), local_tag, request.from_tag().unwrap_or_default()))
    }

    /// The dialog a received response makes or is in (§12.1.2): From names us.
    pub fn of_response(response: &Response) -> Self {
        Self::new(
            response.call_id(),
            response.from_tag().unwrap_or_default(),
            response.to_tag().unwrap_or_default(),
        )
    }
}
