//! The host in a world: it stores facts before it lets effects go, and crashes, fails and goes away when told to.

use super::world::Event;
use super::{Sight, World};
use patchflow_core::error::CorruptJournal;
use patchflow_core::fleet::{Effect, Fact, Fleet, Observation, Outbox, Persisted, Recorded};
use patchflow_core::ids::Seq;
use patchflow_core::journal::{Encoder, Record, RecordKind, Tail, decode, open_baseline, rich_kind};
use patchflow_core::rollout::Order;
use patchflow_core::time::Timestamp;

/// Where a crash strikes, seen from one fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// Before the fact is stored.
    BeforeStore,
    /// When it is stored, after so many of the effects that could leave with it.
    AfterEffects(u32),
}

/// How an append fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// Nothing was stored, and the host is told so.
    Failed,
    /// It was stored, and the host is told that it failed.
    Ambiguous,
}

/// What the host keeps beside the fleet.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) encoder: Encoder,
    pub(super) records: Vec<Record>,
    pub(super) facts: Vec<Recorded>,
    pub(super) keep_facts: bool,
    /// When the fleet was last woken after what it had asked for.
    late: Option<Timestamp>,
    /// Whether facts are encoded; else they are kept as they are, which is quicker, and replayed from there.
    pub(super) encodes: bool,
    batch: Vec<Record>,
    pub(super) crash_at: Option<(Seq, CrashPoint)>,
    pub(super) store_faults: Vec<StoreFault>,
    pub(super) away: Option<Away>,
    /// The last baseline: its position among the records, or its bytes and how many facts stood before it.
    pub(super) baseline: Option<Baseline>,
    /// How many inputs are taken before facts are stored; 1 stores after each.
    pub(super) inputs_per_store: u32,
    held: u32,
    pub(super) crashes: u32,
}

#[derive(Debug)]
pub(super) enum Baseline {
    Encoded(usize),
    Plain(Vec<u8>, usize),
}

#[derive(Debug)]
pub(super) struct Away {
    pub(super) since: Timestamp,
    pub(super) crashed: bool,
    pub(super) mail: Option<Vec<Observation<'static>>>,
}

impl Host {
    pub(super) fn new(fleet: patchflow_core::ids::FleetId) -> Self {
        Self {
            encoder: Encoder::new(fleet, Tail::EMPTY),
            records: Vec::new(),
            late: None,
            facts: Vec::new(),
            keep_facts: true,
            encodes: true,
            batch: Vec::new(),
            crash_at: None,
            store_faults: Vec::new(),
            away: None,
            baseline: None,
            inputs_per_store: 1,
            held: 0,
            crashes: 0,
        }
    }
}

impl Host {
    /// Encodes and appends, however often the store fails meanwhile.
    fn append(&mut self, facts: &[Recorded]) -> Result<(), String> {
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        let after = self
            .encoder
            .encode(facts, &mut batch)
            .map_err(|error| format!("facts were not encoded: {error}"))?;
        let mut sound = true;
        while let Some(fault) = self.store_faults.pop() {
            // The append is given again, which must be the identical bytes.
            let mut again = Vec::new();
            sound &= self.encoder.encode(facts, &mut again) == Ok(after) && again == batch;
            if fault == StoreFault::Ambiguous {
                // It is stored: the repeated append meets its own tail and is taken as done.
                break;
            }
        }
        self.encoder.move_to(after);
        self.records.append(&mut batch);
        self.batch = batch;
        if sound { Ok(()) } else { Err("the same facts gave other bytes".into()) }
    }
}

/// How often a fleet that is replayed beside the live one looks at the clock.
const WAKES_MAX: u32 = 100;

