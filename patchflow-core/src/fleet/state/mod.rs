//! The state of a fleet: what its facts built. Only `evolve` changes it.

mod bundle;
mod counting;
mod forced;
pub(super) mod kin;
mod missed;
pub(super) mod openings;
mod recover;
pub(super) mod rescue;
pub(super) mod rounds;
mod turns;

use crate::candidate::{Candidate, Identified};
use crate::catalog::Target;
use crate::digest::Digest;
use crate::fleet::message::need::NeedFact;
use crate::fleet::message::observation::Standing;
use crate::fleet::table::budget::Budgets;
use crate::fleet::table::endpoints::Endpoints;
use crate::fleet::table::groups::Groups;
use crate::fleet::table::kin::Kin;
use crate::fleet::table::needs::{DAYS_MAX, LEVELS_MAX, Need, Needs};
use crate::fleet::table::openings::Openings;
use crate::fleet::table::pace::Pace;
use crate::fleet::table::patience::Patience;
use crate::fleet::table::reasons::Reasons;
use crate::fleet::table::reboots::RebootLog;
use crate::fleet::table::rescue::{Call, Way};
use crate::fleet::table::rounds::Rounds;
use crate::fleet::table::timers::{Alarms, Deadlines, Timers};
use crate::fleet::table::turns::Turns;
use crate::fleet::{Outcome, RichFact};
use crate::ids::{
    AskId, CandidateId, EndpointIx, FleetId, MemberIx, OrderId, PatchId, RequestId, Revision, RolloutId, Seq,
};
use crate::plan::RollbackPath;
use crate::policy::{PersonApproval, Policy};
use crate::rollout::Rollout;
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// Requests whose outcome is remembered. A repeated id older than this many requests is a new request.
pub(crate) const REQUESTS_MAX: usize = 4096;

/// A candidate with what stands beside its typed state.
#[derive(Debug)]
pub(crate) struct CandidateEntry {
    pub(crate) candidate: Candidate,
    /// What its patch aims at, apart, so that every effect that names it shares it.
    pub(crate) target: Arc<Target>,
    pub(crate) revision: Revision,
    pub(crate) needs: Needs,
    pub(crate) levels: Vec<Arc<str>>,
    /// Whether each of these is a higher version than the target; `None` where that cannot be said. Worked out once for
    /// a version and not for every endpoint that has it.
    pub(super) higher: Vec<Option<bool>>,
    /// Until when ways back hold that do not hold for ever. Rare, so beside the needs.
    pub(crate) paths_until: BTreeMap<EndpointIx, Timestamp>,
    /// Why it does not apply where there is more to say than that. Rare as well.
    pub(crate) whys: BTreeMap<EndpointIx, Arc<str>>,
    pub(crate) ask: Option<Ask>,
    /// The last trial, and whether it failed.
    pub(crate) trial: Option<(RolloutId, bool)>,
    /// Deployments of it.
    pub(crate) deployments: Vec<RolloutId>,
    /// How many of them there were when the candidate was opened again; only later ones count as its start.
    pub(crate) deployments_before: usize,
    /// What has been told of its due date.
    pub(crate) clock: Clock,
    /// Why it could not start by itself, as it was told last.
    pub(crate) refused: Option<Arc<str>>,
    /// Why it goes nowhere: its relations lead back to it.
    pub(crate) held: Option<Arc<str>>,
    /// Whether a person took a rejection back: from then on people decide, and no rule.
    pub(crate) reconsidered: bool,
    /// Who waived its trial, and so must not approve it.
    pub(crate) waived_by: Option<Arc<str>>,
}

impl CandidateEntry {
    /// One that was identified just now, of which nothing else is known yet.
    pub(crate) fn new(identified: Identified) -> Self {
        Self {
            target: Arc::new(identified.patch().target.clone()),
            candidate: Candidate::Identified(identified),
            revision: Revision(1),
            needs: Needs::default(),
            levels: Vec::new(),
            higher: Vec::new(),
            paths_until: BTreeMap::new(),
            whys: BTreeMap::new(),
            ask: None,
            trial: None,
            deployments: Vec::new(),
            deployments_before: 0,
            clock: Clock::default(),
            refused: None,
            held: None,
            reconsidered: false,
            waived_by: None,
        }
    }
}

