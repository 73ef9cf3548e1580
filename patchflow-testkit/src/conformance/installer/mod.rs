//! The suite for installers and the inventories that belong to them: clauses I1 to I35 and V1 to V9.
//!
//! A builder makes small worlds: at least three endpoints that have a package in one version, and a patch to the next.
//! Orders come from a real fleet (see [`crate::orders`]).

mod answers;
mod bench;
mod inventory;
mod operations;
mod staging;
mod taking;

use super::{Clause, Report, Violation};
use async_trait::async_trait;
use patchflow_core::catalog::Patch;
use patchflow_core::ids::EndpointId;
use patchflow_core::plan::RollbackPath;
use patchflow_core::sdk::{BackendError, Installer, Inventory};
use patchflow_core::time::Timestamp;
use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What a suite works on.
pub struct World {
    /// The installer under check.
    pub installer: Arc<dyn Installer>,
    /// What shows the level of its endpoints; for many backends the same thing.
    pub inventory: Arc<dyn Inventory>,
    /// At least three endpoints; nothing else is in the inventory.
    pub endpoints: Vec<EndpointId>,
    /// A patch that can be installed on each of them. A patch to another version of its package than any that exists,
    /// and one of a package that does not exist, are made from it.
    pub patch: Patch,
    /// The version of the patch's package that every endpoint has in the beginning.
    pub prior: String,
    /// The way back from the patch.
    pub path: RollbackPath,
    /// The time by the installer's clock.
    pub now: Timestamp,
}

/// Keeps an operation from ending until it is dropped.
pub type Stall = Box<dyn Any + Send>;

/// Makes the worlds that a suite works on.
#[async_trait]
pub trait InstallerBuilder: Send + Sync {
    /// The world at a place: a short name of letters, digits and dashes. A name that was not used before is a new world,
    /// as [`World`] describes it; the same name again is the same world after a restart of the host, with an installer
    /// of its own. The suite drops the first before it asks for the second.
    ///
    /// # Errors
    /// The backend's own. It violates the clause under check.
    async fn build(&self, place: &str) -> Result<World, BackendError>;

    /// Returns when a report that has not come until now counts as lost: some seconds for real operations, at once
    /// when all is in memory. It is asked anew for each report that is waited for.
    async fn patience(&self);

    /// Lets the next operation on an endpoint begin, and not end before what is returned is dropped. `None` when that
    /// cannot be arranged: the clauses about operations at work are then not checked.
    fn stall(&self, place: &str, endpoint: &EndpointId) -> Option<Stall> {
        let _ = (place, endpoint);
        None
    }

    /// Keeps content from being fetched until what is returned is dropped, also after a restart: the repository is out
    /// of reach. `None` when that cannot be arranged: what staged content is good for is then not checked.
    fn withhold(&self, place: &str) -> Option<Stall> {
        let _ = place;
        None
    }

    /// Changes some of the content that was staged on an endpoint, on its disk. `false` when that cannot be arranged.
    fn damage(&self, place: &str, endpoint: &EndpointId) -> bool {
        let _ = (place, endpoint);
        false
    }
}

/// Why a check did not end well.
pub(crate) enum Stop {
    /// The clause is violated: what was seen.
    Violated(String),
    /// It could not be checked: what is lacking.
    Lacking(String),
}

impl From<String> for Stop {
    fn from(seen: String) -> Self {
        Self::Violated(seen)
    }
}

type Checked<'a> = Pin<Box<dyn Future<Output = Result<(), Stop>> + Send + 'a>>;
type Check = for<'a> fn(&'a dyn InstallerBuilder, &'a str) -> Checked<'a>;

const fn clause(number: &'static str, text: &'static str, check: Check) -> (Clause, Check) {
    (Clause { number, text }, check)
}

