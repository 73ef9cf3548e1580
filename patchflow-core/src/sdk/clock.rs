//! Time, and the right to write a fleet.

use super::BackendError;
use crate::ids::FleetId;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::string::String;
use async_trait::async_trait;

/// The host's clock.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time now, in UTC.
    fn now(&self) -> Timestamp;

    /// Returns at or after `until`; at once when that is past. May be dropped at any time.
    async fn sleep_until(&self, until: Timestamp);
}

/// Who may write a fleet: for hosts that run on several nodes.
#[async_trait]
pub trait Lease: Send + Sync {
    /// Takes or renews the lease on a fleet for this holder.
    ///
    /// # Errors
    /// The backend's own; a lease that another holder has is `Ok(None)`.
    async fn acquire(&self, fleet: FleetId, holder: &str) -> Result<Option<LeaseGrant>, BackendError>;

    /// Gives a lease back.
    ///
    /// # Errors
    /// The backend's own.
    async fn release(&self, grant: &LeaseGrant) -> Result<(), BackendError>;
}

/// A lease that was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseGrant {
    /// The fleet.
    pub fleet: FleetId,
    /// Who holds it.
    pub holder: String,
    /// Rises with each holder: a store refuses writes under a lower one.
    pub token: u64,
    /// Until when it holds unless renewed.
    pub until: Timestamp,
}
