//! S4: content is brought to an endpoint before its window opens. Not staged is not started.

use super::reports::Fits;
use super::state::{Candidate, Model};
use super::windows::Window;
use super::{Illegal, Mutation, Sent};
use patchflow_core::digest::Digest;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::ContentView;
use patchflow_core::ids::EndpointIx;
use patchflow_core::inventory::ScopePath;
use patchflow_core::rollout::{Event, Phase, RingState, RolloutKind, RolloutState, StageId, StageOutcome};
use patchflow_core::time::Timestamp;

/// Where the content of a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nobody asked for it.
    Nowhere,
    Asked {
        attempt: u8,
        late: Timestamp,
    },
    /// With the digest that was approved.
    There {
        until: Timestamp,
    },
    Failed {
        attempt: u8,
        again: Timestamp,
    },
    /// Not brought any more for this opening; from then on anew, or when a person says so.
    GivenUp {
        again: Option<Timestamp>,
    },
}

/// Whether a member in this phase has still to start, so that its content may be wanted.
pub(super) fn waits_for_content(phase: Phase) -> bool {
    [Phase::Waiting, Phase::Backoff, Phase::Deferred].contains(&phase)
}

/// What the engine shows of the content of a member, in the model's words.
pub(super) fn shown(content: ContentView) -> String {
    match content {
        ContentView::Wanted { .. } => "wanted".into(),
        ContentView::Asked { until } => format!("asked until {until}"),
        ContentView::There { until } => format!("there until {until}"),
        ContentView::Failed { again, .. } => format!("failed until {again}"),
        ContentView::GivenUp { again, .. } => format!("given up until {again:?}"),
    }
}

impl Model {
    /// The same of a member of the model; none where its policy does not want it staged.
    pub(super) fn content_shown(&self, at: (usize, usize)) -> Option<String> {
        let wanted = self.rollouts[at.0].policy.staging.required;
        wanted.then(|| match self.member(at).content {
            Content::Nowhere => "wanted".into(),
            Content::Asked { late, .. } => format!("asked until {late}"),
            Content::There { until } if self.is_old(until) => "wanted".into(),
            Content::There { until } => format!("there until {until}"),
            Content::Failed { again, .. } => format!("failed until {again}"),
            Content::GivenUp { again } => format!("given up until {again:?}"),
        })
    }

    /// Whether content has grown too old to be used.
    fn is_old(&self, until: Timestamp) -> bool {
        until <= self.now && !self.bent(Mutation::OldContentIsGood)
    }

    /// Not staged is not started.
    pub(super) fn is_staged(&self, (r, m): (usize, usize)) -> bool {
        let required = self.rollouts[r].policy.staging.required;
        let there = match self.rollouts[r].members[m].content {
            Content::There { until } => !self.is_old(until),
            Content::Nowhere | Content::Asked { .. } | Content::Failed { .. } | Content::GivenUp { .. } => {
                false
            }
        };
        !required || there || self.bent(Mutation::StartsWithoutContent)
    }

    /// Members of rings that have opened, and with `next_ring` of the next one while the open one bakes.
    fn ring_is_staged(&self, (r, m): (usize, usize)) -> bool {
        let rollout = &self.rollouts[r];
        let ring = rollout.members[m].ring;
        if rollout.state == RolloutState::Completed {
            return true;
        }
        let current = &rollout.rings[rollout.ring];
        let bakes = matches!(current.state, RingState::Settled | RingState::Held);
        let next =
            (rollout.ring + 1..rollout.rings.len()).find(|next| rollout.in_ring(*next).next().is_some());
        ring < rollout.ring
            || ring == rollout.ring && current.opened_at.is_some()
            || bakes
                && Some(ring) == next
                && (rollout.policy.staging.next_ring || self.bent(Mutation::StagesTheNextRing))
    }

