//! Tables that the state is made of. Each stands for itself and knows nothing of the others' rules.

pub(super) mod budget;
pub(super) mod conditions;
pub(super) mod endpoints;
pub(super) mod groups;
pub(super) mod kin;
pub(super) mod names;
pub(super) mod needs;
pub(super) mod openings;
pub(super) mod pace;
pub(super) mod patience;
pub(super) mod reasons;
pub(super) mod reboots;
pub(super) mod rescue;
pub(super) mod rounds;
pub(super) mod slot;
pub(super) mod timers;
pub(super) mod turns;
