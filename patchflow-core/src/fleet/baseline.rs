//! The whole state as bytes: a point from which a replay may start.
//!
//! Rich state is one JSON text with a version; slots and members follow it packed, 38 and 16 bytes each. A baseline is
//! trusted like the journal it stands in, through the chain: restoring one may mint approvals.

use super::Fleet;
use super::message::observation::Standing;
use super::replay::Replay;
use super::state::{Ask, CandidateEntry, Clock, Follower, Post, Resync, State};
use super::table::conditions::Condition;
use super::table::endpoints::Endpoints;
use super::table::needs::{Need, Needs};
use super::table::pace::Pace;
use super::table::patience::{Deferrals, Patience};
use super::table::reboots::RebootLog;
use super::table::rescue::{Call, Way};
use super::table::rounds::Rounds;
use super::table::slot::{SLOT_BYTES as SLOT, Slot};
use super::{Outcome, Recorded};
use crate::candidate::{ApprovedBy, Candidate, Evidence, Identified};
use crate::catalog::Patch;
use crate::digest::Digest;
use crate::error::{CorruptJournal, FailureKind, Flaw};
use crate::ids::{
    CandidateId, EndpointId, EndpointIx, FleetId, MemberIx, RequestId, Revision, RolloutId, Seq,
};
use crate::inventory::Attributes;
use crate::plan::RollbackPath;
use crate::policy::{Policy, REBOOTS_MAX, Selector};
use crate::risk::Assessment;
use crate::rollout::{
    Emergency, Halt, Member, Ring, Rollout, RolloutKind, RolloutState, STAGE_BYTES, StageSlot, Stages,
    WindowLog,
};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 4] = b"pfB1";
const VERSION: u16 = 1;
const MEMBER: usize = 16;

#[derive(Serialize, Deserialize)]
struct Snapshot {
    v: u16,
    id: FleetId,
    name: String,
    seed: u64,
    epoch: Timestamp,
    seq: Seq,
    clock: Timestamp,
    revision: Revision,
    endpoint_ids: Vec<EndpointId>,
    attributes: Vec<Attributes>,
    calendars: Vec<Arc<str>>,
    groups: Vec<Arc<str>>,
    conditions: Vec<(EndpointIx, Condition)>,
    candidates: Vec<CandidateSnapshot>,
    rollouts: Vec<RolloutSnapshot>,
    holds: Vec<(CandidateId, EndpointIx)>,
    rounds: Rounds,
    reboots: Vec<(EndpointIx, [u32; REBOOTS_MAX as usize])>,
    patience: Vec<((RolloutId, MemberIx), u32)>,
    deferrals: Vec<((RolloutId, MemberIx), Deferrals)>,
    calls: Vec<(RolloutId, MemberIx, Call)>,
    lapsed: Vec<(CandidateId, EndpointIx)>,
    drilling: Vec<(RolloutId, MemberIx, RollbackPath)>,
    ways: Vec<(RollbackPath, Way)>,
    policies: Vec<Arc<Policy>>,
    policy: Option<Digest>,
    reasons: Vec<(FailureKind, Arc<str>)>,
    requests: Vec<(RequestId, Digest, Outcome)>,
    asks: u32,
    resync: Option<Timestamp>,
    clock_steps: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    quiet: Vec<(u32, EndpointIx)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    starts: Vec<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stage_starts: Vec<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attached: Vec<(Follower, (RolloutId, MemberIx))>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    posts: Vec<(EndpointIx, Post)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    drained: Vec<EndpointIx>,
    #[serde(default)]
    undrained: Vec<((RolloutId, MemberIx), u8)>,
}

