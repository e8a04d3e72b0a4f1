//! Tables: what a REGISTER does to the bindings.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::*;
use crate::entropy::SeededEntropy;
use crate::limits;
use crate::message::Request;
use crate::time::{Duration, Instant};
use crate::transport::{FlowId, Hop, RegistrationKey, Seals, Transport};

const T0: Instant = Instant::from_micros(1_700_000_000_000_000);
const UUID: &str = "urn:uuid:0a1b2c3d-0000-4000-8000-000000000001";

fn hop(flow: u64) -> Hop {
    let local = "192.0.2.1:5060".parse().unwrap();
    let remote = "198.51.100.7:40000".parse().unwrap();
    Hop { flow: FlowId(flow), transport: Transport::Ws, local, remote }
}

fn request(call_id: &str, cseq: u32, fields: &str) -> Request {
    let text = format!(
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq} REGISTER\r\n{fields}Content-Length: 0\r\n\r\n"
    );
    Request::parse(Bytes::from(text)).unwrap()
}

fn update(call_id: &str, cseq: u32, fields: &str) -> Result<BindingUpdate, Refusal> {
    read(&request(call_id, cseq, fields), "sip:alice@example.com".into(), hop(1), &Bounds::default())
}

/// `uri expires` of each, in order.
fn shown(bindings: &[Binding], now: Instant) -> Vec<String> {
    bindings.iter().map(|b| format!("{} {}", b.contact, b.remaining(now).as_secs())).collect()
}

