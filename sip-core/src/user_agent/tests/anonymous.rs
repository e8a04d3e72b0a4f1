//! Calls as nobody (RFC 3323, RFC 3325).

use std::string::String;

use super::solo::Solo;
use super::{OFFER, config};
use crate::message::{Fields, HeaderName, Message, Method, Request};
use crate::transport::Transport;
use crate::user_agent::{CallId, Config, ContactAs};

const GRUUS: &str = ";pub-gruu=\"sip:alice@example.com;gr=urn:uuid:00000000-0000-4000-8000-000000000001\"\
                     ;temp-gruu=\"sip:tgruu.7hs==jd7vnzga5w7fajsc7-ajd6fabz0f8g5@example.com;gr\"";

/// Alice, registered, with the GRUUs of her registrar; she has a name.
fn alice(contact: ContactAs, transport: Transport) -> Solo {
    let config = Config { contact, display_name: Some("Alice".into()), ..config("sip:alice@example.com") };
    let mut solo = Solo::with(config, transport);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let register = solo.request(&Method::Register);
    let bound = register.headers().first(HeaderName::Contact).unwrap();
    let contact = std::format!("Contact: {bound};expires=600{GRUUS}\r\n");
    solo.reply(&register, 200, &contact, "");
    solo.events.clear();
    solo
}

