//! Asserted identities and privacy (RFC 3325, RFC 3323).

use super::*;

const TRUNK: &str = "sip:198.18.0.50";

/// Numbers go to a trunk; calls come from there and from another peer, which is not trusted.
fn net(trusted: bool) -> Net {
    Net::with(|config| {
        let peer = |name: &str, uri: &str, source: &str, trusted| super::super::Peer {
            name: name.into(),
            uri: uri.into(),
            sources: [source.parse().unwrap()].into(),
            trusted,
        };
        config.peers = [
            peer("trunk", TRUNK, "198.18.0.50", trusted),
            peer("other", "sip:198.18.0.60", "198.18.0.60", false),
        ]
        .into();
        let peers = [Share { peer: "trunk".into(), priority: 1, weight: 1 }].into();
        config.routes = [StaticRoute { domain: None, numbers: NumberPattern::new("+*"), peers }].into();
        config.registrants = [("alice".into(), ["sip:bob@example.com".into()].into())].into();
    })
}

fn trunk() -> Peer {
    elsewhere(Transport::Udp, "198.18.0.50:5060")
}

fn asserted(message: &Headers) -> Vec<String> {
    message.all(HeaderName::PAssertedIdentity).map(String::from).collect()
}

/// What the trunk is told of a call with these fields.
fn out(net: &mut Net, alice: &Peer, cseq: u32, fields: &str, from: &str) -> Request {
    let call = alice.invite("+4930", cseq, fields).replace("\"alice\" <sip:alice@example.com>", from);
    net.send(alice, call.replace("Call-ID: call", &format!("Call-ID: out{cseq}")));
    net.expect(alice, 100);
    net.request(&trunk(), &Method::Invite)
}

#[test]
fn rfc3325_5_the_identity_of_who_proved_itself_is_asserted() {
    let mut net = net(true);
    let (alice, bob, phone) = (ws("alice", 1), ws("bob", 2), udp("carol", 7));
    net.register(&alice);
    net.register(&bob);
    // A flow that has proven itself, and credentials; whatever the sender itself asserts.
    let forged = "P-Asserted-Identity: <sip:president@example.com>\r\nP-Asserted-Identity: <tel:+1>\r\n";
    net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 3, forged));
    let received = net.request(&bob, &Method::Message);
    assert_eq!(asserted(received.headers()), ["<sip:alice@example.com>"]);
    net.send_with_digest(&phone, "carol", &|cseq, extra| {
        phone.out("MESSAGE", "sip:bob@example.com", cseq + 3, &format!("{forged}{extra}"))
    });
    let received = net.request(&bob, &Method::Message);
    assert_eq!(asserted(received.headers()), ["<sip:carol@example.com>"]);
    // A stranger's is nobody's.
    let stranger = udp("dave", 8);
    let message = stranger.out("MESSAGE", "sip:bob@example.com", 6, forged);
    net.send(&stranger, message.replace("dave@example.com", "dave@elsewhere.example"));
    assert!(asserted(net.request(&bob, &Method::Message).headers()).is_empty());
    // Within a dialog too.
    let invite = out(&mut net, &alice, 7, "", "<sip:alice@example.com>");
    net.send(&trunk(), trunk().answer(&invite, 200));
    let mut caller = Side::caller(&alice, &net.expect(&alice, 200));
    net.send(&alice, caller.next("INFO").replace("Call-ID: call", "Call-ID: out7"));
    let info = net.request(&trunk(), &Method::Info);
    assert_eq!(asserted(info.headers()), ["<sip:alice@example.com>"]);
}

#[test]
fn rfc3325_6_a_preferred_identity_is_one_of_the_accounts() {
    let mut net = net(true);
    let alice = ws("alice", 1);
    net.register(&alice);
    for (cseq, preferred, expected) in [
        (1, "<sip:bob@example.com>", "<sip:bob@example.com>"),
        (2, "\"Alice\" <sip:alice@alias.example.com>", "<sip:alice@example.com>"),
        (3, "<sip:president@example.com>", "<sip:alice@example.com>"),
        (4, "<sip:president@example.com>, <sip:bob@example.com>", "<sip:bob@example.com>"),
        (5, "<tel:+1>", "<sip:alice@example.com>"),
        (6, "nonsense", "<sip:alice@example.com>"),
    ] {
        let fields = format!("P-Preferred-Identity: {preferred}\r\n");
        let invite = out(&mut net, &alice, cseq, &fields, "<sip:alice@example.com>");
        assert_eq!(asserted(invite.headers()), [expected], "{preferred}");
        assert!(!invite.headers().has(HeaderName::PPreferredIdentity));
    }
}

