//! The verdict over a ring: promote, hold or halt, with the rule that decided and the counts it saw.

use super::{Counts, Limits, OnMaxHold};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// What a gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// The next ring may open.
    Promote,
    /// Not yet: until when to look again, if time alone can change it.
    Hold {
        /// When to judge again at the latest.
        until: Option<Timestamp>,
    },
    /// No new orders.
    Halt,
    /// A person must decide.
    Ask,
}

/// The rule that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// More failures than `max_failures`.
    MaxFailures,
    /// A greater share of failures than `max_failure_percent`.
    MaxFailurePercent,
    /// More alerts than `max_alerts`.
    MaxAlerts,
    /// `min_success_percent` was missed, or can no longer be reached.
    MinSuccessPercent,
    /// Fewer verified members than `min_verified`.
    MinVerified,
    /// Members are still on their way.
    Unsettled,
    /// The bake is not over.
    Bake,
    /// The hold outlived `hold_secs_max`.
    MaxHold,
    /// Nothing speaks against it.
    AllMet,
}

/// Decision, rule and evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What to do.
    pub decision: Decision,
    /// The rule that decided.
    pub rule: Rule,
    /// What was counted.
    pub counts: Counts,
    /// New alerts of the ring's endpoints.
    pub alerts: u32,
}

/// How a ring stands: what the gate looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Members by class.
    pub counts: Counts,
    /// New alerts of the ring's endpoints.
    pub alerts: u32,
    /// Since when the ring is settled: no member in flight, none still waiting.
    pub settled_at: Option<Timestamp>,
}

/// Judges a ring. Failure is judged before success, no data is never a pass (semantics S2, S3).
///
/// ```
/// # use patchflow_core::doc::limits;
/// use patchflow_core::gate::{judge, Counts, Decision, Rule, Standing};
/// # use patchflow_core::time::Timestamp;
/// let counts = Counts { verified: 3, failed: 2, ..Counts::default() };
/// let limits = limits(); // halts on more than 20 %
/// let verdict = judge(&limits, &Standing { counts, alerts: 0, settled_at: None }, Timestamp::default());
/// assert_eq!((verdict.decision, verdict.rule), (Decision::Halt, Rule::MaxFailurePercent));
/// ```
#[must_use]
pub fn judge(limits: &Limits, standing: &Standing, now: Timestamp) -> Verdict {
    let Standing { counts, alerts, settled_at } = *standing;
    let of = |decision, rule| Verdict { decision, rule, counts, alerts };
    if let Some(rule) = breached(limits, &counts, alerts) {
        return of(Decision::Halt, rule);
    }
    let Some(settled_at) = settled_at else {
        return of(Decision::Hold { until: None }, Rule::Unsettled);
    };
    let baked_at = settled_at.plus_secs(limits.bake_secs_min.into());
    if now < baked_at {
        return of(Decision::Hold { until: Some(baked_at) }, Rule::Bake);
    }
    if counts.counted() > 0 && !limits.min_success_percent.is_reached_by(counts.verified, counts.counted()) {
        return of(Decision::Halt, Rule::MinSuccessPercent);
    }
    let wanted = limits.min_verified.max(1);
    if counts.verified < wanted && counts.skipped < counts.members() {
        let expires = baked_at.plus_secs(limits.hold_secs_max.into());
        return if now < expires {
            of(Decision::Hold { until: Some(expires) }, Rule::MinVerified)
        } else {
            let decision = match limits.on_max_hold {
                OnMaxHold::Halt => Decision::Halt,
                OnMaxHold::Ask => Decision::Ask,
            };
            of(decision, Rule::MaxHold)
        };
    }
    of(Decision::Promote, Rule::AllMet)
}

/// The rule that is broken already, whatever may still come; constant time, asked after every change of the counts.
#[must_use]
pub(crate) fn breached(limits: &Limits, counts: &Counts, alerts: u32) -> Option<Rule> {
    let bad = counts.bad();
    if limits.max_failures.is_some_and(|max| bad > max) {
        return Some(Rule::MaxFailures);
    }
    let judged = counts.started() >= limits.min_started;
    if judged && limits.max_failure_percent.is_some_and(|max| max.is_exceeded_by(bad, counts.counted())) {
        return Some(Rule::MaxFailurePercent);
    }
    if limits.max_alerts.is_some_and(|max| alerts > max) {
        return Some(Rule::MaxAlerts);
    }
    // A late success may still turn an unknown into a verified member, a failed one stays failed.
    let reachable = counts.counted() - counts.failed;
    if counts.counted() > 0 && !limits.min_success_percent.is_reached_by(reachable, counts.counted()) {
        return Some(Rule::MinSuccessPercent);
    }
    None
}

impl Verdict {
    /// The verdict as a sentence for people.
    #[must_use]
    pub fn sentence(&self, limits: &Limits) -> String {
        let Counts { verified, failed, unknown, .. } = self.counts;
        let counted = self.counts.counted();
        match self.rule {
            Rule::MaxFailures => format!(
                "{failed} failed and {unknown} unknown of {counted}, more than the {} allowed",
                limits.max_failures.unwrap_or_default()
            ),
            Rule::MaxFailurePercent => format!(
                "{failed} failed and {unknown} unknown of {counted}, more than the {} % allowed",
                limits.max_failure_percent.unwrap_or(super::Percent::FULL)
            ),
            Rule::MaxAlerts => {
                format!(
                    "{} new alerts, more than the {} allowed",
                    self.alerts,
                    limits.max_alerts.unwrap_or_default()
                )
            }
            Rule::MinSuccessPercent => format!(
                "{verified} verified of {counted} with {failed} failed: the {} % asked for cannot be reached",
                limits.min_success_percent
            ),
            Rule::MinVerified => {
                format!(
                    "{verified} verified, {} are needed before this ring may vouch for the next",
                    limits.min_verified.max(1)
                )
            }
            Rule::Unsettled => {
                format!("{} on their way, {} not started", self.counts.in_flight, self.counts.waiting)
            }
            Rule::Bake => format!("{verified} of {counted} verified, baking"),
            Rule::MaxHold => format!("{verified} verified, and the longest hold is over"),
            Rule::AllMet => format!("{verified} of {counted} verified, nothing speaks against it"),
        }
    }
}

#[cfg(test)]
mod tests;
