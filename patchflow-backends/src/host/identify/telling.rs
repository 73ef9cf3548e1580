//! What a round asks the fleet and tells it.

use super::IdentifyError;
use super::weigh::{Reason, Weighed};
use crate::host::HostHandle;
use patchflow_core::catalog::Weakness;
use patchflow_core::fleet::{EndpointSeen, Fleet, NeedSeen, Observation, Standing};
use patchflow_core::ids::{CandidateId, EndpointId, EndpointIx, FleetId, PatchId};
use patchflow_core::inventory::{EndOfLife, EndpointRecord};
use patchflow_core::package::Platform;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the fleet knows of a patch.
pub(super) struct Told {
    pub(super) closes: Vec<Weakness>,
    /// Endpoints that have to do with it, as far as the fleet knows, where that is asked for.
    pub(super) concerned: Vec<EndpointId>,
}

/// What the fleet knows of some patches, and of `whole` ones whom they concern.
pub(super) async fn known(
    host: &HostHandle,
    fleet: FleetId,
    ids: Vec<PatchId>,
    whole: BTreeSet<PatchId>,
) -> Result<BTreeMap<PatchId, Told>, IdentifyError> {
    let look = move |fleet: &Fleet| {
        let of = |id: PatchId| {
            let candidate = fleet.candidate_of(&id)?;
            let closes = fleet.candidate(candidate)?.identified().patch().closes.clone();
            let needs = whole.contains(&id).then(|| fleet.needs(candidate)).into_iter().flatten();
            let concerned = needs.filter(|need| need.standing != Standing::NotApplicable);
            let concerned = concerned.filter_map(|need| fleet.endpoint_id(need.endpoint).cloned()).collect();
            Some((id, Told { closes, concerned }))
        };
        ids.into_iter().filter_map(of).collect()
    };
    Ok(host.with_fleet(fleet, look).await?)
}

/// Endpoints that wait for a reading, of these or of all.
pub(super) async fn waits(
    host: &HostHandle,
    fleet: FleetId,
    of: Option<Vec<EndpointId>>,
) -> Result<Vec<EndpointIx>, IdentifyError> {
    let look = move |fleet: &Fleet| -> Vec<EndpointIx> {
        let waits = |ix: &EndpointIx| fleet.endpoint(*ix).is_some_and(|there| there.waits_for_reading());
        match of {
            Some(ids) => ids.iter().filter_map(|id| fleet.endpoint_ix(id.as_str())).filter(waits).collect(),
            None => fleet.endpoints().map(|there| there.ix()).filter(waits).collect(),
        }
    };
    Ok(host.with_fleet(fleet, look).await?)
}

/// Which endpoints wait for a reboot; only what the fleet does not know yet is told.
pub(super) async fn tell_reboots(
    host: &HostHandle,
    fleet: FleetId,
    read: &BTreeMap<EndpointId, bool>,
) -> Result<(), IdentifyError> {
    let told: Vec<_> = read.iter().map(|(id, pending)| (id.clone(), *pending)).collect();
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

pub(super) fn seen(record: &EndpointRecord, ends: &[Arc<EndOfLife>]) -> EndpointSeen {
    let platform = Some(&record.os).filter(|os| !os.is_empty()).map(|os| Platform::named(os));
    EndpointSeen {
        end_of_life: ends.iter().find(|end| platform.as_ref() == Some(&end.platform)).cloned(),
        scope: record.scope.clone(),
        tags: record.tags.clone(),
        criticality: record.criticality,
        exposure: record.exposure,
        calendar: record.calendar.clone(),
        group: record.group.clone(),
        fingerprint: record.fingerprint.clone(),
        managed_by: record.managed_by.clone(),
        ..EndpointSeen::new(record.id.clone(), record.environment)
    }
}

/// The comparison under the fleet's own numbers. An endpoint that never had to do with a candidate and still has not is
/// left out, unless a vendor has cleared it: most endpoints have nothing to do with most patches.
pub(super) fn numbered(
    fleet: &Fleet,
    candidate: CandidateId,
    found: Vec<(EndpointId, Weighed)>,
) -> Vec<NeedSeen> {
    // Endpoints share few versions and reasons; each is kept once.
    let mut texts = BTreeMap::<String, Arc<str>>::new();
    let mut shared = |text: String| texts.entry(text).or_insert_with_key(|text| text.as_str().into()).clone();
    let number = |(endpoint, weighed): (EndpointId, Weighed)| {
        let Weighed { standing, present, path, reason } = weighed;
        let endpoint = fleet.endpoint_ix(endpoint.as_str())?;
        let why = match &reason {
            Reason::NotAffected { .. } | Reason::OtherPlatform { .. } => Some(shared(reason.to_string())),
            Reason::Missing { .. }
            | Reason::There { .. }
            | Reason::NotInstalled
            | Reason::NothingSaysSo { .. }
            | Reason::NotWhole { .. } => None,
        };
        let is_cleared = matches!(reason, Reason::NotAffected { .. });
        let is_news =
            standing != Standing::NotApplicable || is_cleared || fleet.need(candidate, endpoint).is_some();
        let present = present.map(&mut shared);
        is_news.then_some(NeedSeen { endpoint, standing, present, path, path_valid_until: None, why })
    };
    found.into_iter().filter_map(number).collect()
}
