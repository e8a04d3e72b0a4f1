//! `sips` (RFC 3261 §26.2.2, RFC 5630): phones that write it everywhere, and whoever calls them or is called by them.

use super::*;
use crate::transport::target::{Naptr, Srv, Transports};

/// A phone over TLS.
fn tls(name: &'static str, flow: u64) -> Peer {
    let phone = tcp(name, flow);
    let local = SocketAddr::new(phone.hop.local.ip(), 5061);
    Peer { hop: Hop { transport: Transport::Tls, local, ..phone.hop }, ..phone }
}

/// The same text by somebody who writes `sips` wherever a `sip` URI would stand.
fn secured(text: &str) -> String {
    text.replace("sip:", "sips:")
}

impl Net {
    /// A registration of a phone that writes `sips` everywhere.
    #[track_caller]
    fn register_secured(&mut self, peer: &Peer) -> Response {
        self.send_with_digest(peer, peer.name, &|cseq, extra| {
            let cseq = cseq + self_cseq(peer);
            secured(&peer.register(cseq, &peer.contact_field())).replacen("CSeq", &format!("{extra}CSeq"), 1)
        });
        let response = self.expect(peer, 200);
        self.quiet();
        response
    }

    /// A request of an account's that has to prove itself with it.
    #[track_caller]
    fn send_proven(&mut self, peer: &Peer, request: &str) {
        self.send_with_digest(peer, peer.name, &|cseq, extra| {
            let call = request.split("Call-ID: ").nth(1).unwrap().split('\r').next().unwrap();
            request
                .replace("CSeq: 1 ", &format!("CSeq: {cseq} "))
                .replacen("branch=z9hG4bK", &format!("branch=z9hG4bK{call}{cseq}"), 1)
                .replacen("X-Odd", &format!("{extra}X-Odd"), 1)
        });
    }
}

fn warning(response: &Response) -> String {
    response.headers().first(HeaderName::Warning).unwrap().into()
}

/// Alice and Bob, each over TLS, each with `sips` everywhere.
fn two() -> (Net, Peer, Peer) {
    let mut net = Net::new();
    let (alice, bob) = (tls("alice", 41), tls("bob", 42));
    net.register_secured(&alice);
    net.register_secured(&bob);
    (net, alice, bob)
}

#[test]
fn rfc5630_5_2_a_sips_contact_is_registered_over_tls() {
    let (net, _, bob) = two();
    let binding = &net.bindings["sip:bob@example.com"][0];
    assert_eq!(binding.contact, secured(&bob.contact()));
    assert!(binding.is_secure());
}

#[test]
fn rfc5630_5_2_a_sips_contact_needs_sips_throughout() {
    let bob = tls("bob", 42);
    let whole = secured(&bob.register(1, &bob.contact_field()));
    let path = "Supported: path\r\nPath: <sip:edge.example.com;lr>\r\nCSeq";
    let rows = [
        (whole.replacen("REGISTER sips:", "REGISTER sip:", 1), 400),
        (whole.replacen("Contact: ", "Contact: <sip:bob@192.0.2.9>, ", 1), 400),
        (whole.replacen("CSeq", path, 1), 400),
        (whole.replacen("CSeq", &path.replace("sip:", "sips:"), 1), 200),
        // "but does not include the From and To header fields"
        (whole.replace(": <sips:bob@example.com>", ": <sip:bob@example.com>"), 200),
        // What is taken away binds nothing.
        (
            whole.replacen("REGISTER sips:", "REGISTER sip:", 1).replacen(
                "reg-id=1",
                "reg-id=1;expires=0",
                1,
            ),
            200,
        ),
    ];
    for (register, status) in rows {
        let mut net = Net::with(|config| config.passwords = false);
        net.send(&bob, register.clone());
        let response = net.response(&bob);
        assert_eq!(response.status(), status, "{register}");
        if status == 400 {
            assert!(warning(&response).contains("all Contacts and all Paths are sips URIs"));
            assert!(net.bindings.is_empty());
        }
    }
}