#[derive(Serialize, Deserialize)]
struct CandidateSnapshot {
    patch: Arc<Patch>,
    risk: Assessment,
    identified_at: Timestamp,
    state: StateSnapshot,
    revision: Revision,
    needs: Vec<(EndpointIx, Standing, RollbackPath, u16, u16)>,
    paths_until: Vec<(EndpointIx, Timestamp)>,
    whys: Vec<(EndpointIx, Arc<str>)>,
    levels: Vec<Arc<str>>,
    ask: Option<Ask>,
    trial: Option<(RolloutId, bool)>,
    deployments: Vec<RolloutId>,
    deployments_before: usize,
    clock: Clock,
    refused: Option<Arc<str>>,
    held: Option<Arc<str>>,
    reconsidered: bool,
    waived_by: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum StateSnapshot {
    Identified,
    Trialled { evidence: Evidence },
    Approved { evidence: Evidence, by: ApprovedBy, at: Timestamp, expires: Timestamp },
    Rejected { by: Arc<str>, reason: String, at: Timestamp },
    Superseded { by: CandidateId, at: Timestamp },
    Withdrawn { reason: String, at: Timestamp },
}

#[derive(Serialize, Deserialize)]
struct RolloutSnapshot {
    candidate: CandidateId,
    kind: RolloutKind,
    policy: Digest,
    state: RolloutState,
    revision: Revision,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    halt: Option<Halt>,
    emergency: Option<Emergency>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bundle: Vec<RolloutId>,
    outside: bool,
    ring: u8,
    rings: Vec<Ring>,
    levels: Vec<Arc<str>>,
    #[serde(default)]
    select: Selector,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    takes_back: bool,
    #[serde(default)]
    catch_up_stopped: Option<Halt>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failed_late: Vec<MemberIx>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unplaced: Vec<MemberIx>,
    /// How many of its members, from the first, have a slot for their content, packed behind the members.
    #[serde(default)]
    stages: usize,
    #[serde(default)]
    wrong_content: bool,
    #[serde(default)]
    windows: WindowLog,
}

impl Fleet {
    /// The whole state as bytes, from which [`Fleet::resume`] can start: about 54 bytes an endpoint beside its name
    /// and its needs.
    #[must_use]
    pub fn baseline(&self) -> Vec<u8> {
        self.state.snapshot()
    }

