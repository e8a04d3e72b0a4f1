//! The notifier of `reg`: who is told of registrations, what, and when (RFC 3680, RFC 6665 §4.2).

mod ends;
mod random;
mod refusals;
mod ways;

use super::*;
use crate::body::dialog_info::Extent;
use crate::body::reginfo::{Contact, ContactEvent, RegInfo, RegistrationState};

/// A SUBSCRIBE to a user's registrations.
fn subscribe(peer: &Peer, user: &str, cseq: u32, fields: &str) -> String {
    bodiless(&peer.out(
        "SUBSCRIBE",
        &format!("sip:{user}@{DOMAIN}"),
        cseq,
        &format!("Event: reg\r\n{fields}"),
    ))
}

fn bodiless(request: &str) -> String {
    request.replace("c: application/sdp\r\n", "").replace("l: 4\r\n\r\nbody", "l: 0\r\n\r\n")
}

/// A SUBSCRIBE within the subscription.
fn again(side: &mut Side, fields: &str) -> String {
    side.next("SUBSCRIBE").replacen("X-Odd:  kept", &format!("Event: reg\r\n{fields}X-Odd:  kept"), 1)
}

fn reginfo(notify: &Request) -> RegInfo {
    let headers = notify.headers();
    assert_eq!(headers.first(HeaderName::ContentType), Some("application/reginfo+xml"));
    RegInfo::parse(notify.body()).unwrap_or_else(|error| panic!("{error}: {}", text(notify.bytes())))
}

fn state(notify: &Request) -> &str {
    notify.headers().first(HeaderName::SubscriptionState).unwrap()
}

/// What happened to which contacts, by the first letter and the number of their user part.
fn events(info: &RegInfo) -> Vec<(&str, ContactEvent)> {
    let contacts = info.registrations.iter().flat_map(|registration| &registration.contacts);
    contacts
        .map(|contact| (contact.uri.trim_start_matches("sip:").split('@').next().unwrap(), contact.event))
        .collect()
}

/// The next NOTIFY for a peer, answered with 200.
#[track_caller]
fn notified(net: &mut Net, peer: &Peer) -> Request {
    let notify = net.request(peer, &Method::Notify);
    net.send(peer, peer.answer(&notify, 200));
    notify
}

/// Somebody on a WebSocket who is registered and watches its own registrations, and has been told of its first.
fn watching() -> (Net, Peer, Side) {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    net.send(&alice, subscribe(&alice, "alice", 2, ""));
    let ok = net.expect(&alice, 200);
    notified(&mut net, &alice);
    net.quiet();
    let side = Side::caller(&alice, &ok);
    (net, alice, side)
}

fn desk(last: u8) -> Peer {
    udp("alice", last)
}

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

