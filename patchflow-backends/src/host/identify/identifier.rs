//! Rounds: read what is new, compare what has to do with it, tell the fleet.

use super::knowledge::{Knowledge, Todo};
use super::weigh::{Reason, Review, Weighed};
use super::{IdentifyError, Round};
use crate::host::HostHandle;
use patchflow_core::catalog::{Advisory, Authorities, Fix, Merging, Patch, Presence, Resolved, Weakness};
use patchflow_core::fleet::{EndpointSeen, Fleet, NeedSeen, Observation, Standing};
use patchflow_core::identify::AdvisoryIx;
use patchflow_core::ids::{CandidateId, EndpointId, EndpointIx, FleetId, PatchId, RecordIx};
use patchflow_core::inventory::{EndOfLife, EndpointRecord};
use patchflow_core::package::Platform;
use patchflow_core::plan::RollbackPath;
use patchflow_core::sdk::{
    AdvisorySource, BackendError, Cursor, Inventory, PatchSource, PublishedAdvisory, PublishedPatch,
};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Endpoints, patches or advisories asked of a backend at once.
const PAGE_ITEMS: usize = 1000;
/// Pages of one backend in one round: one that never comes to its end is left until the next round.
const PAGES_MAX: usize = 100_000;
/// Needs told at once.
const NEEDS_AT_ONCE: usize = 10_000;

/// Identifies for one fleet, round after round.
///
/// ```
/// # use patchflow_backends::host::{HostHandle, identify::{Identifier, IdentifyError}};
/// # use patchflow_core::{ids::FleetId, plan::RollbackPath, sdk::{AdvisorySource, Inventory, PatchSource}};
/// # use std::sync::Arc;
/// # async fn embed(
/// #     host: HostHandle, inventory: Arc<dyn Inventory>, archive: Arc<dyn PatchSource>, osv: Arc<dyn AdvisorySource>,
/// # ) -> Result<(), IdentifyError> {
/// let mut identifier =
///     Identifier::new(FleetId(7)).source(archive).feed(osv).paths([RollbackPath::Reinstall]);
/// let round = identifier.round(&host, &*inventory).await?;
/// println!("{} comparisons, {} patches told", round.reviews, round.told);
/// # Ok(()) }
/// ```
pub struct Identifier {
    fleet: FleetId,
    sources: Vec<(Arc<dyn PatchSource>, Option<Cursor>)>,
    feeds: Vec<(Arc<dyn AdvisorySource>, Option<Cursor>)>,
    paths: Vec<RollbackPath>,
    ends: Vec<Arc<EndOfLife>>,
    inventory: Option<Cursor>,
    knowledge: Knowledge,
}

/// An endpoint whose platform gets no repairs any more, and which has weaknesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpatchable {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Since when, and what to do instead.
    pub end: EndOfLife,
    /// Weaknesses of it that nothing repairs, in order.
    pub weaknesses: Vec<Arc<str>>,
}

/// What the fleet knows of a patch.
struct Told {
    closes: Vec<Weakness>,
    /// Endpoints that have to do with it, as far as the fleet knows, where that is asked for.
    concerned: Vec<EndpointId>,
}

/// A patch that has been compared.
struct Compared {
    /// As its source publishes it.
    patch: Patch,
    found: Vec<(EndpointId, Weighed)>,
    closes: BTreeSet<AdvisoryIx>,
}

impl Compared {
    fn is_missing(&self) -> bool {
        self.found.iter().any(|(_, weighed)| weighed.standing == Standing::Needs)
    }
}

impl Identifier {
    /// For a fleet, without sources and feeds.
    #[must_use]
    pub fn new(fleet: FleetId) -> Self {
        Self {
            fleet,
            sources: Vec::new(),
            feeds: Vec::new(),
            paths: Vec::new(),
            ends: Vec::new(),
            inventory: None,
            knowledge: Knowledge::default(),
        }
    }

    /// With a source of patches. When several publish the same patch, the last one counts.
    #[must_use]
    pub fn source(mut self, source: Arc<dyn PatchSource>) -> Self {
        self.sources.push((source, None));
        self
    }

