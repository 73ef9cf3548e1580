//! An order as the runtime sees it: who it is, until when it may begin, what it is to lead to, and what to run.
//!
//! Orders cannot be made outside the engine; jobs can, so that the runtime's rules are tested by themselves.

use super::LocalBackend;
use super::ledger::{Entry, State, Want};
use patchflow_core::ids::{EndpointId, Fence, OrderId};
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::{Failure, InstallOrder, Order, RevertOrder, RevertTo};
use patchflow_core::sdk::FailureKind;
use patchflow_core::time::Timestamp;

type Run = Box<dyn FnOnce(&dyn LocalBackend) -> Result<(), Failure<'static>> + Send>;

pub(super) struct Job {
    pub(super) id: OrderId,
    pub(super) fence: Fence,
    pub(super) endpoint: EndpointId,
    pub(super) start_by: Timestamp,
    pub(super) want: Want,
    pub(super) run: Run,
}

impl Job {
    pub(super) fn of(order: &Order) -> Self {
        let (want, run): (_, Run) = match order {
            Order::Install(install) => {
                let target = install.target();
                let want = Want::Version { package: target.package.clone(), version: target.version.clone() };
                let install = install.clone();
                (want, Box::new(move |backend| run_install(backend, &install)))
            }
            Order::Revert(revert) => {
                let revert = revert.clone();
                (want_of_revert(&revert), Box::new(move |backend| backend.revert(&revert)))
            }
            Order::Reboot(reboot) => {
                let reboot = reboot.clone();
                (Want::Rebooted, Box::new(move |backend| backend.reboot(&reboot)))
            }
        };
        let (id, fence, endpoint, start_by) =
            (order.id(), order.fence(), order.endpoint().clone(), order.start_by());
        Self { id, fence, endpoint, start_by, want, run }
    }

    pub(super) fn entry(&self, state: State) -> Entry {
        Entry { id: self.id, fence: self.fence, want: self.want.clone(), state }
    }
}

fn want_of_revert(order: &RevertOrder) -> Want {
    let target = &order.patch().target;
    let package = target.package.clone();
    match order.to() {
        RevertTo::Version { version } => Want::Version { package, version: (**version).to_owned() },
        RevertTo::Absent => Want::Absent { package, version: target.version.clone() },
    }
}

fn run_install(backend: &dyn LocalBackend, order: &InstallOrder) -> Result<(), Failure<'static>> {
    way_back_is_there(order.path(), backend.preflight(order)?)?;
    backend.install(order)
}

/// The way back that the order promises must still be there; a better one than none is no obstacle.
pub(super) fn way_back_is_there(promised: RollbackPath, found: RollbackPath) -> Result<(), Failure<'static>> {
    if promised != RollbackPath::None && found == RollbackPath::None {
        let detail = format!("the order was given with the way back `{promised:?}`, and there is none now");
        return Err(Failure::new(FailureKind::NoRollbackPath, detail));
    }
    Ok(())
}
