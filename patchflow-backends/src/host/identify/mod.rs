//! The first stage for one fleet: what its inventory shows against what its sources publish, told to the fleet.
//!
//! A round reads the sources, then the inventory, and tells the fleet about endpoints, patches and needs; the fleet
//! records what has changed. It may be repeated at any time. It decides nothing, and it compares versions for equality
//! only (see [`compare`]).

mod compare;

pub use compare::{Comparison, compare};

use super::{AskError, HostHandle};
use patchflow_core::catalog::Patch;
use patchflow_core::fleet::{EndpointSeen, Fleet, NeedSeen, Observation, Standing};
use patchflow_core::ids::{CandidateId, EndpointId, EndpointIx, FleetId, PatchId};
use patchflow_core::inventory::EndpointRecord;
use patchflow_core::plan::RollbackPath;
use patchflow_core::sdk::{BackendError, Cursor, Inventory, PatchSource, PublishedPatch};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Endpoints or patches asked of a backend at once: bounds what a round holds in memory.
const PAGE_ITEMS: usize = 1000;
/// Pages of one source in one round: a source that never comes to its end is left until the next round.
const PAGES_MAX: usize = 100_000;

/// What one round told the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Round {
    /// Endpoints that the inventory shows.
    pub endpoints: usize,
    /// Patches that the sources publish.
    pub patches: usize,
    /// Patches that were pulled.
    pub withdrawn: usize,
    /// Endpoints that need a patch, summed over patches.
    pub needs: usize,
    /// Endpoints that have a patch already, summed over patches.
    pub has: usize,
}

/// Why a round was not finished. What was told by then stays told; the next round tells it again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentifyError {
    /// The inventory or a source failed.
    #[error("a backend failed")]
    Backend(#[from] BackendError),
    /// The fleet could not be told.
    #[error("the fleet could not be told")]
    Ask(#[from] AskError),
}

/// Tells a fleet, in one round, about everything that its inventory and its sources show.
///
/// `paths` are the ways back that its installer knows, best first
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
    let mut round = Round::default();
    let mut patches = BTreeMap::new();
    for source in sources {
        read_source(&**source, &mut patches).await?;
    }
    let mut known = Vec::new();
    let mut news = Vec::new();
    for (id, published) in patches {
        match published {
            PublishedPatch::Published(patch) => {
                news.push(Observation::Published { patch: Cow::Owned((*patch).clone()) });
                known.push(*patch);
            }
            PublishedPatch::Withdrawn { reason, .. } => {
                round.withdrawn += 1;
                news.push(Observation::Withdrawn { patch: id, reason: reason.into() });
            }
        }
    }
    round.patches = known.len();
    let ids: Vec<PatchId> = known.iter().map(|patch| patch.id.clone()).collect();
    if !news.is_empty() {
        host.observe_all(fleet, news).await?;
    }
    let candidates = host
        .with_fleet(fleet, move |fleet| ids.iter().map(|id| fleet.candidate_of(id)).collect::<Vec<_>>())
        .await?;
    let patches: Vec<_> =
        known.into_iter().zip(candidates).filter_map(|(patch, id)| Some((id?, patch))).collect();

    let mut cursor = None;
    for _ in 0..PAGES_MAX {
        let page = inventory.page(cursor.as_ref(), PAGE_ITEMS).await?;
        round.endpoints += page.items.len();
        tell_page(host, fleet, &page.items, &patches, paths, &mut round).await?;
        if !page.more {
            break;
        }
        cursor = Some(page.next);
    }
    host.observe(fleet, Observation::Identified).await?;
    Ok(round)
}

/// The last word of a source on each patch.
async fn read_source(
    source: &dyn PatchSource,
    patches: &mut BTreeMap<PatchId, PublishedPatch>,
) -> Result<(), BackendError> {
    let mut cursor: Option<Cursor> = None;
    for _ in 0..PAGES_MAX {
        let page = source.page(cursor.as_ref(), PAGE_ITEMS).await?;
        for item in page.items {
            let id = match &item {
                PublishedPatch::Published(patch) => patch.id.clone(),
                PublishedPatch::Withdrawn { id, .. } => id.clone(),
            };
            patches.insert(id, item);
        }
        if !page.more {
            break;
        }
        cursor = Some(page.next);
    }
    Ok(())
}

/// What a comparison says about one endpoint, before the fleet's own numbers are known.
struct Found {
    endpoint: EndpointId,
    standing: Standing,
    present: Option<Arc<str>>,
    path: RollbackPath,
}

