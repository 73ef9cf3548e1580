//! Endpoints and patches of a story.

use super::happens;
use crate::sim::{Behaviour, Chance, Ends, Happening, Machine, Operation, Purpose, Reading, Step, Story};
use patchflow_core::catalog::{Category, Patch, RebootBehaviour, Severity};
use patchflow_core::digest::Digest;
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::ids::PatchId;
use patchflow_core::plan::RollbackPath;
use patchflow_core::time::Timestamp;

pub(super) const KINDS: [FailureKind; 6] = [
    FailureKind::Busy,
    FailureKind::Network,
    FailureKind::ScriptFailed,
    FailureKind::Interrupted,
    FailureKind::Dependency,
    FailureKind::Disk,
];

pub(super) fn machines(seed: u64, faultless: bool) -> Vec<Machine> {
    let mut chance = Story::chance(seed, Purpose::Fleet);
    chance.number();
    let n = chance.between(1, 12);
    let trouble = if faultless { 0 } else { *chance.pick(&[0, 100, 300, 700]) };
    (0..n)
        .map(|i| {
            let mut machine = machine(&mut Chance::new(seed, Purpose::Behaviour, i), i, trouble);
            if i > 0 && chance.one_in(4) {
                machine = machine.non_production();
            }
            if faultless {
                machine.path = RollbackPath::Reinstall;
            }
            machine
        })
        .collect()
}

/// One endpoint, in trouble so many times in a thousand.
pub(super) fn machine(chance: &mut Chance, i: u64, trouble: u32) -> Machine {
    let mut machine = Machine::new(format!("e{i}"))
        .within(*chance.pick(&["acme", "acme/berlin", "acme/berlin/lab", "acme/paris"]))
        .tagged("ring", *chance.pick(&["pilot", "rest", "rest"]))
        .tagged("group", *chance.pick(&["db", "web", "none"]));
    for package in ["lib", "tool"] {
        match chance.below(12) {
            0 => {}
            1 => {
                machine.wants.insert(package.into());
            }
            2 => machine = machine.with(package, "1.1"),
            _ => machine = machine.with(package, "1.0"),
        }
    }
    machine.path = *chance.pick(&[
        RollbackPath::Reinstall,
        RollbackPath::Reinstall,
        RollbackPath::Reinstall,
        RollbackPath::Switch,
        RollbackPath::Reinstall,
        RollbackPath::Reinstall,
        RollbackPath::Switch,
        RollbackPath::Snapshot,
        if trouble > 0 { RollbackPath::None } else { RollbackPath::Switch },
    ]);
    if trouble > 0 && chance.one_in(4) {
        // Where the policy has no such calendar, such an endpoint never starts.
        machine.calendar = Some((*chance.pick(&["night", "night", "lab", "unknown"])).into());
    }
    machine.behaviour = behaviour(chance, trouble);
    if trouble > 0 && chance.one_in(3) {
        machine.group = Some((*chance.pick(&["db", "web"])).into());
    }
    if trouble > 0 && chance.one_in(2) {
        machine.fingerprint = Some(format!("f{i}"));
    }
    if trouble > 0 && chance.one_in(20) {
        machine.managed_by = Some("another".into());
    }
    machine.onboarding = trouble > 0 && chance.one_in(12);
    machine
}

pub(super) fn behaviour(chance: &mut Chance, trouble: u32) -> Behaviour {
    let mut behaviour = Behaviour::default();
    for operation in [&mut behaviour.install, &mut behaviour.revert, &mut behaviour.reboot] {
        operation.takes_secs = chance.between(1, 60);
        if chance.permille(trouble) {
            *operation = bad_operation(chance);
        }
    }
    behaviour.install.wants_reboot |= trouble > 0 && chance.one_in(4);
    if chance.permille(trouble / 3) {
        behaviour.inspect = match chance.below(3) {
            0 => Reading::Unreadable { detail: "no route".into() },
            1 => Reading::Silent,
            _ => Reading::Shows { after_secs: chance.between(1, 20_000) },
        };
    }
    for hook in [&mut behaviour.drain, &mut behaviour.resume] {
        if chance.permille(trouble / 3) {
            hook.takes_secs = *chance.pick(&[None, Some(0), Some(50), Some(3000)]);
            let first = *chance.pick(&[None, Some(1)]);
            hook.fails = chance.one_in(2).then(|| (*chance.pick(&KINDS), "trouble".into(), first));
        }
    }
    if chance.permille(trouble / 3) {
        behaviour.answers_after_secs = chance.one_in(2).then(|| chance.between(1, 10_000));
    }
    // From a copy, so that the rest of every story stays what it was.
    let mut apart = chance.clone();
    if apart.permille(trouble) {
        behaviour.stage.takes_secs = *apart.pick(&[None, Some(0), Some(50), Some(3000), Some(20_000)]);
        let first = *apart.pick(&[None, Some(1), Some(2)]);
        behaviour.stage.fails =
            apart.one_in(2).then(|| (*apart.pick(&KINDS), "the line is down".into(), first));
        behaviour.stage.wrong = apart.one_in(3);
    }
    behaviour
}

