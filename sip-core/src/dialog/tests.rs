use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use std::format;

use bytes::Bytes;

use super::{Dialog, DialogId, OutOfOrder, Stage};
use crate::message::{HeaderName, Method, Request, Response};

fn request(text: &str) -> Request {
    Request::parse(Bytes::from(format!("{}\r\n", text.replace('\n', "\r\n")))).unwrap()
}

fn response(text: &str) -> Response {
    Response::parse(Bytes::from(format!("{}\r\n", text.replace('\n', "\r\n")))).unwrap()
}

fn invite(more: &str) -> Request {
    request(&format!(
        "INVITE sip:bob@biloxi.example SIP/2.0\nVia: SIP/2.0/TCP a.example;branch=z9hG4bK1\n\
         From: \"Alice, A.\" <sip:alice@a.example>;tag=at\nTo: <sip:bob@biloxi.example>\nCall-ID: c1\n\
         CSeq: 7 INVITE\n{more}"
    ))
}

fn answer(status: &str, more: &str) -> Response {
    response(&format!(
        "SIP/2.0 {status}\nVia: SIP/2.0/TCP a.example;branch=z9hG4bK1\n\
         From: \"Alice, A.\" <sip:alice@a.example>;tag=at\nTo: <sip:bob@biloxi.example>;tag=bt\nCall-ID: c1\n\
         CSeq: 7 INVITE\n{more}"
    ))
}

fn routes(request: &Request) -> Vec<String> {
    request.headers().list(HeaderName::Route).map(String::from).collect()
}

fn next(dialog: &mut Dialog, method: &Method) -> Request {
    Request::parse(dialog.request(method, "SIP/2.0/TCP a.example;branch=z9hG4bK2").finish()).unwrap()
}

/// RFC 3665 §3.4's shape: the caller's route set is the 2xx's Record-Route in reverse.
#[test]
fn caller_reverses_the_route_set() {
    let mut dialog = Dialog::uac(
        &invite("Contact: <sip:alice@1.invalid>\n"),
        &answer(
            "200 OK",
            "Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>\nContact: <sip:bob@2.invalid;transport=ws>\n",
        ),
    );
    assert_eq!(dialog.stage(), Stage::Confirmed);
    assert_eq!(*dialog.id(), DialogId::new("c1", "at", "bt"));
    let bye = next(&mut dialog, &Method::Bye);
    assert_eq!(bye.uri(), "sip:bob@2.invalid;transport=ws");
    assert_eq!(routes(&bye), vec!["<sip:p1.example;lr>", "<sip:p2.example;lr>"]);
    assert_eq!(bye.cseq().number, 8);
    assert_eq!(bye.from().display_name().unwrap(), "Alice, A.");
    assert_eq!((bye.from_tag(), bye.to_tag()), (Some("at"), Some("bt")));
    assert_eq!(bye.max_forwards(), Some(70));
}

#[test]
fn callee_keeps_the_order_and_swaps_from_and_to() {
    let mut dialog = Dialog::uas(
        &invite(
            "Record-Route: <sip:p2.example;lr>\nRecord-Route: <sip:p1.example;lr>\nContact: <sip:alice@1.invalid>\n",
        ),
        "bt",
    );
    assert_eq!(dialog.stage(), Stage::Early);
    dialog.confirm();
    assert_eq!(dialog.stage(), Stage::Confirmed);
    let bye = next(&mut dialog, &Method::Bye);
    assert_eq!(bye.uri(), "sip:alice@1.invalid");
    assert_eq!(routes(&bye), vec!["<sip:p2.example;lr>", "<sip:p1.example;lr>"]);
    assert_eq!(bye.cseq().number, 1, "we sent nothing yet");
    assert_eq!((bye.from_tag(), bye.to_tag()), (Some("bt"), Some("at")));
    assert_eq!(bye.from().uri, "sip:bob@biloxi.example");
    assert_eq!(
        DialogId::of_request(&bye),
        Some(DialogId::new("c1", "at", "bt")),
        "as the other side sees it"
    );
}

