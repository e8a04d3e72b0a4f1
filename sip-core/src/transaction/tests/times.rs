//! How often and exactly when, over unreliable and reliable transports.

use std::vec::Vec;

use super::*;

const INVITE: &str = "z9hG4bKinvite";

fn told(list: &[(u128, &str)]) -> Vec<(u128, String)> {
    list.iter().map(|(at, what)| (*at, what.to_string())).collect()
}

#[test]
fn timers_a_and_b() {
    let mut bench = Bench::new();
    bench.send(&request("INVITE", INVITE), udp());
    bench.pass(100_000);
    assert_eq!(bench.take_times(), [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    assert_eq!(bench.take_told_at(), told(&[(32_000, "timed out"), (32_000, "client terminated")]));
    bench.assert_empty();
}

#[test]
fn timer_b_reliable() {
    let mut bench = Bench::new();
    bench.send(&request("INVITE", INVITE), ws(1));
    bench.pass(100_000);
    assert_eq!(bench.take_times(), [0]);
    assert_eq!(bench.take_told_at(), told(&[(32_000, "timed out"), (32_000, "client terminated")]));
    bench.assert_empty();
}

#[test]
fn a_provisional_response_ends_a_and_b() {
    let invite = request("INVITE", INVITE);
    for hop in [udp(), ws(1)] {
        let mut bench = Bench::new();
        bench.send(&invite, hop);
        bench.pass(300);
        bench.answered(&invite, 180);
        bench.pass(200_000);
        assert_eq!(bench.take_times(), [0]);
        assert_eq!(bench.take_told(), ["180"]);
        assert_eq!(bench.layer.poll_timeout(), None);
        assert_eq!(bench.layer.len(), 1);
    }
}

#[test]
fn timer_d() {
    let invite = request("INVITE", INVITE);
    let mut bench = Bench::new();
    bench.send(&invite, udp());
    bench.pass(1_000);
    bench.answered(&invite, 486);
    bench.pass(100_000);
    assert_eq!(bench.take_times(), [0, 500, 1_000]);
    assert_eq!(bench.take_told_at(), told(&[(1_000, "486"), (33_000, "client terminated")]));
    bench.assert_empty();
}

#[test]
fn timer_d_does_not_follow_t1() {
    let invite = request("INVITE", INVITE);
    let mut bench = Bench::new();
    bench.layer =
        Layer::new(Timers { t1: Duration::from_millis(10), ..Timers::default() }, &mut SeededEntropy(1));
    bench.send(&invite, udp());
    bench.answered(&invite, 486);
    bench.pass(100_000);
    assert_eq!(bench.take_told_at(), told(&[(0, "486"), (32_000, "client terminated")]));
}

#[test]
fn timer_d_reliable() {
    let invite = request("INVITE", INVITE);
    let mut bench = Bench::new();
    bench.send(&invite, ws(1));
    bench.answered(&invite, 486);
    assert_eq!(bench.take_sent(), ["INVITE", "ACK"]);
    assert_eq!(bench.take_told(), ["486", "client terminated"]);
    bench.assert_empty();
}

#[test]
fn timer_m() {
    let invite = request("INVITE", INVITE);
    for hop in [udp(), ws(1)] {
        let mut bench = Bench::new();
        bench.send(&invite, hop);
        bench.pass(100);
        bench.answered(&invite, 200);
        bench.pass(10_000);
        bench.answered(&invite, 200);
        bench.pass(100_000);
        assert_eq!(bench.take_sent(), ["INVITE"]);
        assert_eq!(
            bench.take_told_at(),
            told(&[(100, "200"), (10_100, "200"), (32_100, "client terminated")])
        );
        bench.assert_empty();
    }
}

#[test]
fn timers_e_and_f() {
    let mut bench = Bench::new();
    bench.send(&request("OPTIONS", INVITE), udp());
    bench.pass(100_000);
    let times = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(bench.take_times(), times);
    assert_eq!(bench.take_told_at(), told(&[(32_000, "timed out"), (32_000, "client terminated")]));
    bench.assert_empty();
}

#[test]
fn timer_f_reliable() {
    let mut bench = Bench::new();
    bench.send(&request("OPTIONS", INVITE), ws(1));
    bench.pass(100_000);
    assert_eq!(bench.take_times(), [0]);
    assert_eq!(bench.take_told_at(), told(&[(32_000, "timed out"), (32_000, "client terminated")]));
}

#[test]
fn timer_e_goes_on_at_t2_after_a_provisional_response() {
    let options = request("OPTIONS", INVITE);
    let mut bench = Bench::new();
    bench.send(&options, udp());
    bench.pass(600);
    bench.answered(&options, 100);
    bench.pass(100_000);
    // The run that had begun ends at 1.5 s; from then on T2.
    let times = [0, 500, 1_500, 5_500, 9_500, 13_500, 17_500, 21_500, 25_500, 29_500];
    assert_eq!(bench.take_times(), times);
    let end = told(&[(600, "100"), (32_000, "timed out"), (32_000, "client terminated")]);
    assert_eq!(bench.take_told_at(), end);
}

#[test]
fn timer_k() {
    let options = request("OPTIONS", INVITE);
    for (status, text) in [(200, "200"), (404, "404")] {
        let mut bench = Bench::new();
        bench.send(&options, udp());
        bench.pass(100);
        bench.answered(&options, status);
        bench.pass(1_000);
        bench.answered(&options, status);
        bench.pass(100_000);
        assert_eq!(bench.take_times(), [0]);
        assert_eq!(bench.take_told_at(), told(&[(100, text), (5_100, "client terminated")]));
        bench.assert_empty();

        let mut bench = Bench::new();
        bench.send(&options, ws(1));
        bench.answered(&options, status);
        assert_eq!(bench.take_told(), [text, "client terminated"]);
        bench.assert_empty();
    }
}

#[test]
fn timers_g_and_h() {
    let invite = request("INVITE", INVITE);
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, udp());
    bench.respond(server, &invite, 486);
    bench.pass(100_000);
    let times = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(bench.take_times(), times);
    assert_eq!(bench.take_told_at(), told(&[(32_000, "ack timed out"), (32_000, "server terminated")]));
    bench.assert_empty();
}

#[test]
fn timer_h_reliable() {
    let invite = request("INVITE", INVITE);
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, ws(1));
    bench.respond(server, &invite, 486);
    bench.pass(100_000);
    assert_eq!(bench.take_times(), [0]);
    assert_eq!(bench.take_told_at(), told(&[(32_000, "ack timed out"), (32_000, "server terminated")]));
}

