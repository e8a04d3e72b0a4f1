//! Bytes → messages: the start line and the five fields every message must have.

use bytes::Bytes;

use super::headers::Span;
use super::value::{CSeq, NameAddr, Via, split_list};
use super::{Fault, HeaderName, Headers, Method, ParseError, Request, Response, Uri, chars};
use crate::limits;

/// A parsed message.
#[derive(Clone, Debug)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// A message that was refused, with what an answer needs where one is possible.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why.
    pub error: ParseError,
    /// The indexed message if it got that far and can be answered: it is a request but ACK, and its top Via is sound.
    /// [`super::Writer::refusal`] answers it.
    pub request: Option<Headers>,
}

impl Message {
    /// Parses one whole message: what a datagram or WebSocket frame held, or what the stream framer cut out.
    pub fn parse(bytes: Bytes) -> Result<Self, Refused> {
        let mut headers = match Headers::index_fields(bytes.clone()) {
            Ok(headers) => headers,
            // The fault may stand beside all that an answer needs.
            Err(error) => {
                const ECHOED: [HeaderName; 5] =
                    [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];
                let whole = Headers::salvage(bytes).filter(|h| ECHOED.iter().all(|name| h.has(*name)));
                return Err(match whole {
                    Some(headers) => Refused::of(headers, error),
                    None => Refused { error, request: None },
                });
            }
        };
        // §18.3: a request whose body is not what its Content-Length says gets a 400.
        if let Err(error) = headers.delimit_body() {
            return Err(Refused::of(headers, error));
        }
        if headers.start_line().starts_with("SIP/") {
            return Response::from_headers(headers)
                .map(Self::Response)
                .map_err(|error| Refused { error, request: None });
        }
        match start_request(&headers) {
            Err(error) => Err(Refused::of(headers, error)),
            Ok((method, uri)) => match Essentials::read(&headers, Some(&method)) {
                Err(error) => Err(Refused::of(headers, error)),
                Ok(essentials) => Ok(Self::Request(Request::new(headers, method, uri, essentials))),
            },
        }
    }
}

impl Refused {
    /// An ACK is never answered (§17.1.1.3), nor what does not look like a request, nor what does not say where to
    /// (§18.2.2).
    pub(crate) fn of(headers: Headers, error: ParseError) -> Self {
        let line = headers.start_line();
        let is_request = !line.starts_with("ACK ") && !line.starts_with("SIP/") && line.contains(' ');
        let answerable = is_request && headers.list(HeaderName::Via).next().and_then(Via::parse).is_some();
        Self { error, request: answerable.then_some(headers) }
    }
}

/// `Request-Line = Method SP Request-URI SP SIP-Version` (§7.1), single spaces and nothing after.
fn start_request(headers: &Headers) -> Result<(Method, Span), ParseError> {
    let line = headers.start_line();
    let malformed =
        |fault, part: &str| ParseError::new(fault, Span::of(line.as_bytes(), part).start as usize);
    let (method, rest) = line.split_once(' ').ok_or(ParseError::new(Fault::StartLine, 0))?;
    if !chars::is_token(method) || method.len() > limits::IDENTIFIER_BYTES {
        return Err(ParseError::new(Fault::Method, 0));
    }
    let (uri, version) = rest.rsplit_once(' ').ok_or(ParseError::new(Fault::StartLine, method.len()))?;
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        let other = version.get(..4).is_some_and(|v| v.eq_ignore_ascii_case("SIP/"));
        return Err(malformed(if other { Fault::Version } else { Fault::StartLine }, version));
    }
    // A Request-URI has no headers part (§19.1.1, table 1) and no white space or brackets.
    let parsed = Uri::parse(uri).ok_or(malformed(Fault::RequestUri, uri))?;
    if parsed.sip().is_some_and(|sip| sip.headers.is_some()) {
        return Err(malformed(Fault::RequestUri, uri));
    }
    Ok((Method::from_token(method), Span::of(line.as_bytes(), uri)))
}

/// `Status-Line = SIP-Version SP Status-Code SP Reason-Phrase` (§7.2); an absent phrase is taken as empty.
pub(crate) fn start_response(headers: &Headers) -> Result<(u16, Span), ParseError> {
    let line = headers.start_line();
    let rest = line.strip_prefix("SIP/2.0 ").ok_or(ParseError::new(Fault::Version, 0))?;
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, &rest[rest.len()..]));
    let status = (code.len() == 3).then(|| chars::number(code)).flatten();
    match status.and_then(|s| u16::try_from(s).ok()) {
        Some(status @ 100..=699) => Ok((status, Span::of(line.as_bytes(), reason))),
        _ => Err(ParseError::new(Fault::Status, 8)),
    }
}

