//! What a host may look at while it holds the fleet.

use super::Fleet;
use super::decide::{self, At, Full};
use super::message::observation::Standing;
use super::state::CandidateEntry;
use super::table::endpoints::EndpointView;
use super::table::needs::Need;
use crate::candidate::Candidate;
use crate::digest::Digest;
use crate::error::Finding;
use crate::gate::Standing as RingStanding;
use crate::ids::{
    AskId, CandidateId, EndpointId, EndpointIx, FleetId, MemberIx, PatchId, Revision, RolloutId, Seq,
};
use crate::plan::{RollbackPath, RolloutDraft, RolloutPlan};
use crate::policy::{PersonApproval, Policy, StartMode};
use crate::risk::DueDates;
use crate::rollout::{Member, Phase, Rollout};
use crate::schedule::Schedule;
use crate::time::Timestamp;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// How one endpoint stands to one candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeedView<'a> {
    /// The endpoint.
    pub endpoint: EndpointIx,
    /// Needs it, has it, or has nothing to do with it.
    pub standing: Standing,
    /// The version that is there.
    pub present: Option<&'a Arc<str>>,
    /// The way back to it.
    pub path: RollbackPath,
    /// Until when that way back holds; `None` while nothing ends it.
    pub path_valid_until: Option<Timestamp>,
    /// Why it does not apply there, where the comparison said more than that it does not.
    pub why: Option<&'a Arc<str>>,
    /// The beginning of the day, counted from the fleet's founding, on which it was first needed there.
    pub needed_since: Option<Timestamp>,
}

/// A call to operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallView<'a> {
    /// The level, from 0.
    pub level: u8,
    /// Its role.
    pub role: &'a str,
    /// Until when somebody should acknowledge.
    pub until: Timestamp,
    /// Who has.
    pub acknowledged: Option<&'a str>,
}

/// A way back and its drills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayView {
    /// The way back.
    pub path: RollbackPath,
    /// When it was last drilled, and whether it led back.
    pub tried: Option<(Timestamp, bool)>,
    /// When the next drill is due; `None` while no deployment counts on it.
    pub due: Option<Timestamp>,
}

/// A question to people that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskView<'a> {
    /// The question.
    pub id: AskId,
    /// The rule that asks.
    pub rule: &'a str,
    /// Whom it asks.
    pub from: &'a PersonApproval,
    /// Who has agreed so far.
    pub votes: &'a [Arc<str>],
}

impl Fleet {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> FleetId {
        self.state.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// The sequence of its last fact.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.state.seq
    }

    /// When its last fact was decided.
    #[must_use]
    pub fn clock(&self) -> Timestamp {
        self.state.clock
    }

