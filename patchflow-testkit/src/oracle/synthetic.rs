//! A stage for made-up histories: facts by hand, in which an oracle must find what is wrong.

use super::{Oracle, Panel};
use crate::sim::{Sight, Watch};
use patchflow_core::candidate::{ApprovedBy, Evidence};
use patchflow_core::catalog::{Category, Severity};
use patchflow_core::doc::patch;
use patchflow_core::fleet::{EndReason, EndpointFact, EndpointSeen, Fact, Fleet, Outbox, Recorded, RichFact};
use patchflow_core::gate::{Counts, Decision, LimitScope, Rule, Verdict};
use patchflow_core::ids::{CandidateId, EndpointIx, FleetId, MemberIx, RolloutId, Seq};
use patchflow_core::inventory::Environment;
use patchflow_core::plan::{PlanFact, PlanRingFact, RollbackPath};
use patchflow_core::policy::{Policy, Selector};
use patchflow_core::rollout::{Event, Order, RolloutKind};
use patchflow_core::time::Timestamp;
use std::sync::Arc;

pub(super) struct Stage {
    panel: Panel,
    pub(super) policy: Policy,
    pub(super) path: RollbackPath,
    pub(super) group: Option<Arc<str>>,
    pub(super) relations: patchflow_core::catalog::Relations,
    now: Timestamp,
    seq: u64,
    rollouts: u32,
    founded: bool,
}

impl Stage {
    pub(super) fn with(oracle: Box<dyn Oracle>) -> Self {
        Self {
            panel: Panel::of(vec![oracle]),
            policy: Policy::standard("made up"),
            path: RollbackPath::Reinstall,
            group: None,
            relations: Default::default(),
            now: "2026-11-21T08:00:00Z".parse().unwrap(),
            seq: 0,
            rollouts: 0,
            founded: false,
        }
    }

    pub(super) fn caught(&self) -> Vec<String> {
        let (ledger, caught): (Vec<_>, Vec<_>) =
            self.panel.violations().into_iter().partition(|found| found.oracle == "ledger");
        assert!(ledger.is_empty(), "the story itself is wrong: {ledger:?}");
        caught.into_iter().map(|found| found.text).collect()
    }

    pub(super) fn sight(&mut self, sight: Sight<'_>) -> &mut Self {
        self.panel.see(self.now, sight);
        self
    }

    fn fact(&mut self, fact: Fact) -> &mut Self {
        self.seq += 1;
        let recorded = Recorded { seq: Seq(self.seq), at: self.now, fact };
        self.sight(Sight::Stored(&recorded))
    }

