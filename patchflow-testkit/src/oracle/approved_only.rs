//! Nothing is ordered without an approval that holds, or the permit of a trial; and an approval comes only as the
//! policy says.

use super::{Ledger, Oracle, member_fact, rich_fact};
use crate::sim::Sight;
use patchflow_core::candidate::{ApprovedBy, Evidence};
use patchflow_core::fleet::{Command, Effect, Observation, RichFact};
use patchflow_core::ids::{Actor, CandidateId};
use patchflow_core::inventory::Environment;
use patchflow_core::policy::{Approval, RiskFilter};
use patchflow_core::rollout::{Event, Order, RolloutKind};
use patchflow_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct ApprovedOnly {
    /// Who ever asked, and with which roles.
    people: BTreeMap<Arc<str>, Vec<Arc<str>>>,
}

impl Oracle for ApprovedOnly {
    fn name(&self) -> &'static str {
        "approved only"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        if let Some((fact, at)) = member_fact(&sight)
            && matches!(fact.event, Event::Ordered | Event::Resent)
            && let Some(rollout) = ledger.rollout(fact.rollout)
            && let Some(member) = ledger.member(fact.rollout, fact.member)
            && let Some(candidate) = ledger.candidate(rollout.candidate)
            && let Some(endpoint) = ledger.endpoint(member.endpoint)
        {
            let who = format!("{} in {}", endpoint.id, fact.rollout);
            if fact.event == Event::Ordered {
                let wanted = match rollout.kind {
                    RolloutKind::Trial => Environment::NonProduction,
                    RolloutKind::Deployment => Environment::Production,
                };
                if endpoint.environment != wanted {
                    says(format!("{who} was ordered, and is {:?}", endpoint.environment));
                }
                if endpoint.gone {
                    says(format!("{who} was ordered after it left"));
                }
            }
            match rollout.kind {
                RolloutKind::Deployment if fact.event == Event::Ordered => {
                    if candidate.approved_until.is_none_or(|until| at >= until) {
                        says(format!("{who} was ordered without an approval that holds"));
                    }
                }
                // What nobody has seen yet may be sent again: that is no new order.
                RolloutKind::Trial if fact.event == Event::Ordered => {
                    if candidate.evidence.is_some() || candidate.retired.is_some() {
                        says(format!("{who} was ordered in a trial of what is no longer tried"));
                    }
                }
                RolloutKind::Deployment | RolloutKind::Trial => {}
            }
        }
        if let Some((RichFact::ApprovalGranted { candidate, by, content, expires }, at)) = rich_fact(&sight) {
            self.granted(ledger, *candidate, by, at, says);
            if *expires <= at {
                says(format!("the approval of {candidate} was over when it was granted"));
            }
            if ledger.candidate(*candidate).is_some_and(|entry| entry.patch.content != *content) {
                says(format!("the approval of {candidate} is for other content"));
            }
        }
        match sight {
            Sight::Asked(request, Ok(_)) => {
                if let Command::Approve { .. } = request.ask {
                    self.heard(&request.by);
                }
            }
            Sight::Heard(Observation::Approval { by, .. }) => self.heard(by),
            Sight::Left(Effect::Submit(Order::Install(order))) => {
                let id = order.id();
                let (Some(rollout), Some(member)) =
                    (ledger.rollout(id.rollout), ledger.member(id.rollout, id.member))
                else {
                    return says(format!("{id} belongs to no rollout"));
                };
                let patch = ledger.candidate(rollout.candidate).map(|entry| &entry.patch);
                if patch.is_none_or(|patch| patch.content != order.patch().content) {
                    says(format!("{id} installs other content than was approved"));
                }
                if order.is_trial() != (rollout.kind == RolloutKind::Trial) {
                    says(format!("{id} is an order of the other kind"));
                }
                if ledger.endpoint(member.endpoint).is_none_or(|entry| entry.id != *order.endpoint()) {
                    says(format!("{id} went to {}", order.endpoint()));
                }
            }
            _ => {}
        }
    }
}

