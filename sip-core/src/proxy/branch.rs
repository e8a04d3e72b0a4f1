//! Branches (§16.6 step 8, §16.11).

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::hash::Hasher;
use core::net::IpAddr;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::entropy::{self, Entropy, SeededEntropy};
use crate::message::{HeaderName, Host, Method, Request};
use crate::transport::{Hop, RouteTokens};

const COOKIE: &str = "z9hG4bK";
/// Characters of a branch that make it unique, five bits each.
const UNIQUE: usize = 16;
const MARK: usize = 8;

/// A hash of all that decides a request's way. Each branch ends with it, so that a request that comes back unchanged
/// is known for a loop while one that comes back changed is a spiral (§16.3 step 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoopMark([u8; MARK]);

impl LoopMark {
    /// §16.6 step 8: Request-URI, tags, Call-ID, CSeq number and Route. With a key of our own: to another proxy that
    /// does as we do and hands the request on unchanged, its mark is nothing. So no sent-by need be compared (RFC 5393 §4.2.2).
    ///
    /// All of it is in a CANCEL too, which finds its INVITE by the branch (§9.1). Proxy-Require may not be, and need not be here: it
    /// sends no request another way (RFC 5393 §4.2.1). What it lists beside `privacy` is refused before marks are looked at, and
    /// `privacy` may be gone when the request comes back, for it was served here.
    pub(super) fn of(request: &Request, tokens: &RouteTokens) -> Self {
        let mut hash = Fields(tokens.loops());
        let (from, to) = (request.from_tag().unwrap_or_default(), request.to_tag().unwrap_or_default());
        hash.all([request.uri(), from, to, request.call_id()]);
        // As they stand: whoever writes them otherwise does it no second time round.
        request.headers().all(HeaderName::Route).for_each(|values| hash.add(values));
        hash.number(request.cseq().number);
        let mut mark = [0; MARK];
        text(&hash.0.finish().to_le_bytes(), &mut mark);
        Self(mark)
    }

    /// Whether a branch may end with a mark, at a glance.
    pub(super) fn is_in(branch: &str) -> bool {
        branch.len() == COOKIE.len() + UNIQUE + MARK && branch.starts_with(COOKIE)
    }

    pub(super) fn ends(&self, branch: &str) -> bool {
        branch.as_bytes().ends_with(&self.0)
    }

