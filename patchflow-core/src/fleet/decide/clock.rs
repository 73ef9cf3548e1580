//! Due dates: rated when a patch is published, told of when they come near, a fact when they have passed (semantics S7).

use crate::catalog::Patch;
use crate::fleet::state::State;
use crate::ids::CandidateId;
use crate::risk::{Assessment, DueLimits, assess};
use crate::time::Timestamp;

impl State {
    /// The limits of the policy that holds, else the field's.
    pub(super) fn due_limits(&self) -> DueLimits {
        self.policy.as_ref().map_or_else(DueLimits::default, |(policy, _)| policy.clock.limits)
    }

    /// The rating of a patch, with the clocks of what it replaces: of its own older content, and of other patches.
    pub(super) fn rated(&self, now: Timestamp, id: CandidateId, patch: &Patch) -> Assessment {
        let rated = assess(patch, now, &self.due_limits());
        let same = self.by_patch.get(&patch.id).copied().filter(|same| *same != id);
        let named = patch.relations.supersedes.iter().filter_map(|name| self.by_patch.get(name).copied());
        // What those replaced themselves stands in their own clocks already.
        same.into_iter().chain(named).filter(|older| *older != id).fold(rated, |rated, older| {
            match self.candidate(older) {
                Some(older) => rated.replacing(patch.category, older.candidate.identified().risk()),
                None => rated,
            }
        })
    }
}
