//! Calls of backends: started in batches within their limits, answered as observations, repeated where that may help.

use super::call::{Call, Called, carry_out};
use super::lane::{Item, Lane, Origin, Source};
use super::slot::State;
use super::timers::Due;
use super::{Done, Driver, Polled, wait_for};
use futures_util::future::abortable;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{InspectOrder, Notice, Observation};
use patchflow_core::ids::{EndpointId, FleetId, OrderId};
use patchflow_core::rollout::{
    Failure, Inspection, Level, Order, QueryAnswer, RecallAnswer, Report, ReportKind,
};
use patchflow_core::sdk::{ApproverAnswer, BackendError, Receipt, Retry};
use std::collections::BTreeMap;
use std::time::Duration;
use tracing::Instrument as _;

/// Tries of a recall before its answer counts as unknown.
const RECALL_TRIES: u32 = 5;
/// Looks at an endpoint that cannot be read before the fleet is told so: about a minute at the default waits.
const INSPECT_TRIES: u32 = 8;

impl Driver {
    /// Starts what there is room for in the lanes in which something has changed.
    pub(super) fn start_calls(&mut self) {
        let stopping = self.stopping.is_some();
        for ix in std::mem::take(&mut self.busy_lanes) {
            let Some(lane) = self.lanes.get_mut(ix) else { continue };
            while let Some(call) = lane.next_call(&self.parts.limits, stopping) {
                let span = tracing::debug_span!("call", lane = ix, work = ?call.work());
                let parts = &self.parts;
                let carried =
                    carry_out(lane.backends.clone(), parts.clock.clone(), parts.limits.clone(), call);
                self.calls_open += 1;
                self.jobs.push(Box::pin(async move { Done::Called(ix, carried.await) }.instrument(span)));
            }
            if !stopping {
                self.start_polls(ix);
            }
        }
    }

    /// Waits for reports and answers, unless a fleet of the lane has more waiting than it should.
    fn start_polls(&mut self, ix: usize) {
        let now = self.now();
        let lane = &mut self.lanes[ix];
        if !lane.choked.is_empty() || lane.fleets == 0 {
            return;
        }
        let may = |source: &Source| source.polling.is_none() && source.not_before.is_none_or(|at| at <= now);
        if may(&lane.reports) {
            let installer = lane.backends.installer.clone();
            let (poll, handle) = abortable(async move { installer.reports().await });
            lane.reports.polling = Some(handle);
            self.jobs.push(Box::pin(async move { Done::Reports(ix, poll.await) }));
        }
        if let Some(approver) = &lane.backends.approver
            && may(&lane.answers)
        {
            let approver = approver.clone();
            let (poll, handle) = abortable(async move { approver.answers().await });
            lane.answers.polling = Some(handle);
            self.jobs.push(Box::pin(async move { Done::Answers(ix, poll.await) }));
        }
    }

    pub(super) fn take_reports(&mut self, ix: usize, result: Polled<Report<'static>>) {
        let reports = self.end_poll(ix, result, |lane| &mut lane.reports);
        let mut by_fleet = BTreeMap::<FleetId, Vec<_>>::new();
        for report in reports {
            by_fleet.entry(report.order.fleet).or_default().push(Observation::Reported(report));
        }
        by_fleet.into_iter().for_each(|(fleet, seen)| self.deliver(ix, fleet, seen));
    }

    pub(super) fn take_answers(&mut self, ix: usize, result: Polled<ApproverAnswer>) {
        for ApproverAnswer { fleet, ask, by, approve, reason } in
            self.end_poll(ix, result, |lane| &mut lane.answers)
        {
            self.deliver(ix, fleet, vec![Observation::Approval { ask, by, approve, reason: reason.into() }]);
        }
    }

