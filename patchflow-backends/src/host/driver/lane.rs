//! The queues of one set of backends: effects wait here for their batch, their turn, or the end of a wait.
//!
//! An order that a fleet wants back is stopped here if it has never left; if a call with it is under way, the recall
//! waits for that call, so that an installer never sees a recall before its order.

use super::call::{Call, Work};
use crate::host::backends::Backends;
use crate::host::limits::HostLimits;
use futures_util::future::AbortHandle;
use patchflow_core::digest::Digest;
use patchflow_core::fleet::{Effect, HookRun, InspectOrder, Notice, WakeOrder};
use patchflow_core::ids::{EndpointId, FleetId, OrderId};
use patchflow_core::rollout::{Order, StageId, StageOrder};
use patchflow_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Which life of which fleet an effect comes from: a fleet that was dropped and loaded again does not wait for the
/// effects of its life before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) fleet: FleetId,
    pub(super) life: u32,
}

/// Something to do, for whom, and how often it has failed.
#[derive(Clone, Debug)]
pub(super) struct Item<T> {
    pub(super) origin: Origin,
    pub(super) failures: u32,
    pub(super) what: T,
}

impl<T> Item<T> {
    fn new(origin: Origin, what: T) -> Self {
        Self { origin, failures: 0, what }
    }
}

/// Where an order is that has not been taken yet.
#[derive(Debug)]
struct Held {
    /// A call with it is under way.
    calling: bool,
    /// A call with it has failed: the installer may know it or not.
    left: bool,
    /// The fleet wants it back.
    recall: Option<Item<(OrderId, EndpointId)>>,
}

/// What pushing an effect led to at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It waits.
    Waits,
    /// It is with the lane already.
    Known,
    /// The order of this recall had never left, and will not; the recall and the order are both done.
    Stopped(OrderId),
    /// The order of this recall waits for another try no more; the recall has taken its place.
    Replaced,
    /// Nobody is there to carry it out.
    Nobody,
}

pub(super) struct Lane {
    pub(super) backends: Arc<Backends>,
    submit: VecDeque<Item<Order>>,
    recall: VecDeque<Item<(OrderId, EndpointId)>>,
    query: VecDeque<Item<(OrderId, EndpointId)>>,
    inspect: VecDeque<Item<InspectOrder>>,
    ask: VecDeque<Item<Effect>>,
    hook: VecDeque<Item<HookRun>>,
    wakes: VecDeque<Item<WakeOrder>>,
    stage: VecDeque<Item<StageOrder>>,
    unstage: VecDeque<Item<(StageId, EndpointId, Digest)>>,
    /// Attempts to stage that wait, are under way, or wait to be asked for again.
    staging: BTreeSet<StageId>,
    notify: VecDeque<Item<Notice>>,
    waiting: BTreeMap<(Timestamp, u64), Call>,
    waits: u64,
    held: BTreeMap<OrderId, Held>,
    queried: BTreeSet<OrderId>,
    /// Calls under way, by kind.
    pub(super) calls: [usize; Work::KINDS],
    /// Fleets that have more observations waiting than they should: nothing is read while there are any.
    pub(super) choked: BTreeSet<FleetId>,
    pub(super) reports: Source,
    pub(super) answers: Source,
    /// Fleets that use it and are driven here: without any, nothing is read, so that what is meant for another host is
    /// left to that host.
    pub(super) fleets: usize,
}

/// A stream of reports or answers that is polled.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Ends the poll that is under way.
    pub(super) polling: Option<AbortHandle>,
    pub(super) failures: u32,
    /// Not before this time, after a failure.
    pub(super) not_before: Option<Timestamp>,
}

impl Lane {
    pub(super) fn new(backends: Arc<Backends>) -> Self {
        Self {
            backends,
            submit: VecDeque::new(),
            recall: VecDeque::new(),
            query: VecDeque::new(),
            inspect: VecDeque::new(),
            ask: VecDeque::new(),
            hook: VecDeque::new(),
            wakes: VecDeque::new(),
            stage: VecDeque::new(),
            unstage: VecDeque::new(),
            staging: BTreeSet::new(),
            notify: VecDeque::new(),
            waiting: BTreeMap::new(),
            waits: 0,
            held: BTreeMap::new(),
            queried: BTreeSet::new(),
            calls: [0; Work::KINDS],
            choked: BTreeSet::new(),
            reports: Source::default(),
            answers: Source::default(),
            fleets: 0,
        }
    }

    /// One fleet less is driven here.
    pub(super) fn lose_fleet(&mut self) {
        self.fleets -= 1;
        if self.fleets == 0 {
            // Dropping the future of a source loses none of its items.
            [&self.reports, &self.answers]
                .into_iter()
                .flat_map(|source| &source.polling)
                .for_each(AbortHandle::abort);
        }
    }

