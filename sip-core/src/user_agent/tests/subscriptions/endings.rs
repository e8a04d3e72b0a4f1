//! How subscriptions end and begin anew: reasons, refusals, lost flows, caps.

use super::*;

#[test]
fn rfc6665_4_1_3_what_each_reason_asks_for() {
    let retries = [
        ("deactivated", 0, 0),
        ("deactivated;retry-after=600", 0, 0),
        ("timeout", 0, 0),
        ("timeout;retry-after=600", 0, 0),
        ("probation;retry-after=600", 600, 600),
        ("probation", 15, 30),
        ("giveup;retry-after=600", 600, 600),
        ("giveup", 15, 30),
        ("sulking", 15, 30),
        ("sulking;retry-after=600", 600, 600),
    ];
    for (reason, least, most) in retries {
        let mut solo = Solo::new();
        let (id, request) = standing(&mut solo);
        solo.advance(secs(60));
        let mut bob = Notifier { subscribe: &request, tag: "n1", cseq: 5 };
        bob.notify(&mut solo, &format!("terminated;reason={reason}"), "");
        solo.response(200);
        notified(&mut solo, id);
        let wait = retrying(&mut solo, id);
        assert!(wait >= secs(least) && wait <= secs(most), "{reason}: {wait:?}");
        solo.advance(wait);
        let anew = solo.request(&Method::Subscribe);
        assert!(anew.to_tag().is_none() && !anew.headers().has(HeaderName::Route), "{reason}");
    }
    let ends = [
        ("rejected", Reason::Rejected),
        ("noresource;retry-after=600", Reason::NoResource),
        ("invariant;retry-after=31536000", Reason::Invariant),
    ];
    for (text, reason) in ends {
        let mut solo = Solo::new();
        let (id, request) = standing(&mut solo);
        let mut bob = Notifier { subscribe: &request, tag: "n1", cseq: 5 };
        bob.notify(&mut solo, &format!("terminated;reason={text}"), "");
        solo.response(200);
        notified(&mut solo, id);
        assert_eq!(ended(&mut solo, id), SubscriptionEnd::Terminated(Some(reason)));
        solo.advance(secs(7200));
        solo.nothing_sent();
    }
}

#[test]
fn a_notifier_that_ends_each_subscription_at_once_is_not_asked_in_a_loop() {
    let mut solo = Solo::new();
    let (id, mut request) = subscribe(&mut solo);
    let start = solo.now;
    for _ in 0..6 {
        solo.reply(&request, 200, "Expires: 3600\r\n", "");
        let mut bob = notifier(&request, "n1");
        bob.notify(&mut solo, "active;expires=3600", PIDF);
        solo.response(200);
        bob.notify(&mut solo, "terminated;reason=deactivated", "");
        solo.response(200);
        notified(&mut solo, id);
        notified(&mut solo, id);
        let wait = retrying(&mut solo, id);
        assert!(wait >= secs(15), "{wait:?}");
        solo.advance(wait);
        request = solo.request(&Method::Subscribe);
    }
    assert!(solo.now.since(start) >= secs(90));
}

#[test]
fn refusals_of_the_first_subscribe() {
    for status in [403, 404, 406, 481, 489, 501, 603] {
        let mut solo = Solo::new();
        let (id, request) = subscribe(&mut solo);
        solo.reply(&request, status, "", "");
        let SubscriptionEnd::Failed(failure) = ended(&mut solo, id) else { panic!() };
        assert_eq!(failure.status, Some(status));
    }
    for status in [408, 480, 500, 503, 504] {
        let mut solo = Solo::new();
        let (id, request) = subscribe(&mut solo);
        solo.reply(&request, status, "Retry-After: 100\r\n", "");
        assert_eq!(retrying(&mut solo, id), secs(100), "{status}");
        solo.advance(secs(100));
        let again = solo.request(&Method::Subscribe);
        solo.reply(&again, status, "", "");
        let wait = retrying(&mut solo, id);
        assert!(wait >= secs(30) && wait <= secs(60), "{status}: {wait:?}");
        solo.ua.unsubscribe(solo.now, id).unwrap();
        solo.drain();
        assert_eq!(ended(&mut solo, id), SubscriptionEnd::Done);
    }
}

