//! GRUUs (RFC 5627), Path (RFC 3327), Service-Route (RFC 3608), third parties.

use super::*;

/// Registers with GRUUs; gives the public and the temporary one.
fn gruus(net: &mut Net, peer: &Peer, call_id: &str, cseq: u32) -> (String, String) {
    net.send_with_digest(peer, peer.name, &|more, extra| {
        let fields = format!("{}Supported: gruu\r\n{extra}", peer.contact_field());
        peer.register(cseq + more, &fields).replace("Call-ID: reg", &format!("Call-ID: {call_id}"))
    });
    let ok = net.expect(peer, 200);
    let own =
        ok.headers().list(HeaderName::Contact).find(|contact| contact.contains(&peer.contact())).unwrap();
    let value =
        |name: &str| own.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_string();
    (value("pub-gruu"), value("temp-gruu"))
}

#[test]
fn rfc5627_5_a_gruu_leads_to_its_instance_alone() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    let (page, other) = (ws("bob", 2), Peer { instance: 9, ..ws("bob", 3) });
    net.register(&other);
    let (public, temporary) = gruus(&mut net, &page, "one", 10);
    assert_eq!(public, "sip:bob@example.com;gr=urn:uuid:00000000-0000-4000-8000-000000000062");
    assert!(temporary.starts_with("sip:gruu.") && temporary.ends_with("@example.com;gr"));
    for (cseq, gruu) in [
        &public,
        &public.to_uppercase().replace("SIP:BOB@EXAMPLE.COM;GR=", "sip:bob@example.com;gr="),
        &temporary,
    ]
    .into_iter()
    .enumerate()
    {
        net.send(&alice, alice.out("INVITE", gruu, 30 + cseq as u32, ""));
        net.expect(&alice, 100);
        let forwarded = net.request(&page, &Method::Invite);
        assert_eq!(forwarded.uri(), page.contact());
        net.quiet();
    }
    // It is away: the address is known (§5.3).
    net.close(&page);
    net.sent.clear();
    net.send(&alice, alice.out("MESSAGE", &public, 40, ""));
    net.advance(Duration::from_secs(5));
    net.expect(&alice, 100);
    net.expect(&alice, 480);
}

/// "It is RECOMMENDED that the proxy reject the request with a 403": its dialog would be another's.
#[test]
fn rfc5627_6_2_nobody_begins_a_dialog_with_the_gruu_of_another() {
    let mut net = Net::with(|config| {
        config.registrants = [("carol".into(), ["sip:alice@example.com".into()].into())].into();
    });
    let (alice, bob, phone) = (ws("alice", 1), ws("bob", 2), udp("carol", 5));
    net.register(&alice);
    let own = gruus(&mut net, &bob, "one", 10);
    let (public, temporary) = gruus(&mut net, &ws("alice", 3), "two", 40);
    for (cseq, method, gruu, status) in [
        (30, "INVITE", &public, 403),
        (31, "INVITE", &temporary, 403),
        (32, "SUBSCRIBE", &public, 403),
        (33, "INVITE", &own.0, 100),
        (34, "INVITE", &own.1, 100),
        // It begins none.
        (35, "MESSAGE", &public, 0),
    ] {
        net.send(&bob, bob.out(method, "sip:alice@example.com", cseq, "").replace(&bob.contact(), gruu));
        if status != 0 {
            net.expect(&bob, status);
        }
        assert_eq!(net.sent.is_empty(), status == 403, "{method} {gruu}");
        net.sent.clear();
    }
    // Who registers for another speaks for it.
    net.send_with_digest(&phone, "carol", &|cseq, extra| {
        phone.invite("bob", 50 + cseq, extra).replace(&phone.contact(), &public)
    });
    net.expect(&phone, 100);
    net.request(&bob, &Method::Invite);
}

