//! The integration tests of the testkit.

mod contract;
mod model_store;
mod wrong_stores;
