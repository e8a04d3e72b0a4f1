//! What a registrar is asked once, and what it may answer.

use super::*;

#[test]
fn rfc3261_10_2_3_bindings_are_fetched_without_a_contact() {
    let mut solo = Solo::new();
    solo.ua.fetch_bindings(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    assert!(!request.headers().has(HeaderName::Contact) && !request.headers().has(HeaderName::Expires));
    let lines = "Contact: \"Desk\" <sip:a@192.0.2.1>;expires=17;q=0.5\r\n\
                 Contact: <sip:b@192.0.2.2>;+sip.instance=\"<urn:uuid:7>\";reg-id=2;expires=never\r\n";
    solo.reply(&request, 200, lines, "");
    let empty = Binding {
        uri: "sip:a@192.0.2.1".into(),
        expires: Some(17),
        instance: None,
        reg_id: None,
        public_gruu: None,
        temporary_gruu: None,
    };
    let second = Binding {
        uri: "sip:b@192.0.2.2".into(),
        expires: None,
        instance: Some("urn:uuid:7".into()),
        reg_id: Some(2),
        ..empty.clone()
    };
    assert_eq!(solo.event(), Event::Bindings { outcome: Ok([empty, second].into()) });
    // One REGISTER at a time (§10.2): asked while another is on its way, it follows.
    solo.ua.register(solo.now).unwrap();
    solo.ua.fetch_bindings(solo.now).unwrap();
    solo.drain();
    let (_, bind) = register(&mut solo);
    solo.nothing_sent();
    accept(&mut solo, &bind, "");
    let (_, fetch) = register(&mut solo);
    assert!(!fetch.headers().has(HeaderName::Contact));
    solo.events.clear();
    solo.reply(&fetch, 403, "", "");
    let Event::Bindings { outcome: Err(failure) } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::Forbidden);
    assert_eq!(solo.ua.registration(), RegistrationState::Registered);
    solo.close();
    assert_eq!(solo.ua.fetch_bindings(solo.now), Err(RegisterError::Offline));
}

#[test]
fn rfc3261_10_2_a_refresh_waits_for_what_is_asked_before_it() {
    let mut solo = Solo::registered();
    let due = solo.ua.flows[0].registration.next.unwrap();
    solo.advance((due - secs(1)).since(solo.now));
    solo.ua.fetch_bindings(solo.now).unwrap();
    solo.drain();
    let (_, fetch) = register(&mut solo);
    solo.advance(secs(2));
    solo.nothing_sent();
    solo.reply(&fetch, 200, "", "");
    solo.advance(secs(1));
    let (_, refresh) = register(&mut solo);
    assert!(refresh.headers().has(HeaderName::Contact));
    accept(&mut solo, &refresh, "");
    solo.nothing_sent();
}

#[test]
fn what_the_registrar_is_asked_once_ends_with_its_flow() {
    let mut solo = Solo::registered();
    solo.ua.fetch_bindings(solo.now).unwrap();
    solo.drain();
    register(&mut solo);
    solo.close();
    let Event::Bindings { outcome: Err(failure) } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::FlowLost);
    solo.reopen(2);
    solo.accept_register(600);
    solo.nothing_sent();
    solo.events.clear();
    // All the more what would remove other devices' Contacts later.
    solo.ua.unregister_all(solo.now).unwrap();
    solo.drain();
    register(&mut solo);
    solo.close();
    assert!(matches!(solo.event(), Event::RegistrationFailed { retry_in: None, .. }));
    assert_eq!(solo.events, [Event::Unregistered]);
    solo.reopen(3);
    solo.nothing_sent();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    solo.accept_register(600);
    solo.nothing_sent();
}