#[test]
fn updates_one_after_another() {
    /// Seconds from the start, Call-ID, CSeq, fields, what comes of it, and the bindings afterwards.
    type Row = (u64, &'static str, u32, &'static str, Result<(), u16>, &'static [&'static str]);
    const ROWS: &[Row] = &[
        // Default, header, parameter; the parameter wins, and what is too long is shortened.
        (0, "a", 1, "Contact: <sip:a@h1>\r\n", Ok(()), &["sip:a@h1 3600"]),
        (
            0,
            "a",
            2,
            "Expires: 600\r\nm: <sip:a@h1>, <sip:a@h2>;expires=90\r\nContact: sip:a@h3;expires=99999\r\n",
            Ok(()),
            &["sip:a@h1 600", "sip:a@h2 90", "sip:a@h3 3600"],
        ),
        // All of it or nothing (§10.3).
        (
            0,
            "a",
            3,
            "Contact: <sip:a@h1>;expires=0, <sip:a@h4>;expires=59\r\n",
            Err(423),
            &["sip:a@h1 600", "sip:a@h2 90", "sip:a@h3 3600"],
        ),
        // Fetch (§10.2.3), and a binding that has ended.
        (91, "b", 1, "", Ok(()), &["sip:a@h1 509", "sip:a@h3 3509"]),
        // A refresh with the same URI in another spelling (§19.1.4) keeps one binding.
        (91, "a", 4, "Contact: <SIP:%61@H1>;q=0.5\r\n", Ok(()), &["sip:a@h3 3509", "SIP:%61@H1 3600"]),
        // A port and a transport make another URI.
        (
            91,
            "a",
            5,
            "Expires: 60\r\nContact: <sip:a@h1:5060>,<sip:a@h1;transport=tcp>\r\n",
            Ok(()),
            &["sip:a@h3 3509", "SIP:%61@H1 3600", "sip:a@h1:5060 60", "sip:a@h1;transport=tcp 60"],
        ),
        (
            91,
            "a",
            6,
            "Contact: <sip:a@h1:5060>;expires=0,<sip:a@h1;transport=TCP>;expires=0\r\n",
            Ok(()),
            &["sip:a@h3 3509", "SIP:%61@H1 3600"],
        ),
        // So do parameters of which both have one, and another password (§19.1.4).
        (
            91,
            "a",
            7,
            "Expires: 60\r\nContact: <sip:a@h4;line=1>,<sip:a@h4;line=2>,<sip:a:x@h4;line=1>\r\n",
            Ok(()),
            &[
                "sip:a@h3 3509",
                "SIP:%61@H1 3600",
                "sip:a@h4;line=1 60",
                "sip:a@h4;line=2 60",
                "sip:a:x@h4;line=1 60",
            ],
        ),
        (
            91,
            "a",
            8,
            "Expires: 0\r\nContact: <sip:a@H4;line=1;x=y>,<sip:a@h4;LINE=2>,<sip:%61:x@h4;line=1>\r\n",
            Ok(()),
            &["sip:a@h3 3509", "SIP:%61@H1 3600"],
        ),
        // Out of order: same Call-ID, no higher CSeq (§10.3 step 7). Another Call-ID may.
        (91, "a", 4, "Contact: <sip:a@h1>;expires=0\r\n", Err(500), &["sip:a@h3 3509", "SIP:%61@H1 3600"]),
        (91, "a", 3, "Contact: *\r\nExpires: 0\r\n", Err(500), &["sip:a@h3 3509", "SIP:%61@H1 3600"]),
        (91, "c", 1, "Contact: <sip:a@h1>;expires=0\r\n", Ok(()), &["sip:a@h3 3509"]),
        // Removing what is not there is no fault.
        (91, "c", 2, "Contact: <sip:a@nowhere>;expires=0\r\n", Ok(()), &["sip:a@h3 3509"]),
        // Wildcard (§10.2.2, §10.3 step 6).
        (91, "c", 3, "Contact: *\r\n", Err(400), &["sip:a@h3 3509"]),
        (91, "c", 3, "Contact: *\r\nExpires: 10\r\n", Err(400), &["sip:a@h3 3509"]),
        (91, "c", 3, "Contact: *, <sip:a@h3>\r\nExpires: 0\r\n", Err(400), &["sip:a@h3 3509"]),
        (91, "c", 3, "Contact: *\r\nExpires: 0\r\n", Ok(()), &[]),
        // Malformed expiries count as the default (§10.2.1.1).
        (91, "c", 4, "Contact: <sip:a@h1>;expires=soon\r\n", Ok(()), &["sip:a@h1 3600"]),
        (91, "c", 5, "Contact: <sip:a@h1>;expires=4294967296\r\n", Ok(()), &["sip:a@h1 3600"]),
        // What is refused.
        (91, "c", 6, "Contact: <mailto:a@h1>\r\n", Err(400), &["sip:a@h1 3600"]),
        (91, "c", 6, "Contact: <sip:a@h1\r\n", Err(400), &["sip:a@h1 3600"]),
        (91, "c", 6, "Contact:\r\n", Err(400), &["sip:a@h1 3600"]),
        (91, "c", 6, "Contact: <sip:a@h1>\r\nRequire: outbound, sec-agree\r\n", Err(420), &["sip:a@h1 3600"]),
        (91, "c", 6, "Contact: <sip:a@h1>\r\nRequire: outbound\r\n", Ok(()), &["sip:a@h1 3600"]),
    ];
    let mut bindings = Vec::new();
    for (row, (at, call_id, cseq, fields, expected, after)) in ROWS.iter().enumerate() {
        let now = T0 + Duration::from_secs(*at);
        let result = update(call_id, *cseq, fields).map_err(|refusal| refusal.status()).and_then(|update| {
            apply(&mut bindings, &update, now, Caps::default()).map(drop).map_err(UpdateError::status)
        });
        assert_eq!(result, *expected, "row {row}");
        assert_eq!(shown(&bindings, now), *after, "row {row}");
    }
}

#[test]
fn a_contact_has_its_length() {
    let most = |more: usize| {
        let contact = format!("sip:a@h;x={}", "x".repeat(limits::CONTACT_BYTES - "sip:a@h;x=".len() + more));
        update("a", 1, &format!("Contact: <{contact}>\r\n"))
    };
    assert!(most(0).is_ok());
    assert_eq!(most(1).unwrap_err(), Refusal::ContactTooLong);
}

