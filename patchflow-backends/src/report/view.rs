//! What the page shows, made from the document: words, styles, and nothing that still needs thought in the template.

use super::ENDPOINTS_MAX;
use super::format::{classes, duration, instant, span, time_of_day};
use super::gantt::{Gantt, gantt};
use askama::Template;
use patchflow_core::catalog::Severity;
use patchflow_core::inventory::Environment;
use patchflow_core::policy::{Approval, OnFailure, OnHalt, OnRevoke, Policy, RingSize, StartMode};
use patchflow_core::report::{
    CandidateSummary, EndpointSummary, Explanation, Outcome, ReportDocument, RingSummary, RolloutSummary,
    Share, StepState, Summary, TimelineEntry, TimelineKind, Tone, failure_words,
};
use patchflow_core::rollout::{Phase, RingState, RolloutKind, RolloutState};

#[derive(Template)]
#[template(path = "report.html")]
pub(super) struct Page<'a> {
    title: &'a str,
    generated: String,
    tone: &'static str,
    glyph: &'static str,
    headline: &'a str,
    tiles: Vec<Tile>,
    patches: Vec<PatchView<'a>>,
    gantt: Option<Gantt>,
    rollouts: Vec<RolloutView<'a>>,
    failures: Vec<FailureView<'a>>,
    columns: Vec<&'a str>,
    endpoints: Vec<EndpointView<'a>>,
    endpoints_left: usize,
    attention: usize,
    explanations: Vec<ExplanationView<'a>>,
    events: Vec<EventView<'a>>,
    policy: Option<PolicyView>,
    journal: Option<(u64, String)>,
}

struct Tile {
    label: &'static str,
    value: String,
    note: String,
    tone: &'static str,
    /// For the bar below, in thousandths.
    share: Option<u32>,
}

struct PatchView<'a> {
    title: &'a str,
    target: &'a str,
    severity: Severity,
    severity_tone: &'static str,
    category: String,
    priority: String,
    why: &'a str,
    state: &'a str,
    decided: Option<&'a str>,
    closes: String,
    clock_started: String,
    due: Option<String>,
    compliance: Share,
    share: u32,
    stages: Vec<StageView>,
}

struct StageView {
    name: String,
    took: String,
    /// Share of the width; at least visible.
    grow: u64,
}

struct RolloutView<'a> {
    patch: &'a str,
    kind: &'static str,
    state: &'static str,
    tone: &'static str,
    halt: Option<&'a str>,
    took: Option<String>,
    rings: Vec<RingView<'a>>,
}

struct RingView<'a> {
    name: &'a str,
    members: u32,
    state: &'static str,
    tone: &'static str,
    classes: Vec<ClassView>,
    verdict: Option<&'a str>,
    rule: Option<&'a str>,
}

struct ClassView {
    name: &'static str,
    style: String,
    n: u32,
}

struct FailureView<'a> {
    kind: &'static str,
    detail: &'a str,
    patch: &'a str,
    times: u32,
    endpoints: String,
    count: usize,
    recovered: u32,
}

struct EndpointView<'a> {
    id: &'a str,
    scope: &'a str,
    non_production: bool,
    attention: bool,
    cells: Vec<CellView<'a>>,
}

struct CellView<'a> {
    column: &'a str,
    outcome: Option<OutcomeView<'a>>,
}

struct OutcomeView<'a> {
    label: &'static str,
    tone: &'static str,
    glyph: &'static str,
    sentence: &'a str,
}

struct ExplanationView<'a> {
    question: String,
    sentence: String,
    tone: &'static str,
    steps: Vec<(String, &'static str, &'static str, &'a str)>,
}

struct EventView<'a> {
    at: String,
    tone: &'static str,
    glyph: &'static str,
    about: String,
    text: &'a str,
}

struct PolicyView {
    name: String,
    digest: String,
    rings: Vec<[String; 5]>,
    rules: Vec<String>,
}

const fn mark(tone: Tone) -> (&'static str, &'static str) {
    match tone {
        Tone::Good => ("good", "✓"),
        Tone::Neutral => ("neutral", "…"),
        Tone::Warning => ("warning", "!"),
        Tone::Bad => ("bad", "✕"),
    }
}

