//! Hooks around operations: draining an endpoint before, resuming it after.

use super::{BackendError, Manifest};
use crate::fleet::HookRun;
use alloc::boxed::Box;
use async_trait::async_trait;

/// Runs what a policy names as pre and post hooks: taking a node out of a load balancer, moving virtual machines away.
#[async_trait]
pub trait HookRunner: Send + Sync {
    /// How the plugin introduces itself.
    fn manifest(&self) -> Manifest;

    /// Runs one hook to its end. One at a time and not a batch, because each has its own time-out, after which the
    /// future is dropped and the hook counts as failed. It must bear being run twice: after a crash it is asked for
    /// again.
    ///
    /// # Errors
    /// When the hook failed, or there is none of this name: the endpoint is not started, or people are told. It is not
    /// tried again.
    async fn run(&self, run: &HookRun) -> Result<(), BackendError>;
}
