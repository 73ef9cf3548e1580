//! Rounds: read what is new, compare what has to do with it, tell the fleet.

use super::knowledge::{Knowledge, Todo};
use super::telling::{Told, known, numbered, seen, tell_reboots, waits};
use super::weigh::{Reason, Review, Weighed};
use super::{IdentifyError, Round};
use crate::host::HostHandle;
use crate::host::give_way;
use patchflow_core::catalog::{Advisory, Authorities, Fix, Merging, Patch, Presence, Resolved};
use patchflow_core::fleet::{Fleet, Observation, Standing};
use patchflow_core::identify::AdvisoryIx;
use patchflow_core::ids::{EndpointId, FleetId, PatchId, RecordIx};
use patchflow_core::inventory::{EndOfLife, EndpointRecord};
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
/// Patches that are compared before others get their turn; one that is told waits for the fleet anyway.
const PATCHES_PER_TURN: usize = 16;
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
    /// What the round that is under way tells; still there when it was given up.
    untold: Option<Arc<Todo>>,
    /// Whether a round has begun and not ended well: then endpoints are read from the beginning.
    unfinished: bool,
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
            untold: None,
            unfinished: false,
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

    /// Which fleet it identifies for.
    #[must_use]
    pub fn fleet(&self) -> FleetId {
        self.fleet
    }

    /// Forgets all that was read, as after a restart: what the fleet was told may not have been stored.
    pub(super) fn forget(&mut self) {
        self.sources.iter_mut().for_each(|(_, cursor)| *cursor = None);
        self.feeds.iter_mut().for_each(|(_, cursor)| *cursor = None);
        let merging = Merging::new(self.knowledge.merging.authorities().clone());
        self.knowledge = Knowledge::default();
        self.knowledge.merging = merging;
        (self.inventory, self.untold, self.unfinished) = (None, None, false);
    }

    /// With the ways back of an installer, unless it has some.
    pub(super) fn paths_or(&mut self, paths: impl FnOnce() -> Vec<RollbackPath>) {
        if self.paths.is_empty() {
            self.paths = paths();
        }
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
    /// next round; the same holds when the future is dropped.
    pub async fn round(
        &mut self,
        host: &HostHandle,
        inventory: &dyn Inventory,
    ) -> Result<Round, IdentifyError> {
        let mut round = Round::default();
        if let Some(untold) = self.untold.take() {
            self.knowledge.todo.add(Arc::unwrap_or_clone(untold));
        }
        if std::mem::replace(&mut self.unfinished, true) {
            self.inventory = None;
        }
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
        self.unfinished = false;
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
                give_way().await;
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
                give_way().await;
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
        let todo = Arc::new(std::mem::take(&mut self.knowledge.todo));
        self.untold = Some(todo.clone());
        self.tell_all(host, &todo, round).await?;
        self.untold = None;
        Ok(())
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
        let mut turns = 0_usize;
        while let Some(id) = self.next_of(&mut open) {
            turns += 1;
            if turns.is_multiple_of(PATCHES_PER_TURN) {
                give_way().await;
            }
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