/// A binding that is refreshed under another spelling keeps the name that route tokens have.
#[test]
fn a_registration_keeps_its_key() {
    let mut bindings = Vec::new();
    for (cseq, contact) in [(1, "sip:a@h"), (2, "SIP:%61@H;x=y"), (3, "sip:a@h;x=y")] {
        let update = update("a", cseq, &format!("Contact: <{contact}>\r\n")).unwrap();
        apply(&mut bindings, &update, T0, Caps::default()).unwrap();
        assert_eq!((bindings.len(), &*bindings[0].contact), (1, contact));
        assert_eq!(bindings[0].key.instance, "sip:a@h");
    }
}

#[test]
fn an_instance_and_reg_id_are_one_registration() {
    let contact = |uri: &str, reg_id: &str| {
        format!("Contact: <{uri}>;+sip.instance=\"<{UUID}>\"{reg_id};x=y;expires=600\r\n")
    };
    let mut bindings = Vec::new();
    let mut register = |cseq, fields: &str| {
        let update = update("a", cseq, fields).unwrap();
        apply(&mut bindings, &update, T0, Caps::default()).unwrap();
        bindings.clone()
    };
    // RFC 5626 §6: another contact of the same instance and reg-id takes the place of the first.
    register(1, &contact("sip:a@old.invalid;transport=ws", ";reg-id=1"));
    let one = register(2, &contact("sip:a@new.invalid;transport=ws", ";reg-id=1"));
    assert_eq!(shown(&one, T0), ["sip:a@new.invalid;transport=ws 600"]);
    let key = RegistrationKey { aor: "sip:alice@example.com".into(), instance: UUID.into(), reg_id: 1 };
    assert_eq!(one[0].key, key);
    assert_eq!(one[0].params, format!(";+sip.instance=\"<{UUID}>\";reg-id=1;x=y"));
    assert_eq!(reach(&one, &key, T0), Some(hop(1)));
    assert_eq!(reach(&one, &key, T0 + Duration::from_secs(600)), None);
    // Another reg-id is another flow of the instance.
    assert_eq!(register(3, &contact("sip:a@new.invalid;transport=ws", ";reg-id=2")).len(), 2);
    // Without reg-id it is compared by URI as ever.
    assert_eq!(register(4, &contact("sip:a@1.invalid", "")).len(), 3);
    // Zero is none (§4.2).
    assert_eq!(update("a", 5, &contact("sip:a@2.invalid", ";reg-id=0")).unwrap_err().status(), 400);
}

#[test]
fn rfc5626_4_1_instances_are_compared_as_urns() {
    let rows = [
        (UUID, "URN:UUID:0A1B2C3D-0000-4000-8000-000000000001", 1),
        (UUID, "urn:uuid:0a1b2c3d-0000-4000-8000-000000000002", 2),
        ("urn:gsma:imei:90420156-025763-0", "URN:GSMA:imei:90420156-025763-0", 1),
        ("urn:gsma:imei:90420156-025763-0", "urn:gsma:IMEI:90420156-025763-0", 2),
        ("urn:gsma:a", "urn:gsmb:a", 2),
        ("odd", "ODD", 2),
        ("odd", "odd", 1),
    ];
    for (one, other, bound) in rows {
        let mut bindings = Vec::new();
        for (cseq, instance) in [(1, one), (2, other)] {
            let contact =
                format!("Contact: <sip:a@{cseq}.invalid>;+sip.instance=\"<{instance}>\";reg-id=1\r\n");
            let update = update("a", cseq, &contact).unwrap();
            apply(&mut bindings, &update, T0, Caps::default()).unwrap();
        }
        assert_eq!(bindings.len(), bound, "{one} {other}");
        // The key that dialogs know stays, and is found by the other.
        assert_eq!(bindings[0].key.instance, one);
        let key = RegistrationKey { instance: other.into(), ..bindings[0].key.clone() };
        assert_eq!(key.is_of_same_agent(&bindings[0].key), bound == 1);
    }
}

#[test]
fn rfc5627_6_1_bindings_stand_in_the_order_of_their_refreshes() {
    let mut bindings = Vec::new();
    for (cseq, contact, order) in [
        (1, "<sip:a@h1>", &["sip:a@h1 3600"][..]),
        (2, "<sip:a@h2>", &["sip:a@h1 3600", "sip:a@h2 3600"]),
        (3, "<sip:a@h1>;expires=90", &["sip:a@h2 3600", "sip:a@h1 90"]),
    ] {
        let update = update("a", cseq, &format!("Contact: {contact}\r\n")).unwrap();
        apply(&mut bindings, &update, T0, Caps::default()).unwrap();
        assert_eq!(shown(&bindings, T0), order);
    }
}