/// Every clause with its check. The same lines stand in `docs/contract.md`, and a test compares them.
const SUITE: &[(Clause, Check)] = &[
    clause("I1", "The manifest lists `Installer` and fits this SDK.", |b, p| {
        Box::pin(taking::manifest(b, p))
    }),
    clause("I2", "A batch is answered by one receipt for each order, and an empty batch by none.", |b, p| {
        Box::pin(taking::receipts(b, p))
    }),
    clause("I3", "A taken order is acknowledged, and then reported done or failed.", |b, p| {
        Box::pin(taking::reported(b, p))
    }),
    clause(
        "I4",
        "After an install that was reported done the inventory shows the target, whole, on that endpoint and on no other.",
        |b, p| Box::pin(operations::installs(b, p)),
    ),
    clause(
        "I5",
        "The same order again is taken and not carried out again; when it has ended, its outcome is told again.",
        |b, p| Box::pin(taking::repeated(b, p)),
    ),
    clause(
        "I6",
        "An order under a lower fence than one that was begun on its endpoint is refused, and nothing of it is done.",
        |b, p| Box::pin(taking::fenced(b, p)),
    ),
    clause(
        "I7",
        "Nothing is started after `start_by`: such an order is refused or reported failed.",
        |b, p| Box::pin(taking::too_late(b, p)),
    ),
    clause(
        "I8",
        "An install that cannot succeed is reported failed and leaves the level as it was.",
        |b, p| Box::pin(operations::fails(b, p)),
    ),
    clause("I9", "A query for an order that was never submitted is answered `NeverSeen`.", |b, p| {
        Box::pin(answers::never_seen(b, p))
    }),
    clause("I10", "A query for an order that has ended is answered with its outcome.", |b, p| {
        Box::pin(answers::outcome(b, p))
    }),
    clause(
        "I11",
        "After a restart an order that has ended is answered for as before, and is not carried out again.",
        |b, p| Box::pin(answers::outcome_after_restart(b, p)),
    ),
    clause("I12", "After a restart a lower fence is refused as before.", |b, p| {
        Box::pin(answers::fenced_after_restart(b, p))
    }),
    clause(
        "I13",
        "A query answers for each order at most once, and for none that was not asked after.",
        |b, p| Box::pin(answers::once_each(b, p)),
    ),
    clause(
        "I14",
        "An order for an unknown endpoint is refused or reported failed, and hinders no other order of its batch; a query for it is not answered with success.",
        |b, p| Box::pin(taking::unknown_endpoint(b, p)),
    ),
    clause("I15", "A look before an install answers for each order once and changes nothing.", |b, p| {
        Box::pin(operations::preflight_changes_nothing(b, p))
    }),
    clause(
        "I16",
        "A look before an install finds no obstacle and the promised way back where the install would succeed, and an obstacle where it cannot.",
        |b, p| Box::pin(operations::preflight_sees(b, p)),
    ),
    clause(
        "I17",
        "A recall answers for each order once: `Unknown` for one that was never seen, `AlreadyStarted` for one that has ended.",
        |b, p| Box::pin(answers::recall(b, p)),
    ),
    clause(
        "I18",
        "An order that was recalled before it began is never carried out, also when it comes again.",
        |b, p| Box::pin(answers::recalled(b, p)),
    ),
    clause("I19", "An operation at work is not recalled, and comes to its end.", |b, p| {
        Box::pin(answers::recall_comes_too_late(b, p))
    }),
    clause("I20", "An operation at work is `Running`, and no other is at work on its endpoint.", |b, p| {
        Box::pin(operations::one_at_a_time(b, p))
    }),
    clause(
        "I21",
        "An operation at work on one endpoint does not keep another endpoint's from its end.",
        |b, p| Box::pin(operations::side_by_side(b, p)),
    ),
    clause("I22", "A wait for reports that is dropped loses none.", |b, p| {
        Box::pin(taking::dropped_wait(b, p))
    }),
    clause(
        "I23",
        "Reports are about submitted orders, and of one order never tell both success and failure.",
        |b, p| Box::pin(taking::reports_fit(b, p)),
    ),
    clause("I24", "A rollback brings back the level that the order names.", |b, p| {
        Box::pin(operations::reverts(b, p))
    }),
    clause(
        "I25",
        "A package that is held is not changed until it is let go, and the inventory shows the hold.",
        |b, p| Box::pin(operations::holds(b, p)),
    ),
    clause("I26", "A hold on an unknown endpoint is a failure.", |b, p| {
        Box::pin(operations::hold_on_unknown(b, p))
    }),
    clause(
        "I27",
        "A reboot is carried out by an installer that reboots, and is unsupported by one that does not.",
        |b, p| Box::pin(operations::reboots(b, p)),
    ),
    clause(
        "I28",
        "A staging of content that is to be had is answered with the digest that was approved, and installs nothing.",
        |b, p| Box::pin(staging::brings(b, p)),
    ),
    clause(
        "I29",
        "A staging is answered at most once each time it is asked for, and none that was not asked for; one on an unknown endpoint fails and hinders no other.",
        |b, p| Box::pin(staging::once_each(b, p)),
    ),
    clause(
        "I30",
        "A staging of what is not to be had is answered with a failure, or with the digest of what lies there instead.",
        |b, p| Box::pin(staging::cannot(b, p)),
    ),
    clause(
        "I31",
        "What was staged is answered for again and installed when it cannot be fetched any more, also after a restart.",
        |b, p| Box::pin(staging::stays(b, p)),
    ),
    clause(
        "I32",
        "Staged content that has changed since is not installed, and not told as what was approved.",
        |b, p| Box::pin(staging::changed(b, p)),
    ),
    clause(
        "I33",
        "What was thrown away is gone from that endpoint and from no other; to throw away what is not there is no error.",
        |b, p| Box::pin(staging::thrown_away(b, p)),
    ),
    clause("I34", "An installer that does not stage answers every staging with `Unsupported`.", |b, p| {
        Box::pin(staging::unsupported(b, p))
    }),
    clause(
        "I35",
        "An install whose approved content is not what is to be had is reported failed and leaves the level as it was, and a look before it finds the obstacle.",
        |b, p| Box::pin(operations::other_content(b, p)),
    ),
    clause("V1", "The manifest lists `Inventory` and fits this SDK.", |b, p| {
        Box::pin(inventory::manifest(b, p))
    }),
    clause(
        "V2",
        "Pages from the beginning show every endpoint once, at most `limit` on each page.",
        |b, p| Box::pin(inventory::all_once(b, p)),
    ),
    clause("V3", "Where nothing has changed since a cursor, there is nothing.", |b, p| {
        Box::pin(inventory::unchanged(b, p))
    }),
    clause("V4", "An endpoint that has changed since a cursor is shown as it is now.", |b, p| {
        Box::pin(inventory::changed(b, p))
    }),
    clause("V5", "The same cursor again shows what it showed, or more.", |b, p| {
        Box::pin(inventory::cursor_again(b, p))
    }),
    clause(
        "V6",
        "A look at levels answers for each order once, with the level that stands, whatever the order wants.",
        |b, p| Box::pin(inventory::levels(b, p)),
    ),
    clause("V7", "The level of an unknown endpoint is unreadable.", |b, p| {
        Box::pin(inventory::unknown_endpoint(b, p))
    }),
    clause("V8", "A package that is not there is absent.", |b, p| Box::pin(inventory::absent(b, p))),
    clause("V9", "A cursor that is not understood is refused, or read as the beginning.", |b, p| {
        Box::pin(inventory::foreign_cursor(b, p))
    }),
];

/// The clauses, in their order.
pub fn clauses() -> impl Iterator<Item = Clause> {
    SUITE.iter().map(|(clause, _)| *clause)
}

/// Checks every clause, each in a world of its own.
pub async fn check_all(builder: &dyn InstallerBuilder) -> Report {
    let mut report = Report::default();
    for (clause, _) in SUITE {
        let one = check(clause.number, builder).await;
        report.checked.extend(one.checked);
        report.violations.extend(one.violations);
        report.skipped.extend(one.skipped);
    }
    report
}

/// Checks one clause, in a world named after it. The report of a number that there is not has checked nothing.
pub async fn check(number: &str, builder: &dyn InstallerBuilder) -> Report {
    let mut report = Report::default();
    for (clause, run) in SUITE.iter().filter(|(clause, _)| clause.number == number) {
        report.checked.push(*clause);
        let place = clause.number.to_ascii_lowercase();
        match run(builder, &place).await {
            Ok(()) => {}
            Err(Stop::Violated(seen)) => report.violations.push(Violation { clause: *clause, seen }),
            Err(Stop::Lacking(what)) => report.skipped.push((*clause, what)),
        }
    }
    report
}