    pub(super) fn rich(&mut self, fact: RichFact) -> &mut Self {
        self.fact(fact.into())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn pass(&mut self, secs: u64) -> &mut Self {
        self.now = self.now.plus_secs(secs);
        self
    }

    pub(super) fn endpoints(&mut self, n: u32) -> &mut Self {
        if !self.founded {
            self.founded = true;
            let (name, epoch) = ("acme".into(), self.now);
            self.rich(RichFact::FleetFounded { fleet: FleetId(1), name, seed: 1, epoch });
            let policy = Arc::new(self.policy.clone());
            let digest = policy.digest();
            self.rich(RichFact::PolicyAdopted { policy, digest, by: "root".into() });
        }
        let endpoints = (0..n)
            .map(|i| EndpointSeen {
                group: self.group.clone(),
                ..EndpointSeen::new(format!("e{i}"), Environment::Production)
            })
            .collect();
        self.rich(RichFact::EndpointsJoined { first: EndpointIx(0), endpoints })
    }

    pub(super) fn candidate(&mut self, category: Category, severity: Severity) -> &mut Self {
        let patch = patchflow_core::catalog::Patch {
            category,
            severity,
            relations: self.relations.clone(),
            ..patch("webd", "1.1")
        };
        let risk =
            patchflow_core::risk::assess(&patch, self.now, &patchflow_core::risk::DueLimits::default());
        let candidate = CandidateId(0);
        self.rich(RichFact::CandidateIdentified { candidate, patch: Arc::new(patch), risk });
        let evidence = Evidence::Passed { rollout: RolloutId(99), counts: Counts::default(), at: self.now };
        self.rich(RichFact::TrialConcluded { candidate, evidence })
    }

    pub(super) fn approve(&mut self) -> &mut Self {
        let by = ApprovedBy::Rule { rule: self.policy.approval[0].name.clone() };
        let (content, expires) = (patch("webd", "1.1").content, self.now.plus_secs(30 * 86_400));
        self.rich(RichFact::ApprovalGranted { candidate: CandidateId(0), by, content, expires })
    }

    pub(super) fn revoke(&mut self) -> &mut Self {
        let end = EndReason::Revoked { by: "ada".into(), reason: "so".into() };
        self.rich(RichFact::ApprovalEnded { candidate: CandidateId(0), end })
    }

    /// A rollout over the endpoints in their order, in rings of these sizes.
    pub(super) fn rollout(&mut self, rings: &[u32]) -> &mut Self {
        let members: Vec<_> = (0..rings.iter().sum()).collect();
        self.rollout_of(rings, &members)
    }

    pub(super) fn rollout_of(&mut self, rings: &[u32], members: &[u32]) -> &mut Self {
        let ring = |(i, size): (usize, &u32)| PlanRingFact {
            name: self.policy.rings[i].name.clone(),
            size: *size,
            gate: self.policy.rings[i].gate.clone(),
            mirror: None,
        };
        let plan = PlanFact {
            select: Selector::All,
            rings: rings.iter().enumerate().map(ring).collect(),
            members: members.iter().map(|ix| EndpointIx(*ix)).collect(),
            levels: vec!["1.0".into()],
            priors: vec![1; members.len()],
            paths: vec![self.path; members.len()],
        };
        let rollout = RolloutId(self.rollouts);
        self.rollouts += 1;
        let (kind, policy) = (RolloutKind::Deployment, self.policy.digest());
        let candidate = CandidateId(0);
        self.rich(RichFact::RolloutStarted {
            rollout,
            candidate,
            kind,
            policy,
            plan,
            emergency: None,
            bundle: vec![],
        })
    }

    /// Endpoints, an approved candidate, a rollout, and its first ring open.
    pub(super) fn ready(&mut self, rings: &[u32]) -> &mut Self {
        self.endpoints(rings.iter().sum()).candidate(Category::Security, Severity::Critical);
        self.approve().rollout(rings).open(0)
    }

    fn last(&self) -> RolloutId {
        RolloutId(self.rollouts - 1)
    }

    pub(super) fn open(&mut self, ring: u8) -> &mut Self {
        let rollout = self.last();
        self.rich(RichFact::RingOpened { rollout, ring })
    }

    pub(super) fn settle(&mut self, ring: u8) -> &mut Self {
        let rollout = self.last();
        self.rich(RichFact::RingSettled { rollout, ring })
    }

    fn verdict(decision: Decision, rule: Rule) -> Verdict {
        let scope = LimitScope::Ring;
        Verdict {
            decision,
            rule,
            counts: Counts::default(),
            scope,
            alerts: 0,
            alerts_known: true,
            paths_ended: 0,
        }
    }

    pub(super) fn promote(&mut self, ring: u8) -> &mut Self {
        let (rollout, verdict) = (self.last(), Self::verdict(Decision::Promote, Rule::AllMet));
        self.rich(RichFact::RingPromoted { rollout, ring, verdict, by: None })
    }

    pub(super) fn halt(&mut self, ring: u8, rule: Rule) -> &mut Self {
        let (rollout, verdict) = (self.last(), Some(Self::verdict(Decision::Halt, rule)));
        self.rich(RichFact::RolloutHalted { rollout, ring, verdict, by: None, reason: "so".into() })
    }

    pub(super) fn end(&mut self) -> &mut Self {
        let rollout = self.last();
        self.rich(RichFact::RolloutEnded { rollout, completed: true })
    }

    pub(super) fn clear_hold(&mut self, endpoint: u32) -> &mut Self {
        let (candidate, endpoint) = (CandidateId(0), EndpointIx(endpoint));
        self.rich(RichFact::HoldCleared { candidate, endpoint, by: "ada".into() })
    }

    pub(super) fn begin_resync(&mut self) -> &mut Self {
        let until = self.now.plus_secs(3600);
        self.rich(RichFact::ResyncStarted { silence_secs: 9999, until })
    }

    pub(super) fn resync(&mut self) -> &mut Self {
        self.begin_resync().rich(RichFact::ResyncEnded { unanswered: 0 })
    }

    pub(super) fn member(&mut self, member: u32, event: Event) -> &mut Self {
        self.member_due(member, event, 0)
    }

    pub(super) fn member_due(&mut self, member: u32, event: Event, due: u32) -> &mut Self {
        let (rollout, member) = (self.last(), MemberIx(member));
        self.fact(Fact::Endpoint(EndpointFact { rollout, member, event, reason: 0, due }))
    }

    pub(super) fn in_rollout(&mut self, rollout: u32, member: u32, event: Event) -> &mut Self {
        let (rollout, member) = (RolloutId(rollout), MemberIx(member));
        self.fact(Fact::Endpoint(EndpointFact { rollout, member, event, reason: 0, due: 0 }))
    }

    pub(super) fn finish(&mut self) -> &mut Self {
        let fleet = Fleet::found(FleetId(1), "acme", 1, self.now, &mut Outbox::new());
        self.sight(Sight::Finished(&fleet))
    }
}

/// Two orders for one endpoint, the second under a higher fence; the first is operation 1 of the first member.
pub(super) fn orders() -> [Order; 2] {
    let ids = ["a".into()];
    let now = "2026-11-21T08:00:00Z".parse().unwrap();
    let mut desk =
        crate::orders::FleetDesk::new(&patch("webd", "1.1"), &ids, Some("1.0"), RollbackPath::Switch, now)
            .unwrap();
    let first = desk.install(&ids[0]).unwrap();
    let second = desk.again(&first).unwrap();
    [first, second]
}