#[test]
fn rfc3261_22_2_a_challenged_subscribe() {
    let challenge = "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\"\r\n";
    let mut solo = Solo::new();
    let (id, first) = subscribe(&mut solo);
    solo.reply(&first, 401, challenge, "");
    let second = solo.request(&Method::Subscribe);
    assert_eq!((second.call_id(), second.from_tag()), (first.call_id(), first.from_tag()));
    assert!(second.headers().has(HeaderName::Authorization));
    notifier(&second, "n1").notify(&mut solo, "active;expires=3600", PIDF);
    solo.response(200);
    notified(&mut solo, id);
    solo.reply(&second, 200, "Expires: 3600\r\n", "");
    // In the dialog our CSeq goes on after the second.
    let refresh = next_subscribe(&mut solo);
    assert_eq!(refresh.cseq().number, second.cseq().number + 1);
    solo.reply(&refresh, 401, &challenge.replace("\"n\"", "\"m\"").replace("qop", "stale=true, qop"), "");
    let again = solo.request(&Method::Subscribe);
    assert_eq!((again.cseq().number, again.to_tag()), (refresh.cseq().number + 1, Some("n1")));
    // A wrong password is no reason to go on.
    let mut solo = Solo::new();
    let (id, first) = subscribe(&mut solo);
    solo.reply(&first, 401, challenge, "");
    let second = solo.request(&Method::Subscribe);
    solo.reply(&second, 401, &challenge.replace("\"n\"", "\"m\""), "");
    assert!(
        matches!(ended(&mut solo, id), SubscriptionEnd::Failed(failure) if failure.cause == Cause::WrongPassword)
    );
}

#[test]
fn a_subscription_outlives_its_flow() {
    let mut solo = Solo::registered();
    let (id, request) = standing(&mut solo);
    solo.close();
    solo.advance(secs(600));
    assert!(solo.events.is_empty());
    solo.nothing_sent();
    solo.reopen(2);
    assert_eq!(solo.sent.len(), 1, "REGISTER first");
    solo.accept_register(600);
    let refresh = solo.request(&Method::Subscribe);
    assert_eq!((refresh.call_id(), refresh.to_tag()), (request.call_id(), Some("n1")));
    solo.events.clear();
    // That flow is lost, too, with the refresh on it.
    again_over(&mut solo, 3, &refresh);
    let mut bob = Notifier { subscribe: &request, tag: "n1", cseq: 5 };
    bob.notify(&mut solo, "active;expires=3600", PIDF);
    solo.response(200);
    notified(&mut solo, id);
    solo.reply(&refresh, 200, "Expires: 3600\r\n", "");
    solo.advance(secs(60));
    assert!(solo.events.is_empty());
    solo.nothing_sent();
}

/// Over the next flow, and registered there, the same SUBSCRIBE goes out under its branch.
#[track_caller]
fn again_over(solo: &mut Solo, flow: u64, subscribe: &Request) {
    solo.close();
    solo.reopen(flow);
    solo.accept_register(600);
    solo.events.clear();
    assert_eq!(solo.request(&Method::Subscribe).bytes(), subscribe.bytes());
    solo.nothing_sent();
}

/// Who has it already is not asked twice, and makes no second subscription.
#[test]
fn rfc3261_17_2_3_the_first_subscribe_is_repeated_under_its_branch() {
    let mut solo = Solo::registered();
    let (id, request) = subscribe(&mut solo);
    again_over(&mut solo, 2, &request);
    solo.advance(secs(20));
    // As often as it takes: Timer N begins anew.
    again_over(&mut solo, 3, &request);
    solo.advance(secs(31));
    solo.reply(&request, 200, "Expires: 3600\r\n", "");
    notifier(&request, "n1").notify(&mut solo, "active;expires=3600", PIDF);
    solo.response(200);
    notified(&mut solo, id);
    assert!(solo.events.is_empty());
    solo.nothing_sent();
    // Its NOTIFY came before its answer: the dialog tells what was missed.
    let (id, request) = subscribe(&mut solo);
    notifier(&request, "n2").notify(&mut solo, "active;expires=3600", PIDF);
    solo.response(200);
    notified(&mut solo, id);
    solo.close();
    solo.reopen(4);
    solo.accept_register(600);
    assert_eq!(solo.request(&Method::Subscribe).bytes(), request.bytes());
    let mut refreshed = [solo.request(&Method::Subscribe), solo.request(&Method::Subscribe)];
    refreshed.sort_by_key(|refresh| refresh.to_tag().map(ToString::to_string));
    assert_eq!(refreshed.map(|refresh| refresh.to_tag().unwrap().to_string()), ["n1", "n2"]);
    solo.nothing_sent();
}