fn call(solo: &mut Solo) -> (CallId, Request) {
    let call = solo.ua.call_anonymously(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    (call, solo.request(&Method::Invite))
}

/// Everything but what the server alone reads has no word of alice.
#[track_caller]
fn says_nobody(message: &Message) {
    let headers = match message {
        Message::Request(request) => request.headers(),
        Message::Response(response) => response.headers(),
    };
    for field in headers.fields() {
        let server =
            [HeaderName::PPreferredIdentity, HeaderName::Authorization, HeaderName::ProxyAuthorization];
        let value = headers.value_of(field).to_ascii_lowercase();
        assert!(
            server.contains(&field.name) || !value.contains("alice"),
            "{}: {value}",
            headers.name_of(field)
        );
        assert!(!value.contains("urn:uuid"), "{value}");
    }
}

#[test]
fn rfc3323_4_1_nothing_of_the_call_says_who_calls() {
    for transport in [Transport::Wss, Transport::Udp] {
        let mut solo = alice(ContactAs::PublicGruu, transport);
        let (id, invite) = call(&mut solo);
        let from = std::format!(
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag={}",
            invite.from_tag().unwrap()
        );
        let first = |request: &Request, name| request.headers().first(name).map(String::from);
        assert_eq!(first(&invite, HeaderName::From), Some(from.clone()));
        assert_eq!(first(&invite, HeaderName::Privacy).as_deref(), Some("id"));
        assert_eq!(
            first(&invite, HeaderName::PPreferredIdentity).as_deref(),
            Some("\"Alice\" <sip:alice@example.com>")
        );
        says_nobody(&Message::Request(invite.clone()));

        // §22.2: with credentials too.
        solo.reply(&invite, 407, "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n\"\r\n", "");
        solo.request(&Method::Ack);
        let again = solo.request(&Method::Invite);
        assert_eq!(first(&again, HeaderName::From), Some(from.clone()));
        says_nobody(&Message::Request(again.clone()));

        let allow = "Allow: INVITE, UPDATE, REFER\r\nSupported: tdialog\r\n";
        let gruu = "Contact: <sip:bob@example.com;gr=1>\r\n";
        solo.reply_tagged(&again, 200, Some("b1"), &std::format!("{allow}{gruu}"), super::ANSWER);
        says_nobody(&solo.sent.pop_front().unwrap().2);

        solo.ua.hold(solo.now, id).unwrap();
        solo.drain();
        let hold = solo.request(&Method::Invite);
        says_nobody(&Message::Request(hold.clone()));
        solo.reply_tagged(&hold, 488, Some("b1"), "", "");
        solo.request(&Method::Ack);

        // A REFER stays in the dialog, for outside of it has our name.
        solo.ua.transfer(solo.now, id, "carol").unwrap();
        solo.drain();
        let refer = solo.request(&Method::Refer);
        assert_eq!((first(&refer, HeaderName::From), refer.to_tag()), (Some(from), Some("b1")));
        says_nobody(&Message::Request(refer));

        let lines = [
            "From: <sip:bob@example.com>;tag=b1",
            &std::format!("To: <sip:anonymous@anonymous.invalid>;tag={}", again.from_tag().unwrap()),
            &std::format!("Call-ID: {}", again.call_id()),
            "CSeq: 1 UPDATE",
            "Contact: <sip:bob@example.com;gr=1>",
        ];
        solo.send("UPDATE", &lines, "");
        says_nobody(&solo.sent.pop_front().unwrap().2);
        solo.ua.hangup(solo.now, id).unwrap();
        solo.drain();
        says_nobody(&Message::Request(solo.request(&Method::Bye)));

        // The next one has a name again.
        solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let named = solo.request(&Method::Invite);
        assert!(
            first(&named, HeaderName::From).unwrap().contains("alice")
                && !named.headers().has(HeaderName::Privacy)
        );
    }
}

#[test]
fn rfc3323_4_1_a_temporary_gruu_may_stay() {
    let mut solo = alice(ContactAs::TemporaryGruu, Transport::Wss);
    let (_, invite) = call(&mut solo);
    let contact = invite.headers().first(HeaderName::Contact).unwrap();
    assert!(contact.contains("tgruu."), "{contact}");
    says_nobody(&Message::Request(invite.clone()));
}

/// RFC 5627 §4.4: "When a UA wishes to construct an anonymous request as described in RFC 3323, it SHOULD use a temporary GRUU", though
/// others see the public one.
#[test]
fn rfc5627_4_4_who_calls_as_nobody_uses_a_temporary_gruu() {
    let mut solo = alice(ContactAs::PublicGruu, Transport::Wss);
    let contact = |invite: &Request| String::from(invite.headers().first(HeaderName::Contact).unwrap());
    let (_, invite) = call(&mut solo);
    assert!(contact(&invite).starts_with("<sip:tgruu."), "{}", contact(&invite));
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    assert!(contact(&solo.request(&Method::Invite)).starts_with("<sip:alice@example.com;gr=urn:uuid:"));
    // What comes for it is for us.
    let from = "From: <sip:bob@example.com>;tag=b";
    let lines = [from, "To: <sip:anonymous@anonymous.invalid>", "Call-ID: t", "CSeq: 1 OPTIONS"];
    solo.send("OPTIONS sip:tgruu.7hs==jd7vnzga5w7fajsc7-ajd6fabz0f8g5@example.com;gr", &lines, "");
    solo.response(200);
    // It ends with the registration, and is none where the address is wanted.
    solo.ua.unregister(solo.now).unwrap();
    solo.drain();
    let remove = solo.request(&Method::Register);
    solo.reply(&remove, 200, "", "");
    for mut solo in [solo, alice(ContactAs::Address, Transport::Wss)] {
        let (_, invite) = call(&mut solo);
        assert!(contact(&invite).contains(".invalid;transport=ws;ob>"), "{}", contact(&invite));
    }
}

#[test]
fn rfc3325_9_3_the_application_may_want_other_privacy() {
    let mut solo = alice(ContactAs::Address, Transport::Wss);
    let fields = Fields::new().with("Privacy", "header;id;critical").unwrap();
    let fields = fields.with("P-Preferred-Identity", "<sip:desk@example.com>").unwrap();
    solo.ua.with(&fields).call_anonymously(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let all = |name| invite.headers().all(name).collect::<std::vec::Vec<_>>();
    assert_eq!(all(HeaderName::Privacy), ["header;id;critical"]);
    assert_eq!(all(HeaderName::PPreferredIdentity), ["<sip:desk@example.com>"]);
}
