//! The HTML form of a report: complete, self-contained, and safe against whatever names the world has.

use patchflow_backends::report::{ENDPOINTS_MAX, html};
use patchflow_core::catalog::{Category, Severity};
use patchflow_core::digest::Digest;
use patchflow_core::error::FailureKind;
use patchflow_core::gate::{Class, Counts};
use patchflow_core::ids::{CandidateId, EndpointIx, RolloutId, Seq};
use patchflow_core::inventory::Environment;
use patchflow_core::policy::Policy;
use patchflow_core::report::*;
use patchflow_core::risk::Priority;
use patchflow_core::rollout::{Phase, RingState, RolloutKind, RolloutState};
use patchflow_core::time::Timestamp;

const PATCHES: [&str; 3] = ["lab-hello=1.0-2", "lab-webd=1.1-1", "lab-postfail=1.1-1"];

fn at(secs: u64) -> Timestamp {
    "2026-11-21T08:30:00Z".parse::<Timestamp>().unwrap().plus_secs(secs)
}

fn candidate(i: u32, severity: Severity, verified: u32) -> CandidateSummary {
    let span = |stage, from, until| StageSpan { stage, from: at(from), until: Some(at(until)) };
    CandidateSummary {
        id: CandidateId(i),
        patch: PATCHES[i as usize].into(),
        title: format!("{} security update", PATCHES[i as usize]),
        target: format!("deb:{}", PATCHES[i as usize]),
        severity,
        category: Category::Security,
        priority: Priority::Critical,
        why: "a security update of critical severity".into(),
        closes: vec![],
        clock_started: Timestamp::default(),
        due: Some(at(604_800)),
        state: "approved".into(),
        decided: Some("approved by the rule \"critical security after validation\"".into()),
        compliance: Share { part: verified, whole: 24 },
        stages: vec![
            span(PipelineStage::Identify, 0, 1),
            span(PipelineStage::Test, 1, 5),
            span(PipelineStage::Approve, 5, 8),
            span(PipelineStage::Deploy, 8, 25),
        ],
    }
}

fn ring(name: &str, state: RingState, counts: Counts, times: [u64; 3]) -> RingSummary {
    let opened = state != RingState::Pending;
    RingSummary {
        name: name.into(),
        state,
        counts,
        opened_at: opened.then(|| at(times[0])),
        settled_at: (state == RingState::Promoted).then(|| at(times[1])),
        ended_at: opened.then(|| at(times[2])),
        verdict: opened.then(|| {
            format!("{} of {} verified, nothing speaks against it", counts.verified, counts.counted())
        }),
        rule: opened.then(|| rule_words(patchflow_core::gate::Rule::AllMet).into()),
    }
}

fn rollouts() -> Vec<RolloutSummary> {
    let verified = |verified| Counts { verified, ..Counts::default() };
    let passed = |name, n, times| ring(name, RingState::Promoted, verified(n), times);
    let cancelled = |cancelled| Counts { cancelled, ..Counts::default() };
    let rollout = |id: u32, candidate: u32, kind, state, halt, rings| RolloutSummary {
        id: RolloutId(id),
        kind,
        candidate: CandidateId(candidate),
        patch: PATCHES[candidate as usize].into(),
        state,
        halt,
        started_at: at(1),
        ended_at: Some(at(25)),
        rings,
    };
    let failed = Counts { verified: 2, failed: 1, ..Counts::default() };
    vec![
        rollout(0, 0, RolloutKind::Trial, RolloutState::Completed, None, vec![passed("trial", 6, [1, 3, 5])]),
        rollout(
            1,
            0,
            RolloutKind::Deployment,
            RolloutState::Completed,
            None,
            vec![
                passed("pilot", 1, [8, 9, 11]),
                passed("early", 4, [11, 13, 15]),
                passed("half", 4, [15, 18, 20]),
                passed("broad", 9, [20, 23, 25]),
            ],
        ),
        rollout(
            2,
            1,
            RolloutKind::Deployment,
            RolloutState::Halted,
            Some("1 failed and 0 unknown of 1, more than the 20 % allowed".into()),
            vec![
                ring("pilot", RingState::Halted, Counts { failed: 1, ..Counts::default() }, [8, 9, 12]),
                ring("early", RingState::Pending, cancelled(4), [0; 3]),
                ring("broad", RingState::Pending, cancelled(13), [0; 3]),
            ],
        ),
        rollout(
            3,
            2,
            RolloutKind::Deployment,
            RolloutState::Completed,
            None,
            vec![passed("pilot", 1, [8, 12, 14]), ring("broad", RingState::Promoted, failed, [14, 20, 22])],
        ),
    ]
}

