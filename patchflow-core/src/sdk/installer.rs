//! Installers: take orders in batches, answer for them for ever after.

use super::{BackendError, Manifest};
use crate::digest::Digest;
use crate::error::{FailureKind, Finding};
use crate::ids::{EndpointId, OrderId};
use crate::package::PackageName;
use crate::plan::RollbackPath;
use crate::policy::Policy;
use crate::rollout::{
    Failure, InstallOrder, Order, QueryAnswer, RecallAnswer, Report, StageId, StageOrder, StageOutcome,
};
use alloc::boxed::Box;
use alloc::vec::Vec;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// What an installer can do beyond installing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallerCapabilities {
    /// The ways back it knows.
    pub paths: Vec<RollbackPath>,
    /// Whether it can hold a package at its version on the endpoint itself.
    pub holds: bool,
    /// Whether it can reboot an endpoint.
    pub reboots: bool,
    /// Whether it can stop an order that has not begun.
    pub recalls: bool,
    /// Whether it can bring content to an endpoint before the order that installs it. Nothing starts through one that
    /// cannot, where the policy requires staging.
    pub stages: bool,
}

impl InstallerCapabilities {
    /// What a policy asks of an installer that this one does not do. That makes the policy no worse: content may be
    /// carried to endpoints otherwise and told as held, so a host warns and does not refuse.
    ///
    /// ```
    /// use patchflow_core::{policy::Policy, sdk::InstallerCapabilities};
    /// let mut policy = Policy::standard("offices");
    /// policy.staging.required = true;
    /// let installer = InstallerCapabilities::default();
    /// assert_eq!(installer.findings(&policy)[0].path, "staging.required");
    /// let installer = InstallerCapabilities { stages: true, ..installer };
    /// assert_eq!(installer.findings(&policy), []);
    /// ```
    #[must_use]
    pub fn findings(&self, policy: &Policy) -> Vec<Finding> {
        let mut findings = Vec::new();
        if policy.staging.required && !self.stages {
            findings.push(Finding::new(
                "staging.required",
                "the installer does not stage: nothing starts but where content is carried by hand and told as held; \
                 use an installer that stages, or do not require it",
            ));
        }
        findings
    }
}

/// What became of a submitted order at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// Taken; a report will follow. Also the answer for an id that was taken before.
    Taken(OrderId),
    /// Not taken, and never will be under this id: a lower fence, too late to start, not supported here.
    Refused(OrderId, Failure<'static>),
}

/// What a look before an install shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// The order that was looked at.
    pub order: OrderId,
    /// `None` when the install would begin; otherwise what stands in its way.
    pub obstacle: Option<Failure<'static>>,
    /// The way back that is really there now.
    pub path: RollbackPath,
}

/// Installs, rolls back, reboots. See `docs/contract.md` for the clauses.
#[async_trait]
pub trait Installer: Send + Sync {
    /// How the plugin introduces itself.
    fn manifest(&self) -> Manifest;

    /// What it can do.
    fn capabilities(&self) -> InstallerCapabilities;

    /// Looks whether installs would begin: lock, space, dry run, way back. Changes nothing.
    async fn preflight(&self, orders: &[InstallOrder]) -> Vec<Preflight>;

    /// Takes orders. Returns soon; the work goes on and is reported through [`Installer::reports`]. A repeated id is
    /// done already, a lower fence is refused, nothing starts after its `start_by`.
    ///
    /// # Errors
    /// The backend's own: then none of the batch is known to be taken, and the same batch may be submitted again.
    async fn submit(&self, orders: &[Order]) -> Result<Vec<Receipt>, BackendError>;

    /// Stops orders that have not begun. One answer for each.
    ///
    /// # Errors
    /// The backend's own.
    async fn recall(&self, orders: &[OrderId]) -> Result<Vec<(OrderId, RecallAnswer)>, BackendError>;

    /// What became of orders, from what is stored on the endpoint: also after a restart of the host. One answer for
    /// each order that could be asked after; the rest is left out and asked again later.
    ///
    /// # Errors
    /// The backend's own.
    async fn query(
        &self,
        orders: &[(OrderId, EndpointId)],
    ) -> Result<Vec<(OrderId, QueryAnswer<'static>)>, BackendError>;

    /// Waits for reports and returns those there are. Dropping the future loses none of them.
    ///
    /// # Errors
    /// The backend's own.
    async fn reports(&self) -> Result<Vec<Report<'static>>, BackendError>;

    /// Brings content to endpoints and hashes it there; it installs nothing. Answers what has come to its end; the rest is
    /// under way, is left out, and is asked for again under the same name, which begins nothing twice. The digest in an
    /// answer is computed over what lies on the endpoint, and not taken from the order.
    ///
    /// An installer that cannot do this leaves the method as it is: nothing starts then under a policy that requires it.
    ///
    /// # Errors
    /// The backend's own: then all of them are asked for again later.
    async fn stage(
        &self,
        orders: &[StageOrder],
    ) -> Result<Vec<(StageId, StageOutcome<'static>)>, BackendError> {
        let cannot = || Failure::new(FailureKind::Unsupported, "this installer does not stage content");
        Ok(orders.iter().map(|order| (order.id(), StageOutcome::Failed(cannot()))).collect())
    }

    /// Throws staged content away, and stops bringing it. What another order names is left; so is what was never there.
    ///
    /// # Errors
    /// The backend's own. It is not asked again: what stays behind takes room and is never used.
    async fn unstage(&self, stages: &[(StageId, EndpointId, Digest)]) -> Result<(), BackendError> {
        let _ = stages;
        Ok(())
    }

    /// Holds a package at its version on an endpoint, or lets it go.
    ///
    /// # Errors
    /// The failure on that endpoint.
    async fn set_hold(
        &self,
        endpoint: &EndpointId,
        package: &PackageName,
        held: bool,
    ) -> Result<(), Failure<'static>>;
}
