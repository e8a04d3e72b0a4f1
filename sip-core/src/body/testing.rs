//! What the tests of all bodies share.

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
