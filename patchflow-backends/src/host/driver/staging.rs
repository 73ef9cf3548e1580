//! What comes of attempts to stage: answers are told, what is under way is asked for again.

use super::Driver;
use super::call::Call;
use super::lane::Item;
use patchflow_core::fleet::Observation;
use patchflow_core::ids::FleetId;
use patchflow_core::rollout::{StageId, StageOrder, StageOutcome};
use patchflow_core::sdk::BackendError;
use std::collections::BTreeMap;

impl Driver {
    /// Attempts that have come to their end are told to their fleets; the others are asked for again until they
    /// are late, which is for the fleet to say.
    pub(super) fn staged(
        &mut self,
        ix: usize,
        items: Vec<Item<StageOrder>>,
        result: Result<Vec<(StageId, StageOutcome<'static>)>, BackendError>,
    ) {
        let (mut answers, error) = match result {
            Ok(answers) => (answers.into_iter().collect::<BTreeMap<_, _>>(), None),
            Err(error) => {
                super::effects::log(&error, "content could not be staged");
                (BTreeMap::new(), Some(error))
            }
        };
        let now = self.now();
        let mut seen = BTreeMap::<FleetId, Vec<_>>::new();
        let mut again = Vec::new();
        for item in items {
            let stage = item.what.id();
            match answers.remove(&stage) {
                Some(outcome) => {
                    self.lanes[ix].stage_done(stage);
                    self.done(item.origin);
                    seen.entry(stage.fleet).or_default().push(Observation::Staged { stage, outcome });
                }
                None if now < item.what.report_by() && self.lives(item.origin) => {
                    again.push(Item { failures: item.failures.saturating_add(1), ..item });
                }
                None => {
                    self.lanes[ix].stage_done(stage);
                    self.done(item.origin);
                }
            }
        }
        seen.into_iter().for_each(|(fleet, seen)| self.deliver(ix, fleet, seen));
        let wait = self.wait_of(&again, error.as_ref());
        self.wait(ix, wait, Call::Stage(again));
    }
}
