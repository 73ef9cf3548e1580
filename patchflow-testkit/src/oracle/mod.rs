//! Observers that say when something happened that must never happen.
//!
//! Each stands in a file of its own and watches facts as they are stored, effects as they leave, and endpoints as they
//! begin and end operations. None asks the engine whether it was right: what they compare with is a [`Ledger`] that
//! is kept from the facts alone by other, slower code. Each has a test in which it catches a violation made up for it.

mod accounting;
mod approved_only;
mod away;
mod budgets;
mod condition_entry;
mod conditions;
mod converges;
mod facts_first;
mod fences;
mod holds;
mod inside_window;
mod ledger;
mod limits;
mod one_operation;
mod operators;
mod overlooked;
mod reach;
mod relaid;
mod relations;
mod replay;
mod revoked;
mod ring_order;
mod rollback_path;
mod staged;
mod start_by;
#[cfg(test)]
mod synthetic;

pub use condition_entry::ConditionEntry;
pub use ledger::{CandidateEntry, EndpointEntry, Ledger, MemberEntry, RingEntry, RolloutEntry, Standing};

use crate::sim::{Sight, Watch};
use patchflow_core::fleet::Fact;
use patchflow_core::time::Timestamp;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// Something that must never happen, and happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Who saw it.
    pub oracle: &'static str,
    /// When, by the world's clock.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.at, self.oracle, self.text)
    }
}

/// One observer of one rule.
pub trait Oracle: fmt::Debug {
    /// The rule, in a word or two.
    fn name(&self) -> &'static str;

    /// Sees one thing. The ledger stands as it was *before* it. What is wrong is handed to `says`.
    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String));
}

/// Every oracle there is, in the order of their names.
#[must_use]
pub fn all() -> Vec<Box<dyn Oracle>> {
    vec![
        Box::new(accounting::Accounting),
        Box::new(approved_only::ApprovedOnly::default()),
        Box::new(away::Absence::default()),
        Box::new(budgets::Budgets),
        Box::new(conditions::ConditionsHeeded::default()),
        Box::new(converges::Converges::default()),
        Box::new(facts_first::FactsFirst::default()),
        Box::new(fences::Fences::default()),
        Box::new(holds::Holds::default()),
        Box::new(inside_window::InsideWindow::default()),
        Box::new(limits::LimitsKept),
        Box::new(one_operation::OneOperation::default()),
        Box::new(operators::OperatorsCalled::default()),
        Box::new(overlooked::Overlooked),
        Box::new(relations::RelationsHeeded),
        Box::new(replay::Replay),
        Box::new(revoked::Revoked::default()),
        Box::new(ring_order::RingOrder),
        Box::new(rollback_path::RollbackPathKnown),
        Box::new(staged::Staged::default()),
        Box::new(start_by::StartBy::default()),
    ]
}

/// Violations beyond this many are counted and not kept: one defect often shows a thousand times.
const KEPT_MAX: usize = 20;

#[derive(Debug)]
struct Room {
    ledger: Ledger,
    oracles: Vec<Box<dyn Oracle>>,
    reach: reach::Reach,
    found: Vec<Violation>,
    more: u64,
}

/// Oracles at one table: a [`Watch`] that can be kept while the world has it too.
///
/// ```
/// use patchflow_testkit::{oracle::Panel, sim::World};
/// let panel = Panel::all();
/// let mut world = World::watched("acme", 1, "2026-11-21T08:00:00Z".parse().unwrap(), Some(panel.watch()));
/// world.finish_watch();
/// assert!(panel.violations().is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Panel(Rc<RefCell<Room>>);

impl Panel {
    /// Every oracle there is.
    #[must_use]
    pub fn all() -> Self {
        Self::of(all())
    }

    /// Every oracle, in a world in which nothing goes wrong but the host's absence.
    #[must_use]
    pub fn of_absence() -> Self {
        let mut oracles = all();
        oracles.push(Box::new(away::Absence::as_only_fault()));
        Self::of(oracles)
    }

    /// Some oracles.
    #[must_use]
    pub fn of(oracles: Vec<Box<dyn Oracle>>) -> Self {
        let room = Room {
            ledger: Ledger::default(),
            oracles,
            reach: reach::Reach::default(),
            found: Vec::new(),
            more: 0,
        };
        Self(Rc::new(RefCell::new(room)))
    }

    /// A watch for a world; what it sees is seen here.
    #[must_use]
    pub fn watch(&self) -> Box<dyn Watch> {
        Box::new(self.clone())
    }

    /// What was found, the first ones in full.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.0.borrow().found.clone()
    }

    /// What was reached at all, and how often: kinds of facts, events of members, and budgets that were used up.
    #[must_use]
    pub fn reached(&self) -> std::collections::BTreeMap<String, u32> {
        self.0.borrow().reach.all()
    }

    /// How many facts were seen.
    #[must_use]
    pub fn facts(&self) -> u64 {
        self.0.borrow().ledger.facts
    }
}

impl Watch for Panel {
    fn see(&mut self, at: Timestamp, sight: Sight<'_>) {
        let room = &mut *self.0.borrow_mut();
        room.ledger.now = at;
        for oracle in &mut room.oracles {
            let name = oracle.name();
            let (found, more) = (&mut room.found, &mut room.more);
            oracle.see(sight, &room.ledger, &mut |text| {
                if found.len() < KEPT_MAX {
                    found.push(Violation { oracle: name, at, text });
                } else {
                    *more += 1;
                }
            });
        }
        room.reach.see(sight, &room.ledger);
        if let Sight::Stored(recorded) = sight
            && let Err(text) = room.ledger.take(recorded)
        {
            room.found.push(Violation { oracle: "ledger", at, text });
        }
    }
}

/// The member fact in a sight, when it is one.
fn member_fact<'a>(sight: &Sight<'a>) -> Option<(&'a patchflow_core::fleet::EndpointFact, Timestamp)> {
    match sight {
        Sight::Stored(recorded) => match &recorded.fact {
            Fact::Endpoint(fact) => Some((fact, recorded.at)),
            _ => None,
        },
        _ => None,
    }
}

/// The rich fact in a sight, when it is one.
fn rich_fact<'a>(sight: &Sight<'a>) -> Option<(&'a patchflow_core::fleet::RichFact, Timestamp)> {
    match sight {
        Sight::Stored(recorded) => match &recorded.fact {
            Fact::Rich(fact) => Some((fact, recorded.at)),
            _ => None,
        },
        _ => None,
    }
}
