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

/// The registrar of `pbx.example` behind us.
fn pbx() -> Peer {
    elsewhere(Transport::Udp, "198.18.0.7:5060")
}

/// A server that is the edge proxy of `pbx.example`, whose way a [[route]] says.
fn edge() -> Net {
    edge_with(|_| {})
}

fn edge_with(configure: impl FnOnce(&mut Config)) -> Net {
    Net::with(|config| {
        trunk(config);
        config.edges = ["pbx.example".into()].into();
        config.routes = [StaticRoute {
            domain: Some("pbx.example".into()),
            numbers: None,
            peers: [Share { peer: "trunk".into(), priority: 1, weight: 1 }].into(),
        }]
        .into();
        configure(config);
    })
}

/// What somebody says who is of `pbx.example`.
fn there(text: &str) -> String {
    text.replace("@example.com>", "@pbx.example>")
        .replace("REGISTER sip:example.com", "REGISTER sip:pbx.example")
}

fn register(from: &Peer, cseq: u32, fields: &str) -> String {
    let contact = from.contact_field().replace("outbound", "path, outbound");
    there(&from.register(cseq, &format!("{contact}{fields}")))
}

/// A 200 to a REGISTER, with its Contact bound for so many seconds.
fn bound(pbx: &Peer, request: &Request, contact: &Peer, expires: u32) -> String {
    let bound = format!("Contact: <{}>;expires={expires}", contact.contact());
    pbx.answer(request, 200).replace(&format!("Contact: <{}>", pbx.contact()), &bound)
}

/// A page registers at the registrar; its Path.
fn registered(net: &mut Net, page: &Peer, cseq: u32) -> String {
    net.send(page, register(page, cseq, ""));
    let request = net.request(&pbx(), &Method::Register);
    net.send(&pbx(), bound(&pbx(), &request, page, 600));
    net.expect(page, 200);
    net.quiet();
    request.headers().list(HeaderName::Path).next().unwrap().into()
}

/// DNS that knows the registrar at two ports.
fn found_by_dns() -> Net {
    let mut net = edge_with(|config| config.routes.clear());
    let srv = |port: u16| crate::transport::target::Srv {
        priority: port,
        weight: 0,
        port,
        target: format!("s{port}.pbx.example").into(),
    };
    let ports = [5081, 5082];
    net.zone.insert(Query::Srv("_sip._udp.pbx.example".into()), Records::Srv(ports.map(srv).into()));
    for port in ports {
        let host = Query::Addresses(format!("s{port}.pbx.example").into());
        net.zone.insert(host, Records::Addresses(["198.18.0.9".parse().unwrap()].into()));
    }
    net
}

/// A request along a Path, as a registrar sends it for somebody who has called it.
fn along(from: &Peer, page: &Peer, path: &str, method: &str, cseq: u32) -> String {
    let fields = format!("Route: {path}\r\nVia: SIP/2.0/TCP 10.0.0.9;branch=z9hG4bKb{cseq}\r\n");
    from.out(method, &page.contact(), cseq, &fields).replace("<sip:bob@example.com>", "<sip:eve@pbx.example>")
}

