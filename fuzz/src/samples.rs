//! Bodies in the shape of what is met: those of the core's own tests.

#[expect(dead_code, reason = "the core's tests use the list of all")]
#[path = "../../sip-core/src/body/tests/samples.rs"]
mod bodies;
#[expect(dead_code, reason = "the core's tests use the list of all")]
#[path = "../../sip-core/src/body/sdp/tests/samples.rs"]
mod descriptions;

pub(crate) use bodies::*;
pub(crate) use descriptions::*;
