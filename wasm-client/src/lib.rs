//! The browser's seams around `sip-core` — WebSocket, timers, random numbers, media — and the public JavaScript API.
//!
//! `api` holds the classes a page sees. Below it, `driver` is the loop around the core, `link` decides when to
//! connect and ping, `socket` and `clock` touch the browser, `call` joins the core's signalling with `media`, which
//! is the page's or `js/media.js`. Nothing here builds or reads SIP or SDP.

mod api;
mod call;
mod clock;
mod deferred;
mod driver;
mod emitter;
mod error;
mod events;
mod link;
mod media;
mod options;
mod socket;

pub use api::{Call, UserAgent};
