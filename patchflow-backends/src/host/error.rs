//! What can go wrong with a host, with one of its fleets, and with something asked of it.

use patchflow_core::error::{CorruptJournal, Refusal};
use patchflow_core::ids::FleetId;
use patchflow_core::journal::EncodeError;
use patchflow_core::sdk::{BackendError, Mismatch};
use std::sync::Arc;

/// Why a host was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A backend does not fit.
    #[error("a backend does not fit")]
    Mismatch(#[from] Mismatch),
    /// Something that every host needs was not given.
    #[error("a host needs {0}")]
    Missing(&'static str),
    /// Two things would identify for one fleet, and each would take back what the other says.
    #[error("rounds of {0} are given twice")]
    RoundsTwice(FleetId),
    /// Rounds without a pause would leave no time for anything else.
    #[error("the period of the rounds of {0} must be a second or more")]
    RoundsTooOften(FleetId),
    /// A limit of zero would stop all work.
    #[error("limit `{0}` must not be zero")]
    ZeroLimit(&'static str),
}

/// Why a host ended. Troubles of single fleets do not end it; they stand in [`Trouble`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// A host runs once; make a new one on the same store.
    #[error("this host has run before; make a new one on the same store")]
    AlreadyRan,
    /// The store could not say which fleets there are.
    #[error("could not list the fleets of the journal store")]
    Store(#[from] BackendError),
}

/// Why a fleet is not driven any more. It concerns this fleet alone; a new host tries it again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// Its journal cannot be replayed.
    #[error("the journal cannot be replayed")]
    Corrupt(#[source] CorruptJournal),
    /// It decided something that cannot be written down.
    #[error("a fact cannot be written to the journal")]
    Unwritable(#[source] EncodeError),
    /// Somebody else writes it.
    #[error("another host writes this fleet; it got in between {conflicts} times")]
    TakenOver {
        /// How often it got in between.
        conflicts: u32,
    },
    /// Its backends do not fit.
    #[error("a backend of this fleet does not fit")]
    Backends(#[source] Mismatch),
}

/// Why something asked of a host was not done, or is not known to be done.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The fleet refuses; nothing has changed.
    #[error("refused")]
    Refused(#[source] Refusal),
    /// There is no such fleet here.
    #[error("there is no {0} on this host")]
    NoFleet(FleetId),
    /// A fleet of this id exists already.
    #[error("{0} exists already")]
    FleetExists(FleetId),
    /// The fleet is not driven any more.
    #[error("the fleet is not driven here")]
    NotDriven(#[source] Arc<Trouble>),
    /// Another holder has the lease of the fleet.
    #[error("another holder has the lease of {0}")]
    LeaseElsewhere(FleetId),
    /// The host does not run, or stops; nothing was done.
    #[error("the host does not run")]
    NotRunning,
    /// It was taken in, and whether it was stored is not known: repeat it under the same request id, which does it at
    /// most once.
    #[error("it is not known whether it was stored; repeat it under the same id")]
    Unsettled,
}
