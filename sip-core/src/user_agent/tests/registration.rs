use std::format;
use std::string::ToString;

use super::solo::Solo;
use super::{OFFER, config, hop};
use crate::message::{Fields, HeaderName, Method, Uri};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{Cause, Event, RegistrationState};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn what_a_register_says() {
    let mut solo = Solo::new();
    assert_eq!(solo.ua.registration(), RegistrationState::Unregistered);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    assert_eq!(solo.ua.registration(), RegistrationState::Registering);
    let register = solo.request(&Method::Register);
    assert_eq!(register.uri(), "sip:example.com");
    assert_eq!(register.to().uri, "sip:alice@example.com");
    assert_eq!(register.from().uri, "sip:alice@example.com");
    assert!(register.from_tag().is_some() && register.to_tag().is_none());
    let headers = register.headers();
    let contact = headers.first(HeaderName::Contact).unwrap();
    assert!(contact.contains(".invalid;transport=ws>"), "{contact}");
    assert!(
        contact.ends_with(";+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-000000000001>\";reg-id=1"),
        "{contact}"
    );
    assert!(headers.lists(HeaderName::Supported, "outbound") && headers.lists(HeaderName::Supported, "path"));
    assert_eq!(headers.first(HeaderName::Expires), Some("600"));
    let via = register.via();
    assert_eq!(via.transport, "WSS");
    assert!(via.host.is_invalid());
}

#[test]
fn refreshed_in_time_with_the_same_call_id() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let first = solo.request(&Method::Register);
    let contact = first.headers().first(HeaderName::Contact).unwrap().to_string();
    // Another device's binding stands first, and Expires says something else.
    let lines = format!("Contact: <sip:x@y.invalid>;expires=5, {contact};expires=120\r\nExpires: 7\r\n");
    solo.reply(&first, 200, &lines, "");
    assert_eq!(solo.event(), Event::Registered { reg_id: 1, expires: secs(120) });
    assert_eq!(solo.ua.registration(), RegistrationState::Registered);
    // RFC 5627 §4.2: it ends 32 s before the registration does, whichever way.
    solo.advance(secs(78));
    solo.nothing_sent();
    solo.advance(secs(10));
    let second = solo.request(&Method::Register);
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(second.from_tag(), first.from_tag());
    assert_eq!(second.headers().first(HeaderName::Contact), first.headers().first(HeaderName::Contact));
    assert_eq!(second.cseq().number, first.cseq().number + 1);
    assert_ne!(second.branch(), first.branch());
}

#[test]
fn interval_too_brief_is_raised() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let first = solo.request(&Method::Register);
    solo.reply(&first, 423, "Min-Expires: 1800\r\n", "");
    let second = solo.request(&Method::Register);
    assert_eq!(second.headers().first(HeaderName::Expires), Some("1800"));
    // The same again is no reason to ask for the same again.
    solo.reply(&second, 423, "Min-Expires: 1800\r\n", "");
    solo.nothing_sent();
    let Event::RegistrationFailed { failure, retry_in: None, .. } = solo.event() else { panic!() };
    assert_eq!(failure.status, Some(423));
}

#[test]
fn failures_that_pass_are_tried_again_with_back_off() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    // RFC 5626 §4.5: "the first retry happens somewhere between 30 and 60 seconds"
    let mut least = 30;
    for _ in 0..8 {
        let register = solo.request(&Method::Register);
        solo.reply(&register, 503, "", "");
        let Event::RegistrationFailed { failure, retry_in: Some(wait), .. } = solo.event() else { panic!() };
        assert_eq!(failure.cause, Cause::ServerError);
        assert!(wait >= secs(least.min(900)) && wait <= secs((2 * least).min(1800)), "{wait:?}");
        least *= 2;
        solo.nothing_sent();
        solo.advance(wait);
    }
    solo.accept_register(600);
    assert_eq!(solo.event(), Event::Registered { reg_id: 1, expires: secs(600) });
}