    /// How often the fleet as a whole (its policy) was changed.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.state.revision
    }

    /// How often the clock stepped back and was held.
    #[must_use]
    pub fn clock_steps(&self) -> u64 {
        self.state.clock_steps
    }

    /// Until when answers are awaited after the host itself was away.
    #[must_use]
    pub fn resync_until(&self) -> Option<Timestamp> {
        self.state.resync.as_ref().map(|resync| resync.until)
    }

    /// The policy that holds, and its digest.
    #[must_use]
    pub fn policy(&self) -> Option<(&Policy, Digest)> {
        self.state.policy.as_ref().map(|(policy, digest)| (&**policy, *digest))
    }

    /// A candidate.
    #[must_use]
    pub fn candidate(&self, id: CandidateId) -> Option<&Candidate> {
        self.state.candidate(id).map(|entry| &entry.candidate)
    }

    /// How often a rich fact has changed a candidate: what a request may expect.
    #[must_use]
    pub fn candidate_revision(&self, id: CandidateId) -> Option<Revision> {
        self.state.candidate(id).map(|entry| entry.revision)
    }

    /// All candidates, in the order in which they were identified.
    pub fn candidates(&self) -> impl Iterator<Item = &Candidate> + '_ {
        self.state.candidates.iter().map(|entry| &entry.candidate)
    }

    /// The latest candidate of a patch.
    #[must_use]
    pub fn candidate_of(&self, patch: &PatchId) -> Option<CandidateId> {
        self.state.by_patch.get(patch).copied()
    }

    /// The open question about a candidate.
    #[must_use]
    pub fn ask(&self, id: CandidateId) -> Option<AskView<'_>> {
        let ask = self.state.candidate(id)?.ask.as_ref()?;
        Some(AskView { id: ask.id, rule: &ask.rule, from: &ask.from, votes: &ask.votes })
    }

    /// The last trial of a candidate, and whether it failed.
    #[must_use]
    pub fn trial_of(&self, id: CandidateId) -> Option<(RolloutId, bool)> {
        self.state.candidate(id)?.trial
    }

    /// How endpoints stand to a candidate, in the order of their indices.
    pub fn needs(&self, id: CandidateId) -> impl Iterator<Item = NeedView<'_>> + '_ {
        self.state
            .candidate(id)
            .into_iter()
            .flat_map(|entry| entry.needs.iter().map(|(ix, need)| self.need_view(entry, ix, need)))
    }

    /// How one endpoint stands to a candidate.
    #[must_use]
    pub fn need(&self, id: CandidateId, endpoint: EndpointIx) -> Option<NeedView<'_>> {
        let entry = self.state.candidate(id)?;
        Some(self.need_view(entry, endpoint, entry.needs.get(endpoint)?))
    }

    fn need_view<'a>(&self, entry: &'a CandidateEntry, endpoint: EndpointIx, need: Need) -> NeedView<'a> {
        NeedView {
            endpoint,
            standing: need.standing,
            present: entry.level(need),
            path: need.path,
            path_valid_until: entry.paths_until.get(&endpoint).copied(),
            why: entry.whys.get(&endpoint),
            needed_since: (need.day > 0).then(|| self.state.day_began(need.day)),
        }
    }

    /// Endpoints on which a rollout or trial of a candidate has verified it, in the order of their indices.
    pub fn installed(&self, id: CandidateId) -> impl Iterator<Item = EndpointIx> + '_ {
        let [installed, _] = self.state.reached(id);
        installed.into_iter()
    }

    /// Whom to turn to about a member that can go neither forward nor back; `None` when it can.
    #[must_use]
    pub fn call(&self, rollout: RolloutId, endpoint: EndpointIx) -> Option<CallView<'_>> {
        let at = self.state.rollout(rollout)?;
        let call = self.state.calls.get(&(rollout, at.member_of(endpoint)?))?;
        let role = at.policy().operators.get(usize::from(call.level)).map_or("", |level| level.role.as_str());
        Some(CallView {
            level: call.level,
            role,
            until: call.until,
            acknowledged: call.acknowledged.as_deref(),
        })
    }

    /// The ways back that deployments count on or that were drilled, with their last drills.
    pub fn ways_back(&self) -> impl Iterator<Item = WayView> + '_ {
        let every = self.state.policy.as_ref().map(|(policy, _)| policy.rollback.drill_every_secs);
        self.state.ways.iter().map(move |(path, way)| WayView {
            path: *path,
            tried: way.tried,
            due: every.and_then(|every| way.overdue_from(every)),
        })
    }

    /// What must be on an endpoint before a candidate and is not there yet, such as `waits for KB5005112`; `None` when
    /// nothing is missing.
    #[must_use]
    pub fn waits_for(&self, id: CandidateId, endpoint: EndpointIx) -> Option<String> {
        self.state.missing_before(self.state.candidate(id)?, endpoint, &[])
    }

    /// The limits that due dates are counted by now: those of the policy that holds, else the field's.
    pub(crate) fn due_limits(&self) -> &dyn DueDates {
        self.state.due_limits()
    }

    /// Until when a critical candidate should have its first install on a non-production endpoint; `None` when it has
    /// it, or needs none.
    #[must_use]
    pub fn first_install_due(&self, id: CandidateId) -> Option<Timestamp> {
        decide::first_install_due(&self.state, self.state.candidate(id)?)
    }

    /// Until when alerts of an endpoint are suppressed, as far as is known now; `None` when they are not. They are from
    /// the start of an operation to its verification, and for the reserve after it; not while an order waits to be
    /// begun or an install for its reboot, and not once it is silent or has failed. Gates count them in any case: tell
    /// them all with [`Observation::Alerts`](crate::fleet::Observation::Alerts).
    #[must_use]
    pub fn quiet_until(&self, endpoint: EndpointIx) -> Option<Timestamp> {
        let slot = self.state.endpoints.slot(endpoint)?;
        let at = slot.active().and_then(|(rollout, member)| self.state.member(rollout, member));
        let under_way = at.filter(|at| at.member.phase().is_quiet() && at.member.deadline != 0).map(|at| {
            let reserve = at.rollout.policy().deploy.quiet_reserve_secs;
            self.state.at(at.member.deadline).plus_secs(reserve.into())
        });
        let now = self.state.secs(self.last_seen_at());
        let verified = self.state.quiet.iter().filter(|(until, whose)| *whose == endpoint && *until > now);
        under_way.into_iter().chain(verified.map(|(until, _)| self.state.at(*until))).max()
    }

    /// Whether something else has taken the place of what a member installed, so that it is not taken back any more.
    pub(crate) fn is_replaced(&self, rollout: &Rollout, member: &Member) -> bool {
        let ix = rollout.member_of(member.endpoint());
        ix.is_some_and(|ix| super::decide::is_replaced(&self.state, At { rollout, ix, member }))
    }

    /// Whether a member waits for the snapshot that its policy requires, and whether its way back is a snapshot that
    /// must not be restored there.
    pub(crate) fn snapshot(&self, rollout: &Rollout, member: &Member) -> (bool, bool) {
        let Some(ix) = rollout.member_of(member.endpoint()) else { return (false, false) };
        let at = At { rollout, ix, member };
        (decide::lacks_snapshot(&self.state, at), decide::is_refused_snapshot(&self.state, at))
    }

    /// Why a candidate goes nowhere: its relations lead back to it. `None` when they do not.
    #[must_use]
    pub fn held_for(&self, id: CandidateId) -> Option<&str> {
        self.state.candidate(id)?.held.as_deref()
    }

    /// The rule that will approve a candidate by itself, and when; `None` when it waits for people or for nothing.
    #[must_use]
    pub fn approves_later(&self, id: CandidateId) -> Option<(&str, Timestamp)> {
        decide::approves_later(&self.state, self.state.candidate(id)?, self.last_seen_at())
    }

    /// Why an approved candidate that should start by itself cannot; `None` when it can, has, or need not.
    #[must_use]
    pub fn start_refused(&self, id: CandidateId) -> Option<&str> {
        let by_itself =
            self.policy().is_some_and(|(policy, _)| policy.deploy.start == StartMode::WhenApproved);
        self.state.candidate(id)?.refused.as_deref().filter(|_| by_itself)
    }

    /// What the check makes of a draft now, without starting anything.
    ///
    /// # Errors
    /// Every finding; a candidate that is not approved is one.
    pub fn preview(&self, draft: &RolloutDraft) -> Result<RolloutPlan, Vec<Finding>> {
        match self.candidate(draft.candidate).and_then(Candidate::approved) {
            Some(approved) => self.state.plan(approved, draft),
            None => Err(Vec::from([Finding::new("candidate", "is not approved")])),
        }
    }

    /// A rollout or trial.
    #[must_use]
    pub fn rollout(&self, id: RolloutId) -> Option<&Rollout> {
        self.state.rollout(id)
    }

    /// The schedule by which a rollout may touch an endpoint, the freezes of the policy that is adopted now included;
    /// `None` when the endpoint names a calendar that the rollout's policy does not have, and so is never touched.
    #[must_use]
    pub fn schedule_for<'a>(&self, rollout: &'a Rollout, endpoint: EndpointIx) -> Option<Cow<'a, Schedule>> {
        self.state.schedule_for(rollout, self.state.calendar_of(endpoint))
    }

    /// When the next thing is due for a member: its acknowledgement, its report, its next attempt. `None` when nothing is.
    #[must_use]
    pub fn due(&self, member: &Member) -> Option<Timestamp> {
        (member.deadline != 0).then(|| self.state.at(member.deadline))
    }

    /// All rollouts and trials, in the order in which they were started.
    pub fn rollouts(&self) -> impl Iterator<Item = &Rollout> + '_ {
        self.state.rollouts.iter()
    }

    /// The index of an endpoint.
    #[must_use]
    pub fn endpoint_ix(&self, id: &str) -> Option<EndpointIx> {
        self.state.endpoints.ix(id)
    }

    /// The host's name of an endpoint.
    #[must_use]
    pub fn endpoint_id(&self, ix: EndpointIx) -> Option<&EndpointId> {
        self.state.endpoints.id(ix)
    }

    /// An endpoint.
    #[must_use]
    pub fn endpoint(&self, ix: EndpointIx) -> Option<EndpointView<'_>> {
        let endpoints = &self.state.endpoints;
        let (slot, profile) = (endpoints.slot(ix)?, endpoints.profile(ix)?);
        Some(EndpointView {
            ix,
            id: endpoints.id(ix)?,
            slot,
            profile,
            attributes: endpoints.attributes(ix)?,
            group: endpoints.group(profile.group),
            calendar: endpoints.calendar(profile.calendar),
            condition: endpoints.condition(ix),
        })
    }

    /// All endpoints ever seen, in the order of their indices.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointView<'_>> + '_ {
        (0..self.state.endpoints.len()).filter_map(|i| self.endpoint(EndpointIx(i as u32)))
    }

    /// Until when the people at an endpoint put the operation of a member off; `None` when they did not.
    #[must_use]
    pub fn put_off_until(&self, rollout: RolloutId, member: MemberIx) -> Option<Timestamp> {
        self.state.patience.deferrals.get(&(rollout, member)).map(|known| known.until)
    }

    /// The holds: which candidate stays away from which endpoint.
    pub fn holds(&self) -> impl Iterator<Item = (CandidateId, EndpointIx)> + '_ {
        self.state.holds.iter().copied()
    }

    /// Whether a candidate is held away from an endpoint.
    #[must_use]
    pub fn is_held(&self, candidate: CandidateId, endpoint: EndpointIx) -> bool {
        self.state.holds.contains(&(candidate, endpoint))
    }

    /// The budget that has no place left for a waiting member, how full it is and what would help, as a sentence;
    /// `None` when none stands in its way.
    #[must_use]
    pub fn full_budget(&self, rollout: RolloutId, member: MemberIx) -> Option<String> {
        let at = self.state.member(rollout, member)?;
        let budgets = &self.state.cache.budgets;
        let (taken, most) = (at.rollout.operating, at.rollout.policy().deploy.in_flight_max);
        if taken >= most {
            return Some(format!("{taken} are under way in its rollout, at most {most} may be; {NEXT}"));
        }
        if let Some((taken, most)) = budgets.fleet().filter(|(taken, most)| taken >= most) {
            return Some(format!(
                "{taken} operations are under way in the fleet, at most {most} may be; {NEXT}"
            ));
        }
        if let Some(at) = self.state.starts_again_at(self.state.cache.now) {
            return Some(format!(
                "the starts that the policy allows in a time are used up, the next may be at {at}"
            ));
        }
        match decide::full(&self.state, at)? {
            Full::Scope { full, .. } => {
                let (within, taken, most) = budgets.scope(full)?;
                Some(format!("{taken} operations are under way in `{within}`, at most {most} may be; {NEXT}"))
            }
            Full::Group(number) => {
                let (down, most) = self.state.cache.groups.taken(number)?;
                let name = self.state.endpoints.group(number)?;
                let who = self.down_in(number);
                Some(format!(
                    "{down} endpoints of the group `{name}` are unavailable, at most {most} may be ({who}); it starts when \
                     one of them is verified, or looked after by a person"
                ))
            }
            Full::Ring { ring: number, .. } => {
                let ring = at.rollout.rings().get(usize::from(number))?;
                let (name, taken, verified) = (ring.name(), ring.operating, ring.counts().verified);
                let policy = at.rollout.ring_policy(number)?;
                if verified < policy.probe_first {
                    let probes = policy.probe_first;
                    return Some(format!(
                        "the first {probes} of ring {name} go one by one: {verified} verified, and the next starts when \
                         the one before has come to its end"
                    ));
                }
                let most = policy.in_flight_max.map_or(taken, |limit| limit.of(ring.size));
                Some(format!("{taken} are under way in ring {name}, at most {most} may be; {NEXT}"))
            }
        }
    }

    /// What a member that is to be rolled back waits for, as a sentence; `None` when it is not to be, or has no way back.
    #[must_use]
    pub(crate) fn revert_waits(&self, rollout: RolloutId, member: MemberIx) -> Option<String> {
        let at = self.state.member(rollout, member)?;
        let may_be = matches!(at.member.phase, Phase::Failed | Phase::Verified);
        let way = at.member.path() != RollbackPath::None && !decide::is_refused_snapshot(&self.state, at);
        if !may_be || !way || !decide::is_to_be_reverted(&self.state, at) {
            return None;
        }
        if at.member.phase == Phase::Failed && at.member.deadline > self.state.secs(self.last_seen_at()) {
            return Some(format!("its rollback is prepared anew from {}", self.state.at(at.member.deadline)));
        }
        let budgets = &self.state.cache.budgets;
        let (taken, most) = (at.rollout.operating, at.rollout.policy().deploy.in_flight_max);
        if decide::is_kept_from_revert(&self.state, at) {
            return Some("it is rolled back as soon as the endpoint is free and in contact".into());
        }
        if taken >= most {
            return Some(format!(
                "it is rolled back in its turn: {taken} are under way in its rollout, at most {most} may be"
            ));
        }
        if let Some((taken, most)) = budgets.fleet().filter(|(taken, most)| taken >= most) {
            return Some(format!(
                "it is rolled back in its turn: {taken} operations are under way in the fleet, at most {most} may be"
            ));
        }
        Some(match decide::full_for_revert(&self.state, at) {
            None => "it is rolled back when the fleet is looked at again".into(),
            Some(Full::Scope { full, .. }) => {
                let (within, taken, most) = budgets.scope(full)?;
                format!(
                    "it is rolled back in its turn: {taken} operations are under way in `{within}`, at most {most} may be"
                )
            }
            Some(Full::Ring { ring, .. }) => {
                let ring = at.rollout.rings().get(usize::from(ring))?;
                let (name, taken) = (ring.name(), ring.operating);
                format!("it is rolled back in its turn: {taken} are under way in ring {name}")
            }
            Some(Full::Group(number)) => {
                let name = self.state.endpoints.group(number)?;
                let who = self.down_in(number);
                format!(
                    "it is rolled back when another endpoint of the group `{name}` is back or looked after by a person ({who})"
                )
            }
        })
    }

    /// Who of a group is unavailable and why; beyond the first ones they are counted.
    fn down_in(&self, number: u32) -> String {
        const SHOWN: usize = 3;
        let of_group =
            |it: &EndpointView<'_>| it.profile.group == number && !it.slot.gone && it.slot.is_down();
        let why = |it: &EndpointView<'_>| {
            let at = it.active().and_then(|(rollout, member)| self.state.member(rollout, member));
            match at {
                Some(at) => at.member.phase.sentence(),
                None if self.state.posts.contains_key(&it.ix) => "being resumed by its post hook",
                None => "failed or rolled back, and not looked after since",
            }
        };
        let mut names: Vec<_> =
            self.endpoints().filter(of_group).map(|it| format!("{}: {}", it.id, why(&it))).collect();
        let more = names.len().saturating_sub(SHOWN);
        names.truncate(SHOWN);
        let names = names.join("; ");
        if more == 0 { names } else { format!("{names}; and {more} more") }
    }

    /// The last instant at which it was told anything, that nothing came of it included.
    #[must_use]
    pub(crate) fn last_seen_at(&self) -> Timestamp {
        self.state.cache.now.max(self.state.clock)
    }

    /// How the open ring of a rollout stands, ways back that have ended included.
    pub(crate) fn standing(&self, rollout: &Rollout) -> RingStanding {
        self.state.standing(self.last_seen_at(), rollout)
    }

    /// Who in the open ring has the patch and no way back any more, the first by name.
    pub(crate) fn paths_ended(&self, rollout: &Rollout) -> String {
        const SHOWN: usize = 3;
        let ended: Vec<_> = self.state.paths_ended(self.last_seen_at(), rollout).collect();
        let names = ended
            .iter()
            .take(SHOWN)
            .filter_map(|(endpoint, until)| self.endpoint_id(*endpoint).map(|id| format!("{id} at {until}")));
        let names = names.collect::<Vec<_>>().join(", ");
        let more = ended.len().saturating_sub(SHOWN);
        if more == 0 { names } else { format!("{names} and {more} more") }
    }

    /// Until when a post hook on an endpoint may take, when one runs there.
    #[must_use]
    pub(crate) fn resumed_until(&self, endpoint: EndpointIx) -> Option<Timestamp> {
        self.state.posts.get(&endpoint).map(|post| self.state.at(post.due))
    }
}

/// What helps where every place of a budget is taken.
const NEXT: &str = "it starts when one of them has come to its end and its turn has come";
