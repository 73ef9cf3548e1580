//! From inputs to a rating: the priority by rules, the clocks by dates, and the whole of it explained.

use super::Priority;
use super::assess::{Assessment, DueDates};
use super::inputs::{Inputs, Told};
use super::rules::RiskRules;
use crate::catalog::Patch;
use crate::inventory::{Criticality, Environment, Exposure};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

const DAY_SECS: u64 = 24 * 60 * 60;

/// A rating with everything that led to it. As text it is a sentence for each part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// The priority, the clocks, and the reason in short.
    pub assessment: Assessment,
    /// The rule that decided; `None` when none matched.
    pub rule: Option<String>,
    /// Every input with its value, or that it is unknown, and who says so.
    pub inputs: Vec<Told>,
    /// For a critical one, until when it should be installed on a first non-production endpoint: within 24 hours of
    /// disclosure, or of the fix, if that is later.
    pub first_install_due: Option<Timestamp>,
    /// What people should know beside, such as a date in the future.
    pub notes: Vec<String>,
}

/// Rates a weakness or a patch by rules, at the moment at which it is first seen here.
///
/// The exposure clock starts with the earliest of disclosure, known exploitation and the vendor's release; the due clock
/// with the release of what repairs it, else when it is first seen. Dates that lie in the future start no clock and are
/// told. What nothing repairs has no due date.
///
/// ```
/// use patchflow_core::catalog::{Advisory, KnownExploited, Severity};
/// use patchflow_core::risk::{Catalogues, DueLimits, Inputs, Priority, RiskRules, rate};
/// let on = |day: &str| format!("2026-11-{day}T00:00:00Z").parse().unwrap();
/// let mut advisory = Advisory::new("CVE-2026-1");
/// advisory.severity = Severity::Low;
/// (advisory.published, advisory.fixed_at) = (Some(on("01")), Some(on("04")));
/// advisory.exploited = Some(KnownExploited { since: on("02"), due: None, ransomware: false });
/// let inputs = Inputs::of(&advisory, Catalogues { known_exploited: true });
/// let rated = rate(&inputs, &RiskRules::default(), &DueLimits::default(), on("05"));
/// assert_eq!((rated.assessment.priority, rated.rule.as_deref()), (Priority::Critical, Some("known_exploited")));
/// assert_eq!((rated.assessment.exposed_since, rated.assessment.due), (on("01"), Some(on("11"))));
/// assert!(rated.to_string().starts_with("critical priority by the rule `known_exploited`: known exploitation."));
/// ```
#[must_use]
pub fn rate(inputs: &Inputs, rules: &RiskRules, limits: &dyn DueDates, first_seen: Timestamp) -> Rating {
    let decided = rules.decide(inputs);
    let mut notes = inputs.notes.clone();
    let mut seen = |what: &str, at: Option<Timestamp>| {
        if let Some(at) = at.filter(|at| *at > first_seen) {
            notes.push(format!("the date of {what}, {at}, lies in the future and starts no clock"));
        }
        at.filter(|at| *at <= first_seen)
    };
    let released = seen("the vendor's release", inputs.released);
    let disclosed = seen("disclosure", inputs.disclosed);
    let exploited = seen("known exploitation", inputs.exploited_since);
    let clock_started = released.unwrap_or(first_seen);
    let exposed_since = [disclosed, exploited].into_iter().flatten().fold(clock_started, Ord::min);
    let unrepaired = inputs.fix.value == Some(false) && released.is_none();
    let due = limits.due(decided.priority, clock_started).filter(|_| !unrepaired);
    if unrepaired {
        notes.push(
            "nothing repairs it yet, so no due clock runs; what can be done meanwhile is to mitigate it"
                .into(),
        );
    }
    let reason = decided.rule.map_or("nothing that a rule covers", |rule| rule.reason.as_str());
    let why = match decided.unknown.split_first() {
        None => reason.to_string(),
        Some((first, rest)) => {
            let names = rest.iter().fold(first.to_string(), |all, reads| format!("{all}, {reads}"));
            format!("{reason} cannot be ruled out, as nobody knows: {names}")
        }
    };
    let first_install_due = (decided.priority == Priority::Critical && !unrepaired).then(|| {
        disclosed.map_or(clock_started, |disclosed| disclosed.max(clock_started)).plus_secs(DAY_SECS)
    });
    Rating {
        assessment: Assessment {
            priority: decided.priority,
            exposed_since,
            clock_started,
            due,
            due_from: clock_started,
            why,
        },
        rule: decided.rule.map(|rule| rule.name.clone()),
        inputs: inputs.told(),
        first_install_due,
        notes,
    }
}

