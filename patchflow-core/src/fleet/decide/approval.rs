//! Who approves: the first rule that matches decides, nothing matches means a person does (semantics S8).

use super::Facts;
use crate::candidate::{ApprovedBy, Candidate, Trialled};
use crate::fleet::RichFact;
use crate::fleet::state::{CandidateEntry, State};
use crate::ids::{AskId, CandidateId};
use crate::policy::{Approval, PersonApproval, Policy};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::String;
use alloc::vec;

/// What the policy says about a candidate whose trial is behind it.
enum Way<'a> {
    Grant { rule: &'a str },
    Later { rule: &'a str, at: Timestamp },
    Ask { rule: String, from: &'a PersonApproval },
}

fn way<'a>(policy: &'a Policy, entry: &CandidateEntry, trialled: &Trialled, now: Timestamp) -> Way<'a> {
    let patch = trialled.identified().patch();
    if entry.reconsidered {
        // What a person turned down is not approved by a rule, whoever opened it again.
        return Way::Ask { rule: "it was turned down before".into(), from: &policy.otherwise };
    }
    let Some(rule) = policy.approval.iter().find(|rule| rule.when.matches(patch)) else {
        return Way::Ask { rule: "no rule matches".into(), from: &policy.otherwise };
    };
    let ask = |why: &str| Way::Ask { rule: format!("{}: {why}", rule.name), from: &policy.otherwise };
    match &rule.approval {
        Approval::Person(from) => Way::Ask { rule: rule.name.clone(), from },
        Approval::Automatic { requires_trial, delay_secs } => {
            if *requires_trial && !trialled.evidence().is_passed() {
                return ask("the trial it requires has not passed");
            }
            match (delay_secs, patch.released) {
                (0, _) => Way::Grant { rule: &rule.name },
                (_, None) => ask("the release date that its delay counts from is unknown"),
                (delay, Some(released)) => {
                    let at = released.plus_secs(u64::from(*delay));
                    let rule = &rule.name;
                    if now < at { Way::Later { rule, at } } else { Way::Grant { rule } }
                }
            }
        }
    }
}

/// The rule that approves a candidate by itself, and when; `None` when people decide or nothing is waited for.
pub(crate) fn approves_later<'a>(
    state: &'a State,
    entry: &CandidateEntry,
    now: Timestamp,
) -> Option<(&'a str, Timestamp)> {
    let Candidate::Trialled(trialled) = &entry.candidate else { return None };
    match way(&state.policy.as_ref()?.0, entry, trialled, now) {
        Way::Later { rule, at } => Some((rule, at)),
        Way::Grant { .. } | Way::Ask { .. } => None,
    }
}

/// Approves, asks, or says when to look again.
pub(super) fn approve(
    state: &State,
    now: Timestamp,
    id: CandidateId,
    entry: &CandidateEntry,
    trialled: &Trialled,
    facts: &mut Facts,
) -> Option<Timestamp> {
    let (policy, _) = state.policy.as_ref()?;
    match way(policy, entry, trialled, now) {
        // At the end of time it would expire as it is given, and be given again, without end.
        Way::Grant { .. } if now.plus_secs(policy.otherwise.expires_secs.into()) <= now => None,
        Way::Grant { rule } => {
            let by = ApprovedBy::Rule { rule: rule.into() };
            granted(now, id, trialled, by, policy.otherwise.expires_secs, facts);
            None
        }
        Way::Later { rule: _, at } => Some(at),
        Way::Ask { rule, from } => {
            if entry.ask.is_none() {
                let ask = AskId(state.asks + 1);
                facts.push(RichFact::ApprovalAsked { candidate: id, ask, rule, from: from.clone() }.into());
            }
            None
        }
    }
}

/// The granted fact. What the newly approved candidate replaces looks at that in its own step (semantics S11).
fn granted(
    now: Timestamp,
    id: CandidateId,
    trialled: &Trialled,
    by: ApprovedBy,
    expires_secs: u32,
    facts: &mut Facts,
) {
    let patch = trialled.identified().patch();
    let expires = now.plus_secs(expires_secs.into());
    facts.push(RichFact::ApprovalGranted { candidate: id, by, content: patch.content, expires }.into());
}

/// One person approves. What is missing to the quorum afterwards, or why the vote does not count.
pub(super) fn vote(
    state: &State,
    now: Timestamp,
    id: CandidateId,
    by: &crate::ids::Actor,
    reason: &str,
    facts: &mut Facts,
) -> Result<u8, NoVote> {
    let entry = state.candidate(id).ok_or(NoVote::NotAsked)?;
    let Candidate::Trialled(trialled) = &entry.candidate else {
        return Err(NoVote::NotAsked);
    };
    let ask = entry.ask.as_ref().ok_or(NoVote::NotAsked)?;
    if !by.has_role(&ask.from.role) {
        return Err(NoVote::LacksRole(ask.from.role.clone()));
    }
    if entry.waived_by.as_ref() == Some(&by.name) {
        return Err(NoVote::OwnWaiver);
    }
    if let crate::candidate::Evidence::Waived { until, .. } = trialled.evidence()
        && now >= *until
    {
        return Err(NoVote::WaiverOver(*until));
    }
    if ask.votes.contains(&by.name) {
        return Err(NoVote::Twice);
    }
    facts.push(RichFact::ApprovalVoted { candidate: id, by: by.name.clone(), reason: reason.into() }.into());
    let votes = ask.votes.len() + 1;
    let missing = usize::from(ask.from.quorum).saturating_sub(votes);
    if missing == 0 {
        let mut names = vec![];
        names.extend(ask.votes.iter().cloned());
        names.push(by.name.clone());
        let approved_by = ApprovedBy::People { names, rule: ask.rule.clone(), reason: reason.into() };
        granted(now, id, trialled, approved_by, ask.from.expires_secs, facts);
    }
    Ok(u8::try_from(missing).unwrap_or(u8::MAX))
}

/// Why a vote does not count.
pub(super) enum NoVote {
    NotAsked,
    LacksRole(String),
    OwnWaiver,
    WaiverOver(Timestamp),
    Twice,
}