    /// The fleet that a baseline and the facts after it built.
    ///
    /// # Errors
    /// [`CorruptJournal`] when the baseline cannot be read, or at the first fact that does not fit.
    pub fn resume(
        baseline: &[u8],
        facts: impl IntoIterator<Item = Recorded>,
    ) -> Result<Self, CorruptJournal> {
        Self::go_on(open(baseline)?, facts)
    }
}

impl Replay {
    /// A replay that goes on after a baseline.
    pub(crate) fn from_baseline(baseline: &[u8]) -> Result<Self, CorruptJournal> {
        open(baseline).map(Self::new)
    }
}

fn open(baseline: &[u8]) -> Result<State, CorruptJournal> {
    restore(baseline).map_err(|flaw| CorruptJournal { seq: Seq(0), flaw })
}

impl State {
    fn snapshot(&self) -> Vec<u8> {
        let snapshot = Snapshot {
            v: VERSION,
            id: self.id,
            name: self.name.clone(),
            seed: self.seed,
            epoch: self.epoch,
            seq: self.seq,
            clock: self.clock,
            revision: self.revision,
            endpoint_ids: self.endpoints.ids().iter().cloned().collect(),
            attributes: self.endpoints.all_attributes().to_vec(),
            calendars: self.endpoints.all_calendars().to_vec(),
            groups: self.endpoints.all_groups().to_vec(),
            conditions: self.endpoints.conditions().map(|(ix, condition)| (ix, condition.clone())).collect(),
            candidates: self.candidates.iter().map(snapshot_candidate).collect(),
            rollouts: self.rollouts.iter().map(snapshot_rollout).collect(),
            holds: self.holds.iter().copied().collect(),
            rounds: self.rounds.clone(),
            reboots: self.reboots.all(),
            patience: self.patience.ends.iter().map(|(key, end)| (*key, *end)).collect(),
            deferrals: self.patience.deferrals.iter().map(|(key, known)| (*key, *known)).collect(),
            calls: self.calls.iter().map(|((r, m), call)| (*r, *m, call.clone())).collect(),
            lapsed: self.lapsed.iter().copied().collect(),
            drilling: self.drilling.iter().map(|((r, m), path)| (*r, *m, *path)).collect(),
            ways: self.ways.iter().map(|(path, way)| (*path, way.clone())).collect(),
            policies: self.policies.values().cloned().collect(),
            policy: self.policy.as_ref().map(|(_, digest)| *digest),
            reasons: self.reasons.all().to_vec(),
            requests: self
                .request_order
                .iter()
                .filter_map(|id| {
                    self.requests.get(id).map(|(asked, outcome)| (id.clone(), *asked, outcome.clone()))
                })
                .collect(),
            asks: self.asks,
            // Which answers are still awaited is found again: those that are open are asked for anew.
            resync: self.resync.as_ref().map(|resync| resync.until),
            clock_steps: self.clock_steps,
            quiet: self.quiet.iter().copied().collect(),
            starts: self.starts.all(),
            stage_starts: self.stage_starts.all(),
            posts: self.posts.iter().map(|(endpoint, post)| (*endpoint, *post)).collect(),
            drained: self.drained.iter().copied().collect(),
            undrained: self.undrained.iter().map(|(at, times)| (*at, *times)).collect(),
            attached: self.attached.iter().map(|(who, whose)| (*who, *whose)).collect(),
        };
        // Plain data whose map keys are texts: serialization cannot fail.
        let text = serde_json::to_vec(&snapshot).unwrap_or_default();
        let mut bytes = Vec::with_capacity(text.len() + 64 + self.endpoints.len() * SLOT);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&text);
        bytes.extend_from_slice(&(self.endpoints.len() as u64).to_le_bytes());
        self.endpoints.all().for_each(|(slot, profile)| bytes.extend_from_slice(&slot.packed(profile)));
        for rollout in &self.rollouts {
            bytes.extend_from_slice(&(rollout.members().len() as u64).to_le_bytes());
            rollout.members().iter().for_each(|member| bytes.extend_from_slice(&member.packed()));
            rollout.stages.0.iter().for_each(|slot| bytes.extend_from_slice(&slot.packed()));
        }
        bytes
    }
}

fn snapshot_candidate(entry: &CandidateEntry) -> CandidateSnapshot {
    let identified = entry.candidate.identified();
    let state = match &entry.candidate {
        Candidate::Identified(_) => StateSnapshot::Identified,
        Candidate::Trialled(trialled) => StateSnapshot::Trialled { evidence: trialled.evidence().clone() },
        Candidate::Approved(approved) => StateSnapshot::Approved {
            evidence: approved.evidence().clone(),
            by: approved.by().clone(),
            at: approved.at(),
            expires: approved.expires(),
        },
        Candidate::Rejected(rejected) => StateSnapshot::Rejected {
            by: Arc::from(rejected.by()),
            reason: rejected.reason().into(),
            at: rejected.at(),
        },
        Candidate::Superseded(superseded) => {
            StateSnapshot::Superseded { by: superseded.by(), at: superseded.at() }
        }
        Candidate::Withdrawn(withdrawn) => {
            StateSnapshot::Withdrawn { reason: withdrawn.reason().into(), at: withdrawn.at() }
        }
    };
    CandidateSnapshot {
        patch: identified.patch().clone(),
        risk: identified.risk().clone(),
        identified_at: identified.identified_at(),
        state,
        revision: entry.revision,
        needs: entry.needs.iter().map(|(ix, n)| (ix, n.standing, n.path, n.level, n.day)).collect(),
        paths_until: entry.paths_until.iter().map(|(ix, until)| (*ix, *until)).collect(),
        whys: entry.whys.iter().map(|(ix, why)| (*ix, why.clone())).collect(),
        levels: entry.levels.clone(),
        ask: entry.ask.clone(),
        trial: entry.trial,
        deployments: entry.deployments.clone(),
        deployments_before: entry.deployments_before,
        clock: entry.clock,
        refused: entry.refused.clone(),
        held: entry.held.clone(),
        reconsidered: entry.reconsidered,
        waived_by: entry.waived_by.clone(),
    }
}

