//! The loop behind [`Host::run`](super::Host::run): one future, polled by the host, that spawns nothing.
//!
//! Each turn takes what has come (messages, ends of calls, times), lets the fleets concerned decide, and starts what
//! follows: appends (many fleets to a commit), and, only for facts that are stored, calls of backends in batches.

mod alerts;
mod call;
mod commits;
mod effects;
mod fleets;
mod inputs;
mod lane;
mod load;
mod slot;
mod staging;
mod timers;

use super::backends::{Backends, Resolver};
use super::error::{AskError, HostError};
use super::give_way;
use super::limits::HostLimits;
use super::message::Message;
use super::stats::{SharedStats, Stopped};
use async_channel::Receiver;
use call::Called;
use commits::Commits;
use futures_util::future::{Aborted, BoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use lane::Lane;
use load::LoadError;
use patchflow_core::fleet::Persisted;
use patchflow_core::ids::FleetId;
use patchflow_core::rollout::Report;
use patchflow_core::sdk::{
    Append, AppendError, ApproverAnswer, BackendError, Clock, JournalStore, Lease, LeaseGrant, Retry,
};
use patchflow_core::time::Timestamp;
use slot::{Live, Slot, State};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use timers::{Due, Timers};

/// Fleets named by the store in one answer.
const LIST_PAGE: usize = 4096;
/// Events taken in one turn before fleets get theirs: bounds how long one turn takes.
const EVENTS_PER_TURN: usize = 256;
/// Turns in one poll before the host's executor gets its turn.
const TURNS_PER_POLL: u32 = 32;

/// What the driver is made of.
pub(super) struct Parts {
    pub(super) store: Arc<dyn JournalStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) resolver: Resolver,
    pub(super) lease: Option<Arc<dyn Lease>>,
    pub(super) holder: Arc<str>,
    pub(super) limits: Arc<HostLimits>,
    pub(super) stats: SharedStats,
}

/// The receiving end; what still lies in it when the driver ends is answered by being dropped.
struct Inbox(Pin<Box<Receiver<Message>>>);

impl Drop for Inbox {
    fn drop(&mut self) {
        self.0.close();
        while self.0.try_recv().is_ok() {}
    }
}

/// The end of something that was under way.
enum Done {
    Committed(Vec<(u32, Append)>, Vec<Result<Persisted, AppendError>>),
    Loaded(FleetId, Option<LeaseGrant>, Result<Box<Live>, LoadError>),
    Leased(FleetId, Result<Option<LeaseGrant>, BackendError>),
    Called(usize, Called),
    Reports(usize, Polled<Report<'static>>),
    Answers(usize, Polled<ApproverAnswer>),
    Alerts(FleetId, u32, Vec<alerts::Look>),
}

/// What a source gave; none when it was no longer to be read.
type Polled<T> = Result<Result<Vec<T>, BackendError>, Aborted>;

/// One thing that came.
enum Event {
    Message(Message),
    Done(Done),
    Time,
}

pub(super) struct Driver {
    parts: Parts,
    inbox: Inbox,
    jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    sleep: Option<(Timestamp, BoxFuture<'static, ()>)>,
    timers: Timers,
    slots: BTreeMap<FleetId, Slot>,
    lanes: Vec<Lane>,
    lane_of: BTreeMap<usize, usize>,
    /// Lanes in which a call or a poll may be started.
    busy_lanes: BTreeSet<usize>,
    ready: VecDeque<FleetId>,
    /// Fleets to be loaded, and how many loads are under way.
    load_queue: VecDeque<FleetId>,
    loading: usize,
    /// Fleets in memory with their lives, in about the order in which they were last used; some are gone already.
    live: VecDeque<(FleetId, u32)>,
    loaded: usize,
    inputs_queued: usize,
    effects_open: usize,
    calls_open: usize,
    commits: Commits,
    /// When the grace of a stop ends.
    stopping: Option<Timestamp>,
}

impl Driver {
    pub(super) fn new(parts: Parts, inbox: Receiver<Message>) -> Self {
        Self {
            parts,
            inbox: Inbox(Box::pin(inbox)),
            jobs: FuturesUnordered::new(),
            sleep: None,
            timers: Timers::default(),
            slots: BTreeMap::new(),
            lanes: Vec::new(),
            lane_of: BTreeMap::new(),
            busy_lanes: BTreeSet::new(),
            ready: VecDeque::new(),
            load_queue: VecDeque::new(),
            loading: 0,
            live: VecDeque::new(),
            loaded: 0,
            inputs_queued: 0,
            effects_open: 0,
            calls_open: 0,
            commits: Commits::default(),
            stopping: None,
        }
    }

