//! From what is known about a patch to how urgent it is, with the reason.

mod assess;
mod cvss;
mod priority;

pub use assess::{Assessment, DueLimits, assess};
pub use cvss::{BadScore, BadVector, CvssVersion, Score, VECTOR_BYTES_MAX, Vector};
pub use priority::Priority;