/// What has been told of a due date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Clock {
    /// That it comes near.
    pub(crate) warned: bool,
    /// Of all endpoints whose due date had passed by then.
    pub(crate) told: Option<Timestamp>,
    /// When the next one passes.
    pub(crate) next: Option<Timestamp>,
    /// That the first install on a non-production endpoint is nearly due.
    #[serde(default)]
    pub(crate) first_warned: bool,
    /// That it is overdue.
    #[serde(default)]
    pub(crate) first_told: bool,
    /// When it was there.
    #[serde(default)]
    pub(crate) first_install: Option<Timestamp>,
    /// Since when the candidate is critical, when it was not from the start.
    #[serde(default)]
    pub(crate) critical_since: Option<Timestamp>,
}

/// A question to people that is open.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Ask {
    pub(crate) id: AskId,
    pub(crate) rule: String,
    pub(crate) from: PersonApproval,
    pub(crate) votes: Vec<Arc<str>>,
}

impl CandidateEntry {
    /// Whether it waits for a comparison of inventory and catalogue that has not been told in full.
    pub(crate) fn awaits_comparison(&self) -> bool {
        self.trial.is_none() && matches!(self.candidate, Candidate::Identified(_))
    }

    pub(crate) fn level(&self, need: Need) -> Option<&Arc<str>> {
        self.levels.get(usize::from(need.level).checked_sub(1)?)
    }

    /// Compares versions that have become known with the target.
    pub(crate) fn compare_levels(&mut self) {
        let new = self.levels.get(self.higher.len()..).unwrap_or_default();
        let is_higher = |level: &Arc<str>| match self.target.compare_present(level) {
            None => Some(false),
            Some(order) => order.ok().map(Ordering::is_gt),
        };
        self.higher.extend(new.iter().map(is_higher));
    }

    /// The version that is there, when it is higher than the target or cannot be compared with it (`None`).
    pub(crate) fn level_in_the_way(&self, need: Need) -> Option<(&Arc<str>, Option<bool>)> {
        let at = usize::from(need.level).checked_sub(1)?;
        let is_higher = *self.higher.get(at)?;
        (is_higher != Some(false)).then_some((self.levels.get(at)?, is_higher))
    }
}

/// A resync under way: orders that have not been answered for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resync {
    pub(crate) until: Timestamp,
    pub(crate) open: BTreeSet<(RolloutId, MemberIx)>,
}

/// A post hook that is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Post {
    /// The order after which it runs.
    pub(crate) order: OrderId,
    /// When it is late, in seconds since the epoch.
    pub(crate) due: u32,
    /// Whether the endpoint counts as broken once it is done.
    pub(crate) broken: bool,
    /// Whether it counts as broken only in that it was rolled back.
    #[serde(default)]
    pub(crate) back: bool,
}

/// A member that waits for the outcome of another rollout's order on its endpoint.
pub(crate) type Follower = (EndpointIx, RolloutId, MemberIx);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) id: FleetId,
    pub(crate) name: String,
    pub(crate) seed: u64,
    pub(crate) epoch: Timestamp,
    pub(crate) seq: Seq,
    pub(crate) clock: Timestamp,
    pub(crate) revision: Revision,
    pub(crate) endpoints: Endpoints,
    pub(crate) candidates: Vec<CandidateEntry>,
    pub(crate) by_patch: BTreeMap<PatchId, CandidateId>,
    pub(crate) kin: Kin,
    pub(crate) rollouts: Vec<Rollout>,
    pub(crate) holds: BTreeSet<(CandidateId, EndpointIx)>,
    pub(crate) rounds: Rounds,
    pub(crate) reboots: RebootLog,
    pub(crate) patience: Patience,
    /// Endpoints verified a short while ago, and until when their alerts are suppressed, in seconds since the epoch.
    pub(crate) quiet: VecDeque<(u32, EndpointIx)>,
    /// Open calls to operators.
    pub(crate) calls: BTreeMap<(RolloutId, MemberIx), Call>,
    /// Ways back that have ended and that somebody was told of.
    pub(crate) lapsed: BTreeSet<(CandidateId, EndpointIx)>,
    /// Drills under way.
    pub(crate) drilling: BTreeMap<(RolloutId, MemberIx), RollbackPath>,
    pub(crate) ways: BTreeMap<RollbackPath, Way>,
    pub(crate) policy: Option<(Arc<Policy>, Digest)>,
    pub(crate) policies: BTreeMap<Digest, Arc<Policy>>,
    pub(crate) reasons: Reasons,
    pub(crate) requests: BTreeMap<RequestId, (Digest, Outcome)>,
    pub(crate) request_order: VecDeque<RequestId>,
    pub(crate) asks: u32,
    pub(crate) resync: Option<Resync>,
    pub(crate) clock_steps: u64,
    /// When the last installs started.
    pub(crate) starts: Pace,
    /// When the last stagings began, which have a bound of their own.
    pub(crate) stage_starts: Pace,
    /// Members that wait for the outcome of another rollout's order, by their endpoints, and whose order it is.
    pub(crate) attached: BTreeMap<Follower, (RolloutId, MemberIx)>,
    /// Post hooks that are awaited, by their endpoints.
    pub(crate) posts: BTreeMap<EndpointIx, Post>,
    /// Endpoints whose pre hook was asked for, and their post hook not since.
    pub(crate) drained: BTreeSet<EndpointIx>,
    /// Members whose rollback waits because their pre hook failed, and how often in a row it did.
    pub(crate) undrained: BTreeMap<(RolloutId, MemberIx), u8>,
    pub(crate) cache: Cache,
}