    /// With a feed of advisories.
    #[must_use]
    pub fn feed(mut self, feed: Arc<dyn AdvisorySource>) -> Self {
        self.feeds.push((feed, None));
        self
    }

    /// With feeds that speak for platforms although their names do not say so; before the first round.
    #[must_use]
    pub fn authorities(mut self, authorities: Authorities) -> Self {
        self.knowledge.merging = Merging::new(authorities);
        self
    }

    /// With the ways back that the fleet's installer knows, best first
    /// ([`InstallerCapabilities::paths`](patchflow_core::sdk::InstallerCapabilities)).
    #[must_use]
    pub fn paths(mut self, paths: impl IntoIterator<Item = RollbackPath>) -> Self {
        self.paths = paths.into_iter().collect();
        self
    }

    /// With platforms whose support ends, before the first round. The fleet is told with each endpoint of theirs, counts it
    /// in ratings and says it where it explains.
    #[must_use]
    pub fn ends(mut self, ends: impl IntoIterator<Item = EndOfLife>) -> Self {
        self.ends = ends.into_iter().map(Arc::new).collect();
        self
    }

    /// Takes in what is at hand, without asking a backend and without telling the fleet. [`Identifier::why`],
    /// [`Identifier::resolve`] and [`Identifier::unpatchable`] answer from it: a look before anything is wired.
    ///
    /// ```
    /// use patchflow_backends::host::identify::Identifier;
    /// use patchflow_core::{doc::patch, ids::FleetId, inventory::*, package::*};
    /// let mut host = EndpointRecord::new("web-1".into(), Environment::Production, Default::default());
    /// host.installed.push(InstalledSoftware::new(PackageName::new(Ecosystem::Deb, "curl"), "7.88.1-10+deb12u5"));
    /// let mut identifier = Identifier::new(FleetId(7));
    /// identifier.learn([host], [], [patch("curl", "7.88.1-10+deb12u5")]);
    /// let why = identifier.why(&"web-1".into(), &"curl=7.88.1-10+deb12u5".into()).unwrap();
    /// assert_eq!(why.to_string(), "7.88.1-10+deb12u5 is there already");
    /// ```
    pub fn learn(
        &mut self,
        endpoints: impl IntoIterator<Item = EndpointRecord>,
        advisories: impl IntoIterator<Item = Advisory>,
        patches: impl IntoIterator<Item = Patch>,
    ) {
        let told = |advisory| PublishedAdvisory::Published(Arc::new(advisory));
        self.knowledge.put_advisories(advisories.into_iter().map(told).collect());
        for patch in patches {
            self.knowledge.put_patch(PublishedPatch::Published(Box::new(patch)));
        }
        for endpoint in endpoints {
            self.knowledge.put_record(&endpoint);
        }
    }

    /// Reads what is new, compares what has to do with it, and tells the fleet. It may be repeated at any time; a round
    /// without news tells nothing.
    ///
    /// The candidates move on when the round is complete, not before.
    ///
    /// # Errors
    /// When a backend fails or the fleet cannot be told. What was read is kept, and what was not told yet is told by the
    /// next round.
    pub async fn round(
        &mut self,
        host: &HostHandle,
        inventory: &dyn Inventory,
    ) -> Result<Round, IdentifyError> {
        let mut round = Round::default();
        self.read_feeds().await?;
        self.read_sources().await?;
        // Whoever waits to be read is read in this round, also when nothing changed there.
        let waiting = waits(host, self.fleet, None).await?;
        if !waiting.is_empty() {
            self.inventory = None;
        }
        let was_whole = self.inventory.is_none();
        let mut read = self.read_inventory(host, inventory, &mut round).await?;
        self.tell(host, &mut round).await?;
        if !was_whole && !waits(host, self.fleet, None).await?.is_empty() {
            // What was told made the fleet ask for a reading.
            self.inventory = None;
            read.extend(self.read_inventory(host, inventory, &mut round).await?);
            self.tell(host, &mut round).await?;
        }
        tell_reboots(host, self.fleet, &read).await?;
        let endpoints = waits(host, self.fleet, Some(read.into_keys().collect())).await?;
        if !endpoints.is_empty() {
            host.observe(self.fleet, Observation::Read { endpoints: endpoints.into() }).await?;
        }
        host.observe(self.fleet, Observation::Identified).await?;
        round.patches = self.knowledge.patches.len();
        round.advisories = self.knowledge.advisories.len();
        Ok(round)
    }