#[test]
fn rfc3261_26_2_2_sips_without_tls_is_refused() {
    for bob in [udp("bob", 5), tcp("bob", 6), ws("bob", 7)] {
        let mut net = Net::with(|config| config.passwords = false);
        net.send(&bob, secured(&bob.register(1, &bob.contact_field())));
        let refused = net.expect(&bob, 400);
        assert_eq!(refused.reason(), "Bad Request (sips Without TLS)");
        assert!(warning(&refused).contains("comes over TLS or a secure WebSocket"));
        assert!(net.bindings.is_empty());
        net.send(&bob, secured(&bob.invite("alice", 1, "")));
        net.expect(&bob, 400);
        net.send(&bob, secured(&bob.out("OPTIONS", "sip:example.com", 1, "")));
        net.expect(&bob, 400);
        net.quiet();
    }
}

#[test]
fn rfc5630_4_an_address_is_one_by_sip_and_by_sips() {
    let (mut net, alice, bob) = two();
    for (cseq, uri) in [(5, "sips:bob@example.com"), (6, "sips:bob@ALIAS.example.com:5061")] {
        net.send_proven(
            &alice,
            &secured(&alice.out("MESSAGE", uri, 1, ""))
                .replace("sipss:", "sips:")
                .replace("Call-ID: call", &format!("Call-ID: call{cseq}")),
        );
        let message = net.request(&bob, &Method::Message);
        assert_eq!(message.uri(), secured(&bob.contact()));
    }
}

#[test]
fn rfc3261_26_2_2_a_sips_call_from_invite_to_bye() {
    let (mut net, alice, bob) = two();
    net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
    net.expect(&alice, 100);
    let invite = net.request(&bob, &Method::Invite);
    assert_eq!(invite.uri(), secured(&bob.contact()));
    // §16.6 step 4: on both sides, and RFC 5630 §5.3: without `transport=tls`.
    let routes: Vec<_> = invite.headers().list(HeaderName::RecordRoute).collect();
    assert_eq!(routes.len(), 2);
    for route in routes {
        assert!(route.starts_with("<sips:") && route.ends_with("@192.0.2.1:5061;lr>"), "{route}");
    }
    net.send(&bob, secured(&bob.answer(&invite, 200)));
    let ok = net.expect(&alice, 200);
    let (mut caller, mut callee) = (Side::caller(&alice, &ok), Side::callee(&bob, &invite));
    net.send(&alice, caller.next("ACK"));
    assert_eq!(net.request(&bob, &Method::Ack).uri(), secured(&bob.contact()));
    net.send(&bob, callee.next("INVITE"));
    net.expect(&bob, 100);
    let again = net.request(&alice, &Method::Invite);
    assert_eq!(again.uri(), secured(&alice.contact()));
    net.send(&alice, secured(&alice.answer(&again, 200)));
    net.expect(&bob, 200);
    net.send(&alice, caller.next("BYE"));
    let bye = net.request(&bob, &Method::Bye);
    net.send(&bob, bob.answer(&bye, 200));
    net.expect(&alice, 200);
    net.quiet();
}

#[test]
fn rfc5630_5_3_a_sips_call_to_a_sip_contact_is_480_with_380() {
    let mut net = Net::new();
    let (alice, bob) = (tls("alice", 41), udp("bob", 5));
    net.register_secured(&alice);
    net.register(&bob);
    net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
    let refused = net.expect(&alice, 480);
    assert_eq!(refused.reason(), "SIPS Not Allowed");
    let told = warning(&refused);
    assert!(
        told.starts_with("380 example.com \"SIPS Not Allowed: ") && told.contains("sips Contact over TLS"),
        "{told}"
    );
    net.quiet();
    // A sip Contact is none, be it over TLS.
    let bob = tls("bob", 42);
    net.register(&bob);
    net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")).replace("Call-ID: call", "Call-ID: call2"));
    net.expect(&alice, 480);
    net.quiet();
}

