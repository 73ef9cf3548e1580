//! What goes through the doors: observations and requests in, facts and effects out.

pub(super) mod command;
pub(super) mod effect;
pub(super) mod endpoint_set;
pub(super) mod fact;
pub(super) mod need;
pub(super) mod observation;
pub(super) mod recorded;
