//! Messages: what is parsed can be written again and means the same, and an edit touches nothing else.

use std::borrow::Cow;

use bytes::Bytes;
use sip_core::limits;
use sip_core::message::validate::{Role, Rules};
use sip_core::message::{
    CSeq, Fault, HeaderName, Headers, Message, Method, NameAddr, Refused, Request, Response, Rewrite, Via,
    Writer,
};

use super::typed;

pub(crate) fn holds(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    let parsed = Message::parse(bytes.clone());
    for role in [Role::UserAgent, Role::Proxy, Role::Registrar] {
        judged(role, &parsed);
    }
    match parsed {
        Ok(message) => {
            let headers = headers_of(&message);
            assert!(bytes.starts_with(headers.bytes()), "a message is the beginning of what came");
            assert!(headers.bytes().ends_with(headers.body()));
            written_again(&message);
            edits(&message);
            typed::of_message(headers);
        }
        Err(refused) => {
            assert!(refused.error.offset <= input.len(), "{:?}", refused.error);
        }
    }
}

/// An element of any kind takes it, drops it, or answers with one message.
fn judged(role: Role, parsed: &Result<Message, Refused>) {
    let rules = Rules {
        role,
        schemes: &["sip", "tel"],
        allow: "INVITE, ACK, OPTIONS, MESSAGE",
        supported: "100rel",
        accept: "application/sdp",
    };
    let (headers, rejection) = match parsed {
        Ok(Message::Response(response)) => {
            let _ = rules.response(response);
            return;
        }
        Ok(Message::Request(request)) => {
            let _ = rules.body(request);
            let Err(rejection) = rules.request(request) else { return };
            assert_ne!(*request.method(), Method::Ack, "an ACK is never answered");
            (request.headers(), rejection)
        }
        Err(refused) => match rules.refused(refused) {
            Ok(rejected) => rejected,
            Err(_) => return,
        },
    };
    assert!((300..700).contains(&rejection.status));
    let answer = Writer::refusal(headers, &rejection, "tag");
    echoes(&answer, headers);
    match (Response::parse(answer.clone()), parsed) {
        (Ok(response), _) => {
            assert_eq!((response.status(), response.headers().body()), (rejection.status, &b""[..]));
            assert_eq!(response.headers().bytes().len(), answer.len(), "an answer is one message");
            assert!(response.to_tag().is_some());
        }
        // What is wrong with the request's own fields is wrong with their echoes.
        (Err(Refused { error, .. }), Err(_)) if is_of_an_echo(error.fault) => {}
        (Err(_), _) if at_the_caps(headers) => {}
        (Err(refused), _) => panic!("{}: {}", refused.error, String::from_utf8_lossy(&answer)),
    }
}

/// The fields that say whose request an answer is for (RFC 3261 §8.2.6.2), in the answer's order.
const ECHOED: [HeaderName; 5] =
    [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];

pub(super) fn is_of_an_echo(fault: Fault) -> bool {
    matches!(fault, Fault::Missing(name) | Fault::Malformed(name) | Fault::Duplicate(name) | Fault::Overlong(name)
        if ECHOED.contains(&name))
}

/// Whether what is added to it may be too much.
fn at_the_caps(headers: &Headers) -> bool {
    headers.bytes().len() > limits::MESSAGE_BYTES - 400 || headers.fields().len() > limits::HEADER_FIELDS - 4
}

/// The request's Vias, From, To, Call-ID and CSeq as they came, but for folds and a To tag; one field at most with
/// what else there is to say, and the length: found without the parser's index.
fn echoes(answer: &[u8], request: &Headers) {
    let shown = String::from_utf8_lossy(answer);
    let mut echoed = request.fields().iter().filter(|field| ECHOED.contains(&field.name));
    assert!(echoed.all(|field| !request.name_of(field).is_empty()), "a field that is not UTF-8: {shown}");
    let mut answered = lines(answer).into_iter().map(value);
    for name in ECHOED {
        let most = if name == HeaderName::Via { usize::MAX } else { 1 };
        for asked in request.all(name).take(most).map(unfolded) {
            let echo = unfolded(&answered.next().unwrap_or_default());
            let untagged = echo.strip_suffix(";tag=tag").filter(|_| name == HeaderName::To);
            let same = |echo: &str| echo.trim() == asked.trim();
            assert!(same(&echo) || untagged.is_some_and(same), "{name}: {shown}");
        }
    }
    let rest: Vec<String> = answered.collect();
    assert!(rest.len() <= 2 && rest.last().is_some_and(|length| length == "0"), "{shown}");
    assert_eq!(head_end(answer), answer.len(), "an answer is one message");
}

