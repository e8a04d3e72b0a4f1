//! §16 and what RFC 5393, 5626 and 3326 add to it: targets in groups, breadth, redirections, strict routers.

use super::*;

/// Bob's phones on UDP, each with the parameters of its contact.
fn phones<const N: usize>(net: &mut Net, params: [&str; N]) -> [Peer; N] {
    let mut last = 5;
    params.map(|params| {
        let phone = udp("bob", last);
        last += 1;
        net.send_with_digest(&phone, "bob", &|cseq, extra| {
            phone.register(cseq, &format!("Contact: <{}>{params}\r\n{extra}", phone.contact()))
        });
        net.expect(&phone, 200);
        phone
    })
}

fn alice(net: &mut Net) -> Peer {
    let alice = ws("alice", 1);
    net.register(&alice);
    alice
}

fn call(net: &mut Net, alice: &Peer, fields: &str) {
    net.send(alice, alice.invite("bob", 2, fields));
    net.expect(alice, 100);
}

#[track_caller]
fn decline(net: &mut Net, phone: &Peer, request: &Request, status: u16) {
    net.send(phone, phone.answer(request, status));
    net.request(phone, &Method::Ack);
}

fn breadth(request: &Request) -> &str {
    let mut all = request.headers().all(HeaderName::MaxBreadth);
    let value = all.next().unwrap();
    assert_eq!(all.next(), None, "a single one");
    value
}

#[test]
fn rfc3261_16_6_groups_of_the_same_q_one_after_the_other() {
    let mut net = Net::new();
    let alice = alice(&mut net);
    let [last, first, too] = phones(&mut net, [";q=0.2", ";q=0.7", ";q=0.7"]);
    call(&mut net, &alice, "");
    let to_first = net.request(&first, &Method::Invite);
    let to_too = net.request(&too, &Method::Invite);
    net.quiet();
    decline(&mut net, &first, &to_first, 486);
    net.quiet();
    // The second of the group, too: then the last is tried.
    decline(&mut net, &too, &to_too, 480);
    let to_last = net.request(&last, &Method::Invite);
    net.send(&last, last.answer(&to_last, 200));
    net.expect(&alice, 200);
    net.quiet();
}

#[test]
fn rfc3261_16_6_a_group_that_only_rings_makes_way() {
    let mut net = Net::with(|config| config.routing.ring = Duration::from_secs(15));
    let alice = alice(&mut net);
    let [first, second] = phones(&mut net, ["", ";q=0.5"]);
    call(&mut net, &alice, "");
    let to_first = net.request(&first, &Method::Invite);
    net.send(&first, first.answer(&to_first, 180));
    net.expect(&alice, 180);
    net.advance(Duration::from_millis(14_900));
    net.quiet();
    net.advance(Duration::from_millis(200));
    let cancel = net.request(&first, &Method::Cancel);
    let to_second = net.request(&second, &Method::Invite);
    net.send(&first, first.answer(&cancel, 200));
    decline(&mut net, &first, &to_first, 487);
    net.quiet();
    decline(&mut net, &second, &to_second, 486);
    // That the first was given up here is no answer to the caller.
    net.expect(&alice, 486);
    net.quiet();
}

#[test]
fn rfc3261_16_7_step_5_a_6xx_ends_the_search() {
    let mut net = Net::new();
    let alice = alice(&mut net);
    let [first, _second] = phones(&mut net, ["", ";q=0.5"]);
    call(&mut net, &alice, "");
    let to_first = net.request(&first, &Method::Invite);
    decline(&mut net, &first, &to_first, 603);
    net.expect(&alice, 603);
    net.quiet();
}

#[test]
fn rfc3261_16_10_a_cancel_ends_the_search_and_its_reason_goes_on() {
    let mut net = Net::new();
    let alice = alice(&mut net);
    let [first, _second] = phones(&mut net, ["", ";q=0.5"]);
    let invite = alice.invite("bob", 2, "");
    net.send(&alice, invite.clone());
    net.expect(&alice, 100);
    let to_first = net.request(&first, &Method::Invite);
    net.send(&first, first.answer(&to_first, 180));
    net.expect(&alice, 180);
    let cancel = invite.replace("INVITE sip", "CANCEL sip").replace("2 INVITE", "2 CANCEL").replace(
        "X-Odd",
        "Reason: SIP;cause=600;text=\"Busy Everywhere\"\r\nReason: Q.850;cause=16\r\nX-Odd",
    );
    net.send(&alice, cancel);
    net.expect(&alice, 200);
    // RFC 3326 §2.
    let cancel = net.request(&first, &Method::Cancel);
    let reason = cancel.headers().first(HeaderName::Reason);
    assert_eq!(reason, Some("SIP;cause=600;text=\"Busy Everywhere\", Q.850;cause=16"));
    decline(&mut net, &first, &to_first, 487);
    net.expect(&alice, 487);
    net.quiet();
}

