//! Rules as data: which inputs make which priority, and what an unknown input does.
//!
//! The first rule that matches decides. A rule that would match or not match depending on an input that nobody knows is
//! a possible one: unless it says that it passes on unknown inputs, it raises the priority, up to
//! [`RiskRules::unknown_at_most`]. So an unknown input never makes anything less urgent, and what it did is told.

mod check;
mod defaults;
mod read;
mod ssvc;

use super::cvss::Score;
use super::inputs::{Input, Inputs, Reads};
use super::likelihood::Likelihood;
use super::priority::Priority;
use crate::catalog::{Category, Exploitation, Severity};
use crate::inventory::{Criticality, Environment, Exposure};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The most rules that a set may have.
pub const RULES_MAX: usize = 256;

/// What a rule asks. All that is set must hold; a rule that asks nothing always matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// Known exploitation is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_exploited: Option<bool>,
    /// Known use by ransomware is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ransomware: Option<bool>,
    /// Exploitation has come to one of these; empty asks nothing, here and below.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exploitation: Vec<Exploitation>,
    /// An attack that needs no people is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automatable: Option<bool>,
    /// The CVSS base score is at least this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cvss_at_least: Option<Score>,
    /// The EPSS score is at least this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epss_at_least: Option<Likelihood>,
    /// The vendor's severity is one of these; `unknown` among them matches one that nobody stated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub severity: Vec<Severity>,
    /// The vendor's category is one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub category: Vec<Category>,
    /// The endpoint's criticality is one of these; `unknown` among them matches one that nobody stated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub criticality: Vec<Criticality>,
    /// The endpoint's exposure is one of these; `unknown` among them matches one that nobody stated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exposure: Vec<Exposure>,
    /// The endpoint's environment is this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// That the support of the endpoint's platform has ended is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_of_life: Option<bool>,
    /// That something repairs it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix_available: Option<bool>,
}

/// What a rule does when an input that it reads is unknown, and everything else that it asks holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// It may match, so it raises the priority up to [`RiskRules::unknown_at_most`].
    #[default]
    Raises,
    /// It does not match: later rules judge by other inputs.
    Passes,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskRule {
    /// Its name, unique in its set.
    pub name: String,
    /// What it asks.
    #[serde(default)]
    pub when: When,
    /// The priority that it gives.
    pub priority: Priority,
    /// Why, as a fragment that can follow "because of".
    pub reason: String,
    /// What it does when an input is unknown.
    #[serde(default)]
    pub on_unknown: OnUnknown,
}

/// Rules in their order.
///
/// ```
/// use patchflow_core::risk::{RiskRules, Priority};
/// let mut rules = RiskRules::default();
/// assert!(rules.check().is_empty());
/// rules.rules.push(rules.rules[0].clone());
/// let found = rules.check();
/// assert!(found.iter().any(|finding| finding.message.contains("can never decide")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskRules {
    /// The rules; the first that matches decides.
    pub rules: Vec<RiskRule>,
    /// The priority when none matches.
    pub otherwise: Priority,
    /// How far unknown inputs can raise a priority; never low.
    pub unknown_at_most: Priority,
}

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Unknown,
}

impl Answer {
    fn of<T>(input: &Input<T>, holds: impl FnOnce(&T) -> bool) -> Self {
        match &input.value {
            None => Self::Unknown,
            Some(value) if holds(value) => Self::Yes,
            Some(_) => Self::No,
        }
    }

    fn so(input: &Input<bool>, asked: bool) -> Self {
        Self::of(input, |value| *value == asked)
    }

    fn among<T: PartialEq>(input: &Input<T>, asked: &[T], unknown: Option<T>) -> Self {
        match &input.value {
            None if unknown.is_some_and(|unknown| asked.contains(&unknown)) => Self::Yes,
            None | Some(_) => Self::of(input, |value| asked.contains(value)),
        }
    }
}

