//! The playbook as data: which candidates need a trial, who approves, how rings follow each other, what is rolled back.
//!
//! A [`Policy`] is built in Rust here; document formats, layers and positions join later. Every field acts.

mod approval;
mod calendars;
mod check;
mod defaults;
mod deploy;
mod model;
mod retry;
mod ring;
mod rollback;
mod trial;

pub use approval::{Approval, ApprovalRule, PersonApproval, RiskFilter};
pub use calendars::CalendarPolicy;
use check::Say;
pub use deploy::{DeployPolicy, StartMode};
pub use model::{Policy, WaiverByName};
pub use retry::RetryPolicy;
pub use ring::{RingPolicy, RingSize, Selector};
pub use rollback::{OnFailure, OnHalt, RollbackPolicy};
pub use trial::TrialPolicy;
