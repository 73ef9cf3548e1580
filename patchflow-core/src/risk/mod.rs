//! From what is known about a patch to how urgent it is, with the reason.

mod assess;
mod priority;

pub use assess::{Assessment, DueDates, DueLimits, assess};
pub use priority::Priority;