    fn end_poll<T>(
        &mut self,
        ix: usize,
        result: Polled<T>,
        source: impl Fn(&mut Lane) -> &mut Source,
    ) -> Vec<T> {
        let now = self.now();
        self.busy_lanes.insert(ix);
        let limits = &self.parts.limits;
        let source = source(&mut self.lanes[ix]);
        source.polling = None;
        let Ok(result) = result else { return Vec::new() };
        let (wait, items) = match result {
            Ok(items) => {
                source.failures = 0;
                // A source that returns with nothing does not wait by itself.
                (items.is_empty().then_some(limits.backoff), items)
            }
            Err(error) => {
                source.failures = source.failures.saturating_add(1);
                let failures = source.failures;
                tracing::warn!(
                    lane = ix,
                    failures,
                    error = &error as &dyn std::error::Error,
                    "a source could not be read"
                );
                (Some(wait_for(&error, failures, limits)), Vec::new())
            }
        };
        source.not_before = wait.map(|wait| now.plus(wait));
        if let Some(until) = source.not_before {
            self.timers.at(until, Due::Lane(ix));
        }
        items
    }

    pub(super) fn called(&mut self, ix: usize, called: Called) {
        self.calls_open -= 1;
        self.busy_lanes.insert(ix);
        match called {
            Called::Submit(items, result) => {
                self.end_call(ix, super::call::Work::Submit, result.is_err());
                self.submitted(ix, items, result);
            }
            Called::Recall(items, result) => {
                self.end_call(ix, super::call::Work::Recall, result.is_err());
                self.recalled(ix, items, result);
            }
            Called::Query(items, result) => {
                self.end_call(ix, super::call::Work::Query, result.is_err());
                self.queried(ix, items, result);
            }
            Called::Inspect(items, seen) => {
                self.end_call(ix, super::call::Work::Inspect, false);
                self.inspected(ix, items, seen);
            }
            Called::Ask(item, result) => {
                self.end_call(ix, super::call::Work::Ask, result.is_err());
                match result {
                    Err(error) if error.retry != Retry::Never && self.lives(item.origin) => {
                        log(&error, "a question could not be put");
                        let wait = wait_for(&error, item.failures + 1, &self.parts.limits);
                        self.wait(ix, wait, Call::Ask(Item { failures: item.failures + 1, ..item }));
                    }
                    Err(error) => {
                        log(&error, "a question could not be put, and is not put again");
                        self.done(item.origin);
                    }
                    Ok(()) => self.done(item.origin),
                }
            }
            Called::Hook(item, result) => {
                self.end_call(ix, super::call::Work::Hook, result.is_err());
                self.done(item.origin);
                let failure = result.err().map(|error| Failure::new(FailureKind::Other, error.to_string()));
                let (order, stage) = (item.what.order, item.what.stage);
                self.deliver(ix, order.fleet, vec![Observation::HookDone { order, stage, failure }]);
            }
            Called::Wake(item, result) => {
                self.end_call(ix, super::call::Work::Wake, result.is_err());
                if let Err(error) = result {
                    log(&error, "endpoints could not be woken");
                }
                self.done(item.origin);
            }
            Called::Stage(items, result) => {
                self.end_call(ix, super::call::Work::Stage, result.is_err());
                self.staged(ix, items, result);
            }
            Called::Unstage(items, result) => {
                self.end_call(ix, super::call::Work::Unstage, result.is_err());
                if let Err(error) = result {
                    log(&error, "staged content could not be thrown away");
                }
                items.iter().for_each(|item| self.done(item.origin));
            }
            Called::Notify(items, result) => {
                self.end_call(ix, super::call::Work::Notify, result.is_err());
                self.notified(&items, result);
            }
        }
    }

    fn end_call(&mut self, ix: usize, work: super::call::Work, failed: bool) {
        self.lanes[ix].calls[work as usize] -= 1;
        self.parts.stats.lock().calls_failed += u64::from(failed);
    }

    /// Whether the fleet that asked for this is still in memory in the same life.
    pub(super) fn lives(&self, origin: Origin) -> bool {
        let is_same = |slot: &super::Slot| slot.life == origin.life && slot.is_live();
        self.slots.get(&origin.fleet).is_some_and(is_same) && self.stopping.is_none()
    }

