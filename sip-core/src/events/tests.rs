//! The machines by themselves: subscriptions a REFER makes (RFC 3515 §2.4.4), documents, names.

use std::format;
use std::string::{String, ToString};

use bytes::Bytes;

use super::*;
use crate::body::Content;
use crate::body::sipfrag::SipFrag;
use crate::dialog::{Dialog, DialogId};
use crate::entropy::{SeededEntropy, number};
use crate::message::typed::{Event, TypedHeader};
use crate::message::{HeaderName, Request, Response, Writer};

const TIMER_N: Duration = Duration::from_secs(32);

fn at(seconds: u64) -> Instant {
    Instant::from_micros(1_000_000 * (1000 + seconds))
}

fn notify(tag: &str, cseq: u32, event: &str, state: &str) -> Request {
    let text = format!(
        "NOTIFY sip:alice@x.invalid SIP/2.0\r\nVia: SIP/2.0/WSS p.example;branch=z9hG4bK{tag}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:bob@example.com>;tag={tag}\r\nTo: <sip:alice@example.com>;tag=ours\r\n\
         Call-ID: c1\r\nCSeq: {cseq} NOTIFY\r\nContact: <sip:{tag}@192.0.2.7>\r\nEvent: {event}\r\n\
         Subscription-State: {state}\r\nContent-Length: 0\r\n\r\n"
    );
    Request::parse(Bytes::from(text)).unwrap()
}

fn refer() -> Request {
    let text = "REFER sip:alice@x.invalid SIP/2.0\r\nVia: SIP/2.0/WSS p.example;branch=z9hG4bKr\r\nMax-Forwards: 70\r\n\
                From: <sip:bob@example.com>;tag=theirs\r\nTo: <sip:alice@example.com>\r\nCall-ID: c1\r\n\
                CSeq: 7 REFER\r\nContact: <sip:bob@192.0.2.7>\r\nRefer-To: <sip:carol@example.com>\r\n\
                Content-Length: 0\r\n\r\n";
    Request::parse(Bytes::from(text)).unwrap()
}

/// A subscriber by a REFER with CSeq 7 in the dialog of a call.
fn of_refer() -> Subscriber {
    Subscriber::of_refer(at(0), &DialogId::new("c1", "ours", "theirs"), 7, false, TIMER_N)
}

#[test]
fn rfc3515_2_4_4_a_refer_makes_a_subscription_that_ends_for_good() {
    let mut entropy = SeededEntropy(1);
    let mut subscriber = of_refer();
    assert_eq!(subscriber.due(at(0)), None, "there is no SUBSCRIBE to send");
    let (told, verdict) = subscriber
        .receive(at(1), &notify("theirs", 1, "refer;id=7", "active;expires=60"), true, &mut entropy)
        .unwrap();
    assert_eq!(
        (told.source, told.state, told.expires),
        (Source(0), SubscriptionState::Active, Duration::from_secs(60))
    );
    assert_eq!(verdict, Verdict::GoesOn);
    assert!(subscriber.dialog_mut(Source(0)).is_none(), "it is the call's");
    // What was told while the flow was down is asked for, in the call's dialog.
    let mut away = subscriber.clone();
    away.flow_lost(at(2));
    assert_eq!(away.due(at(2)), Some(Due::Within(Source(0))));
    for (status, expected) in [
        // Who takes no SUBSCRIBE may still tell.
        (405, Verdict::GoesOn),
        (489, Verdict::GoesOn),
        (501, Verdict::GoesOn),
        // It is over there, and with what outcome nobody knows any more.
        (481, Verdict::Over(Ending::Terminated(None))),
    ] {
        let mut away = away.clone();
        away.sent(at(3), Source(0), TIMER_N);
        let answer = Response::parse(Writer::response(&refer(), status, "x", None).finish()).unwrap();
        let verdict = away.answered(at(4), Source(0), status, answer.headers(), &mut entropy);
        assert_eq!(verdict, expected, "{status}");
        assert_eq!(away.due(at(5)), None, "{status}");
    }
    // It lasts as long as the notifier says, and is refreshed like any other.
    assert_eq!(subscriber.due(at(58)), Some(Due::Within(Source(0))));
    let (_, verdict) = subscriber
        .receive(
            at(3),
            &notify("theirs", 2, "refer;id=7", "terminated;reason=noresource"),
            true,
            &mut entropy,
        )
        .unwrap();
    assert_eq!(verdict, Verdict::Over(Ending::Terminated(Some(Reason::NoResource))));
    // Whatever the reason asks for: a REFER is not repeated.
    let mut subscriber = of_refer();
    let last = notify("theirs", 1, "refer;id=7", "terminated;reason=deactivated");
    let (_, verdict) = subscriber.receive(at(1), &last, true, &mut entropy).unwrap();
    assert_eq!(verdict, Verdict::Over(Ending::Terminated(Some(Reason::Deactivated))));
    // Timer N.
    let mut subscriber = of_refer();
    assert_eq!(subscriber.timeout(true), Some(at(32)));
    assert_eq!(subscriber.handle_timeout(at(31), &mut entropy), Verdict::GoesOn);
    assert_eq!(subscriber.handle_timeout(at(32), &mut entropy), Verdict::Over(Ending::Silence));
}

