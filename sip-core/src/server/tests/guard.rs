//! Credentials serve once, and who guesses passwords waits.

use super::*;

fn is_stale(response: &Response) -> bool {
    text(response.bytes()).contains("stale=true")
}

/// The credentials of a phone's MESSAGE with this nonce count.
fn counted(client: &mut auth::Client, attempt: &mut auth::Attempt, uri: &str) -> String {
    let value = client.authorize(attempt, "MESSAGE", uri, &[], &mut SeededEntropy(9)).remove(0).value;
    format!("Proxy-Authorization: {value}\r\n")
}

#[test]
fn rfc7616_3_4_credentials_serve_once() {
    let mut net = Net::new();
    let (alice, bob) = (udp("alice", 5), ws("bob", 2));
    net.register(&bob);
    let uri = "sip:bob@example.com";
    net.send(&alice, alice.out("MESSAGE", uri, 1, ""));
    let challenge = net.expect(&alice, 407);
    let (mut client, mut attempt) = (auth::Client::new("alice", "alice"), auth::Attempt::default());
    let values = challenge.headers().all(HeaderName::ProxyAuthenticate);
    client.challenged(&mut attempt, uri, values.map(|value| (Authority::Proxy, value))).unwrap();
    let first = counted(&mut client, &mut attempt, uri);
    let message = alice.out("MESSAGE", uri, 2, &first);
    net.send(&alice, message.clone());
    let forwarded = net.request(&bob, &Method::Message);
    // A retransmission is none of a thief.
    net.send(&alice, message);
    net.quiet();
    net.send(&bob, bob.answer(&forwarded, 200));
    net.expect(&alice, 200);
    // Overheard, and sent again as a request of its own: it proves nothing any more.
    net.send(&alice, alice.out("MESSAGE", uri, 3, &first));
    assert!(is_stale(&net.expect(&alice, 407)));
    // The same nonce counted on does.
    let mut next = auth::Attempt::default();
    let second = counted(&mut client, &mut next, uri);
    assert!(second.contains("nc=00000002"), "{second}");
    net.send(&alice, alice.out("MESSAGE", uri, 4, &second));
    net.request(&bob, &Method::Message);
    net.quiet();
    assert_eq!(net.server.counters().credentials_replayed, 1);
}

#[test]
fn rfc7616_5_5_credentials_of_before_a_restart_are_stale() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.send(&alice, alice.register(1, ""));
    let challenge = net.expect(&alice, 401);
    let proof = digest("alice", "alice", &challenge, &Method::Register, "sip:example.com");
    let register = alice.register(2, &format!("{}{proof}", alice.contact_field()));
    net.send(&alice, register.clone());
    net.expect(&alice, 200);
    net.advance(Duration::from_millis(1));
    net.restart();
    // Recorded before: the nonce is ours and young, but whether it was used nobody knows.
    net.send(&alice, register);
    assert!(is_stale(&net.expect(&alice, 401)));
    assert!(net.identities.is_empty());
    net.register(&alice);
}

/// A password is tried, with a challenge of its own.
fn guess(net: &mut Net, peer: &Peer, cseq: u32) -> Response {
    let cseq = 1000 + 10 * cseq;
    net.send_with_digest(peer, "guess", &|n, extra| {
        peer.register(cseq + n, &format!("{}{extra}", peer.contact_field()))
    });
    net.response(peer)
}

#[test]
fn who_guesses_passwords_waits_and_nobody_else() {
    let mut net = Net::new();
    // Of one office: the same network.
    let at = |name, flow, port| {
        let mut peer = ws(name, flow);
        peer.hop.remote = format!("198.51.100.7:{port}").parse().unwrap();
        peer
    };
    let (alice, bob, thief) = (at("alice", 1, 1), at("bob", 2, 2), at("alice", 3, 3));
    net.register(&alice);
    net.register(&bob);
    for n in 0..5 {
        assert_eq!(guess(&mut net, &thief, n).status(), 401);
    }
    assert_eq!(net.guesses.wait("alice", thief.hop.remote.ip(), net.now), None);
    assert_eq!(guess(&mut net, &thief, 5).status(), 401);
    let refused = guess(&mut net, &thief, 6);
    assert_eq!((refused.status(), refused.reason()), (403, "Too Many Wrong Passwords"));
    let warning = refused.headers().first(HeaderName::Warning).unwrap();
    assert!(warning.contains("wait 1 s") && warning.contains("[authentication]"), "{warning}");
    // Not even the right one is looked at.
    let right = |peer: &Peer, cseq: u32| {
        let peer = peer.clone();
        move |n: u32, extra: &str| peer.register(cseq + n, &format!("{}{extra}", peer.contact_field()))
    };
    net.send_with_digest(&thief, "alice", &right(&thief, 2000));
    net.expect(&thief, 403);
    assert_eq!(net.server.counters().credentials_held_back, 2);
    // Alice, who is registered in the same office, calls, refreshes and is called.
    net.send_with_digest(&alice, "alice", &right(&alice, 3000));
    net.expect(&alice, 200);
    net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 7, ""));
    let forwarded = net.request(&bob, &Method::Message);
    net.send(&bob, bob.answer(&forwarded, 200));
    net.expect(&alice, 200);
    net.send(&bob, bob.out("MESSAGE", "sip:alice@example.com", 8, ""));
    let forwarded = net.request(&alice, &Method::Message);
    net.send(&alice, alice.answer(&forwarded, 200));
    net.expect(&bob, 200);
    // Her refresh was right: the thief may guess again, five times.
    assert!(net.guesses.is_empty());
    for n in 7..=13 {
        guess(&mut net, &thief, n);
    }
    assert!(net.guesses.wait("alice", thief.hop.remote.ip(), net.now).is_some());
    // Bob in the same office, and Alice elsewhere, register anew.
    net.close(&bob);
    let bob = at("bob", 4, 4);
    net.register(&bob);
    net.register(&udp("alice", 9));
    // After the wait the right password counts.
    net.guesses.wrong("alice", thief.hop.remote.ip(), net.now);
    net.advance(Duration::from_secs(600));
    net.send_with_digest(&thief, "alice", &right(&thief, 4000));
    net.expect(&thief, 200);
}

#[test]
fn who_forges_an_address_locks_nobody_out() {
    let mut net = Net::new();
    let alice = udp("alice", 5);
    net.register(&alice);
    // A challenge of the thief's own, and one of nobody's, under Alice's address.
    let thief = udp("alice", 9);
    net.send(&thief, thief.register(1, ""));
    let challenge = net.expect(&thief, 401);
    let wrong = digest("alice", "guess", &challenge, &Method::Register, "sip:example.com");
    let made_up = wrong.replacen("nonce=\"", "nonce=\"A", 1);
    for cseq in 0..20 {
        for proof in [&wrong, &made_up] {
            let forged =
                alice.register(500 + cseq, proof).replace("z9hG4bK", &format!("z9hG4bK{}", proof.len()));
            net.send(&alice, forged);
            // `stale` says nothing of the password.
            assert!(is_stale(&net.expect(&alice, 401)));
        }
    }
    assert!(net.guesses.is_empty());
    assert_eq!(net.server.counters().credentials_wrong, 0);
}

#[test]
fn names_that_nobody_has_wait_alike() {
    let mut net = Net::new();
    let thief = ws("dave", 3);
    let statuses: Vec<u16> = (0..8).map(|n| guess(&mut net, &thief, n).status()).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 401, 403, 403]);
}