#[test]
fn rfc3325_7_privacy_id_keeps_the_identity_within_the_trust_domain() {
    let nobody = "<sip:anonymous@anonymous.invalid>";
    for (privacy, from, told) in [
        ("", "<sip:alice@example.com>", true),
        ("Privacy: none\r\n", "<sip:alice@example.com>", true),
        ("Privacy: none\r\n", nobody, true),
        ("Privacy: none;id\r\n", nobody, true),
        ("Privacy: id\r\n", "<sip:alice@example.com>", false),
        ("Privacy: header;ID;user\r\n", "<sip:alice@example.com>", false),
        // Who calls as nobody, and what cannot be read, are on the safe side.
        ("", nobody, false),
        ("Privacy: ;;\r\n", "<sip:alice@example.com>", false),
    ] {
        for trusted in [true, false] {
            let mut net = net(trusted);
            let alice = ws("alice", 1);
            net.register(&alice);
            let invite = out(&mut net, &alice, 5, privacy, from);
            let expected: &[&str] = if trusted || told { &["<sip:alice@example.com>"] } else { &[] };
            assert_eq!(asserted(invite.headers()), expected, "{privacy}{from} {trusted}");
        }
    }
}

#[test]
fn rfc3325_5_what_a_trusted_peer_asserts_is_believed_and_another_is_not() {
    let mut net = net(true);
    let bob = ws("bob", 2);
    net.register(&bob);
    let told =
        "P-Asserted-Identity: \"Carol\" <sip:carol@trunk.example>\r\nP-Asserted-Identity: <tel:+49>\r\n";
    let other = elsewhere(Transport::Udp, "198.18.0.60:5060");
    for (cseq, peer, privacy, expected) in [
        (1, trunk(), "", &["\"Carol\" <sip:carol@trunk.example>", "<tel:+49>"][..]),
        (2, trunk(), "Privacy: id\r\n", &[]),
        (3, other, "", &[]),
    ] {
        let message = peer.out("MESSAGE", "sip:bob@example.com", cseq, &format!("{told}{privacy}"));
        net.send(&peer, message.replace("<sip:bob@example.com>;tag=from", "<sip:x@trunk.example>;tag=from"));
        let received = net.request(&bob, &Method::Message);
        assert_eq!(asserted(received.headers()), expected);
        // Nor does Bob assert anything in his answer.
        net.send(&bob, bob.answer(&received, 200).replacen("From:", &format!("{told}From:"), 1));
        assert!(asserted(net.expect(&peer, 200).headers()).is_empty());
    }
    // In the answers of the trunk.
    let alice = ws("alice", 1);
    net.register(&alice);
    let invite = out(&mut net, &alice, 9, "", "<sip:alice@example.com>");
    for (privacy, count) in [("", 2), ("Privacy: id\r\n", 0)] {
        let ringing = trunk().answer(&invite, 180).replacen("From:", &format!("{told}{privacy}From:"), 1);
        net.send(&trunk(), ringing);
        assert_eq!(asserted(net.expect(&alice, 180).headers()).len(), count);
    }
}

#[test]
fn rfc3323_5_critical_privacy_that_is_not_provided_fails() {
    let mut net = net(true);
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    for (cseq, privacy, refused) in [
        (1, "header;user;critical", Some("Privacy Not Provided Here (header, user)")),
        (2, "session; critical", Some("Privacy Not Provided Here (session)")),
        (3, "id;Header;history;critical", Some("Privacy Not Provided Here (Header, history)")),
        (4, "id;critical", None),
        (5, "header;session", None),
        // §4.2: they do not go together; `none` is the one that asks for nothing.
        (6, "none;header;critical", None),
    ] {
        let message = alice.out("MESSAGE", "sip:bob@example.com", cseq, &format!("Privacy: {privacy}\r\n"));
        net.send(&alice, message);
        match refused {
            Some(reason) => assert_eq!(net.expect(&alice, 500).reason(), reason),
            // What is not served stands for the next that can.
            None => {
                let received = net.request(&bob, &Method::Message);
                let left = (cseq != 4).then_some(privacy);
                assert_eq!(received.headers().first(HeaderName::Privacy), left);
            }
        }
    }
}