#[test]
fn rfc3680_4_7_2_a_subscriber_is_told_all_first_and_then_what_changes() {
    let mut net = Net::new();
    let (alice, phone) = (ws("alice", 1), desk(7));
    net.register(&alice);
    net.send(&alice, subscribe(&alice, "alice", 2, ""));
    let ok = net.expect(&alice, 200);
    // §4.4, RFC 6665 §4.2.1.1.
    assert_eq!(ok.headers().first(HeaderName::Expires), Some("3761"));
    assert_eq!(ok.headers().first(HeaderName::AllowEvents), Some("reg"));
    let side = Side::caller(&alice, &ok);
    let first = notified(&mut net, &alice);
    assert_eq!((state(&first), first.uri()), ("active;expires=3761", &*alice.contact()));
    assert_eq!(first.headers().first(HeaderName::From), Some(&*side.remote));
    assert_eq!(first.headers().first(HeaderName::To), Some(&*side.local));
    assert_eq!(first.headers().first(HeaderName::Event), Some("reg"));
    let info = reginfo(&first);
    assert_eq!((info.version, info.extent), (0, Extent::Full));
    let [registration] = &info.registrations[..] else { panic!("{info:?}") };
    assert_eq!(
        (&*registration.aor, registration.state),
        ("sip:alice@example.com", RegistrationState::Active)
    );
    let [contact] = &registration.contacts[..] else { panic!("{info:?}") };
    assert_eq!((&*contact.uri, contact.event), (&*alice.contact(), ContactEvent::Registered));
    assert_eq!((contact.expires, contact.cseq), (Some(3600), Some(12)));
    assert_eq!(contact.call_id.as_deref(), Some("reg-alice-97"));
    net.quiet();

    // Another device; the next documents are of what changed alone.
    net.advance(SECONDS(5));
    net.send_with_digest(&phone, "alice", &|cseq, extra| {
        phone.register(cseq, &format!("{}{extra}", phone.contact_field().replace('>', ">;q=0.4")))
    });
    net.expect(&phone, 200);
    let info = reginfo(&notified(&mut net, &alice));
    assert_eq!((info.version, info.extent), (1, Extent::Partial));
    assert_eq!(info.registrations[0].id, registration.id);
    assert_eq!(events(&info), [("alice", ContactEvent::Registered)]);
    let there: &Contact = &info.registrations[0].contacts[0];
    assert_eq!((&*there.uri, there.q.as_deref()), ("sip:alice@203.0.113.7:5060", Some("0.4")));
    assert_ne!(there.id, contact.id);

    // It comes again, and leaves.
    for (cseq, fields, event, expires) in [
        (3, "", ContactEvent::Refreshed, Some(3600)),
        (5, "Expires: 0\r\n", ContactEvent::Unregistered, None),
    ] {
        net.advance(SECONDS(5));
        net.send_with_digest(&phone, "alice", &|next, extra| {
            phone.register(cseq + next, &format!("{fields}{}{extra}", phone.contact_field()))
        });
        net.expect(&phone, 200);
        let info = reginfo(&notified(&mut net, &alice));
        assert_eq!((info.extent, info.registrations[0].state), (Extent::Partial, RegistrationState::Active));
        let told = &info.registrations[0].contacts[0];
        assert_eq!((told.event, told.expires, &told.id), (event, expires, &there.id));
    }
    net.quiet();
    assert_eq!((net.server.counters().notifies, net.server.subscriptions()), (4, 1));
}

#[test]
fn rfc3680_4_7_1_nobody_is_registered_or_not_any_more() {
    let mut net = Net::new();
    let phone = desk(7);
    // A phone that is not registered watches: it proves itself with each request.
    net.send_with_digest(&phone, "alice", &|cseq, extra| subscribe(&phone, "alice", cseq, extra));
    net.expect(&phone, 200);
    let info = reginfo(&notified(&mut net, &phone));
    assert_eq!((info.registrations[0].state, events(&info)), (RegistrationState::Init, [].into()));
    net.advance(SECONDS(5));
    let alice = ws("alice", 1);
    net.send_with_digest(&alice, "alice", &|cseq, extra| {
        alice.register(cseq, &format!("Expires: 60\r\n{}{extra}", alice.contact_field()))
    });
    net.expect(&alice, 200);
    let info = reginfo(&notified(&mut net, &phone));
    assert_eq!(info.registrations[0].state, RegistrationState::Active);
    // It runs out: nobody says so but the clock.
    net.advance(SECONDS(59));
    net.quiet();
    net.advance(SECONDS(1));
    let info = reginfo(&notified(&mut net, &phone));
    assert_eq!(info.registrations[0].state, RegistrationState::Terminated);
    assert_eq!(events(&info), [("alice97", ContactEvent::Expired)]);
    net.advance(SECONDS(600));
    net.quiet();
}

#[test]
fn rfc3680_4_7_1_what_the_registrar_ends_may_come_again() {
    let (mut net, alice, _) = watching();
    let page = ws("alice", 3);
    // A page whose connection is gone makes room for the eleventh contact.
    net.send_with_digest(&page, "alice", &|cseq, extra| {
        let field = page.contact_field().replace("0061>", "0062>").replace("alice97", "alice98");
        page.register(cseq + 20, &format!("{field}{extra}"))
    });
    net.expect(&page, 200);
    net.advance(SECONDS(5));
    notified(&mut net, &alice);
    net.close(&page);
    for last in 1..=9 {
        net.register_quietly(&desk(last));
    }
    net.advance(SECONDS(5));
    let info = reginfo(&notified(&mut net, &alice));
    let ended: Vec<_> =
        events(&info).into_iter().filter(|(_, event)| *event != ContactEvent::Registered).collect();
    assert_eq!(ended, [("alice98", ContactEvent::Deactivated)]);
    assert_eq!(events(&info).len(), 10);
}