fn bad_operation(chance: &mut Chance) -> Operation {
    let kind = *chance.pick(&KINDS);
    let detail = format!("trouble {}", chance.below(3));
    let ends = match chance.below(10) {
        0 => Ends::Fails { kind, detail, first: None },
        1 | 2 | 9 => Ends::Fails { kind, detail, first: Some(chance.between(1, 3) as u32) },
        3 => Ends::Lies,
        4 => Ends::Sickens,
        5 => Ends::SilentlySucceeds,
        6 => Ends::GoesSilent,
        7 => Ends::Breaks { kind },
        _ => Ends::Succeeds,
    };
    Operation {
        acknowledges_after_secs: match chance.below(4) {
            0 => None,
            1 => Some(chance.between(1, 5000)),
            _ => Some(0),
        },
        takes_secs: chance.between(1, 20_000),
        ends,
        reports_late_secs: if chance.one_in(3) { chance.between(1, 30_000) } else { 0 },
        doubled: chance.one_in(3),
        wants_reboot: chance.one_in(3),
        put_off: chance.one_in(5).then(|| (chance.between(1, 3) as u8, chance.between(60, 20_000))),
        progress_secs: chance.one_in(5).then(|| chance.between(60, 3000)),
        ignores_start_by: false,
    }
}

/// What vendors publish and pull, and when.
pub(super) fn patches(seed: u64, within: u64, steps: &mut Vec<(u64, Step)>) {
    let mut chance = Story::chance(seed, Purpose::Patches);
    let n = *chance.pick(&[1, 1, 1, 2, 2, 3]);
    let mut published: Vec<Patch> = Vec::new();
    for i in 0..n {
        let package = *chance.pick(&["lib", "tool"]);
        let version = format!("1.{}", 1 + published.len() + usize::from(chance.one_in(3)));
        let mut new = patch(package, &version);
        new.category =
            *chance.pick(&[Category::Security, Category::Security, Category::Bugfix, Category::Feature]);
        new.severity = *chance.pick(&[
            Severity::Critical,
            Severity::Critical,
            Severity::High,
            Severity::Low,
            Severity::Unknown,
        ]);
        let begins = Timestamp::from_secs(1_795_248_000);
        new.released = chance.one_in(2).then(|| begins.plus_secs(chance.below(86_400)));
        if chance.one_in(4) {
            let days = *chance.pick(&[1, 5, 40]);
            new.released = Some(Timestamp::from_secs(1_795_248_000 - days * 86_400));
        }
        new.exploited = chance.one_in(6).then_some(begins);
        new.reboot = *chance.pick(&[
            RebootBehaviour::Never,
            RebootBehaviour::Never,
            RebootBehaviour::Possible,
            RebootBehaviour::Required,
        ]);
        new.relations.supersedes = older(&mut chance, &published, 2);
        new.relations.requires = older(&mut chance, &published, 4);
        new.relations.conflicts = older(&mut chance, &published, 6);
        let below = published.iter().find(|old| old.target.package == new.target.package);
        if let Some(below) = below.filter(|_| chance.one_in(4)) {
            new.relations.supersedes.clear();
            new.relations.floors = vec![below.target.version.clone()];
        }
        let at = if i == 0 { 60 } else { chance.below(within) };
        steps.push(happens(at, Happening::Published(Box::new(new.clone()))));
        published.push(new);
    }
    if chance.one_in(12) {
        // The same name with other content.
        let mut again = chance.pick(&published).clone();
        again.content = Digest::of(b"other content");
        steps.push(happens(chance.between(120, within), Happening::Published(Box::new(again))));
    }
    if chance.one_in(6) {
        // The same content with other words about it.
        let mut again = chance.pick(&published).clone();
        again.severity = *chance.pick(&[Severity::Critical, Severity::Low]);
        if chance.one_in(2) {
            again.relations = Default::default();
        }
        steps.push(happens(chance.between(120, within), Happening::Published(Box::new(again))));
    }
    if chance.one_in(12) {
        let pulled = chance.pick(&published).id.clone();
        steps.push(happens(chance.between(120, within), Happening::Pulled(pulled, "it loses data".into())));
    }
}

fn older(chance: &mut Chance, published: &[Patch], one_in: u64) -> Vec<PatchId> {
    if published.is_empty() || !chance.one_in(one_in) {
        return Vec::new();
    }
    vec![chance.pick(published).id.clone()]
}
