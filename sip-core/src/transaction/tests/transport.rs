//! Flows that close, and clients that come back over another.

use super::*;

const BRANCH: &str = "z9hG4bKflow";

fn close(bench: &mut Bench, flow: u64) {
    bench.layer.flow_closed(bench.now, FlowId(flow));
    bench.drain();
}

#[test]
fn client_transactions_fail_with_their_flow() {
    for hop in [hop(Transport::Udp, 1), ws(1)] {
        for (method, statuses) in
            [("INVITE", &[][..]), ("INVITE", &[180]), ("OPTIONS", &[]), ("OPTIONS", &[100])]
        {
            let mut bench = Bench::new();
            let sent = request(method, BRANCH);
            bench.send(&sent, hop);
            bench.send(&request(method, "z9hG4bKother"), ws(2));
            for status in statuses {
                bench.answered(&sent, *status);
            }
            bench.take_told();
            close(&mut bench, 1);
            assert_eq!(bench.take_told(), ["transport failed", "client terminated"]);
            assert_eq!(bench.layer.len(), 1);
            // The branch may go out again over another flow.
            bench.send(&sent, ws(3));
        }
    }
}

#[test]
fn an_unreliable_client_transaction_that_is_completed() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    bench.send(&invite, udp());
    bench.answered(&invite, 486);
    close(&mut bench, 1);
    // Figure 5: "Transport Err. Inform TU"
    assert_eq!(bench.take_told(), ["486", "transport failed", "client terminated"]);

    let options = request("OPTIONS", BRANCH);
    bench.send(&options, udp());
    bench.answered(&options, 200);
    close(&mut bench, 1);
    assert_eq!(bench.take_told(), ["200"]);
}

#[test]
fn an_accepted_invite_outlives_its_flow() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    bench.send(&invite, ws(1));
    bench.answered(&invite, 200);
    close(&mut bench, 1);
    bench.answered(&invite, 200);
    bench.pass(100_000);
    assert_eq!(bench.take_told(), ["200", "200", "client terminated"]);
}

#[test]
fn a_ringing_invite_follows_its_client() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, ws(1));
    bench.respond(server, &invite, 180);
    close(&mut bench, 1);
    assert_eq!(bench.take_told(), ["server transport failed"]);
    // Known already: nothing more is told, nothing is sent.
    bench.respond(server, &invite, 183);
    assert!(bench.take_told().is_empty());
    assert_eq!(bench.take_sent(), ["180"]);
    // The repeated request moves it and is answered.
    assert_eq!(bench.receive(&invite, ws(2)), Received::Absorbed);
    assert_eq!(bench.layer.server_hop(server), Some(ws(2)));
    bench.respond(server, &invite, 200);
    assert!(bench.sent.iter().all(|(_, flow, _)| *flow == 2));
    assert_eq!(bench.take_sent(), ["183", "200"]);
    // The second loss is told anew.
    close(&mut bench, 1);
    assert!(bench.take_told().is_empty());
    close(&mut bench, 2);
    bench.respond(server, &invite, 200);
    bench.respond(server, &invite, 200);
    assert_eq!(bench.take_told(), ["server transport failed"]);
    bench.pass(100_000);
    assert_eq!(bench.take_told(), ["server terminated"]);
    bench.assert_empty();
}

#[test]
fn an_invite_refused_while_its_flow_is_lost() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, ws(1));
    close(&mut bench, 1);
    bench.take_told();
    bench.respond(server, &invite, 486);
    assert!(bench.take_sent().is_empty());
    bench.layer.set_server_hop(server, ws(2));
    bench.drain();
    assert_eq!(bench.take_sent(), ["486"]);
    assert_eq!(bench.receive(&request("ACK", BRANCH), ws(2)), Received::Absorbed);
    assert_eq!(bench.take_told(), ["server terminated"]);
    bench.assert_empty();
}

#[test]
fn a_hop_set_while_all_is_well_sends_nothing() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, ws(1));
    bench.respond(server, &invite, 180);
    bench.layer.set_server_hop(server, ws(2));
    bench.drain();
    assert_eq!(bench.take_sent(), ["180"]);
    close(&mut bench, 1);
    assert!(bench.take_told().is_empty());
    bench.respond(server, &invite, 200);
    assert_eq!(bench.sent[0].1, 2);
    // An accepted INVITE's 2xx is the user's to repeat.
    close(&mut bench, 2);
    bench.take_sent();
    bench.layer.set_server_hop(server, ws(3));
    bench.drain();
    assert!(bench.take_sent().is_empty());
}

#[test]
fn a_repeated_request_over_another_hop_is_answered_there() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, udp());
    bench.respond(server, &invite, 180);
    // A NAT gave the client another port: same socket of ours, another remote address.
    let moved = Hop { remote: "192.0.2.2:6666".parse().unwrap(), ..udp() };
    bench.layer.receive_request(bench.now, &invite, moved);
    match bench.layer.poll_output() {
        Some(Output::Transmit { to, .. }) => assert_eq!(to, moved),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_closed_socket_stays_closed_for_other_remotes() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, udp());
    bench.respond(server, &invite, 180);
    close(&mut bench, 1);
    // Read from the socket before it was closed.
    let moved = Hop { remote: "192.0.2.2:6666".parse().unwrap(), ..udp() };
    assert_eq!(bench.receive(&invite, moved), Received::Absorbed);
    bench.respond(server, &invite, 183);
    assert_eq!(bench.take_sent(), ["180"]);
    assert_eq!(bench.layer.server_hop(server), Some(moved));
}

#[test]
fn a_lost_socket_is_told_when_timer_g_finds_it() {
    let invite = request("INVITE", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, udp());
    bench.respond(server, &invite, 486);
    close(&mut bench, 1);
    assert!(bench.take_told().is_empty());
    bench.pass(100_000);
    assert_eq!(bench.take_told(), ["server transport failed", "ack timed out", "server terminated"]);
    assert_eq!(bench.take_sent(), ["486"]);
    bench.assert_empty();
}

#[test]
fn a_lost_answer_waits_for_the_repeated_request() {
    let info = request("INFO", BRANCH);
    let mut bench = Bench::new();
    let server = bench.receive_new(&info, ws(1));
    close(&mut bench, 1);
    assert!(bench.take_told().is_empty());
    bench.respond(server, &info, 200);
    assert_eq!(bench.take_told(), ["server transport failed"]);
    bench.pass(5_000);
    assert_eq!(bench.receive(&info, ws(2)), Received::Absorbed);
    assert_eq!(bench.take_sent(), ["200"]);
    bench.pass(100_000);
    assert_eq!(bench.take_told(), ["server terminated"]);
    bench.assert_empty();
}

#[test]
fn closing_a_flow_nobody_knows() {
    let mut bench = Bench::new();
    close(&mut bench, 9);
    bench.receive_new(&request("INVITE", BRANCH), ws(1));
    close(&mut bench, 9);
    assert!(bench.take_told().is_empty());
}