/// What a phase is called in a table, and how good it is.
const fn outcome_label(phase: Option<Phase>) -> (&'static str, Tone) {
    match phase {
        None => ("not started", Tone::Neutral),
        Some(Phase::Verified) => ("verified", Tone::Good),
        Some(Phase::Skipped) => ("already there", Tone::Good),
        Some(Phase::Waiting) => ("waiting", Tone::Neutral),
        Some(
            Phase::Ordered
            | Phase::Running
            | Phase::Recalling
            | Phase::Installed
            | Phase::Rebooting
            | Phase::Backoff,
        ) => ("under way", Tone::Neutral),
        Some(Phase::RebootPending) => ("reboot pending", Tone::Warning),
        Some(Phase::Silent | Phase::RevertSilent) => ("unknown", Tone::Warning),
        Some(Phase::Reverting | Phase::Reverted) => ("rolling back", Tone::Warning),
        Some(Phase::RolledBack) => ("rolled back", Tone::Warning),
        Some(Phase::Failed) => ("failed", Tone::Bad),
        Some(Phase::NeedsOperator) => ("needs operator", Tone::Bad),
        Some(Phase::Deferred) => ("deferred", Tone::Neutral),
        Some(Phase::Cancelled) => ("spared", Tone::Neutral),
        Some(Phase::Draining | Phase::RevertDraining) => ("draining", Tone::Neutral),
        Some(Phase::Attached) => ("in another rollout", Tone::Neutral),
        Some(Phase::Held) => ("held", Tone::Warning),
        Some(Phase::Removed) => ("removed", Tone::Neutral),
    }
}

impl<'a> Page<'a> {
    pub(super) fn new(document: &'a ReportDocument) -> Self {
        let summary = &document.summary;
        let (tone, glyph) = mark(document.headline.tone);
        let mut endpoints: Vec<EndpointView<'_>> =
            summary.endpoints.iter().map(|endpoint| EndpointView::new(endpoint, summary)).collect();
        let attention = endpoints.iter().filter(|endpoint| endpoint.attention).count();
        let endpoints_left = endpoints.len().saturating_sub(ENDPOINTS_MAX);
        if endpoints_left > 0 {
            endpoints.sort_by_key(|endpoint| !endpoint.attention);
            endpoints.truncate(ENDPOINTS_MAX);
        }
        Self {
            title: &document.title,
            generated: instant(document.generated_at),
            tone,
            glyph,
            headline: &document.headline.text,
            tiles: tiles(document),
            patches: summary.candidates.iter().map(|c| PatchView::new(c, document)).collect(),
            gantt: gantt(document),
            rollouts: summary.rollouts.iter().map(RolloutView::new).collect(),
            failures: summary
                .failures
                .iter()
                .map(|failure| FailureView {
                    kind: failure_words(failure.kind),
                    detail: &failure.detail,
                    patch: &failure.patch,
                    times: failure.times,
                    endpoints: some_of(&failure.endpoints),
                    count: failure.endpoints.len(),
                    recovered: failure.recovered,
                })
                .collect(),
            columns: summary.candidates.iter().map(|candidate| candidate.patch.as_str()).collect(),
            endpoints,
            endpoints_left,
            attention,
            explanations: document.explanations.iter().map(ExplanationView::new).collect(),
            events: summary.timeline.iter().map(|event| EventView::new(event, document)).collect(),
            policy: document
                .policy
                .as_ref()
                .map(|known| PolicyView::new(&known.policy, known.digest.to_string())),
            journal: document.journal.as_ref().map(|journal| (journal.through.0, journal.head.to_string())),
        }
    }
}

/// Whether it never started because its rollout was stopped before its turn came.
fn is_spared(summary: &Summary, outcome: &Outcome) -> bool {
    let stopped = || {
        let rollout = summary.rollouts.iter().find(|rollout| Some(rollout.id) == outcome.rollout);
        rollout.is_some_and(|rollout| match rollout.state {
            RolloutState::Halted | RolloutState::Cancelled | RolloutState::Ended => true,
            RolloutState::Running | RolloutState::Paused | RolloutState::Completed => false,
        })
    };
    match outcome.phase {
        Some(Phase::Cancelled) => true,
        Some(Phase::Waiting) => outcome.attempts == 0 && stopped(),
        Some(_) | None => false,
    }
}

fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = names.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

fn tiles(document: &ReportDocument) -> Vec<Tile> {
    let kpis = &document.summary.kpis;
    let graded = |share: Share, good: u32, fair: u32| match share.thousandths() {
        Some(n) if n >= good => "good",
        Some(n) if n >= fair => "warning",
        Some(_) => "bad",
        None => "neutral",
    };
    let outcomes = document.summary.endpoints.iter().flat_map(|endpoint| &endpoint.outcomes);
    let spared = outcomes.filter(|outcome| is_spared(&document.summary, outcome)).count();
    let bad_if = |n: u32| if n == 0 { "good" } else { "bad" };
    let warn_if = |n: u32| if n == 0 { "good" } else { "warning" };
    let mut tiles = vec![
        Tile {
            label: "Compliance",
            value: kpis.compliance.to_string(),
            note: format!(
                "{} of {} applicable installations verified",
                kpis.compliance.part, kpis.compliance.whole
            ),
            tone: graded(kpis.compliance, 950, 800),
            share: kpis.compliance.thousandths(),
        },
        Tile {
            label: "Success rate",
            value: kpis.success.to_string(),
            note: format!("{} of {} that came to an outcome", kpis.success.part, kpis.success.whole),
            tone: graded(kpis.success, 950, 800),
            share: kpis.success.thousandths(),
        },
        Tile {
            label: "Endpoints",
            value: kpis.endpoints.to_string(),
            note: format!("{} of them non-production", kpis.non_production),
            tone: "neutral",
            share: None,
        },
        Tile {
            label: "Failed",
            value: (kpis.counts.failed - kpis.rolled_back.min(kpis.counts.failed)).to_string(),
            note: match kpis.operator_needed {
                0 => "for good, with reasons below".into(),
                n => format!("for good; {n} need an operator"),
            },
            tone: bad_if(kpis.counts.failed - kpis.rolled_back.min(kpis.counts.failed)),
            share: None,
        },
        Tile {
            label: "Rolled back",
            value: kpis.rolled_back.to_string(),
            note: "and held at the version before".into(),
            tone: warn_if(kpis.rolled_back),
            share: None,
        },
        Tile {
            label: "Spared",
            value: spared.to_string(),
            note: "never got what was stopped in time".into(),
            tone: "neutral",
            share: None,
        },
        Tile {
            label: "Retried with success",
            value: kpis.retried.to_string(),
            note: "verified after more than one attempt".into(),
            tone: "neutral",
            share: None,
        },
    ];
    if let Some(time) = &kpis.time_to_patch {
        tiles.push(Tile {
            label: "Time to patch",
            value: duration(time.median_secs),
            note: format!("median; 90 % within {}; in time: {}", duration(time.p90_secs), time.in_time),
            tone: "neutral",
            share: None,
        });
    }
    tiles
}

impl<'a> PatchView<'a> {
    fn new(candidate: &'a CandidateSummary, document: &ReportDocument) -> Self {
        let until = |until: Option<_>| until.unwrap_or(document.generated_at);
        let total: u128 = candidate.stages.iter().map(|s| until(s.until).since(s.from).as_millis()).sum();
        let stages = candidate.stages.iter().map(|stage| {
            let millis = until(stage.until).since(stage.from).as_millis();
            StageView {
                name: stage.stage.to_string(),
                took: span(stage.from, until(stage.until)),
                // At least a tenth, so that its name can be read.
                grow: u64::try_from(millis.max(total / 10).max(1)).unwrap_or(u64::MAX),
            }
        });
        let severity_tone = match candidate.severity {
            Severity::Critical => "bad",
            Severity::High => "warning",
            Severity::Moderate | Severity::Low | Severity::Unknown => "neutral",
        };
        Self {
            title: &candidate.title,
            target: &candidate.target,
            severity: candidate.severity,
            severity_tone,
            category: candidate.category.to_string(),
            priority: candidate.priority.to_string(),
            why: &candidate.why,
            state: &candidate.state,
            decided: candidate.decided.as_deref(),
            closes: candidate.closes.join(", "),
            clock_started: instant(candidate.clock_started),
            due: candidate.due.map(instant),
            compliance: candidate.compliance,
            share: candidate.compliance.thousandths().unwrap_or(0),
            stages: stages.collect(),
        }
    }
}