/// §12.2.1.1's example of a strict router.
#[test]
fn strict_router_takes_the_request_uri() {
    let mut dialog = Dialog::uac(
        &invite(""),
        &answer(
            "200 OK",
            "Record-Route: <sip:p4.example>,<sip:p3.example;lr>,<sip:p2.example;lr>,<sip:p1.example?x=y>\n\
             Contact: <sip:bob@phone.example>\n",
        ),
    );
    let bye = next(&mut dialog, &Method::Bye);
    assert_eq!(bye.uri(), "sip:p1.example", "without headers");
    assert_eq!(
        routes(&bye),
        vec!["<sip:p2.example;lr>", "<sip:p3.example;lr>", "<sip:p4.example>", "<sip:bob@phone.example>"]
    );
}

#[test]
fn success_replaces_the_early_route_set_and_later_ones_do_not() {
    let mut dialog = Dialog::uac(
        &invite(""),
        &answer("180 Ringing", "Record-Route: <sip:p1.example;lr>\nContact: <sip:bob@x.example>\n"),
    );
    assert_eq!(dialog.stage(), Stage::Early);
    dialog.answered(&answer("200 OK", "Record-Route: <sip:p9.example;lr>\nContact: <sip:bob@y.example>\n"));
    assert_eq!(dialog.routes().collect::<Vec<_>>(), ["<sip:p9.example;lr>"]);
    assert_eq!(dialog.target(), "sip:bob@y.example");
    dialog.answered(&answer("200 OK", "Contact: <sip:bob@z.example>\n"));
    assert_eq!(dialog.routes().count(), 1, "a retransmission changes nothing");
    assert_eq!(dialog.target(), "sip:bob@y.example");
}

#[test]
fn ack_repeats_the_invites_number() {
    let dialog = Dialog::uac(&invite(""), &answer("200 OK", "Contact: <sip:bob@x.example>\n"));
    let ack = Request::parse(dialog.ack(7, "SIP/2.0/TCP a.example;branch=z9hG4bK3").finish()).unwrap();
    assert_eq!((ack.cseq().number, &ack.cseq().method), (7, &Method::Ack));
}

#[test]
fn without_contact_the_address_known_so_far_is_the_target() {
    assert_eq!(Dialog::uas(&invite(""), "bt").target(), "sip:alice@a.example");
    let dialog = Dialog::uac(&invite(""), &answer("200 OK", "Contact: *\n"));
    assert_eq!(dialog.target(), "sip:bob@biloxi.example");
}

#[test]
fn lower_sequence_numbers_are_refused() {
    let mut dialog = Dialog::uas(&invite("Contact: <sip:alice@1.invalid>\n"), "bt");
    let info = |number: u32| {
        request(&format!(
            "INFO sip:b@2.invalid SIP/2.0\nVia: SIP/2.0/TCP a.example;branch=z9hG4bK{number}\n\
             From: <sip:alice@a.example>;tag=at\nTo: <sip:bob@biloxi.example>;tag=bt\nCall-ID: c1\nCSeq: {number} INFO\n"
        ))
    };
    assert_eq!(dialog.check_sequence(&info(6)), Err(OutOfOrder));
    assert_eq!(dialog.check_sequence(&info(20)), Ok(()), "gaps are no fault (§12.2.2)");
    assert_eq!(dialog.check_sequence(&info(19)), Err(OutOfOrder));
    assert_eq!(dialog.check_sequence(&info(21)), Ok(()));
}

#[test]
fn rfc_2543_peers_have_no_tag() {
    let text = "INVITE sip:bob@b.example SIP/2.0\nVia: SIP/2.0/UDP a.example\nFrom: sip:alice@a.example\n\
                To: sip:bob@b.example\nCall-ID: c1\nCSeq: 1 INVITE\nContact: sip:alice@a.example\n";
    let mut dialog = Dialog::uas(&request(text), "bt");
    let bye = next(&mut dialog, &Method::Bye);
    assert_eq!(bye.to_tag(), None);
}