    /// Whether everything but the clock and the bounds says that a member's content is to be brought.
    fn lacks_content(&self, at: (usize, usize)) -> bool {
        let (rollout, member) = (&self.rollouts[at.0], self.member(at));
        let runs = rollout.state == RolloutState::Running || rollout.is_catching_up();
        let in_turn = match member.phase {
            Phase::Waiting => true,
            Phase::Deferred => self.is_caught_up(at),
            Phase::Backoff => member.due.is_some_and(|due| due <= self.now),
            _ => false,
        };
        let lacks = match member.content {
            Content::Nowhere => true,
            Content::Asked { .. } => false,
            Content::There { until } => self.is_old(until),
            Content::Failed { again, .. } => again <= self.now,
            Content::GivenUp { again } => again.is_some_and(|again| again <= self.now),
        };
        rollout.policy.staging.required
            && runs
            && in_turn
            && lacks
            && self.resync.is_none()
            && self.is_permitted(at.0)
            && self.ring_is_staged(at)
            && !self.is_taken_over(at)
            && !self.endpoints[member.endpoint].gone
            && !self.is_kept(member.endpoint)
            && self.stands_against(at, member.phase == Phase::Backoff).is_none()
            && self.leader(at).is_none()
    }

    /// From when on content is brought for the next opening; now where no window is waited for, none where none comes.
    fn staged_from(&self, at: (usize, usize)) -> Option<Timestamp> {
        let (needed, endpoint) = (self.needed(at.0), self.member(at).endpoint);
        let opens = match self.window(at.0, endpoint, needed) {
            Window::Open { .. } => return Some(self.now),
            Window::Shut { opens } => opens,
        };
        let usual = self.opens_next(at.0, endpoint, needed);
        let opens = opens.into_iter().chain(usual).min()?;
        let lead = if self.bent(Mutation::NoLead) { 0 } else { self.rollouts[at.0].policy.staging.lead_secs };
        Some(Timestamp::from_secs(opens.as_secs() - i64::from(lead)))
    }

    /// Endpoints to which something is being brought, once for each rollout.
    fn being_staged(&self) -> Vec<usize> {
        let members = self.rollouts.iter().flat_map(|rollout| &rollout.members);
        let asked = members.filter(|member| matches!(member.content, Content::Asked { .. }));
        asked.map(|member| member.endpoint).collect()
    }

    /// Whether the bounds of the fleet let anything more be brought now.
    fn staging_is_open(&self) -> bool {
        let Some(policy) = &self.policy else { return false };
        let fits = policy.staging.in_flight_max.is_none_or(|max| {
            self.being_staged().len() < super::budgets::of(max, self.present().len())
                || self.bent(Mutation::NoBoundOnStagings)
        });
        fits && self.stages_again_at().is_none()
    }

    fn stages_again_at(&self) -> Option<Timestamp> {
        let max = self.policy.as_ref()?.staging.starts_max;
        let max = max.filter(|_| !self.bent(Mutation::AnyNumberIsStaged))?;
        let over = |start: &Timestamp| start.plus_secs(max.per_secs.into());
        let recent: Vec<Timestamp> = self.stagings.iter().map(over).filter(|over| *over > self.now).collect();
        let full = recent.len().checked_sub(max.n as usize)?;
        recent.get(full).copied()
    }

    /// Whether the line of an endpoint's scope brings as much as it may.
    fn line_is_full(&self, endpoint: usize) -> bool {
        let Some(policy) = &self.policy else { return true };
        let full = policy.staging.scopes.iter().any(|budget| {
            let inside = |e: &usize| self.endpoints[*e].seen.scope.is_within(&budget.within);
            let asked = self.being_staged().iter().filter(|e| inside(e)).count();
            let present = self.present().iter().filter(|e| inside(e)).count();
            inside(&endpoint) && asked >= super::budgets::of(budget.in_flight_max, present)
        });
        full && !self.bent(Mutation::NoBoundOnLines)
    }

    fn may_be_staged(&self, at: (usize, usize)) -> bool {
        self.lacks_content(at)
            && self.staged_from(at).is_some_and(|from| from <= self.now)
            && self.staging_is_open()
            && !self.line_is_full(self.member(at).endpoint)
    }

