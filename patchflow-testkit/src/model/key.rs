//! What tells two states apart for an exploration: everything that can still make a difference, times as distances.
//!
//! Every struct is taken apart here field by field, so that whoever adds a field has to say whether it tells.

use super::staging::Content;
use super::state::{
    Ask, Candidate, Endpoint, Evidence, Halted, Member, Model, Need, Post, Resync, Ring, Rollout, Stage,
};
use patchflow_core::rollout::RingState;
use patchflow_core::schedule::Schedule;
use patchflow_core::time::Timestamp;
use std::fmt::Write as _;

const WEEK_SECS: i64 = 7 * 86_400;

impl Model {
    /// The same for two states that nothing to come can tell apart.
    ///
    /// Numbers of orders (beyond the second), fences, requests, questions and strays are left out: they only ever rise,
    /// and a history that is short does not run out of them. So is what never changes in an exploration: patches, and
    /// the policy. How long an approval still lasts must be kept out of reach.
    #[must_use]
    pub fn key(&self) -> String {
        let mut key = String::new();
        let Self { candidates, endpoints, rollouts, holds, resync, starts, stagings, .. } = self;
        candidates.iter().for_each(|candidate| self.candidate_key(candidate, &mut key));
        endpoints.iter().for_each(|endpoint| self.endpoint_key(endpoint, &mut key));
        rollouts.iter().for_each(|rollout| self.rollout_key(rollout, &mut key));
        let resync = resync.as_ref().map(|Resync { until, open }| (self.ahead(*until), open));
        let recent = self.policy.as_ref().and_then(|policy| policy.budgets.starts_max);
        let starts: Vec<i64> =
            starts.iter().filter(|_| recent.is_some()).map(|start| self.ahead(*start)).collect();
        let bound = self.policy.as_ref().and_then(|policy| policy.staging.starts_max);
        let stagings: Vec<i64> =
            stagings.iter().filter(|_| bound.is_some()).map(|start| self.ahead(*start)).collect();
        // What the clock shows tells only where something is tied to it: within the week where only windows are.
        let clock = self.policy.as_ref().and_then(|policy| match &policy.schedule {
            Schedule::Anytime { freezes } if freezes.is_empty() => None,
            Schedule::Weekly { freezes, .. } if freezes.is_empty() => Some(self.now.as_secs() % WEEK_SECS),
            Schedule::Anytime { .. } | Schedule::Weekly { .. } => Some(self.now.as_secs()),
        });
        let _ = write!(key, "{holds:?} {resync:?} {starts:?} {stagings:?} {clock:?}");
        key
    }

    /// How far ahead an instant lies, in seconds; less than 0 when it has passed.
    fn ahead(&self, at: Timestamp) -> i64 {
        at.as_secs() - self.now.as_secs()
    }

    fn candidate_key(&self, candidate: &Candidate, key: &mut String) {
        let Candidate {
            patch: _,
            priority: _,
            due: _,
            stage,
            needs,
            ask,
            trial,
            trial_failed,
            deployed,
            waived_by,
            reconsidered,
            look,
        } = candidate;
        let evidence = |evidence: &Evidence| match evidence {
            Evidence::Passed => "passed".to_owned(),
            Evidence::NotRequired => "not required".to_owned(),
            Evidence::Waived { by, until } => format!("waived {by} {}", self.ahead(*until)),
        };
        let stage = match stage {
            Stage::Identified => "identified".to_owned(),
            Stage::Trialled(of) => format!("trialled {}", evidence(of)),
            Stage::Approved { evidence: of, expires: _ } => format!("approved {}", evidence(of)),
            Stage::Rejected => "rejected".to_owned(),
            Stage::Superseded { by } => format!("superseded {by}"),
            Stage::Withdrawn => "withdrawn".to_owned(),
        };
        let ask = ask.as_ref().map(|Ask { id: _, from, votes }| (&from.role, from.quorum, votes));
        let _ = write!(
            key,
            "{stage} {ask:?} {trial:?} {trial_failed} {deployed} {waived_by:?} {reconsidered} {look};"
        );
        for (endpoint, Need { standing, present, path, path_until }) in needs {
            let path_until = path_until.map(|until| self.ahead(until));
            let _ = write!(key, "{endpoint} {standing:?} {present:?} {path:?} {path_until:?},");
        }
    }

