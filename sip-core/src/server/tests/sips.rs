//! `sips` (RFC 3261 §26.2.2, RFC 5630): phones that write it everywhere, and whoever calls them or is called by them.

mod domains;
mod within;

use super::*;

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