impl<'a> RolloutView<'a> {
    fn new(rollout: &'a RolloutSummary) -> Self {
        let (state, tone) = match rollout.state {
            RolloutState::Running => ("under way", "neutral"),
            RolloutState::Paused => ("paused", "warning"),
            RolloutState::Halted => ("halted", "bad"),
            RolloutState::Cancelled => ("being cancelled", "warning"),
            RolloutState::Completed => ("completed", "good"),
            RolloutState::Ended => ("ended early", "warning"),
        };
        Self {
            patch: &rollout.patch,
            kind: match rollout.kind {
                RolloutKind::Trial => "trial on non-production",
                RolloutKind::Deployment => "rollout",
            },
            state,
            tone,
            halt: rollout.halt.as_deref(),
            took: rollout.ended_at.map(|ended| span(rollout.started_at, ended)),
            rings: rollout.rings.iter().map(RingView::new).collect(),
        }
    }
}

impl<'a> RingView<'a> {
    fn new(ring: &'a RingSummary) -> Self {
        let (state, tone) = match ring.state {
            RingState::Pending => ("never opened", "neutral"),
            RingState::Open => ("open", "neutral"),
            RingState::Settled => ("baking", "neutral"),
            RingState::Held => ("holds", "warning"),
            RingState::Promoted => ("passed", "good"),
            RingState::Skipped => ("empty, skipped", "neutral"),
            RingState::Halted => ("halted", "bad"),
            RingState::CatchUp => ("brings along who came late", "neutral"),
        };
        let classes = classes(&ring.counts)
            .into_iter()
            .map(|(name, n)| ClassView { name, style: format!("c-{}", name.replace(' ', "-")), n })
            .collect();
        Self {
            name: &ring.name,
            members: ring.counts.members(),
            state,
            tone,
            classes,
            verdict: ring.verdict.as_deref(),
            rule: ring.rule.as_deref(),
        }
    }
}

impl<'a> EndpointView<'a> {
    fn new(endpoint: &'a EndpointSummary, summary: &'a Summary) -> Self {
        let outcome = |id| endpoint.outcomes.iter().find(|outcome| outcome.candidate == id);
        let cells: Vec<CellView<'a>> = summary
            .candidates
            .iter()
            .map(|candidate| CellView {
                column: &candidate.patch,
                outcome: outcome(candidate.id).map(|o| OutcomeView::new(o, is_spared(summary, o))),
            })
            .collect();
        let attention =
            cells.iter().flat_map(|cell| &cell.outcome).any(|o| matches!(o.tone, "bad" | "warning"));
        let non_production = match endpoint.environment {
            Environment::NonProduction => true,
            Environment::Production => false,
        };
        Self { id: &endpoint.id, scope: &endpoint.scope, non_production, attention, cells }
    }
}

impl<'a> OutcomeView<'a> {
    fn new(outcome: &'a Outcome, spared: bool) -> Self {
        let (label, tone) = if spared { ("spared", Tone::Neutral) } else { outcome_label(outcome.phase) };
        let (tone, glyph) = mark(tone);
        Self { label, tone, glyph, sentence: &outcome.sentence }
    }
}

impl<'a> ExplanationView<'a> {
    fn new(explanation: &'a Explanation) -> Self {
        let steps = explanation.chain.iter().map(|step| {
            let (style, glyph) = match step.state {
                StepState::Passed => ("good", "✓"),
                StepState::Open => ("neutral", "…"),
                StepState::Stopped => ("bad", "✕"),
            };
            (step.stage.to_string(), style, glyph, step.text.as_str())
        });
        Self {
            question: if explanation.installed {
                format!("Why is {} installed on {}?", explanation.patch, explanation.endpoint)
            } else {
                format!("Why is {} not installed on {}?", explanation.patch, explanation.endpoint)
            },
            sentence: explanation.sentence(),
            tone: if explanation.installed { "good" } else { "warning" },
            steps: steps.collect(),
        }
    }
}