impl When {
    /// Each thing that is asked, with the answer.
    fn answers(&self, inputs: &Inputs) -> Vec<(Reads, Answer)> {
        let Self {
            known_exploited,
            ransomware,
            exploitation,
            automatable,
            cvss_at_least,
            epss_at_least,
            severity,
            category,
            criticality,
            exposure,
            environment,
            end_of_life,
            fix_available,
        } = self;
        let mut answers = Vec::new();
        let mut put = |reads, answer: Option<Answer>| answers.extend(answer.map(|answer| (reads, answer)));
        let so = |input, asked: &Option<bool>| asked.map(|asked| Answer::so(input, asked));
        put(Reads::KnownExploited, so(&inputs.known_exploited, known_exploited));
        put(Reads::Ransomware, so(&inputs.ransomware, ransomware));
        let exploited =
            (!exploitation.is_empty()).then(|| Answer::among(&inputs.exploitation, exploitation, None));
        put(Reads::Exploitation, exploited);
        put(Reads::Automatable, so(&inputs.automatable, automatable));
        put(
            Reads::Cvss,
            cvss_at_least.map(|least| match Answer::of(&inputs.cvss, |score| *score >= least) {
                Answer::No if inputs.cvss_may_be_higher => Answer::Unknown,
                answer @ (Answer::Yes | Answer::No | Answer::Unknown) => answer,
            }),
        );
        put(Reads::Epss, epss_at_least.map(|least| Answer::of(&inputs.epss, |score| *score >= least)));
        let unknown = Some(Severity::Unknown);
        put(
            Reads::Severity,
            (!severity.is_empty()).then(|| Answer::among(&inputs.severity, severity, unknown)),
        );
        put(Reads::Category, (!category.is_empty()).then(|| Answer::among(&inputs.category, category, None)));
        let unknown = Some(Criticality::Unknown);
        put(
            Reads::Criticality,
            (!criticality.is_empty()).then(|| Answer::among(&inputs.criticality, criticality, unknown)),
        );
        let unknown = Some(Exposure::Unknown);
        put(
            Reads::Exposure,
            (!exposure.is_empty()).then(|| Answer::among(&inputs.exposure, exposure, unknown)),
        );
        put(
            Reads::Environment,
            environment.map(|asked| Answer::of(&inputs.environment, |value| *value == asked)),
        );
        put(Reads::EndOfLife, so(&inputs.end_of_life, end_of_life));
        put(Reads::FixAvailable, so(&inputs.fix, fix_available));
        answers
    }
}

/// What a set of rules decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<'a> {
    /// The priority.
    pub priority: Priority,
    /// The rule that decided; `None` when none matched.
    pub rule: Option<&'a RiskRule>,
    /// Inputs that the rule reads and nobody knows: it raised the priority because it could not be ruled out.
    pub unknown: Vec<Reads>,
}

impl RiskRules {
    /// Whether any rule reads something of an endpoint.
    #[must_use]
    pub fn read_endpoints(&self) -> bool {
        self.rules.iter().map(|rule| &rule.when).any(|when| {
            !when.criticality.is_empty() || !when.exposure.is_empty() || when.environment.is_some()
        })
    }

    /// The rule that decides, and by which inputs.
    #[must_use]
    pub fn decide(&self, inputs: &Inputs) -> Decision<'_> {
        let mut decided = Decision { priority: self.otherwise, rule: None, unknown: Vec::new() };
        let mut possible: Option<Decision<'_>> = None;
        for rule in &self.rules {
            let answers = rule.when.answers(inputs);
            if answers.iter().any(|(_, answer)| *answer == Answer::No) {
                continue;
            }
            let unknown: Vec<Reads> = answers
                .iter()
                .filter(|(_, answer)| *answer == Answer::Unknown)
                .map(|(reads, _)| *reads)
                .collect();
            if unknown.is_empty() {
                decided = Decision { priority: rule.priority, rule: Some(rule), unknown };
                break;
            }
            let priority = rule.priority.min(self.unknown_at_most);
            if rule.on_unknown == OnUnknown::Raises && possible.as_ref().is_none_or(|p| priority > p.priority)
            {
                possible = Some(Decision { priority, rule: Some(rule), unknown });
            }
        }
        match possible {
            Some(possible) if possible.priority > decided.priority => possible,
            Some(_) | None => decided,
        }
    }
}

#[cfg(test)]
mod tests;
