//! Endpoints on their way through a rollout: one exhaustive table of phases, orders, and members of 16 bytes.

mod join;
mod member;
mod member_set;
mod order;
mod parked;
mod phase;
mod queue;
mod report;
mod revise;
mod ring;
mod stage;
mod state;
mod table;
mod windows;

pub use member::Member;
pub(crate) use member_set::MemberSet;
pub(crate) use order::Head;
pub use order::{InstallOrder, Order, RebootOrder, RevertOrder, RevertTo};
pub(crate) use parked::{Lane, Parked};
pub use phase::Phase;
pub(crate) use queue::{StageQueue, Watch};
pub use report::{Failure, Health, Inspection, Level, QueryAnswer, RecallAnswer, Report, ReportKind};
pub use ring::{Ring, RingState};
pub(crate) use stage::{STAGE_BYTES, StageHead, StageSlot, StageState, Stages};
pub use stage::{StageId, StageOrder, StageOutcome};
pub use state::{Emergency, Halt, Rollout, RolloutKind, RolloutState};
pub use table::{Event, diagram};
pub(crate) use windows::{Neared, WindowLog};
