//! Who may send what to whom.

use super::*;

#[test]
fn a_page_that_has_not_registered_is_challenged() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&bob);
    // Credentials do instead.
    net.send_with_digest(&alice, "alice", &|cseq, extra| alice.invite("bob", cseq, extra));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    assert!(!forwarded.headers().has(HeaderName::ProxyAuthorization));
    net.send(&bob, bob.answer(&forwarded, 200));
    let ok = net.expect(&alice, 200);
    net.send(&alice, Side::caller(&alice, &ok).next("ACK"));
    net.request(&bob, &Method::Ack);
    // Every method, and a From of nobody's.
    for method in ["OPTIONS", "MESSAGE", "SUBSCRIBE", "BYE", "DANCE"] {
        net.send(&alice, alice.out(method, "sip:bob@example.com", 7, ""));
        net.expect(&alice, 407);
    }
    net.send(&alice, alice.invite("bob", 8, "").replace("<sip:alice@example.com>", "<sip:a@b.example>"));
    net.expect(&alice, 407);
    // Its way back is the flow, as long as there is one.
    let mut callee = Side::callee(&bob, &forwarded);
    net.send(&bob, callee.next("INFO"));
    net.request(&alice, &Method::Info);
    net.close(&alice);
    net.sent.clear();
    net.send(&bob, callee.next("BYE"));
    net.expect(&bob, 480);
}

#[test]
fn from_must_be_the_accounts() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&bob);
    for (peer, from) in [(&alice, "sip:bob@example.com"), (&alice, "sip:alice@example.net")] {
        net.send_with_digest(peer, "alice", &|cseq, extra| {
            peer.invite("bob", cseq, extra).replace("<sip:alice@example.com>", &format!("<{from}>"))
        });
        assert_eq!(net.expect(peer, 403).reason(), "From Is Not Your Address");
    }
    // The same on UDP.
    let phone = udp("alice", 5);
    net.send_with_digest(&phone, "alice", &|cseq, extra| {
        phone.invite("bob", cseq, extra).replace("<sip:alice@example.com>", "<sip:carol@example.com>")
    });
    net.expect(&phone, 403);
    net.quiet();
}

#[test]
fn a_phone_of_another_domain_may_call_in_and_nowhere_else() {
    let mut net = Net::new();
    let bob = ws("bob", 2);
    net.register(&bob);
    let stranger = udp("alice", 5);
    let from_elsewhere =
        |request: String| request.replace("<sip:alice@example.com>", "<sip:alice@elsewhere.example>");
    net.send(&stranger, from_elsewhere(stranger.invite("bob", 1, "")));
    net.expect(&stranger, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&forwarded, 200));
    let ok = net.expect(&stranger, 200);
    // And talk both ways, even when a NAT has given it another port.
    let mut port = Side::caller(&stranger, &ok);
    port.peer.hop.remote.set_port(6666);
    net.send(&port.peer.clone(), port.next("ACK"));
    net.request(&bob, &Method::Ack);
    net.send(&bob, Side::callee(&bob, &forwarded).next("BYE"));
    net.request(&stranger, &Method::Bye);
    net.sent.clear();
    for uri in ["sip:x@third.example", "sip:third.example", "sip:bob@198.51.100.77"] {
        net.send(
            &stranger,
            from_elsewhere(stranger.out("MESSAGE", uri, 2, ""))
                .replace("MESSAGE2", uri.split('@').next_back().unwrap()),
        );
        net.expect(&stranger, 403);
    }
    // An alias of ours in From is ours.
    for host in ["alias.example.com", "192.0.2.1:5060"] {
        net.send(
            &stranger,
            stranger
                .invite("bob", 3, "")
                .replace("alice@example.com", &format!("alice@{host}"))
                .replace("INVITE3", host),
        );
        net.expect(&stranger, 407);
    }
}

#[test]
fn a_to_tag_opens_no_door() {
    let mut net = Net::new();
    let bob = ws("bob", 2);
    net.register(&bob);
    for (stranger, from, status) in [
        (udp("alice", 5), "alice@elsewhere.example", 481),
        (tcp("alice", 6), "alice@elsewhere.example", 481),
        (udp("alice", 5), "alice@example.com", 407),
        (ws("alice", 7), "alice@elsewhere.example", 407),
        (ws("alice", 7), "alice@example.com", 407),
    ] {
        for method in ["INVITE", "BYE", "MESSAGE", "NOTIFY", "UPDATE"] {
            let request = stranger.out(method, "sip:bob@example.com", 1, "");
            let request = request
                .replace("<sip:alice@example.com>", &format!("<sip:{from}>"))
                .replace("t: <sip:bob@example.com>", "t: <sip:bob@example.com>;tag=guessed")
                .replace("z9hG4bK", &format!("z9hG4bK{}", from.len()));
            net.send(&stranger, request);
            net.expect(&stranger, status);
            net.quiet();
        }
    }
    assert_eq!(net.server.counters().dialogs_unknown, 10);
}