#[test]
fn rfc5630_5_3_a_sip_call_to_a_sips_contact_is_for_its_sip_uri_over_tls() {
    let mut net = Net::new();
    let (alice, bob) = (udp("alice", 4), tls("bob", 42));
    net.register(&alice);
    net.register_secured(&bob);
    net.send_proven(&alice, &alice.invite("bob", 1, ""));
    net.expect(&alice, 100);
    let invite = net.request(&bob, &Method::Invite);
    assert_eq!(invite.uri(), bob.contact());
    // §16.6 step 4: "MUST insert a Record-Route header field that is not a SIPS URI".
    assert!(invite.headers().list(HeaderName::RecordRoute).all(|route| route.starts_with("<sip:")));
    // Its Contact is then the same but for the scheme, and known by both.
    net.send(&bob, bob.answer(&invite, 200));
    let ok = net.expect(&alice, 200);
    let mut caller = Side::caller(&alice, &ok);
    net.send(&alice, caller.next("BYE"));
    assert_eq!(net.request(&bob, &Method::Bye).uri(), bob.contact());
    net.quiet();
}

/// "That SIPS Contact header field would then force the other UA to use a SIPS" Request-URI "in any mid-dialog request, including the ACK".
#[test]
fn rfc5630_4_1_who_answers_a_sip_call_with_a_sips_contact_can_be_talked_to() {
    for alice in [udp("alice", 4), tcp("alice", 7), ws("alice", 1)] {
        let mut net = Net::new();
        let bob = tls("bob", 42);
        net.register(&alice);
        net.register_secured(&bob);
        if alice.hop.transport == Transport::Ws {
            net.send(&alice, alice.invite("bob", 1, ""));
        } else {
            net.send_proven(&alice, &alice.invite("bob", 1, ""));
        }
        net.expect(&alice, 100);
        let invite = net.request(&bob, &Method::Invite);
        let contact = secured(&bob.contact());
        let answer = |request: &Request| bob.answer(request, 200).replace(&bob.contact(), &contact);
        net.send(&bob, answer(&invite));
        let ok = net.expect(&alice, 200);
        assert!(ok.headers().list(HeaderName::RecordRoute).all(|route| route.starts_with("<sip:")));
        let mut caller = Side::caller(&alice, &ok);
        net.send(&alice, caller.next("ACK"));
        assert_eq!(net.request(&bob, &Method::Ack).uri(), contact);
        let again = caller.next("INVITE");
        net.send(&alice, again);
        net.expect(&alice, 100);
        let again = net.request(&bob, &Method::Invite);
        assert_eq!(again.uri(), contact);
        net.send(&bob, answer(&again));
        net.expect(&alice, 200);
        let bye = caller.next("BYE");
        net.send(&alice, bye.clone());
        let forwarded = net.request(&bob, &Method::Bye);
        assert_eq!(forwarded.uri(), contact);
        net.send(&bob, answer(&forwarded));
        net.expect(&alice, 200);
        if alice.hop.transport == Transport::Udp {
            net.send(&alice, bye);
            net.expect(&alice, 200);
        }
        net.quiet();
        // Where no TLS leads on it goes nowhere, and outside dialogs it is refused as it comes.
        net.close(&bob);
        let back = Peer { hop: tcp("bob", 77).hop, ..bob };
        net.register(&back);
        net.send(&alice, caller.next("INFO"));
        assert!(warning(&net.expect(&alice, 480)).starts_with("380 "));
        let stray = "MESSAGE sips:bob@example.com";
        net.send(
            &alice,
            alice.out("MESSAGE", "sip:bob@example.com", 9, "").replacen(
                &stray.replace("sips", "sip"),
                stray,
                1,
            ),
        );
        net.expect(&alice, 400);
        net.quiet();
    }
}

/// The same of who is subscribed: what its notifier records on its own side is no `sips` URI.
#[test]
fn rfc5630_4_1_a_notify_for_a_sips_contact_records_what_its_sender_is() {
    let mut net = Net::new();
    let (alice, bob) = (tls("alice", 41), udp("bob", 5));
    net.register_secured(&alice);
    net.register(&bob);
    net.send_proven(
        &alice,
        &alice
            .out("SUBSCRIBE", "sip:bob@example.com", 1, "Event: presence\r\n")
            .replace(&format!("m: <{}>", alice.contact()), &format!("m: <{}>", secured(&alice.contact()))),
    );
    let subscribe = net.request(&bob, &Method::Subscribe);
    let mut notifier = Side::callee(&bob, &subscribe);
    net.send(&bob, notifier.next("NOTIFY"));
    let notify = net.request(&alice, &Method::Notify);
    assert_eq!(notify.uri(), secured(&alice.contact()));
    let routes: Vec<_> = notify.headers().list(HeaderName::RecordRoute).collect();
    // Hers first: her hop has TLS, his has not.
    assert!(routes[0].starts_with("<sips:") && routes[1].starts_with("<sip:"), "{routes:?}");
}

