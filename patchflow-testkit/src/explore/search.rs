//! The walk through the states.

use super::event::{Event, enabled};
use super::{Small, calm, promises};
use crate::model::{Deed, Live, Model, Pair};
use crate::oracle::Panel;
use patchflow_core::digest::Digest;
use patchflow_core::fleet::{HookStage, Recorded};
use patchflow_core::ids::OrderId;
use patchflow_core::time::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

/// States that are gone on from between two looks at what is known.
const BATCH: usize = 256;

/// How far an exploration goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Events on a path at most.
    pub depth: usize,
    /// Of these, what does not happen when all goes well.
    pub disturbances: u8,
    /// Distinct states at most.
    pub states: usize,
    /// Threads.
    pub jobs: usize,
    /// One in so many states at the rim is led to rest.
    pub rest_one_in: usize,
}

/// What an exploration saw.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// Distinct states.
    pub states: usize,
    /// Steps from one state to another, or to itself.
    pub steps: usize,
    /// Every path of so many events was followed.
    pub complete: usize,
    /// The longest path.
    pub deepest: usize,
    /// States at the rim that were led to rest.
    pub rested: usize,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} states, {} steps, every path to depth {}, the longest {}, {} led to rest, {:.1} s",
            self.states,
            self.steps,
            self.complete,
            self.deepest,
            self.rested,
            self.took.as_secs_f64()
        )
    }
}

/// A path that breaks a promise.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The fleet.
    pub small: Small,
    /// What happens.
    pub path: Vec<Event>,
    /// What is broken.
    pub text: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: Vec<String> = self.path.iter().map(ToString::to_string).collect();
        writeln!(f, "{}", self.text)?;
        write!(
            f,
            "repeat it with: patchflow-lab explore --only {} --path '{}'",
            self.small.name(),
            path.join("; ")
        )
    }
}

impl std::error::Error for Broken {}

/// One state: where it comes from.
#[derive(Clone, Copy, Debug)]
struct Node {
    parent: u32,
    event: Event,
}

/// A state that is to be gone on from.
#[derive(Clone, Debug)]
struct Open {
    node: u32,
    spent: u8,
    model: Model,
    now: Timestamp,
}

/// A state that a step led to.
struct Next {
    event: Event,
    spent: u8,
    key: Digest,
    model: Model,
    now: Timestamp,
}

/// Where every path begins: the facts of the beginning, and the model beside them.
struct Root {
    small: Small,
    facts: Vec<Recorded>,
    left: (Vec<OrderId>, Vec<(OrderId, HookStage)>),
    model: Model,
    now: Timestamp,
    key: Digest,
}

impl Root {
    fn of(small: Small) -> Result<Self, String> {
        let mut pair = small.begin(None)?;
        pair.crash();
        if !pair.parted.is_empty() {
            return Err(pair.difference());
        }
        let (key, Pair { live, model, now, .. }) = (key(&pair), pair);
        Ok(Self { small, facts: live.facts, left: (live.orders, live.hooks), model, now, key })
    }

    /// The fleet at the beginning, watched by every oracle.
    fn live(&self) -> Result<Live, String> {
        Live::resumed(self.facts.clone(), self.left.clone(), Panel::all()).map_err(|error| error.to_string())
    }

    /// Lives through a path without the model.
    fn lived(&self, path: &[Event]) -> Result<(Live, Timestamp), String> {
        let (mut live, mut now) = (self.live()?, self.now);
        for event in path {
            if *event == Event::Crash {
                live.crash(now).map_err(|error| error.to_string())?;
            }
            let (at, deeds) = event.deeds(&live, now);
            now = at;
            deeds.iter().for_each(|deed| drop(live.take(now, deed)));
            after(&mut live, *event);
        }
        Ok((live, now))
    }
}

/// Whoever has ended a hook does not end it again.
fn after(live: &mut Live, event: Event) {
    if let Event::HookEnds(order, stage, _) = event {
        live.hooks.retain(|known| *known != (order, stage));
    }
}

