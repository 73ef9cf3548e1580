//! Package managers on this machine: a small blocking trait for their writers, and the runtime that makes an
//! [`Installer`](patchflow_core::sdk::Installer) and an [`Inventory`](patchflow_core::sdk::Inventory) of it.
//!
//! A writer implements [`LocalBackend`], endpoint by endpoint and blocking, usually over a [`CommandRunner`].
//! Everything that installers get wrong (repeated orders, fences, late starts, recalls, what was running when the
//! host died) is the runtime's business. Nothing here talks to a network.

mod backend;
#[cfg(any(feature = "artifact", feature = "apt"))]
mod content;
mod desk;
mod installer;
mod inventory;
mod job;
mod ledger;
mod pool;
mod reply;
mod runner;
mod worker;

pub use backend::{LocalBackend, Recovery};
pub use installer::{LocalInstaller, LocalOptions};
pub use runner::{CommandRunner, Ran, RunError};
#[cfg(any(feature = "artifact", feature = "apt"))]
pub(crate) use {content::digest_of, ledger::sync_dir};
#[cfg(feature = "artifact")]
pub(crate) use {
    installer::{own_version, sdk_requirement},
    ledger::replace_file,
    pool::Pool,
    reply::gather,
};

#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "artifact"))]
pub(crate) use tests::block_on;
