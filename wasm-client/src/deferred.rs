//! Promises that are settled later.

use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;

/// A promise and the means to settle it.
pub(crate) struct Deferred {
    promise: Promise,
    resolve: Function,
    reject: Function,
}

impl Deferred {
    pub(crate) fn new() -> Self {
        let mut functions = None;
        let promise = Promise::new(&mut |resolve, reject| functions = Some((resolve, reject)));
        // ECMA-262 §27.2.3.1: the executor is called before the constructor returns.
        let (resolve, reject) = functions.unwrap_or_else(|| wasm_bindgen::throw_str("no executor"));
        Self { promise, resolve, reject }
    }

    pub(crate) fn promise(&self) -> Promise {
        self.promise.clone()
    }

    pub(crate) fn resolve(&self) {
        let _ = self.resolve.call1(&JsValue::UNDEFINED, &JsValue::UNDEFINED);
    }

    pub(crate) fn reject(&self, reason: &JsValue) {
        let _ = self.reject.call1(&JsValue::UNDEFINED, reason);
    }
}

/// Several callers that wait for the same thing.
#[derive(Default)]
pub(crate) struct Waiters(std::cell::RefCell<Vec<Deferred>>);

impl Waiters {
    /// One more.
    pub(crate) fn wait(&self) -> Promise {
        let deferred = Deferred::new();
        let promise = deferred.promise();
        self.0.borrow_mut().push(deferred);
        promise
    }

    pub(crate) fn resolve(&self) {
        for deferred in self.0.take() {
            deferred.resolve();
        }
    }

    /// `reason` is made only if somebody waits.
    pub(crate) fn reject(&self, reason: impl FnOnce() -> JsValue) {
        let waiting = self.0.take();
        if !waiting.is_empty() {
            let reason = reason();
            for deferred in waiting {
                deferred.reject(&reason);
            }
        }
    }
}