#[test]
fn rfc5630_5_3_of_two_contacts_the_sips_one_alone_has_the_sips_call() {
    let mut net = Net::new();
    let (alice, phone, page) = (tls("alice", 41), tls("bob", 42), ws("bob", 9));
    net.register_secured(&alice);
    net.register(&page);
    net.register_secured(&phone);
    net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
    net.expect(&alice, 100);
    net.request(&phone, &Method::Invite);
    net.quiet();
    // And a sip call both.
    net.send_proven(&alice, &alice.invite("bob", 1, "").replace("Call-ID: call", "Call-ID: call2"));
    net.expect(&alice, 100);
    let called: Vec<_> = net.sent.drain(..).map(|(to, _)| to.flow).collect();
    assert_eq!(called.len(), 2);
}

#[test]
fn rfc5630_5_1_1_1_the_later_of_the_sip_and_the_sips_contact_replaces_the_other() {
    let mut net = Net::with(|config| config.passwords = false);
    let bob = tls("bob", 42);
    let plain = |cseq| bob.register(cseq, &format!("Contact: <{}>\r\n", bob.contact()));
    for (register, contact) in
        [(plain(1), bob.contact()), (secured(&plain(2)), secured(&bob.contact())), (plain(3), bob.contact())]
    {
        net.send(&bob, register);
        net.expect(&bob, 200);
        let bindings = &net.bindings["sip:bob@example.com"];
        assert_eq!(bindings.iter().map(|binding| &*binding.contact).collect::<Vec<_>>(), [contact]);
    }
}

#[test]
fn rfc5630_5_2_1_gruus_are_of_the_contacts_scheme() {
    let mut net = Net::new();
    let bob = tls("bob", 42);
    let alice = tls("alice", 41);
    net.register_secured(&alice);
    net.send_with_digest(&bob, "bob", &|cseq, extra| {
        let fields = bob.contact_field().replace("outbound", "outbound, gruu");
        secured(&bob.register(cseq, &fields)).replacen("CSeq", &format!("{extra}CSeq"), 1)
    });
    let ok = net.expect(&bob, 200);
    let contact = ok.headers().first(HeaderName::Contact).unwrap();
    let of = |name: &str| {
        let rest = contact.split(&format!("{name}=\"")).nth(1).unwrap();
        String::from(rest.split('"').next().unwrap())
    };
    for (call, gruu) in [("a", of("pub-gruu")), ("b", of("temp-gruu"))] {
        assert!(gruu.starts_with("sips:"), "{gruu}");
        let message = secured(&alice.out("MESSAGE", "sip:GRUU", 1, "")).replace("sips:GRUU", &gruu);
        net.send_proven(&alice, &message.replace("Call-ID: call", &format!("Call-ID: {call}")));
        let message = net.request(&bob, &Method::Message);
        assert_eq!(message.uri(), secured(&bob.contact()));
    }
}

#[test]
fn rfc5630_5_3_a_dialog_of_sips_goes_on_over_tls_or_not_at_all() {
    let (mut net, alice, bob) = two();
    net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
    net.expect(&alice, 100);
    let invite = net.request(&bob, &Method::Invite);
    // Its Contact is none, as it should be by §12.1.1: the Routes remember.
    net.send(&bob, bob.answer(&invite, 200));
    let ok = net.expect(&alice, 200);
    let mut caller = Side::caller(&alice, &ok);
    assert!(caller.target.starts_with("<sip:"));
    // Bob is back over TCP, the same instance.
    net.close(&bob);
    let back = Peer { hop: tcp("bob", 77).hop, ..bob };
    net.register(&back);
    net.send(&alice, caller.next("BYE"));
    let refused = net.expect(&alice, 480);
    assert!(warning(&refused).starts_with("380 "));
    net.quiet();
    // And who is in such a dialog sends over TLS.
    let mut callee = Side::callee(&back, &invite);
    net.send(&back, callee.next("BYE"));
    assert_eq!(net.expect(&back, 400).reason(), "Bad Request (sips Without TLS)");
    net.quiet();
}

