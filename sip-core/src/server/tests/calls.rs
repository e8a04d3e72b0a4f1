//! A call from a page to a phone and from a phone to a page: what is forwarded, and that nothing else changes.

use super::*;

/// The message without the fields that a proxy owns.
fn unowned(message: &[u8]) -> String {
    const OWNED: [&str; 6] =
        ["Via:", "Record-Route:", "Route:", "max-forwards", "Max-Breadth:", "P-Asserted-Identity:"];
    let text = text(message);
    let (_, rest) = text.split_once("\r\n").unwrap();
    rest.split_inclusive("\r\n").filter(|line| !OWNED.iter().any(|owned| line.starts_with(owned))).collect()
}

#[test]
fn a_page_calls_a_phone() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);

    // The flow is authenticated: no challenge.
    let invite = alice.invite("bob", 2, "");
    net.send(&alice, invite.clone());
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    net.quiet();
    assert_eq!(forwarded.uri(), bob.contact());
    assert_eq!(forwarded.max_forwards(), Some(69));
    assert!(text(forwarded.bytes()).contains("max-forwards : 69\r\n"));
    let vias: Vec<&str> = forwarded.headers().all(HeaderName::Via).collect();
    assert_eq!(vias.len(), 2);
    assert!(vias[0].starts_with("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"));
    assert_eq!(vias[1], "SIP/2.0/WS alice.invalid;branch=z9hG4bKINVITE2;received=198.51.100.1");
    // Doubled, the receiver's side on top.
    let routes: Vec<&str> = forwarded.headers().all(HeaderName::RecordRoute).collect();
    assert_eq!(routes.len(), 2);
    assert!(routes[0].ends_with("@192.0.2.1:5060;transport=udp;lr>"));
    assert!(routes[1].ends_with("@192.0.2.1:8080;transport=ws;lr>"));
    assert_eq!(unowned(forwarded.bytes()), unowned(invite.as_bytes()));

    // A retransmission is absorbed by the transaction and answered with the latest.
    net.send(&alice, invite);
    net.expect(&alice, 100);
    net.send(&bob, bob.answer(&forwarded, 100));
    net.quiet();
    let ringing = bob.answer(&forwarded, 180);
    net.send(&bob, ringing.clone());
    let rings = net.expect(&alice, 180);
    let ringing = unowned(ringing.as_bytes()).replace(&format!("v: {}\r\n", vias[0]), "");
    // It came without a length (§16.6 step 9).
    assert_eq!(unowned(rings.bytes()), ringing.replacen("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", 1));
    net.send(&bob, bob.answer(&forwarded, 200));
    let ok = net.expect(&alice, 200);
    // The phone retransmits its 200 until the ACK is there; each goes through (§16.7 step 5).
    net.send(&bob, bob.answer(&forwarded, 200));
    net.expect(&alice, 200);

    let mut caller = Side::caller(&alice, &ok);
    let mut callee = Side::callee(&bob, &forwarded);
    let ack = caller.next("ACK");
    net.send(&alice, ack.clone());
    let acked = net.request(&bob, &Method::Ack);
    assert!(!acked.headers().has(HeaderName::Route));
    assert_eq!((acked.uri(), acked.max_forwards()), (bob.contact().as_str(), Some(69)));
    assert_eq!(unowned(acked.bytes()).replace("69", "70"), unowned(ack.as_bytes()));
    // The same ACK leaves the same (§16.11).
    net.send(&alice, ack);
    assert_eq!(net.request(&bob, &Method::Ack).bytes(), acked.bytes());

    // Requests go both ways.
    net.send(&bob, callee.next("UPDATE"));
    let update = net.request(&alice, &Method::Update);
    assert_eq!(update.uri(), alice.contact());
    assert!(!update.headers().has(HeaderName::Route) && !update.headers().has(HeaderName::RecordRoute));
    net.send(&alice, alice.answer(&update, 200));
    net.expect(&bob, 200);
    net.send(&alice, caller.next("BYE"));
    let bye = net.request(&bob, &Method::Bye);
    net.send(&bob, bob.answer(&bye, 200));
    net.expect(&alice, 200);
    net.advance(Duration::from_secs(40));
    net.quiet();
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn rfc3261_22_3_a_phone_calls_a_page_and_its_credentials_end_here() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    // Its From is ours, so it is challenged, with MD5 alone; and the credentials end here.
    let other = "Proxy-Authorization: Digest username=\"b\", realm=\"elsewhere\", nonce=\"n\", uri=\"sip:x\", \
                 response=\"00000000000000000000000000000000\"\r\n";
    // Those for the registrar as well, which some send with everything; another's do not.
    let user = other.replace("Proxy-A", "A");
    // A PBX of the same domain challenges with the same realm, and waits for the answer.
    let same = user.replace("elsewhere", DOMAIN);
    let nonce = "n-_".repeat(15);
    let ours = same.replace("nonce=\"n\"", &format!("nonce=\"{}\"", &nonce[..43]));
    let other = format!("{other}{user}{ours}{same}");
    net.send_with_digest(&bob, "bob", &|cseq, extra| bob.invite("alice", cseq, &format!("{other}{extra}")));
    net.expect(&bob, 100);
    let forwarded = net.request(&alice, &Method::Invite);
    assert_eq!(forwarded.uri(), alice.contact());
    let credentials: Vec<&str> = forwarded.headers().all(HeaderName::ProxyAuthorization).collect();
    assert_eq!(credentials.len(), 1);
    assert!(credentials[0].contains("elsewhere"));
    let credentials: Vec<&str> = forwarded.headers().all(HeaderName::Authorization).collect();
    assert_eq!(credentials.len(), 2);
    assert!(credentials[0].contains("elsewhere") && credentials[1].contains("nonce=\"n\""));

    net.send(&alice, alice.answer(&forwarded, 486));
    // §16.7: the failure is acknowledged hop by hop.
    let acked = net.request(&alice, &Method::Ack);
    assert_eq!(acked.branch(), forwarded.branch());
    let busy = net.expect(&bob, 486);
    net.send(&bob, ack_to_failure(&bob.invite("alice", 2, ""), &busy));
    net.quiet();
    net.advance(Duration::from_secs(40));
    net.quiet();
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn cancel() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    let invite = alice.invite("bob", 2, "");
    let cancel = |invite: &str| invite.replace("INVITE sip", "CANCEL sip").replace("2 INVITE", "2 CANCEL");
    net.send(&alice, invite.clone());
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    // Before any answer of the phone: the CANCEL waits for one (§9.1).
    net.send(&alice, cancel(&invite));
    net.expect(&alice, 200);
    net.quiet();
    net.send(&bob, bob.answer(&forwarded, 180));
    let cancelled = net.request(&bob, &Method::Cancel);
    net.expect(&alice, 180);
    assert_eq!(cancelled.branch(), forwarded.branch());
    net.send(&bob, bob.answer(&cancelled, 200));
    net.send(&bob, bob.answer(&forwarded, 487));
    net.request(&bob, &Method::Ack);
    let ended = net.expect(&alice, 487);
    net.send(&alice, ack_to_failure(&invite, &ended));
    net.advance(Duration::from_secs(40));
    net.quiet();
    assert_eq!(net.server.load(), (0, 0, 0));

    // Nothing to cancel: the phone knows.
    net.send(&alice, cancel(&alice.invite("bob", 2, "").replace("INVITE2", "other")));
    let unknown = net.request(&bob, &Method::Cancel);
    assert_ne!(unknown.branch(), forwarded.branch());
    net.send(&bob, bob.answer(&unknown, 481));
    net.expect(&alice, 481);

    // While something is being found out about the INVITE.
    net.silent = true;
    let invite = invite.replace("INVITE2", "INVITE3");
    net.send(&alice, invite.clone());
    net.send(&alice, cancel(&invite));
    net.expect(&alice, 200);
    net.expect(&alice, 487);
    net.silent = false;
    net.answer_waiting(false);
    net.quiet();
}

