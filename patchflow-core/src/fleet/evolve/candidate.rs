//! Moving a candidate to its next typed state, which consumes the one it was in.

use super::Misfit;
use crate::candidate::Candidate;
use crate::catalog::Patch;
use crate::fleet::message::need::NeedFact;
use crate::fleet::message::observation::Standing;
use crate::fleet::state::{CandidateEntry, State};
use crate::ids::{CandidateId, Revision, RolloutId};
use crate::risk::{Assessment, Priority};
use crate::rollout::{Rollout, RolloutState};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Whether a candidate's state took a transition; when not, it is given back as it was.
pub(super) enum Fits {
    Yes,
    No,
}

impl State {
    /// Moves a candidate to its next state, which consumes the state it was in.
    pub(super) fn transition(
        &mut self,
        id: CandidateId,
        next: impl FnOnce(Candidate) -> (Candidate, Fits),
    ) -> Result<&mut CandidateEntry, Misfit> {
        self.entry(id)?;
        let entry = self.candidates.swap_remove_and_return(id)?;
        let (candidate, fits) = next(entry.candidate);
        let revision = Revision(entry.revision.0 + 1);
        let entry = self.candidates.put_back(id, CandidateEntry { candidate, revision, ..entry });
        match fits {
            Fits::Yes => {}
            Fits::No => return Err(format!("the candidate is {}", entry.candidate.state())),
        }
        // What it replaces may go, or come back, with it.
        self.rethink_kin_of(id);
        self.candidates.get_mut(id.index()).ok_or_else(|| "there is no such candidate".to_string())
    }

    /// What a candidate replaces looks at it again. What is only identified waits for the next comparison all the same,
    /// unless it is replaced now.
    pub(super) fn rethink_kin_of(&mut self, id: CandidateId) {
        let mut replaced = self.replaced_by(id);
        let waits = |older: CandidateId| self.candidate(older).is_some_and(CandidateEntry::awaits_comparison);
        replaced.retain(|older| !waits(*older) || self.approved_superseder(*older).is_some());
        self.cache.candidate_agenda.extend(replaced);
    }

    /// Other words about the same content, and the rating that follows from them.
    pub(super) fn rerate(
        &mut self,
        at: Timestamp,
        id: CandidateId,
        patch: &Arc<Patch>,
        risk: &Assessment,
    ) -> Result<(), Misfit> {
        self.rethink_kin_of(id);
        let Self { candidates, kin, .. } = self;
        let entry = candidates.get_mut(id.index()).ok_or("there is no such candidate")?;
        kin.remove(id, entry.candidate.identified().patch());
        let before = entry.candidate.identified().risk();
        if before.priority != Priority::Critical && risk.priority == Priority::Critical {
            entry.clock.critical_since = Some(at);
            (entry.clock.first_warned, entry.clock.first_told) = (false, false);
        }
        self.cache.due_looks.remove(&id);
        if before.due != risk.due {
            (entry.clock.warned, entry.clock.told, entry.clock.next) = (false, None, None);
        }
        // Members wait for their due dates, and for windows into which the reboot fits.
        let lasts = (before.due, entry.candidate.identified().patch().reboot) == (risk.due, patch.reboot);
        let rollouts = entry.deployments.iter().copied().chain(entry.trial.map(|(trial, _)| trial));
        let rollouts: Vec<_> = rollouts.filter(|_| !lasts).collect();
        kin.add(id, patch);
        entry.candidate.rerate(patch.clone(), risk.clone());
        // What is only identified waits for the next comparison of inventory and catalogue, but its dates may be others.
        let waits = entry.awaits_comparison();
        if waits { &mut self.cache.clock_agenda } else { &mut self.cache.candidate_agenda }.insert(id);
        entry.revision = Revision(entry.revision.0 + 1);
        self.rethink_kin_of(id);
        // A circle may have been broken by it.
        let held = self.candidates.iter().zip(0..).filter(|(entry, _)| entry.held.is_some());
        self.cache.candidate_agenda.extend(held.map(|(_, i)| CandidateId(i)));
        if self.cache.live {
            rollouts.into_iter().for_each(|rollout| self.all_look_again(rollout));
        }
        self.wake_all();
        Ok(())
    }

