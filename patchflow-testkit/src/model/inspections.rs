//! An endpoint read after an operation: the only thing that verifies.

use super::Mutation;
use super::reports::Fits;
use super::state::Model;
use patchflow_core::error::FailureKind;
use patchflow_core::rollout::{Health, Inspection, Level, Phase, RolloutKind, RolloutState};

impl Model {
    pub(super) fn inspected(&mut self, seen: &Inspection<'_>) -> Fits {
        let Some(at) = self.ordered(seen.order) else { return Ok(false) };
        match self.phase(at) {
            Phase::Installed | Phase::Silent => self.inspected_install(at, seen)?,
            Phase::Reverted | Phase::RevertSilent => self.inspected_revert(at, seen),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn inspected_install(&mut self, at: (usize, usize), seen: &Inspection<'_>) -> Result<(), super::Illegal> {
        let silent = self.phase(at) == Phase::Silent;
        let candidate = self.rollouts[at.0].candidate;
        let target = self.candidates[candidate].patch.target.version.clone();
        let (there, whole) = match &seen.level {
            // Not read is not known.
            Level::Unreadable { .. } => return Ok(()),
            Level::Version { version, intact } => (*version == target, *intact),
            Level::Absent => (false, true),
        };
        if there && whole {
            let healthy = !matches!(seen.health, Health::Failed { .. });
            return match (healthy, seen.reboot_required) {
                (false, _) => self.failed(at, FailureKind::Unhealthy),
                // Installed is not done before the reboot; while nothing is heard, that says nothing.
                (true, true) if silent => Ok(()),
                (true, true) => {
                    self.put(at, Phase::RebootPending, None);
                    Ok(())
                }
                (true, false) => {
                    self.put(at, Phase::Verified, None);
                    self.done_here(at);
                    Ok(())
                }
            };
        }
        if silent {
            // It may still be under way.
            return Ok(());
        }
        self.failed(at, if whole { FailureKind::WrongLevel } else { FailureKind::Broken })
    }

    /// Whoever waits for the endpoint in another rollout of the same patch finds it at the target.
    fn done_here(&mut self, at: (usize, usize)) {
        let (candidate, endpoint) = (self.rollouts[at.0].candidate, self.member(at).endpoint);
        for r in (0..self.rollouts.len()).filter(|r| *r != at.0) {
            let other = &self.rollouts[r];
            let over = matches!(
                other.state,
                RolloutState::Cancelled | RolloutState::Completed | RolloutState::Ended
            );
            if other.candidate != candidate || other.kind != RolloutKind::Deployment || over {
                continue;
            }
            let waits = |m: &usize| {
                let member = &other.members[*m];
                member.endpoint == endpoint && matches!(member.phase, Phase::Waiting | Phase::Deferred)
            };
            if let Some(m) = (0..other.members.len()).find(waits) {
                self.put((r, m), Phase::Skipped, None);
            }
        }
    }

    fn inspected_revert(&mut self, at: (usize, usize), seen: &Inspection<'_>) {
        let prior = self.member(at).prior.clone();
        let back = match (&seen.level, &prior) {
            (Level::Unreadable { .. }, _) => return,
            (Level::Absent, None) => true,
            (Level::Version { version, intact }, Some(prior)) => *intact && **version == **prior,
            (Level::Absent, Some(_)) | (Level::Version { .. }, None) => false,
        };
        if back {
            self.put(at, Phase::RolledBack, None);
        } else if self.phase(at) == Phase::Reverted {
            if self.bent(Mutation::RollbackNeverNeedsAnOperator) {
                return self.order_revert(at);
            }
            self.put(at, Phase::NeedsOperator, None);
        }
    }
}
