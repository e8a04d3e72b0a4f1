//! Requests outside dialogs that name a call of ours (RFC 4538): their sender knows of it, which is what a REFER's has to
//! show where the dialog itself may not be used (RFC 7647 §4).

use smol_str::{SmolStr, format_smolstr};

use super::{CallId, CallState, UserAgent};
use crate::dialog::DialogId;
use crate::message::typed::TargetDialog;
use crate::message::{Request, Uri};

/// The option tag.
pub(super) const TAG: &str = "tdialog";

/// The value that names a dialog of ours to its other side, who sees the tags the other way round (§3).
pub(super) fn naming(dialog: &DialogId) -> SmolStr {
    let DialogId { call_id, local_tag, remote_tag } = dialog;
    format_smolstr!("{call_id};local-tag={remote_tag};remote-tag={local_tag}")
}

impl UserAgent {
    /// The call that a request's Target-Dialog names. One that names none, or is malformed, "MUST be ignored" (§4).
    pub(super) fn target_dialog(&self, request: &Request) -> Option<CallId> {
        let field = request.headers().typed::<TargetDialog<'_>>().ok()??;
        let named = DialogId::new(field.call_id, field.local_tag, field.remote_tag);
        self.call_of(&named).filter(|call| self.call_state(*call) != Some(CallState::Ended))
    }

    /// The dialog of an established call, if its other side has said that it knows Target-Dialog.
    pub(super) fn nameable(&self, call: CallId) -> Option<&DialogId> {
        let usage =
            self.calls.get(&call).filter(|call| call.state() == CallState::Established)?.usage.as_ref()?;
        Some(usage.dialog.id()).filter(|_| usage.tdialog)
    }

    /// The address of a call's other side, if a REFER has to go there and not into the dialog: "if a peer in an existing
    /// dialog has provided a GRUU as its Contact" (RFC 7647 §4), and knows how to match it.
    pub(super) fn outside_of(&self, call: CallId) -> Option<SmolStr> {
        self.nameable(call)?;
        let target = self.calls.get(&call)?.usage.as_ref()?.dialog.target();
        let gruu = Uri::parse(target)?.sip()?.has_param("gr");
        super::target::from_uri(target).filter(|_| gruu)
    }
}