    fn endpoint_key(&self, endpoint: &Endpoint, key: &mut String) {
        let Endpoint {
            seen,
            gone,
            fence: _,
            broken,
            back,
            unreachable,
            stale,
            away_since,
            reboot_pending,
            machine,
            machine_before,
            quarantined,
            owned,
            reboots,
            reboots_stopped,
            post,
            drained,
        } = endpoint;
        let post = post.as_ref().map(|Post { order, due }| (order.0, order.1, self.ahead(*due)));
        let day = -24 * 3_600;
        let reboots: Vec<i64> =
            reboots.iter().map(|reboot| self.ahead(*reboot)).filter(|ago| *ago > day).collect();
        let away = away_since.map(|since| self.ahead(since));
        let who = (machine, machine_before, quarantined, owned, &seen.managed_by, reboot_pending, away);
        let (environment, calendar, group) = (seen.environment, &seen.calendar, &seen.group);
        let _ = write!(
            key,
            "{environment:?} {calendar:?} {group:?} {gone} {broken} {back} {unreachable} {stale} {reboots:?} {reboots_stopped} {post:?} {drained} {who:?};"
        );
    }

    fn rollout_key(&self, rollout: &Rollout, key: &mut String) {
        let Rollout {
            candidate,
            kind,
            emergency,
            policy,
            select: _,
            state,
            halt,
            ring,
            rings,
            members,
            sweep,
            frozen,
            takes_back,
            catch_up_stopped,
        } = rollout;
        let halt = halt.as_ref().map(|Halted { by_gate, ring }| (by_gate, ring));
        let _ = write!(
            key,
            "{candidate} {kind:?} {emergency} {state:?} {halt:?} {ring} {sweep} {frozen} {takes_back} {catch_up_stopped};"
        );
        // Longer ago than a ring may take to start, and its windows to end, makes no difference any more.
        let longest =
            if policy.has_windows() { WEEK_SECS } else { i64::from(policy.deploy.start_within_secs) };
        for of in rings {
            let Ring { name: _, gate, state, alerts, alerts_known, opened_at, reopened_at, settled_at } = of;
            let ago = |at: &Option<Timestamp>, longest: i64| at.map(|at| self.ahead(at).max(-longest - 1));
            let held = i64::from(gate.bake_secs_min) + i64::from(gate.hold_secs_max);
            let since = match state {
                RingState::Open => ago(&reopened_at.or(*opened_at), longest),
                RingState::Settled | RingState::Held => ago(settled_at, held),
                RingState::Pending
                | RingState::Promoted
                | RingState::Skipped
                | RingState::CatchUp
                | RingState::Halted => None,
            };
            let opened = opened_at.is_some();
            let _ = write!(key, "{state:?} {alerts} {alerts_known} {opened} {since:?};");
        }
        members.iter().for_each(|member| self.member_key(member, key));
    }

    fn content_key(&self, content: Content) -> (&'static str, u8, Option<i64>) {
        match content {
            Content::Nowhere => ("nowhere", 0, None),
            Content::Asked { attempt, late } => ("asked", attempt, Some(self.ahead(late))),
            Content::There { until } => ("there", 0, Some(self.ahead(until))),
            Content::Failed { attempt, again } => ("failed", attempt, Some(self.ahead(again))),
            Content::GivenUp { again } => ("given up", 0, again.map(|again| self.ahead(again))),
        }
    }

    fn member_key(&self, member: &Member, key: &mut String) {
        let Member {
            endpoint,
            ring,
            phase,
            due,
            attempts,
            operations,
            prior,
            path,
            forgiven,
            placed,
            taken_out,
            failed_late,
            unread,
            undrained,
            patience,
            leader,
            content,
        } = member;
        let content = self.content_key(*content);
        let (due, patience) = (due.map(|at| self.ahead(at)), patience.map(|at| self.ahead(at)));
        let operations = (*operations).min(2);
        let _ = write!(
            key,
            "{endpoint} {ring} {phase:?} {due:?} {attempts} {operations} {prior:?} {path:?} {forgiven} {placed} \
             {taken_out} {failed_late} {unread} {undrained} {patience:?} {leader:?} {content:?};"
        );
    }
}
