//! Orders for tests of installers, got the only way there is: from a real fleet.
//!
//! A [`FleetDesk`] founds a small fleet, has a patch approved and rolled out to some endpoints at once, and leads each
//! endpoint on as a test asks for it: to a further attempt, a rollback, a reboot, an inspection. What it tells the
//! fleet is made up; whether anybody carries the orders out is the test's business.

use patchflow_core::catalog::Patch;
use patchflow_core::digest::Digest;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{
    Command, Effect, EndpointSeen, Fleet, InspectOrder, NeedSeen, Observation, Outbox, Persisted, Request,
    Standing,
};
use patchflow_core::gate::{Limits, OnMaxHold, Percent};
use patchflow_core::ids::{Actor, EndpointId, FleetId, OrderId, RequestId};
use patchflow_core::inventory::Environment;
use patchflow_core::plan::{RollbackPath, RolloutDraft};
use patchflow_core::policy::{OnFailure, OnHalt, Policy, RingPolicy, StagingPolicy, WaiverByName};
use patchflow_core::rollout::{
    Failure, Health, Inspection, Level, Order, Report, ReportKind, StageOrder, StageOutcome,
};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

const DAY: u32 = 24 * 3600;

/// A fleet that hands out orders for one patch.
#[derive(Debug)]
pub struct FleetDesk {
    id: FleetId,
    fleet: Fleet,
    out: Outbox,
    now: Timestamp,
    orders: BTreeMap<EndpointId, VecDeque<Order>>,
    stagings: BTreeMap<EndpointId, StageOrder>,
    looks: BTreeMap<OrderId, InspectOrder>,
}

/// Why a fleet did not do what a desk led it to: the desk and the engine do not fit each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoOrder(pub String);

impl std::fmt::Display for NoOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoOrder {}

impl FleetDesk {
    /// A fleet whose endpoints have `present` (nothing for `None`), at a time. Its orders may be started until a day
    /// after that, so an earlier time makes orders that come too late.
    ///
    /// # Errors
    /// When the fleet refuses the policy or the rollout.
    pub fn new(
        patch: &Patch,
        endpoints: &[EndpointId],
        present: Option<&str>,
        path: RollbackPath,
        now: Timestamp,
    ) -> Result<Self, NoOrder> {
        Self::under(policy(), patch, endpoints, present, path, now)
    }

    /// The same fleet, which wants the patch's content on an endpoint before it orders anything there: it gives an order
    /// to stage it, and the order to install once it has heard [`FleetDesk::staged`].
    ///
    /// # Errors
    /// When the fleet refuses the policy or the rollout.
    pub fn that_stages(
        patch: &Patch,
        endpoints: &[EndpointId],
        present: Option<&str>,
        path: RollbackPath,
        now: Timestamp,
    ) -> Result<Self, NoOrder> {
        let mut policy = policy();
        let (within_secs, keep_secs) = (DAY, 30 * DAY);
        policy.staging = StagingPolicy { required: true, within_secs, keep_secs, ..StagingPolicy::default() };
        Self::under(policy, patch, endpoints, present, path, now)
    }

