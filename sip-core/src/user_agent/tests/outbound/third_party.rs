//! Who registers for another (RFC 3261 §10.2).

use super::*;
use crate::user_agent::{Aor, ThirdParty};

/// Alice has registered her boss's desk phone; her REGISTER.
fn for_the_boss() -> (Solo, Request) {
    let mut config = config("sip:alice@example.com");
    let boss = Aor::parse("sip:boss@corp.example").unwrap();
    config.third_party = Some(ThirdParty { aor: boss, contact: "sip:desk@192.0.2.77".into() });
    let mut solo = Solo::with(config, Transport::Wss);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    (solo, request)
}

#[test]
fn rfc5626_4_2_3_a_third_party_registers_another_contact_for_another() {
    let (mut solo, request) = for_the_boss();
    assert_eq!(request.uri(), "sip:corp.example");
    assert_eq!((request.from().uri, request.to().uri), ("sip:alice@example.com", "sip:boss@corp.example"));
    assert_eq!(contact(&request), "<sip:desk@192.0.2.77>");
    solo.reply(&request, 200, "Contact: <sip:desk@192.0.2.77>;expires=300\r\n", "");
    assert_eq!(solo.event(), Event::Registered { reg_id: 1, expires: secs(300) });
}

/// RFC 3608 §6.1: a Service-Route is kept "in an association with the address-of-record for which the REGISTER transaction had
/// registered a contact", and so is a GRUU. Ours is another.
#[test]
fn rfc3608_6_1_what_a_third_party_is_given_is_not_ours() {
    let (mut solo, request) = for_the_boss();
    let given = "Contact: <sip:desk@192.0.2.77>;pub-gruu=\"sip:boss@corp.example;gr=1\";expires=300\r\n\
                 Service-Route: <sip:home.corp.example;lr>\r\n";
    solo.reply(&request, 200, given, "");
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert!(!invite.headers().has(HeaderName::Route));
    assert!(!contact(&invite).contains("boss"), "{}", contact(&invite));
}
