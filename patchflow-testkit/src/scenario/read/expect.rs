//! What must be true: the sentences behind `expect`.

use super::super::diagnose::Diagnostic;
use super::super::line::Kind;
use super::super::story::{Condition, Many, OrderKind, Orders, PhaseWord, Whom};
use super::super::words::{Read, Words};
use super::cast::level;
use super::names::Names;
use patchflow_core::fleet::{HookStage, NoticeKind};
use patchflow_core::rollout::{Phase, RingState, RolloutState};

const RING_STATES: [(&str, RingState); 7] = [
    ("pending", RingState::Pending),
    ("open", RingState::Open),
    ("settled", RingState::Settled),
    ("held", RingState::Held),
    ("promoted", RingState::Promoted),
    ("skipped", RingState::Skipped),
    ("halted", RingState::Halted),
];

const ROLLOUT_STATES: [(&str, RolloutState); 6] = [
    ("running", RolloutState::Running),
    ("paused", RolloutState::Paused),
    ("halted", RolloutState::Halted),
    ("cancelled", RolloutState::Cancelled),
    ("completed", RolloutState::Completed),
    ("ended", RolloutState::Ended),
];

const CANDIDATE_STATES: [(&str, &str); 6] = [
    ("identified", "identified"),
    ("waiting_for_approval", "waiting for approval"),
    ("approved", "approved"),
    ("rejected", "rejected"),
    ("superseded", "superseded"),
    ("withdrawn", "withdrawn"),
];

pub(crate) const CLASSES: [&str; 10] = [
    "waiting",
    "in_flight",
    "verified",
    "failed",
    "unknown",
    "deferred",
    "skipped",
    "cancelled",
    "held",
    "removed",
];

const NOTICES: [(&str, NoticeKind); 21] = [
    ("halted", NoticeKind::Halted),
    ("ring_held", NoticeKind::RingHeld),
    ("trial_failed", NoticeKind::TrialFailed),
    ("approval_asked", NoticeKind::ApprovalAsked),
    ("operator_needed", NoticeKind::OperatorNeeded),
    ("hook_failed", NoticeKind::HookFailed),
    ("wrong_content", NoticeKind::WrongContent),
    ("start_refused", NoticeKind::StartRefused),
    ("candidate_held", NoticeKind::CandidateHeld),
    ("deadline_neared", NoticeKind::DeadlineNeared),
    ("deadline_passed", NoticeKind::DeadlinePassed),
    ("window_passed", NoticeKind::WindowPassed),
    ("drill_failed", NoticeKind::DrillFailed),
    ("drill_overdue", NoticeKind::DrillOverdue),
    ("path_lapsed", NoticeKind::PathLapsed),
    ("withdrawn", NoticeKind::Withdrawn),
    ("rolled_back", NoticeKind::RolledBack),
    ("reboots_stopped", NoticeKind::RebootsStopped),
    ("quarantined", NoticeKind::Quarantined),
    ("onboarded", NoticeKind::Onboarded),
    ("ended", NoticeKind::Ended),
];

/// The words for the phases: those of the journal.
pub(crate) fn phase_word(phase: Phase) -> String {
    serde_json::to_value(phase).ok().and_then(|word| word.as_str().map(String::from)).unwrap_or_default()
}

fn phase(words: &mut Words<'_>) -> Read<PhaseWord> {
    let token = words.word("a phase")?;
    match token.text.as_str() {
        "in_flight" => return Ok(PhaseWord::InFlight),
        "unknown" => return Ok(PhaseWord::Unknown),
        _ => {}
    }
    let known: Vec<(String, Phase)> = Phase::ALL.map(|phase| (phase_word(phase), phase)).into();
    match known.iter().find(|(word, _)| token.is(word)) {
        Some((_, phase)) => Ok(PhaseWord::Phase(*phase)),
        None => {
            let words = known.iter().map(|(word, _)| word.as_str()).chain(["in_flight", "unknown"]);
            Err(Diagnostic::unknown(token.at, "phase", &token.text, words))
        }
    }
}

/// `3`, `at least 3`, `at most 3`.
fn many(words: &mut Words<'_>) -> Read<Many> {
    if words.take_all(&["at", "least"]) {
        return words.number("a number").map(Many::AtLeast);
    }
    if words.take_all(&["at", "most"]) {
        return words.number("a number").map(Many::AtMost);
    }
    words.number("a number, `at least 3` or `at most 3`").map(Many::Exactly)
}

/// `: 3` and the like; without it, at least one.
fn counted(words: &mut Words<'_>) -> Read<Many> {
    if words.take(":") { many(words) } else { Ok(Many::AtLeast(1)) }
}

fn because(words: &mut Words<'_>) -> Read<Option<String>> {
    if words.take("because") { words.text("words of the reason, in quotes").map(Some) } else { Ok(None) }
}

fn containing(words: &mut Words<'_>) -> Read<Option<String>> {
    if words.take("contains") { words.text("words, in quotes").map(Some) } else { Ok(None) }
}