#[test]
fn our_domain_has_no_other_spellings() {
    let mut net = Net::new();
    let bob = ws("bob", 2);
    net.register(&bob);
    let stranger = udp("alice", 5);
    for (cseq, host) in
        ["EXAMPLE.com", "example.com.", "[::ffff:192.0.2.1]", "alias.example.com."].iter().enumerate()
    {
        let request = stranger.invite("bob", cseq as u32, "");
        net.send(&stranger, request.replace("<sip:alice@example.com>", &format!("<sip:alice@{host}>")));
        net.expect(&stranger, 407);
    }
    net.quiet();
}

#[test]
fn a_flow_is_somebodys_as_long_as_the_registration_lasts() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&forwarded, 200));
    let mut caller = Side::caller(&alice, &net.expect(&alice, 200));
    net.send(&alice, caller.next("ACK"));
    net.request(&bob, &Method::Ack);
    net.advance(Duration::from_secs(1800));
    // A refresh prolongs it.
    net.send_with_digest(&alice, "alice", &|cseq, extra| {
        alice.register(cseq + 100, &format!("{}{extra}", alice.contact_field()))
    });
    net.expect(&alice, 200);
    net.advance(Duration::from_secs(2000));
    net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 3, ""));
    assert_eq!(net.response(&alice).status(), 480, "bob has not refreshed");
    net.advance(Duration::from_secs(1600));
    net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 4, ""));
    net.expect(&alice, 407);
    // What began before can still be ended.
    net.send(&alice, caller.next("BYE"));
    net.request(&bob, &Method::Bye);
}

#[test]
fn nobody_asserts_an_identity_here() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    let asserted = "P-Asserted-Identity: <sip:president@example.com>\r\n";
    net.send(&alice, alice.invite("bob", 2, &asserted.repeat(2)));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    let told: Vec<&str> = forwarded.headers().all(HeaderName::PAssertedIdentity).collect();
    assert_eq!(told, ["<sip:alice@example.com>"]);
    for status in [180, 486] {
        let answer = bob.answer(&forwarded, status).replacen("From:", &format!("{asserted}From:"), 1);
        net.send(&bob, answer);
    }
    for status in [180, 486] {
        assert!(!net.expect(&alice, status).headers().has(HeaderName::PAssertedIdentity));
        if status == 180 {
            net.request(&bob, &Method::Ack);
        }
    }
}

/// A callee reads the caller's branch in the Vias it is sent.
#[test]
fn a_branch_is_no_proof() {
    let mut net = Net::new();
    let (alice, bob, carol) = (ws("alice", 1), ws("bob", 2), ws("carol", 3));
    let phone = udp("bob", 5);
    for peer in [&alice, &bob, &carol, &phone] {
        net.register(peer);
    }
    let invite = alice.invite("bob", 2, "");
    net.send(&alice, invite.clone());
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    net.request(&phone, &Method::Invite);
    let cancel = alice.out("CANCEL", "sip:bob@example.com", 2, "").replace("CANCEL2", "INVITE2");
    let unregistered = ws("alice", 7);
    for thief in [&bob, &carol, &phone, &unregistered] {
        net.send(thief, cancel.clone());
        net.expect(thief, 481);
        // To have the responses come to himself.
        net.send(thief, invite.clone());
        net.quiet();
    }
    assert_eq!(net.server.counters().sender_mismatched, 8);
    net.send(&bob, bob.answer(&forwarded, 180));
    net.expect(&alice, 180);
    // On her next socket Alice may do both.
    let back = ws("alice", 8);
    net.register(&back);
    net.send(&back, invite);
    net.expect(&back, 180);
    net.send(&back, cancel);
    net.expect(&back, 200);
    net.request(&bob, &Method::Cancel);
}

/// Nor is it one when the request was answered and is kept no more.
#[test]
fn rfc3261_22_1_a_branch_is_no_proof_after_the_answer_either() {
    let mut net = Net::new();
    let (alice, bob, carol) = (ws("alice", 1), ws("bob", 2), ws("carol", 3));
    let (phone, elsewhere) = (udp("alice", 5), udp("carol", 6));
    for peer in [&alice, &bob, &carol, &phone, &elsewhere] {
        net.register(peer);
    }
    let invite = alice.invite("bob", 2, "");
    net.send(&alice, invite.clone());
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&forwarded, 200));
    net.expect(&alice, 200);
    let cancel = alice.out("CANCEL", "sip:bob@example.com", 2, "").replace("CANCEL2", "INVITE2");
    // Over UDP the answer to a MESSAGE waits for who repeats it.
    let sent = core::cell::RefCell::new(String::new());
    net.send_with_digest(&phone, "alice", &|cseq, extra| {
        sent.replace(phone.out("MESSAGE", "sip:bob@example.com", cseq + 2, extra));
        sent.borrow().clone()
    });
    let message = sent.into_inner();
    let forwarded = net.request(&bob, &Method::Message);
    net.send(&bob, bob.answer(&forwarded, 200));
    net.expect(&phone, 200);
    for thief in [&bob, &carol, &elsewhere] {
        net.send(thief, cancel.clone());
        net.expect(thief, 481);
        for repeated in [&invite, &message] {
            net.send(thief, repeated.clone());
            net.quiet();
        }
    }
    assert_eq!(net.server.counters().sender_mismatched, 9);
    // On her next socket Alice has the same answer, and nothing is cancelled any more.
    let back = ws("alice", 4);
    net.register(&back);
    net.send(&back, message);
    net.expect(&back, 200);
    net.send(&back, cancel);
    net.expect(&back, 200);
    net.quiet();
}

