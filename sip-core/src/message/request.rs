//! Requests and responses.

use alloc::sync::Arc;

use bytes::Bytes;

use super::index::Span;
use super::parse::Parts;
use super::rewrite::has_value;
use super::{
    CSeq, HeaderName, Headers, Message, Method, NameAddr, ParseError, Refused, Rewrite, Uri, Via, chars,
    split_list,
};

/// A request whose Via, From, To, Call-ID and CSeq were read and are sound. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Request(pub(super) Arc<Parts>);

/// A response whose Via, From, To, Call-ID and CSeq were read and are sound. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Response(pub(super) Arc<Parts>);

impl Request {
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

    /// The same request with `value`, a Via's, as its topmost Via. Nothing else of it is read again.
    pub(crate) fn with_top_via(mut self, value: &str) -> Result<Self, Refused> {
        let place = self.0.essentials.via.span();
        if let Some(essentials) = self.0.essentials.with_via(value) {
            let parts = Arc::make_mut(&mut self.0);
            if parts.headers.put(place, value) {
                parts.essentials = essentials;
                return Ok(self);
            }
        }
        let mut rewrite = Rewrite::new(self.headers());
        rewrite.replace_first_value(HeaderName::Via, value);
        Self::parse(rewrite.finish())
    }

    /// The topmost Via as it stands.
    pub(crate) fn via_text(&self) -> &str {
        self.headers().slice(self.0.essentials.via.span())
    }

    /// The method, which CSeq was checked to have, too.
    pub fn method(&self) -> &Method {
        &self.0.essentials.cseq.method
    }

    /// The Request-URI as it stands; it was checked to be a URI.
    pub fn uri(&self) -> &str {
        self.headers().slice(self.0.start.text)
    }

    /// The Request-URI in its parts.
    #[inline]
    pub fn parsed_uri(&self) -> Option<Uri<'_>> {
        self.0.start.uri.within(self.uri())
    }

    /// Max-Forwards; it was checked to be a number up to 255.
    pub fn max_forwards(&self) -> Option<u8> {
        let value = chars::number(self.headers().first(HeaderName::MaxForwards)?)?;
        u8::try_from(value).ok()
    }
}

impl Response {
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
    pub fn status(&self) -> u16 {
        self.0.start.status
    }

    /// The reason phrase; may be empty.
    pub fn reason(&self) -> &str {
        self.headers().slice(self.0.start.text)
    }

    /// 1xx.
    pub fn is_provisional(&self) -> bool {
        self.status() < 200
    }

    /// Whether the topmost Via and the one below it stand in fields of their own, as is the rule.
    pub(crate) fn vias_are_fields(&self) -> bool {
        let mut fields = self.headers().fields_of(HeaderName::Via);
        fields.next().is_some_and(|first| first.value() == self.0.essentials.via.span())
            && fields.next().is_some_and(|second| has_value(self.headers().value_of(second)))
    }

    /// The Via below the topmost: whom it is for next.
    pub fn next_via(&self) -> Option<&str> {
        self.next_vias().next()
    }

    /// 2xx.
    pub fn is_success(&self) -> bool {
        matches!(self.status(), 200..=299)
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
            pub fn headers(&self) -> &Headers {
                &self.0.headers
            }

            /// The message as it came.
            pub fn bytes(&self) -> &Bytes {
                self.0.headers.bytes()
            }

            /// The body.
            pub fn body(&self) -> &[u8] {
                self.0.headers.body()
            }

            /// The topmost Via.
            #[inline]
            pub fn via(&self) -> Via<'_> {
                self.0.essentials.via_places.within(self.0.headers.slice(self.0.essentials.via.span()))
            }

            /// The topmost Via's branch.
            pub fn branch(&self) -> Option<&str> {
                self.0.essentials.branch.within(self.0.headers.slice(self.0.essentials.via.span()))
            }

            /// The Vias below the topmost.
            pub(crate) fn next_vias(&self) -> impl Iterator<Item = &str> {
                let (headers, top) = (&self.0.headers, self.0.essentials.via.span());
                let fields = headers.fields_of(HeaderName::Via);
                // As a rule each stands in a field of its own, and nothing behind the topmost in its.
                fields.skip_while(move |field| field.value().end < top.end).flat_map(move |field| {
                    let start = field.value().start;
                    let start = if start <= top.end { top.end } else { start };
                    split_list(headers.slice(Span { start, end: field.value().end }))
                })
            }

            /// From.
            #[inline]
            pub fn from(&self) -> NameAddr<'_> {
                self.0.essentials.from_places.within(self.0.headers.slice(self.0.essentials.from.span()))
            }

            /// To.
            #[inline]
            pub fn to(&self) -> NameAddr<'_> {
                self.0.essentials.to_places.within(self.0.headers.slice(self.0.essentials.to.span()))
            }

            /// From's tag; RFC 2543 peers may send none.
            pub fn from_tag(&self) -> Option<&str> {
                self.0.essentials.from_tag.within(self.0.headers.slice(self.0.essentials.from.span()))
            }

            /// To's tag: absent outside a dialog.
            pub fn to_tag(&self) -> Option<&str> {
                self.0.essentials.to_tag.within(self.0.headers.slice(self.0.essentials.to.span()))
            }

            /// Call-ID.
            pub fn call_id(&self) -> &str {
                self.0.headers.slice(self.0.essentials.call_id.span())
            }

            /// CSeq.
            pub fn cseq(&self) -> &CSeq {
                &self.0.essentials.cseq
            }
        }
    };
}

essentials!(Request);
essentials!(Response);
