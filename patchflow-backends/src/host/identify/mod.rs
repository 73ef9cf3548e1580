//! The first stage for one fleet: what its inventory shows against what sources publish and feeds say, told to the fleet.
//!
//! An [`Identifier`] keeps the inventory, the advisories of all feeds and the patches of all sources. A round reads what is
//! new, compares what has to do with it, and tells the fleet about endpoints, patches and needs; the fleet records what has
//! changed. It decides nothing, and what it keeps can be lost at any time: the next round reads everything again.
//!
//! An endpoint needs a patch when its own sources offer exactly its version, or when an advisory hits what is there and the
//! patch closes it, provided that the patch is known to be for that platform. A vendor's "not affected" beats both for
//! security updates. A patch that is missing nowhere, and that no other needs, is not told at all.

mod compare;
mod identifier;
mod knowledge;
mod offers;
mod rounds;
mod telling;
mod weigh;

pub use compare::{Comparison, compare};
pub use identifier::{Identifier, Unpatchable};
pub use rounds::Rounds;
pub(super) use rounds::{Desk, Permits};
pub use weigh::Reason;

use super::{AskError, HostHandle};
use patchflow_core::ids::FleetId;
use patchflow_core::plan::RollbackPath;
use patchflow_core::sdk::{BackendError, Inventory, PatchSource};
use std::sync::Arc;

/// What one round read, compared and told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Round {
    /// Endpoints that the inventory handed out: all of them in a first round, afterwards those that changed.
    pub endpoints: usize,
    /// Patches that the sources publish, whether or not they are missing somewhere.
    pub patches: usize,
    /// Patches that were pulled.
    pub withdrawn: usize,
    /// Advisories that stand, after merging.
    pub advisories: usize,
    /// Comparisons of an endpoint with a patch: what the news of this round cost.
    pub reviews: usize,
    /// Of these, endpoints that need a patch, summed over patches.
    pub needs: usize,
    /// Of these, endpoints that have a patch already, summed over patches.
    pub has: usize,
    /// Patches that the fleet was told of: new ones, and those of which something else is known now.
    pub told: usize,
}

/// Why a round was not finished. What was told by then stays told; the next round tells the rest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentifyError {
    /// The inventory, a source or a feed failed.
    #[error("a backend failed")]
    Backend(#[from] BackendError),
    /// The fleet could not be told.
    #[error("the fleet could not be told")]
    Ask(#[from] AskError),
}

/// One round of a new [`Identifier`] without feeds: everything that the inventory and the sources show.
///
/// `paths` are the ways back that the installer knows, best first
/// ([`InstallerCapabilities::paths`](patchflow_core::sdk::InstallerCapabilities)). The candidates move on when the round
/// is complete, not before: a rollout is not planned over half of a fleet.
///
/// # Errors
/// When a backend fails or the fleet cannot be told; the candidates then wait for a round that is complete.
pub async fn run(
    host: &HostHandle,
    fleet: FleetId,
    inventory: &dyn Inventory,
    sources: &[Arc<dyn PatchSource>],
    paths: &[RollbackPath],
) -> Result<Round, IdentifyError> {
    let mut identifier = Identifier::new(fleet).paths(paths.iter().copied());
    for source in sources {
        identifier = identifier.source(source.clone());
    }
    identifier.round(host, inventory).await
}
