//! The clock, the timer and the random numbers of the page.

use std::cell::RefCell;

use sip_core::entropy::Entropy;
use sip_core::time::Instant;
use wasm_bindgen::prelude::{Closure, JsValue, wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &JsValue, milliseconds: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(handle: &JsValue);
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues, catch)]
    fn random_values(out: &mut [u8]) -> Result<(), JsValue>;
    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    pub(crate) fn date_now() -> f64;
}

/// Longest delay `setTimeout` understands; a longer one would fire at once.
const LONGEST_DELAY: f64 = 2_147_483_647.0;

/// Time since `performance.timeOrigin`. Unlike the date it never jumps.
pub(crate) fn now() -> Instant {
    Instant::from_micros((performance_now() * 1000.0) as u64)
}

/// One `setTimeout` that can be set anew and is cleared when dropped.
pub(crate) struct Timer {
    callback: Closure<dyn Fn()>,
    armed: RefCell<Option<(JsValue, Instant)>>,
}

impl Timer {
    pub(crate) fn new(callback: impl Fn() + 'static) -> Self {
        Self { callback: Closure::new(callback), armed: RefCell::new(None) }
    }

    /// Fires at `at` and at no other time.
    pub(crate) fn set(&self, at: Option<Instant>) {
        let mut armed = self.armed.borrow_mut();
        if armed.as_ref().map(|(_, set)| *set) == at {
            return;
        }
        if let Some((handle, _)) = armed.take() {
            clear_timeout(&handle);
        }
        if let Some(at) = at {
            // Rounded up: a timer that fires early would find nothing to do and be set again.
            let delay = (at.since(now()).as_micros() as f64 / 1000.0).ceil().min(LONGEST_DELAY);
            *armed = Some((set_timeout(self.callback.as_ref(), delay), at));
        }
    }

    /// To be called when it fired.
    pub(crate) fn fired(&self) {
        *self.armed.borrow_mut() = None;
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.set(None);
    }
}

/// `crypto.getRandomValues`, fetched in handfuls because each crossing into JavaScript costs more than the bytes.
pub(crate) struct PageEntropy {
    pool: [u8; 64],
    used: usize,
}

impl PageEntropy {
    /// `None` where there is no `crypto.getRandomValues`: nothing else will do.
    pub(crate) fn open() -> Option<Self> {
        let mut pool = [0; 64];
        random_values(&mut pool).ok()?;
        Some(Self { pool, used: 0 })
    }
}

impl Entropy for PageEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            if self.used == self.pool.len() {
                // It worked in `open`, and the specification names no other failure for so few bytes.
                random_values(&mut self.pool).unwrap_or_else(|error| wasm_bindgen::throw_val(error));
                self.used = 0;
            }
            *byte = self.pool[self.used];
            // What was given out once is never given out again.
            self.pool[self.used] = 0;
            self.used += 1;
        }
    }
}
