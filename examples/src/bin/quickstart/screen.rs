//! What stands on the terminal while it goes on: a bar for each update, and events as they happen.

use crate::look::{AppLook, Look, RolloutLook};
use crate::story::APPS;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use patchflow_core::ids::CandidateId;
use patchflow_core::report::{TimelineEntry, TimelineKind};
use patchflow_core::rollout::{RingState, RolloutState};
use patchflow_core::time::Timestamp;
use std::io::{IsTerminal, Write};

/// The terminal.
pub(crate) struct Screen {
    bars: Option<(MultiProgress, Vec<ProgressBar>)>,
    begun_at: Timestamp,
    /// Which candidate is whose update.
    apps: Vec<(Option<CandidateId>, &'static str)>,
}

impl Screen {
    pub(crate) fn new(plain: bool, endpoints: u32, begun_at: Timestamp) -> Self {
        let moving = !plain && std::io::stdout().is_terminal();
        let bars = moving.then(|| {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
            let bars = APPS.iter().map(|app| {
                let style = ProgressStyle::with_template(
                    "  {prefix:12} {bar:22.cyan/dim} {pos:>3}/{len:<3} {wide_msg}",
                );
                let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─");
                all.add(ProgressBar::new(endpoints.into()).with_style(style).with_prefix(app.package))
            });
            let bars = bars.collect();
            (all, bars)
        });
        Self { bars, begun_at, apps: Vec::new() }
    }

    /// One line above the bars.
    pub(crate) fn say(&self, line: &str) {
        match &self.bars {
            // A terminal that went away is no reason to stop patching.
            Some((all, _)) => drop(all.println(line)),
            None => drop(writeln!(std::io::stdout(), "{line}")),
        }
    }

    /// Something that happened.
    pub(crate) fn event(&self, event: &TimelineEntry) {
        let since = event.at.since(self.begun_at).as_millis();
        let mark = match event.kind {
            TimelineKind::Step => "·",
            TimelineKind::Passed => "✓",
            TimelineKind::Waits => "?",
            TimelineKind::Stopped => "✕",
        };
        let app = self.apps.iter().find(|(id, _)| event.candidate.is_some() && *id == event.candidate);
        let about = app.map_or("", |(_, package)| package);
        self.say(&format!("{:>6}.{} s {mark} {about:11} {}", since / 1000, since % 1000 / 100, event.text));
    }

    pub(crate) fn show(&mut self, look: &Look) {
        self.apps = look.apps.iter().map(|app| (app.candidate, app.app.package)).collect();
        let Some((_, bars)) = &self.bars else { return };
        for (bar, app) in bars.iter().zip(&look.apps) {
            let rollout = app.rollout.as_ref().or(app.trial.as_ref());
            if let Some(counts) = rollout.map(|rollout| rollout.counts) {
                bar.set_length(counts.members().into());
                bar.set_position(counts.verified.into());
            }
            bar.set_message(message(app));
        }
    }

    /// Where every update stands, in one line.
    pub(crate) fn told(look: &Look) -> String {
        let apps = look.apps.iter().map(|app| format!("{}: {}", app.app.package, message(app)));
        apps.collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn close(&self) {
        if let Some((_, bars)) = &self.bars {
            bars.iter().for_each(ProgressBar::abandon);
        }
    }
}

fn message(app: &AppLook) -> String {
    match (&app.rollout, &app.trial, app.state) {
        (Some(rollout), ..) => rings(rollout),
        (None, _, Some(_)) if app.asked => "waits for a person".into(),
        (None, Some(trial), Some(_)) => format!("trial {}", rings(trial)),
        (None, None, Some(state)) => state.into(),
        (None, _, None) => "not published yet".into(),
    }
}

fn rings(rollout: &RolloutLook) -> String {
    let rings: Vec<String> =
        rollout.rings.iter().map(|(name, state)| format!("{name} {}", mark(*state))).collect();
    let state = match rollout.state {
        RolloutState::Running => "",
        RolloutState::Paused => "  paused",
        RolloutState::Halted => "  halted",
        RolloutState::Cancelled | RolloutState::Ended => "  ended",
        RolloutState::Completed => "  done",
    };
    let failed = match rollout.counts.failed {
        0 => String::new(),
        n => format!("  {n} failed"),
    };
    format!("{}{state}{failed}", rings.join("  "))
}

const fn mark(state: RingState) -> &'static str {
    match state {
        RingState::Pending => "○",
        RingState::Open => "◐",
        RingState::Settled => "◕",
        RingState::Held => "?",
        RingState::Promoted => "✓",
        RingState::Skipped => "–",
        RingState::Halted => "✕",
        RingState::CatchUp => "+",
    }
}
