//! Bytes → messages: the start line and the five fields every message must have.

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::Bytes;

use super::index::{Index, Span};
use super::places::{AddressPlaces, Place, UriPlaces, ViaPlaces};
use super::value::{CSeq, NameAddr, Via, split_list};
use super::{Fault, Field, HeaderName, Headers, Method, ParseError, Request, Response, chars};
use crate::limits;

/// The fields an answer repeats (§8.2.6.2).
const ECHOED: [HeaderName; 5] =
    [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];

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
    pub request: Option<Box<Headers>>,
}

impl Message {
    /// Parses one whole message: what a datagram or WebSocket frame held, or what the stream framer cut out.
    pub fn parse(bytes: Bytes) -> Result<Self, Refused> {
        let mut parts = Parts::unread(bytes);
        if let Err(error) = parts.headers.read() {
            // The fault may stand beside all that an answer needs.
            let whole = Headers::salvage(parts.headers.bytes().clone());
            return Err(match whole.filter(|h| ECHOED.iter().all(|name| h.has(*name))) {
                Some(headers) => Refused::of(headers, error),
                None => Refused { error, request: None },
            });
        }
        if let Err(error) = parts.read() {
            return Err(Refused::of(parts.headers, error));
        }
        let parts = Arc::new(parts);
        Ok(match parts.start.status {
            0 => Self::Request(Request(parts)),
            _ => Self::Response(Response(parts)),
        })
    }
}

/// A message, and what was read of it. (It is large enough to be better filled in where it stays.)
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) headers: Headers,
    pub(super) start: Start,
    pub(super) essentials: Essentials,
}

/// What the start line says, save for a request's method, which CSeq has, too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// 0: it is a request.
    pub(super) status: u16,
    /// Where the Request-URI or the reason phrase is.
    pub(super) text: Span,
    /// Where the parts of the Request-URI are in it.
    pub(super) uri: UriPlaces,
}

impl Parts {
    #[inline]
    fn unread(bytes: Bytes) -> Self {
        let start = Start { status: 0, text: Span::new(0, 0), uri: UriPlaces::NONE };
        Self { headers: Headers::unread(bytes), start, essentials: Essentials::UNREAD }
    }

    /// Reads what is indexed.
    #[inline]
    fn read(&mut self) -> Result<(), ParseError> {
        let Self { headers, start, essentials } = self;
        let (index, head) = headers.indexed();
        // §18.3: a request whose body is not what its Content-Length says gets a 400.
        let end = index.body_end(head, headers.bytes().len())?;
        let line = index.start_line(head);
        let method = if names_version(line) {
            *start = start_response(line)?;
            None
        } else {
            let (read, method) = start_request(line)?;
            *start = read;
            Some(method)
        };
        essentials.read(index, head, method)?;
        headers.end_at(end);
        Ok(())
    }
}

impl Refused {
    /// An ACK is never answered (§17.1.1.3), nor what does not look like a request, nor what does not say where to
    /// (§18.2.2), nor what says it in bytes that no message may repeat.
    pub(crate) fn of(headers: Headers, error: ParseError) -> Self {
        let line = headers.start_line();
        let is_request = !line.starts_with("ACK ") && !names_version(line) && line.contains(' ');
        let mut echoed = headers.fields().iter().filter(|field| ECHOED.contains(&field.name));
        let answerable = is_request
            && echoed.all(|field| headers.is_text(field))
            && headers.list(HeaderName::Via).next().and_then(Via::parse).is_some();
        Self { error, request: answerable.then(|| Box::new(headers)) }
    }
}

/// What begins a Status-Line and ends a Request-Line, in any case (§7.1).
fn names_version(text: &str) -> bool {
    text.as_bytes().get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"))
}

