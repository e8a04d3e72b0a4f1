//! REGISTER: digest, 423, wildcard, fetch, whose address it is.

use super::*;

#[test]
fn a_page_and_a_phone_register() {
    let mut net = Net::new();
    for peer in [ws("alice", 1), udp("bob", 5), tcp("carol", 7)] {
        let first = peer.register(1, &peer.contact_field());
        net.send(&peer, first.clone());
        let challenge = net.expect(&peer, 401);
        let offered: Vec<&str> = challenge.headers().all(HeaderName::WwwAuthenticate).collect();
        let algorithms: Vec<bool> = offered.iter().map(|value| value.contains("SHA-256")).collect();
        // SHA-256 first on WebSocket; a phone sees nothing it may not know.
        let expected: &[bool] = if peer.name == "alice" { &[true, false] } else { &[false] };
        assert_eq!(algorithms, expected);
        // A retransmission is challenged anew, or not at all where nothing gets lost.
        net.send(&peer, first);
        if peer.hop.transport == Transport::Udp {
            assert_eq!(net.expect(&peer, 401).to_tag(), challenge.to_tag());
        }
        net.sent.clear();

        let uri = format!("sip:{DOMAIN}");
        let authorization = digest(peer.name, peer.name, &challenge, &Method::Register, &uri);
        net.send(&peer, peer.register(2, &format!("{}{authorization}", peer.contact_field())));
        let ok = net.expect(&peer, 200);
        let contact = ok.headers().first(HeaderName::Contact).unwrap();
        assert!(contact.starts_with(&format!("<{}>", peer.contact())) && contact.ends_with(";expires=3600"));
        let outbound = peer.hop.transport != Transport::Udp;
        assert_eq!(ok.headers().lists(HeaderName::Require, "outbound"), outbound);
        assert_eq!(ok.headers().first(HeaderName::Server), Some("Trapezoid"));
        // A datagram socket proves nobody.
        assert_eq!(net.identities.contains_key(&peer.hop.flow), outbound);
        let binding = &net.bindings[&SmolStr::from(format!("sip:{}@{DOMAIN}", peer.name))][0];
        assert_eq!(binding.hop, Some(peer.hop));
        net.quiet();
    }
    assert_eq!(net.identities[&FlowId(1)].registration, ws("alice", 1).key());
    let counters = net.server.counters();
    // Where nothing gets lost, a repetition is a new request.
    assert_eq!((counters.registered, counters.challenged), (3, 6));
    net.advance(Duration::from_secs(40));
    assert_eq!(net.server.load(), (0, 0, 0));
}

/// Who registers for another is refused all the same, and a flow speaks for who registered over it alone.
#[test]
fn without_passwords_from_is_believed() {
    let mut net = Net::with(|config| config.passwords = false);
    for peer in [ws("alice", 1), udp("bob", 5)] {
        net.send(&peer, peer.register(1, &peer.contact_field()));
        net.expect(&peer, 200);
    }
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    assert_eq!(net.identities[&FlowId(1)].registration, alice.key());
    let for_bob = alice.register(2, &alice.contact_field()).replacen("To: <sip:alice@", "To: <sip:bob@", 1);
    net.send(&alice, for_bob);
    net.expect(&alice, 403);
    net.send(&bob, bob.out("MESSAGE", "sip:alice@example.com", 1, ""));
    net.request(&alice, &Method::Message);
}

