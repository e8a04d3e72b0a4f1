//! Inputs that invite a second walk over what was walked already, at any size.

use std::hint::black_box;

use bytes::Bytes;
use sip_core::body::message_summary::MessageSummary;
use sip_core::body::multipart::Multipart;
use sip_core::body::sdp::SessionDescription;
use sip_core::body::sipfrag::SipFrag;
use sip_core::body::xml::Element;
use sip_core::message::typed::{
    Accept, AcceptContact, Allow, AuthValue, Authorization, Contact, Event, HistoryInfo, PAssertedIdentity,
    Reason, RecordRoute, ReferTo, Route, Subject, Supported, TypedHeader, Warning,
};
use sip_core::message::{HeaderName, Headers, Message, Rewrite, Via, Writer, scan_call_id};

/// An input of some size and who reads it.
pub(crate) struct Shape {
    /// What it is full of.
    pub(crate) name: String,
    head: String,
    filler: &'static str,
    tail: &'static str,
    /// Reads it as far as anything does.
    pub(crate) read: fn(&[u8]),
}

impl Shape {
    /// The input, of no more than `size` bytes.
    pub(crate) fn of_size(&self, size: usize) -> Vec<u8> {
        let room = size - self.head.len() - self.tail.len();
        let filling = self.filler.repeat(room / self.filler.len());
        [&self.head, &filling, self.tail].concat().into_bytes()
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Shape> {
    let mut shapes = messages();
    shapes.extend(bodies());
    shapes
}

fn messages() -> Vec<Shape> {
    const FIELDS: &str =
        "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n";
    const VIA: &str = "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n";
    let begin = |uri: &str, rest: &str| format!("OPTIONS {uri} SIP/2.0\r\n{rest}");
    let values = [
        "a",
        ",",
        "a,",
        "a, ",
        ";",
        ";a",
        ";a=b",
        ";q=1",
        "\"",
        "\"a\"",
        "\\",
        "\\\"",
        "\\\0",
        "\"\\",
        "<",
        ">",
        "<>",
        "<sip:a>,",
        "<sip:a@b;c>,",
        "<",
        "(",
        ")",
        "(\\",
        "@",
        ":",
        "[",
        "]",
        "%41",
        "%",
        "=",
        "a=b,",
        "a=\"b\",",
        "\t",
        " ",
        "\r\n ",
        "\r\n a",
        "&a=b",
        "?a=b",
        "0",
        "9",
        "/",
        "SIP/2.0/UDP h,",
        "SIP/2.0/UDP h;branch=1,",
        "\u{1}",
        "\u{e9}",
    ];
    let starts = [
        "Subject: ",
        "X: ",
        "Via: ",
        "Via: SIP/2.0/UDP h",
        "Via: SIP/2.0/UDP ",
        "Route: ",
        "Route: <sip:a",
        "Route: <sip:a@b",
        "Route: \"",
        "Contact: ",
        "Contact: <sip:a@b>",
        "Contact: \"",
        "Contact: <sip:",
        "Contact: <tel:1",
        "Refer-To: ",
        "Record-Route: <sip:a>,",
        "Supported: ",
        "Allow: ",
        "Accept: a/b",
        "Reason: SIP",
        "Event: a",
        "Warning: ",
        "Authorization: Digest ",
        "History-Info: <sip:a>",
        "Accept-Contact: *",
        "P-Asserted-Identity: ",
        "Content-Length: ",
    ];
    let mut shapes = Vec::new();
    let mut shape = |name: String, head: String, filler, tail| {
        shapes.push(Shape { name, head, filler, tail, read: read_message });
    };
    for filler in values {
        for start in starts {
            let head = begin("sip:a@b", &format!("{VIA}{FIELDS}{start}"));
            shape(format!("{start}{filler:?}…"), head, filler, "\r\n\r\n");
        }
        let owned = [("From: \"", "From: <sip:a@b>;tag=1\r\n"), ("To: <sip:a@b>", "To: <sip:a@b>\r\n")];
        for (start, instead_of) in owned {
            let head = begin("sip:a@b", &format!("{VIA}{}{start}", FIELDS.replace(instead_of, "")));
            shape(format!("{start}{filler:?}…"), head, filler, "\r\n\r\n");
        }
        shape(format!("Request-URI sip:{filler:?}…"), "OPTIONS sip:".into(), filler, " SIP/2.0\r\n\r\n");
        shape(format!("nothing but {filler:?}…"), String::new(), filler, "");
    }
    let first = begin("sip:a@b", &format!("{VIA}{FIELDS}"));
    for line in [
        "X: y\r\n",
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n",
        "Route: <sip:a>\r\n",
        "x\r\n",
        "\n",
        "\r",
        "\0",
    ] {
        shape(format!("lines {line:?}…"), first.clone(), line, "\r\n");
        shape(format!("lines {line:?}… without end"), first.clone(), line, "");
    }
    shapes
}

fn read_message(bytes: &[u8]) {
    black_box(scan_call_id(bytes));
    let headers = match Message::parse(Bytes::copy_from_slice(bytes)) {
        Err(refused) => {
            if let Some(headers) = &refused.request {
                black_box(Writer::refusal(headers, &refused.error.into(), "t"));
            }
            return;
        }
        Ok(Message::Response(response)) => response.headers().clone(),
        Ok(Message::Request(request)) => {
            black_box(Writer::response(&request, 200, "OK", Some("t")).finish());
            request.headers().clone()
        }
    };
    read_all::<Via<'_>>(&headers);
    read_all::<Route<'_>>(&headers);
    read_all::<RecordRoute<'_>>(&headers);
    read_all::<Contact<'_>>(&headers);
    read_all::<ReferTo<'_>>(&headers);
    read_all::<Supported<'_>>(&headers);
    read_all::<Allow>(&headers);
    read_all::<Accept<'_>>(&headers);
    read_all::<Reason<'_>>(&headers);
    read_all::<Event<'_>>(&headers);
    read_all::<Warning<'_>>(&headers);
    read_all::<HistoryInfo<'_>>(&headers);
    read_all::<AcceptContact<'_>>(&headers);
    read_all::<PAssertedIdentity<'_>>(&headers);
    read_all::<Subject<'_>>(&headers);
    for credentials in headers.typed_all::<Authorization<'_>>() {
        if let Ok(Authorization(AuthValue::Params { params, .. })) = credentials {
            black_box(params.text("realm"));
        }
    }
    black_box(headers.lists(HeaderName::Supported, "x"));
    let mut edit = Rewrite::new(&headers);
    edit.prepend(HeaderName::Via, "SIP/2.0/UDP h");
    edit.set(HeaderName::MaxForwards, "69");
    edit.remove_first_values(HeaderName::Route, usize::MAX);
    edit.replace_first_value(HeaderName::Contact, "<sip:x>");
    edit.remove(HeaderName::Subject);
    black_box(edit.finish());
}

fn read_all<'a, T: TypedHeader<'a>>(headers: &'a Headers) {
    for value in headers.typed_all::<T>() {
        let _ = black_box(value.map(|value| value.to_string()));
    }
}

fn bodies() -> Vec<Shape> {
    let mut shapes = Vec::new();
    let mut shape = |kind: &str, head: &str, filler: &'static str, read| {
        let name = format!("{kind} {head:?} {filler:?}…");
        shapes.push(Shape { name, head: head.into(), filler, tail: "", read });
    };
    for filler in
        ["--b\r\n", "--b", "--b ", "-", "\r\n", "A: b\r\n", "A: b\r\n c\r\n", "\r", " ", "--b\r\n\r\n\r\n"]
    {
        for head in ["", "--b\r\n", "SIP/2.0 200 OK\r\n", "Messages-Waiting: yes\r\n"] {
            shape("lines", head, filler, |text| {
                let _ = black_box(Multipart::split("b", text));
                let _ = black_box(SipFrag::parse(text));
                let _ = black_box(MessageSummary::parse(text));
            });
        }
    }
    for filler in [
        "<a/>",
        "<a b='1'/>",
        "<",
        "&",
        "&amp;",
        "<a xmlns:p='x'/>",
        "x",
        "\r",
        "]",
        "<!---->",
        " b=''",
        "<p0:a p0:b=''/>",
    ] {
        let deep: String = (0..31).map(|n| format!("<a xmlns:p{n}='x'>")).collect();
        for head in ["<a>", "<a ", "<a b='", "<!--", "<a><![CDATA[", "", &deep] {
            shape("XML", head, filler, |text| drop(black_box(Element::parse(text))));
        }
    }
    for filler in ["a=x\r\n", "a=:", "a=fmtp:1 a;", ";", "\r", "a=candidate:", " "] {
        shape("SDP", "v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 1 RTP/AVP 0\r\n", filler, |text| {
            let _ = black_box(SessionDescription::parse(text).map(|sdp| sdp.to_string()));
        });
    }
    shapes
}