/// What stands behind a line's colon, without the blanks around it.
fn value(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    line.split_once(':').expect("a colon").1.trim_matches([' ', '\t', '\r', '\n']).to_owned()
}

fn headers_of(message: &Message) -> &Headers {
    match message {
        Message::Request(request) => request.headers(),
        Message::Response(response) => response.headers(),
    }
}

/// Everything a message says before its body.
#[derive(Debug, PartialEq)]
struct Said {
    start: String,
    via: String,
    branch: Option<String>,
    from: String,
    from_tag: Option<String>,
    to: String,
    to_tag: Option<String>,
    call_id: String,
    cseq: CSeq,
    max_forwards: Option<u8>,
    fields: Vec<(HeaderName, String, String)>,
}

/// The writer leaves no line end inside a value, so a fold comes back as blanks.
fn unfolded(text: &str) -> String {
    text.replace(['\r', '\n', '\0'], " ")
}

fn said(message: &Message) -> Said {
    macro_rules! said {
        ($message:expr, $start:expr, $max_forwards:expr) => {{
            let headers = $message.headers();
            let fields = headers
                .fields()
                .iter()
                .filter(|field| !matches!(field.name, HeaderName::ContentLength | HeaderName::ContentType));
            Said {
                start: $start,
                via: unfolded(&via_text(&$message.via())),
                branch: $message.branch().map(unfolded),
                from: unfolded(&address_text(&$message.from())),
                from_tag: $message.from_tag().map(unfolded),
                to: unfolded(&address_text(&$message.to())),
                to_tag: $message.to_tag().map(unfolded),
                call_id: $message.call_id().into(),
                cseq: $message.cseq().clone(),
                max_forwards: $max_forwards,
                fields: fields
                    .map(|field| {
                        (field.name, headers.name_of(field).to_owned(), unfolded(headers.value_of(field)))
                    })
                    .collect(),
            }
        }};
    }
    match message {
        Message::Request(request) => {
            said!(request, format!("{} {}", request.method(), request.uri()), request.max_forwards())
        }
        Message::Response(response) => {
            said!(response, format!("{} {}", response.status(), unfolded(response.reason())), None)
        }
    }
}

fn via_text(via: &Via<'_>) -> String {
    format!("{} {} {:?} {}", via.transport, via.host, via.port, via.params.as_str())
}

fn address_text(address: &NameAddr<'_>) -> String {
    format!("{}|{}|{}", address.display, address.uri, address.params.as_str())
}

/// Field by field through the writer, and parsed again.
fn written_again(message: &Message) {
    let headers = headers_of(message);
    if at_the_caps(headers) {
        return;
    }
    let mut writer = match message {
        Message::Request(request) => Writer::request(request.method(), request.uri()),
        Message::Response(response) => Writer::status(response.status(), response.reason()),
    };
    for field in headers.fields() {
        if !matches!(field.name, HeaderName::ContentLength | HeaderName::ContentType) {
            writer = writer.field(headers.name_of(field), headers.value_of(field));
        }
    }
    let content_type = headers.first(HeaderName::ContentType).unwrap_or("application/octet-stream");
    let printed = writer.body(content_type, headers.body());
    let again = Message::parse(printed.clone())
        .unwrap_or_else(|refused| panic!("{}: {}", refused.error, String::from_utf8_lossy(&printed)));
    assert_eq!(said(&again), said(message));
    assert_eq!(headers_of(&again).body(), headers.body());
    assert_eq!(
        headers_of(&again).first(HeaderName::ContentType).map(str::to_owned),
        Some(unfolded(content_type))
    );
}

/// One past the blank line; the length if there is none.
fn head_end(message: &[u8]) -> usize {
    message.windows(4).position(|four| four == b"\r\n\r\n").map_or(message.len(), |at| at + 4)
}