#[test]
fn rfc3261_10_2_2_every_binding_is_removed_with_a_star() {
    let (mut solo, first, _) = both_registered();
    solo.hop = first;
    solo.ua.unregister_all(solo.now).unwrap();
    solo.drain();
    let (over, request) = register(&mut solo);
    assert_eq!((over, contact(&request).as_str()), (first, "*"));
    assert_eq!(request.headers().first(HeaderName::Expires), Some("0"));
    solo.nothing_sent();
    solo.reply(&request, 200, "", "");
    assert_eq!(solo.events, [Event::Unregistered]);
    assert_eq!(solo.ua.registration(), RegistrationState::Unregistered);
    solo.advance(secs(3600));
    solo.nothing_sent();
    // Refused, ours at least are removed.
    let (mut solo, first, second) = both_registered();
    solo.ua.unregister_all(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    solo.hop = first;
    solo.reply(&request, 403, "", "");
    let ours = [register(&mut solo), register(&mut solo)];
    assert_eq!([ours[0].0, ours[1].0], [first, second]);
    assert!(matches!(solo.event(), Event::RegistrationFailed { retry_in: None, .. }));
    for (hop, request) in ours {
        solo.hop = hop;
        solo.reply(&request, 200, "", "");
    }
    assert_eq!(solo.events, [Event::Unregistered]);
}

/// Who comes back before the answer registers anew after it, and hears nothing of a removal that failed.
#[test]
fn rfc3261_10_2_2_who_comes_back_while_every_binding_is_removed() {
    let removing = |solo: &mut Solo| {
        solo.ua.unregister_all(solo.now).unwrap();
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        let (_, request) = register(solo);
        assert_eq!(contact(&request), "*");
        request
    };
    for status in [200, 403] {
        let mut solo = Solo::registered();
        let request = removing(&mut solo);
        solo.reply(&request, status, "", "");
        assert!(solo.events.is_empty(), "{status}: {:?}", solo.events);
        solo.accept_register(600);
        assert!(matches!(solo.event(), Event::Registered { .. }));
    }
    let mut solo = Solo::registered();
    removing(&mut solo);
    solo.close();
    assert!(solo.events.is_empty(), "{:?}", solo.events);
    solo.reopen(2);
    solo.accept_register(600);
    // Over every flow, for the star removed them all.
    let (mut solo, first, second) = both_registered();
    solo.ua.unregister_all(solo.now).unwrap();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let ((_, star), (over, early)) = (register(&mut solo), register(&mut solo));
    assert_eq!((contact(&star).as_str(), over), ("*", second));
    accept(&mut solo, &early, "");
    solo.hop = first;
    solo.reply(&star, 200, "", "");
    assert_eq!([register(&mut solo).0, register(&mut solo).0], [first, second]);
}

/// §10.2.4: who registers while the registrar is asked something is refreshed all the same.
#[test]
fn rfc3261_10_2_4_who_registers_while_bindings_are_fetched_is_refreshed() {
    let mut solo = Solo::registered();
    solo.ua.fetch_bindings(solo.now).unwrap();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, fetch) = register(&mut solo);
    assert!(!fetch.headers().has(HeaderName::Contact));
    solo.reply(&fetch, 200, "", "");
    solo.accept_register(600);
    assert!(matches!(solo.event(), Event::Bindings { .. }));
    assert!(matches!(solo.event(), Event::Registered { .. }));
}

/// A page that was loaded anew at a registrar without outbound: the contact it had before, of the same instance, is not its own.
#[test]
fn rfc3261_10_2_4_our_address_counts_before_our_instance() {
    let instance = "+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-000000000001>\"";
    let stale = format!("<sip:before@x.invalid;transport=ws>;expires=3;{instance}");
    for number in ["", ";reg-id=1"] {
        let mut solo = Solo::new();
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        let (_, request) = register(&mut solo);
        let text = contact(&request);
        let ours = format!("<{}>;expires=500;{instance}{number}", NameAddr::parse(&text).unwrap().uri);
        solo.reply(&request, 200, &format!("Contact: {stale}{number}, {ours}\r\n"), "");
        assert_eq!(solo.event(), Event::Registered { reg_id: 1, expires: secs(500) }, "{number}");
    }
    // Where the address comes back changed the instance tells.
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    solo.reply(&request, 200, &format!("Contact: <sip:other@192.0.2.1>;expires=9, {stale}\r\n"), "");
    assert_eq!(solo.event(), Event::Registered { reg_id: 1, expires: secs(3) });
}

// ---- registrars that lie ----

#[test]
fn a_200_with_500_contacts_is_searched_for_ours() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.ua.fetch_bindings(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    let ours = contact(&request);
    let others: String = (0..499).map(|i| format!("<sip:x{i}@y.invalid>;expires=1, ")).collect();
    solo.reply(&request, 200, &format!("Contact: {others}{ours};expires=77\r\n"), "");
    assert_eq!(solo.event(), Event::Registered { reg_id: 1, expires: secs(77) });
    let (_, fetch) = register(&mut solo);
    solo.reply(&fetch, 200, &format!("Contact: {others}{ours};expires=77\r\n"), "");
    let Event::Bindings { outcome: Ok(bindings) } = solo.event() else { panic!() };
    assert_eq!(bindings.len(), crate::limits::BINDINGS);
}