    fn under(
        policy: Policy,
        patch: &Patch,
        endpoints: &[EndpointId],
        present: Option<&str>,
        path: RollbackPath,
        now: Timestamp,
    ) -> Result<Self, NoOrder> {
        let mut out = Outbox::new();
        // Orders of two desks must not have the same ids, and those of one must not change from run to run.
        let Digest(bytes) = Digest::of(
            format!("{} {} {} {}", patch.id, patch.content, now.as_millis(), policy.staging.required)
                .as_bytes(),
        );
        let id = FleetId(u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|i: usize| bytes[i])));
        let fleet = Fleet::found(id, "desk", 1, now, &mut out);
        let (orders, stagings, looks) = Default::default();
        let mut desk = Self { id, fleet, out, now, orders, stagings, looks };
        desk.ask("policy", Command::AdoptPolicy { policy: Box::new(policy) })?;
        let seen = |id: &EndpointId| EndpointSeen::new(id.clone(), Environment::Production);
        desk.see(Observation::Endpoints { endpoints: endpoints.iter().map(seen).collect() });
        desk.see(Observation::Published { patch: Cow::Borrowed(patch) });
        let candidate =
            desk.fleet.candidate_of(&patch.id).ok_or_else(|| NoOrder("no candidate of the patch".into()))?;
        let need = |id: &EndpointId| {
            Some(NeedSeen {
                endpoint: desk.fleet.endpoint_ix(id.as_str())?,
                standing: Standing::Needs,
                present: present.map(Arc::from),
                path,
                path_valid_until: None,
                why: None,
            })
        };
        let needs = endpoints.iter().filter_map(need).collect::<Vec<_>>();
        desk.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
        desk.see(Observation::Identified);
        desk.ask("approve", Command::Approve { candidate, reason: "a test".into() })?;
        desk.ask("start", Command::Start { draft: RolloutDraft::of(candidate) })?;
        Ok(desk)
    }

    /// The order to install on an endpoint, once: then what came after it.
    ///
    /// # Errors
    /// When the fleet has given none.
    pub fn install(&mut self, endpoint: &EndpointId) -> Result<Order, NoOrder> {
        self.next_for(endpoint, "install")
    }

    /// The order to stage the patch's content on an endpoint.
    ///
    /// # Errors
    /// When the fleet has given none: it stages nothing, see [`FleetDesk::that_stages`].
    pub fn stage(&mut self, endpoint: &EndpointId) -> Result<StageOrder, NoOrder> {
        let none = || NoOrder(format!("the fleet gave no order to stage on {endpoint}"));
        self.stagings.get(endpoint).cloned().ok_or_else(none)
    }

    /// The fleet hears that the content which was approved is there.
    pub fn staged(&mut self, order: &StageOrder) {
        let outcome = StageOutcome::There { content: order.content() };
        self.see(Observation::Staged { stage: order.id(), outcome });
    }

    /// The next attempt, under a higher fence: the fleet hears that the order failed.
    ///
    /// # Errors
    /// When the fleet gives none.
    pub fn again(&mut self, order: &Order) -> Result<Order, NoOrder> {
        self.report(order, ReportKind::Acknowledged);
        let failure = Failure::new(FailureKind::Busy, "made up, to get another order");
        self.report(order, ReportKind::Failed(failure));
        let mut steps = 0;
        while self.orders.get(order.endpoint()).is_none_or(VecDeque::is_empty) && steps < 100 {
            let Some(next) = self.fleet.next_deadline() else { break };
            self.now = self.now.max(next);
            self.see(Observation::Time);
            steps += 1;
        }
        self.next_for(order.endpoint(), "try again")
    }

    /// The rollback of an install: the fleet hears that it was done, and that the endpoint is not healthy after it.
    ///
    /// # Errors
    /// When the fleet gives none.
    pub fn revert(&mut self, order: &Order) -> Result<Order, NoOrder> {
        let health = Health::Failed { detail: "made up, to get a rollback".into() };
        self.inspected(order, false, health)?;
        self.next_for(order.endpoint(), "roll back")
    }

    /// The reboot after an install: the fleet hears that the endpoint waits for one.
    ///
    /// # Errors
    /// When the fleet gives none.
    pub fn reboot(&mut self, order: &Order) -> Result<Order, NoOrder> {
        self.inspected(order, true, Health::NotProbed)?;
        self.next_for(order.endpoint(), "reboot")
    }

    /// The look at the level after an order: the fleet hears that it was done.
    ///
    /// # Errors
    /// When the fleet gives none.
    pub fn inspect(&mut self, order: &Order) -> Result<InspectOrder, NoOrder> {
        if !self.looks.contains_key(&order.id()) {
            self.report(order, ReportKind::Acknowledged);
            self.report(order, ReportKind::Done);
        }
        let none = || NoOrder(format!("no look at {} after {}", order.endpoint(), order.id()));
        self.looks.get(&order.id()).cloned().ok_or_else(none)
    }

    fn inspected(
        &mut self,
        order: &Order,
        reboot_required: bool,
        health: Health<'static>,
    ) -> Result<(), NoOrder> {
        let version = self.inspect(order)?.target.version.clone();
        let level = Level::Version { version: version.into(), intact: true };
        self.see(Observation::Inspected(Inspection { order: order.id(), level, reboot_required, health }));
        Ok(())
    }

    fn report(&mut self, order: &Order, kind: ReportKind<'static>) {
        self.see(Observation::Reported(Report { order: order.id(), kind }));
    }

    fn next_for(&mut self, endpoint: &EndpointId, what: &str) -> Result<Order, NoOrder> {
        let next = self.orders.get_mut(endpoint).and_then(VecDeque::pop_front);
        next.ok_or_else(|| NoOrder(format!("the fleet gave no order to {what} on {endpoint}")))
    }

    fn see(&mut self, seen: Observation<'_>) {
        self.fleet.observe(self.now, seen, &mut self.out);
        self.take_effects();
    }

    fn ask(&mut self, id: &str, ask: Command) -> Result<(), NoOrder> {
        let by = Actor::new("desk", ["change-manager"]);
        let request = Request { id: RequestId::from(id), by, expect: None, ask };
        let answer = self.fleet.command(self.now, request, &mut self.out);
        self.take_effects();
        answer.map(|_| ()).map_err(|refusal| NoOrder(format!("{id}: {refusal}")))
    }

    fn take_effects(&mut self) {
        let Some(last) = self.out.facts().last() else { return };
        let stored = Persisted { fleet: self.id, through: last.seq, head: Digest([0; 32]) };
        for effect in self.out.release(stored) {
            match effect {
                Effect::Submit(order) => {
                    self.orders.entry(order.endpoint().clone()).or_default().push_back(order);
                }
                Effect::Inspect(look) => {
                    self.looks.insert(look.order, look);
                }
                Effect::Stage(order) => {
                    self.stagings.insert(order.endpoint().clone(), order);
                }
                Effect::Recall { .. }
                | Effect::Query { .. }
                | Effect::Scan { .. }
                | Effect::AskApproval { .. }
                | Effect::RunHook(_)
                | Effect::Unstage { .. }
                | Effect::Wake(_)
                | Effect::Notify(_) => {}
            }
        }
    }
}

