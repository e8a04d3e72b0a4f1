//! Push notifications (RFC 8599).

use super::*;
use crate::user_agent::PushService;

#[test]
fn rfc8599_4_1_push_parameters_stand_in_the_registered_contact() {
    let mut config = config("sip:alice@example.com");
    config.push = Some(PushService {
        provider: "webpush".into(),
        param: None,
        prid: "https://push.example/a b;c=d".into(),
    });
    let mut solo = Solo::with(config, Transport::Wss);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    let text = contact(&request);
    let uri = NameAddr::parse(&text).unwrap().parsed_uri().unwrap();
    let push = uri.sip().unwrap().push().unwrap();
    assert_eq!(
        (push.provider.as_ref(), push.prid.as_deref()),
        ("webpush", Some("https://push.example/a b;c=d"))
    );
    // §4.1.1: an unknown provider is not asked again.
    solo.reply(&request, 555, "", "");
    assert!(matches!(solo.event(), Event::RegistrationFailed { retry_in: None, .. }));
}

/// A page with that service, and its first REGISTER.
fn woken_by_fcm() -> (Solo, Request) {
    let mut config = config("sip:alice@example.com");
    config.push = Some(PushService { provider: "fcm".into(), param: None, prid: "secret".into() });
    let mut solo = Solo::with(config, Transport::Wss);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    (solo, request)
}

/// §4.1.2: "MUST NOT insert the 'pn-prid' SIP URI parameter": without, nobody is to be woken any more.
#[test]
fn rfc8599_4_1_2_who_unregisters_is_not_to_be_woken() {
    let (mut solo, request) = woken_by_fcm();
    accept(&mut solo, &request, "");
    solo.ua.unregister(solo.now).unwrap();
    solo.drain();
    let (_, remove) = register(&mut solo);
    assert_eq!(remove.headers().first(HeaderName::Expires), Some("0"));
    let text = contact(&remove);
    assert!(!text.contains("pn-"), "{text}");
    let uri = |text: &str| NameAddr::parse(text).unwrap().uri.to_string();
    let (bound, removed) = (uri(&contact(&request)), uri(&text));
    let parsed = |uri: &str| {
        Uri::parse(uri).is_some_and(|one| Uri::parse(&removed).is_some_and(|other| one.is_equivalent(&other)))
    };
    assert!(parsed(&bound), "RFC 3261 §19.1.4: the same Contact");
}

/// §4.1.4: who refreshes by its own clock says so, and does it as long before the end as the server wants.
#[test]
fn rfc8599_4_1_4_who_refreshes_by_itself_says_so_and_in_time() {
    let rows = [
        ("", 567, 1),
        ("Feature-Caps: *;+sip.pns=\"fcm\";+sip.pnsreq=\"121\"\r\n", 479, 300),
        ("Feature-Caps: *;+sip.pns=\"fcm\", *;+sip.pnsreq=\"200\"\r\n", 400, 300),
        // What leaves no time, or is no number, is not believed.
        ("Feature-Caps: *;+sip.pnsreq=\"600\"\r\n", 300, 200),
        ("Feature-Caps: *;+sip.pnsreq=\"soon\"\r\n", 567, 400),
    ];
    for (field, latest, earliest) in rows {
        let (mut solo, request) = woken_by_fcm();
        assert!(contact(&request).contains(";+sip.pnsreg"), "{}", contact(&request));
        accept(&mut solo, &request, field);
        let start = solo.now;
        while solo.sent.is_empty() {
            solo.advance(secs(1));
        }
        let after = solo.now.since(start).as_secs();
        assert!((earliest..=latest).contains(&after), "{field} {after}");
    }
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    assert!(!contact(&register(&mut solo).1).contains("pnsreg"), "nobody would wake it");
}