    /// Takes the first of the engine's stagings that is legal now. Whether there was one.
    pub(super) fn stage(&mut self) -> bool {
        let legal = |(r, m, event): &(usize, usize, Event)| {
            let known = *r < self.rollouts.len() && *m < self.rollouts[*r].members.len();
            let too_old =
                |at| matches!(self.member(at).content, Content::There { until } if self.is_old(until));
            known
                && match event {
                    Event::StageDropped => too_old((*r, *m)),
                    _ => !too_old((*r, *m)) && self.may_be_staged((*r, *m)),
                }
        };
        let Some(i) = self.choices.stages.iter().position(legal) else { return false };
        let (r, m, event) = self.choices.stages.remove(i);
        if event == Event::StageDropped {
            self.rollouts[r].members[m].content = Content::Nowhere;
            return true;
        }
        let late = self.later(self.rollouts[r].policy.staging.within_secs);
        let keep = u64::from(self.rollouts[r].policy.staging.keep_secs);
        let member = &mut self.rollouts[r].members[m];
        let attempt = match member.content {
            Content::Failed { attempt, .. } => attempt.saturating_add(1),
            Content::Nowhere | Content::Asked { .. } | Content::There { .. } | Content::GivenUp { .. } => 1,
        };
        member.content = Content::Asked { attempt, late };
        let order = (r, member.endpoint, attempt);
        self.stagings.push(self.now);
        self.sent.push(Sent::Stage { order, late, keep: late.plus_secs(keep) });
        true
    }

    /// An endpoint answers for an attempt.
    pub(super) fn staged(&mut self, stage: StageId, outcome: &StageOutcome<'_>) -> Fits {
        let (r, endpoint) = (stage.rollout.index(), stage.endpoint.index());
        let Some(rollout) = self.rollouts.get(r).filter(|rollout| rollout.policy.staging.required) else {
            return Ok(false);
        };
        let Some(m) = rollout.member_of(endpoint).filter(|m| waits_for_content(rollout.members[*m].phase))
        else {
            return Ok(false);
        };
        let content = rollout.members[m].content;
        let of_now = matches!(content, Content::Asked { attempt, .. } if attempt == stage.attempt)
            || self.bent(Mutation::OldStagingsCount) && matches!(content, Content::Asked { .. });
        match outcome {
            StageOutcome::There { content: seen }
                if *seen == self.candidates[rollout.candidate].patch.content
                    || self.bent(Mutation::AnyContentWillDo) =>
            {
                let asked = match content {
                    Content::Nowhere | Content::There { .. } => false,
                    Content::Asked { .. } | Content::Failed { .. } | Content::GivenUp { .. } => true,
                };
                if asked {
                    self.content_is_there((r, m));
                }
                Ok(asked)
            }
            // Other content is thrown away, and begun anew only when a person says so.
            StageOutcome::There { .. } if of_now => {
                self.sent.push(Sent::Unstage { order: (r, endpoint) });
                self.give_up((r, m), None);
                Ok(true)
            }
            StageOutcome::Failed(failure) if of_now => {
                self.not_staged((r, m), failure.kind)?;
                Ok(true)
            }
            StageOutcome::There { .. } | StageOutcome::Failed(_) => Ok(false),
        }
    }

    fn content_is_there(&mut self, at: (usize, usize)) {
        let until = self.later(self.rollouts[at.0].policy.staging.keep_secs);
        self.rollouts[at.0].members[at.1].content = Content::There { until };
    }

    fn give_up(&mut self, at: (usize, usize), again: Option<Timestamp>) {
        self.rollouts[at.0].members[at.1].content = Content::GivenUp { again };
        if again.is_none() && self.phase(at) == Phase::Backoff {
            // Nothing brings its content any more: its retry is over with it.
            self.put(at, Phase::Failed, None);
        }
    }

