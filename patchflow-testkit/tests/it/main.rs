//! The integration tests of the testkit.

mod contract;
#[cfg(feature = "lab")]
mod matching;
mod model_installer;
mod model_store;
mod soak;
mod wrong_installers;
mod wrong_stores;