#[test]
fn retry_after_is_obeyed() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let register = solo.request(&Method::Register);
    solo.reply(&register, 503, "Retry-After: 120 (soon);duration=5\r\n", "");
    let Event::RegistrationFailed { retry_in, .. } = solo.event() else { panic!() };
    assert_eq!(retry_in, Some(secs(120)));
}

#[test]
fn silence_is_a_timeout() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    solo.request(&Method::Register);
    solo.advance(secs(32));
    let Event::RegistrationFailed { failure, retry_in: Some(_), .. } = solo.event() else { panic!() };
    assert_eq!((failure.cause, failure.status), (Cause::Timeout, None));
    solo.nothing_sent();
}

#[test]
fn refusals_that_stay_are_not_repeated() {
    for (status, cause) in [
        (403, Cause::Forbidden),
        (404, Cause::NotFound),
        (302, Cause::Redirected),
        (606, Cause::NotAcceptable),
    ] {
        let mut solo = Solo::new();
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        let register = solo.request(&Method::Register);
        solo.reply(&register, status, "", "");
        let Event::RegistrationFailed { failure, retry_in: None, .. } = solo.event() else {
            panic!("{status}")
        };
        assert_eq!(failure.cause, cause);
        solo.advance(secs(7200));
        solo.nothing_sent();
        assert_eq!(solo.ua.registration(), RegistrationState::Unregistered);
    }
}

#[test]
fn registers_as_soon_as_there_is_a_flow_and_again_over_each_new_one() {
    let mut solo = Solo::new();
    solo.close();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    solo.nothing_sent();
    assert_eq!(solo.ua.registration(), RegistrationState::Registering);
    solo.reopen(2);
    let register = solo.request(&Method::Register);
    let contact = register.headers().first(HeaderName::Contact).unwrap().to_string();
    // The flow is lost before the answer; the next one is used at once.
    solo.close();
    assert!(solo.events.is_empty());
    solo.reopen(3);
    let again = solo.request(&Method::Register);
    assert_eq!(
        again.headers().first(HeaderName::Contact),
        Some(contact.as_str()),
        "for the life of the page"
    );
    solo.reply(&again, 200, &format!("Contact: {contact};expires=60\r\n"), "");
    assert_eq!(solo.event(), Event::Registered { reg_id: 1, expires: secs(60) });
    solo.close();
    assert_eq!(solo.ua.registration(), RegistrationState::Registering);
    solo.advance(secs(3600));
    solo.nothing_sent();
    solo.reopen(4);
    solo.accept_register(60);
    assert_eq!(solo.ua.registration(), RegistrationState::Registered);
}

#[test]
fn unregister_and_changed_minds() {
    let mut solo = Solo::registered();
    solo.ua.unregister(solo.now).unwrap();
    solo.drain();
    assert_eq!(solo.ua.registration(), RegistrationState::Unregistering);
    let remove = solo.request(&Method::Register);
    assert_eq!(remove.headers().first(HeaderName::Expires), Some("0"));
    // One REGISTER at a time: this one waits.
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    solo.nothing_sent();
    solo.reply(&remove, 200, "", "");
    solo.accept_register(600);
    assert_eq!(solo.event(), Event::Registered { reg_id: 1, expires: secs(600) });
    // And the other way round.
    solo.ua.register(solo.now).unwrap();
    solo.ua.unregister(solo.now).unwrap();
    solo.drain();
    solo.accept_register(600);
    let remove = solo.request(&Method::Register);
    assert_eq!(remove.headers().first(HeaderName::Expires), Some("0"));
    solo.reply(&remove, 200, "", "");
    assert_eq!(solo.event(), Event::Unregistered);
    assert_eq!(solo.ua.registration(), RegistrationState::Unregistered);
    solo.advance(secs(7200));
    solo.nothing_sent();
}

