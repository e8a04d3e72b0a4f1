//! What the tests of all bodies share.

use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

/// One of `samples` with bytes flipped, cut out, inserted or repeated.
pub(crate) fn perturb(samples: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let edit = (0..5u8, any::<prop::sample::Index>(), 0..24usize, any::<u8>());
    (prop::sample::select(samples), prop::collection::vec(edit, 0..6)).prop_map(|(sample, edits)| {
        let mut bytes = sample.as_bytes().to_vec();
        for (what, place, len, byte) in edits {
            let at = place.index(bytes.len() + 1);
            let end = (at + len).min(bytes.len());
            match what {
                0 => drop(bytes.drain(at..end)),
                1 => bytes.insert(at, byte),
                2 => bytes.insert(at, b"\r\n\0 =:;,-<>&/\"'"[usize::from(byte) % 15]),
                3 => {
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => bytes.iter_mut().skip(at).take(1).for_each(|b| *b = byte),
            }
        }
        bytes
    })
}

/// Eight times the input may take no more than forty times as long, on a machine that does other things too; a
/// quadratic walk takes sixty-four times as long. Inputs too quick to measure pass.
pub(crate) fn assert_linear(small: &str, large: &str, mut parse: impl FnMut(&str)) {
    #[expect(clippy::disallowed_types, reason = "a test that measures")]
    let mut time = |text: &str| {
        let start = std::time::Instant::now();
        parse(text);
        start.elapsed()
    };
    // The quickest of several runs is the one least disturbed; a linear walk needs only one that is not.
    let short = (0..5).map(|_| time(small)).min().unwrap();
    let linear = (0..30).any(|_| {
        let long = time(large);
        long.as_millis() < 10 || long < short * 40
    });
    let start: String = large.chars().take(80).collect();
    assert!(linear, "more than forty times {short:?} for {start:?}");
}