/// A phone that knows no `reg-id` was started anew, twice.
#[test]
fn rfc5627_6_1_without_reg_id_the_contact_refreshed_last_is_called() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    let [first, second, third] = [2, 3, 4].map(|flow| ws("bob", flow));
    let register = |net: &mut Net, peer: &Peer, cseq: u32, expires: u32| {
        net.send_with_digest(peer, "bob", &|more, extra| {
            let contact = peer.contact_field().replace(";reg-id=1", &format!(";expires={expires}"));
            let contact = contact.replace("pc.invalid", &format!("pc{}.invalid", peer.hop.flow.0));
            peer.register(cseq + more, &format!("{contact}{extra}"))
        });
        net.expect(peer, 200);
    };
    register(&mut net, &second, 10, 3600);
    register(&mut net, &third, 20, 3600);
    register(&mut net, &first, 30, 3600);
    // Refreshed last, for however short a time.
    register(&mut net, &third, 40, 60);
    assert_eq!(net.bindings["sip:bob@example.com"].len(), 3);
    let gruu = format!("sip:bob@example.com;gr={}", first.key().instance);
    // "if a request to this target fails with a 408 … or 430", the next: with another answer none.
    for (cseq, answers, last) in [(2, &[430, 408, 486][..], 486), (3, &[486], 486), (4, &[430, 503], 500)] {
        net.send(&alice, alice.out("INVITE", &gruu, cseq, ""));
        net.expect(&alice, 100);
        for (peer, status) in [&third, &first, &second].into_iter().zip(answers) {
            let request = net.request(peer, &Method::Invite);
            net.quiet();
            net.send(peer, peer.answer(&request, *status));
            net.request(peer, &Method::Ack);
        }
        net.expect(&alice, last);
        net.quiet();
    }
}

#[test]
fn rfc5627_5_4_temporary_gruus_are_unlinkable_and_end_with_their_call_id() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    let (_, first) = gruus(&mut net, &bob, "one", 10);
    let (_, second) = gruus(&mut net, &bob, "one", 20);
    // Nothing is alike but the form: not even the first characters of what is sealed, save the key's.
    let sealed = |gruu: &str| gruu["sip:gruu.".len()..].split('@').next().unwrap().to_string();
    assert_ne!(sealed(&first)[2..12], sealed(&second)[2..12]);
    assert!(!first.contains("bob"));
    let mut cseq = 30;
    let mut leads = |net: &mut Net, gruu: &str| {
        cseq += 1;
        net.send(&alice, alice.out("MESSAGE", gruu, cseq, ""));
        let status = match net.sent.front().unwrap().0.flow {
            flow if flow == bob.hop.flow => 0,
            _ => net.expect(&alice, 404).status(),
        };
        net.sent.clear();
        status
    };
    // All that were given out under one Call-ID are valid (§5.4) ...
    assert_eq!((leads(&mut net, &first), leads(&mut net, &second)), (0, 0));
    // ... and none of them after a registration under another (§5.1).
    let (_, third) = gruus(&mut net, &bob, "two", 40);
    assert_eq!((leads(&mut net, &first), leads(&mut net, &second), leads(&mut net, &third)), (404, 404, 0));
    // Nor when the instance is registered no more (§5.3), nor any that was made up.
    let gone = bob.contact_field().replace("reg-id=1", "reg-id=1;expires=0");
    net.send_with_digest(&bob, "bob", &|more, extra| {
        bob.register(60 + more, &format!("{gone}{extra}")).replace("Call-ID: reg", "Call-ID: two")
    });
    net.expect(&bob, 200);
    assert_eq!(leads(&mut net, &third), 404);
    assert_eq!(leads(&mut net, &third.replacen("gruu.", "gruu.A", 1)), 404);
    assert_eq!(leads(&mut net, "sip:gruu.abc@example.com;gr"), 404);
}

#[test]
fn rfc5627_5_3_temporary_gruus_end_with_the_last_contact_though_their_call_id_comes_again() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    let (_, first) = gruus(&mut net, &bob, "one", 10);
    net.advance(Duration::from_secs(3_601));
    net.register(&Peer { hop: ws("alice", 4).hop, ..alice.clone() });
    let alice = ws("alice", 4);
    let (_, second) = gruus(&mut net, &bob, "one", 20);
    for (cseq, gruu, there) in [(30, &first, false), (31, &second, true)] {
        net.send(&alice, alice.out("MESSAGE", gruu, cseq, ""));
        if there {
            net.request(&bob, &Method::Message);
        } else {
            net.expect(&alice, 404);
        }
        net.quiet();
    }
}

