//! Byte classes of RFC 3261 §25.1, one bit each in a single table.

const TOKEN: u8 = 1;
const URI_USER: u8 = 2;
const PARAM: u8 = 4;
const HOST: u8 = 8;
const WORD: u8 = 16;
const PARAM_NAME: u8 = 32;
const VALUE_END: u8 = 64;

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
        if alnum || contains(b"-.!%*_+`'~[]/:&$()", c) {
            table[b] |= PARAM_NAME;
        }
        if contains(b";\"<>, ", c) || c.is_ascii_control() {
            table[b] |= VALUE_END;
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
    all_escaped(text, URI_USER)
}

/// `pname` or `pvalue` of a URI parameter.
pub(crate) fn is_uri_param(text: &str) -> bool {
    all_escaped(text, PARAM)
}

/// Host-name characters.
pub(crate) fn is_host(text: &str) -> bool {
    !text.is_empty() && all(text, HOST)
}

/// Whether one byte may stand in a host name.
pub(crate) const fn is_host_byte(byte: u8) -> bool {
    TABLE[byte as usize] & HOST != 0
}

/// `callid = word [ "@" word ]`.
pub(crate) fn is_call_id(text: &str) -> bool {
    let (left, right) = text.split_once('@').map_or((text, None), |(l, r)| (l, Some(r)));
    let word = |part: &str| !part.is_empty() && all(part, WORD);
    word(left) && right.is_none_or(word)
}

/// `1*DIGIT` that fits; anything longer than `u64` is out of range, not wrapped.
pub(crate) fn number(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// SP, HTAB and the CR LF of a line fold, whose place the indexer has checked.
pub(crate) const fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Without leading and trailing linear white space.
pub(crate) fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    let start = skip_lws(bytes, 0);
    let mut end = bytes.len();
    while end > start && is_lws(bytes[end - 1]) {
        end -= 1;
    }
    &text[start..end]
}

/// All of one class, and every `%` is followed by two hexadecimal digits.
fn all_escaped(text: &str, class: u8) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if TABLE[usize::from(bytes[at])] & class == 0 {
            return false;
        }
        if bytes[at] == b'%' {
            let whole = bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
            if !whole {
                return false;
            }
            at += 2;
        }
        at += 1;
    }
    true
}

/// Index of the first byte from `at` on that is no linear white space, or the length.
pub(crate) fn skip_lws(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && is_lws(bytes[at]) {
        at += 1;
    }
    at
}

/// Index of the first byte from `at` on that may not stand in a parameter's name, or the length. RFC 4475's
/// "intmeth" names one with every token character; those of URIs add brackets and more.
pub(crate) fn skip_param_name(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && TABLE[usize::from(bytes[at])] & PARAM_NAME != 0 {
        at += 1;
    }
    at
}

/// Index of the first byte from `at` on that ends a parameter's unquoted value, or the length.
pub(crate) fn skip_param_value(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && TABLE[usize::from(bytes[at])] & VALUE_END == 0 {
        at += 1;
    }
    at
}