#[test]
fn a_callee_that_is_not_there() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.send(&alice, alice.invite("nobody", 1, ""));
    net.expect(&alice, 404);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 480);
    // Registered, but away.
    net.register(&bob);
    net.close(&bob);
    net.send(&alice, alice.invite("bob", 3, ""));
    net.expect(&alice, 100);
    net.advance(Duration::from_secs(5));
    net.expect(&alice, 480);
    // The binding has ended.
    net.register(&Peer { instance: 77, ..bob.clone() });
    net.advance(Duration::from_secs(1800));
    net.register(&Peer { instance: 78, ..alice.clone() });
    net.advance(Duration::from_secs(1800));
    net.send(&alice, alice.invite("bob", 4, ""));
    net.expect(&alice, 480);
    net.quiet();
}

#[test]
fn messages_and_options_reach_users_too() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    // By an alias, in capitals, and with a port that never counts.
    let rows = [("MESSAGE", "sip:bob@ALIAS.example.com:9"), ("OPTIONS", "sip:%62ob@192.0.2.1")];
    for (cseq, (method, uri)) in (1..).zip(rows) {
        net.send(&alice, alice.out(method, uri, cseq, ""));
        let forwarded = net.request(&bob, &Method::from_token(method));
        assert_eq!(forwarded.uri(), bob.contact());
        assert!(!forwarded.headers().has(HeaderName::RecordRoute));
        net.send(&bob, bob.answer(&forwarded, 200));
        net.expect(&alice, 200);
    }
    // RFC 4320 §4.2: nobody hears of a timeout.
    net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 3, ""));
    net.request(&bob, &Method::Message);
    net.advance(Duration::from_secs(60));
    net.expect(&alice, 100);
    net.quiet();
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn what_came_without_a_length_leaves_with_one() {
    let mut net = Net::new();
    let (alice, carol) = (ws("alice", 1), tcp("carol", 7));
    net.register(&alice);
    net.register(&carol);
    // On a stream this body would be a request of its own.
    let body = carol.out("OPTIONS", "sip:alice@example.com", 3, "");
    let message = alice.out("MESSAGE", "sip:carol@example.com", 2, "Content-Type: message/sip\r\n");
    net.send(&alice, message.replace("l: 4\r\n\r\nbody", "\r\n") + &body);
    let forwarded = net.request(&carol, &Method::Message);
    assert_eq!(forwarded.body(), body.as_bytes());
    assert_eq!(forwarded.headers().first(HeaderName::ContentLength), Some(&*body.len().to_string()));
    let answer = carol.answer(&forwarded, 200);
    assert!(!answer.contains("Content-Length"));
    net.send(&carol, answer);
    assert_eq!(net.expect(&alice, 200).headers().first(HeaderName::ContentLength), Some("0"));
}