#[test]
fn rfc3327_5_2_a_register_goes_to_its_registrar_with_a_path_that_names_its_flow() {
    let mut net = edge();
    let page = ws("dora", 2);
    // What is between it and its registrar stays between them.
    let credentials = "Digest username=\"dora\", realm=\"pbx.example\", nonce=\"n\", uri=\"sip:pbx.example\", response=\"r\"";
    net.send(&page, register(&page, 1, &format!("Authorization: {credentials}\r\n")));
    let request = net.request(&pbx(), &Method::Register);
    let headers = request.headers();
    assert_eq!(request.uri(), "sip:pbx.example");
    assert_eq!(headers.first(HeaderName::Authorization), Some(credentials));
    assert!(
        headers
            .first(HeaderName::Contact)
            .unwrap()
            .starts_with(&format!("<{}>;+sip.instance=", page.contact()))
    );
    let paths: Vec<&str> = headers.list(HeaderName::Path).collect();
    assert_eq!(paths.len(), 1);
    assert!(paths[0].starts_with("<sip:"), "{paths:?}");
    // RFC 5626 §5.1: `ob`, for the user agent is the next hop.
    assert!(paths[0].ends_with("@192.0.2.1:5060;transport=udp;lr;ob>"), "{paths:?}");
    assert!(headers.lists(HeaderName::Require, "path"));
    assert!(!headers.has(HeaderName::RecordRoute));
    let challenge = "WWW-Authenticate: Digest realm=\"pbx.example\", nonce=\"m\"\r\n";
    net.send(&pbx(), pbx().answer(&request, 401).replace("X-Odd", &format!("{challenge}X-Odd")));
    let answer = net.expect(&page, 401);
    assert_eq!(
        answer.headers().first(HeaderName::WwwAuthenticate),
        Some("Digest realm=\"pbx.example\", nonce=\"m\"")
    );

    // Somebody is between: it is not for us to say that there is a flow to the user agent.
    let via = "Via: SIP/2.0/WS inner.invalid;branch=z9hG4bKinner\r\nPath: <sip:inner.invalid;lr;ob>\r\n";
    net.send(&page, register(&page, 3, via));
    let request = net.request(&pbx(), &Method::Register);
    let paths: Vec<&str> = request.headers().list(HeaderName::Path).collect();
    assert!(paths[0].ends_with("@192.0.2.1:5060;transport=udp;lr>"), "{paths:?}");
    assert_eq!(paths[1], "<sip:inner.invalid;lr;ob>");
    net.quiet();
}

#[test]
fn rfc3327_5_2_who_does_not_know_path_is_told_to() {
    let mut net = edge();
    let page = ws("dora", 2);
    net.send(&page, register(&page, 1, "").replace("path, outbound", "outbound"));
    let answer = net.expect(&page, 421);
    assert_eq!(answer.headers().first(HeaderName::Require), Some("path"));
    // A registrar speaks for its own domain alone.
    net.send(&page, register(&page, 2, "").replace("To: <sip:dora@pbx.example>", "To: <sip:dora@b.example>"));
    net.expect(&page, 404);
    net.quiet();
}

#[test]
fn rfc3327_5_2_nobody_registers_where_we_are_no_edge() {
    let mut net = edge();
    let page = ws("dora", 2);
    net.send(&page, register(&page, 1, "").replace("sip:pbx.example SIP", "sip:b.example SIP"));
    net.expect(&page, 403);
    net.quiet();
}

#[test]
fn rfc5626_5_3_1_what_comes_along_a_path_goes_to_its_flow_and_the_dialog_both_ways() {
    let mut net = edge();
    let page = ws("dora", 2);
    let path = registered(&mut net, &page, 1);
    net.send(&pbx(), along(&pbx(), &page, &path, "INVITE", 2));
    net.expect(&pbx(), 100);
    let invite = net.request(&page, &Method::Invite);
    assert_eq!(invite.uri(), page.contact());
    assert!(!invite.headers().has(HeaderName::Route));
    assert_eq!(invite.headers().list(HeaderName::RecordRoute).count(), 2);
    net.send(&page, page.answer(&invite, 200));
    let ok = net.expect(&pbx(), 200);
    let (mut caller, mut callee) = (Side::caller(&pbx(), &ok), Side::callee(&page, &invite));
    net.send(&pbx(), caller.next("ACK"));
    net.request(&page, &Method::Ack);
    net.send(&pbx(), caller.next("INFO"));
    let info = net.request(&page, &Method::Info);
    net.send(&page, page.answer(&info, 200));
    net.expect(&pbx(), 200);
    // To the registrar, whatever the Request-URI is: nobody of ours is in this dialog.
    callee.target = "<sip:eve@203.0.113.99>".into();
    net.send(&page, callee.next("BYE"));
    let bye = net.request(&pbx(), &Method::Bye);
    net.send(&pbx(), pbx().answer(&bye, 200));
    net.expect(&page, 200);
    net.quiet();
}

#[test]
fn rfc5626_5_3_1_a_flow_that_is_gone_is_430() {
    let mut net = edge();
    let page = ws("dora", 2);
    let path = registered(&mut net, &page, 1);
    // While the call rings.
    net.send(&pbx(), along(&pbx(), &page, &path, "INVITE", 2));
    net.expect(&pbx(), 100);
    let invite = net.request(&page, &Method::Invite);
    net.send(&page, page.answer(&invite, 180));
    net.expect(&pbx(), 180);
    net.close(&page);
    net.expect(&pbx(), 430);
    // And before.
    for cseq in [3, 4] {
        net.send(&pbx(), along(&pbx(), &page, &path, "MESSAGE", cseq));
        net.expect(&pbx(), 430);
    }
    net.quiet();
}