#[test]
fn unregister_never_hangs() {
    let mut solo = Solo::registered();
    solo.ua.unregister(solo.now).unwrap();
    solo.drain();
    solo.advance(secs(32));
    let Event::RegistrationFailed { failure, retry_in: None, .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::Timeout);
    assert_eq!(solo.event(), Event::Unregistered);
    let mut solo = Solo::registered();
    solo.close();
    solo.ua.unregister(solo.now).unwrap();
    solo.drain();
    assert_eq!(solo.event(), Event::Unregistered);
    solo.reopen(2);
    solo.sent.clear();
    solo.advance(secs(7200));
    solo.nothing_sent();
}

#[test]
fn other_transports_use_the_flows_address() {
    let mut solo = Solo::with(config("sip:alice@example.com"), Transport::Udp);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let register = solo.request(&Method::Register);
    assert!(register.via().params.has("rport"));
    assert_eq!(register.via().host.ip(), Some(hop(1, Transport::Udp).local.ip()));
    let contact = register.headers().first(HeaderName::Contact).unwrap();
    let uri = contact.trim_start_matches('<').split('>').next().unwrap();
    let Some(Uri::Sip(uri)) = Uri::parse(uri) else { panic!() };
    assert_eq!(uri.host.ip(), Some(hop(1, Transport::Udp).local.ip()));
    // Unreliable: it is retransmitted at 0.5, 1.5, 3.5 s (Timer E).
    solo.advance(secs(4));
    assert_eq!(solo.sent.len(), 3);
}

#[test]
fn rfc3840_5_what_this_device_can_do() {
    let mut config = config("sip:alice@example.com");
    let all = [
        "audio",
        "+sip.extensions=\"100rel,timer\"",
        "class=\"business\"",
        "expires=9",
        "q=1",
        "a>,<sip:x@y>",
        "video;q=0.1",
        "",
    ];
    config.features = all.into_iter().map(Into::into).collect();
    let mut solo = Solo::with(config, Transport::Wss);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let register = solo.request(&Method::Register);
    let contact = register.headers().first(HeaderName::Contact).unwrap();
    assert!(
        contact.ends_with(";reg-id=1;audio;+sip.extensions=\"100rel,timer\";class=\"business\""),
        "{contact}"
    );
    assert_eq!(register.headers().list(HeaderName::Contact).count(), 1);
}

#[test]
fn rfc3841_4_what_a_caller_prefers() {
    let mut solo = Solo::new();
    let wishes = [
        ("Accept-Contact", "*;video;require"),
        ("Reject-Contact", "*;automata"),
        ("Request-Disposition", "no-fork"),
    ];
    let mut fields = Fields::new();
    for (name, value) in wishes {
        fields.add(name, value).unwrap();
    }
    solo.ua.with(&fields).call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    for (name, value) in wishes {
        assert_eq!(invite.headers().named(name), Some(value));
    }
}

/// §10.2.2: who is registered still, though he left, hears of it.
#[test]
fn rfc3261_10_2_2_a_removal_that_fails_is_told() {
    let leaving = || {
        let mut solo = Solo::registered();
        solo.ua.unregister(solo.now).unwrap();
        solo.drain();
        let remove = solo.request(&Method::Register);
        (solo, remove)
    };
    let told = |solo: &mut Solo| {
        let Event::RegistrationFailed { reg_id: 1, failure, retry_in: None } = solo.event() else { panic!() };
        assert_eq!(solo.events.pop_front(), Some(Event::Unregistered));
        assert!(solo.events.is_empty());
        solo.nothing_sent();
        failure
    };
    for status in [403, 500] {
        let (mut solo, remove) = leaving();
        solo.reply(&remove, status, "", "");
        assert_eq!(told(&mut solo).status, Some(status));
    }
    let (mut solo, _) = leaving();
    solo.close();
    assert_eq!(told(&mut solo).cause, Cause::FlowLost);
    // Who has come back meanwhile need not know.
    let (mut solo, remove) = leaving();
    solo.ua.register(solo.now).unwrap();
    solo.reply(&remove, 500, "", "");
    solo.accept_register(600);
    assert_eq!(solo.events, [Event::Registered { reg_id: 1, expires: secs(600) }]);
}
