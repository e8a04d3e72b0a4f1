//! Large inputs in few bytes: how a search that grows its inputs byte by byte gets at walks that are walked twice.

use std::borrow::Cow;

use sip_core::limits;

/// No UTF-8 text has this byte.
pub(crate) const MARK: u8 = 0xf5;

/// `MARK k n` stands for the `k + 1` bytes before it `n + 1` times more; where `n` is 255, as often as the largest
/// message and a little more has room, which costs so much time that it should be rare.
pub(crate) fn expand(input: &[u8]) -> Cow<'_, [u8]> {
    if !input.contains(&MARK) {
        return Cow::Borrowed(input);
    }
    const MOST: usize = limits::MESSAGE_BYTES + 64;
    let mut out = Vec::new();
    let mut rest = input;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match (*byte, tail) {
            (MARK, [length, times, tail @ ..]) => {
                rest = tail;
                let from = out.len().saturating_sub(usize::from(*length) + 1);
                let piece = out[from..].to_vec();
                let room = MOST.saturating_sub(out.len()) / piece.len().max(1);
                let times = if *times == u8::MAX { room } else { room.min(usize::from(*times) + 1) };
                for _ in 0..times {
                    out.extend_from_slice(&piece);
                }
            }
            _ => out.push(*byte),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_repeat_what_stands_before_them() {
        assert_eq!(*expand(b"abc"), *b"abc");
        assert_eq!(*expand(b"xab\xf5\x01\x1fc"), *["xab", &"ab".repeat(32), "c"].concat().as_bytes());
        assert_eq!(expand(b"\xf5\xff\xff").len(), 0);
        assert!(expand(b"abcd\xf5\x03\xff\xf5\xff\xff\xf5\xff\xff").len() > limits::MESSAGE_BYTES);
        assert!(expand(&[b"a".as_slice(), &[MARK; 999]].concat()).len() < 2 * limits::MESSAGE_BYTES);
    }
}
