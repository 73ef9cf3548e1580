//! From what is known about a weakness or a patch to how urgent it is, with the reason.
//!
//! [`Inputs`] hold what is known and who says so, [`RiskRules`] decide as data, [`rate`] adds the clocks and explains.
//! [`assess`] does it for a patch alone, by the field's rules. Unknown is never low.

mod assess;
mod cvss;
mod inputs;
mod likelihood;
mod priority;
mod rate;
mod rules;

pub use assess::{Assessment, DueDates, DueLimits, assess};
pub use cvss::{BadScore, BadVector, CvssVersion, Score, VECTOR_BYTES_MAX, Vector};
pub use inputs::{Catalogues, Input, Inputs, Reads, Told};
pub use likelihood::{BadLikelihood, Likelihood};
pub use priority::Priority;
pub use rate::{Rating, Surroundings, rate, rate_patch};
pub use rules::{Decision, OnUnknown, RULES_MAX, RiskRule, RiskRules, When};
