//! What we tell of our own calls (RFC 4235), and what a call of somebody else's is taken over by.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::call::{Call, Direction};
use super::{CallId, CallState, Replacement, UserAgent};
use crate::body::dialog_info::{
    Dialog as Described, DialogInfo, DialogState, Extent, Identity as Address, Initiation, Participant,
    Target,
};
use crate::dialog::Dialog;

impl UserAgent {
    /// Our calls, as the package `dialog` tells them to watchers: all of them, as they are now. `version` rises by one
    /// with each document a watcher gets (RFC 4235 §4.1.1). Who has it can take the calls over, so it is not for everybody
    /// (§6).
    pub fn dialog_info(&self, version: u32) -> DialogInfo {
        let calls = self.calls.iter().filter(|(_, call)| !call.ended);
        DialogInfo {
            version,
            extent: Extent::Full,
            entity: self.config.aor.to_string(),
            dialogs: calls.flat_map(|(id, call)| self.describe(id, call)).collect(),
            extensions: Vec::new(),
        }
    }

    /// A fork has a dialog for each of its early ones (§3.7.2); a call without any is told by its INVITE.
    fn describe(&self, id: CallId, call: &Call) -> Vec<Described> {
        let state = match (call.state(), call.is_ours()) {
            (CallState::Established, _) => DialogState::Confirmed,
            (CallState::Ringing, _) => DialogState::Early,
            // Our INVITE may have got a 183.
            (_, true) if call.usages().next().is_some() => DialogState::Early,
            _ => DialogState::Trying,
        };
        let mut told: Vec<Described> = Vec::new();
        for usage in call.usages() {
            told.push(self.describe_dialog(id, call, told.len(), state, Some(&usage.dialog)));
            if state == DialogState::Confirmed {
                break;
            }
        }
        if told.is_empty() {
            told.push(self.describe_dialog(id, call, 0, state, None));
        }
        told
    }

    fn describe_dialog(
        &self,
        id: CallId,
        call: &Call,
        fork: usize,
        state: DialogState,
        dialog: Option<&Dialog>,
    ) -> Described {
        let mut told = Described::new(format!("{}-{fork}", id.as_u64()), state);
        let name = dialog.map(Dialog::id);
        if let Some(name) = name {
            told.call_id = Some(name.call_id.to_string());
            // A callee's tag has not been said before its first answer above 100.
            told.local_tag =
                (call.is_ours() || state != DialogState::Trying).then(|| name.local_tag.to_string());
            told.remote_tag = Some(name.remote_tag.to_string()).filter(|tag| !tag.is_empty());
        } else if let Direction::Outgoing(out) = &call.direction {
            let (call_id, tag) = out.name();
            (told.call_id, told.local_tag) = (Some(call_id.into()), Some(tag.into()));
        }
        told.direction = Some(if call.is_ours() { Initiation::Initiator } else { Initiation::Recipient });
        let address = |uri: &str, name: Option<&str>| {
            Some(Address { uri: uri.into(), display_name: name.map(Into::into) })
        };
        let name = self.config.display_name.as_deref();
        told.local =
            Some(Participant { identity: address(self.config.aor.as_str(), name), ..Participant::default() });
        told.remote = Some(Participant {
            identity: address(&call.remote.uri, call.remote.display_name.as_deref()),
            target: dialog.map(|dialog| Target { uri: dialog.target().into(), params: Vec::new() }),
            ..Participant::default()
        });
        told
    }
}

impl Replacement {
    /// Names a dialog that somebody's document tells of (RFC 4235), to the other side of that dialog: what a pickup takes
    /// the place of. `None` where it does not say enough.
    pub fn of_dialog(told: &Described) -> Option<Self> {
        Some(Self {
            call_id: told.call_id.as_deref()?.into(),
            to_tag: told.remote_tag.as_deref()?.into(),
            from_tag: told.local_tag.as_deref()?.into(),
            early_only: false,
        })
    }
}