#[test]
fn what_is_refused() {
    let alice = ws("alice", 1);
    let to_bob = |request: String| request.replacen("To: <sip:alice@", "To: <sip:bob@", 1);
    let elsewhere =
        |request: String| request.replacen("To: <sip:alice@example.com", "To: <sip:alice@example.net", 1);
    let as_is = |request: String| request;
    type Edit<'a> = &'a dyn Fn(String) -> String;
    let no_sip =
        |request: String| request.replacen("To: <sip:alice@example.com>", "To: <isbn:2983792873>", 1);
    let rows: [(&str, Edit<'_>, u16, &str); 8] = [
        ("Contact: <sip:a@b>;expires=30\r\n", &as_is, 423, "Interval Too Brief"),
        (
            "Contact: *\r\n",
            &as_is,
            400,
            "Bad Request (Wildcard Contact Needs Expires 0 And No Other Contact)",
        ),
        ("Contact: <tel:1>\r\n", &as_is, 400, "Contact Is Not A SIP URI"),
        ("Contact: <sip:a@b>\r\nRequire: sec-agree\r\n", &as_is, 420, "Bad Extension"),
        ("Contact: <sip:a@b>\r\n", &to_bob, 403, "Not Your Address"),
        ("Contact: <sip:a@b>\r\n", &elsewhere, 404, "Address Not In This Domain"),
        ("Contact: <sip:a@b>\r\n", &no_sip, 400, "Bad Request (Address-Of-Record Is Not A SIP URI)"),
        ("Authorization: Digest realm=\r\n", &as_is, 400, "Bad Request (Malformed Credentials)"),
    ];
    for (fields, edit, status, reason) in rows {
        let mut net = Net::new();
        if fields.starts_with("Authorization") {
            net.send(&alice, alice.register(1, fields));
        } else {
            net.send_with_digest(&alice, "alice", &|cseq, extra| {
                edit(alice.register(cseq, &format!("{fields}{extra}")))
            });
        }
        let response = net.expect(&alice, status);
        assert_eq!(response.reason(), reason);
        if status == 423 {
            assert_eq!(response.headers().first(HeaderName::MinExpires), Some("60"));
        }
        assert!(net.bindings.values().all(Vec::is_empty) && net.identities.is_empty());
    }
}

#[test]
fn wrong_credentials_are_challenged_again() {
    let alice = ws("alice", 1);
    for (name, password) in [("alice", "guess"), ("mallory", "mallory")] {
        let mut net = Net::new();
        let peer = Peer { name, ..alice.clone() };
        net.send_with_digest(&peer, password, &|cseq, extra| peer.register(cseq, extra));
        let again = net.expect(&peer, 401);
        assert!(!text(again.bytes()).contains("stale"));
        assert_eq!(net.server.counters().credentials_wrong, 1);
    }
}

#[test]
fn an_old_nonce_is_stale() {
    let alice = ws("alice", 1);
    let mut net = Net::new();
    net.send(&alice, alice.register(1, ""));
    let challenge = net.expect(&alice, 401);
    let authorization = digest("alice", "alice", &challenge, &Method::Register, "sip:example.com");
    net.advance(Duration::from_secs(301));
    net.send(&alice, alice.register(2, &authorization));
    assert!(text(net.expect(&alice, 401).bytes()).contains("stale=true"));
}

#[test]
fn fetch_wildcard_and_identity() {
    // Whether the flow speaks for its account.
    let speaks = |net: &Net| net.identities[&FlowId(1)].expires_at > net.now;
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    net.send_with_digest(&alice, "alice", &|cseq, extra| alice.register(cseq + 100, extra));
    let fetched = net.expect(&alice, 200);
    assert_eq!(fetched.headers().list(HeaderName::Contact).count(), 1);
    assert!(speaks(&net));
    // Another contact of the account goes; this flow is still this registration.
    let gone = "Contact: <sip:other@h>;expires=0\r\n";
    net.send_with_digest(&alice, "alice", &|cseq, extra| {
        alice.register(cseq + 200, &format!("{gone}{extra}"))
    });
    net.expect(&alice, 200);
    assert!(speaks(&net));
    let all = "Contact: *\r\nExpires: 0\r\n";
    net.send_with_digest(&alice, "alice", &|cseq, extra| {
        alice.register(cseq + 300, &format!("{all}{extra}"))
    });
    assert_eq!(net.expect(&alice, 200).headers().list(HeaderName::Contact).count(), 0);
    assert!(!speaks(&net));
    // Unregistering by its own contact too.
    net.register(&Peer { instance: 9, ..alice.clone() });
    assert!(speaks(&net));
    let own =
        Peer { instance: 9, ..alice.clone() }.contact_field().replacen("reg-id=1", "reg-id=1;expires=0", 1);
    net.send_with_digest(&alice, "alice", &|cseq, extra| {
        alice.register(cseq + 400, &format!("{own}{extra}"))
    });
    net.expect(&alice, 200);
    assert!(!speaks(&net));
}

#[test]
fn a_store_that_does_not_answer() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.silent = true;
    net.send(&alice, alice.register(1, ""));
    let challenge = net.expect(&alice, 401);
    let authorization = digest("alice", "alice", &challenge, &Method::Register, "sip:example.com");
    net.send(&alice, alice.register(2, &authorization));
    net.quiet();
    net.advance(Duration::from_secs(5));
    // RFC 4320 §4.1.
    net.expect(&alice, 100);
    let response = net.expect(&alice, 500);
    assert_eq!(response.reason(), "Directory Does Not Answer");
    assert!(response.headers().has(HeaderName::RetryAfter));
    // The answer comes after all.
    net.silent = false;
    net.answer_waiting(false);
    net.quiet();
    let counters = net.server.counters();
    assert_eq!((counters.questions_timed_out, counters.answers_late), (1, 1));
    // Late, yet in time.
    net.silent = true;
    net.send_with_digest(&alice, "alice", &|cseq, extra| {
        alice.register(cseq + 10, &format!("{}{extra}", alice.contact_field()))
    });
    net.advance(Duration::from_secs(3));
    net.silent = false;
    net.answer_waiting(false);
    net.expect(&alice, 200);
    assert!(net.identities.contains_key(&FlowId(1)));
}

#[test]
fn a_nonce_serves_who_was_challenged_alone() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.send(&alice, alice.register(1, ""));
    let challenge = net.expect(&alice, 401);
    let proof = digest("alice", "alice", &challenge, &Method::Register, "sip:example.com");
    // Overheard and sent from another address: right, and worth nothing there.
    let thief = ws("alice", 2);
    net.send(&thief, thief.register(2, &proof));
    assert!(text(net.expect(&thief, 401).bytes()).contains("stale=true"));
    assert!(net.identities.is_empty());
    // A NAT may give another port meanwhile.
    let mut moved = alice.clone();
    moved.hop.remote.set_port(41_000);
    net.send(&moved, moved.register(2, &format!("{}{proof}", moved.contact_field())));
    net.expect(&moved, 200);
}
