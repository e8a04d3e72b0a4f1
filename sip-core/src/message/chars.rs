//! Byte classes of RFC 3261 §25.1, one bit each in a single table, and searches by words of eight bytes.

const TOKEN: u8 = 1;
const URI_USER: u8 = 2;
const PARAM: u8 = 4;
const LABEL: u8 = 8;
const WORD: u8 = 16;
const PARAM_NAME: u8 = 32;
const VALUE: u8 = 64;
const PASSWORD: u8 = 128;

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
        // unreserved / user-unreserved; escapes and the colon before a password are for who reads them
        if alnum || contains(b"-_.!~*'()&=+$,;?/", c) {
            table[b] |= URI_USER;
        }
        if alnum || contains(b"-_.!~*'()&=+$,", c) {
            table[b] |= PASSWORD;
        }
        // paramchar and hnv characters: unreserved / "[" "]" "/" ":" "&" "+" "$" / "?"; escapes as above
        if alnum || contains(b"-_.!~*'()[]/:&+$?", c) {
            table[b] |= PARAM;
        }
        // the underscore is no character of host names, yet deployed ones have it
        if alnum || contains(b"-_", c) {
            table[b] |= LABEL;
        }
        if alnum || contains(b"-.!%*_+`'~()<>:\\\"/[]?{}", c) {
            table[b] |= WORD;
        }
        if alnum || contains(b"-.!%*_+`'~[]/:&$()", c) {
            table[b] |= PARAM_NAME;
        }
        if !contains(b";\"<>, ", c) && !c.is_ascii_control() {
            table[b] |= VALUE;
        }
        b += 1;
    }
    while b < table.len() {
        table[b] |= VALUE;
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
    skip(text.as_bytes(), 0, class) == text.len()
}

/// Index of the first byte from `at` on that is not of `class`, or the length.
#[inline]
fn skip(bytes: &[u8], mut at: usize, class: u8) -> usize {
    let ends = |byte: &u8| TABLE[usize::from(*byte)] & class == 0;
    let Some(rest) = bytes.get(at..) else { return at };
    let (quads, rest) = rest.as_chunks::<4>();
    for [a, b, c, d] in quads {
        if ends(a) {
            return at;
        }
        if ends(b) {
            return at + 1;
        }
        if ends(c) {
            return at + 2;
        }
        if ends(d) {
            return at + 3;
        }
        at += 4;
    }
    at + rest.iter().position(ends).unwrap_or(rest.len())
}

/// `token`, not empty.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && all(text, TOKEN)
}

/// Index of the first byte from `at` on that may not stand in a `token`, or the length.
pub(crate) fn skip_token(bytes: &[u8], at: usize) -> usize {
    skip(bytes, at, TOKEN)
}

/// `user`: every `%` begins an escape.
pub(crate) fn is_user(text: &str) -> bool {
    skip_escaped(text.as_bytes(), 0, URI_USER) == text.len()
}

/// `password`. Without the `;`, `/` and `?` of users: `sip:host:5060;lr?x@evil` has no other reading than none.
pub(crate) fn is_password(text: &str) -> bool {
    skip_escaped(text.as_bytes(), 0, PASSWORD) == text.len()
}

/// What follows the colon of an `absoluteURI`. Web pages' have brackets and one fragment, too (RFC 3986).
pub(crate) fn is_absolute_uri(text: &str) -> bool {
    let sound = |part: &str| skip_escaped(part.as_bytes(), 0, URI_USER | PARAM) == part.len();
    text.splitn(2, '#').flat_map(|part| part.split('@')).all(sound)
}

/// `pname` or `pvalue` of a URI parameter, `hname` or `hvalue` of a URI header.
pub(crate) fn is_uri_param(text: &str) -> bool {
    skip_uri_param(text.as_bytes(), 0) == text.len()
}

/// Index of the first byte from `at` on that is no part of a URI parameter's name or value, or the length.
pub(crate) fn skip_uri_param(bytes: &[u8], at: usize) -> usize {
    skip_escaped(bytes, at, PARAM)
}

/// Index of the first byte from `at` on that may not stand in a label of a host name, or the length.
pub(crate) fn skip_label(bytes: &[u8], at: usize) -> usize {
    skip(bytes, at, LABEL)
}

/// Whether a byte may stand in a label of a host name.
pub(crate) const fn is_in_label(byte: u8) -> bool {
    TABLE[byte as usize] & LABEL != 0
}

/// `callid = word [ "@" word ]`.
pub(crate) fn is_call_id(text: &str) -> bool {
    skip_call_id(text.as_bytes(), 0) == Some(text.len())
}

/// Index of the end of the `callid` that stands at `at`.
pub(crate) fn skip_call_id(bytes: &[u8], at: usize) -> Option<usize> {
    let end = skip(bytes, at, WORD);
    let end = if end > at && bytes.get(end) == Some(&b'@') {
        Some(skip(bytes, end + 1, WORD)).filter(|whole| *whole > end + 1)?
    } else {
        end
    };
    (end > at).then_some(end)
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

/// Whether a name is `known`, in any case. Nearly everybody writes names alike, and equal bytes are seen at once.
#[inline]
pub(crate) fn is_name(name: &[u8], known: &[u8]) -> bool {
    name == known || name.eq_ignore_ascii_case(known)
}

/// Where `part`, a slice of `whole`, begins in it.
pub(crate) fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

/// SP, HTAB and the CR LF of a line fold, whose place the indexer has checked.
pub(crate) const fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Without leading and trailing linear white space. Most texts have none.
#[inline]
pub(crate) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if !is_lws(*first) && !is_lws(*last) => text,
        _ => trimmed(text),
    }
}