/// A call of Alice's to Bob, who answers through `edge` with `contact`: the caller's side of it.
fn call_to(net: &mut Net, edge: &Peer, contact: &str, recorded: &str, number: u32) -> Side {
    let alice = ws("alice", 1);
    net.send(&alice, alice.invite("bob", 2 + number, ""));
    net.expect(&alice, 100);
    let invite = net.request(edge, &Method::Invite);
    let answer = edge.answer(&invite, 200).replace(&format!("<{}>", edge.contact()), &format!("<{contact}>"));
    net.send(edge, answer.replacen("Record-Route: ", &format!("{recorded}Record-Route: "), 1));
    Side { cseq: 100 * number + 10, ..Side::caller(&alice, &net.expect(&alice, 200)) }
}

/// An edge proxy that kept its Path but not its Record-Route, or both.
#[test]
fn rfc5627_6_1_in_a_dialog_a_gruu_is_replaced_by_the_contact_and_a_path_that_was_recorded_left_out() {
    const PATH: &str = "<sip:token@edge.example.net;lr;ob>";
    const RECORDED: &str = "<sip:edge.example.net;lr>";
    for edge in [ws("bob", 2), tcp("bob", 6000), udp("bob", 5)] {
        let mut net = Net::new();
        let alice = ws("alice", 1);
        net.register(&alice);
        let urn = edge.key().instance;
        net.send_with_digest(&edge, "bob", &|cseq, extra| {
            let contact = format!("Contact: <sip:bob@10.0.0.7>;+sip.instance=\"<{urn}>\";reg-id=1\r\n");
            let supported = "Supported: path, outbound, gruu\r\n";
            edge.register(cseq, &format!("Path: {PATH}\r\n{contact}{supported}{extra}"))
        });
        let ok = net.expect(&edge, 200);
        let own = ok.headers().first(HeaderName::Contact).unwrap();
        let value = |name: &str| own.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        let mut number = 0;
        for gruu in [value("pub-gruu"), value("temp-gruu")] {
            for (recorded, expected) in [(RECORDED, RECORDED), ("", PATH)] {
                let field =
                    if recorded.is_empty() { "" } else { "Record-Route: <sip:edge.example.net;lr>\r\n" };
                let mut side = call_to(&mut net, &edge, gruu, field, number);
                number += 1;
                for (method, known) in
                    [("ACK", Method::Ack), ("INFO", Method::Info), ("INVITE", Method::Invite)]
                {
                    net.send(&alice, side.next(method));
                    net.sent.retain(|(to, _)| to.flow == edge.hop.flow);
                    let forwarded = net.request(&edge, &known);
                    assert_eq!(forwarded.uri(), "sip:bob@10.0.0.7", "{method} {gruu}");
                    let routes: Vec<&str> = forwarded.headers().list(HeaderName::Route).collect();
                    assert_eq!(routes, [expected], "{method}");
                    if known != Method::Ack {
                        net.send(&edge, edge.answer(&forwarded, 488));
                    }
                    net.sent.clear();
                }
            }
        }
        // What is another's GRUU, or none, stays what it is, and needs no Path.
        for uri in
            ["sip:carol@example.com;gr=urn:uuid:1", "sip:bob@example.com;gr=urn:uuid:1", "sip:x@10.0.0.7"]
        {
            let mut side = call_to(&mut net, &edge, uri, "", number);
            number += 1;
            net.send(&alice, side.next("INFO"));
            let forwarded = net.request(&edge, &Method::Info);
            assert_eq!((forwarded.uri(), forwarded.headers().has(HeaderName::Route)), (uri, false));
            net.send(&edge, edge.answer(&forwarded, 200));
            net.sent.clear();
        }
    }
}

#[test]
fn rfc5627_6_1_in_a_dialog_a_gruu_leads_to_where_its_user_agent_is_back() {
    let mut net = Net::new();
    let (alice, page) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    let (public, _) = gruus(&mut net, &page, "one", 10);
    let mut side = call_to(&mut net, &page, &public, "", 0);
    net.close(&page);
    net.send(&alice, side.next("BYE"));
    net.quiet();
    // Loaded anew, it has another contact.
    let back = ws("bob", 3);
    let contact = back.contact_field().replace("pc.invalid", "new.invalid");
    net.send_with_digest(&back, "bob", &|cseq, extra| back.register(cseq + 40, &format!("{contact}{extra}")));
    net.expect(&back, 200);
    net.answer_waiting(false);
    let bye = net.request(&back, &Method::Bye);
    assert!(bye.uri().contains("@new.invalid"), "{}", bye.uri());
    net.send(&back, back.answer(&bye, 200));
    net.expect(&alice, 200);
    net.quiet();
    assert_eq!(net.server.load().2, 0);
}

