//! Plays a story from its start to its end, and looks at every moment.

use super::check::{fact_kind, word};
use super::outcome::{Difference, Told};
use super::stage::Stage;
use super::story::{Beat, Claim, Deed, Mode, Story, What};
use patchflow_core::fleet::Fact;
use patchflow_core::time::Timestamp;
use serde_json::{Value, json};

/// A claim that is being watched.
struct Watched<'a> {
    beat: &'a Beat,
    claim: &'a Claim,
    /// It has come true, or broken: there is nothing more to see.
    is_over: bool,
    /// What was so at the last look.
    last: String,
}

struct Play<'a> {
    stage: Stage<'a>,
    watched: Vec<Watched<'a>>,
    checked: u32,
    differences: Vec<Difference>,
    /// How many things happened so far.
    steps: u32,
}

/// More things than this happen in no story that a person wrote: an endpoint that is ordered every minute for a century.
const STEPS_MAX: u32 = 1_000_000;

/// Tells a story. `Err` when the engine does not take the first policy.
pub(super) fn run(story: &Story) -> Result<Told, String> {
    let stage = Stage::set(story).map_err(|refusal| refusal.to_string())?;
    let mut play = Play { stage, watched: Vec::new(), checked: 0, differences: Vec::new(), steps: 0 };
    let first = |beat: &&Beat| beat.at == story.starts && beat.is_from_the_start();
    for beat in story.beats.iter().filter(first) {
        play.act(beat);
    }
    // Claims from the start watch what follows the first publication.
    for beat in story.beats.iter().filter(|beat| beat.at == story.starts) {
        play.watch(beat);
    }
    play.stage.open();
    play.settle();
    for beat in story.beats.iter().filter(|beat| !first(beat)) {
        play.go_on(beat.at);
        if beat.at > story.starts {
            play.watch(beat);
        }
        play.act(beat);
    }
    play.go_on(story.ends);
    Ok(play.end(story))
}

impl Beat {
    /// What endpoints are and do at the first moment stands before anything is published.
    fn is_from_the_start(&self) -> bool {
        match &self.what {
            What::Endpoints(_, deed) => !matches!(deed, Deed::Leave | Deed::Join),
            What::Ring(..)
            | What::Asked(_)
            | What::Refused(..)
            | What::World(_)
            | What::Expect(_)
            | What::Claim(_) => false,
        }
    }
}

impl<'a> Play<'a> {
    /// Lets time go by, and looks after every single thing that happens.
    fn go_on(&mut self, until: Timestamp) {
        while self.steps < STEPS_MAX && self.stage.world.step(until) {
            self.steps += 1;
            self.look();
        }
        if self.steps < STEPS_MAX {
            self.stage.world.run_until(until);
        }
        self.look();
    }

    /// What follows at once.
    fn settle(&mut self) {
        let now = self.stage.world.now();
        self.look();
        self.go_on(now);
    }

    fn look(&mut self) {
        self.stage.look();
        let now = self.stage.world.now();
        for watched in &mut self.watched {
            if watched.is_over || now > watched.claim.until {
                continue;
            }
            let seen = self.stage.check(&watched.claim.what);
            match (watched.claim.mode, seen) {
                (Mode::Eventually, Ok(())) => watched.is_over = true,
                (Mode::Eventually, Err(instead)) => watched.last = instead,
                (Mode::Always, Ok(())) | (Mode::Never, Err(_)) => {}
                (Mode::Always, Err(instead)) => {
                    watched.is_over = true;
                    self.differences.push(difference(watched.beat, now, instead));
                }
                (Mode::Never, Ok(())) => {
                    watched.is_over = true;
                    self.differences.push(difference(watched.beat, now, "it is so".into()));
                }
            }
        }
    }

    /// Watches a claim from now on, and looks at once: perhaps nothing happens in its whole span.
    fn watch(&mut self, beat: &'a Beat) {
        if let What::Claim(claim) = &beat.what {
            self.checked += 1;
            self.watched.push(Watched { beat, claim, is_over: false, last: "it was never looked at".into() });
            self.look();
        }
    }

    fn act(&mut self, beat: &'a Beat) {
        let now = self.stage.world.now();
        match &beat.what {
            What::Endpoints(names, deed) => {
                for name in names {
                    self.stage.deed(name, deed);
                }
            }
            What::Ring(ring, deed) => {
                let names = self.stage.names_of(ring);
                if names.is_empty() {
                    self.differ(beat, "nobody is in this ring now".into());
                }
                for name in names {
                    self.stage.deed(&name, deed);
                }
            }
            What::World(event) => self.stage.event(event),
            What::Asked(asked) => {
                if let Err(refusal) = self.stage.ask(asked) {
                    self.differ(beat, format!("it was refused: {refusal}"));
                }
            }
            What::Refused(asked, text) => {
                self.checked += 1;
                match (self.stage.ask(asked), text) {
                    (Ok(_), _) => self.differ(beat, "it was not refused".into()),
                    (Err(refusal), Some(text)) if !refusal.to_string().contains(text) => {
                        self.differ(beat, format!("it was refused otherwise: {refusal}"));
                    }
                    (Err(_), _) => {}
                }
            }
            What::Expect(condition) => {
                self.checked += 1;
                if let Err(instead) = self.stage.check(condition) {
                    self.differ(beat, instead);
                }
                return;
            }
            What::Claim(_) => return,
        }
        self.look();
        self.go_on(now);
    }

