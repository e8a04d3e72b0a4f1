//! Perturbs valid texts in ways a text is wrong, not a byte: lines, numbers, separators, folds, pieces of other texts.

use sip_core::entropy::{SeededEntropy, number};

use crate::repeat::MARK;

/// What parsers stumble over.
const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\t",
    b" ",
    b"\r\n ",
    b"\r\n\t",
    b"\r\n\r\n",
    b"\n\n",
    b":",
    b";",
    b",",
    b"=",
    b"\"",
    b"\\",
    b"\\\"",
    b"<",
    b">",
    b"@",
    b"?",
    b"&",
    b"%",
    b"%00",
    b"%0d%0a",
    b"%41",
    b"[",
    b"]",
    b"[::1]",
    b":::",
    b"/",
    b"*",
    b"--",
    b"(",
    b")",
    b"\xc3\xbc",
    b"\xff",
    b"\xe2\x80\xa8",
    b";tag=",
    b";lr",
    b";branch=z9hG4bK",
    b"sip:",
    b"SIP/2.0",
    b"Content-Length: 0\r\n",
    b"l: 5\r\n",
    b"Call-ID: x\r\n",
    b"i: y\r\n",
    b"CSeq: 1 INVITE\r\n",
    b"&lt;",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"<?",
    b"xmlns:p='x'",
];

/// Numbers at the edges of something.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "00",
    "5",
    "9",
    "69",
    "70",
    "255",
    "256",
    "512",
    "513",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
    "1.5",
];

/// Perturbs `bytes` one to four times. `seeds` are texts of the same kind; pieces come from them. The same arguments
/// give the same result.
pub fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], seed: u64) {
    let mut dice = Dice(SeededEntropy(seed));
    for _ in 0..=dice.below(4) {
        once(bytes, seeds, &mut dice);
    }
}

fn once(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    let other = if seeds.is_empty() { &[][..] } else { &seeds[dice.below(seeds.len())][..] };
    match dice.below(18) {
        0 => {
            let line = some_line(bytes, dice);
            bytes.drain(line);
        }
        1 => {
            let line = some_line(bytes, dice);
            let copy = bytes[line.clone()].to_vec();
            bytes.splice(line.start..line.start, copy);
        }
        2 => {
            let line = some_line(bytes, dice);
            let cut: Vec<u8> = bytes.drain(line).collect();
            let at = some_line(bytes, dice).start;
            bytes.splice(at..at, cut);
        }
        3..=6 => {
            // A line of another text, in between or in the place of one.
            let line = some_line(other, dice);
            let place = some_line(bytes, dice);
            let end = if dice.below(3) == 0 { place.end } else { place.start };
            bytes.splice(place.start..end, other[line].iter().copied());
        }
        7 | 8 => {
            let (piece, place) = (some_piece(other, dice), some_piece(bytes, dice));
            bytes.splice(place, other[piece].iter().copied());
        }
        9 => {
            let place = some_piece(bytes, dice);
            let copy = bytes[place.clone()].to_vec();
            bytes.splice(place.start..place.start, copy);
        }
        10 => {
            let place = some_piece(bytes, dice);
            bytes.drain(place);
        }
        11 => {
            let place = some_number(bytes, dice);
            let text = match dice.below(3) {
                0 => number(&mut dice.0).to_string().into_bytes(),
                _ => NUMBERS[dice.below(NUMBERS.len())].into(),
            };
            bytes.splice(place, text);
        }
        12 => {
            let place = some_piece(bytes, dice);
            for byte in &mut bytes[place] {
                *byte = if byte.is_ascii_lowercase() {
                    byte.to_ascii_uppercase()
                } else {
                    byte.to_ascii_lowercase()
                };
            }
        }
        13 => {
            let at = some_piece(bytes, dice).start;
            bytes.splice(at..at, *b"\r\n ");
        }
        14 | 15 => {
            let at = dice.below(bytes.len() + 1);
            bytes.splice(at..at, TOKENS[dice.below(TOKENS.len())].iter().copied());
        }
        16 => {
            let at = dice.below(bytes.len() + 1);
            match dice.below(4) {
                0 => bytes.truncate(at),
                _ => bytes
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte = number(&mut dice.0).to_le_bytes()[0]),
            }
        }
        _ => {
            let piece = some_piece(bytes, dice);
            let length = u8::try_from(piece.len().clamp(1, 256) - 1).unwrap_or(u8::MAX);
            // What is large is slow.
            let times = if dice.below(16) == 0 { u8::MAX } else { [0, 2, 9, 70][dice.below(4)] };
            bytes.splice(piece.end..piece.end, [MARK, length, times]);
        }
    }
}

struct Dice(SeededEntropy);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(number(&mut self.0) % bound.max(1) as u64).unwrap_or(0)
    }
}

type Range = std::ops::Range<usize>;

/// A line with its end.
fn some_line(bytes: &[u8], dice: &mut Dice) -> Range {
    around(bytes, dice, |byte| byte == b'\n')
}

/// What stands between two separators, with the second one.
fn some_piece(bytes: &[u8], dice: &mut Dice) -> Range {
    around(bytes, dice, |byte| b"\r\n \t;,:=<>@\"/?&()'".contains(&byte))
}

/// Digits, or a place where there could be some.
fn some_number(bytes: &[u8], dice: &mut Dice) -> Range {
    let from = dice.below(bytes.len() + 1);
    let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit).map(|at| from + at) else {
        return from..from;
    };
    let end =
        bytes[start..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |at| start + at);
    start..end
}

fn around(bytes: &[u8], dice: &mut Dice, separates: impl Fn(u8) -> bool) -> Range {
    let at = dice.below(bytes.len());
    let start = bytes[..at].iter().rposition(|byte| separates(*byte)).map_or(0, |found| found + 1);
    let end =
        bytes[at..].iter().position(|byte| separates(*byte)).map_or(bytes.len(), |found| at + found + 1);
    start..end
}
