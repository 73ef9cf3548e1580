//! Sentences about people: `ada (change-manager) approves webd=1.1 because "tested"`.

use super::super::diagnose::Diagnostic;
use super::super::policy::selector;
use super::super::story::{Ask, Asked, Rolled};
use super::super::words::{Read, Words, time};
use super::names::Names;
use patchflow_core::ids::Actor;
use patchflow_core::policy::Selector;
use patchflow_core::rollout::RolloutKind;

/// What people do.
pub(super) const VERBS: [&str; 25] = [
    "approves",
    "rejects",
    "revokes",
    "withdraws",
    "waives",
    "repeats",
    "starts",
    "pauses",
    "resumes",
    "halts",
    "cancels",
    "lifts",
    "promotes",
    "retries",
    "removes",
    "clears",
    "adopts",
    "skips",
    "revises",
    "places",
    "reconsiders",
    "drills",
    "acknowledges",
    "declares",
    "allows",
];

/// A person with their roles, and what they ask.
pub(super) fn asked(names: &Names, words: &mut Words<'_>) -> Read<Asked> {
    let name = words.word("the name of a person")?.text.clone();
    let mut roles = Vec::new();
    if words.take("(") {
        loop {
            roles.push(words.word("a role")?.text.clone());
            if !words.take(",") {
                break;
            }
        }
        words.want(")")?;
    }
    let by = Actor::new(name.as_str(), roles.iter().map(String::as_str));
    Ok(Asked { by, what: ask(names, words)? })
}

fn ask(names: &Names, words: &mut Words<'_>) -> Read<Ask> {
    let verb = words.word("what they do")?;
    let of = |words: &mut Words<'_>| {
        words.take("the");
        words.take("halt");
        words.take("of");
        names.rolled(words)
    };
    Ok(match verb.text.as_str() {
        "approves" => Ask::Approve(names.patch(words)?, words.because()?),
        "rejects" => Ask::Reject(names.patch(words)?, words.because()?),
        "revokes" => Ask::Revoke(names.patch(words)?, words.because()?),
        "withdraws" => Ask::Withdraw(names.patch(words)?, words.because()?),
        "waives" => {
            let Rolled { patch, .. } = trial(names, words)?;
            words.want("until")?;
            let until = time(words.word("a time")?, names.starts)?;
            Ask::WaiveTrial(patch, until, words.because()?)
        }
        "repeats" => Ask::RepeatTrial(trial(names, words)?.patch),
        "starts" => {
            let patch = names.patch(words)?;
            let mut with = Vec::new();
            if words.take("with") {
                with.push(names.patch(words)?);
                while words.take(",") {
                    with.push(names.patch(words)?);
                }
            }
            let select = if words.take("on") { selector(words)? } else { Selector::All };
            let is_emergency = words.take_all(&["as", "an", "emergency"]);
            let emergency = if is_emergency { Some(words.because()?) } else { None };
            Ask::Start(patch, with, select, emergency)
        }
        "pauses" => Ask::Pause(of(words)?),
        "resumes" => Ask::Resume(of(words)?),
        "halts" => Ask::Halt(of(words)?, words.because()?),
        "cancels" if words.take_all(&["the", "reboot", "of"]) => {
            let endpoint = names.one_endpoint(words)?;
            Ask::CancelReboot(deployment(names.patch_after(words, "for")?), endpoint, words.because()?)
        }
        "allows" => {
            words.want("reboots")?;
            words.want("of")?;
            Ask::AllowReboots(names.one_endpoint(words)?, words.because()?)
        }
        "declares" => {
            words.want("ownership")?;
            words.want("of")?;
            Ask::DeclareOwnership(names.one_endpoint(words)?, words.because()?)
        }
        "acknowledges" => {
            let endpoint = names.one_endpoint(words)?;
            Ask::Acknowledge(deployment(names.patch_after(words, "for")?), endpoint)
        }
        "drills" => {
            let patch = names.patch(words)?;
            words.want("on")?;
            Ask::Drill(patch, names.one_endpoint(words)?)
        }
        "reconsiders" => Ask::Reconsider(names.patch(words)?, words.because()?),
        "clears" if words.take_all(&["the", "quarantine", "of"]) => {
            Ask::ClearQuarantine(names.one_endpoint(words)?, words.because()?)
        }
        "cancels" => Ask::Cancel(of(words)?, words.because()?),
        "lifts" => Ask::LiftHalt(of(words)?, words.because()?),
        "promotes" => Ask::Promote(of(words)?, words.because()?),
        "retries" => {
            let endpoint = names.one_endpoint(words)?;
            Ask::Retry(deployment(names.patch_after(words, "for")?), endpoint)
        }
        "removes" => {
            let endpoint = names.one_endpoint(words)?;
            Ask::Remove(deployment(names.patch_after(words, "from")?), endpoint)
        }
        "clears" => {
            words.take("the");
            words.want("hold")?;
            words.want("on")?;
            let endpoint = names.one_endpoint(words)?;
            Ask::ClearHold(names.patch_after(words, "for")?, endpoint)
        }
        "skips" => Ask::SkipRing(names.ring(words)?, words.because()?),
        "revises" => Ask::Revise(of(words)?, words.because()?),
        "places" => {
            let endpoints = names.endpoints(words)?;
            words.want("in")?;
            Ask::Place(endpoints, names.ring(words)?, words.because()?)
        }
        "adopts" => Ask::Adopt(policy(names, words)?),
        other => {
            return Err(Diagnostic::unknown(verb.at, "verb", other, VERBS));
        }
    })
}

fn policy(names: &Names, words: &mut Words<'_>) -> Read<usize> {
    words.take("policy");
    let token = words.word("the name of a policy")?;
    names.policies.iter().position(|name| *name == token.text).ok_or_else(|| {
        let known = names.policies.iter().map(String::as_str);
        Diagnostic::unknown(token.at, "policy", &token.text, known)
    })
}

fn trial(names: &Names, words: &mut Words<'_>) -> Read<Rolled> {
    words.take("the");
    words.want("trial")?;
    words.want("of")?;
    Ok(Rolled { patch: names.patch(words)?, kind: RolloutKind::Trial })
}

fn deployment(patch: usize) -> Rolled {
    Rolled { patch, kind: RolloutKind::Deployment }
}