/// What can be found again from the state: deadlines, turns, what to look at next.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// Deadlines of members; an entry counts only while the member has exactly this deadline.
    pub(crate) deadlines: Deadlines,
    /// When members are looked at again that wait for their window.
    pub(crate) wakes: Timers,
    /// When watched windows close, by rollout and calendar.
    pub(crate) closes: Timers,
    /// When watched windows come near, by rollout and calendar.
    pub(crate) nears: Timers,
    pub(crate) openings: Openings,
    /// When a rollout wants to be looked at.
    pub(crate) alarms: Alarms<RolloutId>,
    /// When a candidate wants to be looked at.
    pub(crate) candidate_alarms: Alarms<CandidateId>,
    pub(crate) budgets: Budgets,
    pub(crate) groups: Groups,
    /// What is being staged, and who waits for a place among that.
    pub(crate) stagings: Budgets,
    /// When stagings are late, are tried again, begin before a window, or have grown too old.
    pub(crate) stage_timers: Timers,
    /// Members whose content waits for something to happen on their endpoint.
    pub(crate) stage_turns: BTreeSet<(EndpointIx, RolloutId, MemberIx)>,
    /// What the last fact threw away.
    pub(crate) unstaged: Vec<(RolloutId, MemberIx)>,
    /// When post hooks are late.
    /// The endpoint whose post hook the last fact asked for.
    pub(crate) resumes: Option<EndpointIx>,
    pub(crate) posts_due: BTreeSet<(u32, EndpointIx)>,
    /// Members that wait for their endpoints.
    pub(crate) turns: Turns,
    /// Rollouts that wait for questions to the inventory to be answered before they may ask for more.
    pub(crate) unread_rollouts: BTreeSet<RolloutId>,
    /// Endpoints of open turns that have not been read.
    pub(crate) awaited: BTreeSet<EndpointIx>,
    /// When questions to the inventory are over.
    pub(crate) scans: BTreeSet<(u32, EndpointIx)>,
    pub(crate) rollout_agenda: Vec<RolloutId>,
    /// When the next level of operators is called.
    pub(crate) call_alarms: Alarms<(RolloutId, MemberIx)>,
    /// When a way back becomes overdue for a drill that nobody has been told of.
    pub(crate) drill_look: Option<Timestamp>,
    /// Endpoints not in service that may have everything now.
    pub(crate) onboarding: BTreeSet<EndpointIx>,
    /// Members to look at for what their phase leaves to do.
    pub(crate) tending: Vec<(RolloutId, MemberIx)>,
    /// Whether facts come from decisions; in replay the caches are left alone and found again at its end.
    pub(crate) live: bool,
    /// The latest time that was seen.
    pub(crate) now: Timestamp,
    /// Whether the clock is behind the latest time, and that has been told.
    pub(crate) behind: bool,
    pub(crate) candidate_agenda: BTreeSet<CandidateId>,
    /// When the due dates of candidates are to be looked at again; of those that are not here, now.
    pub(crate) due_looks: BTreeMap<CandidateId, Option<Timestamp>>,
    /// Candidates of which only the dates are looked at.
    pub(crate) clock_agenda: BTreeSet<CandidateId>,
}