    /// Why an endpoint needs a patch or does not, by what is known now; `None` when one of them is not known.
    #[must_use]
    pub fn why(&self, endpoint: &EndpointId, patch: &PatchId) -> Option<Reason> {
        let endpoint = self.knowledge.inventory.find(endpoint)?;
        let patch = self.knowledge.patches.get(patch)?;
        Review::new(&self.knowledge, patch, &self.paths).weigh(endpoint).map(|weighed| weighed.reason)
    }

    /// What to install on an endpoint, in which stages, and what is replaced or has to wait, and why: of the patches that
    /// are missing there the newest of each chain that is approved, after what it stands on; what cannot be beside what is
    /// named. `None` when the endpoint is not known. A fleet follows the same relations by itself (semantics S11).
    #[must_use]
    pub fn resolve(&self, endpoint: &EndpointId, approved: impl Fn(&PatchId) -> bool) -> Option<Resolved> {
        let knowledge = &self.knowledge;
        let endpoint = knowledge.inventory.find(endpoint)?;
        let presence = |id: &PatchId| {
            let weighed = knowledge
                .patches
                .get(id)
                .and_then(|patch| Review::new(knowledge, patch, &[]).weigh(endpoint));
            match weighed.map(|weighed| weighed.standing) {
                Some(Standing::Has) => Presence::There,
                Some(Standing::Needs) => Presence::Missing,
                Some(Standing::NotApplicable) | None => Presence::Foreign,
            }
        };
        let concerning = knowledge.patches_for(endpoint).into_iter();
        let relevant: Vec<PatchId> =
            concerning.filter(|id| presence(id) == Presence::Missing).cloned().collect();
        Some(knowledge.graph.resolve(&relevant, presence, approved))
    }

