//! How subscriptions go on and end.

use super::*;

#[test]
fn rfc6665_4_2_1_4_a_refresh_and_the_end_as_the_watcher_wants_it() {
    let (mut net, alice, mut side) = watching();
    net.advance(SECONDS(3_000));
    net.send(&alice, again(&mut side, "Expires: 600\r\n"));
    let ok = net.expect(&alice, 200);
    assert_eq!(ok.headers().first(HeaderName::Expires), Some("600"));
    let notify = notified(&mut net, &alice);
    let info = reginfo(&notify);
    assert_eq!((state(&notify), info.version, info.extent), ("active;expires=600", 1, Extent::Full));
    assert_eq!(net.watches[0].until, net.now + SECONDS(600));
    net.send(&alice, again(&mut side, "Expires: 0\r\n"));
    net.expect(&alice, 200);
    let last = notified(&mut net, &alice);
    assert_eq!((state(&last), events(&reginfo(&last)).len()), ("terminated;reason=timeout", 1));
    assert_eq!((net.server.subscriptions(), net.watches.len()), (0, 0));
    // It is over.
    net.send(&alice, again(&mut side, ""));
    assert_eq!(net.expect(&alice, 481).reason(), "Subscription Not Known");
    net.quiet();
}

#[test]
fn rfc3680_4_7_2_a_fetch_is_told_all_once() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    net.send(&alice, subscribe(&alice, "alice", 2, "Expires: 0\r\n"));
    assert_eq!(net.expect(&alice, 200).headers().first(HeaderName::Expires), Some("0"));
    let notify = notified(&mut net, &alice);
    assert_eq!(state(&notify), "terminated;reason=timeout");
    let info = reginfo(&notify);
    assert_eq!((info.version, info.extent, events(&info).len()), (0, Extent::Full, 1));
    assert_eq!((net.server.subscriptions(), net.watches.len()), (0, 0));
    assert_eq!(net.server.counters().subscriptions_lost, 0);
    net.quiet();
}

#[test]
fn rfc6665_4_2_2_who_does_not_refresh_is_told_the_end() {
    let (mut net, alice, _) = watching();
    net.register_quietly(&desk(7));
    net.advance(SECONDS(5));
    notified(&mut net, &alice);
    // Long before, the page's registration is refreshed; the other device's runs out.
    net.advance(SECONDS(3_400));
    net.send_with_digest(&alice, "alice", &|cseq, extra| {
        alice.register(cseq + 30, &format!("{}{extra}", alice.contact_field()))
    });
    net.expect(&alice, 200);
    notified(&mut net, &alice);
    net.advance(SECONDS(200));
    assert_eq!(events(&reginfo(&notified(&mut net, &alice))), [("alice", ContactEvent::Expired)]);
    net.advance(SECONDS(155));
    net.quiet();
    net.advance(SECONDS(1));
    let last = notified(&mut net, &alice);
    assert_eq!(state(&last), "terminated;reason=timeout");
    assert_eq!((net.server.subscriptions(), net.watches.len()), (0, 0));
    net.advance(SECONDS(60));
    net.quiet();
}

#[test]
fn rfc6665_4_2_2_an_answer_that_says_it_is_over_ends_it() {
    for status in [481, 404, 489] {
        let (mut net, alice, _) = watching();
        net.advance(SECONDS(5));
        net.register_quietly(&desk(7));
        let notify = net.request(&alice, &Method::Notify);
        net.send(&alice, alice.answer(&notify, status));
        assert_eq!((net.server.subscriptions(), net.watches.len()), (0, 0), "{status}");
        assert_eq!(net.server.counters().subscriptions_lost, 1);
    }
    // Another failure is one of that NOTIFY: the next is whole.
    let (mut net, alice, _) = watching();
    net.advance(SECONDS(5));
    net.register_quietly(&desk(7));
    let notify = net.request(&alice, &Method::Notify);
    net.send(&alice, alice.answer(&notify, 500));
    net.quiet();
    net.register_quietly(&desk(8));
    net.advance(SECONDS(5));
    let info = reginfo(&notified(&mut net, &alice));
    assert_eq!((info.version, info.extent, events(&info).len()), (2, Extent::Full, 3));
}

#[test]
fn rfc6665_4_2_2_who_does_not_answer_is_subscribed_no_longer() {
    let (mut net, alice, _) = watching();
    net.advance(SECONDS(5));
    net.register_quietly(&desk(7));
    net.request(&alice, &Method::Notify);
    // One is on its way at a time.
    net.register_quietly(&desk(8));
    net.advance(SECONDS(31));
    net.quiet();
    assert_eq!(net.server.subscriptions(), 1);
    net.advance(SECONDS(2));
    net.quiet();
    assert_eq!((net.server.subscriptions(), net.server.counters().subscriptions_lost), (0, 1));
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn what_a_watcher_may_see_no_more_it_is_not_told() {
    for (error, expected) in [
        (WatchError::WatcherGone, "terminated;reason=rejected"),
        (WatchError::Revoked, "terminated;reason=deactivated"),
    ] {
        let (mut net, alice, _) = watching();
        net.advance(SECONDS(5));
        net.revoked = Some(error);
        net.register_quietly(&desk(7));
        let last = notified(&mut net, &alice);
        assert_eq!((state(&last), last.body().len()), (expected, 0));
        assert_eq!((net.server.subscriptions(), net.watches.len()), (0, 0));
    }
}

#[test]
fn rfc3680_4_7_1_of_an_account_that_is_gone_all_contacts_are_rejected() {
    let mut net = Net::with(|config| {
        config.watchers.insert(Watcher::Account("bob".into()), WatchedUsers::All);
    });
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    net.send(&bob, subscribe(&bob, "alice", 2, ""));
    net.expect(&bob, 200);
    notified(&mut net, &bob);
    net.advance(SECONDS(5));
    net.accounts.remove("alice");
    net.bindings.remove("sip:alice@example.com");
    net.bindings_changed("sip:alice@example.com");
    net.drain();
    let last = notified(&mut net, &bob);
    assert_eq!(state(&last), "terminated;reason=noresource");
    let info = reginfo(&last);
    assert_eq!(info.registrations[0].state, RegistrationState::Terminated);
    assert_eq!(events(&info), [("alice97", ContactEvent::Rejected)]);
    assert_eq!(net.server.subscriptions(), 0);
}

#[test]
fn rfc3261_12_2_2_requests_of_a_subscription_come_in_order_and_about_it() {
    let (mut net, alice, mut side) = watching();
    let late = again(&mut side, "");
    let newer = again(&mut side, "");
    net.send(&alice, newer);
    net.expect(&alice, 200);
    notified(&mut net, &alice);
    net.send(&alice, late);
    assert_eq!(net.expect(&alice, 500).reason(), "CSeq Out Of Order");
    let other = again(&mut side, "");
    net.send(&alice, other.replace("Event: reg", "Event: reg;id=1"));
    net.expect(&alice, 489);
    let brief = again(&mut side, "Expires: 10\r\n");
    net.send(&alice, brief);
    assert_eq!(net.expect(&alice, 423).headers().first(HeaderName::MinExpires), Some("60"));
    assert_eq!(net.server.subscriptions(), 1);
    net.quiet();
}

#[test]
fn after_a_restart_subscriptions_begin_anew() {
    let (mut net, alice, mut side) = watching();
    net.restart();
    net.register(&ws("alice", 1));
    net.send(&alice, again(&mut side, ""));
    assert_eq!(net.expect(&alice, 481).reason(), "Subscription Not Known");
    net.quiet();
}