    /// Takes an effect over.
    pub(super) fn push(&mut self, origin: Origin, effect: Effect) -> Pushed {
        match effect {
            Effect::Submit(order) => {
                if self.held.contains_key(&order.id()) {
                    return Pushed::Known;
                }
                self.held.insert(order.id(), Held { calling: false, left: false, recall: None });
                self.submit.push_back(Item::new(origin, order));
            }
            Effect::Recall { order, endpoint } => {
                return self.push_recall(Item::new(origin, (order, endpoint)));
            }
            Effect::Query { order, endpoint } => {
                if !self.queried.insert(order) {
                    return Pushed::Known;
                }
                self.query.push_back(Item::new(origin, (order, endpoint)));
            }
            Effect::Inspect(order) => self.inspect.push_back(Item::new(origin, order)),
            // The fleet itself knows what is to be read, and the next round of `identify` reads it; a backend has
            // nothing to do of its own.
            Effect::Scan { .. } => return Pushed::Nobody,
            Effect::AskApproval { .. } => match self.backends.approver {
                Some(_) => self.ask.push_back(Item::new(origin, effect)),
                None => return Pushed::Nobody,
            },
            Effect::Wake(order) => match self.backends.waker {
                Some(_) => self.wakes.push_back(Item::new(origin, order)),
                None => return Pushed::Nobody,
            },
            Effect::RunHook(run) => self.hook.push_back(Item::new(origin, run)),
            Effect::Stage(order) => {
                if !self.staging.insert(order.id()) {
                    return Pushed::Known;
                }
                self.stage.push_back(Item::new(origin, order));
            }
            Effect::Unstage { stage, endpoint, content } => {
                self.unstage.push_back(Item::new(origin, (stage, endpoint, content)));
            }
            Effect::Notify(notice) => match self.backends.notifier {
                Some(_) => self.notify.push_back(Item::new(origin, notice)),
                None => return Pushed::Nobody,
            },
        }
        Pushed::Waits
    }

    fn push_recall(&mut self, recall: Item<(OrderId, EndpointId)>) -> Pushed {
        let order = recall.what.0;
        match self.held.get_mut(&order) {
            Some(held) if held.recall.is_some() => return Pushed::Known,
            Some(held) if held.calling => held.recall = Some(recall),
            Some(held) if !held.left => {
                self.held.remove(&order);
                self.submit.retain(|item| item.what.id() != order);
                return Pushed::Stopped(order);
            }
            // It may have arrived or not: it is not sent again, and the installer is asked.
            Some(_) => {
                self.forget_order(order);
                self.recall.push_back(recall);
                return Pushed::Replaced;
            }
            None => self.recall.push_back(recall),
        }
        Pushed::Waits
    }

    /// An order that waits for another try is not tried again.
    fn forget_order(&mut self, order: OrderId) {
        self.held.remove(&order);
        self.submit.retain(|item| item.what.id() != order);
        for call in self.waiting.values_mut() {
            if let Call::Submit(items) = call {
                items.retain(|item| item.what.id() != order);
            }
        }
    }

    /// How many effects of an origin wait or are under way is counted by the driver; this takes those out that wait.
    pub(super) fn forget_fleet(&mut self, fleet: FleetId) {
        fn keep<T>(queue: &mut VecDeque<Item<T>>, fleet: FleetId) {
            queue.retain(|item| item.origin.fleet != fleet);
        }
        keep(&mut self.submit, fleet);
        keep(&mut self.recall, fleet);
        keep(&mut self.query, fleet);
        keep(&mut self.inspect, fleet);
        keep(&mut self.ask, fleet);
        keep(&mut self.hook, fleet);
        keep(&mut self.wakes, fleet);
        keep(&mut self.stage, fleet);
        keep(&mut self.unstage, fleet);
        self.staging.retain(|stage| stage.fleet != fleet);
        keep(&mut self.notify, fleet);
        self.waiting.retain(|_, call| {
            call.retain(|origin| origin.fleet != fleet);
            !call.is_empty()
        });
        self.held.retain(|order, held| order.fleet != fleet || held.calling);
        self.held
            .iter_mut()
            .filter(|(order, _)| order.fleet == fleet)
            .for_each(|(_, held)| held.recall = None);
        self.queried.retain(|order| order.fleet != fleet);
    }

    /// Whether people are still to be told something.
    pub(super) fn has_notices(&self) -> bool {
        !self.notify.is_empty()
    }