fn snapshot_rollout(rollout: &Rollout) -> RolloutSnapshot {
    RolloutSnapshot {
        candidate: rollout.candidate,
        kind: rollout.kind,
        policy: rollout.policy_digest,
        state: rollout.state,
        revision: rollout.revision,
        started_at: rollout.started_at,
        ended_at: rollout.ended_at,
        halt: rollout.halt.clone(),
        emergency: rollout.emergency.clone(),
        bundle: rollout.bundle.clone(),
        outside: rollout.outside,
        ring: rollout.ring,
        rings: rollout.rings.clone(),
        levels: rollout.levels.clone(),
        select: rollout.select.clone(),
        takes_back: rollout.takes_back,
        catch_up_stopped: rollout.catch_up_stopped.clone(),
        failed_late: rollout.failed_late.iter().copied().collect(),
        unplaced: rollout.unplaced.iter().copied().collect(),
        stages: rollout.stages.0.len(),
        wrong_content: rollout.wrong_content,
        windows: rollout.windows.clone(),
    }
}

/// Reads bytes from the front; every read says what it missed.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize, what: &str) -> Result<&'a [u8], Flaw> {
        let (taken, rest) = self
            .0
            .split_at_checked(n)
            .ok_or_else(|| Flaw::Damaged(format!("the baseline ends within {what}")))?;
        self.0 = rest;
        Ok(taken)
    }

    fn length(&mut self, of: usize, what: &str) -> Result<usize, Flaw> {
        let bytes = self.take(8, what)?;
        let n = bytes.try_into().map(u64::from_le_bytes).unwrap_or(u64::MAX);
        usize::try_from(n)
            .ok()
            .filter(|n| n.checked_mul(of).is_some_and(|bytes| bytes <= self.0.len()))
            .ok_or_else(|| Flaw::Damaged(format!("the baseline is shorter than its {what}")))
    }
}

