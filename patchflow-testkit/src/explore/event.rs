//! What can happen next in a small fleet, with words that a person can write down and repeat.

use crate::model::{Deed, Live, answer, fails, hook_end, need, recall_answer};
use patchflow_core::fleet::{Command, EndpointSeen, HookStage, Observation, Request};
use patchflow_core::ids::{
    Actor, CandidateId, EndpointId, EndpointIx, FleetId, Generation, MemberIx, OrderId, RequestId, RolloutId,
};
use patchflow_core::inventory::Environment;
use patchflow_core::plan::RolloutDraft;
use patchflow_core::rollout::{Failure, Phase, Report, ReportKind};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Instants beyond this many seconds from now are out of reach: when approvals end, say.
const REACH_SECS: u64 = 1_000_000_000;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time goes by until the fleet wants to be looked at.
    Time,
    /// Time goes by until a second before that.
    Before,
    /// The host is away for three hours.
    Away,
    /// The host crashes and is back.
    Crash,
    /// An endpoint acknowledges an order.
    Acknowledged(OrderId),
    /// An installer says that it is done.
    Done(OrderId),
    /// An installer says that it failed; the kind as in [`fails`].
    Fails(OrderId, u8),
    /// An endpoint is read, as in [`Live::inspection`].
    Shows(OrderId, u8),
    /// An installer answers a question, as in [`answer`].
    Answers(OrderId, u8),
    /// An installer answers a recall, as in [`recall_answer`].
    Recalls(OrderId, u8),
    /// A hook ends; whether it failed.
    HookEnds(OrderId, HookStage, bool),
    /// A person asks something of a rollout.
    Asks(Ask, RolloutId),
    /// A person asks something of one endpoint in a rollout.
    Of(OfMember, RolloutId, EndpointIx),
    /// A person passes a ring over.
    SkipsRing(RolloutId, u8),
    /// A person withdraws a candidate, revokes its approval, or starts another rollout of it.
    About(About, CandidateId),
    /// A person lets a candidate near an endpoint again.
    ClearsHold(CandidateId, EndpointIx),
    /// An endpoint goes out of contact.
    Lost(EndpointIx),
    /// An endpoint is read.
    Read(EndpointIx),
    /// An endpoint leaves the fleet.
    Leaves(EndpointIx),
    /// An endpoint is there, as it was or new, and needs everything.
    Comes(EndpointIx),
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$each])* $variant),+ }

        impl $name {
            const ALL: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];

            fn word(self) -> &'static str {
                Self::ALL.iter().find(|(_, it)| *it == self).map_or("", |(word, _)| word)
            }

            fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().find(|(known, _)| *known == word).map(|(_, it)| *it)
            }
        }
    };
}

words! {
    /// What a person asks of a rollout.
    Ask {
        /// No new orders.
        Pause = "pause",
        /// Go on.
        Resume = "resume",
        /// Stop.
        Halt = "halt",
        /// Go on after a halt.
        Lift = "lift",
        /// Let the ring pass.
        Promote = "promote",
        /// End it.
        Cancel = "cancel",
    }
}

words! {
    /// What a person asks of one endpoint in a rollout.
    OfMember {
        /// Try again.
        Retry = "retry",
        /// Take it out.
        Remove = "remove",
    }
}

words! {
    /// What a person asks of a candidate.
    About {
        /// Never install it any more.
        Withdraw = "withdraw",
        /// Take the approval back.
        Revoke = "revoke",
        /// Try it again after a failed trial.
        RepeatTrial = "repeat-trial",
        /// Start a rollout of it.
        Start = "start",
    }
}