impl Cache {
    /// Whether nothing that facts have put there is left to look at.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.rollout_agenda.is_empty()
            && self.tending.is_empty()
            && self.onboarding.is_empty()
            && self.candidate_agenda.is_empty()
            && self.clock_agenda.is_empty()
            && self.budgets.is_quiet()
            && self.stagings.is_quiet()
            && self.groups.is_quiet()
    }
}

impl State {
    pub(crate) fn candidate(&self, id: CandidateId) -> Option<&CandidateEntry> {
        self.candidates.get(id.index())
    }

    pub(crate) fn rollout(&self, id: RolloutId) -> Option<&Rollout> {
        self.rollouts.get(id.index())
    }

    /// Whole seconds since the epoch, rounded down: what is due at it, is due.
    pub(crate) fn secs(&self, at: Timestamp) -> u32 {
        secs_since(self.epoch, at)
    }

    /// A deadline in whole seconds since the epoch, rounded up, never 0.
    pub(crate) fn due(&self, at: Timestamp) -> u32 {
        let millis = at.as_millis().saturating_sub(self.epoch.as_millis()).max(0);
        u32::try_from(millis.saturating_add(999) / 1000).unwrap_or(u32::MAX).max(1)
    }

    pub(crate) fn at(&self, due: u32) -> Timestamp {
        self.epoch.plus_secs(u64::from(due))
    }

    pub(crate) fn put_on_agenda(&mut self, id: RolloutId) {
        if let Some(rollout) = self.rollouts.get_mut(id.index())
            && !rollout.queue.queued
        {
            rollout.queue.queued = true;
            self.cache.rollout_agenda.push(id);
        }
    }

    /// The day of an instant, counted from the fleet's epoch, from 1.
    pub(crate) fn day(&self, at: Timestamp) -> u16 {
        u16::try_from(at.since(self.epoch).as_secs() / 86_400 + 1).unwrap_or(DAYS_MAX)
    }

    /// When a day began.
    pub(crate) fn day_began(&self, day: u16) -> Timestamp {
        self.epoch.plus_secs(u64::from(day.saturating_sub(1)) * 86_400)
    }

    /// The packed form of a need; a version that is new gets the next number.
    pub(crate) fn pack_need(levels: &mut Vec<Arc<str>>, need: &NeedFact, day: u16) -> (EndpointIx, Need) {
        let level = need.present.as_ref().map_or(0, |version| {
            let known = levels.iter().position(|level| level == version);
            let index = known.unwrap_or_else(|| {
                if levels.len() < usize::from(LEVELS_MAX) {
                    levels.push(version.clone());
                    levels.len() - 1
                } else {
                    usize::from(LEVELS_MAX)
                }
            });
            u16::try_from(index + 1).ok().filter(|level| *level <= LEVELS_MAX).unwrap_or(0)
        });
        // Beyond 8 191 distinct versions the way back is not recorded, and counts as none.
        let path = if level == 0 && need.present.is_some() { RollbackPath::None } else { need.path };
        let day = if need.standing == Standing::Needs { day } else { 0 };
        (need.endpoint, Need { standing: need.standing, path, level, day })
    }

    /// Remembers what came of a request, and forgets the oldest beyond the limit.
    pub(crate) fn remember(&mut self, id: &RequestId, asked: Digest, outcome: &Outcome) {
        self.requests.insert(id.clone(), (asked, outcome.clone()));
        self.request_order.push_back(id.clone());
        if self.request_order.len() > REQUESTS_MAX
            && let Some(oldest) = self.request_order.pop_front()
        {
            self.requests.remove(&oldest);
        }
    }

    /// The name of a fact, for errors.
    pub(crate) fn kind_of(fact: &RichFact) -> String {
        serde_json::to_value(fact)
            .ok()
            .and_then(|value| value.get("fact").and_then(|kind| kind.as_str().map(String::from)))
            .unwrap_or_default()
    }
}

/// Whole seconds since an epoch, rounded down.
pub(crate) fn secs_since(epoch: Timestamp, at: Timestamp) -> u32 {
    let millis = at.as_millis().saturating_sub(epoch.as_millis()).max(0);
    u32::try_from(millis / 1000).unwrap_or(u32::MAX)
}