/// `Request-Line = Method SP Request-URI SP SIP-Version` (§7.1), single spaces and nothing after.
fn start_request(line: &str) -> Result<(Start, &str), ParseError> {
    let malformed =
        |fault, part: &str| ParseError::new(fault, Span::of(line.as_bytes(), part).start as usize);
    let space = chars::find_byte(line.as_bytes(), 0, b' ');
    let method = &line[..space];
    let rest = line.get(space + 1..).ok_or(ParseError::new(Fault::StartLine, 0))?;
    if !chars::is_token(method) || method.len() > limits::IDENTIFIER_BYTES {
        return Err(ParseError::new(Fault::Method, 0));
    }
    let uri = match rest.strip_suffix(" SIP/2.0") {
        Some(uri) => uri,
        // Another version, or small letters.
        None => {
            let (uri, version) =
                rest.rsplit_once(' ').ok_or(ParseError::new(Fault::StartLine, method.len()))?;
            if !version.eq_ignore_ascii_case("SIP/2.0") {
                let fault = if names_version(version) { Fault::Version } else { Fault::StartLine };
                return Err(malformed(fault, version));
            }
            uri
        }
    };
    if uri.len() > limits::REQUEST_URI_BYTES {
        return Err(malformed(Fault::RequestUriTooLong, uri));
    }
    // A Request-URI has no white space or brackets either.
    let places = UriPlaces::read(uri).ok_or_else(|| malformed(Fault::RequestUri, uri))?;
    Ok((Start { status: 0, text: Span::of(line.as_bytes(), uri), uri: places }, method))
}

/// `Status-Line = SIP-Version SP Status-Code SP Reason-Phrase` (§7.2); an absent phrase is taken as empty.
fn start_response(line: &str) -> Result<Start, ParseError> {
    let rest = match line.strip_prefix("SIP/2.0 ") {
        Some(rest) => rest,
        None => {
            let (version, rest) = line.split_once(' ').unwrap_or((line, ""));
            if !version.eq_ignore_ascii_case("SIP/2.0") {
                return Err(ParseError::new(Fault::Version, 0));
            }
            rest
        }
    };
    let (code, reason) = match rest.as_bytes() {
        [_, _, _, b' ', ..] => (&rest[..3], &rest[4..]),
        _ => rest.split_once(' ').unwrap_or((rest, &rest[rest.len()..])),
    };
    let status = (code.len() == 3).then(|| chars::number(code)).flatten();
    match status.and_then(|s| u16::try_from(s).ok()) {
        Some(status @ 100..=699) => {
            Ok(Start { status, text: Span::of(line.as_bytes(), reason), uri: UriPlaces::NONE })
        }
        _ => Err(ParseError::new(Fault::Status, 8)),
    }
}

/// What every message carries, read once: where the values are in the head, and where their parts in them.
#[derive(Clone, Debug)]
pub(super) struct Essentials {
    pub(super) via: Place,
    pub(super) via_places: ViaPlaces,
    pub(super) branch: Place,
    pub(super) from: Place,
    pub(super) from_places: AddressPlaces,
    pub(super) from_tag: Place,
    pub(super) to: Place,
    pub(super) to_places: AddressPlaces,
    pub(super) to_tag: Place,
    pub(super) call_id: Place,
    pub(super) cseq: CSeq,
}

impl Essentials {
    const UNREAD: Self = Self {
        via: Place::NOWHERE,
        via_places: ViaPlaces::NONE,
        branch: Place::NOWHERE,
        from: Place::NOWHERE,
        from_places: AddressPlaces::NONE,
        from_tag: Place::NOWHERE,
        to: Place::NOWHERE,
        to_places: AddressPlaces::NONE,
        to_tag: Place::NOWHERE,
        call_id: Place::NOWHERE,
        cseq: CSeq { number: 0, method: Method::Invite },
    };