/// What every message carries, read once.
#[derive(Clone, Debug)]
pub(crate) struct Essentials {
    pub(crate) via: Span,
    pub(crate) branch: Option<Span>,
    pub(crate) from: Span,
    pub(crate) from_tag: Option<Span>,
    pub(crate) to: Span,
    pub(crate) to_tag: Option<Span>,
    pub(crate) call_id: Span,
    pub(crate) cseq: CSeq,
}

impl Essentials {
    /// Reads and checks Via, From, To, Call-ID, CSeq (§8.1.1) and, if there, Max-Forwards.
    pub(crate) fn read(headers: &Headers, method: Option<&Method>) -> Result<Self, ParseError> {
        let whole = &headers.bytes()[..];
        let limited = |name: HeaderName, part: Option<&str>| match part {
            Some(text) if text.len() > limits::IDENTIFIER_BYTES => {
                Err(ParseError::new(Fault::Overlong(name), Span::of(whole, text).start as usize))
            }
            Some(text) => Ok(Some(Span::of(whole, text))),
            None => Ok(None),
        };
        let at = |text: &str| Span::of(whole, text).start as usize;

        let via_field = headers.first(HeaderName::Via).ok_or(missing(HeaderName::Via))?;
        let malformed_via = || ParseError::new(Fault::Malformed(HeaderName::Via), at(via_field));
        let via_text = split_list(via_field).next().ok_or_else(malformed_via)?;
        let via = Via::parse(via_text).ok_or_else(malformed_via)?;
        let branch = limited(HeaderName::Via, via.branch())?;

        let (from_text, from) = address(headers, HeaderName::From)?;
        let (to_text, to) = address(headers, HeaderName::To)?;
        let from_tag = limited(HeaderName::From, from.tag())?;
        let to_tag = limited(HeaderName::To, to.tag())?;

        let call_id = single(headers, HeaderName::CallId)?;
        if !chars::is_call_id(call_id) {
            return Err(ParseError::new(Fault::Malformed(HeaderName::CallId), at(call_id)));
        }
        limited(HeaderName::CallId, Some(call_id))?;

        let cseq_text = single(headers, HeaderName::CSeq)?;
        let cseq = CSeq::parse(cseq_text)
            .ok_or(ParseError::new(Fault::Malformed(HeaderName::CSeq), at(cseq_text)))?;
        if method.is_some_and(|method| *method != cseq.method) {
            return Err(ParseError::new(Fault::CSeqMethod, at(cseq_text)));
        }

        if headers.has(HeaderName::MaxForwards) {
            let text = single(headers, HeaderName::MaxForwards)?;
            if chars::number(text).is_none_or(|hops| hops > 255) {
                return Err(ParseError::new(Fault::Malformed(HeaderName::MaxForwards), at(text)));
            }
        }

        Ok(Self {
            via: Span::of(whole, via_text),
            branch,
            from: Span::of(whole, from_text),
            from_tag,
            to: Span::of(whole, to_text),
            to_tag,
            call_id: Span::of(whole, call_id),
            cseq,
        })
    }
}

const fn missing(name: HeaderName) -> ParseError {
    ParseError::new(Fault::Missing(name), 0)
}

/// The value of a field that must stand exactly once.
fn single(headers: &Headers, name: HeaderName) -> Result<&str, ParseError> {
    let mut fields = headers.fields().iter().filter(|f| f.name == name);
    let field = fields.next().ok_or(missing(name))?;
    match fields.next() {
        Some(second) => Err(ParseError::new(Fault::Duplicate(name), second.line.start as usize)),
        None => Ok(headers.value_of(field)),
    }
}

/// From or To: one address, and no comma smuggles a second.
fn address(headers: &Headers, name: HeaderName) -> Result<(&str, NameAddr<'_>), ParseError> {
    let text = single(headers, name)?;
    match NameAddr::parse(text) {
        Some(address) => Ok((text, address)),
        None => {
            let offset = Span::of(headers.bytes(), text).start as usize;
            Err(ParseError::new(Fault::Malformed(name), offset))
        }
    }
}