fn restore(bytes: &[u8]) -> Result<State, Flaw> {
    let mut reader = Reader(bytes);
    if reader.take(4, "its first bytes")? != MAGIC {
        return Err(Flaw::Damaged("this is not a baseline".into()));
    }
    let text = reader.length(1, "text")?;
    let text = reader.take(text, "its text")?;
    #[derive(Deserialize)]
    struct Version {
        v: u16,
    }
    let damaged = |error: serde_json::Error| Flaw::Damaged(error.to_string());
    let version: Version = serde_json::from_slice(text).map_err(damaged)?;
    if version.v > VERSION {
        return Err(Flaw::TooNew(format!(
            "baseline version {}, this library reads up to {VERSION}",
            version.v
        )));
    }
    let snapshot: Snapshot = serde_json::from_slice(text).map_err(damaged)?;
    let mut state = State {
        id: snapshot.id,
        name: snapshot.name,
        seed: snapshot.seed,
        epoch: snapshot.epoch,
        seq: snapshot.seq,
        clock: snapshot.clock,
        revision: snapshot.revision,
        holds: snapshot.holds.into_iter().collect(),
        rounds: snapshot.rounds,
        reboots: RebootLog::restored(snapshot.reboots),
        patience: Patience {
            ends: snapshot.patience.into_iter().collect(),
            deferrals: snapshot.deferrals.into_iter().collect(),
        },
        calls: snapshot.calls.into_iter().map(|(r, m, call)| ((r, m), call)).collect(),
        lapsed: snapshot.lapsed.into_iter().collect(),
        drilling: snapshot.drilling.into_iter().map(|(r, m, path)| ((r, m), path)).collect(),
        ways: snapshot.ways.into_iter().collect(),
        policies: snapshot.policies.into_iter().map(|policy| (policy.digest(), policy)).collect(),
        asks: snapshot.asks,
        clock_steps: snapshot.clock_steps,
        quiet: snapshot.quiet.into(),
        starts: Pace::of(snapshot.starts),
        stage_starts: Pace::of(snapshot.stage_starts),
        attached: snapshot.attached.into_iter().collect(),
        posts: snapshot.posts.into_iter().collect(),
        drained: snapshot.drained.into_iter().collect(),
        undrained: snapshot.undrained.into_iter().collect(),
        ..State::default()
    };
    state.policy = match snapshot.policy {
        Some(digest) => Some((find_policy(&state, digest)?, digest)),
        None => None,
    };
    for (kind, text) in &snapshot.reasons {
        state.reasons.record(state.reasons.next_code(), *kind, text);
    }
    for (id, asked, outcome) in &snapshot.requests {
        state.remember(id, *asked, outcome);
    }
    state.endpoints = restore_endpoints(&mut reader, snapshot.endpoint_ids, snapshot.attributes)?;
    state.endpoints.restore_calendars(snapshot.calendars);
    state.endpoints.restore_groups(snapshot.groups);
    for (ix, condition) in snapshot.conditions {
        state.endpoints.condition_changes(ix, |known| *known = condition);
    }
    for (i, candidate) in snapshot.candidates.into_iter().enumerate() {
        let id = CandidateId(i as u32);
        state.by_patch.insert(candidate.patch.id.clone(), id);
        state.kin.add(id, &candidate.patch);
        state.candidates.push(restore_candidate(id, candidate));
    }
    for (i, rollout) in snapshot.rollouts.into_iter().enumerate() {
        let policy = find_policy(&state, rollout.policy)?;
        let members = restore_members(&mut reader, &rollout.rings, state.endpoints.len())?;
        let stages = restore_stages(&mut reader, rollout.stages, members.len())?;
        if usize::from(rollout.ring) >= rollout.rings.len()
            || rollout.candidate.index() >= state.candidates.len()
        {
            return Err(Flaw::Damaged(format!("rollout r{i} names a ring or candidate that is not there")));
        }
        let mut restored =
            Rollout::restored(RolloutId(i as u32), rollout.candidate, rollout.kind, policy, members);
        restored.policy_digest = rollout.policy;
        restored.state = rollout.state;
        restored.revision = rollout.revision;
        restored.started_at = rollout.started_at;
        restored.ended_at = rollout.ended_at;
        restored.halt = rollout.halt;
        restored.emergency = rollout.emergency;
        restored.bundle = rollout.bundle;
        restored.outside = rollout.outside;
        restored.ring = rollout.ring;
        restored.rings = rollout.rings;
        restored.levels = rollout.levels;
        restored.select = rollout.select;
        restored.takes_back = rollout.takes_back;
        restored.catch_up_stopped = rollout.catch_up_stopped;
        restored.failed_late = rollout.failed_late.into_iter().collect();
        restored.stages = stages;
        restored.wrong_content = rollout.wrong_content;
        restored.windows = rollout.windows;
        restored.unplaced = rollout.unplaced.into_iter().collect();
        restored.recount();
        state.rollouts.push(restored);
    }
    state.resync = snapshot.resync.map(|until| Resync { until, open: state.operating_members().collect() });
    if reader.0.is_empty() {
        Ok(state)
    } else {
        Err(Flaw::Damaged("the baseline goes on after its end".into()))
    }
}

fn find_policy(state: &State, digest: Digest) -> Result<Arc<Policy>, Flaw> {
    state.policies.get(&digest).cloned().ok_or_else(|| Flaw::Damaged(format!("there is no policy {digest}")))
}

