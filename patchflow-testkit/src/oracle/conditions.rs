//! Nothing is ordered where a condition forbids it: out of reach, stale, in quarantine, another's, waiting for a reboot
//! of its own, or rebooted too often. People put off only as often as they may.

use super::condition_entry::{starts, takes_back};
use super::{Ledger, Oracle, Standing, member_fact, rich_fact};
use crate::sim::Sight;
use patchflow_core::fleet::RichFact;
use patchflow_core::ids::{MemberIx, RolloutId};
use patchflow_core::inventory::Environment;
use patchflow_core::rollout::Event;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct ConditionsHeeded {
    put_off: BTreeMap<(RolloutId, MemberIx, bool), u8>,
}

/// A day, less a second that the engine's clock of whole seconds may take.
const NEARLY_A_DAY_SECS: u64 = 86_399;

impl Oracle for ConditionsHeeded {
    fn name(&self) -> &'static str {
        "conditions of endpoints heeded"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        match rich_fact(&sight) {
            Some((RichFact::OperationPutOff { rollout, member, reboot, until }, _)) => {
                let Some(entry) = ledger.rollout(*rollout) else { return };
                let n = self.put_off.entry((*rollout, *member, *reboot)).or_default();
                *n = n.saturating_add(1);
                let policy = &entry.policy;
                let max = if *reboot { policy.reboot.deferrals_max } else { policy.deploy.deferrals_max };
                if *n > max {
                    says(format!("{member} of {rollout} was put off {n} times, {max} are allowed"));
                }
                let due = ledger.candidate(entry.candidate).and_then(|candidate| candidate.due);
                if due.is_some_and(|due| *until > due) {
                    says(format!("{member} of {rollout} was put off until {until}, past its due date"));
                }
            }
            Some((RichFact::DrillStarted { rollout, member, .. }, _)) => {
                let endpoint =
                    ledger.member(*rollout, *member).and_then(|member| ledger.endpoint(member.endpoint));
                if endpoint.is_none_or(|entry| entry.gone || entry.environment == Environment::Production) {
                    says(format!("{member} of {rollout} is drilled, and is no test endpoint"));
                }
            }
            _ => {}
        }
        let Some((fact, at)) = member_fact(&sight) else { return };
        let Some(rollout) = ledger.rollout(fact.rollout) else { return };
        let Some(member) = ledger.member(fact.rollout, fact.member) else { return };
        let Some(endpoint) = ledger.endpoint(member.endpoint) else { return };
        let known = &endpoint.state;
        let who = format_args!("{} in {}", endpoint.id, fact.rollout);
        let reboots = fact.event == Event::RebootOrdered;
        let begins = member.standing == Standing::Waiting || member.draining;
        // Its pre hook comes before the reboot that comes first.
        let hooked =
            fact.event == Event::HookAsked && known.reboot_pending && rollout.policy.reboot.preflight;
        let preflight = (reboots && begins) || hooked;
        let starting = matches!(fact.event, Event::Ordered | Event::HookAsked);
        if (starting && !takes_back(fact.event, member)) || preflight {
            if let Some(word) = known.keeps_back() {
                says(format!("{who} was ordered ({:?}), and is {word}", fact.event));
            }
            if known.resuming && (starts(fact.event, member) || preflight) {
                says(format!("{who} was ordered ({:?}) before its post hook was over", fact.event));
            }
            if known.reboot_pending && !preflight {
                says(format!("{who} was ordered ({:?}), and waits for a reboot", fact.event));
            }
            let policy = &rollout.policy.endpoints;
            let lately = u64::from(policy.stale_after_secs) + 1;
            if policy.scan_before_order
                && !preflight
                && known.read_at.is_none_or(|read| read.plus_secs(lately) < at)
            {
                says(format!(
                    "{who} was ordered ({:?}), and was read last at {:?}",
                    fact.event, known.read_at
                ));
            }
        }
        if reboots {
            if known.unreachable || known.quarantined || known.stopped {
                says(format!("{who} was ordered to reboot, and is {known:?}"));
            }
            let lately = known.reboots.iter().filter(|reboot| reboot.plus_secs(NEARLY_A_DAY_SECS) > at);
            let max = usize::from(rollout.policy.reboot.max_reboots);
            if lately.count() >= max {
                says(format!("{who} was ordered to reboot more than {max} times in 24 hours"));
            }
            if preflight && rollout.policy.deploy.hooks.pre.is_some() && !member.draining {
                says(format!("{who} was rebooted before its install, and not drained before that"));
            }
            if preflight && !rollout.policy.reboot.preflight {
                says(format!("{who} was rebooted before its install, and the policy does not say so"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::fleet::EndpointSet;
    use patchflow_core::ids::EndpointIx;

    fn first() -> EndpointSet {
        core::iter::once(EndpointIx(0)).collect()
    }

    fn stage() -> Stage {
        let mut stage = Stage::with(Box::new(ConditionsHeeded::default()));
        stage.policy.reboot.max_reboots = 1;
        stage.policy.deploy.deferrals_max = 1;
        stage.ready(&[2]);
        stage
    }

    #[test]
    fn an_order_against_a_condition_is_caught() {
        let at = stage().now();
        let reason = String::from("so");
        let conditions = [
            (RichFact::EndpointsWentUnreachable { endpoints: first(), since: at }, "out of reach"),
            (RichFact::EndpointsWentStale { endpoints: first() }, "stale"),
            (RichFact::EndpointQuarantined { endpoint: EndpointIx(0), reason }, "quarantine"),
            (RichFact::RebootsPendingSeen { endpoints: first(), pending: true }, "waits for a reboot"),
        ];
        for (fact, word) in conditions {
            let mut stage = stage();
            stage.rich(fact).member(1, Event::Ordered);
            assert!(stage.caught().is_empty());
            stage.member(0, Event::Ordered);
            assert!(stage.caught()[0].contains(word), "{:?}", stage.caught());
        }
    }

    #[test]
    fn a_reboot_too_many_is_caught() {
        let mut stage = stage();
        stage.member(0, Event::Ordered).member(0, Event::InstallReported).member(0, Event::RebootNeeded);
        stage.member(0, Event::RebootOrdered).member(0, Event::Rebooted).member(0, Event::RebootNeeded);
        assert!(stage.caught().is_empty());
        stage.member(0, Event::RebootOrdered);
        assert!(stage.caught()[0].contains("more than 1 times"));
    }

    #[test]
    fn a_deferral_too_many_is_caught() {
        let mut stage = stage();
        stage.member(0, Event::Ordered);
        let until = stage.now();
        let (rollout, member) = (RolloutId(0), MemberIx(0));
        let off = || RichFact::OperationPutOff { rollout, member, reboot: false, until };
        stage.rich(off());
        assert!(stage.caught().is_empty());
        stage.rich(off());
        assert!(stage.caught()[0].contains("2 times"));
    }
}
