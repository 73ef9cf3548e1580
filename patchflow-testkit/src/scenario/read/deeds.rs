//! Sentences about what endpoints do and what happens to them, and about vendors and the host.

use super::super::diagnose::Diagnostic;
use super::super::policy::{FAILURES, SEVERITIES, tag};
use super::super::story::{Deed, Event, HookManner, Manner, Operated};
use super::super::words::{Read, Words, time};
use super::cast::{PATHS, level, package};
use super::names::Names;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::HookStage;

/// The verbs of endpoints, in the singular and in the plural.
const VERBS: [&str; 59] = [
    "fails",
    "fail",
    "installs",
    "install",
    "lies",
    "lie",
    "sickens",
    "sicken",
    "goes",
    "go",
    "says",
    "say",
    "breaks",
    "break",
    "never",
    "acknowledges",
    "acknowledge",
    "reports",
    "report",
    "wants",
    "want",
    "behaves",
    "behave",
    "is",
    "are",
    "joins",
    "join",
    "leaves",
    "leave",
    "has",
    "have",
    "loses",
    "lose",
    "moves",
    "move",
    "gets",
    "get",
    "rolls",
    "roll",
    "reboots",
    "reboot",
    "lacks",
    "lack",
    "answers",
    "answer",
    "drains",
    "drain",
    "resumes",
    "resume",
    "stages",
    "stage",
    "puts",
    "put",
    "shows",
    "show",
    "waits",
    "wait",
    "turns",
    "turn",
];

pub(super) fn verbs() -> impl Iterator<Item = &'static str> {
    VERBS.into_iter()
}

pub(super) fn is_verb(word: &str) -> bool {
    VERBS.contains(&word)
}