    /// One effect of a fleet has come to its end.
    pub(super) fn done(&mut self, origin: Origin) {
        let Some(slot) = self.slots.get_mut(&origin.fleet) else { return };
        let Some(live) = slot.live(origin.life) else { return };
        live.open_effects -= 1;
        self.effects_open -= 1;
        // It may have waited for room.
        if !slot.inputs.is_empty() {
            self.wake_fleet(origin.fleet);
        }
    }

    pub(super) fn wait(&mut self, ix: usize, wait: Duration, call: Call) {
        if call.is_empty() {
            return;
        }
        let until = self.now().plus(wait);
        self.lanes[ix].wait(until, call);
        self.timers.at(until, Due::Lane(ix));
    }

    fn submitted(&mut self, ix: usize, items: Vec<Item<Order>>, result: Result<Vec<Receipt>, BackendError>) {
        match result {
            Ok(receipts) => {
                let mut refused: BTreeMap<_, _> = receipts
                    .into_iter()
                    .filter_map(|receipt| match receipt {
                        Receipt::Taken(_) => None,
                        Receipt::Refused(order, failure) => Some((order, failure)),
                    })
                    .collect();
                for item in items {
                    let order = item.what.id();
                    self.lanes[ix].order_done(order);
                    self.done(item.origin);
                    if let Some(failure) = refused.remove(&order) {
                        let report = Report { order, kind: ReportKind::Failed(failure) };
                        self.deliver(ix, order.fleet, vec![Observation::Reported(report)]);
                    }
                }
            }
            // None is known to be taken, each may be: the same batch again, as long as its orders may start. What is
            // given up is unknown to the fleet, which asks after it in its own time.
            Err(error) => {
                log(&error, "orders could not be submitted");
                let now = self.now();
                let failures = items.iter().map(|item| item.failures).max().unwrap_or(0) + 1;
                let mut again = Vec::with_capacity(items.len());
                for item in items {
                    let order = item.what.id();
                    let wanted =
                        error.retry != Retry::Never && now < item.what.start_by() && self.lives(item.origin);
                    if self.lanes[ix].order_failed(order) && wanted {
                        again.push(Item { failures, ..item });
                    } else {
                        self.lanes[ix].order_done(order);
                        self.done(item.origin);
                    }
                }
                self.wait(ix, wait_for(&error, failures, &self.parts.limits), Call::Submit(again));
            }
        }
    }

    fn recalled(
        &mut self,
        ix: usize,
        items: Vec<Item<(OrderId, EndpointId)>>,
        result: Result<Vec<(OrderId, RecallAnswer)>, BackendError>,
    ) {
        let (mut answers, error) = match result {
            Ok(answers) => (answers.into_iter().collect::<BTreeMap<_, _>>(), None),
            Err(error) => {
                log(&error, "orders could not be recalled");
                (BTreeMap::new(), Some(error))
            }
        };
        let is_lasting = error.as_ref().is_some_and(|error| error.retry == Retry::Never);
        let mut again = Vec::new();
        for item in items {
            let order = item.what.0;
            let failures = item.failures + 1;
            match answers.remove(&order) {
                None if !is_lasting && failures < RECALL_TRIES && self.lives(item.origin) => {
                    again.push(Item { failures, ..item });
                }
                answer => {
                    self.done(item.origin);
                    let answer = answer.unwrap_or(RecallAnswer::Unknown);
                    self.deliver(ix, order.fleet, vec![Observation::RecallAnswered { order, answer }]);
                }
            }
        }
        let wait = self.wait_of(&again, error.as_ref());
        self.wait(ix, wait, Call::Recall(again));
    }