/// The header fields' lines as they stand, each with its folds and line ends: found without the parser's index.
fn lines(message: &[u8]) -> Vec<&[u8]> {
    let head = &message[..head_end(message) - 2];
    let mut lines: Vec<&[u8]> = Vec::new();
    let mut at = head.iter().position(|byte| *byte == b'\n').map_or(head.len(), |end| end + 1);
    while at < head.len() {
        let mut end = at;
        loop {
            end = head[end..]
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(head.len(), |found| end + found + 1);
            if !matches!(head.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        lines.push(&head[at..end]);
        at = end;
    }
    lines
}

/// Start line, header fields' lines, and the rest with its blank line.
struct Parts<'m> {
    start: &'m [u8],
    lines: Vec<(HeaderName, Cow<'m, [u8]>)>,
    rest: &'m [u8],
}

impl<'m> Parts<'m> {
    fn of(headers: &'m Headers) -> Self {
        let message: &[u8] = headers.bytes();
        let lines = lines(message);
        assert_eq!(lines.len(), headers.fields().len(), "the index has every line");
        let names = headers.fields().iter().map(|field| field.name);
        Self {
            start: &message[..headers.start_line().len() + 2],
            lines: names.zip(lines.into_iter().map(Cow::Borrowed)).collect(),
            rest: &message[head_end(message) - 2..],
        }
    }

    fn joined(&self) -> Vec<u8> {
        let mut out = self.start.to_vec();
        self.lines.iter().for_each(|(_, line)| out.extend_from_slice(line));
        out.extend_from_slice(self.rest);
        out
    }
}

const VIA: &str = "SIP/2.0/TCP new.example.com;branch=z9hG4bKnew";
const ROUTE: &str = "<sip:new.example.com;lr>";

/// The names that edits are tried with: those a proxy edits, and what the message begins and ends with.
fn names(headers: &Headers) -> Vec<HeaderName> {
    let mut names = vec![HeaderName::Via, HeaderName::Route, HeaderName::MaxForwards, HeaderName::Reason];
    names.extend(headers.fields().first().map(|field| field.name));
    names.extend(headers.fields().last().map(|field| field.name));
    // A name nobody knows has no text to write.
    names.retain(|name| *name != HeaderName::Other);
    names.sort_unstable();
    names.dedup();
    names
}

fn edits(message: &Message) {
    let headers = headers_of(message);
    let parts = Parts::of(headers);
    assert_eq!(Rewrite::new(headers).finish(), headers.bytes(), "no edit is no change");
    assert_eq!(parts.joined(), headers.bytes()[..]);
    for name in names(headers) {
        let line = || Cow::Owned(format!("{name}: {VIA}\r\n").into_bytes());

        let mut rewrite = Rewrite::new(headers);
        rewrite.remove(name);
        let mut expected = Parts::of(headers);
        expected.lines.retain(|(of, _)| *of != name);
        assert_same(&rewrite.finish(), &expected.joined());

        let mut rewrite = Rewrite::new(headers);
        rewrite.remove_if(name, |value| value.len() % 2 == 0);
        let mut expected = Parts::of(headers);
        let mut values = headers.fields().iter().map(|field| headers.value_of(field).len());
        expected.lines.retain(|(of, _)| {
            let length = values.next().expect("one a line");
            *of != name || length % 2 != 0
        });
        assert_same(&rewrite.finish(), &expected.joined());

        let mut rewrite = Rewrite::new(headers);
        rewrite.prepend(name, VIA);
        let mut expected = Parts::of(headers);
        let at = expected.lines.iter().position(|(of, _)| *of == name).unwrap_or(0);
        expected.lines.insert(at, (name, line()));
        assert_same(&rewrite.finish(), &expected.joined());

        let mut rewrite = Rewrite::new(headers);
        rewrite.append(name, VIA);
        let mut expected = Parts::of(headers);
        expected.lines.push((name, line()));
        assert_same(&rewrite.finish(), &expected.joined());

        let mut rewrite = Rewrite::new(headers);
        rewrite.set(name, VIA);
        let mut expected = Parts::of(headers);
        match expected.lines.iter().position(|(of, _)| *of == name) {
            None => expected.lines.push((name, line())),
            Some(at) => {
                let value = headers.value_of(&headers.fields()[at]);
                let before = expected.lines[at].1.clone();
                expected.lines[at].1 = match value {
                    "" => line(),
                    _ => Cow::Owned(spliced(&before, value.as_bytes(), VIA.as_bytes())),
                };
            }
        }
        assert_same(&rewrite.finish(), &expected.joined());
    }
    for name in [HeaderName::Via, HeaderName::Route] {
        lists(headers, name);
    }
    if let Message::Request(request) = message {
        let mut rewrite = Rewrite::new(headers);
        rewrite.request_uri(request, "sip:new@example.com");
        let start = format!("{} sip:new@example.com {}\r\n", request.method(), version(request));
        let expected = Parts { start: start.as_bytes(), ..Parts::of(headers) };
        assert_same(&rewrite.finish(), &expected.joined());
    }
    as_a_proxy(message);
}

fn version(request: &Request) -> &str {
    request.headers().start_line().rsplit_once(' ').map_or("", |(_, version)| version)
}

/// `line` with its value, which stands where the colon and the blanks after it end, replaced.
fn spliced(line: &[u8], value: &[u8], new: &[u8]) -> Vec<u8> {
    let colon = line.iter().position(|byte| *byte == b':').expect("a field has a colon") + 1;
    let blanks = line[colon..].iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
    let start = colon + blanks;
    assert_eq!(&line[start..start + value.len()], value);
    [&line[..start], new, &line[start + value.len()..]].concat()
}

/// Edits inside a comma list leave its other values and all other fields.
fn lists(headers: &Headers, name: HeaderName) {
    let values: Vec<&str> = headers.list(name).collect();
    let others = |headers: &Headers| -> Vec<Vec<u8>> {
        let parts = Parts::of(headers);
        parts.lines.iter().filter(|(of, _)| *of != name).map(|(_, line)| line.to_vec()).collect()
    };
    for count in [1, 2, values.len()] {
        let mut rewrite = Rewrite::new(headers);
        rewrite.remove_first_values(name, count);
        let edited = rewrite.finish();
        let Some(after) = reparsed(edited.clone()) else {
            // The topmost Via that is left must be one (RFC 3261 §8.1.1), with a branch that may be; nothing else makes a
            // message of it none.
            let shown = String::from_utf8_lossy(&edited);
            let next = values.get(count).and_then(|via| Via::parse(via));
            let branch = next.and_then(|via| via.branch()).map_or(0, str::len);
            let refused = next.is_none() || branch > limits::IDENTIFIER_BYTES;
            assert!(name == HeaderName::Via && refused, "{name} without {count}: {shown}");
            continue;
        };
        let after = headers_of(&after);
        let left: Vec<&str> = after.list(name).collect();
        assert_eq!(left, values[count.min(values.len())..], "{name} without its first {count}");
        assert_eq!(others(after), others(headers));
        assert_eq!((after.start_line(), after.body()), (headers.start_line(), headers.body()));
    }
    if let Some((_, rest)) = values.split_first() {
        let mut rewrite = Rewrite::new(headers);
        rewrite.replace_first_value(name, if name == HeaderName::Via { VIA } else { ROUTE });
        let edited = rewrite.finish();
        let after =
            reparsed(edited.clone()).unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&edited)));
        let after = headers_of(&after);
        let now: Vec<&str> = after.list(name).collect();
        // The first value may stand in a later field than the first, which then is left alone.
        if headers.first(name).is_some_and(|first| !first.trim().is_empty()) {
            assert_eq!(now[1..], *rest, "{name} with another first");
        }
        assert_eq!(others(after), others(headers));
    }
}

