//! What the server side's user may answer, and what repeated requests get.

use super::*;
use crate::transaction::server::Kept;

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

/// What nobody reads any more is not kept read, and still it is known (§17.2.2, RFC 6026 §7.1).
#[test]
fn rfc3261_17_2_2_who_repeats_what_was_answered_is_compared_with_its_bytes() {
    for (method, status, answered) in [("OPTIONS", 200, true), ("INVITE", 200, true), ("INVITE", 486, false)]
    {
        let first = request(method, BRANCH);
        let mut bench = Bench::new();
        let server = bench.receive_new(&first, udp());
        bench.respond(server, &first, status);
        let kept = &bench.layer.server(server).unwrap().request;
        assert_eq!(matches!(kept, Kept::Answered(_)), answered, "{method} {status}");
        assert_eq!(bench.receive(&first, udp()), Received::Absorbed);
        assert_eq!(bench.layer.server_request(server).unwrap().bytes(), first.bytes());
        // Another sender's, though their branches be one.
        let text = String::from_utf8_lossy(first.bytes()).replace("pc33", "pc34");
        let other = bench.receive_new(&parse(&text), udp());
        bench.respond(other, &first, 500);
        bench.pass(70_000);
        bench.assert_empty();
    }
}