impl ApprovedOnly {
    fn heard(&mut self, by: &Actor) {
        let roles = self.people.entry(by.name.clone()).or_default();
        roles.extend(by.roles.iter().cloned());
    }

    fn granted(
        &self,
        ledger: &Ledger,
        id: CandidateId,
        by: &ApprovedBy,
        at: Timestamp,
        says: &mut dyn FnMut(String),
    ) {
        let Some(entry) = ledger.candidate(id) else { return says(format!("{id} is none")) };
        let Some(evidence) = &entry.evidence else {
            return says(format!("{id} was approved before its trial was behind it"));
        };
        if let Some(word) = entry.retired {
            says(format!("{id} was approved after it was {word}"));
        }
        match by {
            ApprovedBy::Rule { rule } => {
                let matches = |when: &RiskFilter| {
                    when.categories.iter().any(|category| *category == entry.patch.category)
                        && when.severities.iter().any(|severity| *severity == entry.patch.severity)
                };
                let first = ledger
                    .policy
                    .as_ref()
                    .and_then(|policy| policy.approval.iter().find(|rule| matches(&rule.when)));
                match first.filter(|first| first.name == *rule).map(|first| &first.approval) {
                    Some(Approval::Automatic { requires_trial, delay_secs }) => {
                        if *requires_trial && !matches!(evidence, Evidence::Passed { .. }) {
                            says(format!("{id} was approved by `{rule}` without the trial it requires"));
                        }
                        let released = entry.patch.released.map(|day| day.plus_secs((*delay_secs).into()));
                        if *delay_secs > 0 && released.is_none_or(|day| at < day) {
                            says(format!("{id} was approved by `{rule}` before its delay was over"));
                        }
                    }
                    Some(Approval::Person(_)) | None => {
                        says(format!("{id} was approved by `{rule}`, which does not say so"));
                    }
                }
            }
            ApprovedBy::People { names, .. } => {
                let Some((from, votes)) = &entry.asked else {
                    return says(format!("{id} was approved by people whom nobody asked"));
                };
                let mut distinct = names.clone();
                distinct.sort();
                distinct.dedup();
                if distinct.len() < usize::from(from.quorum) || distinct.len() != names.len() {
                    says(format!("{id} was approved by {names:?}, a quorum of {} was asked", from.quorum));
                }
                for name in names {
                    let roles = self.people.get(name);
                    if !votes.contains(name)
                        || roles.is_none_or(|roles| !roles.iter().any(|r| **r == *from.role))
                    {
                        says(format!("{name} approved {id} without a vote in the role {}", from.role));
                    }
                    if let Evidence::Waived { by, .. } = evidence
                        && by == name
                    {
                        says(format!("{name} waived the trial of {id} and approved it"));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::catalog::{Category, Severity};

    #[test]
    fn an_order_without_an_approval_is_caught() {
        let caught = |approved: bool| {
            let mut stage = Stage::with(Box::new(ApprovedOnly::default()));
            stage.endpoints(2).candidate(Category::Security, Severity::Critical);
            if approved {
                stage.approve();
            }
            stage.rollout(&[2]).open(0).member(0, Event::Ordered);
            stage.caught()
        };
        assert!(caught(true).is_empty());
        assert!(caught(false)[0].contains("without an approval"));
    }

    #[test]
    fn an_approval_that_has_run_out_and_one_that_nobody_gave_are_caught() {
        let mut stage = Stage::with(Box::new(ApprovedOnly::default()));
        stage.endpoints(2).candidate(Category::Security, Severity::Critical).approve().rollout(&[2]).open(0);
        stage.pass(40 * 86_400).member(0, Event::Ordered);
        assert!(stage.caught()[0].contains("without an approval"));
        let mut stage = Stage::with(Box::new(ApprovedOnly::default()));
        stage.endpoints(2).candidate(Category::Feature, Severity::Low).approve();
        assert!(stage.caught()[0].contains("does not say so"));
    }
}
