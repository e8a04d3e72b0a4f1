//! Randomness as the caller supplies it.

use alloc::boxed::Box;
use alloc::string::String;

/// A source of unpredictable bytes: `crypto.getRandomValues` in a page, the operating system in the gateway, a
/// seeded generator in a simulation.
pub trait Entropy {
    /// Fills `out` completely.
    fn fill(&mut self, out: &mut [u8]);
}

/// The form in which an endpoint owns its entropy.
pub type BoxedEntropy = Box<dyn Entropy + Send>;

/// Lower-case base-32 text of `bits / 5` characters, each carrying 5 random bits: legal in every SIP token.
pub fn token(entropy: &mut dyn Entropy, bits: usize) -> String {
    let mut out = String::with_capacity(bits / 5);
    push_token(&mut out, entropy, bits);
    out
}

/// Appends such text.
pub(crate) fn push_token(out: &mut String, entropy: &mut dyn Entropy, bits: usize) {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = [0u8; 32];
    let mut left = bits / 5;
    while left > 0 {
        let some = &mut bytes[..left.min(32)];
        left -= some.len();
        entropy.fill(some);
        some.iter_mut().for_each(|byte| *byte = ALPHABET[usize::from(*byte & 31)]);
        // The alphabet is ASCII.
        out.push_str(core::str::from_utf8(some).unwrap_or_default());
    }
}

/// A uniformly random number.
pub fn number(entropy: &mut dyn Entropy) -> u64 {
    let mut bytes = [0u8; 8];
    entropy.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// A small seeded generator (SplitMix64) for tests and simulations, and for choices that must come out the same again; never
/// for what nobody may guess: it is predictable.
#[derive(Clone, Debug)]
pub struct SeededEntropy(pub u64);

impl Entropy for SeededEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    }
}