#[test]
fn rfc5393_5_3_3_max_breadth_is_shared_among_the_branches() {
    let rows = [
        ("", ["20", "20", "20"]),
        ("Max-Breadth: 5\r\n", ["2", "2", "1"]),
        ("Max-Breadth: 900\r\n", ["20", "20", "20"]),
    ];
    for (field, expected) in rows {
        let mut net = Net::new();
        let alice = alice(&mut net);
        let all = phones(&mut net, ["", "", ""]);
        call(&mut net, &alice, field);
        for (phone, expected) in all.iter().zip(expected) {
            assert_eq!(breadth(&net.request(phone, &Method::Invite)), expected);
        }
        net.quiet();
    }
}

#[test]
fn rfc5393_5_3_3_1_what_is_too_broad_is_forked_serially_and_breadth_used_again() {
    let mut net = Net::new();
    let alice = alice(&mut net);
    let [first, second, third] = phones(&mut net, ["", "", ""]);
    call(&mut net, &alice, "Max-Breadth: 2\r\n");
    let to_first = net.request(&first, &Method::Invite);
    assert_eq!(breadth(&to_first), "1");
    net.request(&second, &Method::Invite);
    net.quiet();
    decline(&mut net, &first, &to_first, 486);
    assert_eq!(breadth(&net.request(&third, &Method::Invite)), "1");
    net.quiet();
}

#[test]
fn rfc5393_5_3_3_without_any_breadth_it_is_440() {
    let mut net = Net::new();
    let alice = alice(&mut net);
    phones(&mut net, [""]);
    call(&mut net, &alice, "Max-Breadth: 0\r\n");
    assert_eq!(net.expect(&alice, 440).reason(), "Max-Breadth Exceeded");
    net.quiet();
}

#[test]
fn rfc5393_4_2_1_the_loop_mark_does_not_depend_on_the_method() {
    let mut net = Net::new();
    let alice = alice(&mut net);
    let [phone] = phones(&mut net, [""]);
    call(&mut net, &alice, "");
    let forwarded = net.request(&phone, &Method::Invite);
    // It comes back with the Request-URI and Routes it had here, under another method.
    let back = text(forwarded.bytes())
        .replacen(&format!("INVITE {}", phone.contact()), "MESSAGE sip:bob@example.com", 1)
        .replace("2 INVITE", "2 MESSAGE")
        .replacen("Via:", &format!("{}Via:", phone.via("again")), 1)
        .replacen("<sip:alice@example.com>", "<sip:alice@example.org>", 1);
    net.send(&phone, back);
    assert_eq!(net.expect(&phone, 482).reason(), "Loop Detected");
}

#[test]
fn rfc3261_8_2_2_2_merged_requests_get_482() {
    let mut net = Net::new();
    let phone = udp("carol", 9);
    // The same request over two ways: another branch, all else alike.
    let options = phone
        .out("OPTIONS", "sip:example.com", 5, "")
        .replace("carol@example.com>;tag", "c@example.org>;tag");
    net.send(&phone, options.clone());
    net.expect(&phone, 200);
    net.send(&phone, options.replace("z9hG4bKOPTIONS5", "z9hG4bKother"));
    assert_eq!(net.expect(&phone, 482).reason(), "Merged Request");
    // Once the first is over it is a request of its own.
    net.advance(Duration::from_secs(33));
    net.send(&phone, options.replace("z9hG4bKOPTIONS5", "z9hG4bKthird"));
    net.expect(&phone, 200);

    let first = phone.register(1, "");
    net.send(&phone, first.clone());
    let challenge = net.expect(&phone, 401);
    let proof = digest("carol", "carol", &challenge, &Method::Register, "sip:example.com");
    let register = phone.register(2, &format!("{}{proof}", phone.contact_field()));
    net.send(&phone, register.clone());
    net.expect(&phone, 200);
    net.send(&phone, register.replace("z9hG4bKreg2", "z9hG4bKreg2other"));
    net.expect(&phone, 482);
    assert_eq!(net.server.counters().registered, 1);
}

#[test]
fn rfc3261_16_7_step_4_redirections_are_followed_by_policy() {
    for recurse in [false, true] {
        let mut net = Net::with(|config| config.routing.recurse = recurse);
        let alice = alice(&mut net);
        let carol = ws("carol", 3);
        net.register(&carol);
        let [phone] = phones(&mut net, [""]);
        call(&mut net, &alice, "");
        let forwarded = net.request(&phone, &Method::Invite);
        let moved = phone.answer(&forwarded, 302).replacen(
            &format!("Contact: <{}>", phone.contact()),
            "Contact: <sip:carol@alias.example.com>;q=0.9, <sip:carol@alias.example.com>",
            1,
        );
        net.send(&phone, moved);
        net.request(&phone, &Method::Ack);
        if recurse {
            let followed = net.request(&carol, &Method::Invite);
            assert_eq!(followed.uri(), carol.contact());
            decline(&mut net, &carol, &followed, 486);
            net.expect(&alice, 486);
        } else {
            let told = net.expect(&alice, 302);
            assert!(told.headers().first(HeaderName::Contact).unwrap().contains("carol"));
        }
        net.quiet();
    }
}