/// Everything at once, nothing halts, failed installs are tried again and unhealthy ones rolled back.
fn policy() -> Policy {
    let mut policy = Policy::standard("desk");
    let waiver = || Some(WaiverByName { by: "desk".into(), reason: "a test of an installer".into() });
    policy.trial.required_for = Vec::new();
    policy.trial.required_for_reboot = false;
    policy.approval = Vec::new();
    let gate = Limits {
        max_failures: None,
        max_failure_percent: None,
        min_started: 0,
        min_success_percent: Percent::whole(0),
        min_verified: 0,
        max_alerts: None,
        bake_secs_min: 30 * DAY,
        hold_secs_max: 30 * DAY,
        on_max_hold: OnMaxHold::Halt,
        ..Limits::default()
    };
    policy.rings = vec![RingPolicy { gate, ..RingPolicy::percent("all", 100) }];
    policy.single_ring = waiver();
    policy.deploy.acknowledge_within_secs = DAY;
    policy.deploy.report_within_secs = DAY;
    policy.deploy.duration_secs_max = DAY;
    policy.deploy.inspect_within_secs = DAY;
    policy.retry.attempts_max = 100;
    policy.retry.on = vec![FailureKind::Busy];
    policy.retry.backoff_secs = 1;
    policy.retry.backoff_secs_max = 1;
    policy.rollback.on_failure = OnFailure::RollBack;
    policy.rollback.on_halt = OnHalt::Nobody;
    policy.rollback.without_path = waiver();
    policy
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchflow_core::doc::patch;

    #[test]
    fn every_kind_of_order_comes_with_a_rising_fence() {
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let ids: Vec<EndpointId> = vec!["a".into(), "b".into(), "c".into()];
        let mut desk =
            FleetDesk::new(&patch("shop", "2"), &ids, Some("1"), RollbackPath::Switch, now).unwrap();
        let first = desk.install(&ids[0]).unwrap();
        assert!(first.start_by() >= now && first.start_by() <= now.plus_secs(2 * u64::from(DAY)));
        let second = desk.again(&first).unwrap();
        let third = desk.again(&second).unwrap();
        let back = desk.revert(&third).unwrap();
        assert!(matches!(&back, Order::Revert(revert) if revert.path() == RollbackPath::Switch));
        let fences = [&first, &second, &third, &back].map(Order::fence);
        assert!(fences.windows(2).all(|pair| pair[0] < pair[1]), "{fences:?}");
        let other = desk.install(&ids[1]).unwrap();
        assert_eq!(desk.inspect(&other).unwrap().target.version, "2");
        assert!(matches!(desk.reboot(&other).unwrap(), Order::Reboot(_)));
        assert!(desk.install(&ids[1]).is_err(), "there is no second one");
    }
}
