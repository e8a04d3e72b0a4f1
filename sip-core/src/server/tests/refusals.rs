//! What is not forwarded, and why, in words.

use super::*;

#[test]
fn validation() {
    let rows: [(&str, &str, u16, &str); 9] = [
        ("max-forwards : 70", "max-forwards : 0", 483, "Too Many Hops"),
        ("max-forwards : 70", "max-forwards : 256", 400, "Bad Request (Malformed Max-Forwards)"),
        ("X-Odd:", "Proxy-Require: a, b\r\nX-Odd:", 420, "Bad Extension"),
        ("sip:bob@example.com SIP", "urn:service:sos SIP", 416, "Unsupported URI Scheme"),
        ("sip:bob@example.com SIP", "tel:1234 SIP", 416, "Unsupported URI Scheme"),
        ("sip:bob@example.com SIP", "sip:bob@example.net SIP", 403, "Domain Not Served Here"),
        ("X-Odd:", "Route: <sip:evil.example.net;lr>\r\nX-Odd:", 403, "Route Leads Elsewhere"),
        ("X-Odd:", "Route: <tel:1>\r\nX-Odd:", 400, "Bad Request (Malformed Route)"),
        ("From: \"alice\" <sip:alice@", "From: <sip:bob@", 407, "Proxy Authentication Required"),
    ];
    for (find, replace, status, reason) in rows {
        let mut net = Net::new();
        let (alice, bob) = (ws("alice", 1), ws("bob", 2));
        net.register(&alice);
        net.register(&bob);
        let invite = alice.invite("bob", 2, "").replacen(find, replace, 1);
        net.send(&alice, invite);
        let response = net.expect(&alice, status);
        assert_eq!(response.reason(), reason);
        if status == 420 {
            assert_eq!(response.headers().first(HeaderName::Unsupported), Some("a, b"));
        }
        net.quiet();
    }
}

#[test]
fn a_route_that_only_names_us_is_taken_off() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    let routes =
        "Route: <sip:example.com;lr>, <sip:192.0.2.1:8080;lr>\r\nRoute: <sip:alias.example.com:5;lr>\r\n";
    net.send(&alice, alice.invite("bob", 2, routes));
    net.expect(&alice, 100);
    assert!(!net.request(&bob, &Method::Invite).headers().has(HeaderName::Route));
    // Not one that goes on elsewhere.
    net.send(&alice, alice.invite("bob", 3, "Route: <sip:example.com;lr>, <sip:else.where;lr>\r\n"));
    net.expect(&alice, 403);
    net.quiet();
    assert_eq!(net.server.counters().relay_refused, 1);
}

#[test]
fn a_loop_is_seen_and_a_spiral_is_not() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    // What the phone got comes back from it: first with the Request-URI the server saw, then with another.
    let via = bob.via("again");
    let came_back = |uri: &str, branch: &str| {
        text(forwarded.bytes())
            .replacen(&format!("INVITE {}", bob.contact()), &format!("INVITE {uri}"), 1)
            .replacen("Via:", &format!("{}Via:", via.replace("again", branch)), 1)
            .replacen("<sip:alice@example.com>", "<sip:alice@example.org>", 1)
    };
    net.send(&bob, came_back("sip:bob@example.com", "one"));
    assert_eq!(net.expect(&bob, 482).reason(), "Loop Detected");
    net.send(&bob, came_back("sip:alice@example.com", "two"));
    net.expect(&bob, 100);
    net.request(&alice, &Method::Invite);
    net.quiet();
}

#[test]
fn requests_for_the_server_itself() {
    let rows = [("OPTIONS", 200), ("INVITE", 405), ("MESSAGE", 405), ("DANCE", 501)];
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    for (method, status) in rows {
        net.send(&alice, alice.out(method, "sip:example.com", 5, ""));
        let response = net.expect(&alice, status);
        assert_eq!(response.headers().first(HeaderName::Allow), Some("OPTIONS, REGISTER, SUBSCRIBE"));
    }
    // Its own user agent looks at what a proxy does not (§8.2.2.3, §8.2.3).
    let rows = [
        ("X-Odd:", "Require: a\r\nX-Odd:", 420, "Bad Extension"),
        ("c: application/sdp", "c: text/plain", 415, "Unsupported Media Type"),
        ("c: application/sdp\r\n", "", 400, "Bad Request (Missing Content-Type)"),
    ];
    for (find, replace, status, reason) in rows {
        net.send(&alice, alice.out("OPTIONS", "sip:example.com", 6, "").replacen(find, replace, 1));
        assert_eq!(net.expect(&alice, status).reason(), reason);
    }
    // The last hop answers.
    net.send(&alice, alice.out("OPTIONS", "sip:bob@example.com", 9, "").replace(": 70", ": 0"));
    assert_eq!(net.expect(&alice, 200).headers().first(HeaderName::AllowEvents), Some("reg"));
    net.quiet();
}