impl World {
    /// What the host's clock shows.
    #[must_use]
    pub fn host_now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.as_millis().saturating_add(self.skew_millis))
    }

    /// The host hears something.
    pub fn see(&mut self, seen: Observation<'static>) {
        if let Some(away) = &mut self.host.away {
            if let Some(mail) = &mut away.mail {
                mail.push(seen);
            }
            return;
        }
        if let Some(watch) = &mut self.watch {
            watch.see(self.now, Sight::Heard(&seen));
        }
        self.come_late();
        self.fleet.observe(self.host_now(), seen, &mut self.out);
        self.took_input();
    }

    /// Notes whether the host's clock shows more than the fleet wanted to be woken at: what it passes over, a fleet that is
    /// replayed beside it would still come to.
    pub(super) fn come_late(&mut self) {
        let now = self.host_now();
        if self.fleet.next_deadline().is_some_and(|due| due < now) {
            self.host.late = Some(now);
        }
    }

    pub(super) fn took_input(&mut self) {
        self.host.held += 1;
        if self.host.held >= self.host.inputs_per_store {
            self.flush();
        }
    }

    /// Stores what waits to be stored and carries out what that allows.
    pub fn flush(&mut self) {
        self.host.held = 0;
        let Some(last) = self.out.facts().last().map(|last| last.seq) else { return };
        let (through, effects_max, crash) = match self.host.crash_at {
            Some((seq, point)) if seq <= last => {
                self.host.crash_at = None;
                let through = match point {
                    CrashPoint::BeforeStore => Seq(seq.0.saturating_sub(1)),
                    CrashPoint::AfterEffects(_) => seq,
                };
                let effects = match point {
                    CrashPoint::BeforeStore => u32::MAX,
                    CrashPoint::AfterEffects(effects) => effects,
                };
                (through, effects, true)
            }
            Some(_) | None => (last, u32::MAX, false),
        };
        self.store(through);
        let head = self.host.encoder.tail().head;
        let stored = Persisted { fleet: self.id, through, head };
        let effects: Vec<Effect> = self.out.release(stored).collect();
        for effect in effects.into_iter().take(effects_max as usize) {
            self.carry_out(effect);
        }
        if crash {
            self.crash();
        }
    }

    fn store(&mut self, through: Seq) {
        let facts = self.out.facts();
        let facts = &facts[..facts.partition_point(|fact| fact.seq <= through)];
        let host = &mut self.host;
        if host.encodes
            && let Err(defect) = host.append(facts)
        {
            self.defects.push(defect);
        }
        host.store_faults.clear();
        for fact in facts {
            self.transcript.mix(&numbers_of(fact));
            self.transcript.write(fact.at, "fact", || describe(&self.fleet, fact));
            if let Some(watch) = &mut self.watch {
                watch.see(self.now, Sight::Stored(fact));
            }
        }
        if host.keep_facts || !host.encodes {
            host.facts.extend_from_slice(facts);
        }
    }

    /// The host writes a baseline, from which later replays start.
    pub fn write_baseline(&mut self) {
        self.flush();
        if !self.out.is_empty() || self.host.away.is_some() {
            return;
        }
        let bytes = self.fleet.baseline();
        if !self.host.encodes {
            self.host.baseline = Some(Baseline::Plain(bytes, self.host.facts.len()));
            return;
        }
        match self.host.encoder.baseline(bytes, self.fleet.clock()) {
            Ok(record) => {
                let tail = self.host.encoder.tail();
                self.host.encoder.move_to(Tail { next: tail.next, head: record.head });
                self.host.baseline = Some(Baseline::Encoded(self.host.records.len()));
                self.host.records.push(record);
            }
            Err(error) => self.defects.push(format!("a baseline could not be encoded: {error}")),
        }
    }

    /// The fleet that the stored records build, from the last baseline or from the first fact.
    ///
    /// # Errors
    /// [`CorruptJournal`] when they do not fit.
    pub fn replayed(&self, from_baseline: bool) -> Result<Fleet, CorruptJournal> {
        let records = &self.host.records;
        if !self.host.encodes {
            let facts = self.host.facts.iter().cloned();
            return match &self.host.baseline {
                Some(Baseline::Plain(bytes, before)) if from_baseline => {
                    Fleet::resume(bytes, facts.skip(*before))
                }
                Some(_) | None => Fleet::replay(facts),
            };
        }
        let mut corrupt = None;
        let mut sound = |fact: Result<Recorded, CorruptJournal>| match fact {
            Ok(fact) => Some(fact),
            Err(error) => {
                corrupt = Some(error);
                None
            }
        };
        let fleet = match self.host.baseline {
            Some(Baseline::Encoded(at)) if from_baseline => {
                let before = at.checked_sub(1).map_or(Tail::EMPTY.head, |before| records[before].head);
                let (bytes, tail) = open_baseline(self.id, &records[at], before)?;
                Fleet::resume(bytes, decode(self.id, tail, &records[at + 1..]).map_while(&mut sound))
            }
            Some(_) | None => Fleet::replay(decode(self.id, Tail::EMPTY, records).map_while(&mut sound)),
        };
        match corrupt {
            Some(error) => Err(error),
            None => fleet,
        }
    }

    /// Replays a fleet beside the live one, lets it look at the clock whenever it wants to before the live one does, and
    /// shows whoever watches what it finds to do: a live one that has followed up everything has left it nothing. Whatever waits for the
    /// next comparison of inventory and catalogue is looked at before; does nothing while the host is away.
    pub fn look_beside(&mut self) {
        let nothing_stored = self.host.records.is_empty() && self.host.facts.is_empty();
        if self.host.away.is_some() || nothing_stored {
            return;
        }
        self.see(Observation::Identified);
        self.flush();
        if !self.out.is_empty() || self.host.away.is_some() {
            return;
        }
        let beside = self.replayed(true);
        let Some(watch) = &mut self.watch else { return };
        match beside {
            Ok(mut beside) => {
                let mut out = Outbox::new();
                if self.host.late.is_some_and(|late| late > beside.clock()) {
                    return;
                }
                beside.observe(beside.clock(), Observation::Time, &mut out);
                // Until then the live one has nothing to do.
                let until = self.fleet.next_deadline().unwrap_or(Timestamp::MAX);
                for _ in 0..WAKES_MAX {
                    let due = beside.next_deadline().filter(|due| *due < until && out.is_empty());
                    let Some(due) = due else { break };
                    beside.observe(due, Observation::Time, &mut out);
                }
                watch.see(self.now, Sight::Beside(&self.fleet, out.facts()));
            }
            Err(error) => watch.see(self.now, Sight::ReplayFailed(&error)),
        }
    }

    /// The host crashes: what was not stored is lost. It comes back by replay and asks after what is outstanding.
    pub fn crash(&mut self) {
        let before = self.lose_memory();
        self.come_back(before);
    }

    pub(super) fn lose_memory(&mut self) -> bool {
        self.transcript.write(self.now, "host", || "crashed".into());
        self.transcript.mix(&[0xc4a5]);
        self.host.crashes += 1;
        if let Some(watch) = &mut self.watch {
            watch.see(self.now, Sight::Crashed);
        }
        let nothing_lost = self.out.facts().is_empty();
        self.out = Outbox::new();
        self.host.held = 0;
        nothing_lost
    }

    pub(super) fn come_back(&mut self, nothing_lost: bool) {
        // Founding a fleet is a fact as well; without it there is nothing to come back to.
        if self.host.records.is_empty() && self.host.facts.is_empty() {
            self.defects.push("crashed before the fleet was founded".into());
            return;
        }
        let fleet = match self.replayed(true) {
            Ok(fleet) => fleet,
            Err(error) => {
                self.defects.push(format!("the journal could not be replayed: {error}"));
                if let Some(watch) = &mut self.watch {
                    watch.see(self.now, Sight::ReplayFailed(&error));
                }
                return;
            }
        };
        let before = std::mem::replace(&mut self.fleet, fleet);
        if let Some(watch) = &mut self.watch {
            let before = nothing_lost.then_some(&before);
            watch.see(self.now, Sight::Recovered(before, &self.fleet));
        }
        let outstanding: Vec<Effect> = self.fleet.outstanding().collect();
        for effect in outstanding {
            self.carry_out(effect);
        }
        self.see(Observation::Time);
        self.rescan();
    }

    /// The host goes away for some time.
    pub(super) fn go_away(&mut self, secs: u64, crashed: bool, loses_mail: bool) {
        if self.host.away.is_some() {
            return;
        }
        self.flush();
        self.transcript.write(self.now, "host", || format!("away for {secs} s"));
        if let Some(watch) = &mut self.watch {
            watch.see(self.now, Sight::Away);
        }
        self.host.away = Some(Away { since: self.now, crashed, mail: (!loses_mail).then(Vec::new) });
        self.queue.put(self.now.plus_secs(secs), Event::HostBack);
    }

    pub(super) fn return_from_away(&mut self) {
        let Some(away) = self.host.away.take() else { return };
        let secs = self.now.since(away.since).as_secs();
        self.transcript.write(self.now, "host", || format!("back after {secs} s"));
        let shown = self.host_now();
        if let Some(watch) = &mut self.watch {
            watch.see(self.now, Sight::Back(secs, shown));
        }
        if away.crashed {
            let before = self.lose_memory();
            self.come_back(before);
        } else {
            self.see(Observation::Time);
        }
        for seen in away.mail.into_iter().flatten() {
            self.see(seen);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        self.transcript.write(self.now, "effect", || describe_effect(&effect));
        if let Some(watch) = &mut self.watch {
            watch.see(self.now, Sight::Left(&effect));
        }
        match effect {
            Effect::Submit(order) => {
                let id = order.id();
                self.transcript.mix(&[1, id.rollout.0.into(), id.member.0.into(), id.operation.into()]);
                let to = order.endpoint().clone();
                self.orders.push(order.clone());
                self.send(to.as_str(), super::agent::Letter::Submit(order));
            }
            Effect::Recall { order, endpoint } => {
                self.send(endpoint.as_str(), super::agent::Letter::Recall(order));
            }
            Effect::Query { order, endpoint } => {
                self.send(endpoint.as_str(), super::agent::Letter::Query(order));
            }
            Effect::Inspect(look) => {
                let to = look.endpoint.clone();
                self.send(to.as_str(), super::agent::Letter::Inspect(look));
            }
            Effect::Scan { endpoints } => {
                for to in endpoints {
                    if let Some(endpoint) = self.fleet.endpoint_ix(to.as_str()) {
                        self.send(to.as_str(), super::agent::Letter::Scan(endpoint));
                    }
                }
            }
            Effect::AskApproval { ask, candidate, role, quorum, .. } => {
                self.questions.push(super::world::Question { ask, candidate, role, quorum });
            }
            Effect::RunHook(run) => self.run_hook(run),
            Effect::Stage(order) => {
                self.stages.push(order.clone());
                let to = order.endpoint().clone();
                self.send(to.as_str(), super::agent::Letter::Stage(order));
            }
            Effect::Unstage { endpoint, content, .. } => {
                self.send(endpoint.as_str(), super::agent::Letter::Unstage(content));
            }
            // Nobody here can be woken from afar.
            Effect::Wake(_) => {}
            Effect::Notify(notice) => self.notices.push((self.now, notice)),
        }
    }
}

