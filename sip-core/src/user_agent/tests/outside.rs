//! REFER outside calls (RFC 3515 §2.4.1, RFC 7647), and requests that name a call by Target-Dialog (RFC 4538).

use std::format;
use std::string::String;
use std::vec::Vec;

use super::incoming::{established, offered};
use super::pair::{Pair, Who};
use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER, config, entropy};
use crate::message::typed::{ReferTo, ReferredBy, TargetDialog};
use crate::message::{HeaderName, Method, Request, Response};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{
    CallError, CallId, CallState, Cause, Event, Input, Replacement, RequestError, TransferEnd, TransferId,
    TransferUpdate, UserAgent,
};

use Who::{Alice, Bob};

fn referrable() -> Solo {
    let mut config = config("sip:alice@example.com");
    config.referrals = true;
    Solo::with(config, Transport::Wss)
}

/// Alice asks carol to call dave.
fn referred(solo: &mut Solo, told: bool) -> (TransferId, Request) {
    let transfer = solo.ua.refer(solo.now, "carol", "dave", told).unwrap();
    solo.drain();
    (transfer, solo.request(&Method::Refer))
}

/// The NOTIFY of who took the REFER under this tag.
fn notify(solo: &mut Solo, refer: &Request, tag: &str, cseq: u32, state: &str, body: &str) {
    let lines = [
        format!("From: <sip:carol@example.com>;tag={tag}"),
        format!("To: <sip:alice@example.com>;tag={}", refer.from_tag().unwrap()),
        format!("Call-ID: {}", refer.call_id()),
        format!("CSeq: {cseq} NOTIFY"),
        format!("Contact: <sip:{tag}@192.0.2.7>"),
        String::from("Event: refer"),
        format!("Subscription-State: {state}"),
        String::from("Content-Type: message/sipfrag"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    solo.send("NOTIFY", &lines, &format!("{body}\r\n"));
    solo.response(200);
}

#[track_caller]
fn update(solo: &mut Solo, of: TransferId, about: Option<CallId>) -> TransferUpdate {
    match solo.event() {
        Event::Transfer { transfer, call, update } if (transfer, call) == (of, about) => update,
        other => panic!("{other:?}"),
    }
}

const OVER: &str = "terminated;reason=noresource";
const DONE: TransferUpdate = TransferUpdate::Ended(TransferEnd::Done);

#[test]
fn rfc3515_2_4_1_a_refer_outside_calls() {
    let mut solo = Solo::new();
    let (transfer, refer) = referred(&mut solo, true);
    let headers = refer.headers();
    assert_eq!((refer.uri(), refer.to_tag()), ("sip:carol@example.com", None));
    let to = headers.typed::<ReferTo<'_>>().unwrap().unwrap();
    let by = headers.typed::<ReferredBy<'_>>().unwrap().unwrap();
    assert_eq!((to.uri, by.uri), ("sip:dave@example.com", "sip:alice@example.com"));
    assert!(headers.has(HeaderName::Contact) && !headers.has(HeaderName::TargetDialog));
    assert!(!headers.has(HeaderName::ReferSub));
    // §22.2 of RFC 3261: the NOTIFYs are known by the CSeq of the REFER that was taken.
    let challenge = "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"n\", algorithm=MD5\r\n";
    solo.reply(&refer, 407, challenge, "");
    let refer = solo.request(&Method::Refer);
    solo.reply(&refer, 202, "", "");
    assert_eq!(update(&mut solo, transfer, None), TransferUpdate::Accepted);
    notify(&mut solo, &refer, "c1", 1, "active;expires=60", "SIP/2.0 180 Ringing");
    let ringing = TransferUpdate::Progress { status: 180, reason: "Ringing".into() };
    assert_eq!(update(&mut solo, transfer, None), ringing);
    notify(&mut solo, &refer, "c1", 2, OVER, "SIP/2.0 200 OK");
    assert_eq!(update(&mut solo, transfer, None), DONE);
    solo.advance(Duration::from_secs(40));
    assert!(solo.events.is_empty() && solo.ua.load().is_empty(), "{:?}", solo.ua.load());
    // Refused, unanswerable, and not to be asked.
    let (transfer, refer) = referred(&mut solo, true);
    solo.reply(&refer, 603, "", "");
    let TransferUpdate::Ended(TransferEnd::Failed(failure)) = update(&mut solo, transfer, None) else {
        panic!()
    };
    assert_eq!(failure.cause, Cause::Declined);
    assert_eq!(solo.ua.refer(solo.now, "carol", "a b", true), Err(RequestError::InvalidTarget));
    solo.close();
    assert_eq!(solo.ua.refer(solo.now, "carol", "dave", true), Err(RequestError::Offline));
}

#[test]
fn rfc3515_3_9_of_several_that_take_it_one_success_counts() {
    let mut solo = Solo::new();
    let (transfer, refer) = referred(&mut solo, true);
    solo.reply(&refer, 200, "", "");
    solo.events.clear();
    for tag in ["c1", "c2"] {
        notify(&mut solo, &refer, tag, 1, "active;expires=60", "SIP/2.0 100 Trying");
    }
    solo.events.clear();
    notify(&mut solo, &refer, "c1", 2, OVER, "SIP/2.0 486 Busy Here");
    assert!(solo.events.is_empty(), "the other goes on");
    notify(&mut solo, &refer, "c2", 2, OVER, "SIP/2.0 200 OK");
    assert_eq!(update(&mut solo, transfer, None), DONE);
}

/// The first refusal is no outcome while another may have taken it: until Timer N.
#[test]
fn rfc3515_3_9_the_first_refusal_is_not_the_outcome() {
    let failed = |solo: &mut Solo, transfer| match update(solo, transfer, None) {
        TransferUpdate::Ended(TransferEnd::Failed(failure)) => failure.status,
        other => panic!("{other:?}"),
    };
    for (state, others) in
        [(OVER, true), (OVER, false), ("active;expires=60", true), ("active;expires=60", false)]
    {
        let mut solo = Solo::new();
        let (transfer, refer) = referred(&mut solo, true);
        solo.reply(&refer, 202, "", "");
        solo.events.clear();
        notify(&mut solo, &refer, "c1", 1, state, "SIP/2.0 486 Busy Here");
        assert!(solo.events.is_empty(), "{state}");
        solo.advance(Duration::from_secs(10));
        if others {
            notify(&mut solo, &refer, "c2", 1, OVER, "SIP/2.0 200 OK");
            assert_eq!(update(&mut solo, transfer, None), DONE);
        } else {
            solo.advance(Duration::from_secs(22));
            assert_eq!(failed(&mut solo, transfer), Some(486));
        }
        solo.advance(Duration::from_secs(64));
        assert!(solo.events.is_empty(), "{:?}", solo.events);
        assert_eq!(solo.ua.load().subscriptions, 0);
    }
    // A GRUU is one device's (RFC 5627 §1): its refusal is told at once.
    let mut solo = Solo::new();
    let transfer = solo.ua.refer(solo.now, "sip:carol@example.com;gr=x", "dave", true).unwrap();
    solo.drain();
    let refer = solo.request(&Method::Refer);
    solo.reply(&refer, 202, "", "");
    solo.events.clear();
    notify(&mut solo, &refer, "c1", 1, OVER, "SIP/2.0 486 Busy Here");
    assert_eq!(failed(&mut solo, transfer), Some(486));
}

/// Timer N is about who was asked: while the REFER waits for a flow, and anew when it goes out again.
#[test]
fn rfc6665_4_1_2_4_timer_n_of_a_refer_whose_flow_is_lost() {
    let mut solo = Solo::new();
    let (transfer, refer) = referred(&mut solo, true);
    solo.advance(Duration::from_secs(20));
    solo.close();
    solo.advance(Duration::from_secs(20));
    assert!(solo.events.is_empty());
    solo.reopen(2);
    assert_eq!(solo.request(&Method::Refer).bytes(), refer.bytes());
    solo.advance(Duration::from_secs(25));
    assert!(solo.events.is_empty(), "{:?}", solo.events);
    solo.reply(&refer, 202, "", "");
    assert_eq!(update(&mut solo, transfer, None), TransferUpdate::Accepted);
    notify(&mut solo, &refer, "c1", 1, "active;expires=60", "SIP/2.0 100 Trying");
    solo.events.clear();
    // What is told while the flow is down is asked for over the next.
    solo.close();
    solo.reopen(3);
    let subscribe = solo.request(&Method::Subscribe);
    assert_eq!((subscribe.uri(), subscribe.to_tag()), ("sip:c1@192.0.2.7", Some("c1")));
    solo.reply(&subscribe, 200, "Expires: 60\r\n", "");
    notify(&mut solo, &refer, "c1", 2, OVER, "SIP/2.0 200 OK");
    assert_eq!(update(&mut solo, transfer, None), DONE);
}

#[test]
fn rfc4488_4_a_refer_that_wants_to_hear_nothing() {
    let mut solo = Solo::new();
    let (transfer, refer) = referred(&mut solo, false);
    assert_eq!(refer.headers().first(HeaderName::ReferSub), Some("false"));
    assert!(refer.headers().lists(HeaderName::Supported, "norefersub"));
    solo.reply(&refer, 200, "Refer-Sub: false\r\n", "");
    assert_eq!(update(&mut solo, transfer, None), TransferUpdate::Ended(TransferEnd::Unknown));
    assert!(solo.ua.load().subscriptions == 0);
    // It is not granted: "an implicit subscription is created as in the default case".
    let (transfer, refer) = referred(&mut solo, false);
    solo.reply(&refer, 200, "", "");
    assert_eq!(update(&mut solo, transfer, None), TransferUpdate::Accepted);
    notify(&mut solo, &refer, "c1", 1, OVER, "SIP/2.0 200 OK");
    assert_eq!(update(&mut solo, transfer, None), DONE);
}

/// A call with bob, whose 2xx says this.
fn calling(solo: &mut Solo, contact: &str, supported: &str) -> (CallId, Request) {
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert!(invite.headers().lists(HeaderName::Supported, "tdialog"));
    let fields = format!("Contact: <{contact}>\r\nSupported: {supported}\r\n");
    solo.reply(&invite, 200, &fields, ANSWER);
    solo.request(&Method::Ack);
    solo.events.clear();
    (call, invite)
}

const GRUU: &str = "sip:bob@example.com;gr=urn:uuid:1";

#[test]
fn rfc7647_4_a_call_is_transferred_outside_its_dialog_where_that_is_possible() {
    for (contact, supported, outside) in [
        (GRUU, "tdialog, replaces", true),
        (GRUU, "replaces", false),
        ("sip:bob@192.0.2.7", "tdialog", false),
    ] {
        let mut solo = Solo::new();
        let (call, invite) = calling(&mut solo, contact, supported);
        let transfer = solo.ua.transfer(solo.now, call, "carol").unwrap();
        solo.drain();
        let refer = solo.request(&Method::Refer);
        let headers = refer.headers();
        assert_eq!(refer.uri(), contact);
        assert_eq!(
            (refer.to_tag(), refer.call_id() == invite.call_id()),
            match outside {
                true => (None, false),
                false => (Some("callee"), true),
            }
        );
        let named = headers.typed::<TargetDialog<'_>>().unwrap();
        assert_eq!(named.is_some(), outside);
        assert_eq!(headers.lists(HeaderName::Require, "tdialog"), outside);
        let Some(named) = named else { continue };
        // RFC 4538 §3: as its receiver sees them.
        let expected = (invite.call_id(), "callee", invite.from_tag().unwrap());
        assert_eq!((named.call_id, named.local_tag, named.remote_tag), expected);
        // RFC 7989 §10.9.
        let session = |request: &Request| request.headers().first(HeaderName::SessionId).map(String::from);
        assert_eq!(session(&refer), session(&invite));
        assert_eq!(solo.ua.transfer(solo.now, call, "dave"), Err(RequestError::TooMany));
        solo.reply(&refer, 200, "", "");
        assert_eq!(update(&mut solo, transfer, Some(call)), TransferUpdate::Accepted);
        notify(&mut solo, &refer, "c1", 1, OVER, "SIP/2.0 200 OK");
        assert_eq!(update(&mut solo, transfer, Some(call)), DONE);
        // Nothing that is said outside ends the call.
        solo.ua.transfer(solo.now, call, "carol").unwrap();
        solo.drain();
        let refer = solo.request(&Method::Refer);
        solo.reply(&refer, 481, "", "");
        assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    }
}

/// Bob refers alice, outside calls.
fn ask(solo: &mut Solo, more: &[&str]) -> Event {
    let cseq = format!("CSeq: {} REFER", solo.serial + 7);
    let mut lines = [
        "From: <sip:bob@example.com>;tag=bobtag",
        "To: <sip:alice@example.com>",
        "Call-ID: refer-1",
        &cseq,
        "Contact: <sip:bob@z.invalid;transport=ws>",
        "Record-Route: <sip:p1.example;lr>",
        "Refer-To: <sip:carol@example.com>",
    ]
    .to_vec();
    lines.extend(more);
    solo.events.clear();
    solo.send("REFER", &lines, "");
    solo.event()
}

#[test]
fn rfc3515_2_4_2_a_refer_outside_calls_is_told_and_done_with_leave() {
    let mut solo = referrable();
    let Event::Referred { call: None, from, referral, target, .. } = ask(&mut solo, &[]) else { panic!() };
    assert_eq!((&*from.uri, &*target), ("sip:bob@example.com", "sip:carol@example.com"));
    solo.nothing_sent();
    solo.ua.accept_refer(solo.now, referral, OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let ok = solo.response(200);
    // RFC 6665 §4.2.1.2: the 2xx makes the dialog of the NOTIFYs.
    let tag = ok.to_tag().unwrap();
    assert!(ok.headers().has(HeaderName::Contact));
    assert_eq!(ok.headers().first(HeaderName::RecordRoute), Some("<sip:p1.example;lr>"));
    let told = |solo: &mut Solo, body: &str| {
        let notify = solo.request(&Method::Notify);
        assert_eq!((notify.from_tag(), notify.to_tag()), (Some(tag), Some("bobtag")));
        assert_eq!((notify.call_id(), notify.uri()), ("refer-1", "sip:bob@z.invalid;transport=ws"));
        assert_eq!(notify.headers().first(HeaderName::Route), Some("<sip:p1.example;lr>"));
        assert!(notify.body().starts_with(body.as_bytes()));
        solo.reply(&notify, 200, "", "");
    };
    told(&mut solo, "SIP/2.0 100");
    solo.reply(&invite, 180, "Contact: <sip:carol@192.0.2.7>\r\n", "");
    told(&mut solo, "SIP/2.0 180");
    solo.answer(&invite, "carol");
    solo.request(&Method::Ack);
    told(&mut solo, "SIP/2.0 200");
    assert_eq!(solo.ua.load().watchers, 0);
    // Refused, and wanted without a word.
    let Event::Referred { referral, .. } = ask(&mut solo, &[]) else { panic!() };
    solo.events.clear();
    solo.ua.refuse_refer(solo.now, referral, 603).unwrap();
    solo.drain();
    solo.response(603);
    let mut quiet = referrable();
    let Event::Referred { referral, .. } = ask(&mut quiet, &["Refer-Sub: false"]) else { panic!() };
    quiet.ua.accept_refer(quiet.now, referral, OFFER).unwrap();
    quiet.drain();
    quiet.request(&Method::Invite);
    assert_eq!(quiet.response(200).headers().first(HeaderName::ReferSub), Some("false"));
    quiet.nothing_sent();
    // Who takes none says so.
    let mut solo = Solo::new();
    solo.send(
        "REFER",
        &["From: <sip:b@x>;tag=b", "To: <sip:alice@example.com>", "Call-ID: r", "CSeq: 1 REFER"],
        "",
    );
    solo.response(405);
}

fn naming(ok: &Response, theirs: &str) -> String {
    format!("Target-Dialog: call-1;local-tag={};remote-tag={theirs}", ok.to_tag().unwrap())
}

#[test]
fn rfc4538_4_the_call_that_is_named_is_told() {
    let mut solo = referrable();
    let (call, ok) = established(&mut solo);
    let ours = solo.ua.session_id(call).unwrap().local;
    let named = naming(&ok, "bobtag");
    let event = ask(&mut solo, &[&named, "Require: tdialog"]);
    let Event::Referred { call: Some(about), referral, .. } = event else { panic!("{event:?}") };
    assert_eq!(about, call);
    let placed = solo.ua.accept_refer(solo.now, referral, OFFER).unwrap();
    assert_eq!(solo.ua.session_id(placed).unwrap().local, ours, "RFC 7989 §6");
    solo.drain();
    solo.sent.clear();
    solo.events.clear();
    // "The header field MUST be ignored."
    for wrong in [
        naming(&ok, "liar"),
        String::from("Target-Dialog: call-1"),
        naming(&ok, "bobtag").replace("-1", "-2"),
    ] {
        let event = ask(&mut solo, &[&wrong]);
        assert!(matches!(event, Event::Referred { call: None, .. }), "{event:?}");
        solo.events.clear();
    }
    solo.sent.clear();
    for (line, about) in [(naming(&ok, "bobtag"), Some(call)), (naming(&ok, "liar"), None)] {
        let mut lines: Vec<&str> = INVITE.to_vec();
        let cseq = format!("CSeq: {} INVITE", solo.serial + 1);
        (lines[2], lines[3]) = ("Call-ID: call-2", &cseq);
        lines.push(&line);
        solo.send("INVITE", &lines, OFFER);
        solo.response(100);
        let Event::Incoming { call: second, about: told, .. } = solo.event() else { panic!() };
        assert_eq!(told, about);
        solo.ua.reject(solo.now, second, 486, None).unwrap();
        solo.drain();
        solo.response(486);
        solo.events.clear();
    }
}

#[test]
fn rfc4538_3_an_invite_names_a_call_where_it_is_understood() {
    let mut solo = Solo::new();
    let (call, invite) = calling(&mut solo, GRUU, "tdialog");
    solo.ua.call_about(solo.now, "bob", OFFER, call).unwrap();
    solo.drain();
    let second = solo.request(&Method::Invite);
    let named = second.headers().typed::<TargetDialog<'_>>().unwrap().unwrap();
    let expected = (invite.call_id(), "callee", invite.from_tag().unwrap());
    assert_eq!((named.call_id, named.local_tag, named.remote_tag), expected);
    assert!(second.headers().lists(HeaderName::Require, "tdialog"));
    let mut solo = Solo::new();
    let (call, _) = calling(&mut solo, GRUU, "timer");
    assert_eq!(solo.ua.call_about(solo.now, "bob", OFFER, call), Err(CallError::NoTargetDialog));
    let (ringing, _) = offered(&mut solo);
    assert_eq!(solo.ua.call_about(solo.now, "bob", OFFER, ringing), Err(CallError::NoTargetDialog));
}

/// Between two user agents: bob takes alice's REFER, and carol cannot be found.
#[test]
fn rfc3515_2_4_5_what_became_of_it_between_two() {
    let mut pair = Pair::new(Transport::Udp, 9);
    let mut config = config("sip:bob@example.com");
    config.referrals = true;
    pair.bob = UserAgent::new(config, entropy(77));
    let hop = pair.hop(Bob);
    pair.input(Bob, Input::FlowOpened(hop));
    pair.alice.refer(pair.time, "bob", "carol", true).unwrap();
    pair.drain();
    pair.run(Duration::from_secs(1));
    let asked = pair.of(Bob).into_iter().find_map(|event| match event {
        Event::Referred { call: None, referral, .. } => Some(referral),
        _ => None,
    });
    pair.bob.accept_refer(pair.time, asked.unwrap(), OFFER).unwrap();
    pair.drain();
    pair.drive();
    let told: Vec<TransferUpdate> = pair
        .of(Alice)
        .into_iter()
        .filter_map(|event| match event {
            Event::Transfer { update, .. } => Some(update),
            _ => None,
        })
        .collect();
    assert_eq!(told[0], TransferUpdate::Accepted);
    let Some(TransferUpdate::Ended(TransferEnd::Failed(failure))) = told.last() else { panic!("{told:?}") };
    assert_eq!((failure.cause, failure.status), (Cause::NotFound, Some(404)));
    assert!(pair.alice.load().is_empty() && pair.bob.load().is_empty());
}

/// Music on hold and park (RFC 5359 §2.3, §2.15): carol takes our place in a call of ours.
#[test]
fn rfc3891_4_a_refer_for_a_call_that_replaces_ours() {
    let mut solo = Solo::new();
    let (_, ok) = established(&mut solo);
    let info = solo.ua.dialog_info(0);
    let replaces = Replacement::of_dialog(&info.dialogs[0]).unwrap();
    let target = info.dialogs[0].remote.as_ref().and_then(|remote| remote.target.as_ref()).unwrap();
    solo.ua.refer_replacing(solo.now, "carol", &target.uri, &replaces, true).unwrap();
    solo.drain();
    let refer = solo.request(&Method::Refer);
    assert_eq!(refer.uri(), "sip:carol@example.com");
    let tag = ok.to_tag().unwrap();
    let refer_to = format!(
        "<sip:bob@y.invalid;transport=ws?Replaces=call-1%3Bto-tag%3Dbobtag%3Bfrom-tag%3D{tag}&Require=replaces>"
    );
    assert_eq!(refer.headers().first(HeaderName::ReferTo), Some(&*refer_to));
}

#[test]
fn rfc3515_2_4_4_an_outcome_that_overtakes_the_202_is_the_last_that_is_told() {
    let mut solo = Solo::new();
    let (transfer, refer) = referred(&mut solo, true);
    notify(&mut solo, &refer, "c1", 1, OVER, "SIP/2.0 200 OK");
    assert_eq!(update(&mut solo, transfer, None), DONE);
    solo.reply(&refer, 202, "", "");
    solo.advance(Duration::from_secs(40));
    assert!(solo.events.is_empty() && solo.ua.load().is_empty(), "{:?}", solo.ua.load());
}
