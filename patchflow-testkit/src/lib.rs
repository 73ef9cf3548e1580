//! For those who write backends, and for tests: conformance suites by clause number, and a lab of small real hosts.

pub mod conformance;
#[cfg(feature = "lab")]
pub mod lab;
pub mod model;
pub mod orders;