/// By then nobody answers by its branch.
#[test]
fn a_subscribe_that_waits_too_long_for_a_flow_is_written_anew() {
    let mut solo = Solo::registered();
    let (old, standing) = standing(&mut solo);
    solo.ua.refresh_subscription(solo.now, old).unwrap();
    solo.drain();
    solo.request(&Method::Subscribe);
    let (_, request) = subscribe(&mut solo);
    solo.close();
    solo.advance(secs(600));
    assert!(solo.events.is_empty(), "{:?}", solo.events);
    solo.reopen(2);
    solo.accept_register(600);
    solo.events.clear();
    let refresh = solo.request(&Method::Subscribe);
    assert_eq!(refresh.call_id(), standing.call_id());
    let anew = solo.request(&Method::Subscribe);
    assert_ne!(anew.call_id(), request.call_id());
    solo.nothing_sent();
}

/// The NOTIFY that a refresh asked for may have been lost with the flow. Timer N would end the subscription for that.
#[test]
fn rfc6665_4_1_2_2_a_refresh_that_was_repeated_is_followed_by_another() {
    for notified_first in [false, true] {
        let mut solo = Solo::registered();
        let (id, request) = standing(&mut solo);
        solo.ua.refresh_subscription(solo.now, id).unwrap();
        solo.drain();
        let refresh = solo.request(&Method::Subscribe);
        again_over(&mut solo, 2, &refresh);
        let mut bob = Notifier { subscribe: &request, tag: "n1", cseq: 5 };
        if notified_first {
            bob.notify(&mut solo, "active;expires=3600", PIDF);
            solo.response(200);
            notified(&mut solo, id);
        }
        solo.reply(&refresh, 200, "Expires: 3600\r\n", "");
        if notified_first {
            solo.advance(secs(60));
            solo.nothing_sent();
            continue;
        }
        let next = solo.request(&Method::Subscribe);
        assert_eq!(next.cseq().number, refresh.cseq().number + 1);
        bob.notify(&mut solo, "active;expires=3600", PIDF);
        solo.response(200);
        notified(&mut solo, id);
        solo.reply(&next, 200, "Expires: 3600\r\n", "");
        solo.advance(secs(60));
        solo.nothing_sent();
        assert!(solo.events.is_empty());
    }
}

/// The answer to a refresh that was on its way says nothing of the leave that follows.
#[test]
fn rfc6665_4_1_2_3_who_leaves_while_a_refresh_is_on_its_way_leaves_after_it() {
    for loses in [false, true] {
        let mut solo = Solo::registered();
        let (id, _) = standing(&mut solo);
        solo.ua.refresh_subscription(solo.now, id).unwrap();
        solo.drain();
        let refresh = solo.request(&Method::Subscribe);
        solo.ua.unsubscribe(solo.now, id).unwrap();
        solo.drain();
        solo.nothing_sent();
        if loses {
            again_over(&mut solo, 2, &refresh);
        }
        solo.reply(&refresh, 200, "Expires: 3600\r\n", "");
        let leave = solo.request(&Method::Subscribe);
        assert_eq!(leave.headers().first(HeaderName::Expires), Some("0"));
        solo.reply(&leave, 200, "Expires: 0\r\n", "");
        solo.nothing_sent();
        solo.advance(secs(32));
        assert_eq!(ended(&mut solo, id), SubscriptionEnd::Done);
    }
}

