//! People: outside approvals and notices.

use super::{BackendError, Manifest};
use crate::fleet::{Effect, Notice};
use crate::ids::{Actor, AskId, FleetId};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use async_trait::async_trait;

/// An answer from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApproverAnswer {
    /// The fleet that asked.
    pub fleet: FleetId,
    /// The question.
    pub ask: AskId,
    /// Who answers.
    pub by: Actor,
    /// Yes or no.
    pub approve: bool,
    /// Why.
    pub reason: String,
}

/// Carries questions to people outside (a ticket system, a chat) and their answers back.
#[async_trait]
pub trait Approver: Send + Sync {
    /// How the plugin introduces itself.
    fn manifest(&self) -> Manifest;

    /// Puts a question; `question` is an [`Effect::AskApproval`]. The same question again changes nothing.
    ///
    /// # Errors
    /// The backend's own.
    async fn ask(&self, fleet: FleetId, question: &Effect) -> Result<(), BackendError>;

    /// Waits for answers and returns those there are. Dropping the future loses none of them.
    ///
    /// # Errors
    /// The backend's own.
    async fn answers(&self) -> Result<Vec<ApproverAnswer>, BackendError>;
}

/// Tells people.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// How the plugin introduces itself.
    fn manifest(&self) -> Manifest;

    /// Tells some notices of one fleet. They are not repeated.
    ///
    /// # Errors
    /// The backend's own; it is logged, and nothing waits for it.
    async fn notify(&self, fleet: FleetId, notices: &[Notice]) -> Result<(), BackendError>;
}