#[test]
fn a_flow_is_one_contacts_and_the_first_hops() {
    let contact = |host: &str, rest: &str| {
        format!("Contact: <sip:a@{host}.invalid>;+sip.instance=\"<{UUID}>\"{rest}\r\n")
    };
    let one = contact("1", ";reg-id=1");
    let refused = |fields: String| update("c", 1, &fields).unwrap_err().status();
    assert_eq!(refused(format!("{one}{}", contact("2", ";reg-id=2"))), 400);
    assert_eq!(refused(format!("Contact: <sip:a@3.invalid>\r\n{one}")), 400);
    // Others may go with it.
    assert!(update("c", 1, &format!("{one}Contact: <sip:a@3.invalid>;expires=0\r\n")).is_ok());
    let through = "Via: SIP/2.0/UDP edge.invalid;branch=z9hG4bKe\r\n";
    let refusal = update("c", 1, &format!("{through}Supported: path, outbound\r\n{one}")).unwrap_err();
    assert_eq!((refusal.status(), refusal.to_string().as_str()), (439, "First Hop Lacks Outbound Support"));
    let Ok(BindingUpdate { change: Change::Contacts(contacts), .. }) =
        update("c", 1, &format!("{through}{one}"))
    else {
        panic!("no contacts")
    };
    assert_eq!((contacts[0].key.reg_id, contacts[0].key.instance.as_str()), (0, "sip:a@1.invalid"));
}

#[test]
fn caps() {
    let contacts = |range: core::ops::Range<usize>| -> String {
        range.map(|n| format!("Contact: <sip:a@h{n}>\r\n")).collect()
    };
    let refusal = update("a", 1, &contacts(0..11)).unwrap_err();
    assert_eq!((refusal.status(), refusal), (400, Refusal::TooManyContacts));

    let mut bindings = Vec::new();
    let full = update("a", 1, &contacts(0..10)).unwrap();
    apply(&mut bindings, &full, T0, Caps::default()).unwrap();
    let more = update("a", 2, &contacts(10..11)).unwrap();
    assert_eq!(apply(&mut bindings, &more, T0, Caps::default()), Err(UpdateError::TooManyContacts));
    assert_eq!(bindings.len(), 10);
    // A user agent that is away makes room, and the first to end of several.
    let mut with_away = bindings.clone();
    for (at, seconds) in [(3, 100), (5, 90), (7, 110)] {
        with_away[at].hop = None;
        with_away[at].expires_at = T0 + Duration::from_secs(seconds);
    }
    apply(&mut with_away, &more, T0, Caps::default()).unwrap();
    assert_eq!(with_away.len(), 10);
    assert!(!with_away.iter().any(|b| b.contact == "sip:a@h5"));
    // One goes, one comes; a refresh needs no room; and what has ended takes none.
    let swap = update("a", 3, "Contact: <sip:a@h0>;expires=0, <sip:a@h10>, <sip:a@h1>\r\n").unwrap();
    apply(&mut bindings, &swap, T0, Caps::default()).unwrap();
    assert_eq!(bindings.len(), 10);
    let later = T0 + Duration::from_secs(3600);
    apply(&mut bindings, &more, later, Caps::default()).unwrap();
    assert_eq!(bindings.len(), 1);
}

