//! The integration tests of the backends.

mod store;
#[cfg(feature = "probe")]
mod probe;
#[cfg(feature = "html")]
mod report;