#[test]
fn rfc3515_2_4_6_refers_in_one_dialog_are_told_apart() {
    let mut entropy = SeededEntropy(1);
    let mut subscriber = of_refer();
    for wrong in ["refer;id=8", "presence", "presence;id=7", "Refer"] {
        let refused = subscriber.receive(at(1), &notify("theirs", 1, wrong, "active"), true, &mut entropy);
        assert_eq!(refused.unwrap_err(), NotifyError::BadEvent, "{wrong}");
    }
    // The first REFER's may go without.
    let first = notify("theirs", 1, "refer", "active;expires=60");
    assert!(subscriber.receive(at(1), &first, true, &mut entropy).is_ok());
    // No fork answers a REFER within a dialog.
    let other = notify("other", 1, "refer;id=7", "active;expires=60");
    assert_eq!(
        subscriber.receive(at(1), &other, true, &mut entropy).unwrap_err(),
        NotifyError::NoSubscription
    );
}

#[test]
fn rfc3515_3_9_a_refer_outside_dialogs_may_fork() {
    let mut entropy = SeededEntropy(1);
    let mut subscriber = Subscriber::of_refer(at(0), &DialogId::new("c1", "ours", ""), 7, true, TIMER_N);
    for (source, tag) in [(0, "a"), (1, "b")] {
        let first = notify(tag, 1, "refer;id=7", "active;expires=60");
        let (told, _) = subscriber.receive(at(1), &first, false, &mut entropy).unwrap();
        assert_eq!(told.source, Source(source));
        let dialog = subscriber.dialog_mut(Source(source)).unwrap();
        assert_eq!((dialog.target(), &*dialog.id().remote_tag), (&*format!("sip:{tag}@192.0.2.7"), tag));
    }
    assert_eq!(subscriber.len(), 2);
    // One after the other: the end is the last one's.
    let mut over = |tag, cseq| {
        let last = notify(tag, cseq, "refer;id=7", "terminated;reason=noresource");
        subscriber.receive(at(40), &last, false, &mut entropy).unwrap().1
    };
    assert_eq!(over("a", 2), Verdict::GoesOn);
    assert_eq!(over("b", 2), Verdict::GoesOn, "until Timer N others may come");
    assert!(matches!(subscriber.handle_timeout(at(41), &mut entropy), Verdict::Over(Ending::Terminated(_))));
}

#[test]
fn a_subscription_outlives_the_call_whose_dialog_it_shared() {
    let mut entropy = SeededEntropy(1);
    let mut subscriber = of_refer();
    let first = notify("theirs", 1, "refer;id=7", "active;expires=60");
    subscriber.receive(at(1), &first, true, &mut entropy).unwrap();
    let dialog = Dialog::uas(&first, "ours").continued_from(9);
    subscriber.inherit(&dialog);
    assert_eq!(subscriber.dialog_mut(Source(0)).map(|dialog| dialog.id().clone()), Some(dialog.id().clone()));
    // Now it looks after the sequence itself.
    let late = notify("theirs", 0, "refer;id=7", "active;expires=60");
    let refused = subscriber.receive(at(2), &late, false, &mut entropy);
    assert_eq!(refused.unwrap_err(), NotifyError::OutOfOrder);
}

