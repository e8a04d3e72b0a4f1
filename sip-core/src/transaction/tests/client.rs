//! ACK, CANCEL, and what the client side's user may do.

use super::*;
use crate::message::{HeaderName, Method};

const BRANCH: &str = "z9hG4bKkjshdyff";

fn last_request(bench: &Bench) -> Request {
    Request::parse(bench.messages.last().unwrap().clone()).unwrap()
}

/// Request-URI, Via, Route, From, Call-ID and CSeq number as in the INVITE, and no field but those of §17.1.1.3 and
/// §9.1.
fn assert_hop_by_hop(made: &Request, invite: &Request) {
    assert_eq!(made.uri(), invite.uri());
    let vias: Vec<_> = made.headers().list(HeaderName::Via).collect();
    assert_eq!(vias, ["SIP/2.0/UDP pc33.atlanta.example:5066;branch=z9hG4bKkjshdyff;x=1"]);
    let routes: Vec<_> = made.headers().list(HeaderName::Route).collect();
    assert_eq!(routes, ["<sip:one.example;lr>", "<sip:two.example;lr>", "<sip:three.example;lr>"]);
    assert_eq!(made.headers().first(HeaderName::From), invite.headers().first(HeaderName::From));
    assert_eq!(made.call_id(), invite.call_id());
    assert_eq!(made.cseq().number, 986_759);
    assert_eq!(made.max_forwards(), Some(70));
    assert!(made.body().is_empty());
    let allowed = [
        HeaderName::Via,
        HeaderName::Route,
        HeaderName::MaxForwards,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
        HeaderName::ContentLength,
    ];
    assert!(made.headers().fields().iter().all(|field| allowed.contains(&field.name)));
}

#[test]
fn ack_for_a_failure() {
    let invite = request("INVITE", BRANCH);
    for hop in [udp(), ws(7)] {
        let mut bench = Bench::new();
        bench.send(&invite, hop);
        bench.answered(&invite, 100);
        bench.answered(&invite, 404);
        let ack = last_request(&bench);
        assert_hop_by_hop(&ack, &invite);
        assert_eq!(*ack.method(), Method::Ack);
        assert_eq!(ack.cseq().method, Method::Ack);
        let to = answer(&invite, 404).headers().first(HeaderName::To).map(String::from);
        assert_eq!(ack.headers().first(HeaderName::To), to.as_deref());
        assert_eq!(bench.sent.last().unwrap().1, hop.flow.0);
    }
}

#[test]
fn a_repeated_failure_is_acknowledged_again_and_not_told() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    bench.send(&invite, udp());
    bench.answered(&invite, 503);
    let first = bench.messages[1].clone();
    bench.answered(&invite, 503);
    bench.answered(&invite, 500);
    assert_eq!(bench.messages[3], first);
    // Neither a late 1xx nor a 2xx has a place here.
    bench.answered(&invite, 180);
    bench.answered(&invite, 200);
    assert_eq!(bench.take_sent(), ["INVITE", "ACK", "ACK", "ACK"]);
    assert_eq!(bench.take_told(), ["503"]);
}

#[test]
fn after_a_2xx_only_2xx_are_told() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    bench.send(&invite, udp());
    for status in [100, 183, 200, 180, 486, 200] {
        bench.answered(&invite, status);
    }
    assert_eq!(bench.take_told(), ["100", "183", "200", "200"]);
    assert_eq!(bench.take_sent(), ["INVITE"]);
}

#[test]
fn stray_responses_are_counted() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let sent = |bench: &mut Bench, text| {
        let response = answer(&request("INVITE", text), 200);
        bench.layer.receive_response(bench.now, response)
    };
    bench.send(&invite, udp());
    assert!(!sent(&mut bench, "z9hG4bKother"));
    assert!(!bench.layer.receive_response(bench.now, answer(&request("CANCEL", BRANCH), 200)));
    assert_eq!(bench.layer.counters().stray_responses, 2);
    assert!(sent(&mut bench, BRANCH));
}

#[test]
fn no_transaction_for_ack_nor_twice_for_one_branch() {
    let mut bench = Bench::new();
    assert_eq!(bench.layer.send_request(bench.now, &request("ACK", BRANCH), udp()), None);
    bench.send(&request("INVITE", BRANCH), udp());
    assert_eq!(bench.layer.send_request(bench.now, &request("INVITE", BRANCH), udp()), None);
    assert!(bench.layer.send_request(bench.now, &request("CANCEL", BRANCH), udp()).is_some());
    let unnamed =
        parse(&String::from_utf8_lossy(request("INVITE", BRANCH).bytes()).replace(";branch", ";crutch"));
    assert_eq!(bench.layer.send_request(bench.now, &unnamed, udp()), None);
}