/// `None` where it is no message any more.
fn reparsed(bytes: Bytes) -> Option<Message> {
    Message::parse(bytes).ok()
}

/// What a proxy does to every request, all at once: the rest leaves as it came.
fn as_a_proxy(message: &Message) {
    const OWN: [HeaderName; 4] =
        [HeaderName::Via, HeaderName::Route, HeaderName::RecordRoute, HeaderName::MaxForwards];
    let headers = headers_of(message);
    if at_the_caps(headers) {
        return;
    }
    let mut rewrite = Rewrite::new(headers);
    rewrite.prepend(HeaderName::Via, VIA);
    rewrite.set(HeaderName::MaxForwards, "9");
    rewrite.remove_first_values(HeaderName::Route, 1);
    rewrite.prepend(HeaderName::RecordRoute, ROUTE);
    let out = rewrite.finish();
    let again = Message::parse(out.clone())
        .unwrap_or_else(|refused| panic!("{}: {}", refused.error, String::from_utf8_lossy(&out)));
    let after = headers_of(&again);
    let foreign = |parts: Parts<'_>| -> Vec<Vec<u8>> {
        parts.lines.iter().filter(|(name, _)| !OWN.contains(name)).map(|(_, line)| line.to_vec()).collect()
    };
    assert_eq!(foreign(Parts::of(after)), foreign(Parts::of(headers)));
    assert_eq!((after.start_line(), after.body()), (headers.start_line(), headers.body()));
    assert_eq!(after.list(HeaderName::Via).next(), Some(VIA));
    assert!(after.list(HeaderName::Via).skip(1).eq(headers.list(HeaderName::Via)));
    assert!(after.list(HeaderName::Route).eq(headers.list(HeaderName::Route).skip(1)));
    assert!(after.list(HeaderName::RecordRoute).skip(1).eq(headers.list(HeaderName::RecordRoute)));
    assert_eq!(after.first(HeaderName::MaxForwards), Some("9"));
    // A parser of either kind takes either kind.
    assert_eq!(Request::parse(out.clone()).is_ok(), matches!(message, Message::Request(_)));
    assert_eq!(Response::parse(out).is_ok(), matches!(message, Message::Response(_)));
}

#[track_caller]
fn assert_same(left: &[u8], right: &[u8]) {
    assert_eq!(String::from_utf8_lossy(left), String::from_utf8_lossy(right));
    assert_eq!(left, right);
}
