//! Randomness from the operating system.

use sip_core::entropy::Entropy;

/// Bytes read at once: what a few calls need.
const POOL: usize = 1024;

/// The operating system's generator, read in pieces so that small demands cost no system call each.
pub struct OsEntropy {
    pool: [u8; POOL],
    used: usize,
}

impl OsEntropy {
    /// A generator with an empty pool.
    pub const fn new() -> Self {
        Self { pool: [0; POOL], used: POOL }
    }
}

impl Default for OsEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for OsEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        if out.len() > self.pool.len() {
            random(out);
            return;
        }
        if out.len() > self.pool.len() - self.used {
            random(&mut self.pool);
            self.used = 0;
        }
        let taken = &mut self.pool[self.used..self.used + out.len()];
        out.copy_from_slice(taken);
        // What was handed out may become a secret: it must not be found here later.
        taken.fill(0);
        self.used += out.len();
    }
}

/// Fills `out` from the operating system.
pub fn random(out: &mut [u8]) {
    // Linux's getrandom fails only where the system call is missing or forbidden; to go on with predictable nonces
    // and keys would be worse than to stop.
    getrandom::fill(out).expect("the operating system gives random bytes");
}
