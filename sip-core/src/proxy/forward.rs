//! Request and response forwarding (§16.6, §16.7): what a message becomes on its way. Everything else of it leaves
//! as it came, byte for byte.

use alloc::borrow::Cow;
use alloc::format;

use bytes::Bytes;

use super::history::Story;
use super::identity::{self, Asserted};
use super::privacy::{self, Served};
use super::session_timer::Asked;
use crate::auth::{self, Credentials};
use crate::limits;
use crate::message::digits::{Decimal, push_socket};
use crate::message::{HeaderName, Headers, NameAddr, Request, Response, Rewrite, Uri, as_sips, is_sips};
use crate::transport::Hop;

/// Max-Forwards of a request that came without (§16.6 step 3).
const MAX_FORWARDS: u8 = 70;

/// How many fields a forwarded request may have more than the one that came: Via, two Record-Route (a REGISTER: Path and Require), two Route (a Path,
/// and a strict router's URI), Max-Forwards, Max-Breadth, P-Asserted-Identity, Content-Length, Diversion, History-Info,
/// Session-Expires, Min-SE.
const ADDED: usize = 13;

/// Bytes that all these have together in nearly every request, but for the Record-Routes.
const USUALLY_ADDED: usize = 256;

/// What changes in a request.
#[derive(Debug)]
pub(super) struct Change<'a> {
    /// The Request-URI, if it is another (§16.6 step 2).
    pub(super) request_uri: Option<&'a str>,
    /// How many Route values were ours (§16.4).
    pub(super) routes: usize,
    /// The Routes that are put before what is left of those (RFC 3327 §5.3).
    pub(super) path: &'a str,
    /// The Path value that a REGISTER gets (RFC 3327 §5.2).
    pub(super) own_path: Option<&'a str>,
    /// The Record-Route values, topmost first (§16.6 step 4).
    pub(super) record_routes: &'a [&'a str],
    /// Where it goes.
    pub(super) hop: &'a Hop,
    /// The branch of our Via, and its other parameters.
    pub(super) branch: &'a str,
    /// What the copy has of Max-Breadth.
    pub(super) breadth: u32,
    /// Credentials for this realm with a nonce of ours end here, whichever field has them.
    pub(super) realm: &'a str,
    /// Whose identity it asserts.
    pub(super) asserted: &'a Asserted,
    /// Whether its receiver is of our trust domain.
    pub(super) trusted: bool,
    /// Where it was forwarded from.
    pub(super) story: Option<&'a Story>,
    /// The session timer that is asked for.
    pub(super) session: Option<Asked>,
}

/// The request as it goes out.
pub(super) fn request(request: &Request, change: &Change<'_>) -> Bytes {
    let headers = request.headers();
    let mut rewrite = Rewrite::new(headers);
    rewrite.reserve(change.record_routes.iter().map(|value| value.len()).sum::<usize>() + USUALLY_ADDED);
    // Step 6; and step 7: what is for a `sips` URI goes on "as if the input URI were a SIPS URI".
    let strict = strict(headers, change.routes);
    let strict = strict.map(|uri| if is_sips(request.uri()) { as_sips(uri) } else { Cow::Borrowed(uri) });
    if let Some(uri) = strict.as_deref().or(change.request_uri) {
        rewrite.request_uri(request, uri);
    }
    // Step 8. Said first, so that it stands above a Record-Route at the same place.
    let Hop { transport, local, .. } = change.hop;
    rewrite.prepend_with(HeaderName::Via, |via| {
        via.push_str("SIP/2.0/");
        via.push_str(transport.via_token());
        via.push(' ');
        push_socket(via, local);
        via.push_str(";branch=");
        via.push_str(change.branch);
    });
    for value in change.record_routes {
        rewrite.prepend(HeaderName::RecordRoute, value);
    }
    if let Some(path) = change.own_path {
        rewrite.prepend(HeaderName::Path, path);
        // "the proxy SHOULD insert a Requires header field value": without it nobody is reached, and nobody would know.
        if !headers.lists(HeaderName::Require, "path") {
            rewrite.append(HeaderName::Require, "path");
        }
    }
    // Step 3. OPTIONS at 0 was answered by the server, so there is something to take from.
    let hops = request.max_forwards().map_or(MAX_FORWARDS, |hops| hops.saturating_sub(1));
    rewrite.set(HeaderName::MaxForwards, Decimal::new(hops.into()).as_str());
    set_breadth(&mut rewrite, headers, change.breadth);
    if !change.path.is_empty() {
        rewrite.prepend(HeaderName::Route, change.path);
    }
    match strict {
        None => rewrite.remove_first_values(HeaderName::Route, change.routes),
        // Step 6: "the proxy MUST place the Request-URI into the Route header field as the last value", and the strict
        // router's URI in its place.
        Some(_) => {
            rewrite.remove_first_values(HeaderName::Route, change.routes + 1);
            let target = change.request_uri.unwrap_or_else(|| request.uri());
            rewrite.append(HeaderName::Route, &format!("<{target}>"));
        }
    }
    // §22.3, and §22.2 for who proved itself to the registrar here: nobody behind us checks them.
    for name in [HeaderName::ProxyAuthorization, HeaderName::Authorization] {
        rewrite.remove_if(name, |value| {
            Credentials::parse(value)
                .is_ok_and(|own| own.realm == change.realm && auth::is_like_ours(&own.nonce))
        });
    }
    let id = identity::in_request(&mut rewrite, request, change.asserted, change.trusted);
    let mut history = false;
    if let Some(story) = change.story {
        rewrite.reserve(story.len());
        history = story.write(&mut rewrite);
    }
    privacy::in_request(&mut rewrite, request, Served { id, history });
    if let Some(asked) = change.session {
        asked.in_request(&mut rewrite, request);
    }
    delimit(&mut rewrite, headers);
    rewrite.finish()
}

