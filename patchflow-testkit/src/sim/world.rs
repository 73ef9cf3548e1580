//! The world itself: machines, people, vendors and a host around a real fleet, moved by one queue over time.

mod changes;

use super::agent::{Letter, Todo};
use super::host::Host;
use super::queue::Queue;
use super::{Chance, Happening, Machine, Network, Purpose, Sight, Transcript, Watch};
use patchflow_core::catalog::Patch;
use patchflow_core::error::Refusal;
use patchflow_core::fleet::{
    Command, Fleet, HookRun, Notice, Observation, Outbox, Outcome, Recorded, Request,
};
use patchflow_core::ids::{
    Actor, AskId, CandidateId, EndpointId, EndpointIx, FleetId, OrderId, PatchId, RequestId,
};
use patchflow_core::policy::Policy;
use patchflow_core::rollout::{Order, ReportKind, StageOrder};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A question to people that left the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its number.
    pub ask: AskId,
    /// What it is about.
    pub candidate: CandidateId,
    /// Who may answer.
    pub role: String,
    /// How many must agree.
    pub quorum: u8,
}

#[derive(Debug)]
pub(super) enum Event {
    ToHost(Box<Observation<'static>>),
    ToAgent(u32, Box<Letter>),
    Says(u32, Box<Observation<'static>>),
    Finish(u32, OrderId),
    Wake(u32),
    Happens(Box<Happening>),
    HostBack,
    Rescan(u64),
}

/// How often in a row the engine may be told one instant before it counts as stalled.
const LOOKS_MAX: u32 = 10_000;

/// A deterministic world around a real fleet.
#[derive(Debug)]
pub struct World {
    /// The fleet itself.
    pub fleet: Fleet,
    pub(super) id: FleetId,
    pub(super) out: Outbox,
    pub(super) now: Timestamp,
    pub(super) skew_millis: i64,
    pub(super) queue: Queue<Event>,
    pub(super) host: Host,
    pub(super) watch: Option<Box<dyn Watch>>,
    pub(super) transcript: Transcript,
    pub(super) orders: Vec<Order>,
    pub(super) questions: Vec<Question>,
    pub(super) notices: Vec<(Timestamp, Notice)>,
    pub(super) hooks: Vec<HookRun>,
    pub(super) stages: Vec<StageOrder>,
    pub(super) defects: Vec<String>,
    machines: Vec<Machine>,
    names: BTreeMap<EndpointId, u32>,
    patches: Vec<Patch>,
    refusals: Vec<(Timestamp, Refusal)>,
    network: Network,
    chances: Vec<Option<Chance>>,
    seed: u64,
    requests: u64,
    last_request: Option<Request>,
    looks: (Timestamp, u32),
    senses: bool,
    todo: Vec<Todo>,
}

impl World {
    /// A fleet is founded.
    pub fn found(name: &str, seed: u64, at: Timestamp) -> Self {
        Self::watched(name, seed, at, None)
    }

    /// A fleet is founded, and somebody watches from the first fact on.
    pub fn watched(name: &str, seed: u64, at: Timestamp, watch: Option<Box<dyn Watch>>) -> Self {
        let mut out = Outbox::new();
        let id = FleetId(1);
        let fleet = Fleet::found(id, name, seed, at, &mut out);
        let mut world = Self {
            fleet,
            id,
            out,
            now: at,
            skew_millis: 0,
            queue: Queue::new(),
            host: Host::new(id),
            watch,
            transcript: Transcript::default(),
            orders: Vec::new(),
            questions: Vec::new(),
            notices: Vec::new(),
            hooks: Vec::new(),
            stages: Vec::new(),
            defects: Vec::new(),
            machines: Vec::new(),
            names: BTreeMap::new(),
            patches: Vec::new(),
            refusals: Vec::new(),
            network: Network::default(),
            chances: Vec::new(),
            seed,
            requests: 0,
            last_request: None,
            looks: (at, 0),
            senses: false,
            todo: Vec::new(),
        };
        world.flush();
        world
    }

    /// Keeps lines from now on.
    pub fn keep_transcript(&mut self) {
        self.transcript.keep();
    }

    /// Forgets facts once they are encoded, to run faster.
    pub fn forget_facts(&mut self) {
        self.host.keep_facts = false;
    }

    /// Keeps facts as they are from the beginning instead of encoding them, to run faster; no more
    /// records are made.
    pub fn keep_plain_facts(&mut self) {
        if self.host.records.len() <= 1 {
            self.host.encodes = false;
        }
    }

    /// Takes so many inputs before facts are stored (at the latest when time goes on); 1 stores after each.
    pub fn inputs_per_store(&mut self, inputs: u32) {
        self.host.inputs_per_store = inputs.max(1);
    }

    /// The host notices who is out of reach, who waits for a reboot, and when an inventory was read, and says so.
    pub fn sense(&mut self) {
        self.senses = true;
    }

    /// Compares inventory and catalogue every so many seconds from now on.
    pub fn rescan_every(&mut self, secs: u64) {
        self.queue.put(self.now.plus_secs(secs.max(1)), Event::Rescan(secs.max(1)));
    }

    /// What time it is.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The facts that were stored, unless they are forgotten.
    #[must_use]
    pub fn facts(&self) -> &[Recorded] {
        &self.host.facts
    }

    /// Every order that left, in its order.
    #[must_use]
    pub fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// Every question that left.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// Every notice that left, and when.
    #[must_use]
    pub fn notices(&self) -> &[(Timestamp, Notice)] {
        &self.notices
    }

    /// Every order to stage that left, in order.
    #[must_use]
    pub fn stages(&self) -> &[StageOrder] {
        &self.stages
    }

    /// Every hook that was asked for, again after crashes.
    #[must_use]
    pub fn hooks(&self) -> &[HookRun] {
        &self.hooks
    }

    /// Every request that was refused, and when.
    #[must_use]
    pub fn refusals(&self) -> &[(Timestamp, Refusal)] {
        &self.refusals
    }

    /// What must never happen in a world, whoever watches: a journal that cannot be replayed, time that stands still.
    #[must_use]
    pub fn defects(&self) -> &[String] {
        &self.defects
    }

    /// How often the host crashed.
    #[must_use]
    pub const fn crashes(&self) -> u32 {
        self.host.crashes
    }

    /// The transcript.
    #[must_use]
    pub const fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The machines, those that left included.
    #[must_use]
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// The patches that were published, the latest content of each.
    #[must_use]
    pub fn patches(&self) -> &[Patch] {
        &self.patches
    }

    /// One machine.
    #[must_use]
    pub fn machine(&self, name: &str) -> Option<&Machine> {
        self.machines.get(*self.names.get(&EndpointId::from(name))? as usize)
    }

    /// One machine, to be changed at will.
    pub fn machine_mut(&mut self, name: &str) -> Option<&mut Machine> {
        self.machines.get_mut(*self.names.get(&EndpointId::from(name))? as usize)
    }

    /// The watch, back from the world.
    pub fn unwatch(&mut self) -> Option<Box<dyn Watch>> {
        self.watch.take()
    }

    /// Lets something happen at a time, or at once when that time is past.
    pub fn schedule(&mut self, at: Timestamp, what: Happening) {
        self.queue.put(at.max(self.now), Event::Happens(Box::new(what)));
    }

    /// How many things are still to happen.
    #[must_use]
    pub fn scheduled(&self) -> usize {
        self.queue.len()
    }

    /// Nothing that was on its way between host and endpoints arrives any more.
    pub fn lose_mail(&mut self) {
        self.queue.retain(|event| !matches!(event, Event::ToHost(_) | Event::ToAgent(..) | Event::Says(..)));
    }

    /// Endpoints join, in one telling.
    pub fn join(&mut self, machines: impl IntoIterator<Item = Machine>) {
        let mut seen = Vec::new();
        for machine in machines {
            seen.push(machine.seen());
            match self.names.get(&machine.id) {
                Some(at) => {
                    if let Some(watch) = &mut self.watch {
                        watch.see(self.now, Sight::Replaced(machine.id.as_str()));
                    }
                    self.machines[*at as usize] = machine;
                }
                None => {
                    self.names.insert(machine.id.clone(), self.machines.len() as u32);
                    self.machines.push(machine);
                    self.chances.push(None);
                }
            }
        }
        self.see(Observation::Endpoints { endpoints: Cow::Owned(seen) });
        if !self.patches.is_empty() {
            self.rescan();
        }
    }

    /// The owner lets a policy hold.
    ///
    /// # Errors
    /// What the engine refuses.
    pub fn adopt(&mut self, policy: Policy) -> Result<Outcome, Refusal> {
        self.ask(Actor::new("root", ["owner"]), Command::AdoptPolicy { policy: Box::new(policy) })
    }

    /// A vendor publishes a patch, and the host compares inventory and catalogue for it.
    pub fn publish(&mut self, patch: Patch) -> Option<CandidateId> {
        self.patches.retain(|known| known.id != patch.id);
        self.patches.push(patch.clone());
        if self.host.away.is_some() {
            return None;
        }
        let id = patch.id.clone();
        self.see(Observation::Published { patch: Cow::Owned(patch) });
        self.tell_needs(self.patches.len() - 1, true);
        self.see(Observation::Identified);
        self.fleet.candidate_of(&id)
    }

    /// A vendor pulls a patch.
    pub fn pull(&mut self, patch: PatchId, reason: String) {
        self.patches.retain(|known| known.id != patch);
        self.see(Observation::Withdrawn { patch, reason: Cow::Owned(reason) });
    }

    /// The host compares inventory and catalogue.
    pub fn rescan(&mut self) {
        // Those that left while the host was away, and nobody told.
        let gone = self.machines.iter().filter(|machine| machine.gone);
        let known = gone.filter_map(|machine| self.fleet.endpoint_ix(machine.id.as_str()));
        let unsaid = known.filter(|ix| self.fleet.endpoint(*ix).is_some_and(|known| !known.is_gone()));
        for endpoint in unsaid.collect::<Vec<_>>() {
            self.see(Observation::EndpointGone { endpoint });
        }
        for i in 0..self.patches.len() {
            if self.host.away.is_some() {
                return;
            }
            if self.fleet.candidate_of(&self.patches[i].id).is_none() {
                // Published while the host was away.
                self.see(Observation::Published { patch: Cow::Owned(self.patches[i].clone()) });
            }
            self.tell_needs(i, false);
        }
        self.see(Observation::Identified);
        if self.senses {
            let here = self.indices(|machine| machine.reachable);
            self.see(Observation::Reachable { endpoints: Cow::Owned(here) });
            self.read();
        }
    }

    /// The host has read every inventory that it can reach, whoever asked for it.
    pub fn read(&mut self) {
        let here = self.indices(|machine| machine.reachable);
        self.see(Observation::Read { endpoints: Cow::Owned(here) });
        for pending in [true, false] {
            let endpoints = self.indices(|m| m.reachable && m.reboot_pending == pending);
            self.see(Observation::RebootsPending { endpoints: Cow::Owned(endpoints), pending });
        }
    }

    /// Machines that are there, as the fleet numbers them.
    fn indices(&self, keep: impl Fn(&Machine) -> bool) -> Vec<EndpointIx> {
        let there = self.machines.iter().filter(|machine| !machine.gone && keep(machine));
        there.filter_map(|machine| self.fleet.endpoint_ix(machine.id.as_str())).collect()
    }

    /// What the host notices about one machine, where it notices anything.
    fn notice(&mut self, at: u32, what: impl FnOnce(Cow<'static, [EndpointIx]>) -> Observation<'static>) {
        let name = self.machines[at as usize].id.clone();
        if self.senses
            && let Some(endpoint) = self.fleet.endpoint_ix(name.as_str())
        {
            self.see(what(Cow::Owned(vec![endpoint])));
        }
    }

    /// What is new is compared with what every inventory showed last; later only what can be read is told.
    fn tell_needs(&mut self, patch: usize, is_new: bool) {
        let patch = &self.patches[patch];
        let Some(candidate) = self.fleet.candidate_of(&patch.id) else { return };
        let (package, version) = (patch.target.package.name.as_str(), patch.target.version.as_str());
        let present = self.machines.iter().filter(|machine| !machine.gone && (machine.reachable || is_new));
        let needs: Vec<_> = present
            .filter_map(|machine| {
                let ix = self.fleet.endpoint_ix(machine.id.as_str())?;
                Some(machine.need(ix, package, version))
            })
            .collect();
        self.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
    }

    /// Somebody asks something.
    ///
    /// # Errors
    /// What the engine refuses; and everything while the host is away.
    pub fn ask(&mut self, by: Actor, ask: Command) -> Result<Outcome, Refusal> {
        self.requests += 1;
        let id = RequestId::from(format!("q{}", self.requests));
        self.request(Request { id, by, expect: None, ask })
    }

    /// Somebody asks the last thing again under its id, as a client does that heard no answer.
    pub fn ask_again(&mut self) -> Option<Result<Outcome, Refusal>> {
        self.last_request.clone().map(|request| self.request(request))
    }

    /// A request as it is.
    ///
    /// # Errors
    /// What the engine refuses; and everything while the host is away.
    pub fn request(&mut self, request: Request) -> Result<Outcome, Refusal> {
        if self.host.away.is_some() {
            return Err(Refusal::WrongState {
                what: "the host".into(),
                state: "away".into(),
                allowed: "ask when it is back".into(),
            });
        }
        self.last_request = Some(request.clone());
        self.come_late();
        let answer = self.fleet.command(self.host_now(), request.clone(), &mut self.out);
        self.transcript.write(self.now, "asked", || match &answer {
            Ok(outcome) => format!("{} asks {:?}: {outcome:?}", request.by, request.ask),
            Err(refusal) => format!("{} asks {:?}: refused, {refusal}", request.by, request.ask),
        });
        self.transcript.mix(&[2, u64::from(answer.is_ok())]);
        if let Some(watch) = &mut self.watch {
            watch.see(self.now, Sight::Asked(&request, &answer));
        }
        if let Err(refusal) = &answer {
            self.refusals.push((self.now, refusal.clone()));
        }
        self.took_input();
        answer
    }

    /// Lets so many seconds go by.
    pub fn run_for(&mut self, secs: u64) {
        self.run_until(self.now.plus_secs(secs));
    }

    /// Lets time go by, event after event.
    pub fn run_until(&mut self, until: Timestamp) {
        while self.step(until) {}
        self.now = self.now.max(until);
    }

    /// The next thing that happens by then. False when there is none.
    pub fn step(&mut self, until: Timestamp) -> bool {
        let event = self.queue.next_at();
        let next = event.into_iter().chain(self.next_wake()).min();
        if next.is_none_or(|next| next > self.now) && !self.out.is_empty() {
            self.flush();
            return true;
        }
        let Some(at) = next.filter(|at| *at <= until) else { return false };
        self.now = self.now.max(at);
        if event.is_some_and(|event| event <= at)
            && let Some(event) = self.queue.pop()
        {
            self.happen(event);
            return true;
        }
        self.looks = if self.looks.0 == self.now { (self.now, self.looks.1 + 1) } else { (self.now, 1) };
        if self.looks.1 == LOOKS_MAX {
            self.defects.push(format!("time stands still at {}", self.now));
            if let Some(watch) = &mut self.watch {
                watch.see(self.now, Sight::Stalled(self.now));
            }
        }
        self.see(Observation::Time);
        true
    }

    /// When the host's clock shows what the fleet asked to be woken at.
    fn next_wake(&self) -> Option<Timestamp> {
        if self.host.away.is_some() || (self.looks.0 == self.now && self.looks.1 >= LOOKS_MAX) {
            return None;
        }
        let due = self.fleet.next_deadline()?;
        let real = Timestamp::from_millis(due.as_millis().saturating_sub(self.skew_millis));
        Some(real.max(self.now))
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToHost(seen) => self.see(*seen),
            Event::ToAgent(to, letter) => self.hand_over(to, *letter),
            Event::Says(from, seen) => self.say(from, *seen),
            Event::Finish(at, order) => self.finish(at, order),
            Event::Wake(at) => self.wake(at),
            Event::Happens(what) => self.let_happen(*what),
            Event::HostBack => self.return_from_away(),
            Event::Rescan(secs) => {
                self.rescan();
                self.rescan_every(secs);
            }
        }
    }

    /// How a message fares: when it arrives, and when its double does.
    fn fares(&mut self, machine: u32) -> [Option<u64>; 2] {
        if self.network.is_faultless() {
            return [Some(0), None];
        }
        let seed = self.seed;
        let network = self.network;
        let Some(chance) = self.chances.get_mut(machine as usize) else { return [Some(0), None] };
        let chance = chance.get_or_insert_with(|| Chance::new(seed, Purpose::Network, machine.into()));
        let late = u64::from(network.late_secs_max);
        let mut delay = |share| if chance.permille(share) { chance.between(1, late.max(1)) } else { 0 };
        let (first, second) = (delay(network.late_permille), delay(1000));
        let lost = chance.permille(network.lost_permille);
        let doubled = chance.permille(network.doubled_permille);
        [(!lost).then_some(first), doubled.then_some(second)]
    }

    pub(super) fn send(&mut self, to: &str, letter: Letter) {
        let Some(to) = self.names.get(&EndpointId::from(to)).copied() else { return };
        for delay in self.fares(to).into_iter().flatten() {
            match delay {
                0 => self.hand_over(to, letter.clone()),
                _ => {
                    self.queue.put(self.now.plus_secs(delay), Event::ToAgent(to, Box::new(letter.clone())));
                }
            }
        }
    }

    /// A hook runs beside the endpoint, so that it runs although messages to the endpoint do not get through.
    pub(super) fn run_hook(&mut self, run: HookRun) {
        let at = self.names.get(&run.endpoint).copied();
        if let Some((after, failure)) = at.and_then(|at| self.machines[at as usize].run_hook(run.stage)) {
            let done = Observation::HookDone { order: run.order, stage: run.stage, failure };
            self.queue.put(self.now.plus_secs(after), Event::ToHost(Box::new(done)));
        }
        self.hooks.push(run);
    }

    fn hand_over(&mut self, to: u32, letter: Letter) {
        let machine = &mut self.machines[to as usize];
        if machine.gone {
            return;
        }
        if !machine.reachable {
            machine.agent.inbox.push(letter);
            return;
        }
        let mut todo = std::mem::take(&mut self.todo);
        machine.open(self.now, letter, &mut todo);
        self.carry_on(to, todo);
    }

    fn finish(&mut self, at: u32, order: OrderId) {
        let mut todo = std::mem::take(&mut self.todo);
        let machine = &mut self.machines[at as usize];
        machine.finish(self.now, order, &mut todo);
        self.carry_on(at, todo);
    }

    fn wake(&mut self, at: u32) {
        let mut todo = std::mem::take(&mut self.todo);
        self.machines[at as usize].begin_next(self.now, &mut todo);
        self.carry_on(at, todo);
    }

    /// What an inventory that was read anew shows is told before it counts as read.
    fn tell_reading(&mut self, at: u32) {
        let machine = &self.machines[at as usize];
        let Some(endpoint) = self.fleet.endpoint_ix(machine.id.as_str()) else { return };
        let mut seen = Vec::new();
        for patch in &self.patches {
            if let Some(candidate) = self.fleet.candidate_of(&patch.id) {
                let target = &patch.target;
                let need = machine.need(endpoint, &target.package.name, target.version.as_str());
                seen.push(Observation::Needs { candidate, needs: Cow::Owned(vec![need]) });
            }
        }
        let (endpoints, pending) = (Cow::Owned(vec![endpoint]), machine.reboot_pending);
        seen.push(Observation::RebootsPending { endpoints, pending });
        for seen in seen {
            self.see(seen);
        }
    }

    fn carry_on(&mut self, machine: u32, mut todo: Vec<Todo>) {
        for what in todo.drain(..) {
            match what {
                Todo::Say(after, seen) => {
                    if let Observation::Reported(report) = &*seen
                        && matches!(report.kind, ReportKind::PutOff { .. })
                        && let Some(watch) = &mut self.watch
                    {
                        watch.see(self.now, Sight::PutOff(report.order));
                    }
                    self.queue.put(self.now.plus_secs(after), Event::Says(machine, seen));
                }
                Todo::Finish(after, order) => {
                    self.queue.put(self.now.plus_secs(after), Event::Finish(machine, order));
                }
                Todo::Wake(after) => self.queue.put(self.now.plus_secs(after), Event::Wake(machine)),
                Todo::Began(order) => {
                    let name = self.machines[machine as usize].id.as_str();
                    self.transcript.write(self.now, "endpoint", || format!("{name} begins {}", order.id()));
                    if let Some(watch) = &mut self.watch {
                        watch.see(self.now, Sight::Began(name, &order));
                    }
                }
                Todo::Ended(order, stage) => {
                    let (name, id) = (self.machines[machine as usize].id.as_str(), order.id());
                    self.transcript.mix(&[3, machine.into(), id.rollout.0.into(), id.operation.into()]);
                    self.transcript.write(self.now, "endpoint", || format!("{name} ends {id}: {stage:?}"));
                    if let Some(watch) = &mut self.watch {
                        watch.see(self.now, Sight::Ended(name, &order, &stage));
                    }
                }
            }
        }
        self.todo = todo;
    }

    fn say(&mut self, from: u32, seen: Observation<'static>) {
        let machine = &mut self.machines[from as usize];
        if machine.gone {
            return;
        }
        if !machine.reachable {
            machine.agent.outbox.push(seen);
            return;
        }
        if matches!(seen, Observation::Read { .. }) {
            self.tell_reading(from);
        }
        let [first, second] = self.fares(from);
        if let Some(delay) = second {
            self.queue.put(self.now.plus_secs(delay), Event::ToHost(Box::new(seen.clone())));
        }
        match first {
            Some(0) => self.see(seen),
            Some(delay) => self.queue.put(self.now.plus_secs(delay), Event::ToHost(Box::new(seen))),
            None => {}
        }
    }

    fn let_happen(&mut self, what: Happening) {
        match what {
            Happening::Seen(seen) => self.see(*seen),
            Happening::Asked(by, ask) => {
                let _ = self.ask(by, *ask);
            }
            Happening::Joins(machine) => self.join([*machine]),
            Happening::Leaves(name) => self.leave(&name),
            Happening::Changes(name, change) => self.change(&name, change),
            Happening::Published(patch) => {
                self.publish(*patch);
            }
            Happening::Pulled(patch, reason) => self.pull(patch, reason),
            Happening::Rescanned => self.rescan(),
            Happening::Network(network) => self.network = network,
            Happening::ClockSkew(millis) => self.skew_millis = millis,
            Happening::HostAway { secs, crashed, loses_mail } => self.go_away(secs, crashed, loses_mail),
            Happening::Crash if self.host.away.is_none() => self.crash(),
            Happening::Crash => {}
            Happening::CrashAt(seq, point) => self.host.crash_at = Some((seq, point)),
            Happening::StoreFails(faults) => self.host.store_faults = faults,
            Happening::Baseline => self.write_baseline(),
            Happening::FaultsStop => self.stop_faults(),
        }
    }
}
