//! How a request is written, and the dialog whose fields it has.

use smol_str::SmolStr;

use super::{Errand, Place};
use crate::dialog::{Dialog, DialogId};
use crate::limits;
use crate::message::{HeaderName, Method, Request};
use crate::transport::Hop;
use crate::user_agent::local::Outside;
use crate::user_agent::{CallId, RequestError, UserAgent};

impl UserAgent {
    pub(super) fn write_errand(&mut self, hop: Hop, errand: &mut Errand) -> Result<Request, RequestError> {
        let via = self.local.via(hop, &mut *self.entropy);
        let method = errand.method.clone();
        let mut anonymous = false;
        let (mut writer, uri) = match &mut errand.place {
            Place::Outside(stranger) => {
                stranger.cseq += 1;
                let routes = self.routes(hop);
                let outside = Outside {
                    method: &method,
                    uri: &stranger.uri,
                    via: &via,
                    to: &stranger.uri,
                    from_tag: &stranger.tag,
                    call_id: &stranger.call_id,
                    cseq: stranger.cseq,
                    routes: &routes,
                    anonymous: false,
                    session: stranger.session,
                };
                (outside.begin(&self.config), stranger.uri.clone())
            }
            place => {
                let dialog = self.dialog_at(place).ok_or(RequestError::NoDialog)?;
                anonymous = dialog.is_anonymous();
                let uri = SmolStr::new(dialog.request_uri());
                (dialog.request(&method, via), uri)
            }
        };
        if matches!(method, Method::Subscribe | Method::Notify | Method::Refer) {
            let params = match &errand.place {
                Place::Call(call) | Place::Early(call, _) => self.contact_params(*call),
                Place::Outside(_) | Place::Subscription(..) | Place::Watcher(_) => SmolStr::default(),
            };
            let contact = self.local.contact(hop, anonymous, &params);
            writer = writer.header(HeaderName::Contact, contact);
        }
        for (name, value) in &errand.fields {
            writer = writer.field(name, value);
        }
        writer = writer.header(HeaderName::UserAgent, &self.config.user_agent);
        let body = errand.content.as_ref().map_or(&[][..], |content| &content.body);
        writer = self.authorize(writer, &mut errand.attempt, &method, &uri, body);
        let message = match &errand.content {
            Some(content) => writer.body(&content.content_type, &content.body),
            None => writer.finish(),
        };
        let bytes = message.len();
        Request::parse(message).map_err(|_| RequestError::TooLarge { bytes, most: limits::MESSAGE_BYTES })
    }

    /// The dialog of a place, to write the next request in it.
    pub(super) fn dialog_at(&mut self, place: &Place) -> Option<&mut Dialog> {
        match place {
            Place::Outside(_) => None,
            Place::Early(call, dialog) => self.usage_mut(*call, dialog).map(|usage| &mut usage.dialog),
            // Its BYE has the next CSeq.
            Place::Call(call) => {
                let living = self.calls.get_mut(call).filter(|call| !call.ended);
                living.and_then(|call| call.usage.as_mut()).map(|usage| &mut usage.dialog)
            }
            Place::Subscription(id, source) => {
                let found = self.subscriptions.get(id)?;
                match found.transfer.as_ref().filter(|_| found.machine.shares(*source)) {
                    Some(transfer) => {
                        let (call, dialog) = (transfer.call?, transfer.dialog.clone());
                        self.shared_dialog(call, &dialog)
                    }
                    None => self.subscriptions.get_mut(id)?.machine.dialog_mut(*source),
                }
            }
            Place::Watcher(id) => {
                let found = self.watchers.get(id)?;
                match found.referral.as_ref().filter(|_| found.machine.shares()) {
                    Some(referral) => {
                        let (call, dialog) = (referral.call?, found.machine.id().clone());
                        self.shared_dialog(call, &dialog)
                    }
                    None => self.watchers.get_mut(id)?.machine.dialog_mut(),
                }
            }
        }
    }

    /// A call's dialog for the subscriptions in it. Not while its BYE is on the way, which has the next CSeq.
    pub(super) fn shared_dialog(&mut self, call: CallId, dialog: &DialogId) -> Option<&mut Dialog> {
        let living = self.calls.get(&call).is_some_and(|call| !call.ended);
        self.usage_mut(call, dialog).filter(|_| living).map(|usage| &mut usage.dialog)
    }
}
