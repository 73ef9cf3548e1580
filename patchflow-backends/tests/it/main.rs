//! The integration tests of the backends.

#[cfg(feature = "host")]
mod host;
mod store;