/// What stands behind the names of endpoints.
pub(super) fn deed(names: &Names, words: &mut Words<'_>) -> Read<Deed> {
    let verb = words.word("what they do")?;
    let install =
        |words: &mut Words<'_>, manner| Ok(Deed::Operate(Operated::Install(names.any_patch(words)?), manner));
    match verb.text.as_str() {
        "fails" | "fail" if words.take_all(&["to", "drain"]) => hook_fails(HookStage::Pre, words),
        "fails" | "fail" if words.take_all(&["to", "resume"]) => hook_fails(HookStage::Post, words),
        "fails" | "fail" if words.take_all(&["to", "stage"]) => match hook_fails(HookStage::Pre, words)? {
            Deed::Hook(_, manner) => Ok(Deed::Stage(manner)),
            _ => Err(words.expected("how it fails")),
        },
        "fails" | "fail" => {
            let of = if words.take_all(&["to", "roll", "back"]) {
                Some(Operated::Revert)
            } else if words.take_all(&["to", "reboot"]) {
                Some(Operated::Reboot)
            } else {
                None
            };
            let manner = failure(words)?;
            match of {
                Some(of) => Ok(Deed::Operate(of, manner)),
                None => install(words, manner),
            }
        }
        "installs" | "install" => {
            words.want("in")?;
            let manner = Manner::Takes(words.secs("how long it takes, such as 20m")?);
            install(words, manner)
        }
        "rolls" | "roll" => {
            words.want("back")?;
            words.want("in")?;
            Ok(Deed::Operate(Operated::Revert, Manner::Takes(words.secs("how long it takes, such as 20m")?)))
        }
        "reboots" | "reboot" => {
            words.want("in")?;
            Ok(Deed::Operate(Operated::Reboot, Manner::Takes(words.secs("how long it takes, such as 5m")?)))
        }
        "drains" | "drain" => hook_takes(HookStage::Pre, words),
        "resumes" | "resume" => hook_takes(HookStage::Post, words),
        "stages" | "stage" if words.take_all(&["other", "content"]) => Ok(Deed::StageOther),
        "stages" | "stage" => {
            words.want("in").map_err(|_| words.expected("`in 5m` or `other content`"))?;
            Ok(Deed::Stage(HookManner::Takes(words.secs("how long it takes, such as 5m")?)))
        }
        "lies" | "lie" => install(words, Manner::Lies),
        "sickens" | "sicken" => install(words, Manner::Sickens),
        "goes" | "go" if words.take("into") => words.want("service").map(|()| Deed::Service),
        "goes" | "go" => {
            words.want("silent")?;
            install(words, Manner::GoesSilent)
        }
        "says" | "say" => {
            words.want("nothing")?;
            install(words, Manner::SaysNothing)
        }
        "breaks" | "break" => install(words, Manner::Breaks),
        "never" if words.take("drains") || words.take("drain") => {
            Ok(Deed::Hook(HookStage::Pre, HookManner::NeverEnds))
        }
        "never" if words.take("resumes") || words.take("resume") => {
            Ok(Deed::Hook(HookStage::Post, HookManner::NeverEnds))
        }
        "never" if words.take("stages") || words.take("stage") => Ok(Deed::Stage(HookManner::NeverEnds)),
        "never" => {
            if !words.take("acknowledges") {
                words.want("acknowledge")?;
            }
            install(words, Manner::NeverAcknowledges)
        }
        "acknowledges" | "acknowledge" => {
            words.want("after")?;
            let manner = Manner::AcknowledgesAfter(words.secs("how long it takes, such as 10m")?);
            install(words, manner)
        }
        "reports" | "report" => {
            let manner = if words.take("twice") {
                Manner::ReportsTwice
            } else if words.take_all(&["late", "by"]) {
                Manner::ReportsLate(words.secs("how late, such as 2h")?)
            } else {
                return Err(words.expected("`twice` or `late by 2h`"));
            };
            install(words, manner)
        }
        "wants" | "want" => {
            words.want("a")?;
            words.want("reboot")?;
            install(words, Manner::WantsReboot)
        }
        "behaves" | "behave" => Ok(Deed::Behave),
        "answers" | "answer" => Ok(Deed::Answers(!words.take("nothing"))),
        "is" | "are" if words.take_all(&["out", "of", "contact"]) => Ok(Deed::Contact(false)),
        "is" | "are" if words.take_all(&["in", "contact"]) => Ok(Deed::Contact(true)),
        "turns" | "turn" if words.take_all(&["out", "to", "be", "machine"]) => {
            Ok(Deed::Fingerprint(words.text("what tells the machine from others")?))
        }
        "turns" | "turn" => Err(words.expected("`out to be machine NAME`")),
        "waits" | "wait" if words.take_all(&["for", "a", "reboot"]) => Ok(Deed::AwaitReboot(true)),
        "waits" | "wait" if words.take_all(&["for", "no", "reboot"]) => Ok(Deed::AwaitReboot(false)),
        "waits" | "wait" => Err(words.expected("`for a reboot` or `for no reboot`")),
        "puts" | "put" => put_off(words),
        "shows" | "show" => {
            words.want("progress")?;
            words.want("every")?;
            let manner = Manner::Progresses(words.secs("how often, such as 30m")?);
            install(words, manner)
        }
        "is" | "are" => words
            .one_of(
                "state of an endpoint",
                &[
                    ("offline", Deed::Reachable(false)),
                    ("online", Deed::Reachable(true)),
                    ("unreadable", Deed::Readable(false)),
                    ("readable", Deed::Readable(true)),
                    ("stale", Deed::Stale),
                    ("sick", Deed::Sick(true)),
                    ("well", Deed::Sick(false)),
                ]
                .each_ref()
                .map(|(word, deed)| (*word, deed)),
            )
            .cloned(),
        "joins" | "join" => Ok(Deed::Join),
        "has" | "have" => level(words).map(|(package, version)| Deed::Level(package, Some(version))),
        "lacks" | "lack" => Ok(Deed::Level(package(words)?, None)),
        "loses" | "lose" if words.take("manager") => Ok(Deed::Manager(None)),
        "loses" | "lose" => words.want("power").map(|()| Deed::PowerCut),
        "moves" | "move" => {
            words.want("to")?;
            words.want("scope")?;
            Ok(Deed::Scope(words.word("a scope, such as acme/berlin")?.text.clone()))
        }
        "leaves" | "leave" if words.take("group") => Ok(Deed::Group(None)),
        "leaves" | "leave" => Ok(Deed::Leave),
        "gets" | "get" => {
            if words.take_all(&["content", "of"]) {
                return names.patch(words).map(Deed::Carried);
            }
            if words.take("manager") {
                return Ok(Deed::Manager(Some(words.text("the name of a patch manager")?)));
            }
            if words.take("path") {
                let path = words.one_of("way back", &PATHS)?;
                let until =
                    if words.take("until") { Some(time(words.word("a time")?, names.starts)?) } else { None };
                return Ok(Deed::Path(path, until));
            }
            if words.take("group") {
                return Ok(Deed::Group(Some(words.text("the name of a group")?)));
            }
            if words.take("calendar") {
                return Ok(Deed::Calendar(words.text("the name of a calendar")?));
            }
            words.want("tag")?;
            tag(words).map(|(name, value)| Deed::Tag(name, value))
        }
        other => Err(Diagnostic::unknown(verb.at, "verb", other, VERBS)),
    }
}

