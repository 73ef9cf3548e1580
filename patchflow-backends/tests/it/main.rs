//! The integration tests of the backends.

mod store;