    /// Reads and checks Via, From, To, Call-ID, CSeq (§8.1.1), which has a request's `method`, and, if there, Max-Forwards.
    fn read(&mut self, index: &Index, head: &str, method: Option<&str>) -> Result<(), ParseError> {
        let whole = head.as_bytes();
        let value = |field: &Field| &head[field.value().range()];
        let single = |name| index.single(name).map(value);
        let limited = |name: HeaderName, part: Option<&str>| match part {
            Some(text) if text.len() > limits::IDENTIFIER_BYTES => {
                Err(ParseError::new(Fault::Overlong(name), Span::of(whole, text).start as usize))
            }
            _ => Ok(()),
        };
        let at = |text: &str| Span::of(whole, text).start as usize;

        let missing_via = ParseError::new(Fault::Missing(HeaderName::Via), 0);
        let via_field = index.first(HeaderName::Via).map(value).ok_or(missing_via)?;
        let malformed_via = || ParseError::new(Fault::Malformed(HeaderName::Via), at(via_field));
        let (via_text, via_places, branch) = first_via(via_field).ok_or_else(malformed_via)?;
        self.via_places = via_places;
        limited(HeaderName::Via, branch.within(via_text))?;
        self.via = Place::of(head, via_text);
        self.branch = branch;

        let address = |name, places: &mut AddressPlaces, tag: &mut Place| {
            let text = single(name)?;
            // One address, and no comma smuggles a second.
            if let Some(read) = AddressPlaces::read(text) {
                (*places, *tag) = read;
                return Ok(text);
            }
            let malformed = || ParseError::new(Fault::Malformed(name), at(text));
            let (address, its_tag) = NameAddr::read(text).ok_or_else(malformed)?;
            (*places, *tag) = (AddressPlaces::of(text, &address), Place::maybe(text, its_tag));
            Ok(text)
        };
        let from = address(HeaderName::From, &mut self.from_places, &mut self.from_tag)?;
        let to = address(HeaderName::To, &mut self.to_places, &mut self.to_tag)?;
        limited(HeaderName::From, self.from_tag.within(from))?;
        limited(HeaderName::To, self.to_tag.within(to))?;
        self.from = Place::of(head, from);
        self.to = Place::of(head, to);

        let call_id = single(HeaderName::CallId)?;
        if !chars::is_call_id(call_id) {
            return Err(ParseError::new(Fault::Malformed(HeaderName::CallId), at(call_id)));
        }
        limited(HeaderName::CallId, Some(call_id))?;
        self.call_id = Place::of(head, call_id);

        let cseq = single(HeaderName::CSeq)?;
        let malformed_cseq = || ParseError::new(Fault::Malformed(HeaderName::CSeq), at(cseq));
        self.cseq = CSeq::parse(cseq).ok_or_else(malformed_cseq)?;
        let cseq_method = self.cseq.method.as_str();
        // A request's first line bounds its method, too; a response has none.
        if cseq_method.len() > limits::IDENTIFIER_BYTES {
            return Err(ParseError::new(Fault::Overlong(HeaderName::CSeq), at(cseq)));
        }
        if method.is_some_and(|method| method != cseq_method) {
            return Err(ParseError::new(Fault::CSeqMethod, at(cseq)));
        }

        if index.has(HeaderName::MaxForwards) {
            let text = single(HeaderName::MaxForwards)?;
            if chars::number(text).is_none_or(|hops| hops > 255) {
                return Err(ParseError::new(Fault::Malformed(HeaderName::MaxForwards), at(text)));
            }
        }
        Ok(())
    }

    /// The same with another topmost Via. `None`: it is none, or more than one.
    pub(super) fn with_via(&self, value: &str) -> Option<Self> {
        let (text, via_places, branch) = first_via(value)?;
        let (place, len) = (self.via.span(), value.len());
        (text.len() == len).then(|| Self {
            via: self.via.moved(place, len),
            via_places,
            branch,
            from: self.from.moved(place, len),
            to: self.to.moved(place, len),
            call_id: self.call_id.moved(place, len),
            ..self.clone()
        })
    }
}

/// The topmost Via of a field: its text, where its parts are, and its branch.
fn first_via(field: &str) -> Option<(&str, ViaPlaces, Place)> {
    // Empty list elements count for nothing, but nobody sends them.
    let text = if field.starts_with(',') { split_list(field).next()? } else { field };
    let (places, branch, end) = ViaPlaces::read(text)?;
    let ends = matches!(text.as_bytes().get(end), None | Some(b','));
    ends.then(|| (chars::trim(&text[..end]), places, branch))
}