/// The fields of RFC 3323 §5.3, and two that say nothing of the user.
const INFORMATIONAL: &str = "Subject: s\r\nCall-Info: <http://example.com/a>;purpose=icon\r\nOrganization: o\r\n\
     User-Agent: u\r\nReply-To: <sip:alice@example.com>\r\nIn-Reply-To: a@b\r\nPriority: urgent\r\nX-More: m\r\n";

#[test]
fn rfc3323_5_3_at_user_privacy_what_is_not_essential_is_removed() {
    let anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    for (privacy, from, removed, left) in [
        ("", "<sip:alice@example.com>", false, None),
        ("user", anonymous, true, None),
        ("user;critical", anonymous, true, None),
        ("USER;header", anonymous, true, Some("header")),
        // From says who it is, or its display name does, and stays as it is: the rest is for the next service.
        ("user", "<sip:alice@example.com>", true, Some("user")),
        ("user", "Alice <sip:anonymous@anonymous.invalid>", true, Some("user")),
        // §5: at `none` nothing is done, and the field stays.
        ("none", anonymous, false, Some("none")),
        ("none;user;id", anonymous, false, Some("none;user;id")),
        // What was served is taken from it.
        ("user;id;session", anonymous, true, Some("session")),
        ("id", anonymous, false, None),
    ] {
        let mut net = net(false);
        let alice = ws("alice", 1);
        net.register(&alice);
        let mut fields = String::from(INFORMATIONAL);
        if !privacy.is_empty() {
            fields += &format!("Privacy: {privacy}\r\n");
        }
        let invite = out(&mut net, &alice, 5, &fields, from);
        let headers = invite.headers();
        assert_eq!(headers.first(HeaderName::Privacy), left, "{privacy} {from}");
        for name in [
            HeaderName::Subject,
            HeaderName::CallInfo,
            HeaderName::Organization,
            HeaderName::UserAgent,
            HeaderName::ReplyTo,
            HeaderName::InReplyTo,
        ] {
            assert_eq!(headers.has(name), !removed, "{privacy} {from} {name:?}");
        }
        assert_eq!(headers.first(HeaderName::Priority), Some("urgent"));
    }
}

#[test]
fn rfc3323_5_3_the_answer_of_who_wants_privacy_says_less_too() {
    let mut net = net(true);
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    for (cseq, privacy, removed, left) in
        [(1, "user", true, None), (2, "none", false, Some("none")), (3, "user;header", true, Some("header"))]
    {
        net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", cseq, ""));
        let message = net.request(&bob, &Method::Message);
        let said =
            format!("Server: s\r\nOrganization: o\r\nWarning: 399 h \"w\"\r\nPrivacy: {privacy}\r\nFrom:");
        net.send(&bob, bob.answer(&message, 200).replacen("From:", &said, 1));
        let answer = net.expect(&alice, 200);
        assert_eq!(answer.headers().first(HeaderName::Privacy), left);
        for name in [HeaderName::Server, HeaderName::Organization, HeaderName::Warning] {
            assert_eq!(answer.headers().has(name), !removed, "{privacy} {name:?}");
        }
    }
}