#[test]
fn rfc5630_5_3_a_request_that_waits_for_its_receiver_waits_for_tls() {
    let (mut net, alice, bob) = two();
    net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
    net.expect(&alice, 100);
    let invite = net.request(&bob, &Method::Invite);
    net.send(&bob, secured(&bob.answer(&invite, 180)));
    net.expect(&alice, 180);
    // It rings, and its connection breaks; it is back without TLS, and hears nothing.
    net.close(&bob);
    let back = Peer { hop: tcp("bob", 77).hop, ..bob };
    net.register(&back);
    net.answer_waiting(false);
    net.expect(&alice, 480);
    net.quiet();
}

#[test]
fn rfc5630_5_3_redirections_do_not_change_the_scheme() {
    for (asked, contact) in [("sips:", "sip:carol@example.com"), ("sip:", "sips:carol@example.com")] {
        let mut net = Net::with(|config| config.routing.recurse = true);
        let (alice, bob, carol) = (tls("alice", 41), tls("bob", 42), tls("carol", 43));
        for peer in [&alice, &bob, &carol] {
            net.register_secured(peer);
        }
        net.send_proven(
            &alice,
            &secured(&alice.invite("bob", 1, "")).replacen("sips:bob", &format!("{asked}bob"), 1),
        );
        net.expect(&alice, 100);
        let invite = net.request(&bob, &Method::Invite);
        let moved = bob.answer(&invite, 302).replace(&bob.contact(), contact);
        net.send(&bob, moved);
        net.request(&bob, &Method::Ack);
        assert!(net.expect(&alice, 302).headers().first(HeaderName::Contact).unwrap().contains(contact));
        net.quiet();
    }
}

#[test]
fn rfc5630_5_4_a_redirect_server_tells_contacts_as_they_are() {
    let mut net = Net::with(|config| config.routing.mode = Mode::Redirect);
    let (alice, bob) = (tls("alice", 41), udp("bob", 5));
    net.register_secured(&alice);
    net.register(&bob);
    net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
    let moved = net.expect(&alice, 302);
    assert!(moved.headers().first(HeaderName::Contact).unwrap().starts_with(&format!("<{}>", bob.contact())));
}

#[test]
fn rfc3261_16_11_without_transactions_sips_is_as_strict() {
    let mut net = Net::with(|config| config.routing.mode = Mode::Stateless);
    let (alice, bob, carol) = (tls("alice", 41), tls("bob", 42), udp("carol", 5));
    net.register_secured(&alice);
    net.register_secured(&bob);
    net.register(&carol);
    net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
    let invite = net.request(&bob, &Method::Invite);
    assert_eq!(invite.uri(), secured(&bob.contact()));
    assert!(invite.headers().list(HeaderName::RecordRoute).all(|route| route.starts_with("<sips:")));
    net.send_proven(
        &alice,
        &secured(&alice.invite("carol", 1, "")).replace("Call-ID: call", "Call-ID: call2"),
    );
    assert!(warning(&net.expect(&alice, 480)).starts_with("380 "));
    net.quiet();
}

#[test]
fn rfc5630_5_3_a_forwarded_sips_call_stays_one() {
    let rule = |to: &str| {
        let forward = Forward { to: to.into(), private: false };
        ForwardRule { user: Some("bob".into()), when: Occasion::Offline, forward }
    };
    let mut net = Net::with(|config| config.forwarding = [rule("sip:carol@example.com")].into());
    let (alice, bob, carol) = (tls("alice", 41), udp("bob", 5), tls("carol", 43));
    net.register_secured(&alice);
    net.register_secured(&carol);
    // Bob is there by a sip Contact alone: for such a call he is not.
    net.register(&bob);
    net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
    net.expect(&alice, 100);
    net.expect(&alice, 181);
    let invite = net.request(&carol, &Method::Invite);
    assert!(invite.uri().starts_with(&secured(&carol.contact())), "{}", invite.uri());
    net.quiet();
}