/// Datagrams that may be from anybody, with the address of who is to be drowned in answers.
#[test]
fn rfc3261_26_3_2_4_who_may_be_forged_is_refused_once_and_takes_no_room() {
    let mut net = Net::with(|config| config.callers = Callers::Peers);
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.advance(Duration::from_secs(33));
    let foreign = |text: String| text.replace("bob@example.com", "bob@b.example");
    let rows = [
        (407, bob.invite("alice", 1, "")),
        (407, bob.out("MESSAGE", "sip:alice@example.com", 2, "")),
        (401, bob.register(3, &bob.contact_field())),
        // Who is nobody's is told once that its call is refused.
        (403, foreign(bob.invite("alice", 4, ""))),
    ];
    for (status, request) in rows {
        net.send(&bob, request.clone());
        let first = net.expect(&bob, status);
        assert_eq!(net.server.load(), (0, 0, 0));
        net.advance(Duration::from_secs(40));
        net.quiet();
        // Who asks again, because the answer was lost, is answered anew, and as the same.
        net.send(&bob, request.clone());
        assert_eq!(net.expect(&bob, status).to_tag(), first.to_tag());
        if request.starts_with("INVITE") {
            net.send(&bob, ack_to_failure(&request, &first));
            net.send(&bob, request.replacen("INVITE", "CANCEL", 1).replace(" INVITE", " CANCEL"));
            net.expect(&bob, 481);
            net.advance(Duration::from_secs(33));
        }
        net.quiet();
        assert_eq!(net.server.load(), (0, 0, 0));
    }
    // Nobody forges a connection, and who proves itself is told until it has heard.
    let phone = tcp("bob", 6000);
    let invite = phone.invite("alice", 5, "");
    net.send(&phone, invite);
    net.expect(&phone, 407);
    assert_eq!(net.server.load().0, 1);
    net.advance(Duration::from_secs(33));
    net.send_with_digest(&bob, "bob", &|cseq, extra| bob.invite("nobody", cseq + 10, extra));
    net.expect(&bob, 404);
    net.advance(Duration::from_millis(500));
    net.expect(&bob, 404);
    net.advance(Duration::from_secs(33));
    assert_eq!(net.server.load(), (0, 0, 0));
}

/// Calls to who does not exist, to who is not registered, and to who has lost its connection.
#[test]
fn rfc3261_26_3_2_4_who_may_be_forged_hears_once_that_nobody_is_there() {
    let mut net = Net::with(|config| config.callers = Callers::Anyone);
    let (stranger, page) = (udp("bob", 5), ws("carol", 3));
    net.register(&page);
    net.close(&page);
    // A To tag makes no dialog.
    let rows = [
        (404, "sip:nobody@example.com", ""),
        (480, "sip:alice@example.com", ""),
        (480, "sip:carol@example.com", ""),
        (480, "sip:alice@example.com;gr=none", ";tag=made-up"),
    ];
    for ((status, uri, tag), cseq) in rows.into_iter().zip(1..) {
        let invite = stranger
            .out("INVITE", uri, cseq, "")
            .replace(&format!("t: <{uri}>"), &format!("t: <{uri}>{tag}"))
            .replace("bob@example.com", "bob@b.example");
        net.send(&stranger, invite.clone());
        if uri.contains("carol") {
            net.expect(&stranger, 100);
            net.quiet();
            net.advance(Duration::from_secs(5));
        }
        net.expect(&stranger, status);
        // Whoever asks again, for the answer was lost, hears it again.
        net.advance(Duration::from_secs(4));
        net.quiet();
        net.send(&stranger, invite);
        net.expect(&stranger, status);
        // T4 after the first it is forgotten, and was told to nobody else.
        net.advance(Duration::from_secs(1));
        assert_eq!(net.server.load(), (0, 0, 0), "{uri}");
        net.advance(Duration::from_secs(40));
        net.quiet();
    }
}

/// A network's copy of an INVITE comes when the callee, who was not there, has registered.
#[test]
fn rfc3261_17_2_1_who_is_not_there_is_not_called_by_a_copy() {
    let mut net = Net::with(|config| config.callers = Callers::Anyone);
    let (alice, stranger) = (ws("alice", 1), udp("bob", 5));
    let invite = stranger.invite("alice", 1, "").replace("bob@example.com", "bob@b.example");
    net.send(&stranger, invite.clone());
    let refused = net.expect(&stranger, 480);
    net.send(&stranger, ack_to_failure(&invite, &refused));
    net.register(&alice);
    net.send(&stranger, invite);
    net.quiet();
}
