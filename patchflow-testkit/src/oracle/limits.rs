//! A gate halts when its limits say so, not before and not after, and promotes only on what they ask for.

use super::{Ledger, Oracle, RolloutEntry, Standing, member_fact, rich_fact};
use crate::sim::Sight;
use patchflow_core::fleet::RichFact;
use patchflow_core::gate::{LimitScope, Rule, ShareOf};
use patchflow_core::rollout::Event;
use patchflow_core::time::Timestamp;

#[derive(Debug)]
pub(super) struct LimitsKept;

/// A ring counted from its members, without what a lifted halt forgave.
struct Count {
    members: u32,
    counted: u32,
    started: u32,
    verified: u32,
    bad: u32,
    failed: u32,
    skipped: u32,
    unsettled: u32,
    alerts: u32,
}

fn count(rollout: &RolloutEntry, ring: usize) -> Count {
    let members = rollout.ring_members(ring);
    let all = |keep: &dyn Fn(Standing) -> bool| {
        members.iter().filter(|member| keep(member.standing)).count() as u32
    };
    let of = |keep: &dyn Fn(Standing) -> bool| {
        members.iter().filter(|member| !member.forgiven && keep(member.standing)).count() as u32
    };
    Count {
        members: members.len() as u32,
        counted: of(&Standing::is_counted),
        started: of(&|standing| standing.is_counted() && standing != Standing::Waiting),
        verified: of(&|standing| standing == Standing::Verified),
        bad: of(&Standing::is_bad),
        failed: of(&|standing| standing.is_bad() && standing != Standing::Unknown),
        skipped: of(&|standing| standing == Standing::Skipped),
        unsettled: all(&Standing::is_unsettled),
        alerts: rollout.rings.get(ring).map_or(0, |ring| ring.alerts),
    }
}

/// The count or share rule that is broken.
fn broken(rollout: &RolloutEntry, ring: usize) -> Option<Rule> {
    let gate = &rollout.rings.get(ring)?.gate;
    let n = count(rollout, ring);
    let share = |part: u32| u64::from(part) * 100_000;
    let first = if gate.scope == LimitScope::Rollout { 0 } else { ring };
    let over = |of: &dyn Fn(&Count) -> u32| (first..=ring).map(|ring| of(&count(rollout, ring))).sum::<u32>();
    let (bad, started) = (over(&|n| n.bad), over(&|n| n.started));
    if gate.max_failures.is_some_and(|max| bad > max) {
        return Some(Rule::MaxFailures);
    }
    let whole = if gate.of == ShareOf::Started { started } else { over(&|n| n.counted) };
    let beyond = |max: u32| share(bad) > u64::from(max) * u64::from(whole);
    if started >= gate.min_started && gate.max_failure_percent.is_some_and(|max| beyond(max.thousandths())) {
        return Some(Rule::MaxFailurePercent);
    }
    if gate.max_alerts.is_some_and(|max| n.alerts > max) {
        return Some(Rule::MaxAlerts);
    }
    None
}

impl Oracle for LimitsKept {
    fn name(&self) -> &'static str {
        "limits respected"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        if let Some((fact, _)) = member_fact(&sight)
            && fact.event == Event::Ordered
            && let Some(rollout) = ledger.rollout(fact.rollout)
            && let Some(rule) = broken(rollout, usize::from(rollout.ring))
            && rollout.rings.get(usize::from(rollout.ring)).is_some_and(|ring| !ring.passed)
        {
            says(format!("{} of {} was ordered, and {rule:?} is broken", fact.member, fact.rollout));
        }
        match rich_fact(&sight) {
            Some((RichFact::RingPromoted { rollout, ring, by: None, .. }, at)) => {
                if let Some(entry) = ledger.rollout(*rollout) {
                    promoted(entry, usize::from(*ring), at, &mut |text| {
                        says(format!("ring {ring} of {rollout} was promoted, and {text}"));
                    });
                }
            }
            Some((RichFact::RolloutHalted { rollout, ring, verdict: Some(verdict), .. }, _)) => {
                let Some(entry) = ledger.rollout(*rollout) else { return };
                let n = count(entry, usize::from(*ring));
                let gate = &entry.rings[usize::from(*ring)].gate;
                let wanted = u64::from(gate.min_success_percent.thousandths()) * u64::from(n.counted);
                let short = |part: u32| u64::from(part) * 100_000 < wanted;
                let justified = match verdict.rule {
                    Rule::MinSuccessPercent => {
                        short(n.counted - n.failed) || (n.unsettled == 0 && short(n.verified))
                    }
                    Rule::MaxFailures | Rule::MaxFailurePercent | Rule::MaxAlerts => {
                        broken(entry, usize::from(*ring)) == Some(verdict.rule)
                    }
                    _ => true,
                };
                if !justified {
                    says(format!("{rollout} was halted by {:?} without cause", verdict.rule));
                }
            }
            _ => {}
        }
    }
}