/// A fact in numbers, for the hash of a transcript.
fn numbers_of(recorded: &Recorded) -> [u64; 4] {
    let at = recorded.at.as_millis() as u64;
    match &recorded.fact {
        Fact::Endpoint(fact) => {
            let member = u64::from(fact.rollout.0) << 32 | u64::from(fact.member.0);
            [recorded.seq.0, at, member, u64::from(fact.due) << 8 | fact.event as u64]
        }
        Fact::Rich(fact) => {
            let kind = rich_kind(fact)
                .0
                .bytes()
                .fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
            [recorded.seq.0, at, kind, 1]
        }
        _ => [recorded.seq.0, at, 0, 2],
    }
}

fn describe(fleet: &Fleet, recorded: &Recorded) -> String {
    match &recorded.fact {
        Fact::Endpoint(fact) => {
            let name = fleet
                .rollout(fact.rollout)
                .and_then(|rollout| rollout.members().get(fact.member.index()))
                .and_then(|member| fleet.endpoint_id(member.endpoint()))
                .map_or("?", |id| id.as_str());
            let why =
                fleet.reason(fact.reason).map_or(String::new(), |(kind, text)| format!(", {kind:?}: {text}"));
            format!("{} {name} in {}: {:?}{why}", recorded.seq, fact.rollout, fact.event)
        }
        Fact::Rich(fact) => format!("{} {fact:?}", recorded.seq),
        other => format!("{} {other:?}", recorded.seq),
    }
}

