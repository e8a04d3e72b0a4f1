use std::vec::Vec;

use super::solo::Solo;
use super::{ANSWER, OFFER};
use crate::message::Method;
use crate::time::Duration;
use crate::user_agent::call::Usage;
use crate::user_agent::{End, Event, Side};

/// §13.2.2.4: of a fork's answers the first is the call; each other one gets ACK and BYE.
#[test]
fn further_answers_are_acknowledged_and_hung_up() {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    for tag in ["one", "two", "three"] {
        solo.reply_tagged(&invite, 180, Some(tag), "Contact: <sip:bob@192.0.2.7>\r\n", "");
    }
    solo.events.clear();
    solo.answer(&invite, "two");
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(ANSWER.into()) });
    assert_eq!(solo.request(&Method::Ack).to_tag(), Some("two"));
    solo.answer(&invite, "one");
    let ack = solo.request(&Method::Ack);
    assert_eq!((ack.to_tag(), ack.uri()), (Some("one"), "sip:bob-one@192.0.2.7"));
    let bye = solo.request(&Method::Bye);
    assert_eq!((bye.to_tag(), bye.uri()), (Some("one"), "sip:bob-one@192.0.2.7"));
    // Retransmissions of both get their own ACK, and no further BYE.
    solo.answer(&invite, "one");
    assert_eq!(solo.request(&Method::Ack).to_tag(), Some("one"));
    solo.answer(&invite, "two");
    assert_eq!(solo.request(&Method::Ack).to_tag(), Some("two"));
    solo.reply(&bye, 200, "", "");
    solo.nothing_sent();
    assert!(solo.events.is_empty(), "the user hears nothing of it");
    // The call stands on its own dialog.
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    assert_eq!(bye.to_tag(), Some("two"));
    solo.reply(&bye, 200, "", "");
    assert_eq!(solo.events.back(), Some(&Event::Released { call }));
    // One that comes even later.
    solo.answer(&invite, "three");
    assert_eq!(solo.request(&Method::Ack).to_tag(), Some("three"));
    assert_eq!(solo.request(&Method::Bye).to_tag(), Some("three"));
    solo.advance(Duration::from_secs(64));
    assert_eq!(solo.ua.poll_timeout(), None);
}

/// RFC 3261 §12.2.1.1: "strictly monotonically increasing": what was said in the early dialog of a fork counts when it is hung up.
#[test]
fn rfc3261_12_2_1_1_the_bye_of_a_fork_that_loses_goes_on_counting() {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let fields = "Require: 100rel\r\nRSeq: 1\r\nContact: <sip:bob@192.0.2.7>\r\nAllow: UPDATE\r\n";
    solo.reply_tagged(&invite, 183, Some("one"), fields, ANSWER);
    let prack = solo.request(&Method::Prack);
    solo.reply_tagged(&prack, 200, Some("one"), "", "");
    solo.ua.offer(solo.now, call, &OFFER.replace("o=- 1 1", "o=- 1 2")).unwrap();
    solo.drain();
    let update = solo.request(&Method::Update);
    assert!(update.cseq().number > prack.cseq().number && prack.cseq().number > invite.cseq().number);
    solo.answer(&invite, "two");
    assert_eq!(solo.request(&Method::Ack).to_tag(), Some("two"));
    solo.answer(&invite, "one");
    let ack = solo.request(&Method::Ack);
    assert_eq!((ack.to_tag(), ack.cseq().number), (Some("one"), invite.cseq().number));
    let bye = solo.request(&Method::Bye);
    assert_eq!((bye.to_tag(), bye.uri()), (Some("one"), "sip:bob-one@192.0.2.7"), "the 2xx says where");
    assert_eq!(bye.cseq().number, update.cseq().number + 1);
    solo.answer(&invite, "one");
    solo.request(&Method::Ack);
    solo.nothing_sent();
}