fn restore_endpoints(
    reader: &mut Reader<'_>,
    ids: Vec<EndpointId>,
    attributes: Vec<Attributes>,
) -> Result<Endpoints, Flaw> {
    let n = reader.length(SLOT, "endpoints")?;
    if n != ids.len() {
        return Err(Flaw::Damaged(format!("{n} endpoints, {} names", ids.len())));
    }
    let mut endpoints = Endpoints::default();
    endpoints.restore_attributes(attributes);
    for (id, slot) in ids.into_iter().zip(reader.take(n * SLOT, "its endpoints")?.as_chunks::<SLOT>().0) {
        let (slot, profile) = Slot::unpacked(slot);
        endpoints.push(id, slot, profile);
    }
    Ok(endpoints)
}

fn restore_members(reader: &mut Reader<'_>, rings: &[Ring], endpoints: usize) -> Result<Vec<Member>, Flaw> {
    let n = reader.length(MEMBER, "members")?;
    let planned: usize = rings.iter().map(|ring| ring.range().len()).sum();
    let members: Option<Vec<_>> = reader
        .take(n * MEMBER, "its members")?
        .as_chunks::<MEMBER>()
        .0
        .iter()
        .map(|bytes| {
            Member::unpacked(bytes).filter(|member| {
                member.endpoint().index() < endpoints && usize::from(member.ring()) < rings.len()
            })
        })
        .collect();
    members
        .filter(|members| members.len() == planned)
        .ok_or_else(|| Flaw::Damaged("its members do not fit".into()))
}

fn restore_stages(reader: &mut Reader<'_>, n: usize, members: usize) -> Result<Stages, Flaw> {
    let bytes = n.checked_mul(STAGE_BYTES).filter(|_| n <= members);
    let bytes = bytes.ok_or_else(|| Flaw::Damaged("its stagings do not fit".into()))?;
    let slots = reader.take(bytes, "its stagings")?.as_chunks::<STAGE_BYTES>().0.iter();
    let slots: Option<Vec<_>> = slots.map(|bytes| StageSlot::unpacked(*bytes)).collect();
    slots.map(Stages).ok_or_else(|| Flaw::Damaged("its stagings do not fit".into()))
}

fn restore_candidate(id: CandidateId, snapshot: CandidateSnapshot) -> CandidateEntry {
    let target = Arc::new(snapshot.patch.target.clone());
    let identified = Identified::new(id, snapshot.patch, snapshot.risk, snapshot.identified_at);
    // The evidence behind a rejection, supersession or withdrawal is not asked for again; the state itself is.
    let none = || Evidence::NotRequired { rule: String::new() };
    let candidate = match snapshot.state {
        StateSnapshot::Identified => Candidate::Identified(identified),
        StateSnapshot::Trialled { evidence } => Candidate::Trialled(identified.tried(evidence)),
        StateSnapshot::Approved { evidence, by, at, expires } => {
            Candidate::Approved(identified.tried(evidence).approved(by, at, expires))
        }
        StateSnapshot::Rejected { by, reason, at } => {
            Candidate::Rejected(identified.tried(none()).rejected(by, reason, at))
        }
        StateSnapshot::Superseded { by, at } => Candidate::Identified(identified).superseded(by, at),
        StateSnapshot::Withdrawn { reason, at } => Candidate::Identified(identified).withdrawn(reason, at),
    };
    let needs = snapshot
        .needs
        .into_iter()
        .map(|(ix, standing, path, level, day)| (ix, Need { standing, path, level, day }));
    let mut sorted = Needs::default();
    sorted.extend(needs);
    let mut entry = CandidateEntry {
        candidate,
        target,
        revision: snapshot.revision,
        needs: sorted,
        levels: snapshot.levels,
        higher: Vec::new(),
        paths_until: snapshot.paths_until.into_iter().collect(),
        whys: snapshot.whys.into_iter().collect(),
        ask: snapshot.ask,
        trial: snapshot.trial,
        deployments: snapshot.deployments,
        deployments_before: snapshot.deployments_before,
        clock: snapshot.clock,
        refused: snapshot.refused,
        held: snapshot.held,
        reconsidered: snapshot.reconsidered,
        waived_by: snapshot.waived_by,
    };
    entry.compare_levels();
    entry
}
