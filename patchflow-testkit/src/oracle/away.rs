//! A host that was away asks before it counts anything against anybody, and halts nothing by its own absence.

use super::{Ledger, Oracle, Standing, member_fact, rich_fact};
use crate::sim::Sight;
use patchflow_core::fleet::RichFact;
use patchflow_core::gate::Rule;
use patchflow_core::rollout::Event;

#[derive(Debug, Default)]
pub(super) struct Absence {
    /// The host is back, orders were overdue, and no resync has begun.
    owes_resync: bool,
    /// Whether the host was away for long, and nothing else has gone wrong: then no gate may halt.
    pub(super) only_fault: bool,
    was_away: bool,
    /// How long the host was away last.
    away_secs: u64,
    /// Somebody counted as silent whose time was over only so lately that the engine cannot tell an absence from a
    /// quiet fleet: it was woken when it asked to be.
    excused: bool,
}

impl Absence {
    /// An observer of a world in which nothing goes wrong but the host's absence.
    pub(super) fn as_only_fault() -> Self {
        Self { only_fault: true, ..Self::default() }
    }
}

impl Oracle for Absence {
    fn name(&self) -> &'static str {
        "absence halts nothing"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        if let Sight::Back(secs, shown) = sight {
            (self.was_away, self.away_secs) = (self.was_away || secs > 900, secs);
            let allowed = ledger.policy.as_ref().map_or(u32::MAX, |policy| policy.deploy.resync_after_secs);
            let overdue = |due: u32| {
                due != 0 && shown > ledger.epoch.plus_secs(u64::from(due) + u64::from(allowed) + 60)
            };
            let operating = |standing| {
                matches!(
                    standing,
                    Standing::Busy | Standing::Undoing | Standing::Unknown | Standing::UndoUnknown
                )
            };
            self.owes_resync = !ledger.resync
                && ledger
                    .rollouts
                    .iter()
                    .flat_map(|rollout| &rollout.members)
                    .any(|member| operating(member.standing) && overdue(member.due));
        }
        match rich_fact(&sight) {
            Some((RichFact::ResyncStarted { .. }, _)) => self.owes_resync = false,
            Some((RichFact::RolloutHalted { rollout, verdict: Some(verdict), .. }, _))
                if self.only_fault && self.was_away && !self.excused && counts_failures(verdict.rule) =>
            {
                says(format!("{rollout} was halted by {:?}, and only the host was away", verdict.rule));
            }
            _ => {}
        }
        let Some((fact, at)) = member_fact(&sight) else { return };
        let before = ledger.member(fact.rollout, fact.member).map(|member| member.standing);
        // Who counted as silent before goes on doing so: an answer that says little makes nothing worse.
        let already = matches!(before, Some(Standing::Unknown | Standing::UndoUnknown));
        let silent = !already
            && matches!(fact.event, Event::WentSilent | Event::StayedSilent | Event::RevertWentSilent);
        if silent && let Some(member) = ledger.member(fact.rollout, fact.member) {
            let allowed = ledger.policy.as_ref().map_or(0, |policy| policy.deploy.resync_after_secs);
            // Back after longer than that, a whole second is enough.
            let late = if self.away_secs > u64::from(allowed) { 0 } else { allowed };
            self.excused |= at <= ledger.epoch.plus_secs(u64::from(member.due) + u64::from(late));
        }
        // A rollback that was cut off is ordered anew by the very answer that was waited for.
        let again = matches!(before, Some(Standing::Undoing | Standing::UndoUnknown));
        let order = matches!(fact.event, Event::Ordered | Event::HookAsked | Event::RebootOrdered)
            || fact.event == Event::RevertOrdered && !again;
        if silent && self.owes_resync {
            says(format!("{} of {} counts as silent, and the host was away", fact.member, fact.rollout));
        }
        if silent && ledger.resync {
            says(format!("{} of {} counts as silent during a resync", fact.member, fact.rollout));
        }
        if order && ledger.resync {
            says(format!(
                "{} of {} was ordered ({:?}) during a resync",
                fact.member, fact.rollout, fact.event
            ));
        }
    }
}

fn counts_failures(rule: Rule) -> bool {
    matches!(rule, Rule::MaxFailures | Rule::MaxFailurePercent | Rule::MinSuccessPercent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;

    #[test]
    fn silence_counted_after_an_absence_is_caught() {
        let caught = |resync: bool| {
            let mut stage = Stage::with(Box::new(Absence::default()));
            stage.ready(&[2]).member_due(0, Event::Ordered, 3600).pass(3 * 86_400);
            let shown = stage.now();
            stage.sight(Sight::Back(3 * 86_400, shown));
            if resync {
                stage.resync();
            }
            stage.member(0, Event::WentSilent);
            stage.caught()
        };
        assert!(caught(true).is_empty());
        assert!(caught(false)[0].contains("the host was away"));
    }

    #[test]
    fn a_halt_by_absence_alone_is_caught() {
        let mut stage = Stage::with(Box::new(Absence::as_only_fault()));
        stage.ready(&[2]).halt(0, Rule::MaxFailures);
        assert!(stage.caught().is_empty());
        let shown = stage.now();
        stage.sight(Sight::Back(86_400, shown)).halt(0, Rule::MaxFailures);
        assert!(stage.caught()[0].contains("only the host was away"));
    }

    #[test]
    fn an_order_during_a_resync_is_caught() {
        let mut stage = Stage::with(Box::new(Absence::default()));
        stage.ready(&[2]).begin_resync().member(0, Event::Ordered);
        assert!(stage.caught()[0].contains("during a resync"));
    }
}
