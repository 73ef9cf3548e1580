//! A candidate: one patch in one content revision on its way through identify, test and approve. One struct per state.
//!
//! Each transition consumes its struct, so an order of steps that is not allowed does not compile:
//! `Identified -> Trialled -> Approved | Rejected`, and from each of them `Superseded` or `Withdrawn`.

mod approve;
mod identify;
mod permit;
mod retire;
mod state;
mod trial;

pub use approve::{Approved, ApprovedBy, Rejected};
pub use identify::Identified;
pub use permit::{NonProduction, Production, TrialPermit};
pub use retire::{Superseded, Withdrawn};
pub use state::Candidate;
pub use trial::{Evidence, Trialled};