fn describe_effect(effect: &Effect) -> String {
    match effect {
        Effect::Submit(order) => {
            let what = match order {
                Order::Install(install) => format!("install {}", install.target()),
                Order::Revert(revert) => format!("roll back {} to {:?}", revert.patch().target, revert.to()),
                Order::Reboot(_) => "reboot".into(),
            };
            let (id, fence, by) = (order.id(), order.fence(), order.start_by());
            format!("submit {id} to {}: {what}, {fence}, start by {by}", order.endpoint())
        }
        Effect::Recall { order, endpoint } => format!("recall {order} from {endpoint}"),
        Effect::Query { order, endpoint } => format!("query {order} at {endpoint}"),
        Effect::Inspect(look) => format!("inspect {} after {}", look.endpoint, look.order),
        Effect::Scan { endpoints } => {
            let names: Vec<_> = endpoints.iter().map(|name| name.as_str()).collect();
            format!("read {}", names.join(", "))
        }
        Effect::AskApproval { ask, candidate, role, .. } => format!("ask {role} ({ask}) about {candidate}"),
        Effect::RunHook(run) => format!("run hook {} on {} for {}", run.name, run.endpoint, run.order),
        Effect::Stage(order) => {
            format!(
                "stage {} {} on {}, until {}",
                order.id(),
                order.target(),
                order.endpoint(),
                order.report_by()
            )
        }
        Effect::Unstage { stage, endpoint, .. } => format!("throw {stage} away on {endpoint}"),
        Effect::Wake(order) => {
            let names: Vec<_> = order.endpoints.iter().map(|name| name.as_str()).collect();
            format!("wake {} for {}", names.join(", "), order.opens)
        }
        Effect::Notify(notice) => format!("notify: {}", notice.text),
    }
}

impl World {
    /// The journal as records, baselines included.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.host.records
    }

    /// How many baselines stand in the journal.
    #[must_use]
    pub fn baselines(&self) -> usize {
        self.host.records.iter().filter(|record| record.kind == RecordKind::Baseline).count()
    }
}
