//! Whether a condition is so, and what is so instead.

use super::read::expect::{CLASSES, phase_word};
use super::stage::Stage;
use super::story::{Condition, Many, OrderKind, Orders, PhaseWord, Ring, Rolled};
use patchflow_core::candidate::Candidate;
use patchflow_core::fleet::{Fact, NoticeKind};
use patchflow_core::gate::{Class, Counts};
use patchflow_core::report::explain;
use patchflow_core::rollout::{Order, Phase, Rollout, RolloutKind};
use serde_json::Value;

/// Nothing when it is so; otherwise what is so instead.
pub(super) type Seen = Result<(), String>;

/// A value as its word in the journal.
pub(super) fn word(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

impl Many {
    fn check(self, n: u32, what: &str) -> Seen {
        let (so, wanted) = match self {
            Self::Exactly(m) => (n == m, m.to_string()),
            Self::AtLeast(m) => (n >= m, format!("at least {m}")),
            Self::AtMost(m) => (n <= m, format!("at most {m}")),
        };
        if so { Ok(()) } else { Err(format!("{what}: {n} instead of {wanted}")) }
    }
}

impl Stage<'_> {
    pub(super) fn check(&self, condition: &Condition) -> Seen {
        match condition {
            Condition::Phase { whom, is, phase, patch } => {
                let names = self.names(whom);
                if names.is_empty() {
                    return Err("there is nobody to look at".into());
                }
                let wrong: Vec<String> =
                    names.iter().filter_map(|name| self.phase_of(name, *is, *phase, *patch).err()).collect();
                if wrong.is_empty() { Ok(()) } else { Err(wrong.join(", ")) }
            }
            Condition::RingState { ring, state, because } => {
                let (rollout, at) = self.found(ring)?;
                let found = &rollout.rings()[at];
                let verdict =
                    found.verdict().map_or_else(String::new, |verdict| verdict.sentence(found.gate()));
                if found.state() != *state {
                    let why = if verdict.is_empty() { String::new() } else { format!(": {verdict}") };
                    let counts = counts(&found.counts());
                    return Err(format!("ring {} is {}{why} ({counts})", ring.name, word(found.state())));
                }
                contains("its verdict", &verdict, because.as_deref())
            }
            Condition::RingSize { ring, many } => {
                let (rollout, at) = self.found(ring)?;
                let size = rollout.rings()[at].range().len();
                many.check(
                    u32::try_from(size).unwrap_or(u32::MAX),
                    &format!("endpoints in ring {}", ring.name),
                )
            }
            Condition::RingHolds { ring, names } => {
                self.found(ring)?;
                let (mut there, mut wanted) = (self.names_of(ring), names.clone());
                there.sort();
                wanted.sort();
                if there == wanted {
                    Ok(())
                } else {
                    Err(format!("ring {} holds {}", ring.name, there.join(", ")))
                }
            }
            Condition::RolloutState { of, state, because } => {
                let rollout = self.rollout(*of).ok_or_else(|| self.none(*of))?;
                let halt = rollout.halt().map_or("", |halt| halt.reason.as_str());
                if rollout.state() != *state {
                    let why = if halt.is_empty() { String::new() } else { format!(": {halt}") };
                    return Err(format!("it is {}{why}, {}", word(rollout.state()), rings(rollout)));
                }
                contains("it was halted because", halt, because.as_deref())
            }
            Condition::NoRollout(of) => match self.rollout(*of) {
                None => Ok(()),
                Some(rollout) => Err(format!("there is one, {}", word(rollout.state()))),
            },
            Condition::Candidate { patch, state } => {
                let candidate = self.candidate(*patch).and_then(|id| self.world.fleet.candidate(id));
                let is = candidate.map_or("unknown", Candidate::state);
                if is == state { Ok(()) } else { Err(format!("it is {is}")) }
            }
            Condition::Counts { of, ring, counts: wanted } => {
                let is = match ring {
                    Some(ring) => {
                        let (rollout, at) = self.found(ring)?;
                        rollout.rings()[at].counts()
                    }
                    None => self.rollout(*of).ok_or_else(|| self.none(*of))?.counts(),
                };
                let wanted =
                    |class: &str| wanted.iter().find(|(name, _)| name == class).map_or(0, |(_, n)| *n);
                let same = CLASSES.iter().zip(by_class(&is)).all(|(class, n)| wanted(class) == n);
                if same { Ok(()) } else { Err(counts(&is)) }
            }
            Condition::Orders { orders, many } => {
                let n = self.world.orders().iter().filter(|order| self.is_meant(order, orders)).count();
                many.check(u32::try_from(n).unwrap_or(u32::MAX), "orders")
            }
            Condition::Hooks { stage, on, many } => {
                let on = self.names(on);
                let asked =
                    self.world.hooks().iter().filter(|run| {
                        run.stage == *stage && on.iter().any(|name| name == run.endpoint.as_str())
                    });
                many.check(u32::try_from(asked.count()).unwrap_or(u32::MAX), "runs of the hook")
            }
            Condition::Stagings { on, many } => {
                let on = self.names(on);
                let of = |name: &str| on.iter().any(|wanted| wanted == name);
                let asked = self.world.stages().iter().filter(|order| of(order.endpoint().as_str()));
                many.check(u32::try_from(asked.count()).unwrap_or(u32::MAX), "stagings")
            }
            Condition::OrderLeaves { orders, meanwhile } => {
                let left = &self.world.orders()[self.looked_at..self.left_at.len()];
                match left.iter().find(|order| self.is_meant(order, orders)) {
                    None => Err("no such order leaves".into()),
                    Some(_) => meanwhile.as_ref().map_or(Ok(()), |meanwhile| self.check(meanwhile)),
                }
            }
            Condition::Before(first, then) => {
                let position =
                    |orders| self.world.orders().iter().position(|order| self.is_meant(order, orders));
                match (position(first), position(then)) {
                    (Some(first), Some(then)) if first < then => Ok(()),
                    (Some(_), None) => Ok(()),
                    (None, _) => Err("the first order never left".into()),
                    (Some(_), Some(_)) => Err("it left after the other".into()),
                }
            }
            Condition::Facts { kind, words, many } => {
                let facts = self.world.facts().iter().filter(|recorded| {
                    fact_kind(&recorded.fact) == *kind
                        && words.as_ref().is_none_or(|words| text_of(&recorded.fact).contains(words))
                });
                let n = u32::try_from(facts.count()).unwrap_or(u32::MAX);
                many.check(n, &format!("facts `{kind}`"))
            }
            Condition::Explain { endpoint, patch, words } => {
                let fleet = &self.world.fleet;
                let (Some(ix), Some(candidate)) = (fleet.endpoint_ix(endpoint), self.candidate(*patch))
                else {
                    return Err("the fleet knows nothing about it".into());
                };
                let answer = explain(fleet, ix, candidate);
                let chain: Vec<&str> = answer.chain.iter().map(|step| step.text.as_str()).collect();
                let whole = format!("{}; {}", answer.sentence(), chain.join("; "));
                contains("the explanation is", &whole, Some(words))
            }
            Condition::Notice { kind, words, many } => {
                let notices = self.world.notices().iter().filter(|(_, notice)| {
                    is_kind(notice.kind, *kind)
                        && words.as_ref().is_none_or(|words| notice.text.contains(words))
                });
                let n = u32::try_from(notices.count()).unwrap_or(u32::MAX);
                many.check(n, &format!("notices `{}`", word(kind))).map_err(|instead| {
                    let sent = self.world.notices().iter().map(|(_, notice)| notice.text.as_str());
                    format!("{instead}; sent: {}", sent.collect::<Vec<_>>().join(" | "))
                })
            }
            Condition::Level { names, package, version } => {
                for name in names {
                    let machine = self.world.machine(name);
                    let is = machine.and_then(|machine| machine.levels.get(package));
                    if is != version.as_ref() {
                        return Err(match is {
                            Some(is) => format!("{name} has {package}={is}"),
                            None => format!("{name} lacks {package}"),
                        });
                    }
                }
                Ok(())
            }
            Condition::Held { names, patch, held } => {
                let fleet = &self.world.fleet;
                for name in names {
                    let is = fleet
                        .endpoint_ix(name)
                        .zip(self.candidate(*patch))
                        .is_some_and(|(endpoint, candidate)| fleet.is_held(candidate, endpoint));
                    if is != *held {
                        return Err(format!("{name} is {}held", if is { "" } else { "not " }));
                    }
                }
                Ok(())
            }
            Condition::InFlight { whom, many } => {
                let fleet = &self.world.fleet;
                let under_way: Vec<String> = self
                    .names(whom)
                    .into_iter()
                    .filter(|name| {
                        fleet.rollouts().any(|rollout| {
                            self.member(rollout, name).is_some_and(|member| member.phase().is_operating())
                        })
                    })
                    .collect();
                let n = u32::try_from(under_way.len()).unwrap_or(u32::MAX);
                many.check(n, "in flight").map_err(|instead| format!("{instead}: {}", under_way.join(", ")))
            }
            Condition::Strays(many) => {
                many.check(u32::try_from(self.world.fleet.strays()).unwrap_or(u32::MAX), "strays")
            }
            Condition::Asked { patch, role } => {
                let ask = self.candidate(*patch).and_then(|id| self.world.fleet.ask(id));
                match (ask, role) {
                    (None, None) => Ok(()),
                    (Some(ask), Some(role)) if ask.from.role == *role => Ok(()),
                    (Some(ask), _) => Err(format!("the question is open to {}", ask.from.role)),
                    (None, Some(_)) => Err("no question is open".into()),
                }
            }
        }
    }

    fn none(&self, of: Rolled) -> String {
        let what = match of.kind {
            RolloutKind::Trial => "trial",
            RolloutKind::Deployment => "rollout",
        };
        let patch = &self.story.patches[of.patch].patch;
        let candidate = self.candidate(of.patch).and_then(|id| self.world.fleet.candidate(id));
        let is = candidate.map_or("not known to the fleet", Candidate::state);
        format!("there is no {what} of {}, which is {is}", patch.id)
    }

    fn found(&self, ring: &Ring) -> Result<(&Rollout, usize), String> {
        let rollout = self.rollout(ring.of).ok_or_else(|| self.none(ring.of))?;
        match self.ring(rollout, &ring.name) {
            Some((at, _)) => Ok((rollout, usize::from(at))),
            None => Err(format!("it has no ring {}: {}", ring.name, rings(rollout))),
        }
    }

    /// Where an endpoint stands in the latest rollout that takes it.
    fn phase_of(&self, name: &str, is: bool, wanted: PhaseWord, patch: usize) -> Seen {
        let find = |kind| {
            let rollout = self.rollout(Rolled { patch, kind })?;
            self.member(rollout, name)
        };
        let Some(member) = find(RolloutKind::Deployment).or_else(|| find(RolloutKind::Trial)) else {
            return if is { Err(format!("{name} is in no rollout")) } else { Ok(()) };
        };
        let phase = member.phase();
        let fits = match wanted {
            PhaseWord::Phase(wanted) => phase == wanted,
            PhaseWord::InFlight => phase.class() == Class::InFlight,
            PhaseWord::Unknown => phase.class() == Class::Unknown || phase == Phase::RevertSilent,
        };
        if fits == is {
            return Ok(());
        }
        let why = self
            .world
            .fleet
            .reason(member.reason())
            .map_or_else(String::new, |(kind, text)| format!(" ({}: {text})", word(kind)));
        Err(format!("{name} is {}{why}", phase_word(phase)))
    }

    fn is_meant(&self, order: &Order, orders: &Orders) -> bool {
        let kind = match order {
            Order::Install(_) => OrderKind::Install,
            Order::Revert(_) => OrderKind::Revert,
            Order::Reboot(_) => OrderKind::Reboot,
        };
        if orders.kind != OrderKind::Any && orders.kind != kind {
            return false;
        }
        if let Some(patch) = orders.patch {
            let wanted = &self.story.patches[patch].patch.id;
            let of = self.world.fleet.rollout(order.id().rollout).map(Rollout::candidate);
            let candidate = of.and_then(|id| self.world.fleet.candidate(id));
            if candidate.is_none_or(|candidate| candidate.identified().patch().id != *wanted) {
                return false;
            }
        }
        let to = order.endpoint().as_str();
        match &orders.to {
            super::story::Whom::Everybody => true,
            super::story::Whom::These(names) => names.iter().any(|name| name == to),
            super::story::Whom::Ring(ring) => self.names_of(ring).iter().any(|name| name == to),
        }
    }
}