#[test]
fn rfc5626_5_3_1_a_path_is_of_no_use_to_others() {
    let mut net = edge_with(|config| {
        let other = super::super::Peer {
            name: "other".into(),
            uri: "sip:198.18.0.9:5060".into(),
            sources: ["198.18.0.9".parse().unwrap()].into(),
            trusted: true,
        };
        config.peers.push(other);
    });
    let page = ws("dora", 2);
    let path = registered(&mut net, &page, 1);
    let others = [
        elsewhere(Transport::Udp, "198.18.0.8:5060"),
        elsewhere(Transport::Tcp, "198.18.0.9:5060"),
        ws("eve", 4),
    ];
    for (cseq, other) in (2..).zip(&others) {
        net.send(other, along(other, &page, &path, "MESSAGE", cseq));
        net.expect(other, 403);
    }
    // Nor is one that was changed, or a Record-Route, of any to the registrar.
    let changed = path.replacen("<sip:", "<sip:A", 1);
    net.send(&pbx(), along(&pbx(), &page, &changed, "MESSAGE", 7));
    net.expect(&pbx(), 403);
    net.send(&pbx(), along(&pbx(), &page, &path, "INVITE", 8));
    net.expect(&pbx(), 100);
    let invite = net.request(&page, &Method::Invite);
    for (cseq, record) in (9..).zip(invite.headers().list(HeaderName::RecordRoute)) {
        net.send(&pbx(), along(&pbx(), &page, record, "MESSAGE", cseq));
        assert!(net.response(&pbx()).status() >= 400);
    }
    // Another of the domain's servers may use it.
    net.quiet();
    net.server.config.routes[0].peers.push(Share { peer: "other".into(), priority: 2, weight: 1 });
    net.send(&others[1], along(&others[1], &page, &path, "MESSAGE", 20));
    net.request(&page, &Method::from_token("MESSAGE"));
}

#[test]
fn rfc5626_5_3_2_a_guest_calls_its_own_domain_while_it_is_registered() {
    let mut net = edge();
    let (page, other) = (ws("dora", 2), ws("dora", 3));
    let call = |net: &mut Net, from: &Peer, uri: &str, cseq| {
        net.send(from, there(&from.out("INVITE", uri, cseq, "")));
    };
    // Not before its registrar took it, and not over another connection.
    call(&mut net, &page, "sip:eve@pbx.example", 1);
    net.expect(&page, 403);
    registered(&mut net, &page, 1);
    call(&mut net, &other, "sip:eve@pbx.example", 2);
    net.expect(&other, 403);
    // Nor as somebody else.
    net.send(&page, there(&page.out("INVITE", "sip:eve@pbx.example", 3, "")).replace("dora@pbx", "fred@pbx"));
    net.expect(&page, 403);
    // Its domain asks who it is, and knows whom it may call.
    for (cseq, uri) in [(4, "sip:eve@pbx.example"), (5, "sip:eve@far.example"), (6, "sip:eve@203.0.113.99")] {
        let invite = there(&page.out("INVITE", uri, cseq, ""));
        net.send(&page, invite.clone());
        net.expect(&page, 100);
        let request = net.request(&pbx(), &Method::Invite);
        assert_eq!(request.uri(), uri);
        let challenge = "Proxy-Authenticate: Digest realm=\"pbx.example\", nonce=\"m\"\r\n";
        net.send(&pbx(), pbx().answer(&request, 407).replace("X-Odd", &format!("{challenge}X-Odd")));
        net.request(&pbx(), &Method::Ack);
        let answer = net.expect(&page, 407);
        assert!(answer.headers().first(HeaderName::ProxyAuthenticate).unwrap().contains("pbx.example"));
        net.send(&page, ack_to_failure(&invite, &answer));
    }
    // Our own users are ours to guard.
    call(&mut net, &page, "sip:alice@example.com", 7);
    let challenge = net.expect(&page, 407);
    assert!(challenge.headers().first(HeaderName::ProxyAuthenticate).unwrap().contains("example.com"));
    net.quiet();
    // Until it has left, or its time is over.
    registered(&mut net, &other, 2);
    net.send(&page, register(&page, 8, "Expires: 0\r\n"));
    let request = net.request(&pbx(), &Method::Register);
    net.send(&pbx(), pbx().answer(&request, 200));
    net.expect(&page, 200);
    call(&mut net, &page, "sip:eve@pbx.example", 9);
    net.expect(&page, 403);
    net.advance(Duration::from_secs(601));
    call(&mut net, &other, "sip:eve@pbx.example", 10);
    net.expect(&other, 403);
    net.quiet();
}