impl Event {
    /// Whether it is something that does not happen when all goes well.
    #[must_use]
    pub fn disturbs(self, live: &Live) -> bool {
        match self {
            Self::Time | Self::Read(_) => false,
            Self::Acknowledged(order) => phase_of(live, order) != Some(Phase::Ordered),
            Self::Done(order) => !matches!(
                phase_of(live, order),
                Some(Phase::Running | Phase::Rebooting | Phase::Reverting | Phase::Attached)
            ),
            Self::Shows(order, shows) => match phase_of(live, order) {
                Some(Phase::Installed) => shows != 5,
                Some(Phase::Reverted) => shows != 2,
                _ => true,
            },
            Self::Answers(_, answer) => answer != 3,
            Self::Recalls(_, answer) => answer != 0,
            Self::HookEnds(_, _, failed) => failed,
            Self::Before
            | Self::Away
            | Self::Crash
            | Self::Fails(..)
            | Self::Asks(..)
            | Self::Of(..)
            | Self::SkipsRing(..)
            | Self::About(..)
            | Self::ClearsHold(..)
            | Self::Lost(..)
            | Self::Leaves(..)
            | Self::Comes(..) => true,
        }
    }

    /// What both sides are told, and when; nothing for a crash, which is no input.
    #[must_use]
    pub fn deeds(self, live: &Live, now: Timestamp) -> (Timestamp, Vec<Deed>) {
        let next = live.fleet.next_deadline().map_or(now, |at| at.max(now));
        let see = |seen: Observation<'static>| (now, vec![Deed::See(seen)]);
        let ask = |ask: Command| {
            let id = RequestId::from(format!("q{}", live.facts.len()));
            let by = Actor::new("ada", ["approver"]);
            (now, vec![Deed::Ask(Request { id, by, expect: None, ask })])
        };
        let reason = || String::from("because");
        let report = |order, kind| see(Observation::Reported(Report { order, kind }));
        match self {
            Self::Time => (next, vec![Deed::See(Observation::Time)]),
            Self::Before => {
                let before = Timestamp::from_secs(next.as_secs() - 1).max(now);
                (before, vec![Deed::See(Observation::Time)])
            }
            Self::Away => (now.plus_secs(3 * 3_600), vec![Deed::See(Observation::Time)]),
            Self::Crash => (now, vec![]),
            Self::Acknowledged(order) => report(order, ReportKind::Acknowledged),
            Self::Done(order) => report(order, ReportKind::Done),
            Self::Fails(order, kind) => {
                report(order, ReportKind::Failed(Failure::new(fails(kind), "it broke")))
            }
            Self::Shows(order, shows) => {
                (now, live.inspection(order, shows).map(Deed::See).into_iter().collect())
            }
            Self::Answers(order, how) => see(answer(order, how)),
            Self::Recalls(order, how) => see(recall_answer(order, how)),
            Self::HookEnds(order, stage, failed) => see(hook_end(order, stage, failed)),
            Self::Asks(what, rollout) => ask(match what {
                Ask::Pause => Command::Pause { rollout },
                Ask::Resume => Command::Resume { rollout },
                Ask::Halt => Command::Halt { rollout, reason: reason() },
                Ask::Lift => Command::LiftHalt { rollout, reason: reason() },
                Ask::Promote => Command::Promote { rollout, reason: reason() },
                Ask::Cancel => Command::Cancel { rollout, reason: reason() },
            }),
            Self::Of(what, rollout, endpoint) => {
                let endpoint = name(endpoint);
                ask(match what {
                    OfMember::Retry => Command::Retry { rollout, endpoint },
                    OfMember::Remove => Command::Remove { rollout, endpoint },
                })
            }
            Self::SkipsRing(rollout, ring) => ask(Command::SkipRing { rollout, ring, reason: reason() }),
            Self::About(what, candidate) => ask(match what {
                About::Withdraw => Command::Withdraw { candidate, reason: reason() },
                About::Revoke => Command::Revoke { candidate, reason: reason() },
                About::RepeatTrial => Command::RepeatTrial { candidate },
                About::Start => Command::Start { draft: RolloutDraft::of(candidate) },
            }),
            Self::ClearsHold(candidate, endpoint) => {
                ask(Command::ClearHold { candidate, endpoint: name(endpoint) })
            }
            Self::Lost(endpoint) => {
                see(Observation::Unreachable { endpoints: Cow::Owned(vec![endpoint]), since: now })
            }
            Self::Read(endpoint) => see(Observation::Read { endpoints: Cow::Owned(vec![endpoint]) }),
            Self::Leaves(endpoint) => see(Observation::EndpointGone { endpoint }),
            Self::Comes(endpoint) => {
                let known = live.fleet.endpoint(endpoint).map(|known| known.environment());
                let environment = known.unwrap_or(Environment::Production);
                let seen = EndpointSeen::new(name(endpoint), environment);
                let mut all = vec![Observation::Endpoints { endpoints: Cow::Owned(vec![seen]) }];
                for candidate in live.fleet.candidates() {
                    let needs = Cow::Owned(vec![need(endpoint, 0)]);
                    all.push(Observation::Needs { candidate: candidate.identified().id(), needs });
                }
                all.push(Observation::Read { endpoints: Cow::Owned(vec![endpoint]) });
                all.push(Observation::Identified);
                (now, all.into_iter().map(Deed::See).collect())
            }
        }
    }
}