#[test]
fn rfc5630_5_3_the_380_is_there_where_only_the_busy_are_forwarded() {
    let rule = ForwardRule {
        user: Some("bob".into()),
        when: Occasion::Busy,
        forward: Forward { to: "sip:carol@example.com".into(), private: false },
    };
    let mut net = Net::with(|config| config.forwarding = [rule].into());
    let (alice, bob) = (tls("alice", 41), udp("bob", 5));
    net.register_secured(&alice);
    net.register(&bob);
    net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
    assert!(warning(&net.expect(&alice, 480)).starts_with("380 "));
    net.quiet();
}

/// RFC 5627 §6.1: what is for a GRUU is not redirected.
#[test]
fn rfc5630_5_3_the_380_is_there_for_a_gruu_where_others_are_redirected() {
    let mut net = Net::with(|config| config.routing.mode = Mode::Redirect);
    let (alice, bob) = (tls("alice", 41), tls("bob", 42));
    net.register_secured(&alice);
    let fields = bob.contact_field().replace("outbound", "outbound, gruu");
    net.send_with_digest(&bob, "bob", &|cseq, extra| bob.register(cseq, &format!("{fields}{extra}")));
    let ok = net.expect(&bob, 200);
    let contact = ok.headers().first(HeaderName::Contact).unwrap();
    let gruu = contact.split("pub-gruu=\"sip:").nth(1).unwrap().split('"').next().unwrap();
    let invite = alice.out("INVITE", "sip:GRUU", 1, "").replace("GRUU", gruu);
    net.send_proven(&alice, &secured(&invite));
    assert!(warning(&net.expect(&alice, 480)).starts_with("380 "));
    net.quiet();
}

/// DNS of b.example, which offers everything.
fn zone() -> [(Query, Records); 4] {
    let naptr = |service: &str, replacement: &str, order| Naptr {
        order,
        preference: 1,
        flags: "s".into(),
        service: service.into(),
        regexp: "".into(),
        replacement: replacement.into(),
    };
    let srv =
        |port| Records::Srv([Srv { priority: 1, weight: 1, port, target: "sip.b.example".into() }].into());
    [
        (
            Query::Naptr("b.example".into()),
            Records::Naptr(
                [naptr("SIP+D2U", "_sip._udp.b.example", 1), naptr("SIPS+D2T", "_sips._tcp.b.example", 2)]
                    .into(),
            ),
        ),
        (Query::Srv("_sips._tcp.b.example".into()), srv(5061)),
        (Query::Srv("_sip._udp.b.example".into()), srv(5060)),
        (
            Query::Addresses("sip.b.example".into()),
            Records::Addresses(["203.0.113.80".parse().unwrap()].into()),
        ),
    ]
}

#[test]
fn rfc3263_4_1_a_sips_call_to_another_domain_goes_over_tls() {
    let mut net = Net::with(|config| config.outward = Outward::Anywhere);
    net.zone = zone().into();
    let alice = tls("alice", 41);
    net.register_secured(&alice);
    let invite = secured(&alice.out("INVITE", "sip:bob@b.example", 1, ""));
    net.send_proven(&alice, &invite);
    net.expect(&alice, 100);
    let there = elsewhere(Transport::Tls, "203.0.113.80:5061");
    let sent = net.request(&there, &Method::Invite);
    assert_eq!(sent.uri(), "sips:bob@b.example");
    assert!(sent.headers().list(HeaderName::RecordRoute).all(|route| route.starts_with("<sips:")));
    assert!(!net.queries.contains(&Query::Srv("_sip._udp.b.example".into())));
    // It fails, and nothing is tried but TLS.
    net.send(&there, there.answer(&sent, 503));
    net.request(&there, &Method::Ack);
    net.expect(&alice, 500);
    net.quiet();
}