fn trimmed(text: &str) -> &str {
    let bytes = text.as_bytes();
    let start = skip_lws(bytes, 0);
    let mut end = bytes.len();
    while end > start && is_lws(bytes[end - 1]) {
        end -= 1;
    }
    &text[start..end]
}

/// Like [`skip`], with escapes: a `%` that two hexadecimal digits follow.
fn skip_escaped(bytes: &[u8], mut at: usize, class: u8) -> usize {
    loop {
        at = skip(bytes, at, class);
        match bytes.get(at..at + 3) {
            Some([b'%', high, low]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => at += 3,
            _ => return at,
        }
    }
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
pub(crate) fn skip_param_name(bytes: &[u8], at: usize) -> usize {
    skip(bytes, at, PARAM_NAME)
}

/// Index of the first byte from `at` on that ends a parameter's unquoted value, or the length.
pub(crate) fn skip_param_value(bytes: &[u8], at: usize) -> usize {
    skip(bytes, at, VALUE)
}

/// Index of the first byte from `at` on that may not stand in a URI's user part without escape, or the length.
pub(crate) fn skip_user(bytes: &[u8], at: usize) -> usize {
    skip(bytes, at, URI_USER)
}

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The high bit of every byte of `word` that is below `limit`, 128 at most. Bytes after the first may be marked
/// wrongly, by its borrow.
const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * limit as u64) & !word & HIGHS
}

/// Index of the first byte from `start` on that `is` says yes to, or the length. `marks` says the same of eight bytes at
/// once, by the high bit of each; only its first mark counts. What a message is searched for stands a few dozen bytes
/// ahead, which is found sooner so than by the call of a vectorised search.
#[inline]
fn find(bytes: &[u8], start: usize, marks: impl Fn(u64) -> u64, is: impl Fn(u8) -> bool) -> usize {
    let Some(rest) = bytes.get(start..) else { return start };
    let (words, tail) = rest.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let marked = marks(u64::from_le_bytes(*word));
        if marked != 0 {
            return start + i * 8 + marked.trailing_zeros() as usize / 8;
        }
    }
    let found = tail.iter().position(|b| is(*b)).unwrap_or(tail.len());
    start + words.len() * 8 + found
}

/// The place of the first `byte` in `word`, or 8.
#[inline]
pub(crate) const fn first_of(word: u64, byte: u8) -> usize {
    below(word ^ (ONES * byte as u64), 1).trailing_zeros() as usize / 8
}

/// Index of the first `byte` from `at` on, or the length.
pub(crate) fn find_byte(bytes: &[u8], at: usize, byte: u8) -> usize {
    find(bytes, at, |word| below(word ^ (ONES * u64::from(byte)), 1), |b| b == byte)
}

/// Index of the first comma, quote or opening angle bracket from `at` on, or the length.
pub(crate) fn find_list_mark(bytes: &[u8], at: usize) -> usize {
    let is = |word, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let marks = |word| is(word, b',') | is(word, b'"') | is(word, b'<');
    find(bytes, at, marks, |b| matches!(b, b',' | b'"' | b'<'))
}

/// Index of the first quote, backslash or control character from `at` on, or the length.
pub(crate) fn find_quoted_mark(bytes: &[u8], at: usize) -> usize {
    let is = |word, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let marks = |word| is(word, b'"') | is(word, b'\\') | is(word, 0x7f) | below(word, b' ');
    find(bytes, at, marks, |b| matches!(b, b'"' | b'\\') || b.is_ascii_control())
}

/// Index of the first NUL, CR, LF or another of the first fourteen characters from `at` on, or the length.
#[inline]
pub(crate) fn find_line_mark(bytes: &[u8], at: usize) -> usize {
    const LIMIT: u8 = b'\r' + 1;
    let Some(rest) = bytes.get(at..) else { return bytes.len() };
    // Two words at a time, for lines are long.
    let (pairs, _) = rest.as_chunks::<16>();
    let pair = pairs.iter().position(|pair| {
        if cfg!(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128")) {
            // These machines compare all sixteen at once.
            pair.iter().fold(false, |any, byte| any | (*byte < LIMIT))
        } else {
            let both = u128::from_le_bytes(*pair);
            below(both as u64, LIMIT) | below((both >> 64) as u64, LIMIT) != 0
        }
    });
    let Some(pair) = pair else {
        return find(bytes, at + 16 * pairs.len(), |word| below(word, LIMIT), |b| b < LIMIT);
    };
    let both = u128::from_le_bytes(pairs[pair]);
    let (first, second) = (below(both as u64, LIMIT), below((both >> 64) as u64, LIMIT));
    let bits = if first == 0 { 64 + second.trailing_zeros() } else { first.trailing_zeros() };
    at + 16 * pair + bits as usize / 8
}

/// Index of the first control character from `at` on, or the length.
pub(crate) fn find_control(bytes: &[u8], at: usize) -> usize {
    let marks = |word| below(word, b' ') | below(word ^ (ONES * 0x7f), 1);
    find(bytes, at, marks, |b| b.is_ascii_control())
}