/// Endpoints of small fleets are named by their numbers.
pub(super) fn name(endpoint: EndpointIx) -> EndpointId {
    EndpointId::from(endpoint.to_string())
}

/// How the member of an order stands.
pub(super) fn phase_of(live: &Live, order: OrderId) -> Option<Phase> {
    let rollout = live.fleet.rollout(order.rollout)?;
    Some(rollout.members().get(order.member.index())?.phase())
}

/// The latest operation of each member that has one, as the fleet numbers it: its order, or the hook before it.
pub(super) fn latest(live: &Live) -> Vec<OrderId> {
    let mut latest = Vec::new();
    for rollout in live.fleet.rollouts() {
        for (member, at) in rollout.members().iter().zip(0..) {
            if member.operations() > 0 {
                latest.push(OrderId {
                    fleet: FleetId(1),
                    generation: Generation::default(),
                    rollout: rollout.id(),
                    member: MemberIx(at),
                    operation: member.operations(),
                });
            }
        }
    }
    latest
}

/// Whether the fleet wants to be looked at within reach.
pub(super) fn is_due(live: &Live, now: Timestamp) -> bool {
    live.fleet.next_deadline().is_some_and(|at| at < now.plus_secs(REACH_SECS))
}

/// Endpoints that are ordered nothing before they are read.
pub(super) fn unread(live: &Live) -> impl Iterator<Item = EndpointIx> + '_ {
    let waits = |e: &patchflow_core::fleet::EndpointView<'_>| {
        !e.is_gone() && (e.unreachable_since().is_some() || e.stale_since().is_some())
    };
    live.fleet.endpoints().filter(waits).map(|endpoint| endpoint.ix())
}

/// What the world may say about one order next: what fits, what comes twice, and what comes late.
fn of_order(live: &Live, order: OrderId, all: &mut Vec<Event>) {
    use Event::{Acknowledged, Answers, Done, Fails, Recalls, Shows};
    let Some(phase) = phase_of(live, order) else { return };
    match phase {
        Phase::Ordered => {
            all.extend([Acknowledged(order), Done(order), Fails(order, 0), Fails(order, 1)]);
            all.extend([Answers(order, 0), Answers(order, 2)]);
        }
        Phase::Running => {
            all.extend([Done(order), Fails(order, 0), Fails(order, 1), Acknowledged(order)]);
            all.push(Answers(order, 0));
        }
        Phase::Recalling => {
            all.extend([
                Recalls(order, 0),
                Recalls(order, 1),
                Recalls(order, 2),
                Done(order),
                Fails(order, 0),
            ]);
        }
        Phase::Installed => {
            all.extend([Shows(order, 5), Shows(order, 2), Shows(order, 1), Shows(order, 6), Shows(order, 7)]);
            all.push(Done(order));
        }
        Phase::RebootPending => all.push(Shows(order, 5)),
        Phase::Rebooting => all.extend([Done(order), Fails(order, 0), Acknowledged(order)]),
        Phase::Silent => {
            all.extend([Answers(order, 0), Answers(order, 2), Answers(order, 3), Answers(order, 4)]);
            all.extend([Done(order), Shows(order, 5), Shows(order, 2)]);
        }
        Phase::Reverting => {
            all.extend([
                Acknowledged(order),
                Done(order),
                Fails(order, 0),
                Fails(order, 2),
                Answers(order, 0),
            ]);
        }
        Phase::Reverted => all.extend([Shows(order, 2), Shows(order, 5), Shows(order, 1)]),
        Phase::RevertSilent => {
            all.extend([Answers(order, 0), Answers(order, 3), Done(order), Shows(order, 2)]);
        }
        // A report that comes twice, and one that comes late.
        Phase::Verified | Phase::RolledBack | Phase::NeedsOperator => {
            all.extend([Done(order), Fails(order, 0), Shows(order, 5)]);
        }
        Phase::Waiting | Phase::Backoff | Phase::Failed | Phase::Deferred | Phase::Cancelled => {
            all.extend([Done(order), Fails(order, 0)]);
        }
        Phase::Skipped | Phase::Removed | Phase::Held => all.push(Done(order)),
        Phase::Attached | Phase::Draining | Phase::RevertDraining => {}
    }
    if order.operation > 1 {
        // One about the order before.
        all.push(Done(OrderId { operation: order.operation - 1, ..order }));
    }
}