    fn differ(&mut self, beat: &Beat, instead: String) {
        let now = self.stage.world.now();
        self.differences.push(difference(beat, now, instead));
    }

    fn end(mut self, story: &Story) -> Told {
        for watched in self.watched.iter().filter(|watched| !watched.is_over) {
            if watched.claim.mode == Mode::Eventually {
                let instead = format!("it was never so; at the end {}", watched.last);
                self.differences.push(difference(watched.beat, watched.claim.until, instead));
            }
        }
        let endless = (self.steps == STEPS_MAX).then(|| format!("more than {STEPS_MAX} things happen in it"));
        for defect in self.stage.world.defects().iter().chain(&endless) {
            let place = patchflow_core::error::Position { line: 1, column: 1 };
            self.differences.push(Difference {
                place,
                expected: "the story comes to its end".into(),
                at: self.stage.world.now(),
                instead: defect.clone(),
            });
        }
        self.differences.sort_by_key(|difference| (difference.place.line, difference.place.column));
        let transcript = self.stage.world.transcript();
        Told {
            title: story.title.clone(),
            checked: self.checked,
            differences: self.differences,
            timeline: transcript.lines().iter().map(|line| short(&line.to_string())).collect(),
            state: self.stage.state(),
            trace: transcript.hash(),
        }
    }
}

/// A line of the timeline at a length that can be read; the journal has the whole of it.
fn short(line: &str) -> String {
    match line.char_indices().nth(220) {
        Some((cut, _)) => format!("{} …", &line[..cut]),
        None => line.into(),
    }
}

fn difference(beat: &Beat, at: Timestamp, instead: String) -> Difference {
    Difference { place: beat.place, expected: beat.text.clone(), at, instead }
}

impl Stage<'_> {
    /// The state of everything, for programs.
    fn state(&self) -> Value {
        let fleet = &self.world.fleet;
        let name = |ix| fleet.endpoint_id(ix).map(|id| id.as_str().to_owned());
        let endpoints: Vec<Value> = self
            .world
            .machines()
            .iter()
            .map(|machine| json!({ "name": machine.id.as_str(), "levels": machine.levels, "gone": machine.gone }))
            .collect();
        let candidates: Vec<Value> = fleet
            .candidates()
            .map(|candidate| {
                json!({ "patch": candidate.identified().patch().id.as_str(), "state": candidate.state() })
            })
            .collect();
        let rollouts: Vec<Value> = fleet
            .rollouts()
            .map(|rollout| {
                let patch = fleet.candidate(rollout.candidate());
                let rings: Vec<Value> = rollout
                    .rings()
                    .iter()
                    .map(|ring| {
                        let members: Vec<Value> = rollout.members()[ring.range()]
                            .iter()
                            .map(|member| {
                                json!({ "endpoint": name(member.endpoint()), "phase": word(member.phase()) })
                            })
                            .collect();
                        let why = ring.verdict().map(|verdict| verdict.sentence(ring.gate()));
                        json!({
                            "name": ring.name(),
                            "state": word(ring.state()),
                            "counts": ring.counts(),
                            "verdict": why,
                            "members": members,
                        })
                    })
                    .collect();
                json!({
                    "patch": patch.map(|candidate| candidate.identified().patch().id.as_str()),
                    "kind": word(rollout.kind()),
                    "state": word(rollout.state()),
                    "halted_because": rollout.halt().map(|halt| halt.reason.as_str()),
                    "rings": rings,
                })
            })
            .collect();
        let facts: Vec<Value> = self
            .world
            .facts()
            .iter()
            .map(|recorded| match &recorded.fact {
                Fact::Endpoint(fact) => {
                    let member = fleet
                        .rollout(fact.rollout)
                        .and_then(|rollout| rollout.members().get(fact.member.index()))
                        .and_then(|member| name(member.endpoint()));
                    json!({ "at": recorded.at, "fact": fact_kind(&recorded.fact), "endpoint": member })
                }
                _ => json!({ "at": recorded.at, "fact": fact_kind(&recorded.fact) }),
            })
            .collect();
        json!({
            "at": self.world.now(),
            "endpoints": endpoints,
            "candidates": candidates,
            "rollouts": rollouts,
            "facts": facts,
        })
    }
}
