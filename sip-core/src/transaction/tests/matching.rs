//! Which message belongs to which transaction (§17.1.3, §17.2.3, §9.2).

use super::*;
use crate::limits;

/// A request whose parts the rules look at can be changed.
#[derive(Clone)]
struct Old {
    method: &'static str,
    uri: &'static str,
    via: &'static str,
    to: &'static str,
    from_tag: &'static str,
    call_id: &'static str,
    cseq: u32,
}

/// An RFC 2543 INVITE: no branch.
const OLD: Old = Old {
    method: "INVITE",
    uri: "sip:bob@biloxi.example",
    via: "SIP/2.0/UDP old.example:5060;hidden",
    to: "<sip:bob@biloxi.example>",
    from_tag: ";tag=1",
    call_id: "old@old.example",
    cseq: 7,
};

impl Old {
    fn request(&self) -> Request {
        let Self { method, uri, via, to, from_tag, call_id, cseq } = self;
        parse(&format!(
            "{method} {uri} SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@old.example>{from_tag}\r\nTo: {to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\r\n"
        ))
    }
}

#[test]
fn branch_sent_by_and_method() {
    let text = String::from_utf8_lossy(request("INFO", "z9hG4bK1").bytes()).to_string();
    let mut bench = Bench::new();
    bench.receive_new(&parse(&text), udp());
    // The rest of the message does not matter.
    let other =
        text.replace("987asjd97y7atg", "another").replace("sip:bob@biloxi.example SIP", "sip:x@y SIP");
    assert_eq!(bench.receive(&parse(&other), udp()), Received::Absorbed);
    let upper = text.replace("pc33.atlanta.example:5066", "PC33.Atlanta.example:5066");
    assert_eq!(bench.receive(&parse(&upper), udp()), Received::Absorbed);
    for (from, to) in [
        ("z9hG4bK1", "z9hG4bK2"),
        ("pc33.atlanta.example:5066", "pc33.atlanta.example:5067"),
        ("pc33.atlanta.example:5066", "pc34.atlanta.example:5066"),
        ("INFO", "MESSAGE"),
    ] {
        bench.receive_new(&parse(&text.replace(from, to)), udp());
    }
}

#[test]
fn an_ack_has_its_invites_key_and_no_other_has() {
    let mut bench = Bench::new();
    assert_eq!(bench.receive(&request("ACK", "z9hG4bK1"), udp()), Received::AckToSuccess);
    let invite = request("INVITE", "z9hG4bK1");
    let server = bench.receive_new(&invite, udp());
    bench.respond(server, &invite, 404);
    assert_eq!(bench.receive(&request("ACK", "z9hG4bK2"), udp()), Received::AckToSuccess);
    assert_eq!(bench.receive(&request("ACK", "z9hG4bK1"), udp()), Received::Absorbed);
    bench.pass(6_000);
    assert_eq!(bench.receive(&request("ACK", "z9hG4bK1"), udp()), Received::AckToSuccess);
}

#[test]
fn cancel_names_its_invite() {
    let (invite, cancel) = (request("INVITE", "z9hG4bK1"), request("CANCEL", "z9hG4bK1"));
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, udp());
    let Received::Cancel { cancel: own, invite: Some(named) } = bench.receive(&cancel, udp()) else {
        panic!("not a CANCEL")
    };
    assert_eq!(named, server);
    bench.respond(own, &cancel, 200);
    bench.respond(server, &invite, 487);
    assert_eq!(bench.take_sent(), ["200", "487"]);
    // Answered once, the repeated CANCEL gets the same.
    assert_eq!(bench.receive(&cancel, udp()), Received::Absorbed);
    assert_eq!(bench.take_sent(), ["200"]);
}

#[test]
fn cancel_that_names_nothing() {
    let mut bench = Bench::new();
    bench.receive_new(&request("INVITE", "z9hG4bK1"), udp());
    bench.receive_new(&request("OPTIONS", "z9hG4bK2"), udp());
    for branch in ["z9hG4bK2", "z9hG4bK3"] {
        let received = bench.receive(&request("CANCEL", branch), udp());
        assert!(matches!(received, Received::Cancel { invite: None, .. }), "{received:?}");
    }
}

#[test]
fn rfc_2543_requests_match_by_their_fields() {
    let mut bench = Bench::new();
    bench.receive_new(&OLD.request(), udp());
    assert_eq!(bench.receive(&OLD.request(), udp()), Received::Absorbed);
    // What the hop adds to the Via is not the client's.
    let via = "SIP/2.0/UDP OLD.example:5060;received=192.0.2.9;hidden;rport=9";
    assert_eq!(bench.receive(&Old { via, ..OLD }.request(), udp()), Received::Absorbed);
    for other in [
        Old { uri: "sip:carol@biloxi.example", ..OLD },
        Old { to: "<sip:bob@biloxi.example>;tag=2", ..OLD },
        Old { from_tag: ";tag=3", ..OLD },
        Old { from_tag: "", ..OLD },
        Old { call_id: "new@old.example", ..OLD },
        Old { cseq: 8, ..OLD },
        Old { method: "OPTIONS", ..OLD },
        Old { via: "SIP/2.0/UDP new.example:5060;hidden", ..OLD },
        Old { via: "SIP/2.0/TCP old.example:5060;hidden", ..OLD },
        Old { via: "SIP/2.0/UDP old.example:5060;branch=1", ..OLD },
        // RFC 4475 §3.2.1: a cookie and nothing behind it.
        Old { via: "SIP/2.0/UDP old.example:5060;branch=z9hG4bK", ..OLD },
    ] {
        bench.receive_new(&other.request(), udp());
        assert_eq!(bench.receive(&other.request(), udp()), Received::Absorbed);
    }
}

