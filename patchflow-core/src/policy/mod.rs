//! The playbook as data: which candidates need a trial, who approves, how rings follow each other, what is rolled back.
//!
//! A [`Policy`] is built in Rust here; document formats, layers and positions join later. Every field acts.

mod approval;
mod check;
mod defaults;
mod model;

pub use approval::{Approval, ApprovalRule, PersonApproval, RiskFilter};
pub use model::{
    DeployPolicy, OnFailure, OnHalt, Policy, RetryPolicy, RingPolicy, RingSize, RollbackPolicy, Selector,
    StartMode, TrialPolicy, WaiverByName,
};
