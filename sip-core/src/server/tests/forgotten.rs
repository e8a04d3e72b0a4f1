//! What the server was doing when it was restarted: calls that rang go on ringing as the same calls, and can be cancelled (§16.10).

use super::outward::server;
use super::*;
use crate::server::{Mode, NumberPattern, Share, StaticRoute};

/// After a restart with what is kept on disk: who had a connection is away.
pub(super) fn restart(net: &mut Net) {
    restart_as(net, |_| {});
}

/// The same where something was changed meanwhile.
pub(super) fn restart_as(net: &mut Net, configure: fn(&mut Config)) {
    let mut bindings = net.bindings.clone();
    net.restart();
    net.server = Net::with(configure).server;
    for binding in bindings.values_mut().flatten() {
        binding.hop = binding.hop.filter(|hop| !hop.transport.is_reliable());
    }
    net.bindings = bindings;
}

/// The same user agent at the same address, over a new connection.
pub(super) fn back(peer: &Peer, flow: u64) -> Peer {
    Peer { hop: Hop { flow: FlowId(flow), ..peer.hop }, ..peer.clone() }
}

pub(super) fn cancel_of(invite: &str) -> String {
    let (head, _) = invite.split_once("c: application/sdp").unwrap();
    let cancel = head.replacen("INVITE sip", "CANCEL sip", 1).replacen(" INVITE\r\n", " CANCEL\r\n", 1);
    format!("{cancel}l: 0\r\n\r\n")
}

/// Alice calls, and Bob's page, phone and desk phone ring.
fn three_ring(alice: &Peer) -> (Net, String, [(Peer, Request); 3]) {
    let mut net = Net::new();
    let callees = [ws("bob", 2), udp("bob", 5), Peer { instance: 9, ..tcp("bob", 7) }];
    net.register(alice);
    callees.iter().for_each(|callee| net.register(callee));
    let (invite, rings) = ring(&mut net, alice, callees);
    (net, invite, rings)
}

pub(super) fn ring<const N: usize>(
    net: &mut Net,
    alice: &Peer,
    callees: [Peer; N],
) -> (String, [(Peer, Request); N]) {
    let invite = if alice.hop.transport == Transport::Udp {
        net.send_with_digest(alice, alice.name, &|cseq, extra| alice.invite("bob", cseq + 10, extra));
        alice.invite("bob", 12, "")
    } else {
        net.send(alice, alice.invite("bob", 2, ""));
        alice.invite("bob", 2, "")
    };
    net.expect(alice, 100);
    let rings = callees.map(|callee| {
        let request = net.request(&callee, &Method::Invite);
        (callee, request)
    });
    for (callee, request) in &rings {
        net.send(callee, callee.answer(request, 180));
        net.expect(alice, 180);
    }
    net.quiet();
    (invite, rings)
}

#[test]
fn rfc3261_16_10_a_cancel_after_a_restart_reaches_all_who_ring() {
    for alice in [udp("alice", 4), ws("alice", 1)] {
        let (mut net, invite, [(page, to_page), (phone, to_phone), (desk, to_desk)]) = three_ring(&alice);
        restart(&mut net);
        let alice = if alice.hop.transport == Transport::Udp { alice } else { back(&alice, 11) };
        if alice.hop.transport != Transport::Udp {
            net.register(&alice);
        }
        net.send(&alice, cancel_of(&invite));
        let cancel = net.request(&phone, &Method::Cancel);
        // §9.2: the same branch, sent-by, and what else makes it the INVITE's.
        assert_eq!(cancel.branch(), to_phone.branch());
        let sent_by = |request: &Request| (request.via().host.ip(), request.via().port);
        assert_eq!(sent_by(&cancel), sent_by(&to_phone));
        assert_eq!(cancel.uri(), to_phone.uri());
        assert!(!cancel.headers().has(HeaderName::RecordRoute));
        net.send(&phone, phone.answer(&cancel, 200));
        // It hears of one.
        net.expect(&alice, 200);
        net.quiet();
        // The others ring on until they are back.
        net.advance(Duration::from_secs(2));
        for (peer, request, flow) in [(page, to_page, 12), (desk, to_desk, 17)] {
            let peer = back(&peer, flow);
            net.register(&peer);
            net.answer_waiting(false);
            let cancel = net.request(&peer, &Method::Cancel);
            assert_eq!((cancel.branch(), cancel.uri()), (request.branch(), request.uri()));
            net.send(&peer, peer.answer(&cancel, 200));
            net.quiet();
        }
        assert_eq!(net.server.counters().cancels_unknown, 1);
        net.advance(Duration::from_secs(40));
        assert_eq!(net.server.load(), (0, 0, 0));
    }
}

