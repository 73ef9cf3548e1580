//! One call of a backend, from the batch that goes in to what came back or did not.

use super::lane::Item;
use crate::host::backends::Backends;
use crate::host::limits::HostLimits;
use futures_util::future::{Either, join_all, select};
use patchflow_core::digest::Digest;
use patchflow_core::fleet::{Effect, HookRun, InspectOrder, Notice, WakeOrder};
use patchflow_core::ids::{EndpointId, OrderId};
use patchflow_core::rollout::{
    Health, Inspection, Level, Order, QueryAnswer, RecallAnswer, StageId, StageOrder, StageOutcome,
};
use patchflow_core::sdk::{BackendError, Clock, LevelRead, ProbeRequest, ProbeResult, Receipt};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// The kinds of calls; each kind has its own limit, so that a slow one does not keep the others waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Submit,
    Recall,
    Query,
    Inspect,
    Ask,
    Notify,
    Hook,
    Wake,
    Stage,
    Unstage,
}

impl Work {
    pub(super) const KINDS: usize = 10;
}

/// A call with its batch, which is not empty.
#[derive(Debug)]
pub(super) enum Call {
    Submit(Vec<Item<Order>>),
    Recall(Vec<Item<(OrderId, EndpointId)>>),
    Query(Vec<Item<(OrderId, EndpointId)>>),
    Inspect(Vec<Item<InspectOrder>>),
    Ask(Item<Effect>),
    Notify(Vec<Item<Notice>>),
    Hook(Item<HookRun>),
    Wake(Item<WakeOrder>),
    Stage(Vec<Item<StageOrder>>),
    Unstage(Vec<Item<(StageId, EndpointId, Digest)>>),
}

impl Call {
    pub(super) fn work(&self) -> Work {
        match self {
            Self::Submit(_) => Work::Submit,
            Self::Recall(_) => Work::Recall,
            Self::Query(_) => Work::Query,
            Self::Inspect(_) => Work::Inspect,
            Self::Ask(_) => Work::Ask,
            Self::Notify(_) => Work::Notify,
            Self::Hook(_) => Work::Hook,
            Self::Wake(_) => Work::Wake,
            Self::Stage(_) => Work::Stage,
            Self::Unstage(_) => Work::Unstage,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Submit(items) => items.is_empty(),
            Self::Recall(items) | Self::Query(items) => items.is_empty(),
            Self::Inspect(items) => items.is_empty(),
            Self::Stage(items) => items.is_empty(),
            Self::Unstage(items) => items.is_empty(),
            Self::Ask(_) | Self::Hook(_) | Self::Wake(_) => false,
            Self::Notify(items) => items.is_empty(),
        }
    }

    /// Keeps the items of some origins; a question cannot be emptied, so it is turned into an empty list of notices.
    pub(super) fn retain(&mut self, keep: impl Fn(super::lane::Origin) -> bool) {
        match self {
            Self::Submit(items) => items.retain(|item| keep(item.origin)),
            Self::Recall(items) | Self::Query(items) => items.retain(|item| keep(item.origin)),
            Self::Inspect(items) => items.retain(|item| keep(item.origin)),
            Self::Stage(items) => items.retain(|item| keep(item.origin)),
            Self::Unstage(items) => items.retain(|item| keep(item.origin)),
            Self::Notify(items) => items.retain(|item| keep(item.origin)),
            Self::Ask(Item { origin, .. })
            | Self::Hook(Item { origin, .. })
            | Self::Wake(Item { origin, .. }) => {
                if !keep(*origin) {
                    *self = Self::Notify(Vec::new());
                }
            }
        }
    }
}