fn promoted(rollout: &RolloutEntry, ring: usize, at: Timestamp, says: &mut dyn FnMut(String)) {
    let n = count(rollout, ring);
    let Some(entry) = rollout.rings.get(ring) else { return };
    let gate = &entry.gate;
    if n.unsettled > 0 {
        says(format!("{} members are on their way", n.unsettled));
    }
    if let Some(rule) = broken(rollout, ring) {
        says(format!("{rule:?} is broken"));
    }
    let baked = entry.settled_at.map(|settled| settled.plus_secs(gate.bake_secs_min.into()));
    if gate.bake_secs_min > 0 && baked.is_none_or(|baked| at < baked) {
        says(format!("its bake is not over (settled at {:?})", entry.settled_at));
    }
    if u64::from(n.verified) * 100_000
        < u64::from(gate.min_success_percent.thousandths()) * u64::from(n.counted)
    {
        says(format!("{} of {} are verified", n.verified, n.counted));
    }
    if gate.max_alerts.is_some() && !entry.alerts_known && n.started > 0 {
        says("nobody could tell its alerts".into());
    }
    let wanted = gate.min_verified.max(1).min(n.counted.max(1));
    if n.verified < wanted && n.skipped < n.members {
        says(format!("{} are verified, {wanted} are needed", n.verified));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::gate::Percent;

    fn stage() -> Stage {
        let mut stage = Stage::with(Box::new(LimitsKept));
        let gate = &mut stage.policy.rings[0].gate;
        (gate.max_failures, gate.max_failure_percent, gate.bake_secs_min) = (Some(1), None, 600);
        (gate.min_success_percent, gate.min_verified) = (Percent::whole(50), 1);
        stage.ready(&[4]);
        stage
    }

    #[test]
    fn an_order_after_a_limit_was_passed_is_caught() {
        let mut fine = stage();
        fine.member(0, Event::Ordered).member(0, Event::GaveUp).member(1, Event::Ordered);
        assert!(fine.caught().is_empty());
        fine.member(1, Event::GaveUp).member(2, Event::Ordered);
        assert!(fine.caught()[0].contains("MaxFailures"));
    }

    #[test]
    fn a_promotion_before_the_bake_or_without_success_is_caught() {
        let done = |verified: usize, bake: u64| {
            let mut stage = stage();
            for member in 0..4 {
                let end = if member < verified { Event::Verified } else { Event::Deferred };
                stage.member(member as u32, Event::Ordered).member(member as u32, end);
            }
            stage.settle(0).pass(bake).promote(0);
            stage.caught()
        };
        assert!(done(4, 600).is_empty());
        assert!(done(4, 599)[0].contains("bake"));
        assert!(done(0, 600).iter().any(|text| text.contains("0 are verified")));
    }

    #[test]
    fn a_halt_without_cause_is_caught() {
        let mut stage = stage();
        stage.member(0, Event::Ordered).member(0, Event::GaveUp).halt(0, Rule::MaxFailures);
        assert!(stage.caught()[0].contains("without cause"));
    }
}