#[test]
fn rfc5630_5_3_without_tls_of_our_own_no_sips_call_goes_out() {
    for uri in ["sip:bob@b.example", "sip:bob@203.0.113.80", "sip:bob@203.0.113.80;transport=udp"] {
        let mut net = Net::with(|config| {
            config.outward = Outward::Anywhere;
            config.transports = Transports { tls: uri.contains("udp"), ..Transports::ALL };
        });
        net.zone = zone().into();
        let alice = tls("alice", 41);
        net.register_secured(&alice);
        net.send_proven(&alice, &secured(&alice.out("INVITE", uri, 1, "")));
        net.expect(&alice, 100);
        assert!(warning(&net.expect(&alice, 480)).starts_with("380 "), "{uri}");
        net.quiet();
    }
}

#[test]
fn rfc5630_5_3_a_peer_without_tls_has_no_sips_calls() {
    for (uri, transport) in [
        ("sip:203.0.113.80;transport=tcp", None),
        ("sip:203.0.113.80", None),
        ("sips:203.0.113.80", Some(Transport::Tls)),
        ("sip:203.0.113.80:5061;transport=tls", Some(Transport::Tls)),
    ] {
        let mut net = Net::with(|config| {
            config.peers = [crate::server::Peer {
                name: "trunk".into(),
                uri: uri.into(),
                sources: Vec::new(),
                trusted: false,
            }]
            .into();
            let share = Share { peer: "trunk".into(), priority: 1, weight: 1 };
            config.routes =
                [StaticRoute { domain: None, numbers: NumberPattern::new("+*"), peers: [share].into() }]
                    .into();
        });
        let alice = tls("alice", 41);
        net.register_secured(&alice);
        net.send_proven(&alice, &secured(&alice.invite("+4930", 1, "")));
        net.expect(&alice, 100);
        match transport {
            None => {
                let refused = net.expect(&alice, 480);
                assert!(warning(&refused).contains("a [[peer]] to have a sips URI"), "{uri}");
            }
            Some(transport) => {
                let there = elsewhere(transport, "203.0.113.80:5061");
                assert_eq!(net.request(&there, &Method::Invite).uri(), "sips:+4930@203.0.113.80");
            }
        }
        net.quiet();
    }
}

#[test]
fn rfc3261_12_1_1_a_subscription_by_sips_has_a_sips_contact() {
    let (mut net, alice, _) = two();
    let subscribe = secured(&alice.out("SUBSCRIBE", "sip:alice@example.com", 1, "Event: reg\r\n"))
        .replace("c: application/sdp\r\n", "")
        .replace("l: 4\r\n\r\nbody", "l: 0\r\n\r\n");
    net.send_proven(&alice, &subscribe);
    let ok = net.expect(&alice, 200);
    assert_eq!(ok.headers().first(HeaderName::Contact), Some("<sips:example.com:5061>"));
    let notify = net.request(&alice, &Method::Notify);
    assert_eq!(notify.uri(), secured(&alice.contact()));
    assert_eq!(notify.headers().first(HeaderName::Contact), Some("<sips:example.com:5061>"));
    net.quiet();
    // §8.1.1.8: its Contact must be one as well.
    let mixed = subscribe.replace("m: <sips:", "m: <sip:").replace("Call-ID: call", "Call-ID: call2");
    net.send_proven(&alice, &mixed);
    assert_eq!(net.expect(&alice, 400).reason(), "Bad Request (Contact Is Not A sips URI)");
}

#[test]
fn rfc3261_26_3_1_options_by_sips() {
    let (mut net, alice, _) = two();
    net.send_proven(&alice, &secured(&alice.out("OPTIONS", "sip:example.com", 1, "")));
    net.expect(&alice, 200);
    net.quiet();
}

#[test]
fn rfc3261_18_2_2_the_answer_to_a_sips_call_finds_its_caller_over_tls_alone() {
    for answered in [false, true] {
        let (mut net, alice, bob) = two();
        net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
        net.expect(&alice, 100);
        let invite = net.request(&bob, &Method::Invite);
        if answered {
            net.send(&bob, secured(&bob.answer(&invite, 200)));
            net.expect(&alice, 200);
        }
        net.close(&alice);
        // She is back without TLS.
        let plain = Peer { hop: tcp("alice", 77).hop, ..alice.clone() };
        net.register(&plain);
        net.answer_waiting(false);
        net.send(&bob, secured(&bob.answer(&invite, 200)));
        net.quiet();
    }
}