#[test]
fn timer_i() {
    let (invite, ack) = (request("INVITE", INVITE), request("ACK", INVITE));
    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, udp());
    bench.respond(server, &invite, 486);
    bench.pass(600);
    assert_eq!(bench.receive(&ack, udp()), Received::Absorbed);
    bench.pass(4_999);
    assert_eq!(bench.receive(&ack, udp()), Received::Absorbed);
    bench.pass(100_000);
    assert_eq!(bench.take_times(), [0, 500]);
    assert_eq!(bench.take_told_at(), told(&[(5_600, "server terminated")]));
    bench.assert_empty();

    let mut bench = Bench::new();
    let server = bench.receive_new(&invite, ws(1));
    bench.respond(server, &invite, 486);
    assert_eq!(bench.receive(&ack, ws(1)), Received::Absorbed);
    assert_eq!(bench.take_told(), ["server terminated"]);
    bench.assert_empty();
}

#[test]
fn timer_j() {
    let bye = request("BYE", INVITE);
    let mut bench = Bench::new();
    let server = bench.receive_new(&bye, udp());
    bench.respond(server, &bye, 200);
    bench.pass(31_999);
    assert_eq!(bench.receive(&bye, udp()), Received::Absorbed);
    bench.pass(100_000);
    assert_eq!(bench.take_times(), [0, 31_999]);
    assert_eq!(bench.take_told_at(), told(&[(32_000, "server terminated")]));
    bench.assert_empty();

    let mut bench = Bench::new();
    let server = bench.receive_new(&bye, ws(1));
    bench.respond(server, &bye, 200);
    assert_eq!(bench.take_sent(), ["200"]);
    assert_eq!(bench.take_told(), ["server terminated"]);
    bench.assert_empty();
}

#[test]
fn timer_l() {
    let invite = request("INVITE", INVITE);
    for hop in [udp(), ws(1)] {
        let mut bench = Bench::new();
        let server = bench.receive_new(&invite, hop);
        bench.respond(server, &invite, 200);
        bench.pass(500);
        bench.respond(server, &invite, 200);
        bench.pass(31_499);
        assert_eq!(bench.receive(&invite, hop), Received::Absorbed);
        bench.pass(100_000);
        assert_eq!(bench.take_times(), [0, 500]);
        assert_eq!(bench.take_told_at(), told(&[(32_000, "server terminated")]));
        bench.assert_empty();
    }
}

#[test]
fn an_unanswered_non_invite_request_gets_100_when_timer_e_would_reach_t2() {
    for hop in [udp(), ws(1)] {
        let info = request("INFO", INVITE);
        let mut bench = Bench::new();
        let server = bench.receive_new(&info, hop);
        bench.pass(3_000);
        assert_eq!(bench.receive(&info, hop), Received::Absorbed);
        bench.pass(10_000);
        let trying = Response::parse(bench.messages[0].clone()).unwrap();
        assert_eq!((trying.status(), trying.to_tag()), (100, None));
        assert_eq!(bench.take_times(), [3_500]);
        bench.receive(&info, hop);
        bench.respond(server, &info, 200);
        assert_eq!(bench.take_sent(), ["100", "200"]);
    }
}

#[test]
fn late_clocks_do_not_burst() {
    let mut bench = Bench::new();
    bench.send(&request("INVITE", INVITE), udp());
    bench.now += Duration::from_secs(20);
    bench.layer.handle_timeout(bench.now);
    bench.drain();
    assert_eq!(bench.take_times(), [0, 20_000]);
    bench.pass(1_000);
    assert_eq!(bench.take_times(), [21_000]);
}

#[test]
fn zero_t1_does_not_spin() {
    let mut bench = Bench::new();
    bench.layer = Layer::new(
        Timers { t1: Duration::ZERO, t2: Duration::ZERO, ..Timers::default() },
        &mut SeededEntropy(1),
    );
    bench.send(&request("OPTIONS", INVITE), udp());
    bench.receive_new(&request("OPTIONS", INVITE), udp());
    bench.pass(1_000);
    assert_eq!(bench.layer.len(), 1);
    assert!(bench.take_sent().len() < 70);
}
