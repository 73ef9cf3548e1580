//! What people want to know afterwards: compliance, outcomes with reasons, timelines, where the time went, and why.
//!
//! A [`History`] is a read model: a fold over a fleet's facts, kept beside the fleet or made from its journal when a
//! report is due, and never asked by a decision. [`Summary`] is what it shows at one moment, as plain data; renderers
//! are in the backends. A journal pruned down to a baseline tells only what happened since.

mod baseline;
mod bundle;
mod collect;
mod content;
mod document;
mod explain;
mod history;
mod outcome;
mod share;
mod summary;
mod waiting;
mod words;

pub use baseline::{
    Application, BaselineChange, Counts, EXAMPLES_MAX, Gap, GapCount, InventoryBaseline, Shifts,
    SilentEndpoint, inventory_baseline,
};
pub use bundle::{BundleItem, StagingBundle, staging_bundle};
pub use collect::summarize;
pub use document::{
    Explanation, Headline, JournalSummary, PolicySummary, ReportDocument, Step, StepState, Tone,
};
pub use explain::explain;
pub use history::{CandidateTimes, History, MemberTimes, TimelineEntry, TimelineKind};
pub use share::{Share, TimeToPatch, percentile_secs};
pub use summary::{
    CandidateSummary, EndpointSummary, FailureSummary, Kpis, Outcome, RingSummary, RolloutSummary, StageSpan,
    Summary,
};
pub use words::{PipelineStage, failure_words, rule_words};
