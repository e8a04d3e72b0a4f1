//! What the server side's user may answer, and what repeated requests get.

use super::*;

const BRANCH: &str = "z9hG4bKserver";

#[test]
fn a_repeated_invite_gets_the_latest_provisional_response() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, udp());
    assert_eq!(bench.receive(&invite, udp()), Received::Absorbed);
    assert!(bench.take_sent().is_empty());
    for (status, text) in [(100, "100"), (180, "180"), (183, "183")] {
        bench.respond(server, &invite, status);
        assert_eq!(bench.receive(&invite, udp()), Received::Absorbed);
        assert_eq!(bench.take_sent(), [text, text]);
    }
    assert_eq!(bench.layer.poll_timeout(), None);
}

#[test]
fn a_repeated_invite_gets_the_failure_until_the_ack() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, udp());
    bench.respond(server, &invite, 486);
    bench.receive(&invite, udp());
    assert_eq!(bench.take_sent(), ["486", "486"]);
    // Nothing else can be answered now.
    for status in [180, 200, 500] {
        bench.respond(server, &invite, status);
    }
    bench.receive(&request("ACK", BRANCH), udp());
    bench.receive(&invite, udp());
    bench.respond(server, &invite, 486);
    assert!(bench.take_sent().is_empty());
}

#[test]
fn an_accepted_invite_is_absorbed_and_its_acks_are_passed_on() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, udp());
    bench.respond(server, &invite, 200);
    assert_eq!(bench.receive(&invite, udp()), Received::Absorbed);
    assert_eq!(bench.receive(&request("ACK", BRANCH), udp()), Received::AckToSuccess);
    bench.respond(server, &invite, 200);
    for status in [180, 486] {
        bench.respond(server, &invite, status);
    }
    assert_eq!(bench.take_sent(), ["200", "200"]);
}

#[test]
fn an_early_ack_changes_nothing() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, udp());
    bench.respond(server, &invite, 180);
    assert_eq!(bench.receive(&request("ACK", BRANCH), udp()), Received::Absorbed);
    bench.respond(server, &invite, 200);
    assert_eq!(bench.take_sent(), ["180", "200"]);
}

#[test]
fn a_repeated_non_invite_request() {
    let info = request("INFO", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&info, udp());
    // Trying: discarded.
    bench.receive(&info, udp());
    assert!(bench.take_sent().is_empty());
    bench.respond(server, &info, 200);
    bench.receive(&info, udp());
    // Completed: "any other final responses […] MUST be discarded"
    bench.respond(server, &info, 500);
    bench.receive(&info, udp());
    assert_eq!(bench.take_sent(), ["200", "200", "200"]);
}

#[test]
fn provisional_responses_to_non_invite() {
    let info = request("INFO", BRANCH);
    // Unreliable: the user's early 100 and any other 1xx stay here (RFC 4320 §4.1).
    let mut bench = Bench::new();
    let server = bench.receive_new(&info, udp());
    bench.respond(server, &info, 100);
    bench.respond(server, &info, 183);
    assert!(bench.take_sent().is_empty());
    bench.pass(3_500);
    bench.respond(server, &info, 100);
    bench.respond(server, &info, 183);
    assert_eq!(bench.take_sent(), ["100", "100"]);
    // Reliable: a 100 at any time, and none of the layer's own after it.
    let mut bench = Bench::new();
    let server = bench.receive_new(&info, ws(1));
    bench.respond(server, &info, 183);
    bench.respond(server, &info, 100);
    bench.pass(10_000);
    assert_eq!(bench.take_sent(), ["100"]);
}

#[test]
fn a_timeout_is_never_told_to_a_non_invite_client() {
    let info = request("INFO", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&info, udp());
    bench.pass(4_000);
    bench.take_sent();
    bench.respond(server, &info, 408);
    assert_eq!(bench.receive(&info, udp()), Received::Absorbed);
    assert!(bench.take_sent().is_empty());
    bench.pass(100_000);
    assert_eq!(bench.take_told(), ["server terminated"]);
    let server = bench.receive_new(&info, ws(1));
    bench.respond(server, &info, 408);
    assert!(bench.take_sent().is_empty());
    bench.assert_empty();
    // An INVITE's 408 is an answer like another.
    let invite = request("INVITE", BRANCH);
    let server = bench.receive_new(&invite, ws(1));
    bench.respond(server, &invite, 408);
    assert_eq!(bench.take_sent(), ["408"]);
}

#[test]
fn answers_to_what_is_over_are_ignored() {
    let info = request("INFO", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&info, ws(1));
    bench.layer.respond(bench.now, server, 200, answer_bytes(&info, 200, "a"));
    bench.layer.respond(bench.now, server, 200, answer_bytes(&info, 200, "a"));
    bench.drain();
    bench.respond(server, &info, 200);
    assert_eq!(bench.take_sent(), ["200"]);
    assert_eq!(bench.take_told(), ["server terminated"]);
    assert!(bench.layer.server_request(server).is_none());
    assert_eq!(bench.layer.server_hop(server), None);
}

/// What it keeps: whether the request, and how many bytes.
fn kept(bench: &Bench, server: ServerId) -> (bool, usize) {
    let kept = &bench.layer.server(server).unwrap().kept;
    (kept.request().is_some(), kept.len())
}