/// Lets an event happen to both sides.
pub(super) fn happen(pair: &mut Pair, event: Event) -> Result<(), String> {
    if event == Event::Crash {
        pair.crash();
    } else if let Event::HookEnds(order, stage, _) = event {
        // It is not awaited any more when the next thing follows from its end.
        pair.live.hooks.retain(|known| *known != (order, stage));
    }
    let (at, deeds) = event.deeds(&pair.live, pair.now);
    pair.now = at;
    deeds.iter().for_each(|deed: &Deed| pair.tell(deed));
    if !pair.parted.is_empty() {
        return Err(pair.parted.join("\n"));
    }
    promises::state(&pair.live)?;
    let panel = pair.live.panel.as_ref().map(Panel::violations).unwrap_or_default();
    match panel.first() {
        Some(violation) => Err(violation.to_string()),
        None => Ok(()),
    }
}

fn key(pair: &Pair) -> Digest {
    let due = pair.live.fleet.next_deadline().map(|at| at.as_secs() - pair.now.as_secs());
    let (key, hooks, unheard) = (pair.model.key(), pair.live.hooks.len(), pair.now.since(pair.model.now()));
    Digest::of(format!("{key} {due:?} {hooks} {unheard:?}").as_bytes())
}

struct Walk<'a> {
    root: &'a Root,
    bounds: Bounds,
    nodes: Vec<Node>,
    /// Each state, and with how few disturbances it was reached.
    known: HashMap<Digest, u8>,
}

impl Walk<'_> {
    fn path(&self, node: u32) -> Vec<Event> {
        let (mut path, mut at) = (Vec::new(), node);
        while at != 0 {
            let node = self.nodes[at as usize];
            path.push(node.event);
            at = node.parent;
        }
        path.reverse();
        path
    }

    fn broken(&self, path: Vec<Event>, text: String) -> Broken {
        Broken { small: self.root.small, path, text }
    }

    /// Every step from one state; those that lead to states that are not known. How many steps there were.
    fn steps(&self, open: &Open) -> Result<(Vec<Next>, usize), Broken> {
        let path = self.path(open.node);
        let lived = || self.root.lived(&path).map_err(|text| self.broken(path.clone(), text));
        let (live, now) = lived()?;
        debug_assert_eq!(now, open.now, "a path leads where it led");
        let events = enabled(&live, now, true);
        let here = Pair::of(live, open.model.clone(), now);
        let from = key(&here);
        let (mut found, mut steps, mut spare) = (Vec::new(), 0, Some(here));
        for event in events {
            let mut pair = match spare.take() {
                Some(pair) => pair,
                None => Pair::of(lived()?.0, open.model.clone(), open.now),
            };
            let spent = open.spent + u8::from(event.disturbs(&pair.live));
            if spent > self.bounds.disturbances {
                spare = Some(pair);
                continue;
            }
            steps += 1;
            let (before, facts) = (promises::Before::of(&pair.live), pair.live.facts.len());
            let strays = pair.live.fleet.strays();
            let broken = |text| {
                let mut longer = path.clone();
                longer.push(event);
                self.broken(longer, text)
            };
            happen(&mut pair, event).map_err(broken)?;
            before.kept(&pair.live, event).map_err(broken)?;
            let to = key(&pair);
            let same = to == from && pair.live.facts.len() == facts && pair.live.fleet.strays() == strays;
            if same && event != Event::Crash && pair.now == open.now {
                // Refused: nothing has changed, so the next can happen to the same fleet.
                spare = Some(pair);
                continue;
            }
            if self.known.get(&to).is_none_or(|known| *known > spent) {
                promises::replay(&pair.live, pair.now).map_err(broken)?;
                found.push(Next { event, spent, key: to, now: pair.now, model: pair.model });
            }
        }
        Ok((found, steps))
    }

    /// Leads a state at the rim to rest.
    fn rest(&self, open: &Open) -> Result<(), Broken> {
        let path = self.path(open.node);
        let (live, now) = self.root.lived(&path).map_err(|text| self.broken(path.clone(), text))?;
        let mut pair = Pair::of(live, open.model.clone(), now);
        let mut longer = path;
        calm::rest(&mut pair, &mut longer).map_err(|text| self.broken(longer, text))
    }
}

