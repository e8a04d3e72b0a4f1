//! What a registrar gives: GRUU (RFC 5627), Service-Route (RFC 3608).

use super::*;

#[test]
fn rfc5626_4_3_without_a_gruu_the_contact_of_a_call_has_ob_and_registers_has_not() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    assert!(!contact(&request).contains(";ob"));
    accept(&mut solo, &request, "");
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert!(contact(&invite).ends_with(".invalid;transport=ws;ob>"), "{}", contact(&invite));
}

const GRUUS: &str = ";pub-gruu=\"sip:alice@example.com;gr=urn:uuid:00000000-0000-4000-8000-000000000001\"\
                     ;temp-gruu=\"sip:tgruu.7hatz6cn@example.com;gr\"";

fn with_gruu(contact_as: ContactAs, gruus: &str) -> (Solo, Request) {
    let mut config = config("sip:alice@example.com");
    config.contact = contact_as;
    let mut solo = Solo::with(config, Transport::Wss);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    let contact = contact(&request);
    // Another device's come first.
    let other =
        "<sip:other@y.invalid>;+sip.instance=\"<urn:uuid:9>\";pub-gruu=\"sip:alice@example.com;gr=9\"";
    solo.reply(&request, 200, &format!("Contact: {other}, {contact}{gruus};expires=600\r\n"), "");
    (solo, request)
}

/// §4.4: "a UA SHOULD include a Supported header with the option tag "gruu" in requests and responses it generates".
#[test]
fn rfc5627_4_4_gruu_is_among_what_we_support() {
    for (contact_as, supported) in [(ContactAs::PublicGruu, true), (ContactAs::Address, false)] {
        let (mut solo, _) = with_gruu(contact_as, GRUUS);
        solo.events.clear();
        solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        assert_eq!(invite.headers().lists(HeaderName::Supported, "gruu"), supported);
        let mut lines = crate::user_agent::tests::solo::INVITE.to_vec();
        lines.push("Require: gruu");
        solo.send("INVITE", &lines, OFFER);
        if supported {
            solo.response(100);
            let Event::Incoming { call, .. } = solo.event() else { panic!() };
            solo.ua.accept(solo.now, call, crate::user_agent::tests::ANSWER).unwrap();
            solo.drain();
            assert!(solo.response(200).headers().lists(HeaderName::Supported, "gruu"));
        } else {
            assert!(solo.response(420).headers().lists(HeaderName::Unsupported, "gruu"));
        }
    }
}

#[test]
fn rfc5627_4_the_contact_of_a_call_is_the_gruu_that_is_wanted() {
    let rows = [
        (ContactAs::PublicGruu, "sip:alice@example.com;gr=urn:uuid:00000000-0000-4000-8000-000000000001"),
        (ContactAs::TemporaryGruu, "sip:tgruu.7hatz6cn@example.com;gr"),
    ];
    for (contact_as, expected) in rows {
        let (mut solo, request) = with_gruu(contact_as, GRUUS);
        assert!(request.headers().lists(HeaderName::Supported, "gruu"));
        solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        assert_eq!(contact(&invite), format!("<{expected}>"));
        // Its own address is registered all the same (§4.1).
        solo.advance(secs(580));
        let refresh = solo.sent.iter().find_map(|(_, _, message)| match message {
            Message::Request(request) if *request.method() == Method::Register => Some(contact(request)),
            _ => None,
        });
        assert!(refresh.unwrap().contains(".invalid;transport=ws>"));
        // What comes for the GRUU is for us.
        let line = format!("OPTIONS {expected}");
        let from = "From: <sip:bob@example.com>;tag=b";
        solo.sent.clear();
        solo.send(&line, &[from, "To: <sip:alice@example.com>", "Call-ID: o", "CSeq: 1 OPTIONS"], "");
        solo.response(200);
    }
    let (mut solo, request) = with_gruu(ContactAs::Address, GRUUS);
    assert!(!request.headers().lists(HeaderName::Supported, "gruu"));
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    assert!(contact(&solo.request(&Method::Invite)).contains(".invalid;"));
}

/// Notifiers and their watchers find each other again wherever they are.
#[test]
fn rfc6665_4_5_1_the_contact_of_events_is_the_gruu() {
    let gruu = "<sip:alice@example.com;gr=urn:uuid:00000000-0000-4000-8000-000000000001>";
    let (mut solo, _) = with_gruu(ContactAs::PublicGruu, GRUUS);
    let event = crate::events::EventName::new(crate::events::Package::Presence);
    solo.ua.subscribe(solo.now, "bob", event, None).unwrap();
    solo.ua.refer(solo.now, "bob", "carol", true).unwrap();
    solo.drain();
    for method in [Method::Subscribe, Method::Refer] {
        assert_eq!(contact(&solo.request(&method)), gruu);
    }
}

