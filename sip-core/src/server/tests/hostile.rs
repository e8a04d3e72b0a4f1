//! Mutilated traffic from all sides: nothing panics, and nothing is left when it is over.

use super::*;
use crate::entropy::{self, Entropy};

fn below(entropy: &mut SeededEntropy, bound: usize) -> usize {
    (entropy::number(entropy) % bound.max(1) as u64) as usize
}

/// A few bytes changed, cut out, doubled or exchanged for some of another message.
fn mutilate(entropy: &mut SeededEntropy, message: &[u8], other: &[u8]) -> Vec<u8> {
    const INTERESTING: &[u8] = b"\r\n\0:;,<>@\"=/ z0\xff";
    let mut out = message.to_vec();
    for _ in 0..below(entropy, 4) {
        let (at, length) = (below(entropy, out.len()), below(entropy, 40));
        let end = (at + length).min(out.len());
        match below(entropy, 5) {
            0 => out[at] = INTERESTING[below(entropy, INTERESTING.len())],
            1 => {
                let mut byte = [0];
                entropy.fill(&mut byte);
                out[at] = byte[0];
            }
            2 => drop(out.drain(at..end)),
            3 => {
                let again = out[at..end].to_vec();
                out.splice(at..at, again);
            }
            _ => {
                let from = below(entropy, other.len());
                let piece = other[from..(from + length).min(other.len())].to_vec();
                out.splice(at..end, piece);
            }
        }
        if out.is_empty() {
            break;
        }
    }
    out
}

#[test]
fn mutilated_traffic() {
    for seed in 0..8 {
        let mut entropy = SeededEntropy(seed);
        let mut net = Net::new();
        let peers = [ws("alice", 1), ws("bob", 2), udp("bob", 5), tcp("carol", 7)];
        for peer in &peers {
            net.register(peer);
        }
        // What begins something, and what answers to it or goes on with it.
        let seeds: Vec<Vec<u8>> = alloc::vec![
            peers[0].invite("bob", 2, "").into(),
            peers[0].out("MESSAGE", "sip:bob@example.com", 3, "").into(),
            peers[1].register(900, &peers[1].contact_field()).into(),
            peers[2].out("OPTIONS", "sip:example.com", 4, "").into(),
        ];
        let mut corpus = seeds.clone();
        for round in 0..1500 {
            let mut from = below(&mut entropy, peers.len());
            let other = corpus[below(&mut entropy, corpus.len())].clone();
            let one = if below(&mut entropy, 2) == 0 {
                from = [0, 0, 1, 2][below(&mut entropy, 4)];
                // A transaction of its own.
                text(&seeds[below(&mut entropy, 4)]).replacen("z9hG4bK", &format!("z9hG4bK{round}"), 1).into()
            } else {
                corpus[below(&mut entropy, corpus.len())].clone()
            };
            let message = mutilate(&mut entropy, &one, &other);
            net.send(&peers[from], message);
            match below(&mut entropy, 60) {
                0 => {
                    net.close(&peers[from]);
                    net.sent.clear();
                    net.bindings.clear();
                    net.silent = false;
                    for peer in &peers {
                        net.send_with_digest(peer, peer.name, &|cseq, extra| {
                            peer.register(
                                1000 + round * 10 + cseq,
                                &format!("{}{extra}", peer.contact_field()),
                            )
                        });
                        net.sent.clear();
                    }
                }
                1 => net.silent = !net.silent,
                2 => net.answer_waiting(true),
                3 => net.advance(Duration::from_millis(below(&mut entropy, 9_000) as u64)),
                _ => {}
            }
            while let Some((to, bytes)) = net.sent.pop_front() {
                // A refusal of what lacks a field lacks it too, and a callee's nonsense in the caller's Via goes back.
                let Ok(message) = Message::parse(bytes) else { continue };
                let next: Vec<u8> = match message {
                    Message::Request(request) => {
                        let callee = peers.iter().find(|peer| peer.hop.flow == to.flow).unwrap();
                        let status = [180, 200, 200, 302, 486, 503, 603][below(&mut entropy, 7)];
                        callee.answer(&request, status).into()
                    }
                    Message::Response(response)
                        if response.headers().has(HeaderName::RecordRoute)
                            && response.headers().has(HeaderName::Contact) =>
                    {
                        let method = ["ACK", "BYE", "INVITE"][below(&mut entropy, 3)];
                        Side::caller(&peers[0], &response).next(method).into()
                    }
                    Message::Response(_) => continue,
                };
                if corpus.len() < 32 {
                    corpus.push(next);
                } else {
                    let at = below(&mut entropy, corpus.len());
                    corpus[at] = next;
                }
            }
        }
        net.advance(Duration::from_secs(900));
        assert_eq!(net.server.load(), (0, 0, 0), "seed {seed}");
        let counters = net.server.counters();
        assert!(counters.malformed_refused > 50, "{counters:?}");
        assert!(counters.forwarded > 50 && counters.responses_forwarded > 10, "{counters:?}");
    }
}

#[test]
fn rfc3261_18_2_2_what_is_malformed_is_answered_where_its_via_says() {
    let mut net = Net::new();
    let mut phone = udp("carol", 9);
    let listens = phone.clone();
    phone.hop.remote.set_port(40_404);
    let malformed = listens.out("OPTIONS", "sip:example.com", 5, "").replace("5 OPTIONS", "5 BYE");
    net.send(&phone, malformed.clone());
    net.expect(&listens, 400);
    // RFC 3581 §4; and every other Via as it came.
    let others = "Via: SIP/2.0/UDP a;branch=z9hG4bK1 , SIP/2.0/TCP b\r\n";
    let asks = malformed
        .replace(";branch", ";rport;branch")
        .replace("max-forwards", &format!("{others}max-forwards"));
    net.send(&phone, asks);
    let answer = net.expect(&phone, 400);
    let vias: Vec<&str> = answer.headers().list(HeaderName::Via).collect();
    assert_eq!(
        vias,
        [
            "SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bKOPTIONS5;received=203.0.113.9;rport=40404",
            "SIP/2.0/UDP a;branch=z9hG4bK1",
            "SIP/2.0/TCP b"
        ]
    );
}
