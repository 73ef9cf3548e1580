//! The kernel: many rollouts on one fleet, two doors in, one outbox out.
//!
//! [`Fleet::observe`] takes what the world did and never refuses; [`Fleet::command`] takes what people ask and may.
//! Inside, `decide` looks and never touches, `evolve` touches and never looks outside, `react` turns facts into
//! effects. Facts are journalled, not inputs and not states: replay runs `evolve` only. No effect leaves the
//! [`Outbox`] before the fact that explains it is stored (invariant 1).
//!
//! | Folder | What is in it |
//! |---|---|
//! | `message` | what goes through the doors: observations and requests, facts and effects |
//! | `table` | the tables that the state is made of, each for itself |
//! | `state` | the state, and what it can say of itself |
//! | `decide` | one file for each matter that something is decided about; looks, never touches |
//! | `evolve` | facts into the state |
//! | `drive` | what goes on by itself: windows, places, hooks, questions; and the short road of plain reports |

mod baseline;
mod content;
mod decide;
mod drive;
mod evolve;
mod kernel;
mod message;
mod outbox;
mod react;
mod replay;
mod state;
mod table;
mod turns;
mod views;

pub use content::ContentView;
pub use kernel::Fleet;
pub use message::command::{Command, Outcome, Request};
pub use message::effect::{Effect, HookRun, HookStage, InspectOrder, Notice, NoticeKind, WakeOrder};
pub use message::endpoint_set::EndpointSet;
pub use message::fact::{EndReason, MissedBecause, RichFact};
pub use message::need::NeedFact;
pub use message::observation::{EndpointSeen, NeedSeen, Observation, Standing};
pub use message::recorded::{EndpointFact, Fact, Recorded};
pub use outbox::{Outbox, Persisted};
pub(crate) use replay::Replay;
pub use table::endpoints::{EndpointHandle, EndpointView};
pub(crate) use turns::MemberTurn;
pub use views::{AskView, CallView, NeedView, WayView};
