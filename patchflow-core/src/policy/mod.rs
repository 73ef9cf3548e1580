//! The playbook as data: which candidates need a trial, who approves, how rings follow each other, what is rolled back.
//!
//! A [`Policy`] is built in Rust here; document formats, layers and positions join later. Every field acts.

mod amount;
mod approval;
mod budgets;
mod calendars;
mod catch_up;
mod check;
mod clock;
mod defaults;
mod deploy;
mod emergency;
mod endpoints;
mod hooks;
mod model;
mod operators;
mod reboot;
mod relations;
mod retry;
mod ring;
mod rollback;
mod selector;
mod staging;
mod trial;

pub use amount::Amount;
pub use approval::{Approval, ApprovalRule, PersonApproval, RiskFilter};
pub use budgets::{BudgetPolicy, ScopeBudget, StartsMax};
pub use calendars::CalendarPolicy;
pub use catch_up::{CatchUpPolicy, Onboarding};
pub(crate) use check::Say;
pub use clock::ClockPolicy;
pub use deploy::{DeployPolicy, StartMode};
pub use emergency::EmergencyPolicy;
pub use endpoints::EndpointPolicy;
pub use hooks::HookPolicy;
pub use model::{Policy, WaiverByName};
pub use operators::OperatorLevel;
pub(crate) use reboot::REBOOTS_MAX;
pub use reboot::RebootPolicy;
pub use relations::{OnSuperseded, RelationPolicy};
pub use retry::RetryPolicy;
pub use ring::{RingPolicy, RingSize, Trait};
pub use rollback::{OnFailure, OnHalt, OnRevoke, RollbackPolicy, SnapshotRule};
pub use selector::Selector;
pub use staging::StagingPolicy;
pub use trial::TrialPolicy;
