//! Listeners of events.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::error::{Failure, Kind};

/// The listeners of one object.
#[derive(Default)]
pub(crate) struct Emitter {
    listeners: RefCell<Vec<(u32, &'static str, Function)>>,
    next: Cell<u32>,
    /// Nothing will be told any more, so nobody is kept waiting for it.
    closed: Cell<bool>,
}

impl Emitter {
    /// Adds a listener for one of `types` and returns the function that removes it.
    pub(crate) fn on(
        self: &Rc<Self>,
        types: &[&'static str],
        wanted: &str,
        listener: Function,
    ) -> Result<Function, JsValue> {
        let Some(name) = types.iter().copied().find(|name| *name == wanted) else {
            let message = ["There is no event \"", wanted, "\", only ", &types.join(", ")].concat();
            return Err(Failure::new(Kind::InvalidArgument, message).into());
        };
        let number = self.next.replace(self.next.get().wrapping_add(1));
        if !self.closed.get() {
            self.listeners.borrow_mut().push((number, name, listener));
        }
        let emitter = Rc::downgrade(self);
        let remove = Closure::<dyn Fn()>::new(move || {
            if let Some(emitter) = emitter.upgrade() {
                emitter.listeners.borrow_mut().retain(|(other, ..)| *other != number);
            }
        });
        // JavaScript owns it from here and frees it when it is collected.
        Ok(remove.into_js_value().unchecked_into())
    }

    /// Tells all listeners. One that throws does not keep the others from hearing.
    pub(crate) fn emit(&self, name: &'static str, event: &JsValue) {
        let listeners: Vec<Function> = self
            .listeners
            .borrow()
            .iter()
            .filter(|(_, of, _)| *of == name)
            .map(|(.., listener)| listener.clone())
            .collect();
        for listener in listeners {
            if let Err(thrown) = listener.call1(&JsValue::UNDEFINED, event) {
                // Shows up as an unhandled rejection: the listener's fault, not ours to swallow.
                let _ = Promise::reject(&thrown);
            }
        }
    }

    /// Removes all listeners and takes no more. One that holds the object it listens to would keep both for ever:
    /// the collector cannot see through WebAssembly.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        self.listeners.borrow_mut().clear();
    }
}
