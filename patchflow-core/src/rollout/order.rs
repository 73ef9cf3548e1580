//! Orders: the only things an installer takes.
//!
//! They can be serialized, so that an agent in another process may read them, and never deserialized: an order comes
//! from the engine or not at all. An [`InstallOrder`] needs an [`Approved`] proof or a [`TrialPermit`]; a
//! [`RevertOrder`] and a [`RebootOrder`] need a recorded install, never an approval.
//!
//! ```compile_fail
//! // An order cannot be read back from text.
//! let order: patchflow_core::rollout::InstallOrder = serde_json::from_str("{}").unwrap();
//! ```
//!
//! ```
//! // It can be written to text.
//! fn write(order: &patchflow_core::rollout::InstallOrder) -> String { serde_json::to_string(order).unwrap() }
//! ```
//!
//! ```compile_fail
//! // An order cannot be put together by hand: its fields are private.
//! # use patchflow_core::rollout::InstallOrder;
//! fn forge(order: InstallOrder) -> InstallOrder { InstallOrder { ..order } }
//! ```

use crate::candidate::{Approved, TrialPermit};
use crate::catalog::{Patch, Target};
use crate::ids::{EndpointId, Fence, OrderId};
use crate::plan::RollbackPath;
use crate::time::Timestamp;
use alloc::sync::Arc;
use serde::Serialize;

/// What all orders have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Head {
    pub(crate) id: OrderId,
    pub(crate) fence: Fence,
    pub(crate) endpoint: EndpointId,
    pub(crate) start_by: Timestamp,
    pub(crate) report_within_secs: u32,
    pub(crate) deferrals_left: u8,
    pub(crate) defer_until: Option<Timestamp>,
    pub(crate) quiet_secs: u32,
}

macro_rules! head {
    ($ty:ty) => {
        impl $ty {
            /// The identity of the order; a repeated id is done already.
            #[must_use]
            pub fn id(&self) -> OrderId {
                self.head.id
            }

            /// The fence; an installer that has seen a higher one for this endpoint refuses.
            #[must_use]
            pub fn fence(&self) -> Fence {
                self.head.fence
            }

            /// The endpoint, by the host's name.
            #[must_use]
            pub fn endpoint(&self) -> &EndpointId {
                &self.head.endpoint
            }

            /// The instant after which it must not be started any more.
            #[must_use]
            pub fn start_by(&self) -> Timestamp {
                self.head.start_by
            }

            /// How long it may take from its acknowledgement to its report, in seconds.
            #[must_use]
            pub fn report_within_secs(&self) -> u32 {
                self.head.report_within_secs
            }

            /// How often the people at the endpoint may still put it off. At 0 the order is final: the application in
            /// use is closed, and the operation begins.
            #[must_use]
            pub fn deferrals_left(&self) -> u8 {
                self.head.deferrals_left
            }

            /// The instant past which nobody may put it off: the due date of the patch. `None` when it has none.
            #[must_use]
            pub fn defer_until(&self) -> Option<Timestamp> {
                self.head.defer_until
            }

            /// How long, from its start, alerts of the endpoint may be suppressed at most, in seconds; they are not
            /// any more once it is verified and the reserve has passed. The gates count them all the same.
            #[must_use]
            pub fn quiet_secs(&self) -> u32 {
                self.head.quiet_secs
            }
        }
    };
}

/// Install one patch on one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstallOrder {
    head: Head,
    patch: Arc<Patch>,
    prior: Option<Arc<str>>,
    path: RollbackPath,
    attempt: u8,
    trial: bool,
}

head!(InstallOrder);

impl InstallOrder {
    /// Under an approval.
    pub(crate) fn approved(
        approved: &Approved,
        head: Head,
        prior: Option<Arc<str>>,
        path: RollbackPath,
        attempt: u8,
    ) -> Self {
        Self { head, patch: approved.patch().clone(), prior, path, attempt, trial: false }
    }

    /// Under a trial permit, which only non-production endpoints get.
    pub(crate) fn trial(
        permit: &TrialPermit,
        head: Head,
        prior: Option<Arc<str>>,
        path: RollbackPath,
        attempt: u8,
    ) -> Self {
        Self { head, patch: permit.patch().clone(), prior, path, attempt, trial: true }
    }

    /// The patch; its target is the exact version to install.
    #[must_use]
    pub fn patch(&self) -> &Arc<Patch> {
        &self.patch
    }

    /// The target to install.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.patch.target
    }

    /// The version there was before, when there was one.
    #[must_use]
    pub fn prior(&self) -> Option<&str> {
        self.prior.as_deref()
    }

    /// The way back that is known; the installer keeps what it needs for it.
    #[must_use]
    pub fn path(&self) -> RollbackPath {
        self.path
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u8 {
        self.attempt
    }

    /// Whether it belongs to a trial.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        self.trial
    }
}

/// What a rollback leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum RevertTo {
    /// The version that was recorded before the install.
    Version {
        /// The version.
        version: Arc<str>,
    },
    /// Nothing: the package was not there before.
    Absent,
}

/// Bring one endpoint back to the level it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RevertOrder {
    head: Head,
    patch: Arc<Patch>,
    to: RevertTo,
    path: RollbackPath,
}

head!(RevertOrder);

impl RevertOrder {
    pub(crate) fn new(head: Head, patch: Arc<Patch>, to: RevertTo, path: RollbackPath) -> Self {
        Self { head, patch, to, path }
    }

    /// The patch to take back.
    #[must_use]
    pub fn patch(&self) -> &Arc<Patch> {
        &self.patch
    }

    /// The level to come back to.
    #[must_use]
    pub fn to(&self) -> &RevertTo {
        &self.to
    }

    /// The way back.
    #[must_use]
    pub fn path(&self) -> RollbackPath {
        self.path
    }
}

/// Reboot one endpoint to finish an install.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RebootOrder {
    head: Head,
}

head!(RebootOrder);

impl RebootOrder {
    pub(crate) fn new(head: Head) -> Self {
        Self { head }
    }
}

/// Any order, for batches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// Install.
    Install(InstallOrder),
    /// Roll back.
    Revert(RevertOrder),
    /// Reboot.
    Reboot(RebootOrder),
}

impl Order {
    fn head(&self) -> &Head {
        match self {
            Self::Install(order) => &order.head,
            Self::Revert(order) => &order.head,
            Self::Reboot(order) => &order.head,
        }
    }

    /// The identity of the order.
    #[must_use]
    pub fn id(&self) -> OrderId {
        self.head().id
    }

    /// The fence.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.head().fence
    }

    /// The endpoint, by the host's name.
    #[must_use]
    pub fn endpoint(&self) -> &EndpointId {
        &self.head().endpoint
    }

    /// The instant after which it must not be started any more.
    #[must_use]
    pub fn start_by(&self) -> Timestamp {
        self.head().start_by
    }
}