#[test]
fn cancel() {
    let invite = request("INVITE", BRANCH);
    for hop in [udp(), ws(7)] {
        let mut bench = Bench::new();
        let client = bench.send(&invite, hop);
        bench.answered(&invite, 180);
        let id = bench.layer.cancel(bench.now, client).unwrap();
        bench.drain();
        let cancel = last_request(&bench);
        assert_hop_by_hop(&cancel, &invite);
        assert_eq!(*cancel.method(), Method::Cancel);
        assert_eq!(cancel.cseq().method, Method::Cancel);
        assert_eq!(cancel.headers().first(HeaderName::To), invite.headers().first(HeaderName::To));
        assert_eq!(bench.sent.last().unwrap().1, hop.flow.0);
        assert_eq!(bench.layer.request(id).unwrap().bytes(), cancel.bytes());
        // Once is enough.
        assert_eq!(bench.layer.cancel(bench.now, client), None);
        bench.answered(&cancel, 200);
        bench.answered(&invite, 487);
        bench.pass(100_000);
        let told = bench.take_told();
        assert!(!told.contains(&"timed out".to_string()));
        assert_eq!(told[..2], ["180", "200"]);
        assert!(told.contains(&"487".to_string()));
        assert_eq!(bench.take_sent(), ["INVITE", "CANCEL", "ACK"]);
        bench.assert_empty();
    }
}

#[test]
fn cancel_waits_for_a_provisional_response() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let client = bench.send(&invite, ws(1));
    assert_eq!(bench.layer.cancel(bench.now, client), None);
    bench.drain();
    assert_eq!(bench.take_sent(), ["INVITE"]);
    bench.answered(&invite, 100);
    bench.answered(&invite, 180);
    assert_eq!(bench.take_sent(), ["CANCEL"]);
    assert_eq!(bench.take_told(), ["100", "180"]);
}

#[test]
fn a_final_answer_comes_before_the_cancel() {
    for status in [200, 486] {
        let invite = request("INVITE", BRANCH);
        let mut bench = Bench::new();
        let client = bench.send(&invite, udp());
        assert_eq!(bench.layer.cancel(bench.now, client), None);
        bench.answered(&invite, status);
        assert_eq!(bench.layer.cancel(bench.now, client), None);
        bench.pass(100_000);
        assert!(!bench.take_sent().contains(&"CANCEL".to_string()));
        bench.assert_empty();
    }
}

#[test]
fn cancel_is_for_invite() {
    let mut bench = Bench::new();
    let client = bench.send(&request("OPTIONS", BRANCH), udp());
    bench.answered(&request("OPTIONS", BRANCH), 100);
    assert_eq!(bench.layer.cancel(bench.now, client), None);
    assert_eq!(bench.take_sent(), ["OPTIONS"]);
}

#[test]
fn a_cancelled_invite_without_final_answer_ends_after_64_t1() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let client = bench.send(&invite, ws(1));
    bench.answered(&invite, 180);
    bench.pass(1_000);
    bench.layer.cancel(bench.now, client);
    bench.answered(&request("CANCEL", BRANCH), 200);
    bench.answered(&invite, 183);
    bench.take_told();
    bench.pass(31_999);
    assert!(bench.take_told().is_empty());
    bench.pass(1);
    assert_eq!(bench.take_told_at().first().unwrap(), &(33_000, "timed out".to_string()));
    bench.assert_empty();
}

#[test]
fn what_is_abandoned_is_silent() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let client = bench.layer.send_request(bench.now, &invite, udp()).unwrap();
    assert!(bench.layer.receive_response(bench.now, answer(&invite, 180)));
    bench.layer.abandon(client);
    bench.layer.abandon(client);
    bench.drain();
    assert!(bench.take_told().is_empty());
    bench.assert_empty();
    // Its branch is free again, and its name is not the new one's.
    let again = bench.send(&invite, udp());
    assert_ne!(client, again);
    assert!(bench.layer.request(client).is_none());
    assert!(bench.layer.request(again).is_some());
}

