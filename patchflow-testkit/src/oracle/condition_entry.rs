//! What the books say of endpoints beside their attributes: who is out of reach, stale, quarantined, unavailable.

use super::{Ledger, MemberEntry, Standing};
use patchflow_core::fleet::{EndpointFact, EndpointSeen, EndpointSet, RichFact};
use patchflow_core::ids::EndpointIx;
use patchflow_core::rollout::Event;
use patchflow_core::time::Timestamp;
use std::sync::Arc;

/// One endpoint's conditions in the books.
#[derive(Clone, Debug, Default)]
pub struct ConditionEntry {
    /// Its availability group.
    pub group: Option<Arc<str>>,
    /// Whether it is out of reach.
    pub unreachable: bool,
    /// Whether its inventory is too old.
    pub stale: bool,
    /// Whether two machines report under its name.
    pub quarantined: bool,
    /// Another patch manager that is active on it.
    pub manager: Option<String>,
    /// Whether a person declared it to be this product's all the same.
    pub owned: bool,
    /// Whether it is not in service yet.
    pub onboarding: bool,
    /// Whether it has been found to have what was approved for it since.
    pub onboarded: bool,
    /// Whether it waits for a reboot of its own.
    pub reboot_pending: bool,
    /// Whether its reboots are stopped.
    pub stopped: bool,
    /// Whether its last operation failed, while it was in a group.
    pub broken: bool,
    /// Whether it is broken only in that it was rolled back: its old level was seen.
    pub back: bool,
    /// Whether it was drained, and not resumed since.
    pub drained: bool,
    /// Whether its post hook is awaited.
    pub resuming: bool,
    /// When its reboots were ordered.
    pub reboots: Vec<Timestamp>,
    /// When its inventory was read for an order last.
    pub read_at: Option<Timestamp>,
}

impl ConditionEntry {
    pub(super) fn of(seen: &EndpointSeen) -> Self {
        let (group, manager) = (seen.group.clone(), seen.managed_by.clone());
        Self { group, manager, onboarding: seen.onboarding, ..Self::default() }
    }

    fn told(&mut self, seen: &EndpointSeen) {
        self.group.clone_from(&seen.group);
        if self.manager != seen.managed_by {
            self.owned = false;
        }
        self.manager.clone_from(&seen.managed_by);
        (self.onboarding, self.onboarded) = (seen.onboarding, self.onboarded && seen.onboarding);
    }

    /// Why nothing may be ordered there, in a word.
    #[must_use]
    pub fn keeps_back(&self) -> Option<&'static str> {
        let managed = self.manager.is_some() && !self.owned;
        let all = [
            (self.unreachable, "out of reach"),
            (self.stale, "stale"),
            (self.quarantined, "in quarantine"),
            (managed, "patched by another manager"),
        ];
        all.into_iter().find(|(is, _)| *is).map(|(_, word)| word)
    }
}

impl Ledger {
    /// Whether an endpoint is unavailable: under way, unknown, being resumed, or failed.
    #[must_use]
    pub fn is_down(&self, endpoint: EndpointIx) -> bool {
        let occupied = |member: &MemberEntry| member.endpoint == endpoint && member.standing.occupies();
        self.endpoint(endpoint).is_some_and(|entry| entry.state.broken || entry.state.resuming)
            || self.rollouts.iter().flat_map(|rollout| &rollout.members).any(occupied)
    }

    /// Whether it is unavailable only in that it was rolled back, and nobody has looked at it since.
    #[must_use]
    pub fn is_back(&self, endpoint: EndpointIx) -> bool {
        let occupied = |member: &MemberEntry| member.endpoint == endpoint && member.standing.occupies();
        self.endpoint(endpoint).is_some_and(|entry| entry.state.back && !entry.state.resuming)
            && !self.rollouts.iter().flat_map(|rollout| &rollout.members).any(occupied)
    }

    fn each(&mut self, endpoints: &EndpointSet, change: impl Fn(&mut ConditionEntry)) -> Result<(), String> {
        endpoints.iter().try_for_each(|ix| self.one(ix, &change))
    }

    fn one(&mut self, ix: EndpointIx, change: impl FnOnce(&mut ConditionEntry)) -> Result<(), String> {
        let entry = self.endpoints.get_mut(ix.index()).ok_or_else(|| format!("{ix} never joined"))?;
        change(&mut entry.state);
        Ok(())
    }

    fn forget_needs(&mut self, of: EndpointIx) {
        self.needs.retain(|(_, endpoint), _| *endpoint != of);
    }