/// What rules read of an endpoint: endpoints that are alike in it are rated alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Surroundings {
    /// Whether real work depends on it.
    pub environment: Environment,
    /// How much depends on it.
    pub criticality: Criticality,
    /// From where it can be reached.
    pub exposure: Exposure,
    /// Whether the support of its platform has ended; `None` where nobody says so.
    pub end_of_life: Option<bool>,
}

/// Rates a patch by rules: each weakness that it closes, on each kind of endpoint that needs it. The most urgent
/// decides, and is named. Without endpoints in view, what rules read of them is unknown.
///
/// ```
/// use patchflow_core::catalog::{Advisory, Patch, Severity, Weakness};
/// use patchflow_core::risk::{DueLimits, Priority, RiskRules, rate_patch};
/// let cvss = vec!["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H".to_string()];
/// let advisory = Advisory { cvss, ..Advisory::new("CVE-2026-1") };
/// let curl = Patch { severity: Severity::Unknown, ..patchflow_core::doc::patch("curl", "2") };
/// let patch = curl.closing(vec![Weakness::of(&advisory, true)]);
/// let rated = rate_patch(&patch, &[], &RiskRules::default(), &DueLimits::default(), Default::default());
/// assert_eq!(rated.assessment.priority, Priority::Critical);
/// assert_eq!(rated.assessment.why, "a CVSS score of 9.0 or more (CVE-2026-1)");
/// ```
#[must_use]
pub fn rate_patch(
    patch: &Patch,
    needed_on: &[Surroundings],
    rules: &RiskRules,
    limits: &dyn DueDates,
    first_seen: Timestamp,
) -> Rating {
    let each = Inputs::of_each(patch);
    let ratings = each.iter().flat_map(|(name, inputs)| {
        let placed = needed_on.iter().map(|there| {
            inputs.clone().on(there.environment, there.criticality, there.exposure, there.end_of_life)
        });
        let nowhere = needed_on.is_empty().then(|| inputs.clone());
        placed.chain(nowhere).map(move |inputs| {
            let mut rating = rate(&inputs, rules, limits, first_seen);
            if let Some(name) = name {
                let why = &rating.assessment.why;
                rating.assessment.why = format!("{why} ({name})");
            }
            rating
        })
    });
    Rating::together(ratings).unwrap_or_else(|| rate(&Inputs::of_patch(patch), rules, limits, first_seen))
}

impl Rating {
    /// The rating of what closes several weaknesses: the most urgent decides, with the earliest clocks and due date of
    /// all. Of equals the first decides. `None` of none.
    #[must_use]
    pub fn together(ratings: impl IntoIterator<Item = Self>) -> Option<Self> {
        ratings.into_iter().reduce(|one, other| {
            let exposed_since = one.assessment.exposed_since.min(other.assessment.exposed_since);
            let clock_started = one.assessment.clock_started.min(other.assessment.clock_started);
            let dated = [&one.assessment, &other.assessment].into_iter().filter(|of| of.due.is_some());
            let due = dated.min_by_key(|of| of.due).unwrap_or(&one.assessment);
            let (due, due_from) = (due.due, due.due_from);
            let first_install_due = one.first_install_due.into_iter().chain(other.first_install_due).min();
            let (decides, mut notes) = if other.assessment.priority > one.assessment.priority {
                (other, one.notes)
            } else {
                (one, other.notes)
            };
            notes.retain(|note| !decides.notes.contains(note));
            Self {
                assessment: Assessment { exposed_since, clock_started, due, due_from, ..decides.assessment },
                first_install_due,
                notes: decides.notes.into_iter().chain(notes).collect(),
                ..decides
            }
        })
    }
}

impl fmt::Display for Rating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Assessment { priority, exposed_since, clock_started, due, due_from: _, why } = &self.assessment;
        match &self.rule {
            Some(rule) => write!(f, "{priority} priority by the rule `{rule}`: {why}.")?,
            None => write!(f, "{priority} priority, as no rule matched.")?,
        }
        write!(f, " Exposed since {exposed_since}.")?;
        match due {
            Some(due) => write!(f, " The due clock started {clock_started}: due {due}.")?,
            None => f.write_str(" It has no due date.")?,
        }
        let (known, unknown): (Vec<&Told>, Vec<&Told>) =
            self.inputs.iter().partition(|told| told.value.is_some());
        for (at, Told { reads, value, from }) in known.into_iter().enumerate() {
            let lead = if at == 0 { " Read:" } else { ";" };
            write!(f, "{lead} {reads} {} ({from})", value.as_deref().unwrap_or("unknown"))?;
        }
        for (at, Told { reads, value: _, from }) in unknown.into_iter().enumerate() {
            let lead = if at == 0 { ". Unknown:" } else { ";" };
            write!(f, "{lead} {reads} ({from})")?;
        }
        f.write_str(".")?;
        self.notes.iter().try_for_each(|note| write!(f, " Note: {note}."))
    }
}

#[cfg(test)]
mod tests;
