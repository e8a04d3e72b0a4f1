//! Byte classes of RFC 3261 §25.1, one bit each in a single table.

const TOKEN: u8 = 1;
const URI_USER: u8 = 2;
const PARAM: u8 = 4;
const HOST: u8 = 8;
const WORD: u8 = 16;
const DIGIT: u8 = 32;

const TABLE: [u8; 256] = build();

const fn build() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut b = 0usize;
    while b < 128 {
        let c = b as u8;
        let alnum = c.is_ascii_alphanumeric();
        if alnum || contains(b"-.!%*_+`'~", c) {
            table[b] |= TOKEN;
        }
        // unreserved / escaped / user-unreserved; the colon before a password is handled by the URI parser
        if alnum || contains(b"-_.!~*'()%&=+$,;?/", c) {
            table[b] |= URI_USER;
        }
        // paramchar and hnv characters: unreserved / escaped / "[" "]" "/" ":" "&" "+" "$" / "?"
        if alnum || contains(b"-_.!~*'()%[]/:&+$?", c) {
            table[b] |= PARAM;
        }
        // the underscore is no host character, yet deployed names have it
        if alnum || contains(b"-._", c) {
            table[b] |= HOST;
        }
        if alnum || contains(b"-.!%*_+`'~()<>:\\\"/[]?{}", c) {
            table[b] |= WORD;
        }
        if c.is_ascii_digit() {
            table[b] |= DIGIT;
        }
        b += 1;
    }
    table
}

const fn contains(set: &[u8], c: u8) -> bool {
    let mut i = 0;
    while i < set.len() {
        if set[i] == c {
            return true;
        }
        i += 1;
    }
    false
}

fn all(text: &str, class: u8) -> bool {
    text.bytes().all(|b| TABLE[usize::from(b)] & class != 0)
}

/// `token`, not empty.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && all(text, TOKEN)
}

/// Whether one byte may stand in a `token`.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    TABLE[byte as usize] & TOKEN != 0
}

/// `user`, or `password` with the colon the caller has cut at: every `%` begins an escape.
pub(crate) fn is_user(text: &str) -> bool {
    all(text, URI_USER) && escapes_are_whole(text)
}

/// `pname` or `pvalue` of a URI parameter.
pub(crate) fn is_uri_param(text: &str) -> bool {
    all(text, PARAM) && escapes_are_whole(text)
}

/// Host-name characters.
pub(crate) fn is_host(text: &str) -> bool {
    !text.is_empty() && all(text, HOST)
}

/// `callid = word [ "@" word ]`.
pub(crate) fn is_call_id(text: &str) -> bool {
    let (left, right) = text.split_once('@').map_or((text, None), |(l, r)| (l, Some(r)));
    let word = |part: &str| !part.is_empty() && all(part, WORD);
    word(left) && right.is_none_or(word)
}

/// `1*DIGIT` that fits; anything longer than `u64` is out of range, not wrapped.
pub(crate) fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !all(text, DIGIT) {
        return None;
    }
    text.parse().ok()
}

/// SP, HTAB and the CR LF of a line fold, whose place the indexer has checked.
pub(crate) const fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Without leading and trailing linear white space.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

/// Every `%` is followed by two hexadecimal digits.
fn escapes_are_whole(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'%', bytes)
        .all(|at| bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
}