#[test]
fn the_200_lists_all_contacts() {
    let fields = format!(
        "Supported: path, outbound\r\nContact: <sip:a@a.invalid>;+sip.instance=\"<{UUID}>\";reg-id=1\r\n"
    );
    let mut bindings = Vec::new();
    let other = update("z", 1, "Contact: sip:a@h9;expires=100;q=0.3\r\n").unwrap();
    apply(&mut bindings, &other, T0, Caps::default()).unwrap();
    apply(&mut bindings, &update("a", 2, &fields).unwrap(), T0, Caps::default()).unwrap();
    let now = T0 + Duration::from_millis(10_400);
    let gruus = Gruus::new("example.com".into(), Seals::new([1; 32], &[]));
    let mut clock = Clock::default();
    let answer = Answer {
        server: Some("Trapezoid"),
        service_route: &["<sip:example.com;lr>".into()],
        flow_timer: Some(Duration::from_secs(90)),
        gruus: &gruus,
        date: clock.date(now),
    };
    let text = |request: &Request| {
        String::from_utf8(accept(request, &bindings, now, &answer, &mut SeededEntropy(3)).to_vec()).unwrap()
    };
    let ok = text(&request("a", 2, &fields));
    // Its To tag is random.
    let lines: Vec<&str> = ok.lines().skip(1).filter(|line| !line.starts_with("To:")).collect();
    assert_eq!(
        lines,
        vec![
            "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK2",
            "From: <sip:alice@example.com>;tag=1",
            "Call-ID: a",
            "CSeq: 2 REGISTER",
            "Contact: <sip:a@h9>;q=0.3;expires=90",
            &format!("Contact: <sip:a@a.invalid>;+sip.instance=\"<{UUID}>\";reg-id=1;expires=3590"),
            "Service-Route: <sip:example.com;lr>",
            "Require: outbound",
            "Flow-Timer: 90",
            "Supported: outbound, path",
            "Date: Tue, 14 Nov 2023 22:13:30 GMT",
            "Server: Trapezoid",
            "Content-Length: 0",
            "",
        ]
    );
    // Not used by this one.
    assert!(!text(&request("f", 1, "Supported: outbound\r\n")).contains("Require"));
    let refusal = update("a", 3, "Contact: <sip:a@h>;expires=1\r\n").unwrap_err();
    assert_eq!(
        refusal.field().map(|(name, value)| (name.to_string(), value)),
        Some(("Min-Expires".into(), "60".into()))
    );
}

#[test]
fn rfc3327_5_3_the_path_is_stored_topmost_first() {
    let contact = "Contact: <sip:a@h1>\r\n";
    let path = "Path: <sip:edge.example.com;lr>\r\nPath: <sip:p1.example.com;lr;ob>,<sip:x;lr>\r\n";
    let stored = update("a", 1, &format!("{path}{contact}")).unwrap();
    assert_eq!(stored.path, "<sip:edge.example.com;lr>, <sip:p1.example.com;lr;ob>, <sip:x;lr>");
    assert_eq!(update("a", 1, contact).unwrap().path, "");
    let long = format!("Path: <sip:{};lr>\r\n{contact}", "p".repeat(limits::PATH_BYTES));
    assert_eq!(update("a", 1, &long).unwrap_err(), Refusal::PathTooLong);
    assert_eq!(update("a", 1, &format!("Path: sip:no.brackets\r\n{contact}")).unwrap_err().status(), 400);
}

#[test]
fn rfc5626_6_reg_id_through_a_first_hop_that_keeps_flows() {
    let contact = format!("Contact: <sip:a@h1>;+sip.instance=\"<{UUID}>\";reg-id=2\r\n");
    let via = "Via: SIP/2.0/UDP h;branch=z9hG4bKedge\r\n";
    let rows = [
        ("Path: <sip:edge;lr;ob>\r\nSupported: outbound\r\n", Ok(2)),
        ("Path: <sip:core;lr>, <sip:edge;lr;ob>\r\n", Ok(2)),
        // The last one is the user agent's own.
        ("Path: <sip:core;lr;ob>, <sip:edge;lr>\r\nSupported: outbound\r\n", Err(439)),
        ("Supported: outbound\r\n", Err(439)),
        ("", Ok(0)),
    ];
    for (fields, expected) in rows {
        let read = update("a", 1, &format!("{via}{fields}{contact}"));
        let reg_id = read.map_err(|refusal| refusal.status()).map(|update| match update.change {
            Change::Contacts(contacts) => contacts[0].key.reg_id,
            other => panic!("{other:?}"),
        });
        assert_eq!(reg_id, expected, "{fields}");
    }
}