/// `puts it off by 1h`, `puts it off 2 times by 1h`, `puts the reboot off by 1h`.
fn put_off(words: &mut Words<'_>) -> Read<Deed> {
    let of = if words.take_all(&["the", "reboot"]) {
        Operated::Reboot
    } else {
        words.want("it").map_err(|_| words.expected("`it off` or `the reboot off`"))?;
        Operated::Install(None)
    };
    words.want("off")?;
    let mut times = 1;
    if words.peek_behind().is_some_and(|next| next.is("times")) {
        times = u8::try_from(words.number("how often")?).unwrap_or(u8::MAX);
        words.next();
    }
    words.want("by")?;
    Ok(Deed::Operate(of, Manner::PutOff(times, words.secs("how long, such as 1h")?)))
}

/// `drains in 5m`, `resumes in 5m`.
fn hook_takes(stage: HookStage, words: &mut Words<'_>) -> Read<Deed> {
    words.want("in")?;
    Ok(Deed::Hook(stage, HookManner::Takes(words.secs("how long it takes, such as 5m")?)))
}

fn hook_fails(stage: HookStage, words: &mut Words<'_>) -> Read<Deed> {
    match failure(words)? {
        Manner::Fails(kind, first, detail) => Ok(Deed::Hook(stage, HookManner::Fails(kind, first, detail))),
        _ => Err(words.expected("how it fails")),
    }
}

/// `with script_failed 2 times saying "..."`, all of it if wanted.
fn failure(words: &mut Words<'_>) -> Read<Manner> {
    let kind = if words.take("with") {
        words.one_of("kind of failure", &FAILURES)?
    } else {
        FailureKind::ScriptFailed
    };
    let first = if words.take("once") {
        Some(1)
    } else if words.peek_behind().is_some_and(|next| next.is("times")) {
        let n = words.number("a number")?;
        words.next();
        Some(n)
    } else {
        None
    };
    let detail =
        if words.take("saying") { words.text("what it says, in quotes")? } else { "scripted".into() };
    Ok(Manner::Fails(kind, first, detail))
}

/// `vendor publishes ...`.
pub(super) fn vendor(names: &Names, words: &mut Words<'_>) -> Read<Event> {
    if words.take("publishes") {
        return names.patch(words).map(Event::Publish);
    }
    if words.take("withdraws") {
        let patch = names.patch(words)?;
        return words.because().map(|reason| Event::Pull(patch, reason));
    }
    if words.take("rates") {
        let patch = names.patch(words)?;
        return Ok(Event::Rate(patch, words.one_of("severity", &SEVERITIES)?));
    }
    Err(words.expected("`publishes`, `rates` or `withdraws`"))
}

/// `host crashes`, `host is away for 3d`, `host rescans`, `host writes a baseline`.
pub(super) fn host(words: &mut Words<'_>) -> Read<Event> {
    if words.take("crashes") {
        return Ok(Event::Crash);
    }
    if words.take_all(&["is", "away", "for"]) {
        return words.secs("how long, such as 3d").map(Event::Away);
    }
    if words.take("rescans") {
        return Ok(Event::Rescan);
    }
    if words.take_all(&["writes", "a", "baseline"]) {
        return Ok(Event::Baseline);
    }
    Err(words.expected("`crashes`, `is away for 3d`, `rescans` or `writes a baseline`"))
}

/// `clock is 2h ahead`, `clock is 2h behind`, `clock is right`.
pub(super) fn clock(words: &mut Words<'_>) -> Read<Event> {
    words.want("is")?;
    if words.take("right") {
        return Ok(Event::Clock(0));
    }
    let millis = i64::try_from(words.secs("how far, such as 2h")?).unwrap_or(0) * 1000;
    let ahead = words.one_of("side", &[("ahead", true), ("behind", false)])?;
    Ok(Event::Clock(if ahead { millis } else { -millis }))
}

/// `ring pilot raises 2 alerts`, `ring pilot raises unknown alerts`.
pub(super) fn alerts(names: &Names, words: &mut Words<'_>) -> Read<Event> {
    let ring = names.ring(words)?;
    words.want("raises")?;
    let new = match words.take("unknown") {
        true => None,
        false => Some(words.number("how many, or `unknown`")?),
    };
    if !words.take("alert") {
        words.want("alerts")?;
    }
    Ok(Event::Alerts(ring, new))
}