    /// What is missing where is known anew of some endpoints.
    pub(super) fn needs_change(
        &mut self,
        at: Timestamp,
        candidate: CandidateId,
        needs: &[NeedFact],
    ) -> Result<(), Misfit> {
        let days = self.first_days(at, candidate, needs);
        let entry = self.candidates.get_mut(candidate.index()).ok_or("there is no such candidate")?;
        let CandidateEntry { needs: known, levels, paths_until, .. } = entry;
        let paths_change = !paths_until.is_empty();
        let days = needs.iter().zip(days);
        known.extend(days.map(|(need, day)| Self::pack_need(levels, need, day)));
        entry.compare_levels();
        let CandidateEntry { paths_until, whys, .. } = entry;
        for need in needs {
            self.lapsed.remove(&(candidate, need.endpoint));
            match need.path_valid_until {
                Some(until) => drop(paths_until.insert(need.endpoint, until)),
                None if paths_until.is_empty() => {}
                None => drop(paths_until.remove(&need.endpoint)),
            }
            match &need.why {
                Some(why) => drop(whys.insert(need.endpoint, why.clone())),
                None => drop(whys.remove(&need.endpoint)),
            }
        }
        self.renew_paths(candidate, needs);
        if paths_change {
            self.look_at_gates(candidate);
        }
        self.due_dates_come(candidate, needs);
        // Some may have waited for this to be there.
        needs.iter().for_each(|need| self.wake(need.endpoint));
        self.tend_taken_back(needs);
        let needing = needs.iter().filter(|need| need.standing == Standing::Needs);
        self.note_needs(candidate, needing.map(|need| need.endpoint));
        Ok(())
    }

    /// What is taken back may be there again, where something else had taken its place.
    fn tend_taken_back(&mut self, needs: &[NeedFact]) {
        let Self { cache, rollouts, .. } = self;
        for rollout in rollouts.iter().filter(|rollout| rollout.takes_back && cache.live) {
            let there = needs.iter().filter_map(|need| rollout.member_of(need.endpoint));
            cache.tending.extend(there.map(|ix| (rollout.id(), ix)));
        }
    }

    /// The day on which each endpoint first needed a candidate: an earlier one than this where it lacked, and lacks
    /// still, what the candidate replaces, so that no clock restarts there (semantics S7).
    pub(super) fn first_days(
        &self,
        at: Timestamp,
        id: CandidateId,
        needs: &[NeedFact],
    ) -> impl Iterator<Item = u16> + use<> {
        let today = self.day(at);
        let mut days = Vec::new();
        let patch = self.candidate(id).map(|entry| entry.candidate.identified().patch());
        let before = patch.map(|patch| self.clocks_before(id, patch)).unwrap_or_default();
        for older in before.into_iter().filter_map(|older| self.candidate(older)) {
            if !older.candidate.identified().patch().category.has_security_clocks() {
                continue;
            }
            days.resize(needs.len(), today);
            for (day, need) in days.iter_mut().zip(needs) {
                let lacked = older.needs.get(need.endpoint);
                let lacked = lacked.filter(|lacked| lacked.standing == Standing::Needs && lacked.day < *day);
                if let Some(lacked) = lacked.filter(|_| !self.is_done(older, need.endpoint)) {
                    *day = lacked.day;
                }
            }
        }
        days.into_iter().chain(core::iter::repeat(today))
    }

    /// Those that nothing was ordered for yet go by the way back that is known now: a snapshot may have been taken since
    /// the plan was made. Where another version has come or gone since, what the plan recorded stays.
    pub(super) fn renew_paths(&mut self, id: CandidateId, needs: &[NeedFact]) {
        let Self { candidates, rollouts, .. } = self;
        let Some(entry) = candidates.get(id.index()) else { return };
        let trial = entry.trial.map(|(trial, _)| trial);
        for rollout in entry.deployments.iter().copied().chain(trial) {
            let Some(rollout) = rollouts.get_mut(rollout.index()) else { continue };
            for need in needs.iter().filter(|need| need.standing == Standing::Needs) {
                let ix = rollout.member_of(need.endpoint);
                let member = ix.and_then(|ix| rollout.members.get_mut(ix.index()));
                if let Some(member) = member.filter(|member| member.operation == 0)
                    && member.level().and_then(|level| rollout.levels.get(level)) == need.present.as_ref()
                {
                    member.renew_path(need.path);
                }
            }
        }
    }