    /// An attempt failed: tried again by the rules of S13, or given up until before the next opening.
    fn not_staged(&mut self, at: (usize, usize), kind: FailureKind) -> Result<(), Illegal> {
        let Content::Asked { attempt, .. } = self.member(at).content else { return Ok(()) };
        let policy = &self.rollouts[at.0].policy;
        let better = policy.retry.on.contains(&kind);
        if better && attempt < policy.staging.attempts_max {
            let (from, until) = self.backoff(at, attempt);
            let again = self.choices.retry(at, from, until)?;
            self.rollouts[at.0].members[at.1].content = Content::Failed { attempt, again };
            return Ok(());
        }
        let lead = i64::from(policy.staging.lead_secs);
        let (needed, endpoint) = (self.needed(at.0), self.member(at).endpoint);
        let again = self.opens_after_next(at.0, endpoint, needed);
        let soonest = self.now.plus_secs(1);
        self.give_up(at, again.map(|opens| Timestamp::from_secs(opens.as_secs() - lead).max(soonest)));
        Ok(())
    }

    /// Whatever nobody answered for in time has failed.
    pub(super) fn stagings_late(&mut self) -> Result<(), Illegal> {
        if self.resync.is_some() {
            return Ok(());
        }
        for r in 0..self.rollouts.len() {
            for m in 0..self.rollouts[r].members.len() {
                let content = self.member((r, m)).content;
                if matches!(content, Content::Asked { late, .. } if late <= self.now) {
                    self.not_staged((r, m), FailureKind::Timeout)?;
                }
            }
        }
        Ok(())
    }

    /// Content that was carried over by hand counts as staged wherever a rollout wants it.
    pub(super) fn content_held(
        &mut self,
        held: Digest,
        endpoints: &[EndpointIx],
        depot: Option<&ScopePath>,
    ) -> bool {
        let known = endpoints.iter().all(|ix| ix.index() < self.endpoints.len());
        let mut wanted = false;
        for r in 0..self.rollouts.len() {
            let rollout = &self.rollouts[r];
            let same = self.candidates[rollout.candidate].patch.content == held;
            if !rollout.policy.staging.required || rollout.is_stopped() || !same {
                continue;
            }
            wanted = true;
            for m in 0..self.rollouts[r].members.len() {
                let member = self.member((r, m));
                let scope = &self.endpoints[member.endpoint].seen.scope;
                let named = endpoints.iter().any(|ix| ix.index() == member.endpoint)
                    && self.rollouts[r].member_of(member.endpoint) == Some(m);
                let here = named || depot.is_some_and(|depot| scope.is_within(depot));
                let good = matches!(member.content, Content::There { until } if self.now < until);
                if here && !good && waits_for_content(member.phase) {
                    self.content_is_there((r, m));
                }
            }
        }
        known && wanted
    }

    /// A member moved: what becomes of its content.
    pub(super) fn content_moves(&mut self, (r, m): (usize, usize), phase: Phase) {
        let leaves = [Phase::Skipped, Phase::Cancelled, Phase::Held, Phase::Removed].contains(&phase);
        let member = &mut self.rollouts[r].members[m];
        let (ends, thrown_away) = match member.content {
            Content::Nowhere => (false, false),
            Content::Asked { .. } => (leaves || !waits_for_content(phase), leaves),
            Content::There { .. } => (leaves, leaves),
            // With the next start come attempts of its own.
            Content::Failed { .. } | Content::GivenUp { .. } => (leaves || phase == Phase::Deferred, false),
        };
        if ends {
            member.content = Content::Nowhere;
        }
        if thrown_away {
            let order = (r, member.endpoint);
            self.throw_away(order);
        }
    }

    /// A person lets it try again, or its turn has come again: so does its content.
    pub(super) fn content_anew(&mut self, (r, m): (usize, usize)) {
        let content = &mut self.rollouts[r].members[m].content;
        if matches!(content, Content::Failed { .. } | Content::GivenUp { .. }) {
            *content = Content::Nowhere;
        }
    }