    /// Endpoints of platforms whose support has ended that have weaknesses which nothing repairs, in the order of the
    /// inventory.
    #[must_use]
    pub fn unpatchable(&self, now: Timestamp) -> Vec<Unpatchable> {
        let Knowledge { inventory, matches, advisories, .. } = &self.knowledge;
        let of = |view: patchflow_core::inventory::EndpointView<'_>| {
            let ended = |end: &&Arc<EndOfLife>| view.platform() == Some(&end.platform) && end.has_come(now);
            let end = self.ends.iter().find(ended)?;
            let open = matches.on(view.ix(), inventory).flat_map(|(_, hits)| hits).filter(|hit| {
                let fix = hit.affected(advisories).map(|affected| &affected.fix);
                matches!(fix, None | Some(Fix::Never | Fix::NotNamed))
            });
            let named = open.filter_map(|hit| Some(advisories.get(hit.advisory)?.id.clone()));
            let weaknesses: Vec<Arc<str>> = named.collect::<BTreeSet<_>>().into_iter().collect();
            let endpoint = view.id().clone();
            (!weaknesses.is_empty()).then(|| Unpatchable { endpoint, end: EndOfLife::clone(end), weaknesses })
        };
        inventory.endpoints().filter_map(of).collect()
    }

    async fn read_feeds(&mut self) -> Result<(), BackendError> {
        for (feed, cursor) in &mut self.feeds {
            let mut news = Vec::new();
            for _ in 0..PAGES_MAX {
                let page = feed.page(cursor.as_ref(), PAGE_ITEMS).await?;
                news.extend(page.items);
                *cursor = Some(page.next);
                if !page.more {
                    break;
                }
                // A page at a time, so that a failure loses nothing that the cursor has passed.
                self.knowledge.put_advisories(std::mem::take(&mut news));
            }
            self.knowledge.put_advisories(news);
        }
        Ok(())
    }

    async fn read_sources(&mut self) -> Result<(), BackendError> {
        for (source, cursor) in &mut self.sources {
            for _ in 0..PAGES_MAX {
                let page = source.page(cursor.as_ref(), PAGE_ITEMS).await?;
                page.items.into_iter().for_each(|item| self.knowledge.put_patch(item));
                *cursor = Some(page.next);
                if !page.more {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Which endpoints were read, and whether they wait for a reboot.
    async fn read_inventory(
        &mut self,
        host: &HostHandle,
        inventory: &dyn Inventory,
        round: &mut Round,
    ) -> Result<BTreeMap<EndpointId, bool>, IdentifyError> {
        let mut read = BTreeMap::new();
        for _ in 0..PAGES_MAX {
            let page = inventory.page(self.inventory.as_ref(), PAGE_ITEMS).await?;
            let endpoints: Vec<_> = page.items.iter().map(|record| seen(record, &self.ends)).collect();
            for record in &page.items {
                self.knowledge.put_record(record);
                read.insert(record.id.clone(), record.reboot_required);
            }
            if !endpoints.is_empty() {
                host.observe(self.fleet, Observation::Endpoints { endpoints: endpoints.into() }).await?;
            }
            self.inventory = Some(page.next);
            if !page.more {
                break;
            }
        }
        round.endpoints += read.len();
        Ok(read)
    }

    /// Compares what is to be compared and tells the fleet. What could not be told stays to be done.
    async fn tell(&mut self, host: &HostHandle, round: &mut Round) -> Result<(), IdentifyError> {
        let todo = std::mem::take(&mut self.knowledge.todo);
        let told = self.tell_all(host, &todo, round).await;
        if told.is_err() {
            let Todo { patches, pairs, words, withdrawn } = &mut self.knowledge.todo;
            patches.extend(todo.patches);
            for (patch, endpoints) in todo.pairs {
                pairs.entry(patch).or_default().extend(endpoints);
            }
            words.extend(todo.words);
            withdrawn.extend(todo.withdrawn);
        }
        told
    }

    async fn tell_all(
        &mut self,
        host: &HostHandle,
        todo: &Todo,
        round: &mut Round,
    ) -> Result<(), IdentifyError> {
        let mut open: BTreeSet<PatchId> =
            todo.patches.iter().chain(todo.pairs.keys()).chain(&todo.words).cloned().collect();
        let pulled = todo.withdrawn.keys();
        let ids: Vec<PatchId> = open.iter().chain(pulled).cloned().collect();
        let mut told = known(host, self.fleet, ids, todo.patches.clone()).await?;
        for (id, reason) in todo.withdrawn.iter().filter(|(id, _)| told.contains_key(*id)) {
            round.withdrawn += 1;
            let reason = Cow::Owned(reason.clone());
            host.observe(self.fleet, Observation::Withdrawn { patch: id.clone(), reason }).await?;
        }
        // What others stand on is told with them, missing or not.
        let mut wanted: BTreeSet<PatchId> = BTreeSet::new();
        let mut done: BTreeSet<PatchId> = BTreeSet::new();
        let mut put_off: BTreeSet<PatchId> = BTreeSet::new();
        while let Some(id) = self.next_of(&mut open) {
            let Some(published) = self.knowledge.patches.get(&id).cloned() else { continue };
            if !told.contains_key(&id) && !todo.patches.contains(&id) {
                told.extend(known(host, self.fleet, vec![id.clone()], BTreeSet::new()).await?);
            }
            let before = told.get(&id);
            let is_asked = todo.patches.contains(&id) || todo.pairs.contains_key(&id) || wanted.contains(&id);
            if before.is_none() && !is_asked {
                // Other words about a patch that nobody was told of make it missing nowhere.
                continue;
            }
            // A patch that nobody was told of is compared with all who may have to do with it.
            let is_whole = before.is_none() || todo.patches.contains(&id);
            let some = todo.pairs.get(&id).filter(|_| !is_whole);
            let compared = self.compare(&published, before, is_whole, some);
            round.reviews += compared.found.len();
            let of = |standing| compared.found.iter().filter(|(_, w)| w.standing == standing).count();
            round.needs += of(Standing::Needs);
            round.has += of(Standing::Has);
            if before.is_none() && !compared.is_missing() && !wanted.contains(&id) {
                continue;
            }
            let before_it = self.knowledge.before(&id);
            for kin in before_it.iter().cloned().chain(self.knowledge.against(&id)) {
                if wanted.insert(kin.clone()) && !done.contains(&kin) {
                    open.insert(kin);
                }
            }
            // Earlier ones are proposed first; members of a circle come as they come.
            if before_it.iter().any(|kin| open.contains(kin)) && put_off.insert(id.clone()) {
                wanted.insert(id.clone());
                open.insert(id);
                continue;
            }
            done.insert(id.clone());
            self.tell_one(host, compared, before, round).await?;
        }
        Ok(())
    }

    /// Takes the next patch, those that others stand on first.
    fn next_of(&self, open: &mut BTreeSet<PatchId>) -> Option<PatchId> {
        let mut next = open.first()?.clone();
        let mut passed = BTreeSet::from([next.clone()]);
        while let Some(kin) =
            self.knowledge.before(&next).into_iter().find(|kin| open.contains(kin) && !passed.contains(kin))
        {
            passed.insert(kin.clone());
            next = kin;
        }
        open.take(&next)
    }

    fn compare(
        &self,
        published: &Patch,
        before: Option<&Told>,
        is_whole: bool,
        some: Option<&BTreeSet<RecordIx>>,
    ) -> Compared {
        let inventory = &self.knowledge.inventory;
        let mut review = Review::new(&self.knowledge, published, &self.paths);
        let mut endpoints = match some {
            Some(some) => some.clone(),
            None if is_whole => review.concerned(),
            None => BTreeSet::new(),
        };
        if let Some(before) = before.filter(|_| is_whole) {
            endpoints.extend(before.concerned.iter().filter_map(|id| inventory.find(id)));
        }
        let found: Vec<_> = endpoints
            .into_iter()
            .filter_map(|ix| Some((inventory.at(ix)?.id().clone(), review.weigh(ix)?)))
            .collect();
        let closes = std::mem::take(&mut review.closes);
        Compared { patch: published.clone(), found, closes }
    }

    async fn tell_one(
        &mut self,
        host: &HostHandle,
        compared: Compared,
        before: Option<&Told>,
        round: &mut Round,
    ) -> Result<(), IdentifyError> {
        let Compared { patch: published, found, closes } = compared;
        let known = before.map_or(&[][..], |told| &told.closes);
        let patch = self.knowledge.words(&published, &closes, known);
        self.knowledge.told(&patch);
        let (id, fleet) = (patch.id.clone(), self.fleet);
        let now = patch.clone();
        let is_news = host
            .with_fleet(fleet, move |fleet| {
                let told = fleet.candidate_of(&now.id).and_then(|id| fleet.candidate(id));
                told.is_none_or(|told| !told.identified().patch().says_the_same(&now))
            })
            .await?;
        round.told += usize::from(is_news);
        // What is no news to people may still move a rating; the fleet looks.
        host.observe(fleet, Observation::Published { patch: Cow::Owned(patch) }).await?;
        for chunk in found.chunks(NEEDS_AT_ONCE) {
            let (id, chunk) = (id.clone(), chunk.to_vec());
            let number = move |fleet: &Fleet| {
                let candidate = fleet.candidate_of(&id)?;
                Some((candidate, numbered(fleet, candidate, chunk)))
            };
            let Some((candidate, needs)) = host.with_fleet(fleet, number).await? else { continue };
            if !needs.is_empty() {
                host.observe(fleet, Observation::Needs { candidate, needs: needs.into() }).await?;
            }
        }
        Ok(())
    }
}

/// What the fleet knows of some patches, and of `whole` ones whom they concern.
async fn known(
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
async fn waits(
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
async fn tell_reboots(
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

fn seen(record: &EndpointRecord, ends: &[Arc<EndOfLife>]) -> EndpointSeen {
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
fn numbered(fleet: &Fleet, candidate: CandidateId, found: Vec<(EndpointId, Weighed)>) -> Vec<NeedSeen> {
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