#[test]
fn all_answers_to_a_cancelled_fork_are_hung_up() {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply_tagged(&invite, 100, None, "", "");
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    solo.request(&Method::Cancel);
    let mut byes = Vec::new();
    for tag in ["one", "two"] {
        solo.answer(&invite, tag);
        assert_eq!(solo.request(&Method::Ack).to_tag(), Some(tag));
        byes.push(solo.request(&Method::Bye));
    }
    for bye in byes {
        solo.reply(&bye, 200, "", "");
    }
    assert_eq!(solo.event(), Event::Ended { call, end: End::Canceled { by: Side::Local, reason: None } });
    assert_eq!(solo.event(), Event::Released { call });
    assert!(solo.events.is_empty());
}

/// Early dialogs are told apart by their tags, and hostile ones are capped.
#[test]
fn early_dialogs_are_capped() {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    for number in 0..100 {
        let tag = std::format!("tag{number}");
        solo.reply_tagged(&invite, 180, Some(&tag), "Contact: <sip:bob@192.0.2.7>\r\n", "");
    }
    assert_eq!(solo.ua.calls.get_mut(&call).unwrap().outgoing().unwrap().early.len(), crate::limits::FORKS);
    for number in 0..100 {
        solo.answer(&invite, &std::format!("tag{number}"));
    }
    let byes = solo.sent.iter().filter(|(_, _, message)| {
        matches!(message, crate::message::Message::Request(r) if *r.method() == Method::Bye)
    });
    // §13.2.2.4: each of the others gets ACK and BYE, those beyond the cap as well.
    assert_eq!(byes.count(), 99);
    let acks = solo.sent.iter().filter(|(_, _, message)| {
        matches!(message, crate::message::Message::Request(r) if *r.method() == Method::Ack)
    });
    assert_eq!(acks.count(), 100);
    let kept = solo.ua.calls.get_mut(&call).unwrap().outgoing().unwrap();
    assert!(
        kept.ack(&crate::dialog::DialogId::new(invite.call_id(), invite.from_tag().unwrap(), "tag99"))
            .is_none()
    );
    assert_eq!(solo.ua.counters().forks_beyond, 100 - crate::limits::FORKS as u64);
    // One that comes again before its BYE is answered is acknowledged again, and hung up once.
    solo.sent.clear();
    solo.answer(&invite, "tag99");
    solo.request(&Method::Ack);
    solo.nothing_sent();
}

/// §13.2.1: each fork's first description is its answer, told as it comes: the newest is what is heard. What a fork says after that
/// is none.
#[test]
fn rfc3261_13_2_1_each_forks_media_are_told_when_it_speaks() {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let of = |number: u32, version: u32| ANSWER.replace("o=- 2 1", &std::format!("o=- {number} {version}"));
    let rows = [
        ("one", of(21, 1), Some(of(21, 1)), 21),
        ("two", of(22, 1), Some(of(22, 1)), 22),
        ("one", of(21, 2), None, 22),
    ];
    for (tag, says, told, newest) in rows {
        solo.reply_tagged(&invite, 183, Some(tag), "Contact: <sip:bob@192.0.2.7>\r\n", &says);
        let progress = Event::Progress { call, status: 183, reason: "Session Progress".into(), sdp: told };
        assert_eq!(solo.event(), progress);
        assert!(solo.events.is_empty());
        assert_eq!(solo.ua.session(call).unwrap().remote().unwrap(), of(newest, 1).as_bytes());
    }
    // Whoever answers is the call, with what that fork said.
    solo.reply_tagged(&invite, 200, Some("one"), "Contact: <sip:bob@192.0.2.7>\r\n", &of(21, 1));
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(of(21, 1)) });
    assert_eq!(solo.ua.session(call).unwrap().remote().unwrap(), of(21, 1).as_bytes());
}

/// A description that is kept is one buffer, however many dialogs have it.
#[test]
fn rfc3261_13_2_1_all_forks_share_one_offer() {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    for tag in ["one", "two", "three"] {
        solo.reply_tagged(&invite, 183, Some(tag), "Contact: <sip:bob@192.0.2.7>\r\n", ANSWER);
    }
    let call = solo.ua.calls.get(&call).unwrap();
    let offer = |usage: &Usage| usage.negotiation.local().or(usage.negotiation.pending()).unwrap().as_ptr();
    let offers: Vec<_> = call.usages().map(offer).collect();
    assert_eq!(offers, [offers[0]; 3]);
}