/// Everything that the world or a person can do about what is there.
pub(super) fn enabled(live: &Live, now: Timestamp, people: bool) -> Vec<Event> {
    let mut all = Vec::new();
    if is_due(live, now) {
        all.push(Event::Time);
        if people && live.fleet.next_deadline().is_some_and(|at| at > now.plus_secs(1)) {
            all.push(Event::Before);
        }
    }
    for (order, stage) in live.hooks.iter().copied() {
        all.extend([Event::HookEnds(order, stage, false), Event::HookEnds(order, stage, true)]);
    }
    all.extend(unread(live).map(Event::Read));
    latest(live).into_iter().for_each(|order| of_order(live, order, &mut all));
    if !people {
        return all;
    }
    all.extend([Event::Crash, Event::Away]);
    for rollout in live.fleet.rollouts() {
        let id = rollout.id();
        all.extend(Ask::ALL.iter().map(|(_, ask)| Event::Asks(*ask, id)));
        all.extend((0..rollout.rings().len().min(2) as u8).map(|ring| Event::SkipsRing(id, ring)));
        for member in rollout.members() {
            all.extend(OfMember::ALL.iter().map(|(_, what)| Event::Of(*what, id, member.endpoint())));
        }
    }
    for candidate in live.fleet.candidates() {
        let id = candidate.identified().id();
        all.extend(About::ALL.iter().map(|(_, about)| Event::About(*about, id)));
    }
    all.extend(live.fleet.holds().map(|(candidate, endpoint)| Event::ClearsHold(candidate, endpoint)));
    for endpoint in live.fleet.endpoints() {
        if !endpoint.is_gone() && endpoint.unreachable_since().is_none() {
            all.push(Event::Lost(endpoint.ix()));
        }
        all.push(if endpoint.is_gone() { Event::Comes(endpoint.ix()) } else { Event::Leaves(endpoint.ix()) });
    }
    let count = live.fleet.endpoints().count() as u32;
    if count < 4 {
        all.push(Event::Comes(EndpointIx(count)));
    }
    all
}

