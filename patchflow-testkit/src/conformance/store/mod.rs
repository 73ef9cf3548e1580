//! The suite for journal stores: clauses J1 to J30.
//!
//! ```
//! # use async_trait::async_trait;
//! # use patchflow_core::sdk::{BackendError, JournalStore};
//! # use patchflow_testkit::conformance::store::{self, StoreBuilder};
//! # use std::sync::Arc;
//! struct Folder(/* a temporary folder */);
//!
//! #[async_trait]
//! impl StoreBuilder for Folder {
//!     async fn open(&self, place: &str) -> Result<Arc<dyn JournalStore>, BackendError> {
//!         // Open the store in the file of that name.
//! #       Err(BackendError::lasting(format!("open {place}: this example has no store")))
//!     }
//! }
//!
//! # async fn example() {
//! store::check_all(&Folder()).await.assert();
//! # }
//! ```
//!
//! For a test runner that lists each clause as a test of its own, run [`check`] for each of [`clauses`].

mod append;
mod concurrency;
mod durability;
mod fabric;
mod index;
mod read;
mod retention;

use super::{Clause, Report, Violation};
use async_trait::async_trait;
use fabric::Bench;
use patchflow_core::sdk::{BackendError, JournalStore};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Opens the stores that a suite checks.
#[async_trait]
pub trait StoreBuilder: Send + Sync {
    /// Opens the store at a place: a short name of letters, digits and dashes. A name that was not opened before is a
    /// new, empty store; the same name again is the same store. The suite drops a store before it opens its place
    /// again, but for J30, which asks for a second handle beside an open one; a store that knows none refuses it.
    ///
    /// # Errors
    /// The backend's own. Other than in J30 it violates the clause under check.
    async fn open(&self, place: &str) -> Result<Arc<dyn JournalStore>, BackendError>;
}

/// What a check says: nothing, or what was seen.
type Checked<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;
type Check = for<'a> fn(&'a Bench<'a>) -> Checked<'a>;

const fn clause(number: &'static str, text: &'static str, check: Check) -> (Clause, Check) {
    (Clause { number, text }, check)
}

/// Every clause with its check. The same lines stand in `docs/contract.md`, and a test compares them.
const SUITE: &[(Clause, Check)] = &[
    clause("J1", "The manifest lists `JournalStore` and fits this SDK.", index::manifest),
    clause(
        "J2",
        "A stream without records ends at `Tail::EMPTY`, holds nothing and has no baseline.",
        index::empty,
    ),
    clause(
        "J3",
        "An append that expects the stream's end is stored, and its receipt names the fleet, the last sequence and the head.",
        append::receipt,
    ),
    clause(
        "J4",
        "An append that expects another next sequence or another head is a conflict.",
        append::conflict,
    ),
    clause("J5", "A conflict names where the stream really ends.", append::conflict_names_end),
    clause(
        "J6",
        "The same append again is a conflict that names `tail_after()`, which the caller takes as success; nothing is stored twice.",
        append::repeat,
    ),
    clause("J7", "An append is stored whole or not at all.", append::whole),
    clause(
        "J8",
        "An append without records, or whose records do not follow each other from the expected tail, is refused for good and stores nothing.",
        append::gaps,
    ),
    clause(
        "J9",
        "A batch is answered by one result for each append, in their order; an empty batch by none.",
        append::batch_order,
    ),
    clause("J10", "An append that is refused does not hinder the others of its batch.", append::neighbours),
    clause(
        "J11",
        "Appends to one stream in one batch are taken one after the other, each expecting the end of the one before.",
        append::chained_batch,
    ),
    clause("J12", "Streams are independent, whatever their fleets' numbers.", index::independent),
    clause(
        "J13",
        "Reading gives every record as it was appended, byte for byte and in order.",
        read::verbatim,
    ),
    clause(
        "J14",
        "Reading starts with the record that holds `from`, also when `from` is in its middle, with the baselines that stand at `from` before it; from the stream's end on there is nothing else.",
        read::from_anywhere,
    ),
    clause(
        "J15",
        "A page holds at most `bytes_max` of payload, or else one record with the baselines before it; baselines at the stream's end come on top. It is empty only at the stream's end.",
        read::page_size,
    ),
    clause(
        "J16",
        "Reading on at the last record's `last.next()` until that is the tail's gives every record once: no page parts a baseline from the record after it, or, at the stream's end, from the one before it.",
        read::page_by_page,
    ),
    clause(
        "J17",
        "The tail is that of the last record; a baseline moves its head and not its sequence.",
        index::tail,
    ),
    clause(
        "J18",
        "The latest baseline is the one that was appended last, with the head of the record before it.",
        index::latest_baseline,
    ),
    clause(
        "J19",
        "Several baselines at one sequence are all kept, in the order of their appending.",
        read::baselines_at_one_place,
    ),
    clause("J20", "Fleets are those with records, each once, in ascending order.", index::fleets),
    clause(
        "J21",
        "A page of fleets begins after `after` and holds at most `limit`; going on at its last fleet gives each once.",
        index::fleets_paged,
    ),
    clause(
        "J22",
        "Pruning drops the payloads of records that end before `before` and of baselines that stand before it, and nothing else of them; it tells how many it dropped now.",
        retention::drops,
    ),
    clause(
        "J23",
        "Pruning is refused for good where no baseline stands at or after `before`, and then drops nothing.",
        retention::needs_baseline,
    ),
    clause(
        "J24",
        "Pruning keeps the payloads of what reaches to `before` or beyond, and of baselines that stand there.",
        retention::keeps,
    ),
    clause(
        "J25",
        "Pruning one stream changes no other, and the pruned one is appended to as before.",
        retention::apart,
    ),
    clause(
        "J26",
        "What was acknowledged is there after the store was closed and opened again.",
        durability::reopen,
    ),
    clause(
        "J27",
        "Of concurrent appends to one end of a stream exactly one is stored, and the others are conflicts.",
        concurrency::one_wins,
    ),
    clause("J28", "Concurrent appends to different streams are all stored.", concurrency::all_win),
    clause(
        "J29",
        "An append whose future is dropped is stored whole or not at all, and the store goes on.",
        concurrency::dropped,
    ),
    clause(
        "J30",
        "A second handle on an open store sees the same streams and the same conflicts, or is refused for good while the first goes on.",
        durability::second_handle,
    ),
];

/// The clauses, in their order.
pub fn clauses() -> impl Iterator<Item = Clause> {
    SUITE.iter().map(|(clause, _)| *clause)
}

/// Checks every clause, each on stores of its own.
pub async fn check_all(builder: &dyn StoreBuilder) -> Report {
    let mut report = Report::default();
    for (clause, run) in SUITE {
        report.checked.push(*clause);
        report.violations.extend(run_one(*clause, *run, builder).await.err());
    }
    report
}

/// Checks one clause.
///
/// # Errors
/// The violation, when the store does not keep it. A number that no clause has is a violation too, so that a
/// misspelled test never passes.
pub async fn check(number: &str, builder: &dyn StoreBuilder) -> Result<(), Violation> {
    match SUITE.iter().find(|(clause, _)| clause.number == number) {
        Some((clause, run)) => run_one(*clause, *run, builder).await,
        None => Err(Violation {
            clause: Clause { number: "J0", text: "The clause exists." },
            seen: format!("no clause of journal stores has the number `{number}`"),
        }),
    }
}

async fn run_one(clause: Clause, run: Check, builder: &dyn StoreBuilder) -> Result<(), Violation> {
    let bench = Bench::new(clause.number, builder);
    run(&bench).await.map_err(|seen| Violation { clause, seen })
}