/// What came back; `Err` also when nothing came back in time.
pub(super) enum Called {
    Submit(Vec<Item<Order>>, Result<Vec<Receipt>, BackendError>),
    Recall(Vec<Item<(OrderId, EndpointId)>>, Result<Vec<(OrderId, RecallAnswer)>, BackendError>),
    Query(Vec<Item<(OrderId, EndpointId)>>, Result<Vec<(OrderId, QueryAnswer<'static>)>, BackendError>),
    Inspect(Vec<Item<InspectOrder>>, Vec<Inspection<'static>>),
    Ask(Item<Effect>, Result<(), BackendError>),
    Hook(Item<HookRun>, Result<(), BackendError>),
    Wake(Item<WakeOrder>, Result<(), BackendError>),
    Stage(Vec<Item<StageOrder>>, Result<Vec<(StageId, StageOutcome<'static>)>, BackendError>),
    Unstage(Vec<Item<(StageId, EndpointId, Digest)>>, Result<(), BackendError>),
    Notify(Vec<Item<Notice>>, Result<(), BackendError>),
}

/// Waits at most so long.
pub(super) async fn within<T>(
    clock: &dyn Clock,
    limit: Duration,
    doing: &str,
    work: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, BackendError> {
    // The sleep is asked for first: its time runs from here, whatever the first poll of the work costs.
    let sleep = pin!(clock.sleep_until(clock.now().plus(limit)));
    match select(pin!(work), sleep).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => {
            let doing = format!("{doing}: no answer within {} s", limit.as_secs_f32());
            Err(BackendError::retryable(doing, Duration::ZERO))
        }
    }
}

pub(super) async fn carry_out(
    backends: Arc<Backends>,
    clock: Arc<dyn Clock>,
    limits: Arc<HostLimits>,
    call: Call,
) -> Called {
    let limit = limits.call_timeout;
    match call {
        Call::Submit(items) => {
            let orders: Vec<_> = items.iter().map(|item| item.what.clone()).collect();
            let done = within(&*clock, limit, "submitting orders", backends.installer.submit(&orders)).await;
            Called::Submit(items, done)
        }
        Call::Recall(items) => {
            let orders: Vec<_> = items.iter().map(|item| item.what.0).collect();
            let done = if backends.installer.capabilities().recalls {
                within(&*clock, limit, "recalling orders", backends.installer.recall(&orders)).await
            } else {
                Ok(orders.into_iter().map(|order| (order, RecallAnswer::Unknown)).collect())
            };
            Called::Recall(items, done)
        }
        Call::Query(items) => {
            let orders: Vec<_> = items.iter().map(|item| item.what.clone()).collect();
            let done = within(&*clock, limit, "asking after orders", backends.installer.query(&orders)).await;
            Called::Query(items, done)
        }
        Call::Inspect(items) => {
            let orders: Vec<_> = items.iter().map(|item| item.what.clone()).collect();
            let seen = inspect(&backends, &*clock, limits.inspect_timeout, &orders).await;
            Called::Inspect(items, seen)
        }
        Call::Ask(item) => {
            let done = match &backends.approver {
                Some(approver) => {
                    within(&*clock, limit, "asking for approval", approver.ask(item.origin.fleet, &item.what))
                        .await
                }
                None => Ok(()),
            };
            Called::Ask(item, done)
        }
        Call::Hook(item) => {
            let limit = Duration::from_secs(item.what.within_secs.into());
            let done = match &backends.hooks {
                Some(hooks) => within(&*clock, limit, "running a hook", hooks.run(&item.what)).await,
                None => Err(BackendError::lasting("no backend runs hooks")),
            };
            Called::Hook(item, done)
        }
        Call::Stage(items) => {
            let orders: Vec<_> = items.iter().map(|item| item.what.clone()).collect();
            let done = within(&*clock, limit, "staging content", backends.installer.stage(&orders)).await;
            Called::Stage(items, done)
        }
        Call::Unstage(items) => {
            let stages: Vec<_> = items.iter().map(|item| item.what.clone()).collect();
            let done =
                within(&*clock, limit, "throwing content away", backends.installer.unstage(&stages)).await;
            Called::Unstage(items, done)
        }
        Call::Wake(item) => {
            let done = match &backends.waker {
                Some(waker) => {
                    let asked = waker.wake(item.origin.fleet, &item.what);
                    within(&*clock, limit, "waking endpoints", asked).await
                }
                None => Ok(()),
            };
            Called::Wake(item, done)
        }
        Call::Notify(items) => {
            let notices: Vec<_> = items.iter().map(|item| item.what.clone()).collect();
            let done = match (&backends.notifier, items.first()) {
                (Some(notifier), Some(first)) => {
                    within(&*clock, limit, "telling people", notifier.notify(first.origin.fleet, &notices))
                        .await
                }
                _ => Ok(()),
            };
            Called::Notify(items, done)
        }
    }
}

/// Inventory and probes side by side; one inspection for each order, whatever they leave out.
async fn inspect(
    backends: &Backends,
    clock: &dyn Clock,
    limit: Duration,
    orders: &[InspectOrder],
) -> Vec<Inspection<'static>> {
    let requests: Vec<_> = orders
        .iter()
        .map(|order| ProbeRequest { order: order.order, endpoint: order.endpoint.clone() })
        .collect();
    let inventory = async {
        let read = async { Ok(backends.inventory.inspect(orders).await) };
        within(clock, limit, "reading endpoints", read).await
    };
    let probes = backends.probes.iter().map(|probe| {
        let requests = &requests;
        async move {
            let results = async { Ok(probe.probe(requests).await) };
            (probe.application(), within(clock, limit, "probing endpoints", results).await)
        }
    });
    let (levels, results) = futures_util::future::join(inventory, join_all(probes)).await;
    put_together(orders, levels, &results)
}

fn put_together(
    orders: &[InspectOrder],
    levels: Result<Vec<LevelRead>, BackendError>,
    probes: &[(String, Result<Vec<ProbeResult>, BackendError>)],
) -> Vec<Inspection<'static>> {
    let (mut read, lacking) = match levels {
        Ok(levels) => {
            let read = levels.into_iter().map(|level| (level.order, level)).collect::<BTreeMap<_, _>>();
            (read, "the inventory gave no answer for this order".to_owned())
        }
        Err(error) => (BTreeMap::new(), error.to_string()),
    };
    let probes: Vec<_> = probes
        .iter()
        .map(|(application, results)| {
            let results = results.as_ref().map_err(ToString::to_string);
            (
                application,
                results.map(|all| all.iter().map(|one| (one.order, &one.health)).collect::<BTreeMap<_, _>>()),
            )
        })
        .collect();
    let of_order = |order: OrderId| {
        let mut health = Health::NotProbed;
        for (application, results) in &probes {
            let seen = match results {
                Ok(results) => results.get(&order).copied(),
                Err(lacking) => return Health::Failed { detail: format!("{application}: {lacking}").into() },
            };
            match seen {
                Some(Health::Passed) => health = Health::Passed,
                Some(Health::NotProbed) => {}
                Some(Health::Failed { detail }) => {
                    return Health::Failed { detail: format!("{application}: {detail}").into() };
                }
                None => {
                    return Health::Failed {
                        detail: format!("{application}: the probe gave no result").into(),
                    };
                }
            }
        }
        health
    };
    orders
        .iter()
        .map(|InspectOrder { order, .. }| {
            let (level, reboot_required) = match read.remove(order) {
                Some(LevelRead { level, reboot_required, .. }) => (level, reboot_required),
                None => (Level::Unreadable { detail: lacking.clone().into() }, false),
            };
            Inspection { order: *order, level, reboot_required, health: of_order(*order) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchflow_core::catalog::Target;
    use patchflow_core::ids::{FleetId, Generation, MemberIx, RolloutId};
    use patchflow_core::package::{Ecosystem, PackageName};

    fn id(member: u32) -> OrderId {
        OrderId {
            fleet: FleetId(1),
            generation: Generation(0),
            rollout: RolloutId(0),
            member: MemberIx(member),
            operation: 1,
        }
    }

    fn order(member: u32) -> InspectOrder {
        let target = Target { package: PackageName::new(Ecosystem::Deb, "curl"), version: "2".into() };
        InspectOrder { order: id(member), endpoint: "a".into(), target: target.into(), reverting_to: None }
    }

    fn result(member: u32, health: Health<'static>) -> ProbeResult {
        ProbeResult { order: id(member), health }
    }

    #[test]
    fn what_a_backend_leaves_out_is_unreadable_and_unhealthy() {
        let level = Level::Version { version: "2".into(), intact: true };
        let reads = vec![LevelRead { order: id(1), level: level.clone(), reboot_required: true }];
        let probe = ("shop".to_owned(), Ok(vec![result(0, Health::Passed)]));
        let seen = put_together(&[order(0), order(1)], Ok(reads), &[probe]);
        assert!(matches!(&seen[0].level, Level::Unreadable { detail } if detail.contains("no answer")));
        assert_eq!(seen[0].health, Health::Passed);
        assert_eq!((&seen[1].level, seen[1].reboot_required), (&level, true));
        assert!(
            matches!(&seen[1].health, Health::Failed { detail } if detail == "shop: the probe gave no result")
        );
    }

    #[test]
    fn one_failed_probe_outweighs_the_others_and_no_probe_is_no_pass() {
        let failed = Health::Failed { detail: "no basket".into() };
        let probes = [
            ("web".to_owned(), Ok(vec![result(0, Health::Passed), result(1, Health::NotProbed)])),
            ("shop".to_owned(), Ok(vec![result(0, failed), result(1, Health::NotProbed)])),
        ];
        let seen = put_together(&[order(0), order(1)], Ok(vec![]), &probes);
        assert!(matches!(&seen[0].health, Health::Failed { detail } if detail == "shop: no basket"));
        assert_eq!(seen[1].health, Health::NotProbed);
    }
}
