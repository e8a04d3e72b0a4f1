//! How a NOTIFY finds its watcher, and who may speak for it.

use super::*;

#[test]
fn rfc6665_4_4_1_the_dialog_has_the_routes_that_were_recorded() {
    let mut net = Net::new();
    let phone = desk(7);
    let routes = "Record-Route: <sip:edge.example;lr>\r\nRecord-Route: <sip:198.18.0.1:5062;lr>\r\n";
    net.send_with_digest(&phone, "alice", &|cseq, extra| {
        subscribe(&phone, "alice", cseq, &format!("{routes}{extra}"))
    });
    let ok = net.expect(&phone, 200);
    let expected = ["<sip:edge.example;lr>", "<sip:198.18.0.1:5062;lr>"];
    assert_eq!(ok.headers().list(HeaderName::RecordRoute).collect::<Vec<_>>(), expected);
    // It goes back to who sent the SUBSCRIBE, with what that needs to pass it on.
    let notify = notified(&mut net, &phone);
    assert_eq!(notify.headers().list(HeaderName::Route).collect::<Vec<_>>(), expected);
    assert_eq!(notify.uri(), phone.contact());
    // Requests within the dialog come to the address that the phone knows.
    assert_eq!(ok.headers().first(HeaderName::Contact), Some("<sip:192.0.2.1:5060;transport=udp>"));
}

#[test]
fn a_watcher_on_a_lost_connection_is_told_when_it_is_back() {
    let (mut net, alice, mut side) = watching();
    net.advance(SECONDS(5));
    net.close(&alice);
    net.register_quietly(&desk(7));
    net.quiet();
    net.advance(SECONDS(20));
    let back = ws("alice", 4);
    net.send_with_digest(&back, "alice", &|cseq, extra| {
        back.register(cseq + 40, &format!("{}{extra}", back.contact_field()))
    });
    net.expect(&back, 200);
    net.answer_waiting(false);
    let info = reginfo(&notified(&mut net, &back));
    assert_eq!((info.version, events(&info).len()), (1, 2));
    // It goes on there.
    side.peer = back.clone();
    net.send(&back, again(&mut side, ""));
    net.expect(&back, 200);
    notified(&mut net, &back);
    net.quiet();
    assert_eq!(net.server.subscriptions(), 1);
}

#[test]
fn a_notify_lost_with_its_connection_is_sent_once_more_and_whole() {
    let (mut net, alice, _) = watching();
    net.advance(SECONDS(5));
    net.register_quietly(&desk(7));
    net.request(&alice, &Method::Notify);
    net.close(&alice);
    net.quiet();
    let back = ws("alice", 4);
    net.send_with_digest(&back, "alice", &|cseq, extra| {
        back.register(cseq + 40, &format!("{}{extra}", back.contact_field()))
    });
    net.expect(&back, 200);
    net.answer_waiting(false);
    let info = reginfo(&notified(&mut net, &back));
    assert_eq!((info.version, info.extent, events(&info).len()), (2, Extent::Full, 2));
    net.quiet();
}

#[test]
fn who_does_not_come_back_is_subscribed_no_longer() {
    let (mut net, alice, _) = watching();
    net.advance(SECONDS(5));
    net.close(&alice);
    net.register_quietly(&desk(7));
    net.advance(SECONDS(29));
    assert_eq!(net.server.subscriptions(), 1);
    net.advance(SECONDS(2));
    net.quiet();
    assert_eq!((net.server.subscriptions(), net.watches.len()), (0, 0));
    assert_eq!(net.server.counters().subscriptions_lost, 1);
}

#[test]
fn nobody_else_goes_on_with_a_subscription() {
    let (mut net, _, mut side) = watching();
    let bob = ws("bob", 2);
    net.register(&bob);
    side.peer = bob.clone();
    let forged = again(&mut side, "Expires: 0\r\n").replace("\"alice\" <sip:alice@", "<sip:bob@");
    net.send(&bob, forged);
    assert_eq!(net.expect(&bob, 403).reason(), "Sender Is Not In This Dialog");
    // Nor somebody without a connection of the account's, who is asked for its password.
    side.peer = udp("alice", 66);
    net.send(&side.peer.clone(), again(&mut side, "Expires: 0\r\n"));
    net.expect(&side.peer, 407);
    net.quiet();
    assert_eq!(net.server.subscriptions(), 1);
}

#[test]
fn a_watcher_of_another_domain_is_found_by_its_dialog() {
    let mut net = Net::with(|config| {
        let sources = ["203.0.113.9".parse().unwrap()].into();
        let uri = "sip:203.0.113.9;transport=tcp".into();
        config.peers = [super::super::super::Peer { name: "b".into(), uri, sources, trusted: false }].into();
        config.watchers.insert(Watcher::Peer("b".into()), WatchedUsers::All);
    });
    let pbx = tcp("pbx", 4_000);
    let foreign = |request: String| request.replace("pbx@example.com", "pbx@b.example");
    let at = |uri: &str, cseq| foreign(subscribe(&pbx, "alice", cseq, "").replace(&pbx.contact(), uri));
    // Its Contact, where it is one of the peer's …
    net.send(&pbx, at("sip:pbx@203.0.113.9:5090;transport=tcp", 2));
    let ok = net.expect(&pbx, 200);
    let listening = elsewhere(Transport::Tcp, "203.0.113.9:5090");
    let notify = notified(&mut net, &listening);
    assert_eq!(notify.uri(), "sip:pbx@203.0.113.9:5090;transport=tcp");
    // … from which it goes on, over any of its connections.
    let mut side = Side::caller(&pbx, &ok);
    side.peer = tcp("pbx", 4_001);
    net.send(&side.peer.clone(), again(&mut side, "Expires: 0\r\n"));
    net.expect(&side.peer, 200);
    assert_eq!(state(&notified(&mut net, &listening)), "terminated;reason=timeout");
    // Where it leads to somebody else it goes to the peer all the same: nobody has us send NOTIFYs where it likes.
    let elsewhere_in_us = at("sip:x@10.0.0.1;transport=tcp", 3).replace("Call-ID: call", "Call-ID: other");
    net.send(&pbx, elsewhere_in_us);
    net.expect(&pbx, 200);
    notified(&mut net, &elsewhere(Transport::Tcp, "203.0.113.9:4000"));
    net.quiet();
}

/// What it tells is known only once its way is, so that every NOTIFY to a peer that came by UDP may be long.
#[test]
fn rfc3261_18_1_1_a_watcher_of_another_domain_on_udp_is_told_over_tcp() {
    for (uri, listens, transport) in [
        ("sip:203.0.113.9", true, Transport::Tcp),
        ("sip:203.0.113.9", false, Transport::Udp),
        ("sip:203.0.113.9;transport=udp", true, Transport::Udp),
    ] {
        let mut net = Net::with(|config| {
            let (name, uri, sources) = ("b".into(), uri.into(), ["203.0.113.9".parse().unwrap()].into());
            config.peers = [super::super::super::Peer { name, uri, sources, trusted: false }].into();
            config.watchers.insert(Watcher::Peer("b".into()), WatchedUsers::All);
        });
        net.server.config.transports.tcp = listens;
        let pbx = udp("pbx", 9);
        let foreign = subscribe(&pbx, "alice", 2, "").replace("pbx@example.com", "pbx@b.example");
        net.send(&pbx, foreign);
        net.expect(&pbx, 200);
        notified(&mut net, &elsewhere(transport, "203.0.113.9:5060"));
        net.quiet();
    }
}
