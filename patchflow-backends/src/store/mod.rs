//! Journal stores: where the facts of fleets are kept, behind [`JournalStore`](patchflow_core::sdk::JournalStore).
//!
//! | store | feature | durable | several hosts |
//! | --- | --- | --- | --- |
//! | [`MemoryStore`] | always | no | handles that share one state |
//! | `RedbStore` | `redb` (default) | yes | in one process, sharing the store; the file is locked against others |
//! | `SqliteStore` | `sqlite` | yes | several processes on one file |
//!
//! All three keep the clauses J1 to J30 of `docs/contract.md`. They take headers, payloads and heads as they are and
//! verify no chain: the reader does that. What they check is that a stream grows without gaps from its end.
//!
//! Blocking input and output runs on threads that a store owns, never on the caller's: the futures need no runtime.
//! Dropping a store waits for the commit under way and ends its threads.

#[cfg(any(feature = "redb", feature = "sqlite"))]
mod folder;
mod memory;
mod page;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "redb", feature = "sqlite"))]
mod stream;
#[cfg(any(feature = "redb", feature = "sqlite"))]
mod threads;

pub use memory::MemoryStore;
#[cfg(feature = "redb")]
pub use redb::RedbStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::sdk::{BackendError, Manifest, PluginKind};
use semver::{Comparator, Op, Prerelease, Version, VersionReq};

/// The manifest of a store of this crate.
fn manifest(name: &str, capabilities: &[&str]) -> Manifest {
    // Written for the traits of 0.1; a later SDK is to refuse this until somebody has looked.
    let since = Comparator { op: Op::Caret, major: 0, minor: Some(1), patch: None, pre: Prerelease::EMPTY };
    Manifest {
        name: name.into(),
        version: env!("CARGO_PKG_VERSION").parse().unwrap_or(Version::new(0, 0, 0)),
        sdk: VersionReq { comparators: vec![since] },
        kinds: vec![PluginKind::JournalStore],
        capabilities: capabilities.iter().map(|&name| name.into()).collect(),
        configuration_schema: None,
    }
}

/// Why pruning is refused: without the baseline nothing could be replayed any more.
fn no_baseline(fleet: FleetId, before: Seq) -> BackendError {
    BackendError::lasting(format!(
        "prune {fleet} before {before}: no baseline stands at or after it; append one first"
    ))
}