    /// It was held, and goes on; so do its rollouts.
    pub(super) fn released(&mut self, id: CandidateId) -> Result<(), Misfit> {
        self.entry(id)?.held = None;
        self.rethink_kin_of(id);
        self.deployments_go_on(id)
    }

    /// Nothing keeps the deployments of a candidate from going on any more. Whoever came up for staging meanwhile was
    /// passed over.
    fn deployments_go_on(&mut self, id: CandidateId) -> Result<(), Misfit> {
        for deployment in self.entry(id)?.deployments.clone() {
            if let Some(rollout) = self.rollouts.get_mut(deployment.index()) {
                rollout.stage_anew();
            }
            self.put_on_agenda(deployment);
        }
        Ok(())
    }

    /// A rollout takes up those that earlier ones of its candidate have not brought to an end.
    pub(super) fn takes_up(&mut self, id: CandidateId, rollout: RolloutId) {
        let Some(entry) = self.candidates.get(id.index()) else { return };
        let earlier: Vec<_> = entry.deployments.iter().copied().filter(|it| *it != rollout).collect();
        self.look_again_in_part(&earlier);
    }

    /// Whoever waits or is under way in rollouts that have completed looks again.
    pub(super) fn look_again_in_part(&mut self, rollouts: &[RolloutId]) {
        for id in rollouts {
            let completed = self.rollout(*id).filter(|it| it.state() == RolloutState::Completed);
            let is_part = |it: &Rollout| it.counts().waiting + it.counts().in_flight > 0;
            if self.cache.live && completed.is_some_and(is_part) {
                self.all_look_again(*id);
            }
        }
    }

    /// Whatever its deployments have installed is taken back, or may stay again. They look at it either way.
    pub(super) fn takes_back(&mut self, id: CandidateId, takes_back: bool) -> Result<(), Misfit> {
        for deployment in self.entry(id)?.deployments.clone() {
            if let Some(rollout) = self.rollouts.get_mut(deployment.index()) {
                rollout.takes_back = takes_back;
                rollout.queue.sweep |= takes_back;
            }
            self.put_on_agenda(deployment);
        }
        if takes_back { Ok(()) } else { self.deployments_go_on(id) }
    }

    /// Turned down or replaced before, open again now: the way begins anew, and a trial that passed still counts.
    pub(super) fn reopen(&mut self, id: CandidateId, by_a_person: bool) -> Result<(), Misfit> {
        let entry = self.transition(id, |state| match state {
            Candidate::Rejected(_) | Candidate::Superseded(_) => {
                (Candidate::Identified(state.into_identified()), Fits::Yes)
            }
            Candidate::Identified(_)
            | Candidate::Trialled(_)
            | Candidate::Approved(_)
            | Candidate::Withdrawn(_) => (state, Fits::No),
        })?;
        entry.reconsidered |= by_a_person;
        entry.deployments_before = entry.deployments.len();
        let trial = entry.trial;
        // A trial that was cut short proves nothing; what failed stays for a person.
        let completed = |id: RolloutId| {
            self.rollouts.get(id.index()).is_some_and(|trial| trial.state() == RolloutState::Completed)
        };
        let trial = trial.filter(|(trial, failed)| *failed || completed(*trial));
        self.entry(id)?.trial = trial;
        Ok(())
    }
}

/// Taking a candidate out by value, so that its typed state can be consumed, and putting it back at its place.
trait Places {
    fn swap_remove_and_return(&mut self, id: CandidateId) -> Result<CandidateEntry, Misfit>;
    fn put_back(&mut self, id: CandidateId, entry: CandidateEntry) -> &mut CandidateEntry;
}

impl Places for Vec<CandidateEntry> {
    fn swap_remove_and_return(&mut self, id: CandidateId) -> Result<CandidateEntry, Misfit> {
        if id.index() < self.len() {
            Ok(self.swap_remove(id.index()))
        } else {
            Err("there is no such candidate".to_string())
        }
    }

    fn put_back(&mut self, id: CandidateId, entry: CandidateEntry) -> &mut CandidateEntry {
        self.push(entry);
        let last = self.len() - 1;
        self.swap(id.index(), last);
        &mut self[id.index()]
    }
}