/// The whole request is not compared any more, nor kept, and still it is known (§17.2.2, §17.2.3).
#[test]
fn rfc3261_17_2_2_a_repeated_request_gets_the_same_bytes_after_it_was_given_back() {
    for (method, status) in [("OPTIONS", 200), ("BYE", 481), ("INVITE", 486)] {
        let first = request(method, BRANCH);
        let mut bench = Bench::new();
        let server = bench.receive_new(&first, udp());
        bench.respond(server, &first, status);
        assert!(bench.layer.server_request(server).is_none());
        let (read, bytes) = kept(&bench, server);
        assert!(!read && bytes < answer_bytes(&first, status, "99sa0xk").len() + 200, "{method}: {bytes}");
        assert_eq!(bench.receive(&first, udp()), Received::Absorbed);
        if method == "INVITE" {
            // Timer G.
            bench.pass(500);
        }
        assert_eq!(bench.messages[0], answer_bytes(&first, status, "99sa0xk"));
        assert!(bench.messages.len() >= 2 && bench.messages.iter().all(|one| *one == bench.messages[0]));
        // Another sender's, though their branches be one.
        let text = String::from_utf8_lossy(first.bytes()).replace("pc33", "pc34");
        let other = bench.receive_new(&parse(&text), udp());
        bench.respond(other, &first, 500);
        bench.pass(70_000);
        bench.assert_empty();
    }
}

/// RFC 6026 §7.1: its user repeats the 2xx, so that none is kept.
#[test]
fn rfc6026_7_1_an_accepted_invite_keeps_whose_it_is_and_no_answer() {
    let text = String::from_utf8_lossy(request("INVITE", BRANCH).bytes())
        .replace("Max-Forwards", "Record-Route: <sip:p1.example;lr>, <sip:p2.example;lr>\r\nMax-Forwards")
        .replace("To: Bob <sip:bob@biloxi.example>", "To: Bob <sip:bob@biloxi.example>;tag=1");
    let invite = parse(&text);
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, udp());
    bench.respond(server, &invite, 200);
    assert_eq!(bench.take_sent(), ["200"]);
    let via = "SIP/2.0/UDP pc33.atlanta.example:5066;branch=z9hG4bKserver;x=1";
    let from = "\"Alice\" <sip:alice@atlanta.example>;tag=88sja8x";
    assert_eq!(kept(&bench, server), (false, via.len() + from.len() + "<sip:p1.example;lr>".len()));
    let origin = bench.layer.server_origin(server).unwrap();
    assert_eq!(origin.via().unwrap().to_string(), via);
    assert_eq!(origin.from().unwrap().uri, "sip:alice@atlanta.example");
    assert_eq!(origin.recorded().unwrap().uri, "sip:p1.example;lr");
    assert!(origin.is_within());
    assert_eq!(bench.receive(&invite, udp()), Received::Absorbed);
    bench.respond(server, &invite, 200);
    assert_eq!(bench.take_sent(), ["200"]);
    bench.pass(70_000);
    bench.assert_empty();
}

/// §9.2: "If the transaction for the original request still exists", whatever became of it.
#[test]
fn rfc3261_9_2_cancel_finds_an_invite_that_was_answered() {
    for status in [200, 486] {
        let (invite, cancel) = (request("INVITE", BRANCH), request("CANCEL", BRANCH));
        let mut bench = Bench::new();
        let server = bench.receive_new(&invite, udp());
        bench.respond(server, &invite, status);
        let received = bench.receive(&cancel, udp());
        let Received::Cancel { cancel: own, invite: Some(named) } = received else { panic!("{received:?}") };
        assert_eq!(named, server);
        bench.respond(own, &cancel, 200);
        bench.receive(&cancel, udp());
        assert_eq!(bench.take_sent(), [&*status.to_string(), "200", "200"]);
        bench.pass(70_000);
        bench.assert_empty();
    }
}

/// What only the request itself can be compared with is kept whole (§17.2.3).
#[test]
fn rfc3261_17_2_3_requests_of_rfc_2543_stay_until_the_end() {
    for (method, status) in [("OPTIONS", 200), ("INVITE", 200), ("INVITE", 486)] {
        let old = request(method, "old");
        let mut bench = Bench::new();
        let server = bench.receive_new(&old, udp());
        bench.respond(server, &old, status);
        assert!(kept(&bench, server).0);
        assert_eq!(bench.layer.server_request(server).unwrap().bytes(), old.bytes());
        assert_eq!(bench.receive(&old, udp()), Received::Absorbed);
        assert!(bench.messages.iter().all(|one| *one == answer_bytes(&old, status, "99sa0xk")));
        assert_eq!(bench.messages.len(), if (method, status) == ("INVITE", 200) { 1 } else { 2 });
        let cancel = bench.receive(&request("CANCEL", "old"), udp());
        let named = (method == "INVITE").then_some(server);
        assert!(matches!(cancel, Received::Cancel { invite, .. } if invite == named), "{cancel:?}");
        let Received::Cancel { cancel, .. } = cancel else { unreachable!() };
        bench.respond(cancel, &request("CANCEL", "old"), 200);
        bench.pass(70_000);
        bench.assert_empty();
    }
}

#[test]
fn an_answer_without_room_is_sent_and_what_its_request_took_is_given_back() {
    let options = request("OPTIONS", BRANCH);
    let mut bench = Bench::new();
    bench.layer.room.caps.bytes = options.bytes().len();
    let server = bench.receive_new(&options, udp());
    assert_eq!(bench.receive(&request("OPTIONS", "z9hG4bKmore"), udp()), Received::Full);
    let long = Writer::response(&options, 200, "OK", Some("a")).body("text/plain", &[b'a'; 900]);
    bench.layer.respond(bench.now, server, 200, long);
    bench.drain();
    assert_eq!(bench.receive(&options, udp()), Received::Absorbed);
    assert_eq!(bench.take_sent(), ["200"]);
    assert!(kept(&bench, server).1 < 200);
    bench.pass(70_000);
    bench.assert_empty();
}
