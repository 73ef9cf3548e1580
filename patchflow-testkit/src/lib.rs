//! For those who write backends, and for tests: conformance suites by clause number, a lab of small real hosts, and a
//! simulated world around a real fleet.

pub mod conformance;
pub mod explore;
#[cfg(feature = "lab")]
pub mod lab;
pub mod model;
pub mod oracle;
pub mod orders;
pub mod scenario;
pub mod sim;