#[test]
fn rfc5627_6_1_a_gruu_is_not_redirected() {
    let mut net = Net::with(|config| config.routing.mode = Mode::Redirect);
    let (alice, phone) = (ws("alice", 1), tcp("bob", 6000));
    net.register(&alice);
    let (public, _) = gruus(&mut net, &phone, "one", 10);
    net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 2, ""));
    net.expect(&alice, 302);
    net.send(&alice, alice.out("MESSAGE", &public, 3, ""));
    let message = net.request(&phone, &Method::Message);
    net.send(&phone, phone.answer(&message, 200));
    net.expect(&alice, 200);
}

#[test]
fn rfc5627_5_2_gruus_are_for_who_supports_them() {
    let mut net = Net::new();
    let bob = ws("bob", 2);
    // One that the user agent suggests is ignored (§5.1).
    let fields = bob
        .contact_field()
        .replace("reg-id=1", "reg-id=1;pub-gruu=\"sip:x@y;gr=z\";temp-gruu=\"sip:x@y;gr\"");
    net.send_with_digest(&bob, "bob", &|cseq, extra| bob.register(cseq, &format!("{fields}{extra}")));
    let ok = net.expect(&bob, 200);
    assert!(!ok.headers().first(HeaderName::Contact).unwrap().contains("gruu"));
    assert_eq!(ok.headers().first(HeaderName::Supported), Some("outbound, path"));
}

#[test]
fn rfc3327_5_3_requests_take_the_path_of_the_registration() {
    let mut net = Net::new();
    let (alice, edge) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    let path = "Path: <sip:token@edge.example.net;lr;ob>\r\n";
    net.send_with_digest(&edge, "bob", &|cseq, extra| {
        let fields = format!("{path}Contact: <sip:bob@10.0.0.7>\r\nSupported: path\r\n{extra}");
        edge.register(cseq, &fields)
    });
    let ok = net.expect(&edge, 200);
    assert_eq!(ok.headers().first(HeaderName::Path), Some("<sip:token@edge.example.net;lr;ob>"));
    net.send(&alice, alice.invite("bob", 2, "Route: <sip:example.com;lr>\r\n"));
    net.expect(&alice, 100);
    let forwarded = net.request(&edge, &Method::Invite);
    assert_eq!(forwarded.uri(), "sip:bob@10.0.0.7");
    let routes: Vec<&str> = forwarded.headers().list(HeaderName::Route).collect();
    assert_eq!(routes, ["<sip:token@edge.example.net;lr;ob>"]);
}

#[test]
fn rfc3608_and_rfc5626_4_4_what_a_200_tells_by_policy() {
    let mut net = Net::with(|config| {
        config.service_route = ["<sip:example.com;lr>".into()].into();
        config.flow_timer = Some(Duration::from_secs(77));
    });
    let (bob, phone) = (ws("bob", 2), udp("bob", 5));
    net.send_with_digest(&bob, "bob", &|cseq, extra| {
        bob.register(cseq, &format!("{}{extra}", bob.contact_field()))
    });
    let ok = net.expect(&bob, 200);
    assert_eq!(ok.headers().first(HeaderName::ServiceRoute), Some("<sip:example.com;lr>"));
    assert_eq!(ok.headers().first(HeaderName::FlowTimer), Some("77"));
    net.send_with_digest(&phone, "bob", &|cseq, extra| {
        phone.register(cseq + 9, &format!("{}{extra}", phone.contact_field()))
    });
    assert!(!net.expect(&phone, 200).headers().has(HeaderName::FlowTimer), "no outbound there");
}

#[test]
fn rfc3261_10_2_third_parties_register_by_policy() {
    let mut net = Net::with(|config| {
        config.registrants = [("carol".into(), ["sip:bob@example.com".into()].into())].into();
    });
    let carol = ws("carol", 3);
    for (aor, status) in [("bob", 200), ("alice", 403)] {
        net.send_with_digest(&carol, "carol", &|cseq, extra| {
            let register = carol.register(cseq, &format!("Contact: <sip:b@192.0.2.7>\r\n{extra}"));
            register.replacen("To: <sip:carol@", &format!("To: <sip:{aor}@"), 1)
        });
        net.expect(&carol, status);
    }
    assert_eq!(net.bindings["sip:bob@example.com"].len(), 1);
    // The flow is nobody's by that.
    assert!(net.identities.is_empty());
}
