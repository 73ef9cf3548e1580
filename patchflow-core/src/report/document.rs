//! A whole report as plain data: what renderers take and what `report.json` holds.

use super::{PipelineStage, Summary};
use crate::digest::Digest;
use crate::ids::Seq;
use crate::policy::Policy;
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportDocument {
    /// What it is about, such as the fleet's name.
    pub title: String,
    /// When it was made.
    pub generated_at: Timestamp,
    /// How it went, in one sentence and a tone.
    pub headline: Headline,
    /// What the fleet and its history show.
    pub summary: Summary,
    /// Answers to "why is it, or is it not, installed here?".
    pub explanations: Vec<Explanation>,
    /// The policy that held.
    pub policy: Option<PolicySummary>,
    /// The journal that all of it was read from.
    pub journal: Option<JournalSummary>,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headline {
    /// For the colour.
    pub tone: Tone,
    /// One sentence.
    pub text: String,
}

/// How good or bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// As wanted.
    Good,
    /// Still under way, or of no judgement.
    Neutral,
    /// Somebody should look.
    Warning,
    /// Not as wanted.
    Bad,
}

/// Where one endpoint stands with one candidate, stage after stage (semantics S14).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The endpoint, by the host's name.
    pub endpoint: String,
    /// The patch, by its source's name.
    pub patch: String,
    /// Whether the patch is there and verified.
    pub installed: bool,
    /// The chain, in the order of the stages, as far as it is known.
    pub chain: Vec<Step>,
}

/// One step of an explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The stage.
    pub stage: PipelineStage,
    /// How it stands.
    pub state: StepState,
    /// Why, as a sentence without its full stop.
    pub text: String,
}

/// How a step of an explanation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It is behind it.
    Passed,
    /// It is what is waited for.
    Open,
    /// It is where it ended.
    Stopped,
}

impl Explanation {
    /// The step that decides: the first one that is not passed, or the last one.
    #[must_use]
    pub fn deciding(&self) -> Option<&Step> {
        self.chain.iter().find(|step| step.state != StepState::Passed).or(self.chain.last())
    }

    /// The whole answer in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let is = if self.installed { "is installed" } else { "is not installed" };
        let why = self.deciding().map_or("nothing is known about it", |step| &step.text);
        alloc::format!("{} {is} on {}: {why}", self.patch, self.endpoint)
    }
}

/// A policy with the digest of its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySummary {
    /// The policy.
    pub policy: Policy,
    /// The digest of its whole text, as the journal has it.
    pub digest: Digest,
}

/// How far a journal reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalSummary {
    /// The last fact.
    pub through: Seq,
    /// The head of the hash chain after it: whoever keeps this can prove later that nothing was changed.
    pub head: Digest,
}
