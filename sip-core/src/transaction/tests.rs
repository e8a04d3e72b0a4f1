//! The layer on a virtual clock.