async fn tell_page(
    host: &HostHandle,
    fleet: FleetId,
    records: &[EndpointRecord],
    patches: &[(CandidateId, Patch)],
    paths: &[RollbackPath],
    round: &mut Round,
) -> Result<(), IdentifyError> {
    let endpoints: Vec<_> = records.iter().map(seen).collect();
    if endpoints.is_empty() {
        return Ok(());
    }
    host.observe(fleet, Observation::Endpoints { endpoints: endpoints.into() }).await?;
    for (candidate, patch) in patches {
        let mut versions = BTreeMap::<&str, Arc<str>>::new();
        let found: Vec<Found> = records
            .iter()
            .map(|record| {
                let Comparison { standing, present, path } = compare(record, patch, paths);
                round.needs += usize::from(standing == Standing::Needs);
                round.has += usize::from(standing == Standing::Has);
                // Endpoints share few versions; each is kept once.
                let present =
                    present.map(|version| versions.entry(version).or_insert_with(|| version.into()).clone());
                Found { endpoint: record.id.clone(), standing, present, path }
            })
            .collect();
        let candidate = *candidate;
        let needs = host.with_fleet(fleet, move |fleet| number(fleet, candidate, found)).await?;
        if !needs.is_empty() {
            host.observe(fleet, Observation::Needs { candidate, needs: needs.into() }).await?;
        }
    }
    tell_reboots(host, fleet, records).await?;
    // Whoever waited for a reading has it now, with everything that it showed told before.
    let ids: Vec<_> = records.iter().map(|record| record.id.clone()).collect();
    let number = move |fleet: &Fleet| -> Vec<_> {
        let waits = |ix: &EndpointIx| fleet.endpoint(*ix).is_some_and(|there| there.waits_for_reading());
        ids.iter().filter_map(|id| fleet.endpoint_ix(id.as_str())).filter(waits).collect()
    };
    let endpoints = host.with_fleet(fleet, number).await?;
    if !endpoints.is_empty() {
        host.observe(fleet, Observation::Read { endpoints: endpoints.into() }).await?;
    }
    Ok(())
}

/// Which endpoints wait for a reboot; only what the fleet does not know yet is told.
async fn tell_reboots(
    host: &HostHandle,
    fleet: FleetId,
    records: &[EndpointRecord],
) -> Result<(), IdentifyError> {
    let told: Vec<_> = records.iter().map(|record| (record.id.clone(), record.reboot_required)).collect();
    let number = move |fleet: &Fleet| -> [Vec<EndpointIx>; 2] {
        let news = |pending: bool| {
            let of =
                |(id, told): &(EndpointId, bool)| fleet.endpoint_ix(id.as_str()).filter(|_| *told == pending);
            let is_known = |ix: &EndpointIx| {
                fleet.endpoint(*ix).is_some_and(|there| there.reboot_pending_since().is_some() == pending)
            };
            told.iter().filter_map(of).filter(|ix| !is_known(ix)).collect()
        };
        [news(true), news(false)]
    };
    let [waits, over] = host.with_fleet(fleet, number).await?;
    for (endpoints, pending) in [(waits, true), (over, false)] {
        if !endpoints.is_empty() {
            host.observe(fleet, Observation::RebootsPending { endpoints: endpoints.into(), pending }).await?;
        }
    }
    Ok(())
}

fn seen(record: &EndpointRecord) -> EndpointSeen {
    EndpointSeen {
        scope: record.scope.clone(),
        tags: record.tags.clone(),
        calendar: record.calendar.clone(),
        group: record.group.clone(),
        fingerprint: record.fingerprint.clone(),
        managed_by: record.managed_by.clone(),
        ..EndpointSeen::new(record.id.clone(), record.environment)
    }
}

/// The comparison under the fleet's own numbers. An endpoint that never had to do with a candidate and still has not is
/// left out: most endpoints have nothing to do with most patches.
fn number(fleet: &Fleet, candidate: CandidateId, found: Vec<Found>) -> Vec<NeedSeen> {
    let number = |Found { endpoint, standing, present, path }| {
        let endpoint = fleet.endpoint_ix(endpoint.as_str())?;
        let is_news = standing != Standing::NotApplicable || fleet.need(candidate, endpoint).is_some();
        is_news.then_some(NeedSeen { endpoint, standing, present, path, path_valid_until: None })
    };
    found.into_iter().filter_map(number).collect()
}