/// Does the same to each of some things, on several threads; the results stand in their order.
fn each<T: Sync, R: Send>(jobs: usize, of: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let share = of.len().div_ceil(jobs.max(1)).max(1);
    std::thread::scope(|scope| {
        let work = &work;
        let parts: Vec<_> = of
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<R>>()))
            .collect();
        let joined = parts.into_iter().map(|part| part.join());
        joined.flat_map(|part| part.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// Walks through all states of a small fleet within the bounds.
///
/// # Errors
/// The first path that breaks a promise, or on which model and engine part; no shorter one does.
pub fn explore(small: Small, bounds: Bounds) -> Result<Sum, Box<Broken>> {
    let started = Instant::now();
    let start = |text| Box::new(Broken { small, path: vec![], text });
    let root = Root::of(small).map_err(start)?;
    let first = Open { node: 0, spent: 0, model: root.model.clone(), now: root.now };
    let mut walk = Walk {
        root: &root,
        bounds,
        nodes: vec![Node { parent: 0, event: Event::Time }],
        known: HashMap::from([(root.key, 0)]),
    };
    let (mut level, mut sum) = (vec![first], Sum::default());
    let mut rim = Vec::new();
    for depth in 0..bounds.depth {
        let mut next = Vec::new();
        let mut cut = false;
        for batch in level.chunks(BATCH) {
            if walk.known.len() >= bounds.states {
                cut = true;
                rim.extend(batch.iter().cloned());
                continue;
            }
            for (open, found) in batch.iter().zip(each(bounds.jobs, batch, |open| walk.steps(open))) {
                let (found, steps) = found.map_err(Box::new)?;
                sum.steps += steps;
                for found in found {
                    let known = walk.known.get(&found.key).copied();
                    if known.is_some_and(|known| known <= found.spent) {
                        continue;
                    }
                    walk.known.insert(found.key, found.spent);
                    let node = walk.nodes.len() as u32;
                    walk.nodes.push(Node { parent: open.node, event: found.event });
                    next.push(Open { node, spent: found.spent, model: found.model, now: found.now });
                    sum.deepest = depth + 1;
                }
            }
        }
        if !cut {
            sum.complete = depth + 1;
        }
        level = next;
        if level.is_empty() || cut {
            break;
        }
    }
    rim.append(&mut level);
    let rim: Vec<Open> = rim.into_iter().step_by(bounds.rest_one_in.max(1)).collect();
    for rested in each(bounds.jobs, &rim, |open| walk.rest(open)) {
        rested.map_err(Box::new)?;
    }
    (sum.states, sum.rested, sum.took) = (walk.known.len(), rim.len(), started.elapsed());
    Ok(sum)
}

/// Lives through one path, and says what happens on it and which facts it leaves.
///
/// # Errors
/// What is broken on it, after what happened before.
pub fn repeat(small: Small, path: &[Event]) -> Result<String, String> {
    let root = Root::of(small)?;
    let mut pair = Pair::of(root.live()?, root.model.clone(), root.now);
    let mut told = String::new();
    for event in path {
        let (lines, facts) = (pair.told.len(), pair.live.facts.len());
        let before = promises::Before::of(&pair.live);
        let stood = happen(&mut pair, *event)
            .and_then(|()| before.kept(&pair.live, *event))
            .and_then(|()| promises::replay(&pair.live, pair.now));
        if let Err(text) = stood {
            return Err(format!("{}\n{}\n{text}", pair.difference(), pair.live.stand()));
        }
        told.extend(pair.told[lines..].iter().map(|line| format!("{line}\n")));
        told.extend(pair.live.facts[facts..].iter().map(|fact| format!("    {:?}\n", fact.fact)));
    }
    Ok(format!("{told}{}", pair.live.stand()))
}
