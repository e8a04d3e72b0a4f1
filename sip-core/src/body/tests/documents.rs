use alloc::string::ToString;

use super::samples;
use crate::body::dialog_info::{DialogEvent, DialogInfo, DialogState, Extent, Initiation};
use crate::body::is_composing::{Composing, IsComposing};
use crate::body::pidf::{Basic, Presence};
use crate::body::reginfo::{ContactEvent, ContactState, RegInfo, RegistrationState};
use crate::body::xml::XmlFault;

/// Parses, prints and parses again; hands back the value.
macro_rules! round_trip {
    ($type:ident, $document:expr) => {{
        let value = $type::parse($document.as_bytes()).unwrap();
        assert_eq!($type::parse(value.to_string().as_bytes()).unwrap(), value);
        value
    }};
}

#[test]
fn presence() {
    let presence = round_trip!(Presence, samples::PIDF);
    assert_eq!(presence.entity, "pres:someone@example.com");
    assert!(presence.is_open());
    let tuple = &presence.tuples[0];
    assert_eq!((&*tuple.id, tuple.basic), ("sg89ae", Some(Basic::Open)));
    assert_eq!(tuple.status[0].text(), "busy");
    assert_eq!(tuple.extensions[0].attribute("idle-threshold"), Some("600"));
    let contact = tuple.contact.as_ref().unwrap();
    assert_eq!((&*contact.uri, contact.priority.as_deref()), ("tel:+09012345678", Some("0.8")));
    assert_eq!(tuple.notes[0].language.as_deref(), Some("en"));
    assert_eq!(tuple.notes[0].text, "Don't Disturb & be gone");
    assert_eq!(tuple.timestamp.as_deref(), Some("2026-10-27T16:49:29Z"));
    assert_eq!(presence.tuples[1].basic, None);
    assert_eq!(presence.notes[0].text, "away");
    assert_eq!(presence.extensions.len(), 1);
}

#[test]
fn dialog_info() {
    let info = round_trip!(DialogInfo, samples::DIALOG_INFO);
    assert_eq!((info.version, info.extent, &*info.entity), (3, Extent::Partial, "sip:alice@example.com"));
    let dialog = &info.dialogs[0];
    assert_eq!((dialog.state, dialog.event), (DialogState::Terminated, Some(DialogEvent::Rejected)));
    assert_eq!((dialog.code, dialog.duration), (Some(486), Some(274)));
    assert_eq!(dialog.direction, Some(Initiation::Recipient));
    assert_eq!(dialog.replaces.as_ref().unwrap().remote_tag, "09278hsb");
    assert_eq!(dialog.referred_by.as_ref().unwrap().display_name.as_deref(), Some("Bill"));
    assert_eq!(dialog.route_set, ["sip:ss1.example.com;lr", "sip:ss2.example.com;lr"]);
    let local = dialog.local.as_ref().unwrap();
    assert_eq!(local.identity.as_ref().unwrap().display_name.as_deref(), Some("Alice"));
    let target = local.target.as_ref().unwrap();
    assert_eq!(target.params, [("isfocus".into(), Some("true".into())), ("x".into(), None)]);
    assert_eq!(local.session_description.as_ref().unwrap().1, "v=0\no=- 1 1 IN IP4 h");
    assert_eq!(local.cseq, Some(8));
    assert_eq!(dialog.extensions[0].text(), "true");
    assert_eq!(info.dialogs[1].state, DialogState::Early);
}

#[test]
fn reginfo() {
    let info = round_trip!(RegInfo, samples::REGINFO);
    assert_eq!((info.version, info.extent), (1, Extent::Full));
    let registration = &info.registrations[0];
    assert_eq!((&*registration.aor, registration.state), ("sip:user@example.com", RegistrationState::Active));
    let contact = &registration.contacts[0];
    assert_eq!((contact.state, contact.event), (ContactState::Active, ContactEvent::Registered));
    assert_eq!(
        (contact.duration_registered, contact.expires, contact.retry_after),
        (Some(7322), Some(600), Some(5))
    );
    assert_eq!((contact.q.as_deref(), contact.cseq), (Some("0.8"), Some(u64::MAX)));
    assert_eq!(contact.display_name.as_deref(), Some("User <1>"));
    assert_eq!(contact.unknown_params[0], ("+sip.instance".into(), "\"<urn:uuid:f81d4fae>\"".into()));
    assert_eq!(contact.extensions[0].attribute("uri"), Some("sip:user@example.com;gr=hha9s8d-999a"));
    assert_eq!(registration.contacts[1].event, ContactEvent::Expired);
    assert!(info.registrations[1].contacts.is_empty());
}

#[test]
fn is_composing() {
    let value = round_trip!(IsComposing, samples::IS_COMPOSING);
    assert_eq!((value.state, value.refresh), (Composing::Active, Some(90)));
    assert_eq!(value.content_type.as_deref(), Some("text/plain"));
    // §3.2: an unknown state means idle.
    let unknown = samples::IS_COMPOSING.replace(">active<", ">thinking<");
    assert_eq!(IsComposing::parse(unknown.as_bytes()).unwrap().state, Composing::Idle);
    let idle = IsComposing::new(Composing::Idle);
    assert_eq!(round_trip!(IsComposing, idle.to_string()), idle);
}

#[test]
fn what_a_vocabulary_demands() {
    let fault = |document: &str| Presence::parse(document.as_bytes()).unwrap_err().fault;
    assert_eq!(fault(samples::REGINFO), XmlFault::Vocabulary);
    assert_eq!(fault("<presence entity='x'/>"), XmlFault::Vocabulary);
    assert_eq!(fault("<presence xmlns='urn:ietf:params:xml:ns:pidf'/>"), XmlFault::Value);
    assert_eq!(fault(&samples::PIDF.replace("open", "ajar")), XmlFault::Value);
    let version = samples::DIALOG_INFO.replace("version=\"3\"", "version=\"-3\"");
    assert_eq!(DialogInfo::parse(version.as_bytes()).unwrap_err().fault, XmlFault::Value);
    let state = samples::REGINFO.replace("state=\"init\"", "state=\"x\"");
    assert_eq!(RegInfo::parse(state.as_bytes()).unwrap_err().fault, XmlFault::Value);
}