#[test]
fn rfc3680_4_10_no_more_than_one_in_five_seconds() {
    let (mut net, alice, mut side) = watching();
    // What happens within five seconds of the first is told together.
    for last in [7, 8] {
        net.register_quietly(&desk(last));
    }
    net.send_with_digest(&desk(8), "alice", &|cseq, extra| {
        desk(8).register(cseq + 10, &format!("Contact: <{}>;expires=0\r\n{extra}", desk(8).contact()))
    });
    net.expect(&desk(8), 200);
    net.advance(Duration::from_millis(4_999));
    net.quiet();
    net.advance(Duration::from_millis(1));
    let info = reginfo(&notified(&mut net, &alice));
    // Who came and went meanwhile was never there.
    assert_eq!((info.version, events(&info)), (1, [("alice", ContactEvent::Registered)].into()));
    // Who asks is answered at once (RFC 6665 §4.2.1.2).
    net.send(&alice, again(&mut side, ""));
    net.expect(&alice, 200);
    let info = reginfo(&notified(&mut net, &alice));
    assert_eq!((info.version, info.extent, events(&info).len()), (2, Extent::Full, 2));
}

#[test]
fn rfc5628_the_document_has_the_gruu_and_the_parameters_of_a_contact() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.send_with_digest(&alice, "alice", &|cseq, extra| {
        let field =
            alice.contact_field().replace("reg-id=1", "reg-id=1;audio;description=\"<PC & \\\"x\\\">\"");
        alice.register(cseq, &format!("{field}{extra}"))
    });
    net.expect(&alice, 200);
    net.send(&alice, subscribe(&alice, "alice", 3, ""));
    net.expect(&alice, 200);
    let info = reginfo(&notified(&mut net, &alice));
    let contact = &info.registrations[0].contacts[0];
    let urn = "urn:uuid:00000000-0000-4000-8000-000000000061";
    let [gruu, _] = &contact.extensions[..] else { panic!("{contact:?}") };
    assert!(gruu.name.is("urn:ietf:params:xml:ns:gruuinfo", "pub-gruu"));
    assert_eq!(gruu.attribute("uri"), Some(&*format!("sip:alice@example.com;gr={urn}")));
    let params: Vec<(&str, &str)> =
        contact.unknown_params.iter().map(|(name, value)| (&**name, &**value)).collect();
    let instance = format!("\"<{urn}>\"");
    let expected = [
        ("+sip.instance", &*instance),
        ("reg-id", "1"),
        ("audio", ""),
        ("description", "\"<PC & \\\"x\\\">\""),
    ];
    assert_eq!(params, expected);
}