fn endpoint(i: u32, id: &str) -> EndpointSummary {
    let outcome = |candidate: u32, phase: Phase, sentence: &str| Outcome {
        candidate: CandidateId(candidate),
        rollout: Some(RolloutId(1)),
        ring: Some("early".into()),
        phase: Some(phase),
        class: Some(phase.class()),
        attempts: 1,
        from: Some("1.0-1".into()),
        to: "1.1-1".into(),
        reason: None,
        verified_at: (phase.class() == Class::Verified).then(|| at(14)),
        sentence: sentence.into(),
    };
    let non_production = i < 6;
    EndpointSummary {
        ix: EndpointIx(i),
        id: id.into(),
        onboarding: false,
        environment: if non_production { Environment::NonProduction } else { Environment::Production },
        unreachable_since: None,
        stale_since: None,
        scope: format!("acme/{}", if i.is_multiple_of(2) { "berlin" } else { "lyon" }),
        outcomes: vec![
            outcome(0, Phase::Verified, "verified at 1.0-2 in ring early, from 1.0-1"),
            match i {
                6 => outcome(
                    1,
                    Phase::RolledBack,
                    "rolled back to 1.0-1 and held there: smoke test failed (lab-webd: answered 500 instead of 200)",
                ),
                0..6 => outcome(1, Phase::Verified, "verified at 1.1-1 in the trial, from 1.0-1"),
                _ => outcome(1, Phase::Cancelled, "never started: the rollout was halted in ring pilot"),
            },
            match i {
                9 | 17 => outcome(
                    2,
                    Phase::Failed,
                    "failed after 3 attempts in ring broad: package script failed (postinst returned 1)",
                ),
                11 => outcome(
                    2,
                    Phase::Verified,
                    "verified at 1.1-1 in ring broad after 2 attempts, from 1.0-1",
                ),
                _ => outcome(2, Phase::Verified, "verified at 1.1-1 in ring broad, from 1.0-1"),
            },
        ],
    }
}

fn document() -> ReportDocument {
    let entry = |secs, kind, candidate: u32, text: &str| TimelineEntry {
        at: at(secs),
        kind,
        candidate: Some(CandidateId(candidate)),
        rollout: None,
        text: text.into(),
    };
    let step = |stage, state, text: &str| Step { stage, state, text: text.into() };
    let endpoints: Vec<_> = (0..24).map(|i| endpoint(i, &format!("apt-{i:02}"))).collect();
    ReportDocument {
        title: "Lab fleet".into(),
        generated_at: at(26),
        headline: Headline {
            tone: Tone::Warning,
            text: "1 of 3 patches is verified everywhere, 1 was halted in its pilot ring and rolled back, 2 endpoints need a look".into(),
        },
        summary: Summary {
            kpis: Kpis {
                endpoints: 24,
                non_production: 6,
                compliance: Share { part: 52, whole: 72 },
                success: Share { part: 52, whole: 55 },
                stale: 0,
                counts: Counts { verified: 52, failed: 3, cancelled: 17, ..Counts::default() },
                untouched: 0,
                rolled_back: 1,
                operator_needed: 0,
                retried: 3,
                excepted: 0,
                time_exposed: None,
                time_to_patch: Some(TimeToPatch { median_secs: 14, p90_secs: 22, in_time: Share { part: 52, whole: 52 } }),
            },
            candidates: vec![
                candidate(0, Severity::Critical, 24),
                candidate(1, Severity::High, 6),
                candidate(2, Severity::Moderate, 22),
            ],
            rollouts: rollouts(),
            endpoints,
            failures: vec![
                FailureSummary {
                    kind: FailureKind::ScriptFailed,
                    detail: "postinst of lab-postfail returned 1".into(),
                    patch: PATCHES[2].into(),
                    times: 9,
                    endpoints: ["apt-08", "apt-09", "apt-11", "apt-14", "apt-17"].map(Into::into).into(),
                    recovered: 3,
                },
                FailureSummary {
                    kind: FailureKind::Unhealthy,
                    detail: "lab-webd: answered 500 instead of 200 (\"cannot open /etc/lab/production\")".into(),
                    patch: PATCHES[1].into(),
                    times: 1,
                    endpoints: vec!["apt-06".into()],
                    recovered: 0,
                },
            ],
            timeline: vec![
                entry(0, TimelineKind::Step, 0, "identified, critical priority"),
                entry(5, TimelineKind::Passed, 0, "trial passed: 6 of 6 endpoints verified"),
                entry(6, TimelineKind::Waits, 1, "change-manager asked to approve"),
                entry(12, TimelineKind::Stopped, 1, "halted in ring pilot: 1 failed and 0 unknown of 1"),
            ],
        },
        explanations: vec![
            Explanation {
                endpoint: "apt-06".into(),
                patch: PATCHES[1].into(),
                installed: false,
                chain: vec![
                    step(PipelineStage::Identify, StepState::Passed, "needed since 08:30, high priority"),
                    step(PipelineStage::Test, StepState::Passed, "trial passed: 6 of 6 endpoints verified"),
                    step(PipelineStage::Approve, StepState::Passed, "approved by ada: looks fine"),
                    step(PipelineStage::Deploy, StepState::Passed, "installed in ring pilot"),
                    step(PipelineStage::Verify, StepState::Stopped, "smoke test failed (lab-webd: answered 500 instead of 200), rolled back to 1.0-1 and held there"),
                ],
            },
            Explanation {
                endpoint: "apt-09".into(),
                patch: PATCHES[2].into(),
                installed: false,
                chain: vec![
                    step(PipelineStage::Identify, StepState::Passed, "needed since 08:30"),
                    step(PipelineStage::Test, StepState::Passed, "no trial needed"),
                    step(PipelineStage::Approve, StepState::Passed, "approved by ada"),
                    step(PipelineStage::Deploy, StepState::Stopped, "failed 3 of 3: package script failed (postinst returned 1)"),
                ],
            },
        ],
        policy: Some(PolicySummary { policy: Policy::standard("lab playbook"), digest: Digest::of(b"policy") }),
        journal: Some(JournalSummary { through: Seq(812), head: Digest::of(b"journal") }),
    }
}

