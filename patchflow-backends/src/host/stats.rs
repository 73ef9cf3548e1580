//! What a host has done and holds, in figures.

use super::error::Trouble;
use patchflow_core::ids::FleetId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Figures of a host since it began to run.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HostStats {
    /// Fleets it knows.
    pub fleets: usize,
    /// Fleets in memory.
    pub loaded: usize,
    /// Fleets that wait to be loaded or are being loaded.
    pub loading: usize,
    /// Fleets it dropped from memory because they were idle.
    pub evicted: u64,
    /// Facts stored.
    pub facts_stored: u64,
    /// Bytes of journal stored, headers included.
    pub bytes_stored: u64,
    /// Appends stored.
    pub appends: u64,
    /// Calls of the store that stored them.
    pub commits: u64,
    /// Appends that were repeated because their outcome was not known.
    pub append_retries: u64,
    /// Appends that met another writer.
    pub conflicts: u64,
    /// Baselines written.
    pub baselines: u64,
    /// Reports and answers for fleets or by backends that do not belong together; none was applied.
    pub strays: u64,
    /// Observations and requests that wait.
    pub inputs_queued: usize,
    /// Effects that wait for a backend or are under way.
    pub effects_open: usize,
    /// The most effects that were open at once.
    pub effects_open_max: usize,
    /// Calls of backends under way.
    pub calls_in_flight: usize,
    /// Calls of backends that failed or took too long.
    pub calls_failed: u64,
    /// Fleets that are not driven any more, and why.
    pub troubles: BTreeMap<FleetId, Arc<Trouble>>,
}

/// The figures, shared between the driver and its handles.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedStats(Arc<Mutex<HostStats>>);

impl SharedStats {
    /// For the time of a few assignments.
    pub(super) fn lock(&self) -> MutexGuard<'_, HostStats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a graceful stop left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// Calls of backends that were still under way after the grace; what became of them is asked after the next start.
    pub calls_cut: usize,
    /// Fleets whose last facts are not known to be stored. No effect of such a fact has left.
    pub unsettled: Vec<FleetId>,
}
