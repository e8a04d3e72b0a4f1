//! From the bytes of a name to the name: one look into a table and a comparison of two words.

use super::HeaderName;
use crate::message::chars;

/// Places in [`INDEX`]: several times as many as names, so that most probes end at once.
const SLOTS: usize = 512;

/// Long names by [`Ends::slot`], as positions in [`HeaderName::ALL`]; the next free place where two meet.
static INDEX: [u8; SLOTS] = index();

/// The long names, in the order of [`HeaderName::ALL`].
static KNOWN: [Known; HeaderName::ALL.len()] = known();

/// Compact forms by letter, as positions in [`HeaderName::ALL`].
static COMPACT: [u8; 26] = compact();

const VACANT: u8 = u8::MAX;

/// The bit that makes a letter small.
const SMALL: u8 = 0x20;

/// Longer names have bytes that are in neither of their [`Ends`].
const ENDS_BYTES: usize = 16;

/// The first eight bytes of a name and its last eight, which overlap in most; of a name with fewer, all, and zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ends(u64, u64);

impl Ends {
    /// Of the name that is the first `len` bytes of `line`.
    fn of(line: &[u8], len: usize) -> Self {
        match (line.first_chunk::<8>(), line[..len].last_chunk::<8>()) {
            (Some(first), Some(last)) => Self(u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            (Some(first), None) => Self(u64::from_le_bytes(*first) & !(u64::MAX << (8 * len)), 0),
            (None, _) => Self(line[..len].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
        }
    }

    /// The name of `len` bytes that has these ends.
    #[inline]
    fn known(self, len: usize) -> HeaderName {
        let mut at = self.slot();
        // The table is never full, so a vacant place ends every probe.
        loop {
            let Some(known) = KNOWN.get(usize::from(INDEX[at])) else { return HeaderName::Other };
            if self.0 | known.letters.0 == known.small.0
                && self.1 | known.letters.1 == known.small.1
                && known.len == len
            {
                return known.name;
            }
            at = (at + 1) % SLOTS;
        }
    }

    /// Names that differ in case alone have the same.
    const fn slot(self) -> usize {
        const SMALLS: u64 = u64::from_ne_bytes([SMALL; 8]);
        let first = (self.0 | SMALLS).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let last = (self.1 | SMALLS).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (first.wrapping_add(last) >> 55) as usize
    }
}

/// A known name.
#[derive(Clone, Copy)]
struct Known {
    /// Its ends, in small letters.
    small: Ends,
    /// [`SMALL`] where those have letters.
    letters: Ends,
    len: usize,
    name: HeaderName,
}

const fn one(name: HeaderName) -> Known {
    let text = name.as_str().as_bytes();
    let (small, letters) = ends(text);
    Known { small, letters, len: text.len(), name }
}

/// Of a known name: its ends in small letters, and where those have letters.
const fn ends(name: &[u8]) -> (Ends, Ends) {
    let (mut small, mut letters) = ([[0; 8]; 2], [[0; 8]; 2]);
    let mut end = 0;
    while end < 2 {
        let mut i = 0;
        while i < 8 && i < name.len() && (end == 0 || name.len() >= 8) {
            let byte = name[if end == 0 { i } else { name.len() - 8 + i }];
            small[end][i] = byte.to_ascii_lowercase();
            letters[end][i] = if byte.is_ascii_alphabetic() { SMALL } else { 0 };
            i += 1;
        }
        end += 1;
    }
    (
        Ends(u64::from_le_bytes(small[0]), u64::from_le_bytes(small[1])),
        Ends(u64::from_le_bytes(letters[0]), u64::from_le_bytes(letters[1])),
    )
}

const fn known() -> [Known; HeaderName::ALL.len()] {
    let mut all = [one(HeaderName::Via); HeaderName::ALL.len()];
    let mut i = 0;
    while i < all.len() {
        all[i] = one(HeaderName::ALL[i]);
        i += 1;
    }
    all
}

const fn index() -> [u8; SLOTS] {
    let mut table = [VACANT; SLOTS];
    let mut i = 0;
    while i < HeaderName::ALL.len() {
        assert!(i < VACANT as usize, "positions fit one byte");
        let mut at = ends(HeaderName::ALL[i].as_str().as_bytes()).0.slot();
        while table[at] != VACANT {
            at = (at + 1) % SLOTS;
        }
        table[at] = i as u8;
        i += 1;
    }
    table
}

const fn compact() -> [u8; 26] {
    let mut table = [VACANT; 26];
    let mut i = 0;
    while i < HeaderName::ALL.len() {
        if let Some(letter) = HeaderName::ALL[i].compact() {
            table[(letter - b'a') as usize] = i as u8;
        }
        i += 1;
    }
    table
}

impl HeaderName {
    /// Recognises a name in any case, long or compact.
    pub fn from_bytes(name: &[u8]) -> Self {
        Self::leading(name, name.len())
    }

    /// Recognises the name that is the first `len` bytes of `line`: one lookup and, as a rule, a comparison of two words.
    pub(in crate::message) fn leading(line: &[u8], len: usize) -> Self {
        if len <= 1 {
            let letter = line[..len].first().map_or(0, u8::to_ascii_lowercase);
            let position = COMPACT.get(usize::from(letter.wrapping_sub(b'a')));
            return position.and_then(|i| Self::ALL.get(usize::from(*i))).copied().unwrap_or(Self::Other);
        }
        let name = Ends::of(line, len).known(len);
        let overlap = len <= ENDS_BYTES || name.as_str().as_bytes().eq_ignore_ascii_case(&line[..len]);
        if overlap { name } else { Self::Other }
    }

    /// The name and the place of the colon, if a known long one without white space before it begins `line`. What it
    /// does not see, [`HeaderName::leading`] does.
    #[inline]
    pub(in crate::message) fn usual(line: &[u8]) -> Option<(Self, usize)> {
        let (words, _) = line.first_chunk::<ENDS_BYTES>()?.as_chunks::<8>();
        let [first, second] = words else { return None };
        let (first, second) = (u64::from_le_bytes(*first), u64::from_le_bytes(*second));
        let colon = chars::first_of(first, b':');
        let (ends, len) = if colon < 8 {
            (Ends(first & !(u64::MAX << (8 * colon)), 0), colon)
        } else {
            let len = 8 + chars::first_of(second, b':');
            let last = line.get(len - 8..len)?.first_chunk::<8>()?;
            (Ends(first, u64::from_le_bytes(*last)), len)
        };
        // Of 16 bytes without a colon there may be more.
        let name = if len < ENDS_BYTES { ends.known(len) } else { Self::Other };
        (name != Self::Other).then_some((name, len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_short() {
        let mut longest = 0;
        let mut run = 0;
        for position in INDEX {
            run = if position == VACANT { 0 } else { run + 1 };
            longest = longest.max(run);
        }
        assert!(longest <= 8, "{longest}");
    }
}
