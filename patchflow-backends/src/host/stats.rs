//! What a host has done and holds, in figures.

use super::error::Trouble;
use super::identify::Round;
use patchflow_core::ids::FleetId;
use patchflow_core::time::Timestamp;
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
    /// Rounds of identification that this host drives, by fleet.
    pub rounds: BTreeMap<FleetId, RoundsStats>,
    /// Fleets that are not driven any more, and why.
    pub troubles: BTreeMap<FleetId, Arc<Trouble>>,
}

/// Rounds of identification of one fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundsStats {
    /// Rounds that ended well.
    pub done: u64,
    /// Rounds that failed or took too long.
    pub failed: u64,
    /// How many of them since the last that ended well.
    pub failed_in_a_row: u32,
    /// Why the last one failed; nothing when it ended well.
    pub error: Option<String>,
    /// What the last one that ended well did.
    pub last: Option<Round>,
    /// When that was: what is known of the fleet is as old.
    pub ended_at: Option<Timestamp>,
    /// Whether one is under way.
    pub under_way: bool,
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