#[test]
fn rfc5627_4_2_a_gruu_that_is_none_is_not_used() {
    for broken in [
        "",
        ";pub-gruu",
        ";pub-gruu=\"\"",
        ";pub-gruu=\"tel:+49\"",
        ";pub-gruu=\"x\"",
        ";temp-gruu=\"sip:a@b;gr\"",
    ] {
        let (mut solo, _) = with_gruu(ContactAs::PublicGruu, broken);
        solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let contact = contact(&solo.request(&Method::Invite));
        assert!(contact.contains(".invalid;transport=ws;ob>"), "{broken}: {contact}");
    }
}

#[test]
fn rfc5627_4_2_a_gruu_ends_with_the_registration() {
    let (mut solo, _) = with_gruu(ContactAs::PublicGruu, GRUUS);
    solo.ua.unregister(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    solo.reply(&request, 200, "", "");
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    assert!(contact(&solo.request(&Method::Invite)).contains(".invalid;"));
}

/// Refreshes that fail take nothing back; time does.
#[test]
fn rfc5627_4_2_a_gruu_ends_with_a_registration_that_lapses() {
    let (mut solo, _) = with_gruu(ContactAs::TemporaryGruu, GRUUS);
    let start = solo.now;
    let called = |solo: &mut Solo| {
        let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let invite = solo.sent.pop_back().map(|(.., message)| message);
        let Some(Message::Request(invite)) = invite else { panic!() };
        solo.ua.hangup(solo.now, call).unwrap();
        contact(&invite)
    };
    while solo.now.since(start) < secs(599) {
        solo.advance(secs(1));
        while let Some((.., message)) = solo.sent.pop_front() {
            if let Message::Request(request) = message
                && *request.method() == Method::Register
            {
                solo.reply(&request, 503, "", "");
            }
        }
    }
    assert_eq!(called(&mut solo), "<sip:tgruu.7hatz6cn@example.com;gr>");
    solo.sent.clear();
    solo.advance(secs(1));
    assert!(called(&mut solo).contains(".invalid;transport=ws;ob>"));
}

/// "The temporary GRUUs remain valid as long as at least one flow is registered."
#[test]
fn rfc5627_4_2_a_gruu_outlives_one_of_two_registrations() {
    let (mut solo, one, two) = both_registered();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let gruu = "sip:alice@example.com;gr=1";
    let mut expires = [600, 60].into_iter();
    while let Some((_, to, message)) = solo.sent.pop_front() {
        let Message::Request(request) = message else { panic!() };
        assert!([one.flow, two.flow].contains(&to.flow));
        let lines = format!(
            "Contact: {};pub-gruu=\"{gruu}\";expires={}\r\n",
            contact(&request),
            expires.next().unwrap()
        );
        solo.reply(&request, 200, &lines, "");
    }
    // The second is refreshed after half its time, without success.
    solo.advance(secs(70));
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.sent.pop_back().map(|(.., message)| message);
    let Some(Message::Request(invite)) = invite else { panic!() };
    assert_eq!(contact(&invite), format!("<{gruu}>"));
}

fn routes(request: &Request) -> Vec<String> {
    request.headers().all(HeaderName::Route).map(String::from).collect()
}

#[test]
fn rfc3608_5_service_route_is_preloaded_outside_dialogs() {
    let (mut solo, _, _) = both_registered();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, one) = register(&mut solo);
    assert_eq!(routes(&one).len(), 1, "a REGISTER goes to the edge alone");
    accept(&mut solo, &one, "Service-Route: <sip:hsp.example.com;lr>;x=y, <sip:h2.example.com;lr>\r\n");
    solo.sent.clear();
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let expected = [
        "<sip:edge1.example.com;transport=ws;lr>",
        "<sip:hsp.example.com;lr>;x=y",
        "<sip:h2.example.com;lr>",
    ];
    assert_eq!(routes(&invite), expected);
    // One that begins with the edge says it once.
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, one) = register(&mut solo);
    accept(&mut solo, &one, "Service-Route: <sip:token@EDGE1.example.com;lr>\r\n");
    solo.sent.clear();
    solo.ua.call(solo.now, "carol", OFFER).unwrap();
    solo.drain();
    assert_eq!(routes(&solo.request(&Method::Invite)), ["<sip:token@EDGE1.example.com;lr>"]);
}

#[test]
fn a_broken_service_route_is_no_route() {
    let many = "<sip:h.example.com;lr>, ".repeat(9);
    for value in [
        "<sip:a.example.com;lr>, nonsense",
        "sip:a.example.com;lr",
        "<tel:+49>",
        "<sip:strict.example.com>",
        "<>",
        &many,
    ] {
        let mut solo = Solo::new();
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        let (_, request) = register(&mut solo);
        let value = value.trim_end_matches(", ");
        accept(&mut solo, &request, &format!("Service-Route: {value}\r\n"));
        assert!(matches!(solo.event(), Event::Registered { .. }), "{value}");
        solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        assert_eq!(routes(&solo.request(&Method::Invite)), [] as [String; 0], "{value}");
    }
}