#[test]
fn the_page_tells_everything_the_document_holds() {
    let page = html(&document());
    // For whoever wants to look at it.
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/report-sample.html"), &page).unwrap();
    for needle in [
        "Lab fleet",
        "1 of 3 patches is verified everywhere",
        "72.2 %",
        "approved by the rule",
        "halted",
        "up to 25 %",
        "smoke test failed",
        "postinst of lab-postfail returned 1",
        "apt-23",
        "critical security after validation",
        "Why is lab-webd=1.1-1 not installed on apt-06?",
        &Digest::of(b"journal").to_string(),
    ] {
        assert!(page.contains(needle), "{needle}");
    }
}

#[test]
fn the_page_fetches_nothing_and_runs_nothing() {
    let page = html(&document());
    for foreign in ["<script", "<link", "<img", "<iframe", "http://", "https://", "url(", "@import", " src="]
    {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn whatever_comes_from_outside_is_escaped() {
    let evil = "\"><script>alert('x')</script>&<b onmouseover=x>";
    let mut document = document();
    document.title = evil.into();
    document.headline.text = evil.into();
    let summary = &mut document.summary;
    for candidate in &mut summary.candidates {
        candidate.patch = evil.into();
        candidate.title = evil.into();
        candidate.target = evil.into();
        candidate.why = evil.into();
        candidate.state = evil.into();
        candidate.decided = Some(evil.into());
    }
    for rollout in &mut summary.rollouts {
        rollout.patch = evil.into();
        rollout.halt = Some(evil.into());
        for ring in &mut rollout.rings {
            ring.name = evil.into();
            ring.verdict = Some(evil.into());
            ring.rule = Some(evil.into());
        }
    }
    for endpoint in &mut summary.endpoints {
        endpoint.id = evil.into();
        endpoint.scope = evil.into();
        endpoint.outcomes.iter_mut().for_each(|outcome| outcome.sentence = evil.into());
    }
    for failure in &mut summary.failures {
        failure.detail = evil.into();
        failure.patch = evil.into();
        failure.endpoints = vec![evil.into()];
    }
    summary.timeline.iter_mut().for_each(|event| event.text = evil.into());
    for explanation in &mut document.explanations {
        explanation.endpoint = evil.into();
        explanation.patch = evil.into();
        explanation.chain.iter_mut().for_each(|step| step.text = evil.into());
    }
    if let Some(known) = &mut document.policy {
        known.policy.name = evil.into();
        known.policy.rings[0].name = evil.into();
        known.policy.approval[0].name = evil.into();
        known.policy.otherwise.role = evil.into();
    }
    let page = html(&document);
    for live in ["<script", "<b onmouseover", "alert('x')"] {
        assert!(!page.contains(live), "{live}");
    }
    assert!(page.matches("alert(").count() > 100, "the text itself is there");
}

#[test]
fn a_report_of_nothing_is_a_page_too() {
    let mut document = document();
    document.summary = Summary {
        kpis: Kpis {
            excepted: 0,
            time_exposed: None,
            endpoints: 0,
            non_production: 0,
            compliance: Share::default(),
            success: Share::default(),
            stale: 0,
            counts: Counts::default(),
            untouched: 0,
            rolled_back: 0,
            operator_needed: 0,
            retried: 0,
            time_to_patch: None,
        },
        candidates: vec![],
        rollouts: vec![],
        endpoints: vec![],
        failures: vec![],
        timeline: vec![],
    };
    document.explanations.clear();
    document.policy = None;
    document.journal = None;
    let page = html(&document);
    assert!(page.contains("</html>") && !page.contains("NaN") && !page.contains("<table class=\"plain\""));
}

#[test]
fn a_large_fleet_is_cut_with_what_needs_a_look_first() {
    let mut document = document();
    let last = ENDPOINTS_MAX + 10;
    document.summary.endpoints =
        (0..=last).map(|i| endpoint(if i == last { 9 } else { 20 }, &format!("host-{i}."))).collect();
    let page = html(&document);
    assert!(page.contains(&format!("host-{last}.")) && !page.contains(&format!("host-{}.", last - 1)));
    assert!(page.contains("11 more endpoints"));
}

#[test]
fn a_document_survives_its_json_form() {
    let text = serde_json::to_string(&document()).unwrap();
    assert_eq!(serde_json::from_str::<ReportDocument>(&text).unwrap(), document());
}