#[test]
fn rfc5628_a_user_is_told_its_temporary_gruus_and_from_which_register_on_they_are_valid() {
    let mut net = Net::with(|config| {
        let all = WatchedUsers::All;
        config.watchers.insert(Watcher::Account("bob".into()), all);
    });
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    // Who else may watch is told no GRUU that hides whose it is.
    net.send(&bob, subscribe(&bob, "alice", 2, "").replace("Call-ID: call", "Call-ID: bobs"));
    net.expect(&bob, 200);
    let info = reginfo(&notified(&mut net, &bob));
    let [public] = &info.registrations[0].contacts[0].extensions[..] else { panic!("{info:?}") };
    assert!(public.name.is("urn:ietf:params:xml:ns:gruuinfo", "pub-gruu"));
    net.send(&alice, subscribe(&alice, "alice", 2, ""));
    net.expect(&alice, 200);
    let temporary = |info: &RegInfo| {
        let [_, gruu] = &info.registrations[0].contacts[0].extensions[..] else { panic!("{info:?}") };
        assert!(gruu.name.is("urn:ietf:params:xml:ns:gruuinfo", "temp-gruu"));
        let attribute = |name: &str| gruu.attribute(name).unwrap().to_string();
        (attribute("uri"), attribute("first-cseq"))
    };
    let (first, since) = temporary(&reginfo(&notified(&mut net, &alice)));
    assert_eq!(since, "12");
    // A refresh adds one, another Call-ID ends all before it.
    net.advance(SECONDS(5));
    let register = |net: &mut Net, call_id: &str, cseq: u32| {
        net.send_with_digest(&alice, "alice", &|more, extra| {
            let register = alice.register(cseq + more, &format!("{}{extra}", alice.contact_field()));
            register.replace("Call-ID: reg", &format!("Call-ID: {call_id}"))
        });
        net.expect(&alice, 200);
        notified(net, &bob);
        temporary(&reginfo(&notified(net, &alice)))
    };
    let (second, since) = register(&mut net, "reg", 20);
    assert_eq!(since, "12");
    let leads = |net: &mut Net, gruu: &str, cseq: u32| {
        net.send(&bob, bob.out("MESSAGE", gruu, cseq, ""));
        let (_, message) = net.sent.pop_front().unwrap();
        let there = match Message::parse(message).unwrap() {
            Message::Request(request) => {
                net.send(&alice, alice.answer(&request, 200));
                net.expect(&bob, 200);
                true
            }
            Message::Response(response) => {
                assert_eq!(response.status(), 404);
                false
            }
        };
        net.quiet();
        there
    };
    assert!(leads(&mut net, &first, 30) && leads(&mut net, &second, 31));
    net.advance(SECONDS(5));
    let (third, since) = register(&mut net, "new", 1);
    assert_eq!(since, "3");
    assert!(!leads(&mut net, &second, 32) && leads(&mut net, &third, 33));
}

#[test]
fn rfc5628_who_has_two_flows_hears_that_one_has_ended_the_temporary_gruus_of_the_other() {
    let (mut net, alice, _) = watching();
    let second = ws("alice", 3);
    let register = |net: &mut Net, call_id: &str, cseq: u32, reg_id: &str| {
        net.send_with_digest(&second, "alice", &|more, extra| {
            let contact = second.contact_field().replace("reg-id=1", reg_id);
            let register = second.register(cseq + more, &format!("{contact}{extra}"));
            register.replace("Call-ID: reg", &format!("Call-ID: {call_id}"))
        });
        net.expect(&second, 200);
    };
    net.advance(SECONDS(5));
    register(&mut net, "two", 40, "reg-id=2");
    let info = reginfo(&notified(&mut net, &alice));
    assert_eq!(events(&info), [("alice97", ContactEvent::Registered)]);
    net.advance(SECONDS(5));
    register(&mut net, "three", 50, "reg-id=2");
    let info = reginfo(&notified(&mut net, &alice));
    let since = |contact: &Contact| contact.extensions[1].attribute("first-cseq").unwrap().to_string();
    let told: Vec<_> = info.registrations[0].contacts.iter().map(|c| (c.event, since(c))).collect();
    assert_eq!(told, [(ContactEvent::Registered, "13".into()), (ContactEvent::Refreshed, "52".into())]);
}

#[test]
fn a_document_has_an_end() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    // What XML writes as five characters each.
    let long = "&".repeat(3_900);
    for last in 1..=9 {
        let phone = desk(last);
        net.send_with_digest(&phone, "alice", &|cseq, extra| {
            phone.register(cseq, &format!("Contact: <{}>;x=\"{long}\"\r\n{extra}", phone.contact()))
        });
        net.expect(&phone, 200);
    }
    net.send(&alice, subscribe(&alice, "alice", 2, ""));
    net.expect(&alice, 200);
    let notify = notified(&mut net, &alice);
    assert!(notify.body().len() <= limits::REGINFO_BYTES, "{}", notify.body().len());
    let told = events(&reginfo(&notify)).len() as u64;
    assert_eq!((told, net.server.counters().contacts_not_told), (3, 7));
}