/// Whether `forwarded`, as which `request` goes out, is within the caps of whoever reads messages as we do. What stands in it was
/// read before, so that nobody need read it again to know.
pub(super) fn can_be_read(request: &Request, forwarded: &[u8]) -> bool {
    let line = memchr::memchr(b'\r', forwarded).unwrap_or(forwarded.len());
    // Around the Request-URI there stand the method, two spaces and `SIP/2.0`.
    let uri = line.saturating_sub(request.method().as_str().len() + 9);
    uri <= limits::REQUEST_URI_BYTES
        && forwarded.len() <= limits::MESSAGE_BYTES
        && request.headers().fields().len() + ADDED <= limits::HEADER_FIELDS
}

/// The next router behind our own Routes, if it is a strict one (RFC 2543): its URI has no `lr`.
fn strict(headers: &Headers, routes: usize) -> Option<&str> {
    let route = NameAddr::parse(headers.list(HeaderName::Route).nth(routes)?)?;
    match route.parsed_uri()? {
        Uri::Sip(uri) if !uri.has_param("lr") => Some(request_uri(route.uri)),
        _ => None,
    }
}

/// RFC 5393 §5.3.3: "All proxied requests MUST contain a single Max-Breadth".
fn set_breadth(rewrite: &mut Rewrite<'_>, headers: &Headers, breadth: u32) {
    let mut there = headers.all(HeaderName::MaxBreadth);
    let breadth = Decimal::new(breadth.into());
    let breadth = breadth.as_str();
    match (there.next(), there.next()) {
        (Some(value), None) if value == breadth => {}
        (Some(_), None) => rewrite.set(HeaderName::MaxBreadth, breadth),
        (first, _) => {
            if first.is_some() {
                rewrite.remove(HeaderName::MaxBreadth);
            }
            rewrite.append(HeaderName::MaxBreadth, breadth);
        }
    }
}

/// §16.6 step 9, here for every transport: a datagram's end is no longer there on a stream, where the body would be
/// messages of their own.
fn delimit(rewrite: &mut Rewrite<'_>, headers: &Headers) {
    if !headers.has(HeaderName::ContentLength) {
        rewrite.append(HeaderName::ContentLength, Decimal::new(headers.body().len() as u64).as_str());
    }
}

/// A contact's URI as a Request-URI, where headers may not stand (§16.6 step 2, §19.1.1 table 1).
pub(super) fn request_uri(contact: &str) -> &str {
    // A question mark may stand in the user part too, and an `@` only behind it.
    let host = contact.find('@').unwrap_or(0);
    contact[host..].find('?').map_or(contact, |at| &contact[..host + at])
}

/// Which ends of a response's way here are of our trust domain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trust {
    pub(super) from: bool,
    pub(super) to: bool,
}

/// The response without our Via (§16.7 step 3). `None`: ours was the only one, so it is for nobody else. `session` is what its
/// request was forwarded with.
pub(super) fn response(response: &Response, trust: Trust, session: Option<Asked>) -> Option<Bytes> {
    let headers = response.headers();
    let mut rewrite = without_our_via(response)?;
    let id = identity::in_response(&mut rewrite, response, trust.from, trust.to);
    privacy::in_response(&mut rewrite, response, Served { id, history: false });
    if let Some(asked) = session {
        asked.in_response(&mut rewrite, response);
    }
    delimit(&mut rewrite, headers);
    Some(rewrite.finish())
}

fn without_our_via(response: &Response) -> Option<Rewrite<'_>> {
    let mut rewrite = Rewrite::new(response.headers());
    if response.vias_are_fields() {
        rewrite.remove_first_field(HeaderName::Via);
        return Some(rewrite);
    }
    response.next_via()?;
    rewrite.remove_first_values(HeaderName::Via, 1);
    Some(rewrite)
}

/// The same for a 401 or 407 that carries the challenges of others too (§16.7 step 7).
pub(super) fn challenge<'r>(chosen: &Response, others: impl Iterator<Item = &'r Response>) -> Option<Bytes> {
    let headers = chosen.headers();
    let mut rewrite = without_our_via(chosen)?;
    identity::in_response(&mut rewrite, chosen, false, false);
    privacy::in_response(&mut rewrite, chosen, Served::default());
    for other in others {
        for name in [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate] {
            other.headers().all(name).for_each(|value| rewrite.append(name, value));
        }
    }
    delimit(&mut rewrite, headers);
    Some(rewrite.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_uris_have_no_headers() {
        for (contact, expected) in [
            ("sip:bob@h;x=y", "sip:bob@h;x=y"),
            ("sip:bob@h;x=y?Replaces=1", "sip:bob@h;x=y"),
            ("sip:h?a=b", "sip:h"),
            ("sip:b?ob@h", "sip:b?ob@h"),
            ("sip:b?ob@h?a=b", "sip:b?ob@h"),
        ] {
            assert_eq!(request_uri(contact), expected);
        }
    }
}