    pub(super) async fn run(mut self) -> Result<Stopped, HostError> {
        self.list_fleets().await?;
        let mut turns = 0;
        loop {
            self.turn();
            if let Some(stopped) = self.ended() {
                self.release_leases().await;
                return Ok(stopped);
            }
            turns += 1;
            if turns % TURNS_PER_POLL == 0 {
                give_way().await;
            }
            for event in self.events().await {
                match event {
                    Event::Message(message) => self.take_message(message),
                    Event::Done(done) => self.take_done(done),
                    Event::Time => self.take_time(),
                }
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Waits until something has come, and takes what there is, up to a limit. While a fleet has something to do, it
    /// does not wait.
    async fn events(&mut self) -> Vec<Event> {
        let Self { inbox, jobs, sleep, ready, .. } = self;
        poll_fn(|cx| {
            let mut events = Vec::new();
            while events.len() < EVENTS_PER_TURN {
                let before = events.len();
                // In turns, so that neither a busy caller nor a busy backend keeps the other waiting.
                if let Poll::Ready(Some(message)) = inbox.0.as_mut().poll_next_unpin(cx) {
                    events.push(Event::Message(message));
                }
                if let Poll::Ready(Some(done)) = jobs.poll_next_unpin(cx) {
                    events.push(Event::Done(done));
                }
                if events.len() == before {
                    break;
                }
            }
            if sleep.as_mut().is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready()) {
                *sleep = None;
                events.push(Event::Time);
            }
            if events.is_empty() && ready.is_empty() { Poll::Pending } else { Poll::Ready(events) }
        })
        .await
    }

    /// Everything that can be done without waiting.
    fn turn(&mut self) {
        self.step_fleets();
        self.start_calls();
        if self.stopping.is_none() {
            self.start_loads();
            self.evict();
        }
        self.start_commits();
        self.set_sleep();
        self.show_stats();
    }

    fn take_message(&mut self, message: Message) {
        match message {
            Message::Stop => self.begin_stop(),
            Message::Ask(_, ask) if self.stopping.is_some() => ask.refuse(AskError::NotRunning),
            Message::Seen(_, seen) if self.stopping.is_some() => {
                if let Some(reply) = seen.reply {
                    drop(reply.send(Err(AskError::NotRunning)));
                }
            }
            Message::Ask(fleet, ask) => self.take_ask(fleet, ask),
            Message::Seen(fleet, seen) => self.take_seen(fleet, seen),
        }
    }

    fn take_done(&mut self, done: Done) {
        match done {
            Done::Committed(batch, results) => self.committed(batch, results),
            Done::Loaded(fleet, lease, result) => self.loaded(fleet, lease, result),
            Done::Leased(fleet, result) => self.leased(fleet, result),
            Done::Called(lane, called) => self.called(lane, called),
            Done::Reports(lane, result) => self.take_reports(lane, result),
            Done::Answers(lane, result) => self.take_answers(lane, result),
            Done::Alerts(fleet, life, looks) => self.watched(fleet, life, looks),
        }
    }

    fn take_time(&mut self) {
        let now = self.now();
        while let Some((when, due)) = self.timers.pop(now) {
            match due {
                Due::Fleet(fleet) => self.deadline_over(fleet, when),
                Due::Append(fleet, life) => self.repeat_append(fleet, life),
                Due::Load(fleet) => self.load_queue.push_back(fleet),
                Due::Alerts(fleet, life) => self.watch(fleet, life),
                Due::Lease(fleet) => self.renew_lease(fleet),
                Due::Lane(lane) => {
                    self.lanes[lane].wake(now);
                    self.busy_lanes.insert(lane);
                }
                Due::Commit => self.commits.lingered(),
                Due::Grace => {}
            }
        }
    }

    fn set_sleep(&mut self) {
        let Some(next) = self.timers.next() else {
            self.sleep = None;
            return;
        };
        if self.sleep.as_ref().is_none_or(|(until, _)| *until != next) {
            let clock = self.parts.clock.clone();
            self.sleep = Some((next, Box::pin(async move { clock.sleep_until(next).await })));
        }
    }

    fn begin_stop(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        tracing::info!("the host stops");
        let grace_ends = self.now().plus(self.parts.limits.stop_grace);
        self.stopping = Some(grace_ends);
        self.timers.at(grace_ends, Due::Grace);
        self.load_queue.clear();
        let unloaded: Vec<_> =
            self.slots.iter().filter(|(_, slot)| !slot.is_live()).map(|(id, _)| *id).collect();
        unloaded.into_iter().for_each(|fleet| self.refuse_all(fleet, || AskError::NotRunning));
    }

    /// What the host ends with, once a stop was asked for and everything is settled or its grace is over.
    fn ended(&mut self) -> Option<Stopped> {
        let grace_ends = self.stopping?;
        let settled = |slot: &Slot| match &slot.state {
            State::Live(live) => live.outbox.facts().is_empty() && live.waiters.is_empty(),
            State::Unloaded | State::Loading | State::Troubled(_) => true,
        };
        let unsettled: Vec<_> =
            self.slots.iter().filter(|(_, slot)| !settled(slot)).map(|(fleet, _)| *fleet).collect();
        let notices = self.lanes.iter().any(Lane::has_notices);
        let waits = self.calls_open > 0 || notices || !unsettled.is_empty() || !self.ready.is_empty();
        if waits && self.now() < grace_ends {
            return None;
        }
        self.slots.values_mut().for_each(|slot| slot.inputs.refuse_all(|| AskError::NotRunning));
        tracing::info!(calls_cut = self.calls_open, unsettled = unsettled.len(), "the host has stopped");
        Some(Stopped { calls_cut: self.calls_open, unsettled })
    }

    fn show_stats(&mut self) {
        let mut stats = self.parts.stats.lock();
        stats.fleets = self.slots.len();
        stats.loaded = self.loaded;
        stats.loading = self.loading + self.load_queue.len();
        stats.inputs_queued = self.inputs_queued;
        stats.effects_open = self.effects_open;
        stats.effects_open_max = stats.effects_open_max.max(self.effects_open);
        stats.calls_in_flight = self.calls_open;
    }
}

/// How long to wait after a failure of a backend.
fn wait_for(error: &BackendError, failures: u32, limits: &HostLimits) -> std::time::Duration {
    let own = limits.wait_after(failures);
    match error.retry {
        // A backend may ask for more patience, within reason.
        Retry::After(wait) => own.max(wait.min(limits.backoff_max * 20)),
        Retry::Never => limits.backoff_max,
    }
}
