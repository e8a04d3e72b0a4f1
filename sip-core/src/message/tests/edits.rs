//! Messages edited and written.

use super::*;

#[test]
fn a_proxy_edits_only_what_it_owns() {
    let original = "INVITE sip:bob@biloxi.com SIP/2.0\nv:SIP/2.0/UDP  a;branch=z9hG4bK1,\n SIP/2.0/UDP b\n\
                    X-Odd :  kept  \nRoute: <sip:one;lr>, <sip:two;lr>\nMax-Forwards: 70\nfrom: <sip:a@b>;tag=1\n\
                    TO: <sip:bob@biloxi.com>\nCall-ID: x\nCSeq: 1 INVITE\nContent-Length: 4\n\nbody";
    let request = request(original);
    let mut edit = Rewrite::new(request.headers());
    edit.request_uri(&request, "sip:bob@192.0.2.4");
    edit.prepend(HeaderName::Via, "SIP/2.0/TCP me;branch=z9hG4bK2");
    edit.replace_first_value(HeaderName::Via, "SIP/2.0/UDP a;branch=z9hG4bK1;received=192.0.2.1");
    edit.remove_first_values(HeaderName::Route, 1);
    edit.set(HeaderName::MaxForwards, "69");
    edit.prepend(HeaderName::RecordRoute, "<sip:me;lr>");
    edit.append(HeaderName::Date, "now");
    let expected = "INVITE sip:bob@192.0.2.4 SIP/2.0\nVia: SIP/2.0/TCP me;branch=z9hG4bK2\n\
                    Record-Route: <sip:me;lr>\n\
                    v:SIP/2.0/UDP a;branch=z9hG4bK1;received=192.0.2.1,\n SIP/2.0/UDP b\n\
                    X-Odd :  kept  \nRoute: <sip:two;lr>\nMax-Forwards: 69\nfrom: <sip:a@b>;tag=1\n\
                    TO: <sip:bob@biloxi.com>\nCall-ID: x\nCSeq: 1 INVITE\nContent-Length: 4\nDate: now\n\nbody";
    let got = String::from_utf8(edit.finish().to_vec()).expect("UTF-8");
    assert_eq!(got, expected.replace('\n', "\r\n"));
}

#[test]
fn empty_list_elements_are_no_values() {
    let request = request(
        "BYE sip:a@b SIP/2.0\nVia: , SIP/2.0/UDP h ,SIP/2.0/UDP i\nRoute: ,<sip:1> ,\nRoute: , ,<sip:2>,,<sip:3>\n\
         From: <sip:a@b>;tag=1\nTo: <sip:a@b>;tag=2\nCall-ID: x\nCSeq: 1 BYE\n\n",
    );
    let mut edit = Rewrite::new(request.headers());
    edit.replace_first_value(HeaderName::Via, "SIP/2.0/UDP h;received=192.0.2.1");
    edit.remove_first_values(HeaderName::Route, 2);
    let edited = Request::parse(edit.finish()).expect("a request");
    let values = |name| -> Vec<&str> { edited.headers().list(name).collect() };
    assert_eq!(values(HeaderName::Via), ["SIP/2.0/UDP h;received=192.0.2.1", "SIP/2.0/UDP i"]);
    assert_eq!(values(HeaderName::Route), ["<sip:3>"]);
}

#[test]
fn what_is_left_of_a_list_is_a_list_or_nothing() {
    let request = request(
        "BYE sip:a@b SIP/2.0\nVia: SIP/2.0/UDP h\nRoute: <sip:1>, ,\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>;tag=2\n\
         Call-ID: x\nCSeq: 1 BYE\n\n",
    );
    let mut edit = Rewrite::new(request.headers());
    edit.remove_first_values(HeaderName::Route, 1);
    let edited = Request::parse(edit.finish()).expect("a request");
    assert!(!edited.headers().has(HeaderName::Route));
    // Whichever is asked for first, what is added stays.
    for removed_first in [true, false] {
        let mut edit = Rewrite::new(request.headers());
        if removed_first {
            edit.remove(HeaderName::Route);
        }
        edit.prepend(HeaderName::Route, "<sip:2>");
        if !removed_first {
            edit.remove(HeaderName::Route);
        }
        let edited = Request::parse(edit.finish()).expect("a request");
        assert_eq!(edited.headers().list(HeaderName::Route).collect::<Vec<_>>(), ["<sip:2>"]);
    }
}

#[test]
fn removing_values_crosses_fields() {
    let request = request(
        "BYE sip:a@b SIP/2.0\nVia: SIP/2.0/UDP h\nRoute: <sip:1>, <sip:2>\nRoute: <sip:3>,<sip:4>\n\
         From: <sip:a@b>;tag=1\nTo: <sip:a@b>;tag=2\nCall-ID: x\nCSeq: 1 BYE\n\n",
    );
    for (count, left) in [(0, 4), (1, 3), (2, 2), (3, 1), (4, 0), (9, 0)] {
        let mut edit = Rewrite::new(request.headers());
        edit.remove_first_values(HeaderName::Route, count);
        let edited = Request::parse(edit.finish()).expect("still a request");
        assert_eq!(edited.headers().list(HeaderName::Route).count(), left, "{count}");
    }
}

#[test]
fn the_writer_lets_nobody_smuggle_fields() {
    let bytes = Writer::request(&Method::Options, "sip:a@b")
        .header(HeaderName::Via, "SIP/2.0/UDP h;branch=z9hG4bK1")
        .header(HeaderName::From, "\"x\r\nRoute: <sip:evil>\" <sip:a@b>;tag=1")
        .header(HeaderName::To, "<sip:a@b>")
        .header(HeaderName::CallId, "1")
        .header(HeaderName::CSeq, "1 OPTIONS")
        .body("text/plain", b"hi\r\n");
    let request = Request::parse(bytes).expect("a request");
    assert!(!request.headers().has(HeaderName::Route));
    assert_eq!(request.body(), b"hi\r\n");
}

#[test]
fn responses_echo_what_they_must() {
    let request = request(
        "INVITE sip:a@b SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1, SIP/2.0/UDP i\nVia: SIP/2.0/UDP j\n\
         From: <sip:a@b>;tag=1\nTo: sip:a@b\nCall-ID: x\nCSeq: 1 INVITE\nTimestamp: 54\n\n",
    );
    let trying = Response::parse(Writer::response(&request, 100, "Trying", None).finish()).expect("parses");
    assert_eq!(trying.headers().named("timestamp"), Some("54"));
    assert_eq!(trying.to_tag(), None);
    let ok = Response::parse(Writer::response(&request, 200, "OK", Some("t")).finish()).expect("parses");
    assert_eq!((ok.status(), ok.reason(), ok.to_tag()), (200, "OK", Some("t")));
    assert_eq!(ok.headers().list(HeaderName::Via).count(), 3);
}