fn order_kind(words: &mut Words<'_>) -> Option<OrderKind> {
    let (kind, _) = [
        (OrderKind::Any, ["order", "orders"]),
        (OrderKind::Install, ["install", "installs"]),
        (OrderKind::Revert, ["revert", "reverts"]),
        (OrderKind::Reboot, ["reboot", "reboots"]),
    ]
    .into_iter()
    .find(|(_, forms)| words.peek().is_some_and(|token| forms.iter().any(|form| token.is(form))))?;
    words.next();
    Some(kind)
}

fn orders(names: &Names, kind: OrderKind, words: &mut Words<'_>) -> Read<Orders> {
    let to = if words.take("to") { names.whom(words)? } else { Whom::Everybody };
    Ok(Orders { kind, to, patch: names.any_patch(words)? })
}

const BEGINNINGS: &str = "endpoints and a phase, `ring`, `rollout`, `trial`, `candidate`, `counts`, \
                          `orders`, `drains`, `resumes`, `stagings`, `fact`, `explain`, `notice`, `hold`, `strays`, `question`, or `at most`";

/// Everything that may be true, up to the end of the sentence.
pub(super) fn condition(names: &Names, words: &mut Words<'_>) -> Read<Condition> {
    let Some(first) = words.peek() else { return Err(words.expected(BEGINNINGS)) };
    if first.kind != Kind::Word {
        return Err(words.expected(BEGINNINGS));
    }
    if let Some(kind) = order_kind(words) {
        let one = first.text.ends_with(|c| c != 's');
        let orders_meant = orders(names, kind, words)?;
        if words.take("before") {
            let Some(kind) = order_kind(words) else { return Err(words.expected("another order")) };
            return Ok(Condition::Before(orders_meant, orders(names, kind, words)?));
        }
        if !one || words.peek().is_some_and(|token| token.is(":")) {
            words.want(":")?;
            return Ok(Condition::Orders { orders: orders_meant, many: many(words)? });
        }
        let meanwhile = if words.take("while") { Some(Box::new(condition(names, words)?)) } else { None };
        return Ok(Condition::OrderLeaves { orders: orders_meant, meanwhile });
    }
    let mut ahead = *words;
    ahead.next();
    match first.text.as_str() {
        "ring" => ring(names, words),
        "rollout" | "trial" => {
            let mut of = *words;
            let rolled = rolled(names, &mut of)?;
            *words = of;
            let state = words.one_of("state of a rollout", &ROLLOUT_STATES)?;
            Ok(Condition::RolloutState { of: rolled, state, because: because(words)? })
        }
        "candidate" => {
            *words = ahead;
            let patch = match words.peek() {
                Some(token) if CANDIDATE_STATES.iter().any(|(word, _)| token.is(word)) => {
                    names.patch_after(words, "of")?
                }
                Some(_) | None => names.patch(words)?,
            };
            let state = words.one_of("state of a candidate", &CANDIDATE_STATES)?;
            Ok(Condition::Candidate { patch, state: state.into() })
        }
        "counts" => {
            *words = ahead;
            counts(names, words)
        }
        "fact" => {
            *words = ahead;
            let kind = words.word("the kind of the fact, such as ring_opened")?.text.clone();
            Ok(Condition::Facts { kind, words: containing(words)?, many: counted(words)? })
        }
        "explain" => {
            *words = ahead;
            let endpoint = names.one_endpoint(words)?;
            let patch = names.patch_after(words, "for")?;
            words.want("contains")?;
            Ok(Condition::Explain { endpoint, patch, words: words.text("words, in quotes")? })
        }
        "notice" => {
            *words = ahead;
            let kind = words.one_of("kind of notice", &NOTICES)?;
            Ok(Condition::Notice { kind, words: containing(words)?, many: counted(words)? })
        }
        "drain" | "drains" | "resume" | "resumes" => {
            *words = ahead;
            let stage = if first.text.starts_with("drain") { HookStage::Pre } else { HookStage::Post };
            let on = if words.take("of") { names.whom(words)? } else { Whom::Everybody };
            Ok(Condition::Hooks { stage, on, many: counted(words)? })
        }
        "staging" | "stagings" => {
            *words = ahead;
            let on = if words.take("of") { names.whom(words)? } else { Whom::Everybody };
            Ok(Condition::Stagings { on, many: counted(words)? })
        }
        "hold" => {
            *words = ahead;
            words.want("on")?;
            let held = names.endpoints(words)?;
            Ok(Condition::Held { names: held, patch: names.patch_after(words, "for")?, held: true })
        }
        "strays" => {
            *words = ahead;
            words.take(":");
            many(words).map(Condition::Strays)
        }
        "question" => {
            *words = ahead;
            let patch = names.patch_after(words, "for")?;
            words.want("to")?;
            Ok(Condition::Asked { patch, role: Some(words.word("a role")?.text.clone()) })
        }
        "no" => {
            *words = ahead;
            no(names, words)
        }
        "at" => {
            let many = many(words)?;
            words.want("in")?;
            words.want("flight")?;
            let whom = if words.take("of") { names.whom(words)? } else { Whom::Everybody };
            Ok(Condition::InFlight { whom, many })
        }
        _ => endpoints(names, words),
    }
}