fn written(order: &OrderId) -> String {
    format!("r{}.m{}.{}", order.rollout.0, order.member.0, order.operation)
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time => f.write_str("time"),
            Self::Before => f.write_str("before"),
            Self::Away => f.write_str("away"),
            Self::Crash => f.write_str("crash"),
            Self::Acknowledged(order) => write!(f, "ack {}", written(order)),
            Self::Done(order) => write!(f, "done {}", written(order)),
            Self::Fails(order, how) => write!(f, "fails {} {how}", written(order)),
            Self::Shows(order, how) => write!(f, "shows {} {how}", written(order)),
            Self::Answers(order, how) => write!(f, "answers {} {how}", written(order)),
            Self::Recalls(order, how) => write!(f, "recalls {} {how}", written(order)),
            Self::HookEnds(order, stage, failed) => {
                let stage = if *stage == HookStage::Pre { "pre" } else { "post" };
                write!(f, "hook {} {stage} {}", written(order), if *failed { "fails" } else { "ok" })
            }
            Self::Asks(ask, rollout) => write!(f, "{} {rollout}", ask.word()),
            Self::Of(what, rollout, endpoint) => write!(f, "{} {rollout} {endpoint}", what.word()),
            Self::SkipsRing(rollout, ring) => write!(f, "skip {rollout} {ring}"),
            Self::About(what, candidate) => write!(f, "{} {candidate}", what.word()),
            Self::ClearsHold(candidate, endpoint) => write!(f, "clear-hold {candidate} {endpoint}"),
            Self::Lost(endpoint) => write!(f, "lost {endpoint}"),
            Self::Read(endpoint) => write!(f, "read {endpoint}"),
            Self::Leaves(endpoint) => write!(f, "leaves {endpoint}"),
            Self::Comes(endpoint) => write!(f, "comes {endpoint}"),
        }
    }
}

impl FromStr for Event {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no event: write one as `explore` prints it, such as `ack r0.m1.1`");
        let mut words = text.split_whitespace();
        let first = words.next().ok_or_else(wrong)?;
        let rest: Vec<&str> = words.collect();
        let index = |i: usize, letter: char| -> Result<u32, String> {
            let word = rest.get(i).and_then(|word| word.strip_prefix(letter)).ok_or_else(wrong)?;
            word.parse().map_err(|_| wrong())
        };
        let order = || -> Result<OrderId, String> {
            let parts: Vec<&str> = rest.first().ok_or_else(wrong)?.split('.').collect();
            let [rollout, member, operation] = parts[..] else { return Err(wrong()) };
            let number = |word: &str, letter: char| -> Result<u32, String> {
                word.strip_prefix(letter).and_then(|n| n.parse().ok()).ok_or_else(wrong)
            };
            Ok(OrderId {
                fleet: FleetId(1),
                generation: Generation::default(),
                rollout: RolloutId(number(rollout, 'r')?),
                member: MemberIx(number(member, 'm')?),
                operation: operation.parse().map_err(|_| wrong())?,
            })
        };
        let how = || rest.get(1).and_then(|n| n.parse().ok()).ok_or_else(wrong);
        let rollout = || index(0, 'r').map(RolloutId);
        let candidate = || index(0, 'c').map(CandidateId);
        Ok(match first {
            "time" => Self::Time,
            "before" => Self::Before,
            "away" => Self::Away,
            "crash" => Self::Crash,
            "ack" => Self::Acknowledged(order()?),
            "done" => Self::Done(order()?),
            "fails" => Self::Fails(order()?, how()?),
            "shows" => Self::Shows(order()?, how()?),
            "answers" => Self::Answers(order()?, how()?),
            "recalls" => Self::Recalls(order()?, how()?),
            "hook" => {
                let stage = if rest.get(1) == Some(&"pre") { HookStage::Pre } else { HookStage::Post };
                Self::HookEnds(order()?, stage, rest.get(2) == Some(&"fails"))
            }
            "skip" => Self::SkipsRing(rollout()?, how()?),
            "clear-hold" => Self::ClearsHold(candidate()?, EndpointIx(index(1, 'e')?)),
            "lost" => Self::Lost(EndpointIx(index(0, 'e')?)),
            "read" => Self::Read(EndpointIx(index(0, 'e')?)),
            "leaves" => Self::Leaves(EndpointIx(index(0, 'e')?)),
            "comes" => Self::Comes(EndpointIx(index(0, 'e')?)),
            word => {
                if let Some(ask) = Ask::of_word(word) {
                    Self::Asks(ask, rollout()?)
                } else if let Some(what) = OfMember::of_word(word) {
                    Self::Of(what, rollout()?, EndpointIx(index(1, 'e')?))
                } else if let Some(about) = About::of_word(word) {
                    Self::About(about, candidate()?)
                } else {
                    return Err(wrong());
                }
            }
        })
    }
}