    /// A person asks for a retry where only the content could not be brought: that is tried again. Whether it was so.
    pub(super) fn brings_content_anew(&mut self, at: (usize, usize)) -> bool {
        let content = self.member(at).content;
        let stuck = matches!(content, Content::Failed { .. } | Content::GivenUp { .. });
        if self.phase(at) != Phase::Waiting || !stuck {
            return false;
        }
        self.content_anew(at);
        let dropped = (at.0, at.1, Event::StageDropped);
        if let Some(i) = self.choices.stages.iter().position(|choice| *choice == dropped) {
            self.choices.stages.remove(i);
        }
        true
    }

    fn throw_away(&mut self, order: (usize, usize)) {
        if !self.bent(Mutation::NothingIsThrownAway) {
            self.sent.push(Sent::Unstage { order });
        }
    }

    /// Nothing is installed any more from what was staged for a candidate.
    pub(super) fn unstage_candidate(&mut self, c: usize) {
        let Candidate { trial, .. } = self.candidates[c];
        for r in 0..self.rollouts.len() {
            let rollout = &self.rollouts[r];
            let deploys = rollout.kind == RolloutKind::Deployment && rollout.candidate == c;
            if deploys || trial == Some(r) {
                self.unstage(r);
            }
        }
    }

    /// Nothing is installed any more from what was staged for a rollout.
    pub(super) fn unstage(&mut self, r: usize) {
        for m in 0..self.rollouts[r].members.len() {
            let member = &mut self.rollouts[r].members[m];
            if !waits_for_content(member.phase) && member.phase != Phase::Attached {
                continue;
            }
            let brought = matches!(member.content, Content::Asked { .. } | Content::There { .. });
            member.content = Content::Nowhere;
            let order = (r, member.endpoint);
            if brought {
                self.throw_away(order);
            }
        }
    }

    /// Members of rings that have not opened may be others now: what was staged for them is asked for anew.
    pub(super) fn stage_unopened_anew(&mut self, r: usize) {
        let rollout = &mut self.rollouts[r];
        let Some(from) = rollout.rings.iter().position(|ring| ring.state == RingState::Pending) else {
            return;
        };
        for member in rollout.members.iter_mut().filter(|member| member.ring >= from) {
            member.content = Content::Nowhere;
        }
    }

    /// When time alone changes something about content.
    pub(super) fn content_looks_at(&self) -> Option<Timestamp> {
        let mut looks = Vec::new();
        for r in 0..self.rollouts.len() {
            for m in 0..self.rollouts[r].members.len() {
                let member = self.member((r, m));
                let waits = waits_for_content(member.phase);
                match member.content {
                    Content::Asked { late, .. } => looks.push(late),
                    Content::There { until } if waits => looks.push(until),
                    Content::Failed { again, .. } if waits => looks.push(again),
                    Content::GivenUp { again } if waits => looks.extend(again),
                    _ => {}
                }
                if !self.lacks_content((r, m)) {
                    continue;
                }
                let Some(from) = self.staged_from((r, m)) else { continue };
                let (again, full) = (self.stages_again_at(), self.line_is_full(member.endpoint));
                match again {
                    // Every place may be taken as well; then the place that becomes free says so.
                    Some(again) if from <= self.now && !full && self.has_room_to_stage() => looks.push(again),
                    None if from > self.now && self.has_room_to_stage() => looks.push(from),
                    Some(_) | None => {}
                }
            }
        }
        looks.into_iter().filter(|at| *at > self.now).min()
    }

    fn has_room_to_stage(&self) -> bool {
        let max = self.policy.as_ref().and_then(|policy| policy.staging.in_flight_max);
        max.is_none_or(|max| self.being_staged().len() < super::budgets::of(max, self.present().len()))
    }

    /// Whatever may be brought now is asked for at once.
    pub(super) fn nobody_lacks_content(&self) -> Result<(), Illegal> {
        for r in 0..self.rollouts.len() {
            for m in 0..self.rollouts[r].members.len() {
                if self.may_be_staged((r, m)) {
                    return Err(Illegal(format!("r{r}.m{m} lacks its content, and nobody asks for it")));
                }
            }
        }
        Ok(())
    }
}
