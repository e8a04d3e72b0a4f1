//! Session timers that the proxy asks for (RFC 4028 §8).

use super::*;
use crate::proxy::SessionTimer;

fn net() -> (Net, Peer, Peer) {
    let mut net =
        Net::with(|config| config.routing.session_timer = Some(SessionTimer { interval: 600, least: 120 }));
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    (net, alice, bob)
}

/// An answer with one more field.
fn with(answer: &str, field: &str) -> String {
    answer.replacen("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"), 1)
}

fn all(headers: &Headers, name: HeaderName) -> Vec<&str> {
    headers.all(name).collect()
}

#[test]
fn rfc4028_8_1_what_goes_on() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        // Nothing is asked for: ours is. "MUST NOT include a refresher parameter".
        ("", &["600"], &[]),
        ("Supported: timer\r\n", &["600"], &[]),
        // "not with a duration lower than the value in the Min-SE".
        ("Supported: timer\r\nMin-SE: 900\r\n", &["900"], &["900"]),
        // It may be reduced, but never below Min-SE, and the refresher is not ours.
        ("Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n", &["600;refresher=uac"], &[]),
        ("Supported: timer\r\nx: 1800\r\nMin-SE: 700\r\n", &["700"], &["700"]),
        // "MUST NOT increase".
        ("Supported: timer\r\nSession-Expires: 300;refresher=uas;a=b\r\n", &["300;refresher=uas;a=b"], &[]),
        // Who has no timers is not refused: Min-SE rises, and what is asked for with it.
        ("Session-Expires: 100\r\n", &["120"], &["120"]),
        ("Session-Expires: 100;refresher=uas\r\nMin-SE: 95\r\n", &["120;refresher=uas"], &["120"]),
        ("Session-Expires: 100\r\nMin-SE: 200\r\n", &["200"], &["200"]),
        ("Session-Expires: 150\r\n", &["150"], &[]),
        // What cannot be read is the callee's to refuse.
        ("Supported: timer\r\nSession-Expires: soon\r\n", &["soon"], &[]),
        ("Supported: timer\r\nMin-SE: soon\r\n", &[], &["soon"]),
    ];
    for (fields, expires, least) in cases {
        let (mut net, alice, bob) = net();
        net.send(&alice, alice.invite("bob", 2, fields));
        net.expect(&alice, 100);
        let forwarded = net.request(&bob, &Method::Invite);
        assert_eq!(all(forwarded.headers(), HeaderName::SessionExpires), *expires, "{fields}");
        assert_eq!(all(forwarded.headers(), HeaderName::MinSe), *least, "{fields}");
    }
}

/// An interval that is too short is refused where that is understood.
#[test]
fn rfc4028_8_1_too_short_an_interval() {
    let (mut net, alice, bob) = net();
    let invite = alice.invite("bob", 2, "Supported: 100rel, timer\r\nSession-Expires: 119\r\n");
    net.send(&alice, invite.clone());
    net.expect(&alice, 100);
    let refused = net.expect(&alice, 422);
    assert_eq!(all(refused.headers(), HeaderName::MinSe), ["120"]);
    net.send(&alice, ack_to_failure(&invite, &refused));
    net.quiet();
    net.send(&alice, alice.invite("bob", 3, "Supported: timer\r\nSession-Expires: 120\r\nMin-SE: 120\r\n"));
    net.expect(&alice, 100);
    net.request(&bob, &Method::Invite);
}

#[test]
fn rfc4028_8_2_the_callee_has_no_timers() {
    let cases: &[(&str, &str, &[&str], &[&str])] = &[
        // The caller has: it is told, and refreshes.
        ("Supported: timer\r\n", "", &["600;refresher=uac"], &["timer"]),
        ("Supported: timer\r\nSession-Expires: 300\r\n", "", &["300;refresher=uac"], &["timer"]),
        ("Supported: timer\r\n", "Require: 100rel\r\n", &["600;refresher=uac"], &["100rel", "timer"]),
        // Neither has.
        ("", "", &[], &[]),
        // The callee has: nothing is changed.
        (
            "Supported: timer\r\n",
            "Session-Expires: 500;refresher=uas\r\nRequire: timer\r\n",
            &["500;refresher=uas"],
            &["timer"],
        ),
    ];
    for (asked, answered, expires, required) in cases {
        let (mut net, alice, bob) = net();
        net.send(&alice, alice.invite("bob", 2, asked));
        net.expect(&alice, 100);
        let forwarded = net.request(&bob, &Method::Invite);
        let answer = |status| {
            let answer = bob.answer(&forwarded, status);
            if answered.is_empty() { answer } else { with(&answer, answered.trim_end()) }
        };
        if answered.is_empty() {
            net.send(&bob, answer(180));
            assert!(!net.expect(&alice, 180).headers().has(HeaderName::SessionExpires));
        }
        net.send(&bob, answer(200));
        let ok = net.expect(&alice, 200);
        assert_eq!(all(ok.headers(), HeaderName::SessionExpires), *expires, "{asked}{answered}");
        assert_eq!(all(ok.headers(), HeaderName::Require), *required, "{asked}{answered}");
    }
}

/// §8.1: "identical for all session refresh requests", and others are none.
#[test]
fn rfc4028_8_within_a_dialog() {
    let (mut net, alice, bob) = net();
    net.send(&alice, alice.invite("bob", 2, "Supported: timer\r\n"));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&forwarded, 200));
    let ok = net.expect(&alice, 200);
    let (mut caller, mut callee) = (Side::caller(&alice, &ok), Side::callee(&bob, &forwarded));
    net.send(&alice, caller.next("ACK"));
    net.request(&bob, &Method::Ack);
    for method in ["INVITE", "UPDATE", "INFO"] {
        let refresh = with(&callee.next(method), "Supported: timer\r\nSession-Expires: 1000;refresher=uac");
        net.send(&bob, refresh);
        if method == "INVITE" {
            net.expect(&bob, 100);
        }
        let forwarded = net.request(&alice, &Method::from_token(method));
        let refresh = method != "INFO";
        let value = if refresh { "600;refresher=uac" } else { "1000;refresher=uac" };
        assert_eq!(all(forwarded.headers(), HeaderName::SessionExpires), [value]);
        net.send(&alice, alice.answer(&forwarded, 200));
        let ok = net.expect(&bob, 200);
        let granted: &[&str] = if refresh { &["600;refresher=uac"] } else { &[] };
        assert_eq!(all(ok.headers(), HeaderName::SessionExpires), granted);
    }
    let short = with(&callee.next("UPDATE"), "Supported: timer\r\nSession-Expires: 100");
    net.send(&bob, short);
    assert_eq!(all(net.expect(&bob, 422).headers(), HeaderName::MinSe), ["120"]);
}

#[test]
fn rfc4028_8_nothing_is_asked_for_unless_the_configuration_says_so() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    net.send(&alice, alice.invite("bob", 2, "Supported: timer\r\nSession-Expires: 91\r\n"));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    assert_eq!(all(forwarded.headers(), HeaderName::SessionExpires), ["91"]);
    net.send(&bob, bob.answer(&forwarded, 200));
    assert!(!net.expect(&alice, 200).headers().has(HeaderName::SessionExpires));
}