    /// The next call whose turn it is, when there is room for one. While the host stops, only notices are still told:
    /// everything else is asked after when it runs again.
    pub(super) fn next_call(&mut self, limits: &HostLimits, only_notices: bool) -> Option<Call> {
        fn take<T>(queue: &mut VecDeque<Item<T>>, most: usize) -> Vec<Item<T>> {
            let most = most.min(queue.len());
            queue.drain(..most).collect()
        }
        let calls = &self.calls;
        let room = |work: Work| {
            calls[work as usize] < limits.calls_in_flight_max && (!only_notices || work == Work::Notify)
        };
        // Recalls first: what is to be stopped does not wait behind what is to be started.
        let call = if !self.recall.is_empty() && room(Work::Recall) {
            Call::Recall(take(&mut self.recall, limits.orders_batch_max))
        } else if !self.query.is_empty() && room(Work::Query) {
            Call::Query(take(&mut self.query, limits.queries_batch_max))
        } else if !self.inspect.is_empty() && room(Work::Inspect) {
            Call::Inspect(take(&mut self.inspect, limits.inspections_batch_max))
        } else if !self.submit.is_empty() && room(Work::Submit) {
            let items = take(&mut self.submit, limits.orders_batch_max);
            for item in &items {
                if let Some(held) = self.held.get_mut(&item.what.id()) {
                    held.calling = true;
                }
            }
            Call::Submit(items)
        } else if !self.stage.is_empty() && room(Work::Stage) {
            Call::Stage(take(&mut self.stage, limits.orders_batch_max))
        } else if !self.unstage.is_empty() && room(Work::Unstage) {
            // Behind the attempts that it may be about.
            Call::Unstage(take(&mut self.unstage, limits.orders_batch_max))
        } else if !self.hook.is_empty() && room(Work::Hook) {
            Call::Hook(self.hook.pop_front()?)
        } else if !self.wakes.is_empty() && room(Work::Wake) {
            Call::Wake(self.wakes.pop_front()?)
        } else if !self.ask.is_empty() && room(Work::Ask) {
            Call::Ask(self.ask.pop_front()?)
        } else if !self.notify.is_empty() && room(Work::Notify) {
            // A call tells the notices of one fleet.
            let fleet = self.notify.front()?.origin.fleet;
            let together = self.notify.iter().take_while(|item| item.origin.fleet == fleet).count();
            Call::Notify(take(&mut self.notify, together.min(limits.notices_batch_max)))
        } else {
            return None;
        };
        self.calls[call.work() as usize] += 1;
        Some(call)
    }

    /// The outcome of a call with this order is known, or it will not be tried again: it is the installer's now.
    pub(super) fn order_done(&mut self, order: OrderId) {
        if let Some(Held { recall: Some(recall), .. }) = self.held.remove(&order) {
            self.recall.push_back(recall);
        }
    }

    /// A call with this order failed. Whether it is to be tried again: not when it is wanted back meanwhile.
    pub(super) fn order_failed(&mut self, order: OrderId) -> bool {
        let Some(held) = self.held.get_mut(&order) else { return false };
        held.calling = false;
        held.left = true;
        match held.recall.take() {
            Some(recall) => {
                self.held.remove(&order);
                self.recall.push_back(recall);
                false
            }
            None => true,
        }
    }

    /// An attempt to stage was answered, or is given up.
    pub(super) fn stage_done(&mut self, stage: StageId) {
        self.staging.remove(&stage);
    }

    /// A query was answered, or is given up.
    pub(super) fn query_done(&mut self, order: OrderId) {
        self.queried.remove(&order);
    }

    /// Puts work away until a time.
    pub(super) fn wait(&mut self, until: Timestamp, call: Call) {
        self.waits += 1;
        self.waiting.insert((until, self.waits), call);
    }

    /// Brings back what has waited long enough, ahead of what came later.
    pub(super) fn wake(&mut self, now: Timestamp) {
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 > now {
                break;
            }
            fn front<T>(queue: &mut VecDeque<Item<T>>, items: Vec<Item<T>>) {
                items.into_iter().rev().for_each(|item| queue.push_front(item));
            }
            match entry.remove() {
                Call::Submit(items) => front(&mut self.submit, items),
                Call::Recall(items) => front(&mut self.recall, items),
                Call::Query(items) => front(&mut self.query, items),
                Call::Inspect(items) => front(&mut self.inspect, items),
                Call::Ask(item) => self.ask.push_front(item),
                Call::Hook(item) => self.hook.push_front(item),
                Call::Wake(item) => self.wakes.push_front(item),
                Call::Stage(items) => front(&mut self.stage, items),
                Call::Unstage(items) => front(&mut self.unstage, items),
                Call::Notify(items) => front(&mut self.notify, items),
            }
        }
    }
}