    fn as_str(&self) -> &str {
        // The alphabet is ASCII.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// What names one copy of a request among the others of its response context: whom it goes to, and which of those that went there it
/// is. It follows from the request, so that who has forgotten the request, in a restart, names its copies as before: what comes
/// again is to its receiver the same as it was, and a CANCEL is one of what it was sent (§16.10). Nobody else, who has not sent the
/// request from the same address, has a request named so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(u128);

impl Name {
    pub(super) fn of(request: &Request, from: &Hop, to: &str, earlier: u32, tokens: &RouteTokens) -> Self {
        let mut hash = transaction(request, Some(from.remote.ip()), tokens);
        hash.add(to);
        hash.number(earlier);
        Self(hash.0.finish128().as_u128())
    }

    /// Enough of it to tell the receivers of one request apart.
    pub(super) const fn short(self) -> u32 {
        self.0 as u32
    }

    /// A branch of its own for every copy of a request (§16.6 step 8).
    pub(super) fn branch(self, mark: LoopMark) -> String {
        let mut branch = String::with_capacity(COOKIE.len() + UNIQUE + MARK);
        branch.push_str(COOKIE);
        push(self.0, UNIQUE, &mut branch);
        branch.push_str(mark.as_str());
        branch
    }
}

/// A branch for a copy whose name is taken.
pub(super) fn fresh(mark: LoopMark, entropy: &mut dyn Entropy) -> String {
    let mut branch = String::with_capacity(COOKIE.len() + UNIQUE + MARK);
    branch.push_str(COOKIE);
    entropy::push_token(&mut branch, entropy, UNIQUE * 5);
    branch.push_str(mark.as_str());
    branch
}

/// The branch and what follows it: RFC 5923 §8.1's parameter, perhaps.
pub(super) fn marked(via: &str, alias: bool) -> Cow<'_, str> {
    if alias { format!("{via};alias").into() } else { via.into() }
}

/// The branch of a request forwarded without a transaction, the same for its retransmissions, for its CANCEL and for the
/// ACK of its failure (§16.11). With who sent it: another who has read the sender's branch makes none of these.
pub(super) fn stateless(request: &Request, from: &Hop, tokens: &RouteTokens) -> String {
    let mut branch = String::with_capacity(COOKIE.len() + CHARACTERS);
    branch.push_str(COOKIE);
    push(of_transaction(request, Some(from.remote.ip()), tokens), CHARACTERS, &mut branch);
    branch
}

/// The To tag of an answer without a transaction, the same for every retransmission (§8.2.7).
pub(super) fn stateless_tag(request: &Request, tokens: &RouteTokens) -> String {
    let mut tag = String::with_capacity(CHARACTERS);
    push(of_transaction(request, None, tokens), CHARACTERS, &mut tag);
    tag
}

/// What chooses among equal servers, for the same requests as the branch. Each choice, of `what`, is one of its own.
pub(super) fn settled(request: &Request, from: &Hop, tokens: &RouteTokens, what: &str) -> SeededEntropy {
    let mut hash = transaction(request, Some(from.remote.ip()), tokens);
    hash.add(what);
    SeededEntropy(hash.0.finish128().as_u128() as u64)
}

/// Characters of such a branch and tag: five bits each.
const CHARACTERS: usize = 24;

/// What tells the transaction of a request from all others, also after a restart.
pub(super) fn of_transaction(request: &Request, from: Option<IpAddr>, tokens: &RouteTokens) -> u128 {
    transaction(request, from, tokens).0.finish128().as_u128()
}

fn transaction(request: &Request, from: Option<IpAddr>, tokens: &RouteTokens) -> Fields<SipHasher24> {
    let via = request.via();
    let method = match request.method() {
        Method::Ack | Method::Cancel => Method::Invite.as_str(),
        other => other.as_str(),
    };
    let mut hash = Fields(tokens.fingerprint());
    hash.all([
        request.branch().unwrap_or_default(),
        request.call_id(),
        request.from_tag().unwrap_or_default(),
        method,
    ]);
    // No port is not port 0: who is told from others by it (§17.2.3) is another to whom it goes on, too.
    let port = via.port.map_or(0, |port| u64::from(port) + 1);
    hash.0.write_u64(u64::from(request.cseq().number) << 32 | port);
    match via.host {
        Host::Name(name) => hash.add(name),
        Host::Ip(ip) => hash.address(ip),
    }
    from.into_iter().for_each(|ip| hash.address(ip));
    hash
}

fn push(mut bits: u128, characters: usize, out: &mut String) {
    for _ in 0..characters {
        out.push(char::from(ALPHABET[bits as usize & 31]));
        bits >>= 5;
    }
}

/// A hash over fields that cannot run into each other.
struct Fields<H>(H);

impl<H: Hasher> Fields<H> {
    fn add(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Their lengths as one number: no message has 64 KiB of one of these.
    fn all(&mut self, texts: [&str; 4]) {
        self.0.write_u64(texts.iter().fold(0, |lengths, text| lengths << 16 | text.len() as u64));
        texts.iter().for_each(|text| self.0.write(text.as_bytes()));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.write_u64(bytes.len() as u64);
        self.0.write(bytes);
    }

    fn number(&mut self, number: u32) {
        self.0.write_u32(number);
    }

    fn address(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(v4) => self.bytes(&v4.octets()),
            IpAddr::V6(v6) => self.bytes(&v6.octets()),
        }
    }
}

/// Base-32.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Base-32 text: a character for each of the hash's first bytes.
fn text(hash: &[u8], out: &mut [u8]) {
    for (character, byte) in out.iter_mut().zip(hash) {
        *character = ALPHABET[usize::from(byte & 31)];
    }
}