impl<'a> EventView<'a> {
    fn new(event: &'a TimelineEntry, document: &ReportDocument) -> Self {
        let (tone, glyph) = match event.kind {
            TimelineKind::Step => ("neutral", "·"),
            TimelineKind::Passed => ("good", "✓"),
            TimelineKind::Waits => ("warning", "!"),
            TimelineKind::Stopped => ("bad", "✕"),
        };
        let patch = event.candidate.and_then(|id| document.summary.candidates.iter().find(|c| c.id == id));
        let rollout = event.rollout.and_then(|id| document.summary.rollouts.iter().find(|r| r.id == id));
        let about = match (patch, rollout.map(|rollout| rollout.kind)) {
            (None, _) => String::new(),
            (Some(patch), Some(RolloutKind::Trial)) => format!("{} · trial", patch.patch),
            (Some(patch), Some(RolloutKind::Deployment) | None) => patch.patch.clone(),
        };
        Self { at: time_of_day(event.at), tone, glyph, about, text: &event.text }
    }
}

impl PolicyView {
    fn new(policy: &Policy, digest: String) -> Self {
        let rings = policy.rings.iter().map(|ring| {
            let size = match &ring.size {
                RingSize::Percent { cumulative } => format!("up to {cumulative} %"),
                RingSize::Count { endpoints } => format!("{endpoints} endpoints"),
                RingSize::Selector { selector } => format!("{selector:?}"),
            };
            let gate = &ring.gate;
            let mut halts: Vec<String> = Vec::new();
            halts.extend(gate.max_failures.map(|n| format!("more than {n} failures")));
            halts.extend(gate.max_failure_percent.map(|p| format!("more than {p} % failures")));
            halts.extend(gate.max_alerts.map(|n| format!("more than {n} alerts")));
            [
                ring.name.clone(),
                size,
                if halts.is_empty() { "-".into() } else { halts.join(", ") },
                format!("{} % verified", gate.min_success_percent),
                duration(gate.bake_secs_min.into()),
            ]
        });
        let mut rules: Vec<String> = policy
            .approval
            .iter()
            .map(|rule| match &rule.approval {
                Approval::Automatic { requires_trial, delay_secs } => format!(
                    "{}: automatic{}{}",
                    rule.name,
                    if *requires_trial { " after a passed trial" } else { "" },
                    if *delay_secs > 0 {
                        format!(", {} after release", duration((*delay_secs).into()))
                    } else {
                        String::new()
                    }
                ),
                Approval::Person(person) => {
                    format!("{}: {} of role {}", rule.name, person.quorum, person.role)
                }
            })
            .collect();
        let otherwise = &policy.otherwise;
        rules.push(format!("anything else: {} of role {}", otherwise.quorum, otherwise.role));
        let kinds: Vec<_> = policy.retry.on.iter().map(|kind| failure_words(*kind)).collect();
        rules.push(format!("up to {} attempts on: {}", policy.retry.attempts_max, kinds.join(", ")));
        rules.push(match policy.rollback.on_halt {
            OnHalt::Nobody => "on a halt nobody is rolled back".into(),
            OnHalt::Failed => "on a halt the failed are rolled back".into(),
            OnHalt::Ring => "on a halt the whole ring is rolled back".into(),
            OnHalt::Rollout => "on a halt the whole rollout is rolled back".into(),
        });
        if policy.rollback.on_revoke == OnRevoke::RollBack {
            rules.push("what was installed under a revoked approval is rolled back".into());
        }
        rules.push(match policy.rollback.on_failure {
            OnFailure::Leave => "what failed for good stays as it is".into(),
            OnFailure::RollBack => "what failed for good is rolled back".into(),
        });
        rules.push(match policy.deploy.start {
            StartMode::WhenApproved => "approved patches start by themselves".into(),
            StartMode::OnRequest => "approved patches start on request".into(),
        });
        Self { name: policy.name.clone(), digest, rings: rings.collect(), rules }
    }
}
