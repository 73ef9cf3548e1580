//! The integration tests of the testkit.

mod contract;
mod model_installer;
mod model_store;
mod wrong_installers;
mod wrong_stores;
