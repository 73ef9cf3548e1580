//! What happens in a world at a time: to endpoints, to the host, through people and vendors.

use super::{Behaviour, CrashPoint, Machine, Network, Operation, StoreFault};
use patchflow_core::catalog::Patch;
use patchflow_core::fleet::{Command, Observation};
use patchflow_core::ids::{Actor, PatchId, Seq};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::RollbackPath;
use patchflow_core::time::Timestamp;

/// A change of one endpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// It behaves otherwise from now on; what nobody heard of is found cut off.
    Behaves(Box<Behaviour>),
    /// It does this with installs of one package, or one exact `package=version`.
    Installs(String, Box<Operation>),
    /// Messages get through, or not.
    Reachable(bool),
    /// A package has another level (`None`: is not there), by somebody else's hand.
    Level(String, Option<String>),
    /// Its probes fail, or pass again.
    Sick(Option<String>),
    /// It waits for a reboot, or not.
    RebootPending(bool),
    /// It belongs elsewhere.
    Scope(ScopePath),
    /// A tag has another value (`None`: is not there).
    Tag(String, Option<String>),
    /// It goes by another calendar of the policy (`None`: by the policy's schedule).
    Calendar(Option<std::sync::Arc<str>>),
    /// It belongs to another availability group (`None`: to none).
    Group(Option<std::sync::Arc<str>>),
    /// Another machine is there under its name (`None`: nobody can tell).
    Fingerprint(Option<String>),
    /// Another patch manager is active there, or none.
    ManagedBy(Option<String>),
    /// It goes into service.
    InService,
    /// The host finds that its inventory is too old.
    Stale,
    /// Another way back is known for it, and until when it holds.
    Path(RollbackPath, Option<Timestamp>),
    /// It is production, or not.
    Environment(Environment),
    /// The power is cut and comes back.
    PowerCut,
}

/// One thing that happens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Happening {
    /// The world shows something, as given.
    Seen(Box<Observation<'static>>),
    /// Somebody asks something; a refusal is kept in the transcript.
    Asked(Actor, Box<Command>),
    /// An endpoint joins.
    Joins(Box<Machine>),
    /// An endpoint leaves for good, and the inventory says so.
    Leaves(String),
    /// An endpoint changes.
    Changes(String, Change),
    /// A vendor publishes a patch.
    Published(Box<Patch>),
    /// A vendor pulls a patch.
    Pulled(PatchId, String),
    /// Inventory and catalogue are compared.
    Rescanned,
    /// Messages fare like this from now on.
    Network(Network),
    /// The host's clock is so many milliseconds ahead of the real one from now on.
    ClockSkew(i64),
    /// The host is away for so many seconds. It crashed if so said, else it was only stopped.
    HostAway {
        /// For how long.
        secs: u64,
        /// Whether it comes back by replay.
        crashed: bool,
        /// Whether what was sent to it meanwhile is lost.
        loses_mail: bool,
    },
    /// The host crashes at once and comes back by replay.
    Crash,
    /// The host crashes when the fact with this sequence is stored, or just before.
    CrashAt(Seq, CrashPoint),
    /// The next appends to the store fail.
    StoreFails(Vec<StoreFault>),
    /// A baseline is written, from which later replays start.
    Baseline,
    /// From now on nothing goes wrong any more: the network is whole, every endpoint is reachable and behaves.
    FaultsStop,
}