#[test]
fn a_subscription_that_expires_while_away_is_made_anew() {
    let mut solo = Solo::new();
    let (id, request) = standing(&mut solo);
    solo.close();
    solo.advance(secs(3601));
    assert_eq!(retrying(&mut solo, id), Duration::ZERO);
    assert_eq!(solo.ua.poll_timeout(), None, "nothing to be done without a flow");
    solo.reopen(2);
    let anew = solo.request(&Method::Subscribe);
    assert!(anew.to_tag().is_none() && anew.call_id() != request.call_id());
    // The SUBSCRIBE itself is lost with its flow.
    solo.close();
    solo.reopen(3);
    assert_eq!(solo.request(&Method::Subscribe).bytes(), anew.bytes());
}

#[test]
fn rfc6665_4_1_3_notifies_that_are_refused() {
    let mut solo = Solo::registered();
    let (id, request) = standing(&mut solo);
    let mut bob = Notifier { subscribe: &request, tag: "n1", cseq: 10 };
    let active = "Subscription-State: active;expires=60";
    let presence = "Event: presence";
    let rows: [(u16, &[&str], &str); 8] = [
        (400, &[presence], ""),
        (400, &[presence, "Subscription-State: ;x"], ""),
        (400, &[active], ""),
        (489, &[active, "Event: dialog"], ""),
        (489, &[active, "Event: Presence"], ""),
        (489, &[active, "Event: presence;id=1"], ""),
        (415, &[active, presence, "Content-Type: text/plain"], "x"),
        (420, &[active, presence, "Require: telepathy"], ""),
    ];
    for (status, lines, body) in rows {
        bob.notify_with(&mut solo, lines, body);
        solo.response(status);
        assert!(solo.events.is_empty(), "{lines:?}");
    }
    // A lower CSeq.
    bob.cseq = 3;
    bob.notify(&mut solo, "active;expires=60", "");
    bob.cseq = 0;
    solo.response(200);
    notified(&mut solo, id);
    bob.notify(&mut solo, "terminated", "");
    solo.response(500);
    // Another tag of ours, another Call-ID, no tag at all.
    let tag = format!("To: <sip:alice@example.com>;tag={}", request.from_tag().unwrap());
    let call_id = format!("Call-ID: {}", request.call_id());
    for (to, call_id) in [
        ("To: <sip:alice@example.com>;tag=other", &*call_id),
        (&*tag, "Call-ID: other"),
        ("To: <sip:alice@example.com>", &*call_id),
    ] {
        let from = "From: <sip:bob@example.com>;tag=n1";
        solo.send("NOTIFY", &[from, to, call_id, "CSeq: 99 NOTIFY", active, presence], "");
        solo.response(481);
    }
    assert!(solo.events.is_empty());
    // None of it has changed anything.
    bob.cseq = 20;
    bob.notify(&mut solo, "active;expires=60", PIDF);
    solo.response(200);
    notified(&mut solo, id);
}

#[test]
fn a_first_notify_that_is_refused_makes_nothing() {
    let mut solo = Solo::new();
    let (id, request) = subscribe(&mut solo);
    let mut bob = notifier(&request, "n1");
    bob.notify_with(&mut solo, &["Event: presence"], "");
    solo.response(400);
    bob.notify_with(&mut solo, &["Event: dialog", "Subscription-State: active"], "");
    solo.response(489);
    assert_eq!(solo.ua.subscriptions.get(&id).map(|found| found.machine.is_empty()), Some(true));
    bob.notify(&mut solo, "active;expires=60", PIDF);
    solo.response(200);
    notified(&mut solo, id);
}

#[test]
fn a_notifier_cannot_make_us_refresh_in_a_loop() {
    let mut solo = Solo::new();
    let (_, request) = standing(&mut solo);
    let mut bob = Notifier { subscribe: &request, tag: "n1", cseq: 5 };
    for _ in 0..20 {
        bob.notify(&mut solo, "active;expires=0", "");
        solo.response(200);
    }
    let subscribes = solo.sent.iter().filter(|(_, _, message)| message.is_subscribe()).count();
    assert!(subscribes <= 1, "{subscribes}");
}

