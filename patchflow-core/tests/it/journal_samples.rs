//! One fact of every kind, and every event: what the golden journals are written from, once.

use patchflow_core::candidate::{ApprovedBy, Evidence};
use patchflow_core::catalog::{
    Category, Exploitation, KnownExploited, Patch, RebootBehaviour, Relations, Severity, Ssvc, Target,
    Weakness,
};
use patchflow_core::digest::Digest;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{
    EndReason, EndpointFact, EndpointSeen, EndpointSet, Fact, MissedBecause, NeedFact, Outcome, Recorded,
    RichFact, Standing,
};
use patchflow_core::gate::{
    Counts, Decision, LimitScope, Limits, OnMaxHold, Percent, Rule, ShareOf, Verdict,
};
use patchflow_core::ids::{
    AskId, CandidateId, EndpointIx, FleetId, MemberIx, PatchId, RequestId, RolloutId, Seq,
};
use patchflow_core::inventory::{Criticality, EndOfLife, Environment, Exposure, ScopePath};
use patchflow_core::package::{Ecosystem, PackageName, Platform};
use patchflow_core::plan::{
    JoinedMember, Mirror, MovedMember, PlacedMember, PlanFact, PlanRingFact, RevisedGate, RevisedPlan,
    RollbackPath,
};
use patchflow_core::policy::{PersonApproval, Policy, RingSize, Selector, WaiverByName};
use patchflow_core::risk::{Assessment, Priority};
use patchflow_core::rollout::{Emergency, Event, RolloutKind};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;
use std::sync::Arc;

/// The fleet of the golden journals.
pub(crate) const FLEET: FleetId = FleetId(0x0123_4567_89ab_cdef);

const CANDIDATE: CandidateId = CandidateId(3);
const ROLLOUT: RolloutId = RolloutId(2);

fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Every rich fact, then every event, then the endpoint facts that need more than one word.
pub(crate) fn facts() -> Vec<Recorded> {
    let mut at = t("2026-11-21T08:30:00Z");
    let mut recorded = Vec::new();
    let mut record = |fact: Fact, later_millis: u64| {
        at = at.plus(core::time::Duration::from_millis(later_millis));
        recorded.push(Recorded { seq: Seq(recorded.len() as u64 + 1), at, fact });
    };
    for fact in rich() {
        record(fact.into(), 250);
    }
    let plain =
        EndpointFact { rollout: ROLLOUT, member: MemberIx(0), event: Event::Ordered, reason: 0, due: 0 };
    for (i, event) in Event::ALL.iter().enumerate() {
        let member = MemberIx(i as u32 * 1000);
        record(Fact::Endpoint(EndpointFact { member, event: *event, ..plain }), 0);
    }
    for (fact, later_millis) in [
        (EndpointFact { due: 86_400, ..plain }, 0),
        (EndpointFact { due: 86_400, member: MemberIx(1), ..plain }, 0),
        (EndpointFact { due: 90_000, event: Event::RetryScheduled, reason: 1, ..plain }, 17),
        (EndpointFact { rollout: RolloutId(u32::MAX), reason: u16::MAX, due: u32::MAX, ..plain }, 32_767),
        (EndpointFact { event: Event::Verified, ..plain }, 1),
        (EndpointFact { member: MemberIx((1 << 24) - 1), ..plain }, 0),
        (EndpointFact { member: MemberIx(1 << 24), ..plain }, 0),
        (EndpointFact { member: MemberIx(u32::MAX), due: 5, reason: 9, rollout: RolloutId(7), ..plain }, 3),
        // Too much later for the same frame.
        (EndpointFact { event: Event::Verified, ..plain }, 32_768),
    ] {
        record(Fact::Endpoint(fact), later_millis);
    }
    recorded
}

fn verdict(decision: Decision, rule: Rule) -> Verdict {
    let counts = Counts { verified: 7, failed: 2, unknown: 1, in_flight: 3, ..Counts::default() };
    Verdict {
        decision,
        rule,
        counts,
        scope: LimitScope::Rollout,
        alerts: 4,
        alerts_known: true,
        paths_ended: 2,
    }
}

