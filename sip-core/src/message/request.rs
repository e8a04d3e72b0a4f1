//! Requests and responses.

use bytes::Bytes;

use super::index::Span;
use super::parse::Essentials;
use super::{CSeq, HeaderName, Headers, Message, Method, NameAddr, ParseError, Refused, Via, chars};

/// A request whose Via, From, To, Call-ID and CSeq were read and are sound. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct Request {
    headers: Headers,
    method: Method,
    uri: Span,
    essentials: Essentials,
}

/// A response whose Via, From, To, Call-ID and CSeq were read and are sound. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct Response {
    headers: Headers,
    status: u16,
    reason: Span,
    essentials: Essentials,
}

impl Request {
    pub(super) const fn new(headers: Headers, method: Method, uri: Span, essentials: Essentials) -> Self {
        Self { headers, method, uri, essentials }
    }

    /// Parses a message that must be a request.
    pub fn parse(bytes: Bytes) -> Result<Self, Refused> {
        match Message::parse(bytes)? {
            Message::Request(request) => Ok(request),
            Message::Response(_) => {
                let error = ParseError::new(super::Fault::StartLine, 0);
                Err(Refused { error, request: None })
            }
        }
    }

    /// The method.
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The Request-URI as it stands; it was checked to be a URI.
    pub fn uri(&self) -> &str {
        self.headers.slice(self.uri)
    }

    /// Max-Forwards; it was checked to be a number up to 255.
    pub fn max_forwards(&self) -> Option<u8> {
        let value = chars::number(self.headers.first(HeaderName::MaxForwards)?)?;
        u8::try_from(value).ok()
    }
}

impl Response {
    pub(super) const fn new(headers: Headers, status: u16, reason: Span, essentials: Essentials) -> Self {
        Self { headers, status, reason, essentials }
    }

    /// Parses a message that must be a response.
    pub fn parse(bytes: Bytes) -> Result<Self, Refused> {
        match Message::parse(bytes)? {
            Message::Response(response) => Ok(response),
            Message::Request(_) => {
                let error = ParseError::new(super::Fault::StartLine, 0);
                Err(Refused { error, request: None })
            }
        }
    }

    /// 100–699.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase; may be empty.
    pub fn reason(&self) -> &str {
        self.headers.slice(self.reason)
    }

    /// 1xx.
    pub const fn is_provisional(&self) -> bool {
        self.status < 200
    }

    /// 2xx.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

macro_rules! essentials {
    ($message:ty) => {
        /// By the bytes.
        impl PartialEq for $message {
            fn eq(&self, other: &Self) -> bool {
                self.bytes() == other.bytes()
            }
        }

        impl Eq for $message {}

        impl $message {
            /// Header fields and body.
            pub const fn headers(&self) -> &Headers {
                &self.headers
            }

            /// The message as it came.
            pub const fn bytes(&self) -> &Bytes {
                self.headers.bytes()
            }

            /// The body.
            pub fn body(&self) -> &[u8] {
                self.headers.body()
            }

            /// The topmost Via.
            pub fn via(&self) -> Via<'_> {
                self.essentials.via_places.within(self.headers.slice(self.essentials.via.span()))
            }

            /// The topmost Via's branch.
            pub fn branch(&self) -> Option<&str> {
                self.essentials.branch.within(self.headers.slice(self.essentials.via.span()))
            }

            /// From.
            pub fn from(&self) -> NameAddr<'_> {
                self.essentials.from_places.within(self.headers.slice(self.essentials.from.span()))
            }

            /// To.
            pub fn to(&self) -> NameAddr<'_> {
                self.essentials.to_places.within(self.headers.slice(self.essentials.to.span()))
            }

            /// From's tag; RFC 2543 peers may send none.
            pub fn from_tag(&self) -> Option<&str> {
                self.essentials.from_tag.within(self.headers.slice(self.essentials.from.span()))
            }

            /// To's tag: absent outside a dialog.
            pub fn to_tag(&self) -> Option<&str> {
                self.essentials.to_tag.within(self.headers.slice(self.essentials.to.span()))
            }

            /// Call-ID.
            pub fn call_id(&self) -> &str {
                self.headers.slice(self.essentials.call_id.span())
            }

            /// CSeq.
            pub const fn cseq(&self) -> &CSeq {
                &self.essentials.cseq
            }
        }
    };
}

essentials!(Request);
essentials!(Response);