#[test]
fn what_a_contact_says_of_its_lifetime_is_believed_within_reason() {
    let rows = [
        ("expires=nonsense", 600),
        ("expires=-5", 600),
        ("expires=", 600),
        ("expires=4294967296", 600),
        ("expires=4294967295", 600),
        ("expires=601", 600),
        ("expires=1", 1),
    ];
    for (says, lifetime) in rows {
        let mut solo = Solo::new();
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        let (_, request) = register(&mut solo);
        let ours = contact(&request);
        solo.reply(&request, 200, &format!("Contact: {ours};{says}\r\nRequire: outbound\r\n"), "");
        if says == "expires=" {
            // No parameter at all: the address is found by nothing, and our own wish stands.
            assert!(matches!(solo.event(), Event::Registered { .. }), "{says}");
            continue;
        }
        assert_eq!(solo.event(), Event::Registered { reg_id: 1, expires: secs(lifetime) }, "{says}");
        let start = solo.now;
        solo.advance(secs(600));
        let (at, _, _) = solo.sent.front().expect("a refresh");
        assert!(at.since(start) >= secs(2) && at.since(start) <= secs(540), "{says}");
    }
}

#[test]
fn a_200_that_grants_nothing_is_a_failure_and_no_loop() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    let ours = contact(&request);
    solo.reply(&request, 200, &format!("Contact: {ours};expires=0\r\n"), "");
    let (_, wait) = failed(&mut solo);
    assert!(wait >= secs(30));
    solo.advance(secs(29));
    solo.nothing_sent();
}

#[test]
fn endless_423_ping_pong_is_given_up() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let mut rounds = 0;
    while let Some((_, _, Message::Request(request))) = solo.sent.pop_front() {
        rounds += 1;
        assert!(rounds < 10);
        solo.reply(&request, 423, &format!("Min-Expires: {}\r\n", 700 + rounds), "");
    }
    assert_eq!(rounds, 4);
    assert!(matches!(solo.event(), Event::RegistrationFailed { retry_in: None, .. }));
    for nonsense in ["0", "600", "86401", "99999999999", "x", ""] {
        let mut solo = Solo::new();
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        let (_, request) = register(&mut solo);
        solo.reply(&request, 423, &format!("Min-Expires: {nonsense}\r\n"), "");
        solo.nothing_sent();
        assert!(matches!(solo.event(), Event::RegistrationFailed { retry_in: None, .. }), "{nonsense}");
    }
}

#[test]
fn the_flows_share_the_users_wish() {
    let (mut solo, first, second) = both_registered();
    solo.ua.unregister(solo.now).unwrap();
    solo.drain();
    let ours = [register(&mut solo), register(&mut solo)];
    assert_eq!([ours[0].0, ours[1].0], [first, second]);
    assert_eq!(solo.ua.registration(), RegistrationState::Unregistering);
    for (at, (hop, request)) in ours.into_iter().enumerate() {
        assert_eq!(request.headers().first(HeaderName::Expires), Some("0"));
        assert!(solo.events.is_empty(), "after the last, {at}");
        solo.hop = hop;
        solo.reply(&request, 200, "", "");
    }
    assert_eq!(solo.events, [Event::Unregistered]);
    // A refusal for good over one flow leaves the other.
    let mut solo = pair_of_flows();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let one = open(&mut solo, 1, 1);
    let (_, request) = register(&mut solo);
    solo.reply(&request, 403, "", "");
    assert!(matches!(solo.event(), Event::RegistrationFailed { reg_id: 1, retry_in: None, .. }));
    assert_eq!(solo.ua.registration(), RegistrationState::Registering);
    let two = open(&mut solo, 2, 2);
    let (_, request) = register(&mut solo);
    accept(&mut solo, &request, "");
    assert_eq!(solo.ua.flow(), Some(two));
    // The refused flow is opened again by nobody's wish.
    solo.opens.clear();
    solo.input(Input::FlowClosed(one.flow));
    let end: Instant = solo.now + secs(400);
    solo.advance(end.since(solo.now));
    assert!(solo.opens.is_empty());
}

/// Each question has its answer, however many are asked at once.
#[test]
fn rfc3261_10_2_3_each_time_the_bindings_are_asked_for_they_are_told() {
    let mut solo = Solo::registered();
    let ask = |solo: &mut Solo| {
        (0..3).for_each(|_| solo.ua.fetch_bindings(solo.now).unwrap());
        solo.drain();
    };
    ask(&mut solo);
    for _ in 0..3 {
        let (_, request) = register(&mut solo);
        solo.nothing_sent();
        solo.reply(&request, 200, "", "");
        assert!(matches!(solo.event(), Event::Bindings { outcome: Ok(_) }));
    }
    solo.nothing_sent();
    ask(&mut solo);
    register(&mut solo);
    solo.close();
    for _ in 0..3 {
        assert!(matches!(solo.event(), Event::Bindings { outcome: Err(_) }));
    }
    assert!(solo.events.is_empty());
}