#[test]
fn what_is_granted_is_known_before_the_guest_hears_of_it() {
    let mut net = edge();
    let page = ws("dora", 2);
    net.send(&page, register(&page, 1, ""));
    let request = net.request(&pbx(), &Method::Register);
    let message = bound(&pbx(), &request, &page, 600).into();
    let from = pbx().hop;
    let input = Input::Received { from, identity: None, guests: None, certified: None, message };
    net.server.handle_input(net.now, input);
    assert!(matches!(net.server.poll_output(), Some(Output::Granted(_))));
    assert!(matches!(net.server.poll_output(), Some(Output::Transmit { .. })));
}

#[test]
fn rfc5626_5_3_2_a_page_at_the_address_of_its_registrar_is_a_guest_all_the_same() {
    let mut net = edge();
    let mut page = ws("dora", 2);
    page.hop.remote = "198.18.0.7:40000".parse().unwrap();
    registered(&mut net, &page, 1);
    net.send(&page, there(&page.out("MESSAGE", "sip:eve@pbx.example", 2, "")));
    net.request(&pbx(), &Method::from_token("MESSAGE"));
    net.quiet();
}

#[test]
fn rfc5626_5_3_2_a_guests_dialog_goes_both_ways_and_nowhere_else() {
    let mut net = edge();
    let page = ws("dora", 2);
    registered(&mut net, &page, 1);
    net.send(&page, there(&page.out("INVITE", "sip:eve@pbx.example", 2, "")));
    net.expect(&page, 100);
    let invite = net.request(&pbx(), &Method::Invite);
    net.send(&pbx(), pbx().answer(&invite, 200));
    let ok = net.expect(&page, 200);
    let (mut caller, mut callee) = (Side::caller(&page, &ok), Side::callee(&pbx(), &invite));
    net.send(&page, caller.next("ACK"));
    net.request(&pbx(), &Method::Ack);
    net.send(&pbx(), callee.next("INFO"));
    let info = net.request(&page, &Method::Info);
    net.send(&page, page.answer(&info, 200));
    net.expect(&pbx(), 200);
    // Over another connection it is another's; and it does not lead past its registrar.
    let thief = ws("dora", 3);
    net.send(&thief, Side { peer: thief.clone(), ..caller.clone() }.next("INFO"));
    net.expect(&thief, 403);
    caller.routes.push("<sip:203.0.113.99;lr>".into());
    net.send(&page, caller.next("BYE"));
    net.request(&pbx(), &Method::Bye);
    net.quiet();
}

#[test]
fn a_connection_has_room_for_so_many_guests() {
    let mut net = edge();
    let page = ws("dora", 2);
    let as_user = |user: usize, cseq| {
        register(&page, cseq, "").replace("dora@pbx.example", &format!("u{user}@pbx.example"))
    };
    for user in 0..limits::GUESTS {
        net.send(&page, as_user(user, user as u32 + 1));
        let request = net.request(&pbx(), &Method::Register);
        net.send(&pbx(), bound(&pbx(), &request, &page, 600));
        net.expect(&page, 200);
    }
    net.send(&page, as_user(99, 99));
    net.expect(&page, 503);
    assert_eq!(net.server.counters().guests_full, 1);
    // Who is there is refreshed.
    net.send(&page, as_user(3, 100));
    net.request(&pbx(), &Method::Register);
    net.quiet();
}

