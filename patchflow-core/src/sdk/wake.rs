//! Waking endpoints before their window.

use super::{BackendError, Manifest};
use crate::fleet::WakeOrder;
use crate::ids::FleetId;
use alloc::boxed::Box;
use async_trait::async_trait;

/// Wakes endpoints that are out of contact: by a magic packet, by a management controller, by a push to an agent.
#[async_trait]
pub trait Waker: Send + Sync {
    /// How the plugin introduces itself.
    fn manifest(&self) -> Manifest;

    /// Asks endpoints to wake for a window. It returns when they were asked, and not when they are awake: that is told as
    /// [`Observation::Reachable`](crate::fleet::Observation::Reachable). Whoever sleeps on misses the window.
    ///
    /// # Errors
    /// When they could not be asked. It is logged, and not tried again.
    async fn wake(&self, fleet: FleetId, order: &WakeOrder) -> Result<(), BackendError>;
}