/// Of a phone that stopped ringing meanwhile, or never rang, its sender hears that there is nothing to cancel.
#[test]
fn rfc3261_16_10_of_several_answers_to_such_a_cancel_the_best_goes_back() {
    for (statuses, heard) in [([200, 481], 200), ([481, 200], 200), ([481, 481], 481)] {
        let mut net = Net::new();
        let alice = udp("alice", 4);
        let callees = [udp("bob", 5), udp("bob", 6)];
        net.register(&alice);
        callees.iter().for_each(|callee| net.register(callee));
        let (invite, _) = ring(&mut net, &alice, callees.clone());
        restart(&mut net);
        net.send(&alice, cancel_of(&invite));
        let cancels = callees.each_ref().map(|callee| net.request(callee, &Method::Cancel));
        for ((callee, cancel), status) in callees.iter().zip(&cancels).zip(statuses) {
            net.send(callee, callee.answer(cancel, status));
        }
        net.expect(&alice, heard);
        net.quiet();
    }
}

/// A phone that does not know the branch answers 481 and rings on; an INVITE with another one rings twice.
#[test]
fn rfc3261_16_10_branches_outlive_the_route_key_new_aliases_and_what_a_cancel_may_not_carry() {
    let same: fn(&mut Config) = |_| {};
    let rotated: fn(&mut Config) = |config| {
        config.previous_route_keys = [config.route_key].into();
        config.route_key = [9; 32];
    };
    let renamed: fn(&mut Config) = |config| config.aliases.push("pbx.example.com".into());
    // §9.1: "The CANCEL request MUST NOT contain any Require or Proxy-Require header fields."
    for (configure, fields) in [(same, "Proxy-Require: privacy\r\n"), (rotated, ""), (renamed, "")] {
        let (alice, bob) = (udp("alice", 4), udp("bob", 5));
        let mut net = Net::new();
        net.register(&alice);
        net.register(&bob);
        let call = |cseq: u32, extra: &str| alice.invite("bob", cseq + 10, &format!("{fields}{extra}"));
        net.send_with_digest(&alice, "alice", &call);
        net.expect(&alice, 100);
        let forwarded = net.request(&bob, &Method::Invite);
        net.send(&bob, bob.answer(&forwarded, 180));
        net.expect(&alice, 180);
        restart_as(&mut net, configure);
        let cancel = cancel_of(&call(2, ""));
        assert!(!cancel.contains("Proxy-Require"));
        net.send(&alice, cancel);
        let cancel = net.request(&bob, &Method::Cancel);
        assert_eq!((cancel.branch(), cancel.uri()), (forwarded.branch(), forwarded.uri()));
    }
}

/// Phones that are called one after the other: whichever it was.
#[test]
fn rfc3261_16_10_such_a_cancel_is_for_those_of_less_weight_too() {
    let mut net = Net::new();
    let (alice, first, second) = (udp("alice", 4), udp("bob", 5), udp("bob", 6));
    net.register(&alice);
    for (phone, q) in [(&first, ""), (&second, ";q=0.3")] {
        net.send_with_digest(phone, "bob", &|cseq, extra| {
            phone.register(cseq, &format!("Contact: <{}>{q}\r\n{extra}", phone.contact()))
        });
        net.expect(phone, 200);
    }
    let (invite, [(_, to_first)]) = ring(&mut net, &alice, [first.clone()]);
    net.send(&first, first.answer(&to_first, 486));
    net.request(&first, &Method::Ack);
    let to_second = net.request(&second, &Method::Invite);
    restart(&mut net);
    net.send(&alice, cancel_of(&invite));
    assert_eq!(net.request(&first, &Method::Cancel).branch(), to_first.branch());
    assert_eq!(net.request(&second, &Method::Cancel).branch(), to_second.branch());
    net.quiet();
}

/// What its user agent repeats over its next connection is the same to those who have it: they do not ring twice, and what they
/// answer is for it.
#[test]
fn rfc3261_17_2_3_a_call_that_is_repeated_after_a_restart_is_the_same_call() {
    let alice = ws("alice", 1);
    let (mut net, invite, [_, (phone, to_phone), _]) = three_ring(&alice);
    restart(&mut net);
    let alice = back(&alice, 11);
    net.register(&alice);
    net.send(&alice, invite.clone());
    net.expect(&alice, 100);
    let again = net.request(&phone, &Method::Invite);
    assert_eq!((again.branch(), again.uri()), (to_phone.branch(), to_phone.uri()));
    // It answers what it had first.
    net.send(&phone, phone.answer(&to_phone, 200));
    let mut caller = Side::caller(&alice, &net.expect(&alice, 200));
    for method in [Method::Ack, Method::Bye] {
        net.send(&alice, caller.next(method.as_str()));
        net.request(&phone, &method);
    }
}