fn is_kind(a: NoticeKind, b: NoticeKind) -> bool {
    a == b
}

fn contains(what: &str, text: &str, words: Option<&str>) -> Seen {
    match words {
        Some(words) if !text.contains(words) => Err(format!("{what}: {text}")),
        Some(_) | None => Ok(()),
    }
}

/// The word of a fact's kind, as the journal has it; for events of endpoints that of the event.
pub(super) fn fact_kind(fact: &Fact) -> String {
    match fact {
        Fact::Endpoint(fact) => word(fact.event),
        Fact::Rich(fact) => match serde_json::to_value(fact) {
            Ok(Value::Object(fields)) => {
                fields.get("fact").and_then(Value::as_str).unwrap_or_default().into()
            }
            Ok(_) | Err(_) => String::new(),
        },
        _ => String::new(),
    }
}

fn text_of(fact: &Fact) -> String {
    serde_json::to_string(fact).unwrap_or_default()
}

fn by_class(counts: &Counts) -> [u32; 10] {
    let Counts { waiting, in_flight, verified, failed, unknown, deferred, skipped, cancelled, held, removed } =
        *counts;
    [waiting, in_flight, verified, failed, unknown, deferred, skipped, cancelled, held, removed]
}

/// `verified 3, failed 1`.
fn counts(of: &Counts) -> String {
    let some: Vec<String> = CLASSES
        .iter()
        .zip(by_class(of))
        .filter(|(_, n)| *n > 0)
        .map(|(class, n)| format!("{class} {n}"))
        .collect();
    if some.is_empty() { "nobody".into() } else { some.join(", ") }
}

/// `pilot promoted, broad open`.
fn rings(rollout: &Rollout) -> String {
    let states = rollout.rings().iter().map(|ring| format!("ring {} {}", ring.name(), word(ring.state())));
    states.collect::<Vec<_>>().join(", ")
}
