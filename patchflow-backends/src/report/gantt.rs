//! The drawing of rings over time: one line a ring, its opening, its bake, and how it ended.

use super::format::{duration, span};
use patchflow_core::report::{ReportDocument, RolloutSummary};
use patchflow_core::rollout::{RingState, RolloutKind};
use patchflow_core::time::Timestamp;

const LEFT: f64 = 190.0;
const WIDTH: f64 = 1000.0;
const RIGHT: f64 = 24.0;
const HEAD: f64 = 30.0;
const ROW: f64 = 22.0;
const GAP: f64 = 12.0;

/// The drawing, in units of its view box.
pub(super) struct Gantt {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) head: f64,
    pub(super) ticks: Vec<Tick>,
    pub(super) titles: Vec<Label>,
    pub(super) labels: Vec<Label>,
    pub(super) bars: Vec<Bar>,
    pub(super) marks: Vec<Mark>,
}

pub(super) struct Tick {
    pub(super) x: f64,
    pub(super) text: String,
}

pub(super) struct Label {
    pub(super) y: f64,
    pub(super) text: String,
}

pub(super) struct Bar {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) w: f64,
    pub(super) h: f64,
    pub(super) class: &'static str,
    pub(super) title: String,
}

pub(super) struct Mark {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) class: &'static str,
    pub(super) glyph: &'static str,
    pub(super) title: String,
}

struct Scale {
    from: Timestamp,
    millis: f64,
}

impl Scale {
    fn x(&self, at: Timestamp) -> f64 {
        // Milliseconds of a report's time span are far below the 53 bits of a float.
        let offset = at.since(self.from).as_secs_f64() * 1000.0;
        round(LEFT + (WIDTH - LEFT - RIGHT) * (offset / self.millis).clamp(0.0, 1.0))
    }
}

fn round(x: f64) -> f64 {
    (x * 10.0).round() / 10.0
}

/// `None` when there is no rollout to draw.
pub(super) fn gantt(document: &ReportDocument) -> Option<Gantt> {
    let rollouts = &document.summary.rollouts;
    let from = rollouts.iter().map(|rollout| rollout.started_at).min()?;
    let until = rollouts.iter().map(|rollout| last_instant(rollout, document.generated_at)).max()?;
    let length = until.since(from).as_secs_f64() * 1000.0;
    let scale = Scale { from, millis: length.max(1000.0) };
    let mut drawing = Gantt {
        width: WIDTH,
        height: 0.0,
        head: HEAD,
        ticks: ticks(&scale),
        titles: Vec::new(),
        labels: Vec::new(),
        bars: Vec::new(),
        marks: Vec::new(),
    };
    let mut y = HEAD + GAP;
    for rollout in rollouts {
        let what = match rollout.kind {
            RolloutKind::Trial => "trial",
            RolloutKind::Deployment => "rollout",
        };
        drawing.titles.push(Label { y: y + 14.0, text: format!("{} · {what}", rollout.patch) });
        y += ROW;
        for ring in &rollout.rings {
            drawing.ring(&scale, ring, y, document.generated_at);
            y += ROW;
        }
        y += GAP;
    }
    drawing.height = y;
    Some(drawing)
}

fn last_instant(rollout: &RolloutSummary, now: Timestamp) -> Timestamp {
    // What was left halted stays open for ever; its last ring's end is where the drawing may stop.
    let rings = rollout.rings.iter().filter_map(|ring| ring.ended_at.or(ring.settled_at)).max();
    let open = rollout.rings.iter().any(|ring| ring.opened_at.is_some() && ring.ended_at.is_none());
    if open { now } else { rollout.ended_at.or(rings).unwrap_or(now) }
}

impl Gantt {
    fn ring(&mut self, scale: &Scale, ring: &patchflow_core::report::RingSummary, y: f64, now: Timestamp) {
        self.labels.push(Label { y: y + 14.0, text: ring.name.clone() });
        let Some(opened) = ring.opened_at else { return };
        let settled = ring.settled_at.or(ring.ended_at).unwrap_or(now);
        let ended = ring.ended_at.unwrap_or(now);
        let halted = ring.state == RingState::Halted;
        let class = if halted { "g-halted" } else { "g-open" };
        let title = format!("{}: installing for {}", ring.name, span(opened, settled.min(ended)));
        self.bar(scale, (opened, settled.min(ended)), y, class, title);
        if ring.settled_at.is_some_and(|settled| settled < ended) {
            let title = format!("{}: baking for {}", ring.name, span(settled, ended));
            self.bar(scale, (settled, ended), y, "g-bake", title);
        }
        let (class, glyph) = match ring.state {
            RingState::Promoted => ("g-pass", "✓"),
            RingState::Halted => ("g-stop", "✕"),
            RingState::Held => ("g-wait", "?"),
            RingState::Pending
            | RingState::Open
            | RingState::Settled
            | RingState::Skipped
            | RingState::CatchUp => return,
        };
        let title = ring.verdict.clone().unwrap_or_else(|| ring.name.clone());
        self.marks.push(Mark { x: scale.x(ended), y: y + 9.0, class, glyph, title });
    }

    fn bar(
        &mut self,
        scale: &Scale,
        (from, until): (Timestamp, Timestamp),
        y: f64,
        class: &'static str,
        title: String,
    ) {
        let x = scale.x(from);
        let w = round((scale.x(until) - x).max(2.0));
        self.bars.push(Bar { x, y: y + 3.0, w, h: 12.0, class, title });
    }
}

/// About six ticks at round distances.
fn ticks(scale: &Scale) -> Vec<Tick> {
    const STEPS_SECS: [u64; 18] =
        [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400, 172_800, 604_800];
    let secs = (scale.millis / 1000.0).ceil() as u64;
    let step = STEPS_SECS.into_iter().find(|step| secs / step <= 8).unwrap_or_else(|| secs.div_ceil(8));
    (0..=secs / step)
        .map(|i| Tick {
            x: scale.x(scale.from.plus_secs(i * step)),
            text: format!("+{}", duration(i * step)),
        })
        .collect()
}
