//! Between an edge proxy and the proxy of its users' domain (RFC 3327, RFC 5626).

use super::*;

/// The domain's own server, as the configuration knows it.
fn trunk(config: &mut Config) {
    config.peers = [super::super::Peer {
        name: "trunk".into(),
        uri: "sip:198.18.0.7:5060".into(),
        sources: ["198.18.0.7".parse().unwrap()].into(),
        trusted: false,
    }]
    .into();
}

#[test]
fn rfc5626_11_5_a_failed_flow_is_told_to_the_proxy_before_us_and_to_no_endpoint() {
    let mut net = Net::with(trunk);
    let bob = ws("bob", 2);
    net.register(&bob);
    let peer = elsewhere(Transport::Udp, "198.18.0.7:5060");
    let stranger = elsewhere(Transport::Udp, "198.18.0.8:5060");
    let behind = "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKbehind\r\n";
    // A peer that says nobody stands before it is the caller itself, and who is no peer may say what it likes.
    for (cseq, from, before, told) in
        [(2, &peer, behind, 430), (3, &peer, "", 480), (4, &stranger, behind, 480)]
    {
        let invite = from
            .invite("bob", cseq, before)
            .replace("<sip:bob@example.com>;tag=from", "<sip:x@b.example>;tag=f");
        net.send(from, invite.clone());
        net.expect(from, 100);
        let forwarded = net.request(&bob, &Method::Invite);
        net.send(&bob, bob.answer(&forwarded, 430));
        net.request(&bob, &Method::Ack);
        let answer = net.expect(from, told);
        net.send(from, ack_to_failure(&invite, &answer));
        net.quiet();
    }
}