#[test]
fn abandoning_what_ended_leaves_its_successor_alone() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let lost = bench.send(&invite, ws(1));
    // Its end is not polled yet, and the same request is already out over another flow.
    bench.layer.flow_closed(bench.now, FlowId(1));
    let again = bench.layer.send_request(bench.now, &invite, ws(2)).unwrap();
    bench.layer.abandon(lost);
    bench.drain();
    bench.answered(&invite, 180);
    assert_eq!(bench.take_told(), ["180"]);
    assert!(bench.layer.request(again).is_some());
}

#[test]
fn the_request_can_be_asked_for_until_the_end_is_polled() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let client = bench.send(&invite, ws(1));
    bench.layer.receive_response(bench.now, answer(&invite, 401));
    while let Some(output) = bench.layer.poll_output() {
        let ended = matches!(output, Output::Event(Event::ClientTerminated { .. }));
        assert_eq!(bench.layer.request(client).is_some(), !ended);
    }
    assert!(bench.layer.request(client).is_none());
}

#[test]
fn outputs_are_capped() {
    let mut bench = Bench::new();
    let options = request("OPTIONS", BRANCH);
    bench.layer.send_request(bench.now, &options, udp());
    for _ in 0..crate::limits::OUTPUTS + 9 {
        bench.layer.receive_response(bench.now, answer(&options, 100));
    }
    assert_eq!(bench.layer.counters().dropped_outputs, 10);
    // Timers wait until somebody drains.
    bench.layer.handle_timeout(bench.now + Duration::from_secs(60));
    assert_eq!(bench.layer.counters().dropped_outputs, 10);
    bench.drain();
    bench.pass(100_000);
    bench.assert_empty();
}

#[test]
fn rfc6026_7_2_an_accepted_invite_gives_back_what_it_would_be_cancelled_by() {
    let (invite, options) = (request("INVITE", BRANCH), request("OPTIONS", "z9hG4bKnext"));
    let mut bench = Bench::new();
    bench.layer.room.caps.bytes = invite.bytes().len().max(options.bytes().len());
    let written = invite.bytes().clone();
    let client = bench.layer.send_written(bench.now, written, BRANCH, &Method::Invite, udp()).unwrap();
    bench.answered(&invite, 180);
    assert_eq!(bench.layer.send_request(bench.now, &options, udp()), None);
    bench.answered(&invite, 200);
    assert!(bench.layer.send_request(bench.now, &options, udp()).is_some());
    // More of them may come (RFC 6026 §8.4), and there is nothing left to cancel.
    bench.answered(&invite, 200);
    assert_eq!(bench.layer.cancel(bench.now, client), None);
    assert_eq!(bench.take_told(), ["180", "200", "200"]);
    bench.pass(70_000);
    bench.assert_empty();
}

/// §17.1.1.2, §17.1.2.2: answers that come again are absorbed, and the ACK is the same, when what was written is given back.
#[test]
fn rfc3261_17_1_answered_requests_are_given_back_and_their_answers_absorbed() {
    for (method, status) in [("INVITE", 486), ("INVITE", 200), ("BYE", 200), ("BYE", 481)] {
        let request = request(method, BRANCH);
        let (written, method) = (request.bytes().clone(), request.method());
        let mut bench = Bench::new();
        let client = bench.layer.send_written(bench.now, written, BRANCH, method, udp()).unwrap();
        bench.drain();
        assert!(bench.layer.request(client).is_some());
        bench.answered(&request, status);
        assert!(bench.layer.request(client).is_none());
        assert_eq!(bench.layer.room.bytes(), 0);
        bench.answered(&request, status);
        let told = bench.take_told().len();
        assert_eq!(told, if (method, status) == (&Method::Invite, 200) { 2 } else { 1 });
        let acks: Vec<Bytes> = bench.messages.drain(1..).collect();
        assert_eq!(acks.len(), if status == 486 { 2 } else { 0 });
        assert!(acks.iter().all(|ack| ack.starts_with(b"ACK ") && *ack == acks[0]));
        bench.pass(70_000);
        bench.assert_empty();
    }
}

/// What was read may be read once more: its user sends it again with credentials (§22.2).
#[test]
fn rfc3261_22_2_a_refused_request_can_be_asked_for_while_its_answers_are_absorbed() {
    for method in ["INVITE", "REGISTER"] {
        let request = request(method, BRANCH);
        let mut bench = Bench::new();
        let client = bench.send(&request, udp());
        bench.answered(&request, 401);
        assert_eq!(bench.layer.request(client).unwrap().bytes(), request.bytes());
        bench.pass(70_000);
        bench.assert_empty();
    }
}