fn patch() -> Patch {
    Patch {
        id: PatchId::from("DSA-6000-1"),
        title: "OpenSSL: \u{201e}quotes\u{201c}, \"escapes\" and \\ slashes\n".into(),
        target: Target {
            package: PackageName::new(Ecosystem::Deb, "openssl"),
            version: "3.0.22-1~deb12u1".into(),
        },
        category: Category::Security,
        severity: Severity::Critical,
        cves: vec!["CVE-2026-0001".into(), "CVE-2026-0002".into()],
        released: Some(t("2026-11-20T00:00:00Z")),
        disclosed: Some(t("2026-11-18T00:00:00Z")),
        exploited: Some(t("2026-11-19T00:00:00Z")),
        closes: vec![weakness()],
        platform: Some(Platform::new("debian", "12")),
        reboot: RebootBehaviour::Possible,
        relations: Relations {
            supersedes: vec![PatchId::from("DSA-5999-1")],
            requires: vec![PatchId::from("DSA-5000-1")],
            conflicts: vec![PatchId::from("DSA-4000-1")],
            floors: vec!["3.0.20".into()],
        },
        content: Digest::of(b"content"),
        source: "apt lab-security".into(),
    }
}

fn weakness() -> Weakness {
    let at = t("2026-11-18T00:00:00Z");
    Weakness {
        id: "CVE-2026-0001".into(),
        said_by: vec!["debian DSA-6000-1".into(), "kev CVE-2026-0001".into()],
        severity: Severity::Critical,
        cvss: vec!["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H".into()],
        epss_millionths: Some(123_456),
        exploited: Some(KnownExploited { since: at, due: Some(at), ransomware: true }),
        catalogue_read: true,
        ssvc: Some(Ssvc {
            exploitation: Some(Exploitation::Active),
            automatable: Some(true),
            total_impact: None,
            at: Some(at),
        }),
        disclosed: Some(at),
        fixed_at: Some(at),
    }
}

/// A run and one alone.
fn some() -> EndpointSet {
    [0, 1, 2, 7].map(EndpointIx).into_iter().collect()
}

fn seen(id: &str, environment: Environment) -> EndpointSeen {
    EndpointSeen {
        scope: ScopePath("acme/berlin".into()),
        tags: [("role".into(), "web".into()), ("zone".into(), "dmz".into())].into(),
        calendar: (id == "web-1").then(|| "nights".into()),
        group: (id == "web-1").then(|| "front".into()),
        criticality: if id == "web-1" { Criticality::High } else { Criticality::Unknown },
        exposure: if id == "web-1" { Exposure::Internet } else { Exposure::Unknown },
        end_of_life: (id == "lab-1").then(|| {
            let since = Timestamp::from_secs(1_593_475_200);
            let platform = Platform::new("debian", "8");
            Arc::new(EndOfLife { platform, since, mitigation: "upgrade to debian 13".into() })
        }),
        ..EndpointSeen::new(id, environment)
    }
}

fn policy() -> Policy {
    let mut policy = Policy::standard("golden");
    policy.rings[0].size = RingSize::Count { endpoints: 2 };
    let selector = Selector::Tag { name: "role".into(), value: "web".into() };
    policy.rings[1].size = RingSize::Selector { selector };
    policy.rings[2].gate = limits();
    policy.single_ring = Some(WaiverByName { by: "ada".into(), reason: "one laboratory".into() });
    policy.calendars.named = [("nights".into(), Schedule::anytime())].into();
    policy.calendars.spread_secs = 900;
    policy.schedule = Schedule::Weekly {
        windows: vec![WeeklyWindow { day: Weekday::Sunday, opens_minute: 60, open_minutes: 240 }],
        freezes: vec![Freeze { from: t("2026-12-20T00:00:00Z"), until: t("2027-01-07T00:00:00Z") }],
    };
    policy
}

fn limits() -> Limits {
    Limits {
        scope: LimitScope::Rollout,
        of: ShareOf::Started,
        max_failures: Some(3),
        max_failure_percent: Some("12.5".parse().unwrap()),
        min_started: 10,
        min_success_percent: Percent::whole(90),
        min_verified: 5,
        max_alerts: Some(2),
        bake_secs_min: 3600,
        hold_secs_max: 7200,
        on_max_hold: OnMaxHold::Ask,
    }
}

