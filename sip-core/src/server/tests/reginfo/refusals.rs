//! Who may not subscribe, and to what.

use super::*;

fn peer(config: &mut Config) {
    let sources = ["203.0.113.9".parse().unwrap()].into();
    let uri = "sip:b.example".into();
    config.peers = [super::super::super::Peer { name: "b".into(), uri, sources, trusted: false }].into();
}

#[test]
fn rfc6665_4_2_1_1_what_is_refused_and_with_which_field() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    let rows = [
        ("alice", "Expires: 59\r\n", 423, HeaderName::MinExpires, Some("60")),
        // RFC 3680 §4.5.
        ("alice", "Accept: application/pidf+xml\r\n", 406, HeaderName::Accept, None),
        // RFC 3680 §4.6: no account but its own, and no word on which there are.
        ("bob", "", 403, HeaderName::Contact, None),
        ("nobody", "", 403, HeaderName::Contact, None),
        ("alice", "Require: eventlist\r\n", 420, HeaderName::Unsupported, Some("eventlist")),
    ];
    for (cseq, (user, fields, status, name, value)) in (2..).zip(rows) {
        net.send(&alice, subscribe(&alice, user, cseq, fields));
        let refusal = net.expect(&alice, status);
        assert_eq!(refusal.headers().first(name), value, "{status}");
    }
    // Of the domain itself there is nothing to watch, nor of who has no account.
    let of_domain = |event: &str, cseq| {
        bodiless(&alice.out("SUBSCRIBE", "sip:example.com", cseq, &format!("Event: {event}\r\n")))
    };
    net.send(&alice, of_domain("reg", 20));
    net.expect(&alice, 404);
    net.send(&alice, of_domain("presence", 21));
    assert_eq!(net.expect(&alice, 489).headers().first(HeaderName::AllowEvents), Some("reg"));
    // A body would be a filter.
    let filter = alice.out("SUBSCRIBE", "sip:alice@example.com", 22, "Event: reg\r\n");
    net.send(&alice, filter.replace("application/sdp", "application/simple-filter+xml"));
    net.expect(&alice, 415);
    net.quiet();
    assert_eq!((net.server.subscriptions(), net.watches.len()), (0, 0));
}

#[test]
fn what_other_packages_tell_is_asked_of_the_phone() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    net.send(&alice, bodiless(&alice.out("SUBSCRIBE", "sip:bob@example.com", 2, "Event: presence\r\n")));
    net.request(&bob, &Method::Subscribe);
    // So is `reg` of one instance, by its GRUU: what it has registered elsewhere it may know itself.
    let gruu = "sip:bob@example.com;gr=urn:uuid:00000000-0000-4000-8000-000000000062";
    net.send(&alice, bodiless(&alice.out("SUBSCRIBE", gruu, 3, "Event: reg\r\n")));
    net.request(&bob, &Method::Subscribe);
    net.quiet();
}

#[test]
fn without_transactions_nothing_is_told() {
    let mut net = Net::with(|config| config.routing.mode = Mode::Stateless);
    let alice = ws("alice", 1);
    net.register(&alice);
    net.send(&alice, subscribe(&alice, "alice", 2, ""));
    net.request(&alice, &Method::Subscribe);
    net.send(&alice, bodiless(&alice.out("SUBSCRIBE", "sip:example.com", 3, "Event: reg\r\n")));
    assert_eq!(net.expect(&alice, 405).headers().first(HeaderName::Allow), Some("OPTIONS, REGISTER"));
    net.quiet();
}

#[test]
fn rfc3680_4_6_others_watch_as_the_configuration_has_it() {
    let mut net = Net::with(|config| {
        peer(config);
        let bobs = WatchedUsers::These(["sip:bob@example.com".into()].into());
        config.watchers.insert(Watcher::Account("alice".into()), bobs);
        config.watchers.insert(Watcher::Peer("b".into()), WatchedUsers::All);
        config.registrants.insert("carol".into(), ["sip:alice@example.com".into()].into());
    });
    let (alice, bob, carol, pbx) = (ws("alice", 1), ws("bob", 2), ws("carol", 3), udp("pbx", 9));
    for page in [&alice, &bob, &carol] {
        net.register(page);
    }
    let foreign = |request: String| request.replace("pbx@example.com", "pbx@b.example");
    let rows = [
        (&alice, "bob", 200),
        (&alice, "carol", 403),
        (&bob, "alice", 403),
        // Who registers for another sees what is registered in any answer.
        (&carol, "alice", 200),
        (&carol, "bob", 403),
        (&pbx, "carol", 200),
        // A peer that may watch everybody learns that there is nobody.
        (&pbx, "nobody", 404),
    ];
    for (cseq, (from, user, status)) in (2..).zip(rows) {
        let call_id = format!("Call-ID: {cseq}");
        net.send(from, foreign(subscribe(from, user, cseq, "")).replace("Call-ID: call", &call_id));
        net.expect(from, status);
        if status == 200 {
            // What may be long goes to who came by UDP over TCP.
            let listening = elsewhere(Transport::Tcp, "203.0.113.9:5060");
            let at = if from.name == "pbx" { &listening } else { from };
            let info = reginfo(&notified(&mut net, at));
            assert_eq!(info.registrations[0].aor, format!("sip:{user}@example.com"));
        }
    }
    // A stranger watches nobody, whoever it says it is.
    let stranger = udp("pbx", 8);
    net.send(&stranger, foreign(subscribe(&stranger, "alice", 30, "")));
    assert_eq!(net.expect(&stranger, 403).reason(), "Registrations Not Shown");
    net.quiet();
}

#[test]
fn too_many_subscriptions() {
    let mut net = Net::with(|config| config.limits.subscriptions = 2);
    let alice = ws("alice", 1);
    net.register(&alice);
    let one = |cseq: u32| {
        subscribe(&alice, "alice", cseq, "").replace("Call-ID: call", &format!("Call-ID: {cseq}"))
    };
    for cseq in [2, 3] {
        net.send(&alice, one(cseq));
        net.expect(&alice, 200);
        notified(&mut net, &alice);
    }
    net.send(&alice, one(4));
    let refusal = net.expect(&alice, 503);
    assert_eq!(refusal.reason(), "Too Many Subscriptions");
    assert!(refusal.headers().has(HeaderName::RetryAfter));
    // Whoever keeps the bindings has caps, too; what was asked for in vain takes no room.
    let mut net = Net::with(|config| config.limits.subscriptions = 1);
    net.register(&alice);
    net.revoked = Some(WatchError::Full);
    for cseq in [5, 6] {
        net.send(&alice, one(cseq));
        net.expect(&alice, 503);
    }
    assert_eq!((net.server.counters().subscriptions_full, net.server.subscriptions()), (2, 0));
    net.revoked = None;
    net.send(&alice, one(7));
    net.expect(&alice, 200);
    notified(&mut net, &alice);
}