#[test]
fn subscriptions_are_capped() {
    let mut solo = Solo::new();
    solo.close();
    let presence = || EventName::new(Package::Presence);
    for _ in 0..limits::SUBSCRIPTIONS {
        solo.ua.subscribe(solo.now, "bob", presence(), None).unwrap();
    }
    assert_eq!(solo.ua.subscribe(solo.now, "bob", presence(), None), Err(RequestError::TooMany));
    assert_eq!(solo.ua.subscribe(solo.now, "", presence(), None), Err(RequestError::InvalidTarget));
    // More than may be on their way at once: the rest follow.
    solo.reopen(2);
    let sent = solo.sent.len();
    assert_eq!(sent, limits::REQUESTS);
    let mut subscribed = 0;
    while let Some((_, _, message)) = solo.sent.pop_front() {
        if let Message::Request(request) = message {
            subscribed += 1;
            solo.reply(&request, 489, "", "");
        }
    }
    assert_eq!(subscribed, limits::SUBSCRIPTIONS);
    assert_eq!(solo.ua.subscriptions.len(), 0);
}

#[test]
fn shutting_down_leaves_subscriptions_first() {
    let mut solo = Solo::registered();
    let (id, request) = standing(&mut solo);
    solo.ua.shutdown(solo.now);
    solo.drain();
    let leave = solo.request(&Method::Subscribe);
    assert_eq!(leave.headers().first(HeaderName::Expires), Some("0"));
    solo.nothing_sent();
    solo.reply(&leave, 200, "Expires: 0\r\n", "");
    let mut bob = Notifier { subscribe: &request, tag: "n1", cseq: 5 };
    bob.notify(&mut solo, "terminated;reason=timeout", "");
    solo.response(200);
    notified(&mut solo, id);
    assert_eq!(ended(&mut solo, id), SubscriptionEnd::Done);
    let unregister = solo.request(&Method::Register);
    solo.reply(&unregister, 200, "", "");
    assert_eq!(solo.event(), Event::Unregistered);
    assert_eq!(solo.event(), Event::ShutDown);
    assert_eq!(
        solo.ua.subscribe(solo.now, "bob", EventName::new(Package::Presence), None),
        Err(RequestError::ShutDown)
    );
}

/// §4.1.2.2: a refresh tells all there is, and may be asked for when a document was missed (RFC 4235 §4.3).
#[test]
fn rfc6665_4_1_2_2_a_refresh_that_is_asked_for() {
    let mut solo = Solo::new();
    let (id, _) = standing(&mut solo);
    solo.sent.clear();
    solo.ua.refresh_subscription(solo.now, id).unwrap();
    solo.drain();
    let refresh = solo.request(&Method::Subscribe);
    assert_eq!(refresh.to_tag(), Some("n1"));
    // One at a time, however often it is asked for.
    solo.ua.refresh_subscription(solo.now, id).unwrap();
    solo.drain();
    solo.nothing_sent();
    solo.reply(&refresh, 200, "Expires: 3600\r\n", "");
    solo.ua.unsubscribe(solo.now, id).unwrap();
    solo.drain();
    solo.request(&Method::Subscribe);
}

/// RFC 3265 let notifiers say nothing of the time: then it is "as negotiated by the most recent successful SUBSCRIBE".
#[test]
fn rfc6665_4_1_2_2_without_expires_in_the_notify_the_2xx_says_how_long_it_lasts() {
    for notify_first in [false, true] {
        let mut solo = Solo::registered();
        let (id, request) = subscribe(&mut solo);
        let mut bob = notifier(&request, "n1");
        if notify_first {
            bob.notify(&mut solo, "active", PIDF);
            solo.response(200);
            assert_eq!(notified(&mut solo, id).expires, secs(3600), "as asked, for all we know");
        }
        solo.advance(secs(1));
        solo.reply(&request, 200, "Expires: 120\r\n", "");
        if !notify_first {
            bob.notify(&mut solo, "active", PIDF);
            solo.response(200);
            assert_eq!(notified(&mut solo, id).expires, secs(120));
        }
        solo.advance(secs(109));
        let refresh = solo.request(&Method::Subscribe);
        assert_eq!(refresh.to_tag(), Some("n1"), "in its dialog");
        // What the NOTIFY says counts more.
        bob.notify(&mut solo, "active;expires=60", PIDF);
        solo.response(200);
        assert_eq!(notified(&mut solo, id).expires, secs(60));
    }
}