#[test]
fn a_bare_cookie_does_not_make_all_requests_one() {
    let old = Old { via: "SIP/2.0/UDP old.example:5060;branch=z9hG4bK", ..OLD };
    let mut bench = Bench::new();
    bench.receive_new(&old.request(), udp());
    bench.receive_new(&Old { call_id: "other", ..old }.request(), udp());
}

#[test]
fn rfc_2543_ack_matches_by_the_tag_of_the_answer() {
    let mut bench = Bench::new();
    let server = bench.receive_new(&OLD.request(), udp());
    bench.respond(server, &OLD.request(), 404);
    let ack = Old { method: "ACK", to: "<sip:bob@biloxi.example>;tag=99sa0xk", ..OLD };
    for other in [
        Old { to: "<sip:bob@biloxi.example>", ..ack },
        Old { to: "<sip:bob@biloxi.example>;tag=other", ..ack },
        Old { cseq: 8, ..ack },
        Old { call_id: "other", ..ack },
        Old { from_tag: "", ..ack },
        Old { uri: "sip:carol@biloxi.example", ..ack },
        Old { via: "SIP/2.0/UDP new.example", ..ack },
    ] {
        assert_eq!(bench.receive(&other.request(), udp()), Received::AckToSuccess);
    }
    assert_eq!(bench.receive(&ack.request(), udp()), Received::Absorbed);
    assert_eq!(bench.receive(&ack.request(), udp()), Received::Absorbed);
    bench.pass(5_000);
    assert_eq!(bench.take_told(), ["server terminated"]);
}

#[test]
fn rfc_2543_ack_to_an_accepted_invite_is_passed_on() {
    let mut bench = Bench::new();
    let server = bench.receive_new(&OLD.request(), udp());
    bench.respond(server, &OLD.request(), 200);
    for to in ["<sip:bob@biloxi.example>;tag=99sa0xk", "<sip:bob@biloxi.example>;tag=fork"] {
        let ack = Old { method: "ACK", to, ..OLD };
        assert_eq!(bench.receive(&ack.request(), udp()), Received::AckToSuccess);
    }
}

#[test]
fn rfc_2543_re_invite_is_acknowledged_among_its_likes() {
    // Two INVITEs that differ in the To tag only are two transactions; the ACK finds the one that sent its tag.
    let (first, second) = (OLD, Old { to: "<sip:bob@biloxi.example>;tag=zz", ..OLD });
    let mut bench = Bench::new();
    let one = bench.receive_new(&first.request(), ws(1));
    let two = bench.receive_new(&second.request(), ws(1));
    bench.respond(one, &first.request(), 404);
    bench.respond(two, &second.request(), 404);
    let ack = Old { method: "ACK", to: "<sip:bob@biloxi.example>;tag=zz", ..OLD };
    assert_eq!(bench.receive(&ack.request(), ws(1)), Received::Absorbed);
    assert!(bench.layer.server_request(one).is_some());
    assert!(bench.layer.server_request(two).is_none());
}

#[test]
fn rfc_2543_cancel() {
    let mut bench = Bench::new();
    let server = bench.receive_new(&OLD.request(), udp());
    let cancel = Old { method: "CANCEL", ..OLD };
    let received = bench.receive(&cancel.request(), udp());
    assert!(matches!(received, Received::Cancel { invite: Some(id), .. } if id == server), "{received:?}");
    let received = bench.receive(&Old { cseq: 8, ..cancel }.request(), udp());
    assert!(matches!(received, Received::Cancel { invite: None, .. }), "{received:?}");
}

#[test]
fn the_cap() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKfirst");
    let client = bench.send(&invite, ws(1));
    bench.answered(&invite, 180);
    let server = bench.receive_new(&invite, ws(1));
    for n in 2..limits::TRANSACTIONS {
        bench.receive_new(&numbered(n), ws(1));
    }
    bench.take_sent();
    assert_eq!(bench.layer.len(), limits::TRANSACTIONS);
    assert_eq!(bench.receive(&request("BYE", "z9hG4bKmore"), ws(1)), Received::Full);
    assert_eq!(bench.layer.send_request(bench.now, &request("BYE", "z9hG4bKmore"), ws(1)), None);
    assert_eq!(bench.layer.counters().refused, 2);
    // What is there goes on: retransmissions, ACK, and the CANCEL leaves without a transaction.
    assert_eq!(bench.receive(&invite, ws(1)), Received::Absorbed);
    assert_eq!(bench.layer.cancel(bench.now, client), None);
    bench.drain();
    assert_eq!(bench.take_sent(), ["CANCEL"]);
    bench.respond(server, &invite, 486);
    assert_eq!(bench.receive(&request("ACK", "z9hG4bKfirst"), ws(1)), Received::Absorbed);
    bench.receive_new(&request("BYE", "z9hG4bKmore"), ws(1));
}

fn numbered(n: usize) -> Request {
    Old { cseq: u32::try_from(n).unwrap(), ..OLD }.request()
}