#[test]
fn rfc3261_16_7_step_4_a_redirection_in_a_circle_ends() {
    let mut net = Net::with(|config| config.routing.recurse = true);
    let alice = alice(&mut net);
    let [phone] = phones(&mut net, [""]);
    call(&mut net, &alice, "");
    let redirect = |net: &mut Net| {
        let forwarded = net.request(&phone, &Method::Invite);
        let back = phone.answer(&forwarded, 301).replacen(&phone.contact(), "sip:bob@example.com", 1);
        net.send(&phone, back);
        net.request(&phone, &Method::Ack);
    };
    redirect(&mut net);
    // Once more, for the phone may know better now; then it is told.
    redirect(&mut net);
    net.expect(&alice, 301);
    net.quiet();
}

#[test]
fn rfc3261_16_7_step_4_what_cannot_be_followed_whole_is_told() {
    for (status, contact) in
        [(302, "<tel:+15551234>, <sip:carol@example.com>"), (305, "<sip:carol@example.com>")]
    {
        let mut net = Net::with(|config| config.routing.recurse = true);
        let alice = alice(&mut net);
        let [phone] = phones(&mut net, [""]);
        call(&mut net, &alice, "");
        let forwarded = net.request(&phone, &Method::Invite);
        let answer = phone.answer(&forwarded, status).replacen(&format!("<{}>", phone.contact()), contact, 1);
        net.send(&phone, answer);
        net.request(&phone, &Method::Ack);
        net.expect(&alice, status);
        net.quiet();
    }
}

#[test]
fn rfc5626_7_another_flow_of_the_instance_is_tried_when_one_failed() {
    // 0: the flow closes.
    for failure in [430, 408, 0, 486] {
        let mut net = Net::new();
        let alice = alice(&mut net);
        let (old, new) = (ws("bob", 2), ws("bob", 3));
        net.register(&old);
        net.advance(Duration::from_secs(1));
        net.send_with_digest(&new, "bob", &|cseq, extra| {
            let contact = new.contact_field().replace("reg-id=1", "reg-id=2");
            new.register(cseq + 50, &format!("{contact}{extra}"))
        });
        net.expect(&new, 200);
        call(&mut net, &alice, "");
        let forwarded = net.request(&new, &Method::Invite);
        net.quiet();
        match failure {
            0 => net.close(&new),
            status => decline(&mut net, &new, &forwarded, status),
        }
        // "If the proxy receives a final response ... other than a 408 or a 430": the instance has answered.
        if failure == 486 {
            net.expect(&alice, 486);
        } else {
            let again = net.request(&old, &Method::Invite);
            decline(&mut net, &old, &again, 430);
            // §11.5: no endpoint sees it.
            net.expect(&alice, 480);
        }
        net.quiet();
    }
}

#[test]
fn rfc3261_16_4_a_strict_router_before_us() {
    let mut net = Net::new();
    let (alice, bob) = (alice(&mut net), ws("bob", 2));
    net.register(&bob);
    call(&mut net, &alice, "");
    let forwarded = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&forwarded, 200));
    let mut side = Side::caller(&alice, &net.expect(&alice, 200));
    // Its own Route became the Request-URI, which went to the end of the Routes.
    let target = side.target.trim_matches(['<', '>']).to_string();
    let first = side.routes.remove(0);
    side.target = first.clone();
    side.routes.push(format!("<{target}>"));
    for method in ["ACK", "INFO"] {
        net.send(&alice, side.next(method));
        let arrived = net.request(&bob, &Method::from_token(method));
        assert_eq!(arrived.uri(), target);
        assert!(!arrived.headers().has(HeaderName::Route));
    }
    net.quiet();
}

#[test]
fn rfc3261_16_6_step_6_a_strict_router_behind_us() {
    let mut net = Net::new();
    let (alice, bob) = (alice(&mut net), udp("bob", 5));
    net.register(&bob);
    call(&mut net, &alice, "");
    let forwarded = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&forwarded, 200));
    let mut side = Side::caller(&alice, &net.expect(&alice, 200));
    let target = side.target.trim_matches(['<', '>']).to_string();
    side.routes.extend(["<sip:old.example.net;x=1>", "<sip:older.example.net;lr>"].map(String::from));
    net.send(&alice, side.next("INFO"));
    let arrived = net.request(&bob, &Method::Info);
    assert_eq!(arrived.uri(), "sip:old.example.net;x=1");
    let routes: Vec<&str> = arrived.headers().list(HeaderName::Route).collect();
    assert_eq!(routes, ["<sip:older.example.net;lr>".to_string(), format!("<{target}>")]);
}

