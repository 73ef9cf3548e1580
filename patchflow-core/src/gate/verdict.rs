//! The verdict over a ring: promote, hold or halt, with the rule that decided and the counts it saw.

use super::{Counts, LimitScope, Limits, OnMaxHold, ShareOf};
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
    /// Nobody can tell whether the ring's endpoints raised alerts, and `max_alerts` asks for it.
    AlertsUnknown,
    /// The way back of verified members has ended, and the policy wants one.
    PathsEnded,
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
    /// What was counted, over the members that `scope` says.
    pub counts: Counts,
    /// The ring, or the rollout so far when a limit over the rollout decided.
    pub scope: LimitScope,
    /// New alerts of the ring's endpoints, as far as they were told.
    pub alerts: u32,
    /// Whether somebody could tell them.
    pub alerts_known: bool,
    /// Verified members of the ring whose way back had ended, where the policy wants one.
    #[serde(default)]
    pub paths_ended: u32,
}

/// How a ring stands: what the gate looks at. By default nobody is in it and its alerts are not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its members by class.
    pub counts: Counts,
    /// The members of all rings before it, by class.
    pub before: Counts,
    /// New alerts of the ring's endpoints, as far as they were told.
    pub alerts: u32,
    /// Whether somebody can tell them.
    pub alerts_known: bool,
    /// Verified members of the ring whose way back has ended, where the policy wants one.
    pub paths_ended: u32,
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
/// let verdict = judge(&limits, &Standing { counts, ..Standing::default() }, Timestamp::default());
/// assert_eq!((verdict.decision, verdict.rule), (Decision::Halt, Rule::MaxFailurePercent));
/// ```
#[must_use]
pub fn judge(limits: &Limits, standing: &Standing, now: Timestamp) -> Verdict {
    let Standing { counts, alerts, alerts_known, paths_ended, settled_at, .. } = *standing;
    let of = |decision, rule| {
        let (counts, scope) = match rule {
            Rule::MaxFailures | Rule::MaxFailurePercent => (standing.failing(limits), limits.scope),
            Rule::MaxAlerts
            | Rule::MinSuccessPercent
            | Rule::MinVerified
            | Rule::AlertsUnknown
            | Rule::PathsEnded
            | Rule::Unsettled
            | Rule::Bake
            | Rule::MaxHold
            | Rule::AllMet => (counts, LimitScope::Ring),
        };
        Verdict { decision, rule, counts, scope, alerts, alerts_known, paths_ended }
    };
    if let Some(rule) = breached(limits, standing) {
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
    let Some(missing) = missing(limits, &counts, alerts_known, paths_ended) else {
        return of(Decision::Promote, Rule::AllMet);
    };
    let expires = baked_at.plus_secs(limits.hold_secs_max.into());
    if now < expires {
        return of(Decision::Hold { until: Some(expires) }, missing);
    }
    match limits.on_max_hold {
        OnMaxHold::Halt => of(Decision::Halt, Rule::MaxHold),
        OnMaxHold::Ask => of(Decision::Ask, Rule::MaxHold),
    }
}

/// What a ring that nothing speaks against lacks before it may pass.
fn missing(limits: &Limits, counts: &Counts, alerts_known: bool, paths_ended: u32) -> Option<Rule> {
    if counts.verified < limits.min_verified.max(1) && counts.skipped < counts.members() {
        return Some(Rule::MinVerified);
    }
    // Where nothing was started there is nobody to raise an alert.
    if limits.max_alerts.is_some() && !alerts_known && counts.started() > 0 {
        return Some(Rule::AlertsUnknown);
    }
    (paths_ended > 0).then_some(Rule::PathsEnded)
}

impl Standing {
    /// The members that the failure limits count.
    fn failing(&self, limits: &Limits) -> Counts {
        match limits.scope {
            LimitScope::Ring => self.counts,
            LimitScope::Rollout => self.before.plus(self.counts),
        }
    }
}

/// The rule that is broken already, whatever may still come; constant time, asked after every change of the counts.
#[must_use]
pub(crate) fn breached(limits: &Limits, standing: &Standing) -> Option<Rule> {
    let failing = standing.failing(limits);
    let bad = failing.bad();
    if limits.max_failures.is_some_and(|max| bad > max) {
        return Some(Rule::MaxFailures);
    }
    let whole = match limits.of {
        ShareOf::Members => failing.counted(),
        ShareOf::Started => failing.started(),
    };
    let judged = failing.started() >= limits.min_started;
    if judged && limits.max_failure_percent.is_some_and(|max| max.is_exceeded_by(bad, whole)) {
        return Some(Rule::MaxFailurePercent);
    }
    if limits.max_alerts.is_some_and(|max| standing.alerts > max) {
        return Some(Rule::MaxAlerts);
    }
    // A late success may still turn an unknown into a verified member, a failed one stays failed.
    let counts = &standing.counts;
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
        let among = match self.scope {
            LimitScope::Ring => "",
            LimitScope::Rollout => " in the rollout so far",
        };
        let whole = match limits.of {
            ShareOf::Members => format!("{counted}{among}"),
            ShareOf::Started => format!("{} started{among}", self.counts.started()),
        };
        match self.rule {
            Rule::MaxFailures => format!(
                "{failed} failed and {unknown} unknown of {counted}{among}, more than the {} allowed",
                limits.max_failures.unwrap_or_default()
            ),
            Rule::MaxFailurePercent => format!(
                "{failed} failed and {unknown} unknown of {whole}, more than the {} % allowed",
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
            Rule::Unsettled => {
                format!("{} on their way, {} not started", self.counts.in_flight, self.counts.waiting)
            }
            Rule::Bake => format!("{verified} of {counted} verified, baking"),
            Rule::AllMet => format!("{verified} of {counted} verified, nothing speaks against it"),
            Rule::MinVerified | Rule::AlertsUnknown | Rule::PathsEnded => self.lacks(limits),
            Rule::MaxHold => format!("{}, and the longest hold is over", self.lacks(limits)),
        }
    }

    /// What a hold waits for.
    fn lacks(&self, limits: &Limits) -> String {
        match missing(limits, &self.counts, self.alerts_known, self.paths_ended) {
            Some(Rule::PathsEnded) => {
                format!("the way back of {} verified has ended and must be looked at again", self.paths_ended)
            }
            Some(Rule::AlertsUnknown) => {
                format!("{} verified, and nobody can tell whether they raised alerts", self.counts.verified)
            }
            Some(_) | None => format!(
                "{} verified, {} are needed before this ring may vouch for the next",
                self.counts.verified,
                limits.min_verified.max(1)
            ),
        }
    }
}

#[cfg(test)]
mod tests;
