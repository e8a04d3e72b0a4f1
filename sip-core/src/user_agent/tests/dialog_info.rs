//! What is told of our own calls (RFC 4235).

use std::string::ToString;

use super::OFFER;
use super::incoming::{established, offered};
use super::solo::Solo;
use crate::body::dialog_info::{DialogInfo, DialogState, Initiation};
use crate::message::Method;
use crate::user_agent::Replacement;

/// The dialogs of the document, which is read back from its text.
fn told(solo: &Solo) -> std::vec::Vec<crate::body::dialog_info::Dialog> {
    let info = solo.ua.dialog_info(7);
    let read = DialogInfo::parse(info.to_string().as_bytes()).unwrap();
    assert_eq!(read, info);
    assert_eq!((read.version, &*read.entity), (7, "sip:alice@example.com"));
    read.dialogs
}

#[test]
fn rfc4235_3_7_1_an_outgoing_call_is_trying_then_early_then_confirmed() {
    let mut solo = Solo::new();
    assert!(told(&solo).is_empty());
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let [dialog] = &told(&solo)[..] else { panic!() };
    assert_eq!((dialog.state, dialog.direction), (DialogState::Trying, Some(Initiation::Initiator)));
    assert_eq!(dialog.call_id.as_deref(), Some(invite.call_id()));
    assert_eq!((dialog.local_tag.as_deref(), &dialog.remote_tag), (invite.from_tag(), &None));
    assert_eq!(Replacement::of_dialog(dialog), None);

    // Two forks ring, and each is a dialog (§3.7.2).
    solo.reply(&invite, 180, "Contact: <sip:bob@192.0.2.7>\r\n", "");
    solo.reply_tagged(&invite, 180, Some("othertag"), "Contact: <sip:bob@192.0.2.8>\r\n", "");
    let [first, second] = &told(&solo)[..] else { panic!() };
    assert_eq!([first.state, second.state], [DialogState::Early; 2]);
    assert_ne!(first.id, second.id);
    assert_eq!([first, second].map(|d| d.remote_tag.clone().unwrap()), ["callee", "othertag"]);
    let target = first.remote.as_ref().and_then(|remote| remote.target.as_ref());
    assert_eq!(target.map(|target| &*target.uri), Some("sip:bob@192.0.2.7"));
}

#[test]
fn rfc4235_3_7_1_an_incoming_call_has_no_tag_of_ours_before_it_rings() {
    let mut solo = Solo::new();
    let (call, _) = offered(&mut solo);
    let [dialog] = &told(&solo)[..] else { panic!() };
    assert_eq!((dialog.state, dialog.direction), (DialogState::Trying, Some(Initiation::Recipient)));
    assert_eq!((&dialog.local_tag, dialog.remote_tag.as_deref()), (&None, Some("bobtag")));
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    let tag = solo.response(180).to_tag().unwrap().to_string();
    let [dialog] = &told(&solo)[..] else { panic!() };
    assert_eq!((dialog.state, dialog.local_tag.as_deref()), (DialogState::Early, Some(&*tag)));

    // As bob knows it, whom the call is picked up from.
    let replacement = Replacement::of_dialog(dialog).unwrap();
    assert_eq!(replacement.to_string(), std::format!("call-1;to-tag=bobtag;from-tag={tag}"));
}

#[test]
fn rfc4235_3_7_1_a_call_that_stands_is_confirmed_and_one_that_ended_is_not_told() {
    let mut solo = Solo::new();
    let (call, _) = established(&mut solo);
    let [dialog] = &told(&solo)[..] else { panic!() };
    assert_eq!(dialog.state, DialogState::Confirmed);
    let remote = dialog.remote.as_ref().and_then(|remote| remote.identity.as_ref());
    assert_eq!(remote.map(|identity| &*identity.uri), Some("sip:bob@example.com"));
    solo.ua.hangup(solo.now, call).unwrap();
    assert!(told(&solo).is_empty());
}