#[test]
fn rfc5627_5_1_no_contact_is_the_address_itself() {
    for contact in
        ["sip:alice@example.com", "sip:alice@EXAMPLE.com;x=y", "sip:alice@example.com;gr=urn:uuid:1"]
    {
        let refusal = update("a", 1, &format!("Contact: <{contact}>\r\n")).unwrap_err();
        assert_eq!((refusal.status(), refusal), (403, Refusal::OwnAddress), "{contact}");
    }
    for contact in
        ["sip:alice@example.com:5070", "sip:alice@pc.example.com", "sip:alice@example.com;transport=tcp"]
    {
        update("a", 1, &format!("Contact: <{contact}>\r\n")).unwrap();
    }
}

#[test]
fn rfc5627_5_1_another_call_id_ends_the_temporary_gruus_of_its_instance() {
    let other = UUID.replace("0001", "0002");
    let contact = |uri: &str, urn: &str, more: &str| {
        format!("Contact: <{uri}>;+sip.instance=\"<{urn}>\"{more}\r\nSupported: outbound, path\r\n")
    };
    let flow = |n: u8| contact(&format!("sip:a@h{n};ob"), UUID, &format!(";reg-id={n}"));
    let mut bindings = Vec::new();
    let mut now = T0;
    /// Seconds from the start, Call-ID, CSeq, the contact; and the lowest valid CSeq of each contact, the latest last.
    type Row = (u64, &'static str, u32, String, &'static [(&'static str, u32)]);
    let rows: [Row; 14] = [
        (0, "a", 5, flow(1), &[("sip:a@h1;ob", 5)]),
        (0, "a", 6, flow(1), &[("sip:a@h1;ob", 5)]),
        // Another flow has a Call-ID of its own.
        (0, "b", 9, flow(2), &[("sip:a@h1;ob", 5), ("sip:a@h2;ob", 9)]),
        (0, "b", 10, flow(2), &[("sip:a@h1;ob", 5), ("sip:a@h2;ob", 9)]),
        (0, "c", 1, flow(1), &[("sip:a@h2;ob", 11), ("sip:a@h1;ob", 1)]),
        (0, "b", 12, flow(2), &[("sip:a@h1;ob", 1), ("sip:a@h2;ob", 11)]),
        // Another instance is not concerned, nor one without.
        (
            0,
            "d",
            3,
            contact("sip:x@h", &other, ""),
            &[("sip:a@h1;ob", 1), ("sip:a@h2;ob", 11), ("sip:x@h", 3)],
        ),
        (
            0,
            "e",
            3,
            "Contact: <sip:y@h>\r\n".into(),
            &[("sip:a@h1;ob", 1), ("sip:a@h2;ob", 11), ("sip:x@h", 3), ("sip:y@h", 3)],
        ),
        // All have ended: so have their GRUUs, whatever the Call-ID.
        (3_600, "c", 2, flow(1), &[("sip:a@h1;ob", 2)]),
        (7_200, "d", 4, contact("sip:x@h", UUID, ""), &[("sip:x@h", 4)]),
        // Without reg-id it may have another URI.
        (7_200, "d", 5, contact("sip:z@h", UUID, ""), &[("sip:x@h", 4), ("sip:z@h", 4)]),
        (7_200, "e", 1, contact("sip:w@h", UUID, ""), &[("sip:x@h", 5), ("sip:z@h", 6), ("sip:w@h", 1)]),
        (7_200, "e", 2, contact("sip:x@h", UUID, ""), &[("sip:z@h", 6), ("sip:w@h", 1), ("sip:x@h", 1)]),
        (7_200, "f", 7, contact("sip:w@h", UUID, ""), &[("sip:z@h", 6), ("sip:x@h", 3), ("sip:w@h", 7)]),
    ];
    for (at, call_id, cseq, fields, expected) in rows {
        now = now.max(T0 + Duration::from_secs(at));
        apply(&mut bindings, &update(call_id, cseq, &fields).unwrap(), now, Caps::default()).unwrap();
        let first: Vec<(&str, u32)> = bindings.iter().map(|b| (&*b.contact, b.first_cseq)).collect();
        assert_eq!(first, expected, "{call_id} {cseq} {fields}");
    }
}