#[test]
fn rfc3261_16_unknown_methods_pass_and_rfc4320_4_1_their_100_waits() {
    let mut net = Net::new();
    let (alice, bob) = (udp("alice", 4), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    net.send_with_digest(&alice, "alice", &|cseq, extra| {
        alice.out("DANCE", "sip:bob@example.com", cseq, extra)
    });
    let forwarded = net.request(&bob, &Method::from_token("DANCE"));
    net.quiet();
    // RFC 4320 §4.1: a 100, and not before Timer E is T2. §4.2: no 408 when nobody answers.
    net.advance(Duration::from_millis(3_400));
    while net.sent.front().is_some_and(|(to, _)| to.remote == bob.hop.remote) {
        net.request(&bob, &Method::from_token("DANCE"));
    }
    net.quiet();
    net.advance(Duration::from_millis(200));
    net.request(&bob, &Method::from_token("DANCE"));
    net.expect(&alice, 100);
    net.advance(Duration::from_secs(66));
    while net.sent.front().is_some_and(|(to, _)| to.remote == bob.hop.remote) {
        assert_eq!(net.request(&bob, &Method::from_token("DANCE")).branch(), forwarded.branch());
    }
    net.quiet();
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn rfc3261_19_1_6_a_telephone_number_is_a_user_of_the_domain_or_goes_where_its_route_says() {
    for mode in [Mode::Proxy, Mode::Stateless] {
        let mut net = Net::with(|config| {
            config.routing.mode = mode;
            let peer = super::super::Peer {
                name: "trunk".into(),
                uri: "sip:198.18.0.7".into(),
                sources: [].into(),
                trusted: false,
            };
            config.peers = [peer].into();
            let peers = [Share { peer: "trunk".into(), priority: 1, weight: 1 }].into();
            config.routes = [StaticRoute { domain: None, numbers: NumberPattern::new("+49*"), peers }].into();
        });
        net.accounts.insert("201".into(), Arc::new(Secrets::from_password("201", DOMAIN, "201")));
        let (alice, desk, phone) = (ws("alice", 1), ws("201", 2), udp("bob", 5));
        let trunk = elsewhere(Transport::Udp, "198.18.0.7:5060");
        net.register(&alice);
        net.register(&desk);
        let rows = [
            ("tel:+49-30-123456", &trunk, "sip:+4930123456@198.18.0.7"),
            ("tel:201;phone-context=example.com", &desk, &*desk.contact()),
        ];
        for (cseq, (number, at, uri)) in (2..).zip(rows) {
            let invite = alice.out("INVITE", number, cseq, "");
            net.send(&alice, invite.clone());
            if mode == Mode::Proxy {
                net.expect(&alice, 100);
            }
            let forwarded = net.request(at, &Method::Invite);
            assert_eq!(forwarded.uri(), uri);
            let to = forwarded.headers().first(HeaderName::To);
            assert_eq!(to, Some(&*format!("<{number}>")), "it stays as it is");
            net.send(at, at.answer(&forwarded, 180));
            net.expect(&alice, 180);
            net.send(&alice, invite.replace("INVITE tel", "CANCEL tel").replace(" INVITE", " CANCEL"));
            if mode == Mode::Proxy {
                net.expect(&alice, 200);
            }
            assert_eq!(net.request(at, &Method::Cancel).uri(), uri);
            net.quiet();
        }
        // Credentials are for the number that is asked for.
        net.send_with_digest(&phone, "bob", &|cseq, extra| phone.out("MESSAGE", "tel:+49-30-1", cseq, extra));
        assert_eq!(net.request(&trunk, &Method::Message).uri(), "sip:+49301@198.18.0.7");
        let challenged = phone.out("MESSAGE", "tel:+49-30-1", 7, "");
        net.send(&phone, challenged);
        let challenge = net.expect(&phone, 407);
        let other = digest("bob", "bob", &challenge, &Method::Message, "tel:+49-30-1");
        net.send(&phone, phone.out("MESSAGE", "tel:+49-30-2", 8, &other));
        net.expect(&phone, 400);
        // Nobody has it, and strangers call no numbers.
        net.send(&alice, alice.out("MESSAGE", "tel:+331", 9, ""));
        net.expect(&alice, 404);
        let stranger = udp("carol", 9).out("MESSAGE", "tel:+4930", 10, "");
        net.send(&udp("carol", 9), stranger.replace("carol@example.com", "carol@b.example"));
        net.expect(&udp("carol", 9), 404);
        net.quiet();
    }
}
