//! What is missing where: installed software against advisories.
//!
//! The first stage of the pipeline. [`judge`] says how one installed version stands to one advisory; [`AdvisoryIndex`]
//! finds the advisories that may concern a piece of software; [`Matches`] keeps both together as they change, so that a
//! new advisory costs what it touches and an endpoint's report costs that endpoint. [`Matches::missing`] says what an
//! endpoint lacks, how urgent that is, and why; a [`Survey`] says it of many, and rates once what is alike.

mod advisories;
mod judge;
mod matches;
mod missing;
mod survey;

pub use advisories::{AdvisoryIndex, AdvisoryIx};
pub use judge::{Installed, Standing, cleared, judge, speaks_of};
pub use matches::{Hit, Matches};
pub use missing::{Missing, Rates};
pub use survey::Survey;