/// Two devices with one Contact, as behind NATs: each has a call of its own.
#[test]
fn rfc3261_16_6_step_8_copies_for_one_contact_have_branches_of_their_own() {
    let mut net = Net::new();
    let alice = udp("alice", 4);
    let phones = [Peer { instance: 8, ..tcp("bob", 7) }, Peer { instance: 9, ..tcp("bob", 8) }];
    net.register(&alice);
    for phone in &phones {
        net.send_with_digest(phone, "bob", &|cseq, extra| {
            let fields = phone.contact_field().replace(&phone.contact(), "sip:bob@192.168.1.5;transport=tcp");
            phone.register(cseq, &format!("{fields}{extra}"))
        });
        net.expect(phone, 200);
    }
    let (_, [(_, one), (_, other)]) = ring(&mut net, &alice, phones);
    assert_eq!(one.uri(), other.uri());
    assert_ne!(one.branch(), other.branch());
}

/// A callee reads its caller's branch, and its own; neither makes another ring no more.
#[test]
fn rfc3261_22_1_after_a_restart_too_nobody_cancels_for_another() {
    let alice = udp("alice", 4);
    let (mut net, invite, [_, (phone, to_phone), _]) = three_ring(&alice);
    restart(&mut net);
    let foreign = |text: &str| text.replace("<sip:alice@example.com>", "<sip:alice@elsewhere.example>");
    // From elsewhere, where Alice is registered and where she is not; as a stranger; and as an account that is there.
    let mut there = net.bindings["sip:alice@example.com"][0].clone();
    let elsewhere = udp("alice", 14);
    net.send(&elsewhere, cancel_of(&invite));
    assert_eq!(net.expect(&elsewhere, 481).reason(), "No Such INVITE");
    net.quiet();
    there.hop = Some(elsewhere.hop);
    net.bindings.get_mut("sip:alice@example.com").unwrap().push(there);
    for cancel in [cancel_of(&invite), foreign(&cancel_of(&invite))] {
        // What came before is forgotten.
        net.advance(Duration::from_secs(80));
        net.sent.clear();
        net.send(&elsewhere, cancel);
        let passed = net.request(&phone, &Method::Cancel);
        assert_ne!(passed.branch(), to_phone.branch());
    }
}

