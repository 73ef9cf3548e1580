//! Budgets are kept: no more operations under way than the policies allow, and no more endpoints unavailable.

use super::condition_entry::{starts, takes_back};
use super::{Ledger, MemberEntry, Oracle, RolloutEntry, Standing, member_fact};
use crate::sim::Sight;
use patchflow_core::fleet::EndpointFact;
use patchflow_core::rollout::{Event, RolloutKind};
use patchflow_core::time::Timestamp;

#[derive(Debug)]
pub(super) struct Budgets;

/// One budget that a start counts in.
pub(super) struct Budget {
    pub(super) name: &'static str,
    pub(super) taken: usize,
    pub(super) max: usize,
}

/// The budgets of what begins with a fact, as they stand before it.
pub(super) fn budgets(ledger: &Ledger, fact: &EndpointFact, at: Timestamp) -> Vec<Budget> {
    let Some(rollout) = ledger.rollout(fact.rollout) else { return Vec::new() };
    let Some(member) = ledger.member(fact.rollout, fact.member) else { return Vec::new() };
    let installs = starts(fact.event, member);
    let preflight = fact.event == Event::RebootOrdered && member.standing == Standing::Waiting;
    let reverts = takes_back(fact.event, member);
    if !installs && !preflight && !reverts {
        return Vec::new();
    }
    let placed = rollout.members.iter().filter(|member| member.placed).count();
    let mut all =
        vec![Budget { name: "rollout", taken: placed, max: rollout.policy.deploy.in_flight_max as usize }];
    of_ring(rollout, member, reverts, &mut all);
    let Some(policy) = &ledger.policy else { return all };
    let budgets = &policy.budgets;
    let operating = || {
        let members = ledger.rollouts.iter().flat_map(|rollout| &rollout.members);
        members.filter(|member| member.placed).filter_map(|member| ledger.endpoint(member.endpoint))
    };
    let there = || ledger.endpoints.iter().filter(|endpoint| !endpoint.gone);
    if let Some(limit) = budgets.in_flight_max {
        let max = limit.of(there().count() as u32) as usize;
        all.push(Budget { name: "fleet", taken: operating().count(), max });
    }
    let Some(own) = ledger.endpoint(member.endpoint) else { return all };
    for scope in budgets.scopes.iter().filter(|scope| own.scope.is_within(&scope.within)) {
        let n = there().filter(|endpoint| endpoint.scope.is_within(&scope.within)).count();
        let taken = operating().filter(|endpoint| endpoint.scope.is_within(&scope.within)).count();
        all.push(Budget { name: "scope", taken, max: scope.in_flight_max.of(n as u32) as usize });
    }
    if let Some(starts) = budgets.starts_max.filter(|_| installs) {
        let lately = |start: &&Timestamp| start.plus_secs(starts.per_secs.into()) > at;
        let taken = ledger.starts.iter().rev().take_while(lately).count();
        all.push(Budget { name: "starts", taken, max: starts.n as usize });
    }
    if let Some(group) = own.state.group.as_ref().filter(|_| !ledger.is_down(member.endpoint)) {
        let of_group = |i: &usize| {
            let endpoint = &ledger.endpoints[*i];
            !endpoint.gone && endpoint.state.group.as_ref() == Some(group)
        };
        let group: Vec<_> = (0..ledger.endpoints.len()).filter(of_group).collect();
        let down = |i: &&usize| {
            let ix = patchflow_core::ids::EndpointIx(**i as u32);
            // Who works at its old level keeps nobody from coming back.
            ledger.is_down(ix) && !(reverts && ledger.is_back(ix))
        };
        let (taken, n) = (group.iter().filter(down).count(), group.len() as u32);
        all.push(Budget { name: "group", taken, max: budgets.unavailable_max.of(n) as usize });
    }
    all
}

