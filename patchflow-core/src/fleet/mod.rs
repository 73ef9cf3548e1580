//! The kernel: many rollouts on one fleet, two doors in, one outbox out.
//!
//! [`Fleet::observe`] takes what the world did and never refuses; [`Fleet::command`] takes what people ask and may.
//! Inside, `decide` looks and never touches, `evolve` touches and never looks outside, `react` turns facts into
//! effects. Facts are journalled, not inputs and not states: replay runs `evolve` only. No effect leaves the
//! [`Outbox`] before the fact that explains it is stored (invariant 1).

mod baseline;
mod budget;
mod bundle;
mod command;
mod conditions;
mod counting;
mod decide;
mod effect;
mod endpoint_set;
mod endpoints;
mod evolve;
mod fact;
mod fill;
mod forced;
mod groups;
mod hooks;
mod kernel;
mod kin;
mod names;
mod needs;
mod observation;
mod openings;
mod outbox;
mod patience;
mod react;
mod reasons;
mod reboots;
mod recorded;
mod recover;
mod replay;
mod rescue;
mod rounds;
mod scans;
mod short;
mod state;
mod timers;
mod views;
mod windows;

pub use command::{Command, Outcome, Request};
pub use effect::{Effect, HookRun, HookStage, InspectOrder, Notice, NoticeKind};
pub use endpoint_set::EndpointSet;
pub use endpoints::{EndpointHandle, EndpointView};
pub use fact::{EndReason, MissedBecause, RichFact};
pub use kernel::Fleet;
pub use needs::NeedFact;
pub use observation::{EndpointSeen, NeedSeen, Observation, Standing};
pub use outbox::{Outbox, Persisted};
pub use recorded::{EndpointFact, Fact, Recorded};
pub(crate) use replay::Replay;
pub(crate) use views::MemberTurn;
pub use views::{AskView, CallView, NeedView, WayView};