#[test]
fn rfc3515_2_4_4_the_taker_of_a_refer_notifies_at_once() {
    let refer = refer();
    let dialog = Dialog::uas(&refer, "ours");
    let event = EventName { package: Package::Refer, id: Some("7".into()) };
    let id = dialog.id().clone();
    let minute = Duration::from_secs(60);
    let mut notifier = Notifier::of_refer(at(0), event, id, Some(dialog), minute);
    assert_eq!(notifier.event().to_string(), "refer;id=7");
    let fragment = |status, words| Document::Refer(SipFrag::of_status(status, words)).content();
    notifier.notify(Some(fragment(100, "Trying")));
    let first = notifier.due(at(0)).unwrap();
    assert_eq!(&*first.state, "active;expires=60");
    let content = first.content.unwrap();
    assert!(content.is("message/sipfrag"));
    let Ok(Document::Refer(told)) = Document::parse(&Package::Refer, &content) else { panic!() };
    assert_eq!(told.status(), Some((100, "Trying")));
    notifier.sent();
    // The outcome ends it, and waits for the first NOTIFY's answer.
    notifier.notify(Some(fragment(200, "OK")));
    notifier.terminate(at(5), Reason::NoResource, None);
    assert_eq!(notifier.due(at(5)), None);
    assert!(notifier.answered(200));
    let last = notifier.due(at(6)).unwrap();
    assert_eq!(&*last.state, "terminated;reason=noresource");
    assert_eq!(&last.content.unwrap().body[..], b"SIP/2.0 200 OK\r\n");
    notifier.sent();
    assert!(!notifier.answered(200) && notifier.is_done());
}

#[test]
fn documents_are_read_by_their_package() {
    let summary =
        Content::new("application/simple-message-summary", String::from("Messages-Waiting: yes\r\n"));
    let Ok(Document::MessageSummary(read)) = Document::parse(&Package::MessageSummary, &summary) else {
        panic!()
    };
    assert!(read.waiting);
    assert_eq!(Document::MessageSummary(read).content(), summary);
    let wrong = Document::parse(&Package::Presence, &summary);
    assert_eq!(wrong, Err(DocumentError::MediaType("application/simple-message-summary".into())));
    for package in [Package::Presence, Package::Dialog, Package::Reg] {
        let nonsense = Content::new(package.media_type().unwrap(), String::from("<nonsense/>"));
        assert!(matches!(Document::parse(&package, &nonsense), Err(DocumentError::Xml(_))), "{package:?}");
    }
    let color = Content::new("text/color", String::from("red"));
    let package = Package::Other("color".into());
    assert_eq!(Document::parse(&package, &color).map(|document| document.content()), Ok(color.clone()));
}

#[test]
fn rfc6665_8_2_1_events_compare_byte_for_byte() {
    let rows = [
        ("foo;id=1234", "foo;param=abcd;id=1234", true),
        ("foo;id=1234", "foo", false),
        ("foo", "foo;id=1234", false),
        ("foo;id=1234", "Foo;id=1234", false),
        ("presence", "presence", true),
        ("presence", "presence.winfo", false),
    ];
    for (ours, theirs, same) in rows {
        let ours = EventName::of(&Event::parse(ours).unwrap());
        assert_eq!(ours.matches(&Event::parse(theirs).unwrap()), same, "{ours} {theirs}");
    }
    for name in ["presence", "dialog", "reg", "message-summary", "refer", "color"] {
        assert_eq!(Package::from_token(name).as_str(), name);
    }
    for reason in
        ["deactivated", "probation", "rejected", "timeout", "giveup", "noresource", "invariant", "sulk"]
    {
        assert_eq!(Reason::from_token(reason).as_str(), reason);
        assert_eq!(
            Reason::from_token(&reason.to_uppercase()) == Reason::from_token(reason),
            reason != "sulk"
        );
    }
}