#[test]
fn rfc3323_4_3_the_option_privacy_ends_where_all_was_served() {
    let anonymous = "<sip:anonymous@anonymous.invalid>";
    for (privacy, option, left) in [
        ("user;id;critical", "privacy", None),
        ("user", "x, Privacy", None),
        ("header", "privacy", Some("privacy")),
        ("user;header", "privacy", Some("privacy")),
        ("none", "privacy", Some("privacy")),
    ] {
        let mut net = net(false);
        let alice = ws("alice", 1);
        net.register(&alice);
        let fields = format!("Privacy: {privacy}\r\nProxy-Require: {option}\r\n");
        if option.starts_with('x') {
            net.send(&alice, alice.invite("+4930", 5, &fields));
            let refusal = net.expect(&alice, 420);
            assert_eq!(refusal.headers().first(HeaderName::Unsupported), Some("x"));
            continue;
        }
        let invite = out(&mut net, &alice, 5, &fields, anonymous);
        assert_eq!(invite.headers().first(HeaderName::ProxyRequire), left, "{privacy}");
    }
}

#[test]
fn rfc3323_4_1_1_3_a_phone_calls_as_nobody_once_it_has_proven_who_it_is() {
    let mut net = net(true);
    let phone = udp("alice", 5);
    let nobody = |request: String| {
        request.replace("alice@example.com>;tag=from", "anonymous@anonymous.invalid>;tag=from")
    };
    net.send_with_digest(&phone, "alice", &|cseq, extra| nobody(phone.invite("+4930", cseq, extra)));
    net.expect(&phone, 100);
    let invite = net.request(&trunk(), &Method::Invite);
    assert_eq!(asserted(invite.headers()), ["<sip:alice@example.com>"]);
    // Without credentials a stranger who is nobody reaches our users, as any stranger does, and nobody else.
    let phone = udp("alice", 6);
    let bob = ws("bob", 2);
    net.register(&bob);
    net.send(&phone, nobody(phone.out("MESSAGE", "sip:bob@example.com", 10, "")));
    assert!(asserted(net.request(&bob, &Method::Message).headers()).is_empty());
}

#[test]
fn rfc3323_4_1_1_3_nobody_is_asked_who_it_is_where_strangers_are_refused() {
    let mut net = net(true);
    net.server.config.callers = Callers::Peers;
    let (phone, bob) = (udp("alice", 5), ws("bob", 2));
    net.register(&bob);
    let nobody = |request: String| {
        request.replace("alice@example.com>;tag=from", "anonymous@anonymous.invalid>;tag=from")
    };
    net.send_with_digest(&phone, "alice", &|cseq, extra| nobody(phone.invite("bob", cseq, extra)));
    net.expect(&phone, 100);
    net.request(&bob, &Method::Invite);
    // Who cannot prove to be of ours is not let in by it.
    net.send_with_digest(&phone, "guessed", &|cseq, extra| nobody(phone.invite("bob", cseq + 5, extra)));
    net.expect(&phone, 407);
    net.quiet();
}

/// A field of before RFC 3325 that says the same and is known to many trunks.
#[test]
fn rfc3325_5_remote_party_id_stays_within_the_trust_domain() {
    let mut net = net(true);
    let (alice, bob, other) = (ws("alice", 1), ws("bob", 2), elsewhere(Transport::Udp, "198.18.0.60:5060"));
    net.register(&alice);
    net.register(&bob);
    let field = "Remote-Party-ID: <sip:president@example.com>;party=calling;privacy=off\r\n";
    // From one of ours, which may not say who it is, to whom it would be believed.
    let invite = out(&mut net, &alice, 5, field, "<sip:alice@example.com>");
    assert!(!invite.headers().has(HeaderName::RemotePartyId));
    // From the trunk, which may: in its answers, and to users, who are of no trust domain.
    net.send(&trunk(), trunk().answer(&invite, 180).replacen("From:", &format!("{field}From:"), 1));
    assert!(!net.expect(&alice, 180).headers().has(HeaderName::RemotePartyId));
    for (cseq, peer) in [(1, trunk()), (2, other)] {
        let message = peer.out("MESSAGE", "sip:bob@example.com", cseq, field);
        net.send(&peer, message.replace("<sip:bob@example.com>;tag=from", "<sip:x@trunk.example>;tag=from"));
        let received = net.request(&bob, &Method::Message);
        assert!(!received.headers().has(HeaderName::RemotePartyId), "{cseq}");
        net.send(&bob, bob.answer(&received, 200).replacen("From:", &format!("{field}From:"), 1));
        assert!(!net.expect(&peer, 200).headers().has(HeaderName::RemotePartyId));
    }
}