fn rolled(names: &Names, words: &mut Words<'_>) -> Read<super::super::story::Rolled> {
    if words.take("rollout") {
        return names.rolled_after(words);
    }
    words.want("trial")?;
    let mut of = names.rolled_after(words)?;
    of.kind = patchflow_core::rollout::RolloutKind::Trial;
    Ok(of)
}

fn ring(names: &Names, words: &mut Words<'_>) -> Read<Condition> {
    let ring = names.ring(words)?;
    if words.take("has") {
        let many = many(words)?;
        if !words.take("endpoint") {
            words.want("endpoints")?;
        }
        return Ok(Condition::RingSize { ring, many });
    }
    if words.take("holds") {
        return Ok(Condition::RingHolds { ring, names: names.endpoints(words)? });
    }
    if words.take("all") {
        let whom = Whom::Ring(ring.clone());
        return Ok(Condition::Phase { whom, is: true, phase: phase(words)?, patch: ring.of.patch });
    }
    let state = words.one_of("state of a ring", &RING_STATES)?;
    Ok(Condition::RingState { ring, state, because: because(words)? })
}

fn counts(names: &Names, words: &mut Words<'_>) -> Read<Condition> {
    let ring = match words.peek() {
        Some(token) if token.is("ring") => Some(names.ring(words)?),
        Some(_) | None => None,
    };
    let of = match &ring {
        Some(ring) => ring.of,
        None => names.rolled_after(words)?,
    };
    words.want(":")?;
    let mut counts: Vec<(String, u32)> = Vec::new();
    loop {
        let token = words.word("a class, such as verified")?;
        if !CLASSES.contains(&token.text.as_str()) {
            return Err(Diagnostic::unknown(token.at, "class", &token.text, CLASSES));
        }
        if counts.iter().any(|(class, _)| *class == token.text) {
            return Err(Diagnostic::new(token.at, format!("`{}` is counted twice", token.text)));
        }
        counts.push((token.text.clone(), words.number("how many")?));
        if !words.take(",") {
            return Ok(Condition::Counts { of, ring, counts });
        }
    }
}

/// `no rollout`, `no trial`, `no fact ...`, `no hold on ...`, `no question`, `no orders ...`, `no notice ...`.
fn no(names: &Names, words: &mut Words<'_>) -> Read<Condition> {
    if words.peek().is_some_and(|token| token.is("rollout") || token.is("trial")) {
        return rolled(names, words).map(Condition::NoRollout);
    }
    let place = words.at();
    if words.peek().is_some_and(|token| token.is("no")) {
        return Err(words.expected("what there is none of"));
    }
    let condition = condition(names, words)?;
    let none = Many::Exactly(0);
    match condition {
        Condition::Facts { kind, words, .. } => Ok(Condition::Facts { kind, words, many: none }),
        Condition::Notice { kind, words, .. } => Ok(Condition::Notice { kind, words, many: none }),
        Condition::Hooks { stage, on, .. } => Ok(Condition::Hooks { stage, on, many: none }),
        Condition::Stagings { on, .. } => Ok(Condition::Stagings { on, many: none }),
        Condition::OrderLeaves { orders, meanwhile: None } => Ok(Condition::Orders { orders, many: none }),
        Condition::Held { names, patch, .. } => Ok(Condition::Held { names, patch, held: false }),
        Condition::Asked { patch, .. } => Ok(Condition::Asked { patch, role: None }),
        _ => Err(Diagnostic::new(place, "`no` does not go with this sentence")
            .hint("it goes with `rollout`, `trial`, `fact`, `notice`, `order to`, `drain of`, `staging of`, `hold on` and `question`")),
    }
}

/// `e1..e5 verified`, `e1 not verified for webd=1.1`, `e1 has webd=1.1`, `e1 lacks webd`.
fn endpoints(names: &Names, words: &mut Words<'_>) -> Read<Condition> {
    let whom = names.whom(words).map_err(|flaw| {
        // A single word that is no endpoint may have been meant as another kind of sentence.
        let is_far = !flaw.hint.starts_with("did you");
        if is_far { flaw.hint(format!("expectations begin with {BEGINNINGS}")) } else { flaw }
    })?;
    if let Whom::These(names) = &whom {
        if words.take("has") || words.take("have") {
            let (package, version) = level(words)?;
            return Ok(Condition::Level { names: names.clone(), package, version: Some(version) });
        }
        if words.take("lacks") || words.take("lack") {
            let package = super::cast::package(words)?;
            return Ok(Condition::Level { names: names.clone(), package, version: None });
        }
    }
    let is = !words.take("not");
    let phase = phase(words)?;
    Ok(Condition::Phase { whom, is, phase, patch: names.patch_after(words, "for")? })
}
