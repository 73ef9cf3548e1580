//! When a candidate's due dates are to be looked at again, so that nobody searches its endpoints for nothing.
//!
//! To tell who is past its due date takes a look at every endpoint that needs the candidate. What that found is kept, and
//! whatever may make it wrong says so: endpoints that need it now, another rating, another policy, endpoints that come into
//! production or service, and what was verified and is so no more.

use crate::fleet::Fleet;
use crate::fleet::decide::{self, Facts};
use crate::fleet::message::need::NeedFact;
use crate::fleet::message::observation::Standing;
use crate::fleet::state::State;
use crate::ids::CandidateId;
use crate::time::Timestamp;

impl Fleet {
    /// Tells of a candidate's due dates, if there may be something to tell. Returns when to look again.
    pub(in crate::fleet) fn look_at_due_dates(
        &mut self,
        now: Timestamp,
        id: CandidateId,
        facts: &mut Facts,
    ) -> Option<Timestamp> {
        let known = self.state.cache.due_looks.get(&id).copied();
        if let Some(look) = known.filter(|look| look.is_none_or(|look| now < look)) {
            return look;
        }
        let entry = self.state.candidate(id).filter(|_| self.state.is_live(id))?;
        let look = decide::due_date(&self.state, now, entry, facts);
        self.state.cache.due_looks.insert(id, look);
        look
    }
}

impl State {
    /// Endpoints are told with what they need.
    pub(in crate::fleet) fn due_dates_come(&mut self, id: CandidateId, needs: &[NeedFact]) {
        let Some(look) = self.cache.due_looks.get(&id).copied() else { return };
        let Some(entry) = self.candidates.get(id.index()) else { return };
        let needing = needs.iter().filter(|need| need.standing == Standing::Needs);
        let needing = needing.filter_map(|need| entry.needs.get(need.endpoint));
        let risk = entry.candidate.identified().risk();
        let first =
            needing.filter_map(|need| risk.due_there(self.day_began(need.day), self.due_limits())).min();
        let Some(first) = first else { return };
        if self.cache.live {
            self.cache.clock_agenda.insert(id);
        }
        if entry.clock.told.is_some() {
            let look = look.map_or(first, |look| look.min(first));
            self.cache.due_looks.insert(id, Some(look));
        } else {
            // They may have to be warned of.
            self.cache.due_looks.remove(&id);
        }
    }

    /// What was found holds for no candidate any more.
    pub(in crate::fleet) fn all_due_dates_change(&mut self) {
        let known = core::mem::take(&mut self.cache.due_looks);
        if self.cache.live {
            self.cache.clock_agenda.extend(known.into_keys());
        }
    }
}
