//! What is left behind: the table on the terminal, `report.json`, `report.html`.

use crate::director::Faults;
use crate::ending::Check;
use crate::error::{Result, because};
use crate::run::write_whole;
use crate::story::{BAD, FLAKY, GOOD};
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use patchflow_core::fleet::Fleet;
use patchflow_core::ids::PatchId;
use patchflow_core::journal::Tail;
use patchflow_core::report::{
    Explanation, Headline, History, JournalSummary, Outcome, PolicySummary, ReportDocument, StepState,
    Summary, Tone, explain, failure_words, summarize,
};
use patchflow_core::rollout::{Phase, RingState};
use patchflow_core::time::Timestamp;
use std::path::Path;

/// The report over the fleet as it stands.
pub(crate) fn document(
    fleet: &Fleet,
    history: &History,
    tail: Tail,
    faults: &Faults,
    now: Timestamp,
) -> ReportDocument {
    let summary = summarize(fleet, history);
    let rolled_back = summary.endpoints.iter().find(|endpoint| {
        let bad = summary.candidates.iter().find(|c| c.patch == BAD.patch()).map(|c| c.id);
        endpoint.outcomes.iter().any(|o| Some(o.candidate) == bad && o.phase == Some(Phase::RolledBack))
    });
    let why = |endpoint: &str, patch: &str| {
        let (ix, id) = (fleet.endpoint_ix(endpoint)?, fleet.candidate_of(&PatchId::from(patch))?);
        Some(explain(fleet, ix, id))
    };
    let explanations = [
        summary.endpoints.first().and_then(|endpoint| why(&endpoint.id, &GOOD.patch())),
        rolled_back.and_then(|endpoint| why(&endpoint.id, &BAD.patch())),
        faults.always.first().and_then(|endpoint| why(endpoint, &FLAKY.patch())),
    ];
    ReportDocument {
        title: "Quickstart fleet".into(),
        generated_at: now,
        headline: headline(&summary),
        explanations: explanations.into_iter().flatten().collect(),
        policy: fleet.policy().map(|(policy, digest)| PolicySummary { policy: policy.clone(), digest }),
        journal: Some(JournalSummary { through: history.seq(), head: tail.head }),
        summary,
    }
}

fn headline(summary: &Summary) -> Headline {
    let patches = summary.candidates.len();
    let everywhere = summary.candidates.iter().filter(|c| c.compliance.part == c.compliance.whole).count();
    let halted = summary.rollouts.iter().filter(|r| r.halt.is_some()).count();
    let kpis = &summary.kpis;
    let mut parts = vec![format!("{everywhere} of {patches} patches verified everywhere")];
    if halted > 0 {
        parts.push(format!("{halted} halted and rolled back before it could spread"));
    }
    let remains = kpis.rolled_back + kpis.operator_needed;
    if remains > 0 {
        parts.push(format!(
            "{remains} installation{} rolled back, with reasons",
            if remains == 1 { "" } else { "s" }
        ));
    }
    let tone = if halted + usize::from(remains > 0) > 0 { Tone::Warning } else { Tone::Good };
    Headline { tone, text: parts.join("; ") }
}

/// Writes both forms.
pub(crate) fn write(dir: &Path, document: &ReportDocument) -> Result<()> {
    let json = serde_json::to_vec_pretty(document).map_err(because("could not write report.json"))?;
    write_whole(&dir.join("report.json"), &json)?;
    write_whole(&dir.join("report.html"), patchflow_backends::report::html(document).as_bytes())
}

/// What happened to every endpoint and why, shortly; the report has it at length.
pub(crate) fn table(summary: &Summary) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    let bold = |text: &str| Cell::new(text).add_attribute(Attribute::Bold);
    let heads = summary.candidates.iter().map(|candidate| bold(&candidate.patch));
    table.set_header([bold("endpoint")].into_iter().chain(heads));
    for endpoint in &summary.endpoints {
        let cells = summary.candidates.iter().map(|candidate| {
            let outcome = endpoint.outcomes.iter().find(|outcome| outcome.candidate == candidate.id);
            outcome.map_or_else(|| Cell::new("not applicable"), |outcome| cell(summary, outcome))
        });
        table.add_row([Cell::new(&endpoint.id)].into_iter().chain(cells));
    }
    table
}

fn cell(summary: &Summary, outcome: &Outcome) -> Cell {
    let tries = if outcome.attempts > 1 { format!(", {} attempts", outcome.attempts) } else { String::new() };
    let why =
        outcome.reason.as_ref().map_or_else(String::new, |(kind, _)| format!(": {}", failure_words(*kind)));
    let from = outcome.from.as_deref().unwrap_or("nothing");
    let ring = outcome.ring.as_deref().unwrap_or("?");
    match outcome.phase {
        Some(Phase::Verified) => Cell::new(format!("✓ {ring}{tries}")).fg(Color::Green),
        Some(Phase::Skipped) => Cell::new("✓ had it").fg(Color::Green),
        Some(Phase::RolledBack) => Cell::new(format!("↩ back at {from}{tries}{why}")).fg(Color::Yellow),
        Some(phase @ (Phase::Failed | Phase::NeedsOperator)) => {
            Cell::new(format!("✕ {phase}{tries}{why}")).fg(Color::Red)
        }
        Some(phase) => {
            let rollout = summary.rollouts.iter().find(|rollout| Some(rollout.id) == outcome.rollout);
            let halted =
                rollout.and_then(|rollout| rollout.rings.iter().find(|ring| ring.state == RingState::Halted));
            let text = halted
                .map_or_else(|| format!("– {phase}"), |ring| format!("– spared: halted in {}", ring.name));
            Cell::new(text).fg(Color::DarkGrey)
        }
        None => Cell::new(format!("– {}", outcome.sentence)).fg(Color::DarkGrey),
    }
}

/// The chain of an explanation, one line a stage.
pub(crate) fn told(explanation: &Explanation) -> String {
    let mut text = format!("Why? {}.\n", explanation.sentence());
    for step in &explanation.chain {
        let mark = match step.state {
            StepState::Passed => "✓",
            StepState::Open => "…",
            StepState::Stopped => "✕",
        };
        text.push_str(&format!("  {mark} {:8} {}\n", step.stage, step.text));
    }
    text
}

/// What was checked, one line each.
pub(crate) fn checked(checks: &[Check]) -> String {
    checks.iter().map(|check| format!("  {} {}\n", if check.holds { "✓" } else { "✕" }, check.text)).collect()
}
