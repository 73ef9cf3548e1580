//! What the fleet does by itself once a fact has changed something: windows open and close, places are filled, hooks
//! run, the inventory is asked. Loops over `decide`, each bounded by what changed.

mod dues;
mod fill;
mod hooks;
mod reverts;
mod scans;
pub(super) mod short;
mod staging;
mod windows;
