//! Questions to the inventory that are open, and when they are asked again.

use super::decide;
use super::state::State;
use super::{Effect, EndpointSet, Fleet, Outbox};
use crate::ids::EndpointIx;
use crate::time::Timestamp;
use alloc::vec::Vec;

/// Endpoints in one question at most: so that a question of a whole site stays a message of bounded size.
const SCAN_MAX: usize = 1000;

impl Fleet {
    /// Asks again for what was not read in time. Costs nothing when nothing is due.
    pub(super) fn fire_scans(&mut self, now: Timestamp, out: &mut Outbox) {
        let secs = self.state.secs(now);
        if self.state.resync.is_some() || self.state.cache.scans.first().is_none_or(|(due, _)| *due > secs) {
            return;
        }
        let due: Vec<EndpointIx> =
            self.state.cache.scans.range(..=(secs, EndpointIx(u32::MAX))).map(|(_, ix)| *ix).collect();
        let mut facts = decide::Facts::new();
        decide::scans_due(&self.state, now, &due, &mut facts);
        self.apply_all(now, &mut facts, out);
    }
}

impl State {
    /// When a question to the inventory is over.
    pub(super) fn next_scan_due(&self) -> Option<Timestamp> {
        self.cache.scans.first().map(|(due, _)| self.at(*due))
    }

    /// The questions about some endpoints, in messages of bounded size.
    pub(super) fn scans(&self, endpoints: &EndpointSet, mut act: impl FnMut(Effect)) {
        let mut names = Vec::new();
        for ix in endpoints.iter() {
            names.extend(self.endpoints.id(ix).cloned());
            if names.len() == SCAN_MAX {
                act(Effect::Scan { endpoints: core::mem::take(&mut names) });
            }
        }
        if !names.is_empty() {
            act(Effect::Scan { endpoints: names });
        }
    }

    /// The endpoints whose questions are open.
    pub(super) fn open_scans(&self) -> EndpointSet {
        let open =
            self.endpoints.conditions().filter(|(_, known)| known.scan.is_some_and(|scan| scan.due != 0));
        open.map(|(ix, _)| ix).collect()
    }

    /// Finds the deadlines of open questions again after a replay.
    pub(super) fn recover_scans(&mut self) {
        let Self { endpoints, cache, .. } = self;
        cache.scans = endpoints
            .conditions()
            .filter_map(|(ix, known)| known.scan.filter(|scan| scan.due != 0).map(|scan| (scan.due, ix)))
            .collect();
    }
}