#[test]
fn malformed_requests_are_answered_and_counted() {
    let mut net = Net::new();
    let phone = udp("bob", 5);
    let options = phone.out("OPTIONS", "sip:example.com", 1, "");
    let rows: [(&str, &str, u16, &str); 7] = [
        ("CSeq: 1 OPTIONS\r\n", "", 400, "Bad Request (Missing CSeq)"),
        ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE", 400, "Bad Request (CSeq Method Mismatch)"),
        ("Call-ID: call", "Call-ID: call\r\nCall-ID: call", 400, "Bad Request (Duplicate Call-ID)"),
        ("l: 4", "l: 400", 400, "Bad Request (Content-Length Exceeds Message)"),
        ("SIP/2.0\r\nVia", "SIP/7.0\r\nVia", 505, "Version Not Supported"),
        ("OPTIONS sip:example.com", "OPTIONS <sip:example.com>", 400, "Bad Request (Malformed Request-URI)"),
        // RFC 4475 §3.1.2.18: an unknown method goes before what else is wrong.
        ("OPTIONS sip:example.com", "NEWMETHOD sip:example.com", 501, "Not Implemented"),
    ];
    for (find, replace, status, reason) in rows {
        net.send(&phone, options.replacen(find, replace, 1));
        let (to, message) = net.sent.pop_front().unwrap();
        assert_eq!(to, phone.hop);
        assert!(text(&message).starts_with(&format!("SIP/2.0 {status} {reason}\r\n")), "{}", text(&message));
    }
    // What cannot be answered, and what must not be.
    for nonsense in [
        "",
        "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "ACK sip:a SIP/2.0\r\n\r\n",
        "SIP/2.0 200 OK\r\n\r\n",
    ] {
        net.send(&phone, nonsense.as_bytes().to_vec());
    }
    net.quiet();
    let counters = net.server.counters();
    assert_eq!((counters.malformed_refused, counters.malformed_dropped), (7, 5));
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn responses_that_are_not_ours_are_dropped() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    let stray = bob.answer(&forwarded, 200).replacen(forwarded.branch().unwrap(), "z9hG4bKnobody", 1);
    // §18.1.2: another's Via, and one that says nothing of us.
    let sent_by = forwarded.via().host.to_string();
    let misrouted = [stray.replacen(&sent_by, "192.0.2.77", 1), stray.replacen(&sent_by, "a.invalid", 1)];
    // RFC 4475 §3.3.10.
    let nowhere = broadcast(&forwarded, &stray);
    for response in [stray].into_iter().chain(misrouted).chain([nowhere]) {
        net.send(&bob, response);
    }
    net.quiet();
    let counters = net.server.counters();
    assert_eq!((counters.stray_responses, counters.responses_misrouted), (1, 2));
    assert_eq!((counters.responses_to_no_host, counters.responses), (1, 4));
}

/// A response to `request` whose next Via names no one host.
fn broadcast(request: &Request, response: &str) -> String {
    let next = request.headers().list(HeaderName::Via).nth(1).unwrap();
    response.replacen(next, "SIP/2.0/UDP 255.255.255.255", 1)
}

#[test]
fn rfc3261_17_2_the_response_of_a_transaction_goes_where_that_says_and_not_its_via() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    net.send(&bob, broadcast(&forwarded, &bob.answer(&forwarded, 180)));
    net.expect(&alice, 180);
    net.quiet();
}

/// §20.43: text that a quoted string takes as it is.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) && !text.contains('\\')
}

#[test]
fn rfc3261_21_every_rule_has_a_reason_and_advice_and_stands_in_the_documentation() {
    let documented = include_str!("../../../../docs/refusals.md");
    for rule in Rule::ALL {
        assert!((400..700).contains(&rule.status()), "{rule:?}");
        assert!(is_plain(rule.reason()) && is_plain(rule.advice()), "{rule:?}");
        let row = format!("| {} | {} | {} |\n", rule.status(), rule.reason(), rule.advice());
        assert!(documented.contains(&row), "docs/refusals.md has no row for {rule:?}:\n{row}");
        let same = |other: &&Rule| (other.status(), other.reason()) == (rule.status(), rule.reason());
        assert_eq!(Rule::ALL.iter().filter(same).count(), 1, "{rule:?}");
    }
    let rows = documented.lines().filter(|line| line.starts_with("| 4") || line.starts_with("| 5")).count();
    assert_eq!(rows, Rule::ALL.len(), "a row of docs/refusals.md is of no rule");
}

/// The Warning of an answer, and what the log has of it.
#[track_caller]
fn explained(net: &mut Net, answer: &Response) -> String {
    let warning =
        answer.headers().first(HeaderName::Warning).unwrap_or_else(|| panic!("{}", text(answer.bytes())));
    let (trace, reason) = net.refused.take().expect("nothing was told");
    assert!(
        warning.starts_with("399 example.com \"") && warning.ends_with(&format!("(trace {trace})\"")),
        "{warning}"
    );
    assert!(answer.to_tag().unwrap().starts_with(trace.as_str()), "{warning}");
    assert!(reason.contains(": "), "{reason}");
    reason
}

#[test]
fn rfc3261_20_43_what_came_to_nothing_says_so() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), tcp("bob", 7));
    net.register(&alice);
    net.register(&bob);
    // The phone's connection is lost before it says a word.
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    net.request(&bob, &Method::Invite);
    net.close(&bob);
    let gone = net.expect(&alice, 480);
    assert!(explained(&mut net, &gone).contains("none of the callee's devices can be reached"));
    // What a phone answers is its own.
    let phone = udp("bob", 5);
    net.register(&phone);
    net.send(&alice, alice.invite("bob", 7, ""));
    net.expect(&alice, 100);
    let invite = net.request(&phone, &Method::Invite);
    net.send(&phone, phone.answer(&invite, 486));
    net.request(&phone, &Method::Ack);
    assert!(!net.expect(&alice, 486).headers().has(HeaderName::Warning));
    assert_eq!(net.refused, None);
}

#[test]
fn rfc3261_20_43_malformed_requests_hear_why_with_a_trace() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    net.send(&alice, alice.invite("bob", 2, "").replace("max-forwards : 70", "max-forwards : x"));
    let refused = net.expect(&alice, 400);
    assert_eq!(refused.reason(), "Bad Request (Malformed Max-Forwards)");
    explained(&mut net, &refused);
    net.send(&alice, alice.invite("bob", 3, "").replace("X-Odd:", "Proxy-Require: a\r\nX-Odd:"));
    let refused = net.expect(&alice, 420);
    assert!(explained(&mut net, &refused).contains("what Unsupported has"));
}