/// Machines fed whatever, in whatever order: no panic, and no timer in the past that nothing answers.
#[test]
fn random_histories() {
    for seed in 0..2000 {
        let mut dice = SeededEntropy(seed);
        let mut entropy = SeededEntropy(seed ^ 0xff);
        let mut roll = |most: u64| number(&mut dice) % most;
        let mut now = at(0);
        let mut subscriber = match roll(3) {
            0 => Subscriber::new(now, EventName::new(Package::Presence), 60),
            1 => Subscriber::new(now, EventName::new(Package::Dialog), 60),
            _ => Subscriber::once(now, EventName::new(Package::Dialog)),
        };
        let event = subscriber.event().to_string();
        let headers = notify("x", 1, &event, "active").headers().clone();
        for cseq in 1..60 {
            let verdict = match roll(8) {
                0 => subscriber.answered_initial(now, 200 + 100 * roll(5) as u16, &headers, &mut entropy),
                1 => subscriber.answered(
                    now,
                    Source(roll(3) as u32),
                    [200, 481, 423, 500][roll(4) as usize],
                    &headers,
                    &mut entropy,
                ),
                2..=4 => {
                    let states =
                        ["active;expires=30", "pending", "terminated;reason=probation", "active;expires=0"];
                    let notify =
                        notify(["a", "b", "c"][roll(3) as usize], cseq, &event, states[roll(4) as usize]);
                    subscriber
                        .receive(now, &notify, false, &mut entropy)
                        .map_or(Verdict::GoesOn, |taken| taken.1)
                }
                5 => {
                    subscriber.flow_lost(now);
                    Verdict::GoesOn
                }
                6 if roll(6) == 0 => subscriber.unsubscribe(now),
                _ => subscriber.failed(now, Source(roll(3) as u32), &mut entropy),
            };
            if matches!(verdict, Verdict::Over(_)) {
                break;
            }
            let mut sends = 0;
            while let Some(due) = subscriber.due(now) {
                sends += 1;
                assert!(sends <= 12, "seed {seed}");
                match due {
                    Due::Initial => subscriber.sent_initial(now, "c1", "ours", 1, TIMER_N),
                    Due::Within(source) => subscriber.sent(now, source, TIMER_N),
                }
            }
            now += Duration::from_secs(roll(20));
            if matches!(subscriber.handle_timeout(now, &mut entropy), Verdict::Over(_)) {
                break;
            }
            let next = subscriber.timeout(false);
            assert!(next.is_none_or(|next| next > now), "seed {seed}: {next:?} is past {now:?}");
        }
    }
}

/// The answer to a refresh comes after many losses: the notifier has counted since the request first came.
#[test]
fn rfc6665_4_1_2_2_a_refresh_counts_from_when_it_was_sent() {
    let mut entropy = SeededEntropy(1);
    let mut subscriber = of_refer();
    subscriber
        .receive(at(1), &notify("theirs", 1, "refer;id=7", "active;expires=60"), true, &mut entropy)
        .unwrap();
    subscriber.sent(at(50), Source(0), TIMER_N);
    let answer = Writer::response(&refer(), 200, "x", None).header(HeaderName::Expires, "60").finish();
    let answer = Response::parse(answer).unwrap();
    assert_eq!(subscriber.answered(at(75), Source(0), 200, answer.headers(), &mut entropy), Verdict::GoesOn);
    assert_eq!(subscriber.due(at(89)), None);
    assert_eq!(subscriber.due(at(105)), Some(Due::Within(Source(0))));
}

/// So does one that comes late itself: what it says was left when it was written.
#[test]
fn rfc6665_4_1_3_a_late_notify_puts_no_refresh_off() {
    let mut entropy = SeededEntropy(1);
    let mut subscriber = of_refer();
    let state = |cseq, left: u32| notify("theirs", cseq, "refer;id=7", &format!("active;expires={left}"));
    subscriber.receive(at(1), &state(1, 60), true, &mut entropy).unwrap();
    // Written at 51, when 10 s were left.
    subscriber.receive(at(58), &state(2, 10), true, &mut entropy).unwrap();
    assert_eq!(subscriber.due(at(58)), Some(Due::Within(Source(0))));
}