    pub(super) fn take_condition(&mut self, at: Timestamp, fact: &RichFact) -> Result<(), String> {
        match fact {
            RichFact::EndpointChanged { endpoint, seen } => {
                let was_gone = self.endpoint(*endpoint).is_some_and(|entry| entry.gone);
                self.one(*endpoint, |known| {
                    known.told(seen);
                    known.stale |= was_gone;
                })
            }
            RichFact::EndpointLeft { endpoint } => {
                self.forget_needs(*endpoint);
                self.one(*endpoint, |known| {
                    let (group, broken, back) = (known.group.clone(), known.broken, known.back);
                    *known = ConditionEntry { group, broken, back, ..ConditionEntry::default() };
                })
            }
            RichFact::EndpointsWentUnreachable { endpoints, .. } => {
                self.each(endpoints, |known| known.unreachable = true)
            }
            RichFact::EndpointsCameBack { endpoints } => {
                self.each(endpoints, |known| (known.unreachable, known.stale) = (false, true))
            }
            RichFact::EndpointsWentStale { endpoints }
            | RichFact::ScansGivenUp { endpoints }
            | RichFact::ScanTurnEnded { missed: endpoints, .. } => {
                self.each(endpoints, |known| known.stale = true)
            }
            RichFact::EndpointsRead { endpoints } => {
                self.each(endpoints, |known| (known.stale, known.read_at) = (false, Some(at)))
            }
            RichFact::EndpointReimaged { endpoint, seen } => {
                self.forget_needs(*endpoint);
                self.one(*endpoint, |known| {
                    known.told(seen);
                    (known.unreachable, known.stale, known.onboarded) = (false, true, false);
                    (known.reboot_pending, known.stopped) = (false, false);
                })?;
                let entry = self.endpoints.get_mut(endpoint.index()).ok_or("it never joined")?;
                entry.environment = seen.environment;
                (entry.scope, entry.tags, entry.gone) = (seen.scope.clone(), seen.tags.clone(), false);
                entry.calendar = seen.calendar.clone();
                Ok(())
            }
            RichFact::EndpointOnboarded { endpoint } => self.one(*endpoint, |known| known.onboarded = true),
            RichFact::EndpointQuarantined { endpoint, .. } => {
                self.one(*endpoint, |known| known.quarantined = true)
            }
            RichFact::QuarantineCleared { endpoint, .. } => {
                self.forget_needs(*endpoint);
                self.one(*endpoint, |known| (known.quarantined, known.stale) = (false, true))
            }
            RichFact::OwnershipDeclared { endpoint, .. } => self.one(*endpoint, |known| known.owned = true),
            RichFact::RebootsPendingSeen { endpoints, pending } => {
                self.each(endpoints, |known| known.reboot_pending = *pending)
            }
            RichFact::RebootsStopped { endpoint, .. } => self.one(*endpoint, |known| known.stopped = true),
            RichFact::RebootsAllowed { endpoint, .. } => self.one(*endpoint, |known| known.stopped = false),
            RichFact::HoldCleared { endpoint, .. } => {
                self.one(*endpoint, |known| (known.broken, known.back) = (false, false))
            }
            RichFact::HookEnded { order, failed, .. } => {
                let Some(member) = self.member(order.rollout, order.member) else { return Ok(()) };
                let failed = failed.is_some();
                self.one(member.endpoint, |known| {
                    known.broken |= known.resuming && failed && known.group.is_some();
                    known.back &= !(known.resuming && failed);
                    known.resuming = false;
                })
            }
            RichFact::NeedsChanged { candidate, needs } => {
                for need in needs {
                    self.needs.insert((*candidate, need.endpoint), need.standing);
                    self.told_paths.insert((*candidate, need.endpoint), need.path);
                }
                Ok(())
            }
            RichFact::DrillStarted { rollout, member, .. } => {
                self.drilling.insert((*rollout, *member));
                Ok(())
            }
            RichFact::DrillDone { rollout, member, .. } => {
                self.drilling.remove(&(*rollout, *member));
                Ok(())
            }
            // Of everything else the rest of the books is kept.
            _ => Ok(()),
        }
    }

    /// What an operation's course says of its endpoint.
    pub(super) fn note_operation(
        &mut self,
        at: Timestamp,
        fact: &EndpointFact,
        before: Option<&MemberEntry>,
    ) {
        let Some(before) = before else { return };
        let Some(rollout) = self.rollouts.get(fact.rollout.index()) else { return };
        let Some(after) = rollout.members.get(fact.member.index()).map(|member| member.standing) else {
            return;
        };
        let hooks = &rollout.policy.deploy.hooks;
        let (has_pre, has_post) = (hooks.pre.is_some(), hooks.post.is_some());
        if starts(fact.event, before) {
            self.starts.push(at);
        }
        let tried_again = before.standing == Standing::Backoff && !before.attached;
        let ends = matches!(
            after,
            Standing::Verified
                | Standing::RolledBack
                | Standing::Waiting
                | Standing::Deferred
                | Standing::Cancelled
                | Standing::Removed
        );
        let failed = matches!(
            after,
            Standing::Failed
                | Standing::Undoing
                | Standing::UndoUnknown
                | Standing::RolledBack
                | Standing::Operator
        ) || fact.event == Event::RetryScheduled;
        let was_operated = before.standing.occupies()
            || before.standing.is_bad()
            || matches!(before.standing, Standing::Backoff);
        let Some(entry) = self.endpoints.get_mut(before.endpoint.index()) else { return };
        let known = &mut entry.state;
        if fact.event == Event::RebootOrdered {
            known.reboots.push(at);
        }
        known.drained |= fact.event == Event::HookAsked;
        // A rollback that could not be prepared has not begun.
        let undone = before.standing == Standing::Undoing && before.draining;
        let ends = ends || undone && matches!(after, Standing::Failed | Standing::Operator);
        // Where there is a pre hook, only what was drained is resumed, and once.
        if has_post && ends && (before.standing.occupies() || tried_again) && (known.drained || !has_pre) {
            (known.drained, known.resuming) = (false, true);
        }
        known.drained &= !(undone && matches!(fact.event, Event::HookFailed | Event::OperatorNeeded));
        if failed {
            known.broken = known.group.is_some();
            known.back = known.broken && after == Standing::RolledBack;
        } else if after == Standing::Verified || (after == Standing::Removed && was_operated) {
            (known.broken, known.back) = (false, false);
        }
    }
}

/// Whether a rollback begins with an event: with its pre hook, or else with its order.
pub(super) fn takes_back(event: Event, before: &MemberEntry) -> bool {
    matches!(event, Event::RevertOrdered | Event::HookAsked)
        && matches!(before.standing, Standing::Verified | Standing::Failed)
}

/// Whether an install starts with an event: with its pre hook, or else with its order.
pub(super) fn starts(event: Event, before: &MemberEntry) -> bool {
    (event == Event::HookAsked && !takes_back(event, before)) || (event == Event::Ordered && !before.draining)
}