    fn queried(
        &mut self,
        ix: usize,
        items: Vec<Item<(OrderId, EndpointId)>>,
        result: Result<Vec<(OrderId, QueryAnswer<'static>)>, BackendError>,
    ) {
        let (mut answers, error) = match result {
            Ok(answers) => (answers.into_iter().collect::<BTreeMap<_, _>>(), None),
            Err(error) => {
                log(&error, "orders could not be asked after");
                (BTreeMap::new(), Some(error))
            }
        };
        let mut seen = BTreeMap::<FleetId, Vec<_>>::new();
        let mut again = Vec::new();
        for item in items {
            let order = item.what.0;
            match answers.remove(&order) {
                Some(answer) => {
                    self.lanes[ix].query_done(order);
                    self.done(item.origin);
                    seen.entry(order.fleet).or_default().push(Observation::Answered { order, answer });
                }
                // What became of an order must be known: it is asked for as long as its fleet is driven here.
                None if self.lives(item.origin) => {
                    again.push(Item { failures: item.failures.saturating_add(1), ..item });
                }
                None => {
                    self.lanes[ix].query_done(order);
                    self.done(item.origin);
                }
            }
        }
        seen.into_iter().for_each(|(fleet, seen)| self.deliver(ix, fleet, seen));
        let wait = self.wait_of(&again, error.as_ref());
        self.wait(ix, wait, Call::Query(again));
    }

    pub(super) fn wait_of<T>(&self, again: &[Item<T>], error: Option<&BackendError>) -> Duration {
        let failures = again.iter().map(|item| item.failures).min().unwrap_or(1);
        match error {
            Some(error) => wait_for(error, failures, &self.parts.limits),
            None => self.parts.limits.wait_after(failures),
        }
    }

    fn inspected(&mut self, ix: usize, items: Vec<Item<InspectOrder>>, seen: Vec<Inspection<'static>>) {
        let mut seen: BTreeMap<_, _> =
            seen.into_iter().map(|inspection| (inspection.order, inspection)).collect();
        let mut again = Vec::new();
        let mut by_fleet = BTreeMap::<FleetId, Vec<_>>::new();
        for item in items {
            let Some(inspection) = seen.remove(&item.what.order) else {
                self.done(item.origin);
                continue;
            };
            let failures = item.failures + 1;
            let is_unread = matches!(inspection.level, Level::Unreadable { .. });
            if is_unread && failures < INSPECT_TRIES && self.lives(item.origin) {
                again.push(Item { failures, ..item });
            } else {
                self.done(item.origin);
                let fleet = inspection.order.fleet;
                by_fleet.entry(fleet).or_default().push(Observation::Inspected(inspection));
            }
        }
        by_fleet.into_iter().for_each(|(fleet, seen)| self.deliver(ix, fleet, seen));
        let wait = self.wait_of(&again, None);
        self.wait(ix, wait, Call::Inspect(again));
    }

    fn notified(&mut self, items: &[Item<Notice>], result: Result<(), BackendError>) {
        if let Err(error) = result {
            for item in items {
                log(&error, &item.what.text);
            }
        }
        items.iter().for_each(|item| self.done(item.origin));
    }

    /// The lane of a set of backends; fleets that have the same set share it.
    pub(super) fn lane_of(&mut self, backends: &std::sync::Arc<super::Backends>) -> usize {
        let key = std::sync::Arc::as_ptr(backends) as usize;
        *self.lane_of.entry(key).or_insert_with(|| {
            // The lane keeps the set alive, so the address stays its own.
            self.lanes.push(Lane::new(backends.clone()));
            self.busy_lanes.insert(self.lanes.len() - 1);
            self.lanes.len() - 1
        })
    }

    /// What a fleet had under way when it was stopped: asked after, or looked at, never sent again blindly.
    pub(super) fn resume_effects(&mut self, fleet: FleetId) {
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        let (origin, lane_ix) = (slot.origin(fleet), slot.lane);
        let State::Live(live) = &mut slot.state else { return };
        let lane = &mut self.lanes[lane_ix];
        for effect in live.fleet.outstanding() {
            if lane.push(origin, effect) == super::lane::Pushed::Waits {
                live.open_effects += 1;
                self.effects_open += 1;
            }
        }
        self.busy_lanes.insert(lane_ix);
    }
}

pub(super) fn log(error: &BackendError, what: &str) {
    tracing::warn!(error = error as &dyn std::error::Error, "{what}");
}