fn plan() -> PlanFact {
    PlanFact {
        select: Selector::Not { of: Box::new(Selector::AnyOf { of: vec![] }) },
        rings: vec![
            PlanRingFact {
                name: "pilot".into(),
                size: 1,
                gate: limits(),
                mirror: Some(Mirror { kinds: 3, kinds_met: 1, endpoints: 5, endpoints_met: 2 }),
            },
            PlanRingFact { name: "broad".into(), size: 4, gate: limits(), mirror: None },
        ],
        members: [4, 0, 2, 3, 1].map(EndpointIx).into(),
        levels: vec!["3.0.21-1".into(), "3.0.20-1".into()],
        priors: vec![1, 2, 0, 1, 1],
        paths: vec![
            RollbackPath::Reinstall,
            RollbackPath::None,
            RollbackPath::Uninstall,
            RollbackPath::Switch,
            RollbackPath::Snapshot,
        ],
    }
}

/// One of every kind at least; where a fact holds an enum, one of each of its shapes.
fn rich() -> Vec<RichFact> {
    let (ada, bo): (Arc<str>, Arc<str>) = ("ada".into(), "bo".into());
    let until = t("2026-12-21T08:30:00Z");
    let need = |endpoint, standing, present: Option<&str>, path| NeedFact {
        endpoint: EndpointIx(endpoint),
        standing,
        present: present.map(Into::into),
        path,
        path_valid_until: None,
        why: None,
    };
    vec![
        RichFact::FleetFounded {
            fleet: FLEET,
            name: "golden".into(),
            seed: u64::MAX,
            epoch: t("2026-11-21T08:30:00Z"),
        },
        RichFact::PolicyAdopted {
            policy: Arc::new(policy()),
            digest: Digest::of(b"policy"),
            by: ada.clone(),
        },
        RichFact::EndpointsJoined {
            first: EndpointIx(0),
            endpoints: vec![
                seen("web-1", Environment::Production),
                seen("lab-1", Environment::NonProduction),
            ],
        },
        RichFact::EndpointChanged { endpoint: EndpointIx(1), seen: seen("lab-1", Environment::Production) },
        RichFact::EndpointLeft { endpoint: EndpointIx(1) },
        RichFact::EndpointsWentUnreachable { endpoints: some(), since: t("2026-11-21T07:00:00Z") },
        RichFact::EndpointsCameBack { endpoints: some() },
        RichFact::EndpointsWentStale { endpoints: some() },
        RichFact::ScansAsked { endpoints: some(), due: 7200 },
        RichFact::ScanRoundWanted,
        RichFact::ScanTurnAsked { turn: 3, turns: 144, due: 9000 },
        RichFact::ScanTurnEnded { turn: 3, turns: 144, missed: some() },
        RichFact::ScansGivenUp { endpoints: some() },
        RichFact::EndpointsRead { endpoints: some() },
        RichFact::EndpointReimaged {
            endpoint: EndpointIx(0),
            seen: EndpointSeen {
                fingerprint: Some("6f1c".into()),
                managed_by: Some("other".into()),
                onboarding: true,
                ..seen("web-1", Environment::Production)
            },
        },
        RichFact::EndpointOnboarded { endpoint: EndpointIx(3) },
        RichFact::EndpointQuarantined { endpoint: EndpointIx(0), reason: "two machines".into() },
        RichFact::QuarantineCleared {
            endpoint: EndpointIx(0),
            by: ada.clone(),
            reason: "switched off".into(),
        },
        RichFact::OwnershipDeclared { endpoint: EndpointIx(0), by: ada.clone(), reason: "ours".into() },
        RichFact::RebootsPendingSeen { endpoints: some(), pending: true },
        RichFact::RebootsStopped { endpoint: EndpointIx(0), by: Some(ada.clone()), reason: "not now".into() },
        RichFact::RebootsAllowed { endpoint: EndpointIx(0), by: ada.clone(), reason: "go on".into() },
        RichFact::RebootCancelAsked { endpoint: EndpointIx(0) },
        RichFact::RebootCancelled { endpoint: EndpointIx(0) },
        RichFact::RebootCancelUnconfirmed { endpoint: EndpointIx(0) },
        RichFact::OperationPutOff {
            rollout: ROLLOUT,
            member: MemberIx(4),
            reboot: true,
            until: t("2026-11-21T18:00:00Z"),
        },
        RichFact::CandidateIdentified {
            candidate: CANDIDATE,
            patch: Arc::new(patch()),
            risk: Assessment {
                priority: Priority::Critical,
                exposed_since: t("2026-11-18T00:00:00Z"),
                clock_started: t("2026-11-20T00:00:00Z"),
                due: Some(t("2026-11-27T00:00:00Z")),
                due_from: t("2026-11-20T00:00:00Z"),
                why: "a security update of critical severity".into(),
            },
        },
        RichFact::NeedsChanged {
            candidate: CANDIDATE,
            needs: vec![
                need(0, Standing::Needs, Some("3.0.21-1"), RollbackPath::Reinstall),
                need(1, Standing::Has, Some("3.0.22-1~deb12u1"), RollbackPath::None),
                need(2, Standing::NotApplicable, None, RollbackPath::Uninstall),
            ],
        },
        RichFact::TrialConcluded {
            candidate: CANDIDATE,
            evidence: Evidence::Passed {
                rollout: RolloutId(1),
                counts: verdict(Decision::Promote, Rule::AllMet).counts,
                at: until,
            },
        },
        RichFact::TrialConcluded {
            candidate: CANDIDATE,
            evidence: Evidence::NotRequired { rule: "trial.required_for".into() },
        },
        RichFact::TrialConcluded {
            candidate: CANDIDATE,
            evidence: Evidence::Waived { by: ada.clone(), reason: "an emergency".into(), until },
        },
        RichFact::TrialFailed { candidate: CANDIDATE, rollout: RolloutId(1) },
        RichFact::ApprovalAsked {
            candidate: CANDIDATE,
            ask: AskId(5),
            rule: "otherwise".into(),
            from: PersonApproval { role: "change-manager".into(), quorum: 2, expires_secs: 2_592_000 },
        },
        RichFact::ApprovalVoted { candidate: CANDIDATE, by: ada.clone(), reason: "read the notes".into() },
        RichFact::ApprovalGranted {
            candidate: CANDIDATE,
            by: ApprovedBy::Rule { rule: "critical security after validation".into() },
            content: Digest::of(b"content"),
            expires: until,
        },
        RichFact::ApprovalGranted {
            candidate: CANDIDATE,
            by: ApprovedBy::People {
                names: vec![ada.clone(), bo.clone()],
                rule: "otherwise".into(),
                reason: "tested".into(),
            },
            content: Digest::of(b"content"),
            expires: until,
        },
        RichFact::ApprovalRejected {
            candidate: CANDIDATE,
            by: bo.clone(),
            reason: "breaks the proxy".into(),
        },
        RichFact::RollbackAsked { candidate: CANDIDATE, by: Arc::from("ada"), reason: "it eats mail".into() },
        RichFact::ApprovalEnded { candidate: CANDIDATE, end: EndReason::Expired },
        RichFact::ApprovalEnded {
            candidate: CANDIDATE,
            end: EndReason::Revoked { by: bo.clone(), reason: "pulled".into() },
        },
        RichFact::CandidateSuperseded { candidate: CANDIDATE, by: CandidateId(4) },
        RichFact::CandidateRerated {
            candidate: CANDIDATE,
            patch: Arc::new(patch()),
            risk: Assessment {
                priority: Priority::High,
                exposed_since: t("2026-11-18T00:00:00Z"),
                clock_started: t("2026-11-20T00:00:00Z"),
                due: None,
                due_from: t("2026-11-20T00:00:00Z"),
                why: "a security update of high severity".into(),
            },
        },
        RichFact::DeadlineNeared { candidate: CANDIDATE, due: until, endpoints: 7 },
        RichFact::FirstInstallNeared { candidate: CANDIDATE, due: until },
        RichFact::FirstInstallOverdue { candidate: CANDIDATE, due: until },
        RichFact::DeadlinePassed { candidate: CANDIDATE, due: until, endpoints: 3, next: Some(until) },
        RichFact::WindowPassed { rollout: ROLLOUT, reason: "ada called it an emergency: wormable".into() },
        RichFact::StartRefused { candidate: CANDIDATE, reason: "rings: one ring over 40 endpoints".into() },
        RichFact::CandidateHeld { candidate: CANDIDATE, reason: "a circle: a -> b -> a".into() },
        RichFact::CandidateReleased { candidate: CANDIDATE },
        RichFact::CandidateReopened { candidate: CANDIDATE, by: None, reason: "b was withdrawn".into() },
        RichFact::CandidateReopened {
            candidate: CANDIDATE,
            by: Some(ada.clone()),
            reason: "a mistake".into(),
        },
        RichFact::CandidateWithdrawn { candidate: CANDIDATE, reason: "withdrawn by its vendor".into() },
        RichFact::RolloutStarted {
            rollout: RolloutId(1),
            candidate: CANDIDATE,
            kind: RolloutKind::Trial,
            policy: Digest::of(b"policy"),
            plan: PlanFact::default(),
            emergency: None,
            bundle: vec![],
        },
        RichFact::RolloutStarted {
            rollout: ROLLOUT,
            candidate: CANDIDATE,
            kind: RolloutKind::Deployment,
            policy: Digest::of(b"policy"),
            plan: plan(),
            emergency: Some(Emergency { by: ada.clone(), reason: "wormable".into() }),
            bundle: vec![RolloutId(0), RolloutId(1)],
        },
        RichFact::MembersJoined {
            rollout: ROLLOUT,
            ring: 1,
            levels: vec!["3.0.19-1".into()],
            members: vec![
                JoinedMember { endpoint: EndpointIx(5), prior: 3, path: RollbackPath::Reinstall },
                JoinedMember { endpoint: EndpointIx(6), prior: 0, path: RollbackPath::Uninstall },
            ],
        },
        RichFact::CatchUpStopped {
            rollout: ROLLOUT,
            by: None,
            reason: "6 endpoints failed after the rollout had completed, more than the 5 allowed".into(),
        },
        RichFact::CatchUpStopped { rollout: ROLLOUT, by: Some(bo.clone()), reason: "enough".into() },
        RichFact::RingOpened { rollout: ROLLOUT, ring: 0 },
        RichFact::RingSkipped { rollout: ROLLOUT, ring: 255 },
        RichFact::RingPassedOver {
            rollout: ROLLOUT,
            ring: 0,
            to: Some(1),
            by: ada.clone(),
            reason: "the pilot is on holiday".into(),
        },
        RichFact::RingPassedOver {
            rollout: ROLLOUT,
            ring: 1,
            to: None,
            by: ada.clone(),
            reason: "late".into(),
        },
        RichFact::RolloutRevised {
            rollout: ROLLOUT,
            policy: Digest::of(b"policy"),
            plan: RevisedPlan {
                gates: vec![RevisedGate { ring: 1, gate: limits() }],
                moved: vec![MovedMember { member: MemberIx(3), ring: 1 }],
                levels: vec!["3.0.18-1".into()],
                placed: vec![PlacedMember {
                    ring: 1,
                    joined: JoinedMember { endpoint: EndpointIx(7), prior: 4, path: RollbackPath::Switch },
                }],
            },
            by: bo.clone(),
            reason: "the branch office moves".into(),
        },
        RichFact::RingSettled { rollout: ROLLOUT, ring: 0 },
        RichFact::RingPromoted {
            rollout: ROLLOUT,
            ring: 0,
            verdict: verdict(Decision::Promote, Rule::AllMet),
            by: None,
        },
        RichFact::RingPromoted {
            rollout: ROLLOUT,
            ring: 1,
            verdict: verdict(Decision::Ask, Rule::MaxHold),
            by: Some(ada.clone()),
        },
        RichFact::RingHeld {
            rollout: ROLLOUT,
            ring: 1,
            verdict: verdict(Decision::Hold { until: Some(until) }, Rule::MinVerified),
        },
        RichFact::RolloutHalted {
            rollout: ROLLOUT,
            ring: 1,
            verdict: Some(verdict(Decision::Halt, Rule::MaxFailures)),
            by: None,
            reason: "4 failed and 0 unknown of 10, more than the 3 allowed".into(),
        },
        RichFact::RolloutHalted {
            rollout: ROLLOUT,
            ring: 1,
            verdict: None,
            by: Some(bo.clone()),
            reason: "the help desk is on fire".into(),
        },
        RichFact::RolloutCancelled {
            rollout: ROLLOUT,
            by: Some(ada.clone()),
            reason: "not needed any more".into(),
        },
        RichFact::HaltLifted { rollout: ROLLOUT, by: ada.clone(), reason: "mended".into() },
        RichFact::RolloutPaused { rollout: ROLLOUT, by: ada.clone() },
        RichFact::RolloutResumed { rollout: ROLLOUT, by: ada.clone() },
        RichFact::RolloutEnded { rollout: ROLLOUT, completed: true },
        RichFact::OperatorCalled { rollout: ROLLOUT, member: MemberIx(3), level: 1, until },
        RichFact::OperatorAcknowledged { rollout: ROLLOUT, member: MemberIx(3), by: ada.clone() },
        RichFact::PathLapsed { candidate: CANDIDATE, endpoint: EndpointIx(2), until },
        RichFact::DrillStarted {
            rollout: ROLLOUT,
            member: MemberIx(4),
            path: RollbackPath::Snapshot,
            by: ada.clone(),
        },
        RichFact::DrillDone { rollout: ROLLOUT, member: MemberIx(4), path: RollbackPath::Snapshot, ok: true },
        RichFact::DrillOverdue { path: RollbackPath::Switch, last: Some(until) },
        RichFact::HoldCleared { candidate: CANDIDATE, endpoint: EndpointIx(0), by: ada.clone() },
        RichFact::AlertsSeen { rollout: ROLLOUT, ring: 1, new: Some(2) },
        RichFact::AlertsSeen { rollout: ROLLOUT, ring: 1, new: None },
        RichFact::WindowNeared {
            rollout: ROLLOUT,
            calendar: Some("nights".into()),
            opens: t("2026-11-22T02:00:00Z"),
            waiting: 9,
            unreachable: 2,
        },
        RichFact::WindowOverrun {
            rollout: ROLLOUT,
            calendar: Some("nights".into()),
            closed: t("2026-11-22T04:00:00Z"),
            under_way: 3,
        },
        RichFact::WindowMissed {
            rollout: ROLLOUT,
            calendar: Some("nights".into()),
            opened: t("2026-11-22T01:00:00Z"),
            closed: t("2026-11-22T05:00:00Z"),
            waiting: 7,
            because: MissedBecause::NoPlace,
        },
        RichFact::WindowMissed {
            rollout: ROLLOUT,
            calendar: None,
            opened: t("2026-11-22T01:00:00Z"),
            closed: t("2026-11-22T05:00:00Z"),
            waiting: 1,
            because: MissedBecause::NotTaken,
        },
        RichFact::WrongContentSeen {
            rollout: ROLLOUT,
            member: MemberIx(4),
            content: Digest::of(b"something else"),
        },
        RichFact::HookEnded {
            order: patchflow_core::ids::OrderId {
                fleet: patchflow_core::ids::FleetId(u64::MAX),
                generation: patchflow_core::ids::Generation(0),
                rollout: patchflow_core::ids::RolloutId(7),
                member: patchflow_core::ids::MemberIx(9),
                operation: 255,
            },
            failed: Some(FailureKind::Timeout),
            detail: "it did not end in time".into(),
        },
        RichFact::ReasonNamed {
            code: u16::MAX,
            kind: FailureKind::ScriptFailed,
            detail: "post-installation script subprocess returned error exit status 1".into(),
        },
        RichFact::ClockSteppedBack { seen: Timestamp::MIN, held_at: Timestamp::MAX },
        RichFact::ResyncStarted { silence_secs: u64::MAX, until },
        RichFact::ResyncEnded { unanswered: 12 },
        RichFact::RequestDone {
            request: RequestId::from("req-1"),
            by: ada.clone(),
            asked: Digest::of(b"asked"),
            outcome: Outcome::Done,
        },
        RichFact::RequestDone {
            request: RequestId::from("req-2"),
            by: ada.clone(),
            asked: Digest::of(b"asked"),
            outcome: Outcome::Started { rollout: ROLLOUT },
        },
        RichFact::RequestDone {
            request: RequestId::from("req-4"),
            by: ada.clone(),
            asked: Digest::of(b"asked"),
            outcome: Outcome::Stopped { installed: 12, in_flight: 3 },
        },
        RichFact::RequestDone {
            request: RequestId::from("req-3"),
            by: ada,
            asked: Digest::of(b"asked"),
            outcome: Outcome::VoteCounted { missing: 1 },
        },
    ]
}
