//! The playbook as data: which candidates need a trial, who approves, how rings follow each other, what is rolled back.
//!
//! A [`Policy`] is built in Rust here; document formats, layers and positions join later. Every field acts.

mod amount;
mod approval;
mod budgets;
mod calendars;
mod catch_up;
mod check;
mod defaults;
mod deploy;
mod hooks;
mod model;
mod retry;
mod ring;
mod rollback;
mod selector;
mod trial;

pub use amount::Amount;
pub use approval::{Approval, ApprovalRule, PersonApproval, RiskFilter};
pub use budgets::{BudgetPolicy, ScopeBudget, StartsMax};
pub use calendars::CalendarPolicy;
pub use catch_up::CatchUpPolicy;
pub(crate) use check::Say;
pub use deploy::{DeployPolicy, StartMode};
pub use hooks::HookPolicy;
pub use model::{Policy, WaiverByName};
pub use retry::RetryPolicy;
pub use ring::{RingPolicy, RingSize, Trait};
pub use rollback::{OnFailure, OnHalt, RollbackPolicy};
pub use selector::Selector;
pub use trial::TrialPolicy;