#[test]
fn rfc5626_5_2_a_phone_on_udp_is_called_at_its_address() {
    let mut net = edge();
    let phone = udp("dora", 20);
    net.send(
        &phone,
        there(&phone.register(1, &format!("Contact: <{}>\r\nSupported: path\r\n", phone.contact()))),
    );
    let request = net.request(&pbx(), &Method::Register);
    let path: String = request.headers().list(HeaderName::Path).next().unwrap().into();
    net.send(&pbx(), bound(&pbx(), &request, &phone, 600));
    net.expect(&phone, 200);
    net.send(&pbx(), along(&pbx(), &phone, &path, "MESSAGE", 2));
    let message = net.request(&phone, &Method::from_token("MESSAGE"));
    assert_eq!(message.uri(), phone.contact());
    // A datagram proves nobody.
    net.send(&phone, there(&phone.out("MESSAGE", "sip:eve@pbx.example", 3, "")));
    net.expect(&phone, 403);
    net.quiet();
}

#[test]
fn rfc3263_4_3_the_registrar_is_found_by_dns_and_its_next_server_has_a_path_of_its_own() {
    let mut net = found_by_dns();
    let page = ws("dora", 2);
    let servers = [5081, 5082].map(|port| elsewhere(Transport::Udp, &format!("198.18.0.9:{port}")));
    net.send(&page, register(&page, 1, ""));
    let first = net.request(&servers[0], &Method::Register);
    net.send(&servers[0], servers[0].answer(&first, 503));
    let second = net.request(&servers[1], &Method::Register);
    let path = |request: &Request| -> String {
        let paths: Vec<&str> = request.headers().list(HeaderName::Path).collect();
        assert_eq!(paths.len(), 1, "{paths:?}");
        paths[0].into()
    };
    assert_ne!(path(&first), path(&second));
    net.send(&servers[1], bound(&servers[1], &second, &page, 600));
    net.expect(&page, 200);
    // Whoever is at that address, and nobody else: that no [[peer]] is there changes nothing.
    net.send(&servers[1], along(&servers[1], &page, &path(&second), "MESSAGE", 2));
    net.request(&page, &Method::from_token("MESSAGE"));
    net.send(&pbx(), along(&pbx(), &page, &path(&second), "MESSAGE", 3));
    net.expect(&pbx(), 403);
    net.send(&page, there(&page.out("MESSAGE", "sip:eve@pbx.example", 4, "")));
    net.request(&servers[0], &Method::from_token("MESSAGE"));
    net.quiet();
}

#[test]
fn rfc5626_5_3_1_within_a_dialog_a_proxy_hears_that_the_flow_failed() {
    let mut net = edge();
    let page = ws("dora", 2);
    let path = registered(&mut net, &page, 1);
    net.send(&pbx(), along(&pbx(), &page, &path, "INVITE", 2));
    net.expect(&pbx(), 100);
    let invite = net.request(&page, &Method::Invite);
    net.send(&page, page.answer(&invite, 200));
    let ok = net.expect(&pbx(), 200);
    let mut caller = Side::caller(&pbx(), &ok);
    net.close(&page);
    let behind = "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKbehind\r\nX-Odd:";
    for (via, status) in [(behind, 430), ("X-Odd:", 480)] {
        net.send(&pbx(), caller.next("INFO").replace("X-Odd:", via));
        // Here it is the test that answers late.
        net.advance(Duration::from_secs(30));
        net.expect(&pbx(), status);
    }
}

#[test]
fn rfc5630_5_2_a_sips_register_goes_over_tls_and_its_path_is_sips() {
    let mut net = edge_with(|config| config.peers[0].uri = "sips:198.18.0.7:5061".into());
    let registrar = elsewhere(Transport::Tls, "198.18.0.7:5061");
    let page = Peer { hop: Hop { transport: Transport::Wss, ..ws("dora", 2).hop }, ..ws("dora", 2) };
    net.send(&page, register(&page, 1, "").replace("sip:", "sips:"));
    let request = net.request(&registrar, &Method::Register);
    let path = request.headers().list(HeaderName::Path).next().unwrap();
    assert!(path.starts_with("<sips:") && path.ends_with(";lr;ob>"), "{path}");
    // Not where no TLS leads.
    let mut net = edge();
    net.send(&page, register(&page, 1, "").replace("sip:", "sips:"));
    net.expect(&page, 480);
    net.quiet();
}