/// No port and port 0 are two senders (§17.2.3): the INVITE of one is not the other's to cancel.
#[test]
fn rfc3261_16_10_a_cancel_with_port_0_is_of_another_invite() {
    let mut net = Net::new();
    let (alice, bob) = (udp("alice", 4), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    let without = |text: String| text.replacen("203.0.113.4:5060;branch", "203.0.113.4;branch", 1);
    net.send_with_digest(&alice, "alice", &|cseq, extra| without(alice.invite("bob", cseq + 10, extra)));
    net.expect(&alice, 100);
    let invite = net.request(&bob, &Method::Invite);
    let cancel = cancel_of(&without(alice.invite("bob", 12, "")));
    for (sent_by, same) in [("203.0.113.4:0;", false), ("203.0.113.4;", true)] {
        restart(&mut net);
        net.send(&alice, cancel.replacen("203.0.113.4;", sent_by, 1));
        let cancel = net.request(&bob, &Method::Cancel);
        assert_eq!(cancel.branch() == invite.branch(), same, "{sent_by}");
    }
}

#[test]
fn rfc3261_16_10_such_a_cancel_goes_nowhere_else_than_a_request_of_its_sender() {
    let configure = |config: &mut Config| {
        config.outward = Outward::Anywhere;
        config.callers = Callers::Peers;
    };
    let mut net = Net::with(configure);
    let (alice, stranger, page) = (udp("alice", 4), udp("mallory", 8), ws("carol", 3));
    net.register(&alice);
    net.register(&udp("bob", 5));
    let foreign = |text: String| text.replace("@example.com>;tag=from", "@b.example>;tag=from");
    let cancel = |peer: &Peer, uri: &str| cancel_of(&peer.out("INVITE", uri, 50, ""));
    let refused = [
        // Strangers, where none are wanted; whoever has not registered; a phone whose proof nobody can ask for, to other domains.
        (&stranger, foreign(cancel(&stranger, "sip:bob@example.com"))),
        (&stranger, cancel(&stranger, "sip:bob@example.com")),
        (&page, cancel(&page, "sip:bob@example.com")),
        (&alice, cancel(&alice, "sip:x@b.example")),
        (&alice, cancel(&alice, "sip:10.0.0.1:5080")),
        // To this server itself, to nobody, to who is not there.
        (&alice, cancel(&alice, "sip:example.com")),
        (&alice, cancel(&alice, "sip:nobody@example.com")),
        (&alice, cancel(&alice, "sip:carol@example.com")),
    ];
    for (at, (peer, text)) in refused.into_iter().enumerate() {
        net.send(peer, text.replace("INVITE50", &format!("row{at}")));
        assert_eq!(net.expect(peer, 481).reason(), "No Such INVITE", "{at}");
        net.quiet();
    }
    let route = "Route: <sip:198.51.100.77:5081;lr>\r\n";
    net.send(
        &alice,
        cancel_of(&alice.out("INVITE", "sip:bob@example.com", 60, ""))
            .replace("l: 0", &format!("{route}l: 0")),
    );
    net.expect(&alice, 481);
    assert_eq!(net.queries, []);
    assert!(net.server.counters().cancels_unknown > 8);

    let mut net = Net::with(|config| config.routing.mode = Mode::Redirect);
    net.register(&alice);
    net.register(&udp("bob", 5));
    net.send(&alice, cancel(&alice, "sip:bob@example.com"));
    net.expect(&alice, 481);
    net.quiet();
}

/// A peer that is chosen for half of the calls has each of its hosts for half of those.
#[test]
fn rfc2782_which_peer_is_chosen_says_nothing_of_which_of_its_hosts() {
    use crate::transport::target::Srv;
    let mut net = Net::with(|config| {
        let peers = ["north", "south"].map(|name| super::super::Peer {
            name: name.into(),
            uri: format!("sip:{name}.example;transport=udp").into(),
            sources: Vec::new(),
            trusted: false,
        });
        let share = |peer: &super::super::Peer| Share { peer: peer.name.clone(), priority: 1, weight: 1 };
        let shares = peers.iter().map(share).collect();
        config.routes =
            [StaticRoute { domain: None, numbers: NumberPattern::new("00x*"), peers: shares }].into();
        config.peers = peers.into();
    });
    let host = |port: u16| SmolStr::from(format!("s{port}.example"));
    for (name, ports) in [("north", [5081, 5082]), ("south", [5083, 5084])] {
        let record = |port: u16| Srv { priority: 1, weight: 1, port, target: host(port) };
        let service = format!("_sip._udp.{name}.example").into();
        net.zone.insert(Query::Srv(service), Records::Srv(ports.map(record).into()));
        for port in ports {
            let address = Records::Addresses(["198.18.0.7".parse().unwrap()].into());
            net.zone.insert(Query::Addresses(host(port)), address);
        }
    }
    let alice = ws("alice", 1);
    net.register(&alice);
    let mut used = BTreeMap::new();
    for number in 100..200 {
        net.send(&alice, alice.invite(&format!("00{number}"), number, ""));
        *used.entry(net.sent.pop_back().unwrap().0.remote.port()).or_insert(0) += 1;
        net.sent.clear();
    }
    assert!(used.len() == 4 && used.values().all(|calls| *calls > 5), "{used:?}");
}

/// Of servers of one weight, the one that the INVITE went to.
#[test]
fn rfc3263_4_4_a_cancel_after_a_restart_finds_the_server_of_its_invite() {
    let ports = [5081_u16, 5082, 5083];
    let configure = |config: &mut Config| {
        let name = |port: u16| SmolStr::from(format!("p{port}"));
        config.peers = ports
            .map(|port| super::super::Peer {
                name: name(port),
                uri: format!("sip:198.18.0.7:{port}").into(),
                sources: Vec::new(),
                trusted: false,
            })
            .into();
        let peers = ports.map(|port| Share { peer: name(port), priority: 1, weight: 10 }).into();
        config.routes = [StaticRoute { domain: None, numbers: NumberPattern::new("00x*"), peers }].into();
    };
    let alice = ws("alice", 1);
    let mut used = BTreeSet::new();
    for number in 10..22 {
        let callee = format!("00{number}");
        let run = |net: &mut Net, text: &str, method: &Method| -> (SocketAddr, Option<SmolStr>) {
            net.send(&alice, text.to_string());
            let (to, message) = net.sent.pop_back().unwrap();
            net.sent.clear();
            let Message::Request(request) = Message::parse(message).unwrap() else { panic!() };
            assert_eq!(request.method(), method);
            (to.remote, request.branch().map(SmolStr::new))
        };
        let mut net = Net::with(configure);
        net.register(&alice);
        let invite = alice.invite(&callee, number, "");
        let sent = run(&mut net, &invite, &Method::Invite);
        let mut net = Net::with(configure);
        net.register(&alice);
        assert_eq!(run(&mut net, &cancel_of(&invite), &Method::Cancel), sent);
        assert_eq!(sent.0, server(Transport::Udp, sent.0.port()).hop.remote);
        used.insert(sent.0);
    }
    assert!(used.len() > 1, "{used:?}");
}
