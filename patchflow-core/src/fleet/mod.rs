//! The kernel: many rollouts on one fleet, two doors in, one outbox out.
//!
//! [`Fleet::observe`] takes what the world did and never refuses; [`Fleet::command`] takes what people ask and may.
//! Inside, `decide` looks and never touches, `evolve` touches and never looks outside, `react` turns facts into
//! effects. Facts are journalled, not inputs and not states: replay runs `evolve` only. No effect leaves the
//! [`Outbox`] before the fact that explains it is stored (invariant 1).

mod command;
mod effect;
mod fact;
mod observation;
mod kernel;
mod outbox;

pub use command::{Command, Outcome, Request};
pub use effect::{Effect, InspectOrder, Notice, NoticeKind};
pub use fact::{EndpointFact, EndReason, Fact, NeedFact, Recorded, RichFact, RolloutKind};
pub use observation::{EndpointSeen, NeedSeen, Observation, Standing};
pub use kernel::Fleet;
pub use outbox::{Outbox, Persisted};