fn of_ring(rollout: &RolloutEntry, member: &MemberEntry, reverts: bool, all: &mut Vec<Budget>) {
    let ring = usize::from(member.ring);
    let Some(entry) = rollout.rings.get(ring).filter(|_| rollout.kind == RolloutKind::Deployment) else {
        return;
    };
    let Some(policy) = rollout.policy.rings.iter().find(|policy| policy.name == entry.name) else { return };
    let members = rollout.ring_members(ring);
    let taken = members.iter().filter(|member| member.placed).count();
    if let Some(limit) = policy.in_flight_max {
        all.push(Budget { name: "ring", taken, max: limit.of(members.len() as u32) as usize });
    }
    let verified = members.iter().filter(|member| member.standing == Standing::Verified).count();
    if verified < policy.probe_first as usize && !reverts {
        let in_flight = |member: &&MemberEntry| {
            matches!(member.standing, Standing::Busy | Standing::WantsReboot | Standing::Backoff)
        };
        // Who was let start before is only kept from starting beside another one.
        let again = member.standing == Standing::Backoff;
        let taken = if again { taken } else { members.iter().filter(in_flight).count() };
        all.push(Budget { name: "probe", taken, max: 1 });
    }
}

impl Oracle for Budgets {
    fn name(&self) -> &'static str {
        "budgets respected"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        let Some((fact, at)) = member_fact(&sight) else { return };
        for Budget { name, taken, max } in budgets(ledger, fact, at) {
            if taken >= max {
                says(format!(
                    "{} of {} was ordered with {taken} of {max} places of its {name} taken",
                    fact.member, fact.rollout
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::inventory::ScopePath;
    use patchflow_core::policy::{Amount, Policy, ScopeBudget, StartsMax};

    #[test]
    fn one_operation_too_many_is_caught() {
        let mut stage = Stage::with(Box::new(Budgets));
        stage.policy.deploy.in_flight_max = 2;
        stage.ready(&[4]).member(0, Event::Ordered).member(1, Event::Ordered).member(1, Event::WentSilent);
        stage.member(2, Event::Ordered).member(1, Event::Acknowledged);
        assert!(stage.caught().is_empty(), "unknown frees its place, and its late report takes none");
        stage.member(3, Event::Ordered);
        assert!(stage.caught()[0].contains("2 of 2 places of its rollout"));
    }

    #[test]
    fn a_rollback_too_many_is_caught() {
        for group in [None, Some("db")] {
            let mut stage = Stage::with(Box::new(Budgets));
            stage.policy.deploy.in_flight_max = if group.is_some() { 9 } else { 1 };
            stage.group = group.map(Into::into);
            stage.ready(&[3]);
            for member in 0..3 {
                stage.member(member, Event::Ordered).member(member, Event::Verified);
            }
            stage
                .member(0, Event::RevertOrdered)
                .member(0, Event::RolledBack)
                .member(1, Event::RevertOrdered);
            assert!(stage.caught().is_empty(), "who is back keeps nobody from coming back");
            stage.member(2, Event::RevertOrdered);
            assert!(stage.caught()[0].contains(if group.is_some() { "group" } else { "rollout" }));
        }
    }

    #[test]
    fn one_too_many_in_every_other_budget_is_caught() {
        type Change<'a> = &'a dyn Fn(&mut Policy);
        let one = Amount::Count { n: 1 };
        let scope = ScopeBudget { within: ScopePath::default(), in_flight_max: one };
        let changes: [(&str, Change<'_>); 5] = [
            ("fleet", &|policy| policy.budgets.in_flight_max = Some(one)),
            ("scope", &|policy| policy.budgets.scopes = vec![scope.clone()]),
            ("starts", &|policy| policy.budgets.starts_max = Some(StartsMax { n: 1, per_secs: 60 })),
            ("ring", &|policy| policy.rings[0].in_flight_max = Some(one)),
            ("probe", &|policy| policy.rings[0].probe_first = 2),
        ];
        for (name, change) in changes {
            let mut stage = Stage::with(Box::new(Budgets));
            change(&mut stage.policy);
            stage.ready(&[3]).member(0, Event::Ordered).member(0, Event::Verified).pass(60);
            stage.member(1, Event::Ordered);
            assert!(stage.caught().is_empty(), "{name}");
            stage.member(2, Event::HookAsked);
            assert!(stage.caught()[0].contains(name), "{name}: {:?}", stage.caught());
        }
    }

    #[test]
    fn a_second_endpoint_of_a_group_is_caught_until_the_first_is_healthy() {
        for (end, caught) in [(Event::Verified, 0), (Event::GaveUp, 1), (Event::WentSilent, 1)] {
            let mut stage = Stage::with(Box::new(Budgets));
            stage.group = Some("db".into());
            stage.ready(&[3]).member(0, Event::Ordered).member(0, end).member(1, Event::Ordered);
            assert_eq!(stage.caught().len(), caught, "{end:?}");
        }
    }
}
