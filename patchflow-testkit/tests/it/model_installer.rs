//! An installer in memory that keeps every clause, and the ways in which it can be told to break one.

use async_trait::async_trait;
use patchflow_core::catalog::Patch;
use patchflow_core::digest::Digest;
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::InspectOrder;
use patchflow_core::ids::{EndpointId, Fence, OrderId};
use patchflow_core::inventory::{EndpointRecord, Environment, InstalledSoftware};
use patchflow_core::package::PackageName;
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::{
    Failure, InstallOrder, Level, Order, QueryAnswer, RecallAnswer, Report, ReportKind, RevertTo, StageId,
    StageOrder, StageOutcome,
};
use patchflow_core::sdk::{
    BackendError, Cursor, Installer, InstallerCapabilities, Inventory, LevelRead, Manifest, Page, PluginKind,
    Preflight, Receipt,
};
use patchflow_core::time::Timestamp;
use patchflow_testkit::conformance::installer::{InstallerBuilder, Stall, World};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

/// The ways to break the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    InstallerNotListed,
    LosesAReceipt,
    NeverAcknowledges,
    InstallsEverywhere,
    CarriesOutTwice,
    TakesLowerFences,
    StartsTooLate,
    ClaimsWhatIsMissing,
    SaysDoneOfTheUnseen,
    SaysRunningOfWhatEnded,
    ForgetsOrdersAtRestart,
    ForgetsFencesAtRestart,
    AnswersTwice,
    FailsTheBatchOfAnUnknownEndpoint,
    InstallsInPreflight,
    SeesNoObstacle,
    RecallsAnything,
    CarriesOutTheRecalled,
    StopsWhatIsAtWork,
    WorksTwiceOnAnEndpoint,
    WorksOnOneEndpointOnly,
    LosesReports,
    ReportsBoth,
    RevertsNothing,
    IgnoresHolds,
    HoldsAnywhere,
    OnlySaysThatItReboots,
    InstallsWhenItStages,
    AnswersForAStagingTwice,
    EchoesTheContent,
    ForgetsContentAtRestart,
    InstallsWhatHasChanged,
    ThrowsAwayEverywhere,
    StagesAgainstItsWord,
    InstallsOtherContent,
    InventoryNotListed,
    HidesAnEndpoint,
    ShowsAllAlways,
    ShowsNoChange,
    SpendsCursors,
    EchoesTheTarget,
    UnknownIsAbsent,
    AbsentIsUnreadable,
    ForeignCursorIsTheEnd,
}

#[derive(Clone, Default)]
struct Host {
    version: String,
    held: bool,
    /// What lies there, by the digest under which it was staged.
    staged: BTreeMap<Digest, Digest>,
    fence: Fence,
    ended: BTreeMap<OrderId, Result<(), Failure<'static>>>,
    /// How many changes there were in the world when it last changed.
    changed: u64,
}

impl Default for Disk {
    fn default() -> Self {
        let host = Host { version: "1".into(), changed: 1, ..Host::default() };
        let hosts = ["a", "b", "c"].map(|id| (id.into(), host.clone())).into();
        Self { hosts, changes: 1, spent: BTreeSet::new() }
    }
}

/// What outlives a restart.
struct Disk {
    hosts: BTreeMap<EndpointId, Host>,
    changes: u64,
    spent: BTreeSet<String>,
}

type Stalled = Arc<Mutex<BTreeSet<(String, EndpointId)>>>;

/// The places whose content cannot be fetched.
type Withheld = Arc<Mutex<BTreeSet<String>>>;

pub(crate) struct ModelBuilder {
    wrong: Option<Wrong>,
    disks: Mutex<BTreeMap<String, Arc<Mutex<Disk>>>>,
    stalled: Stalled,
    withheld: Withheld,
    stages: bool,
}

impl ModelBuilder {
    pub(crate) fn new(wrong: Option<Wrong>) -> Self {
        let (disks, stalled, withheld) = Default::default();
        Self { wrong, disks, stalled, withheld, stages: true }
    }

    /// One that leaves out what the contract lets it leave out.
    pub(crate) fn without_staging() -> Self {
        Self { stages: false, ..Self::new(None) }
    }
}

fn now() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

#[async_trait]
impl InstallerBuilder for ModelBuilder {
    async fn build(&self, place: &str) -> Result<World, BackendError> {
        let mut disks = self.disks.lock().unwrap();
        let is_restart = disks.contains_key(place);
        let disk = Arc::clone(disks.entry(place.to_owned()).or_default());
        for host in disk.lock().unwrap().hosts.values_mut().filter(|_| is_restart) {
            match self.wrong {
                Some(Wrong::ForgetsOrdersAtRestart) => host.ended.clear(),
                Some(Wrong::ForgetsFencesAtRestart) => host.fence = Fence(0),
                Some(Wrong::ForgetsContentAtRestart) => host.staged.clear(),
                _ => {}
            }
        }
        let model = Arc::new(Model {
            wrong: self.wrong,
            place: place.to_owned(),
            disk,
            stalled: Arc::clone(&self.stalled),
            withheld: Arc::clone(&self.withheld),
            stages: self.stages,
            line: Mutex::default(),
        });
        Ok(World {
            installer: Arc::clone(&model) as Arc<dyn Installer>,
            inventory: model,
            endpoints: ["a", "b", "c"].map(EndpointId::from).into(),
            patch: the_patch(),
            prior: "1".into(),
            path: RollbackPath::Reinstall,
            now: now(),
        })
    }

    async fn patience(&self) {}

    fn stall(&self, place: &str, endpoint: &EndpointId) -> Option<Stall> {
        struct Release(Stalled, (String, EndpointId));
        impl Drop for Release {
            fn drop(&mut self) {
                self.0.lock().unwrap().remove(&self.1);
            }
        }
        let key = (place.to_owned(), endpoint.clone());
        self.stalled.lock().unwrap().insert(key.clone());
        Some(Box::new(Release(Arc::clone(&self.stalled), key)))
    }

    fn withhold(&self, place: &str) -> Option<Stall> {
        struct Release(Withheld, String);
        impl Drop for Release {
            fn drop(&mut self) {
                self.0.lock().unwrap().remove(&self.1);
            }
        }
        self.withheld.lock().unwrap().insert(place.to_owned());
        Some(Box::new(Release(Arc::clone(&self.withheld), place.to_owned())))
    }

    fn damage(&self, place: &str, endpoint: &EndpointId) -> bool {
        let disks = self.disks.lock().unwrap();
        let mut disk = disks[place].lock().unwrap();
        let staged = &mut disk.hosts.get_mut(endpoint).unwrap().staged;
        staged.values_mut().for_each(|there| *there = Digest::of(b"other"));
        !staged.is_empty()
    }
}

fn the_patch() -> Patch {
    Patch { content: Digest::of(b"shop 2"), ..patch("shop", "2") }
}

#[derive(Default)]
struct Line {
    queue: VecDeque<Order>,
    at_work: Vec<Order>,
    reports: Vec<Report<'static>>,
    /// Orders that have ended are told again when they come again.
    recalled: BTreeSet<OrderId>,
}

struct Model {
    wrong: Option<Wrong>,
    place: String,
    disk: Arc<Mutex<Disk>>,
    stalled: Stalled,
    withheld: Withheld,
    stages: bool,
    line: Mutex<Line>,
}

fn failure(kind: FailureKind) -> Failure<'static> {
    Failure::new(kind, "of the model")
}

fn kind_of(outcome: &Result<(), Failure<'static>>) -> ReportKind<'static> {
    match outcome {
        Ok(()) => ReportKind::Done,
        Err(failure) => ReportKind::Failed(failure.clone()),
    }
}

impl Model {
    fn is(&self, wrong: Wrong) -> bool {
        self.wrong == Some(wrong)
    }

    fn is_stalled(&self, endpoint: &EndpointId) -> bool {
        self.stalled.lock().unwrap().contains(&(self.place.clone(), endpoint.clone()))
    }

    fn is_withheld(&self) -> bool {
        self.withheld.lock().unwrap().contains(&self.place)
    }

    fn stage_one(&self, disk: &mut Disk, order: &StageOrder) -> Result<Digest, Failure<'static>> {
        if !self.stages {
            return Err(failure(FailureKind::Unsupported));
        }
        let host = disk.hosts.get_mut(order.endpoint()).ok_or_else(|| failure(FailureKind::NotFound))?;
        if self.is(Wrong::InstallsWhenItStages) {
            host.version.clone_from(&order.target().version);
        }
        if self.is(Wrong::EchoesTheContent) {
            return Ok(order.content());
        }
        if host.staged.get(&order.content()) != Some(&order.content()) {
            if order.content() != the_patch().content || self.is_withheld() {
                return Err(failure(FailureKind::NotFound));
            }
            host.staged.insert(order.content(), the_patch().content);
        }
        Ok(host.staged[&order.content()])
    }

    fn take(&self, order: &Order) -> Receipt {
        let (id, mut line, mut disk) = (order.id(), self.line.lock().unwrap(), self.disk.lock().unwrap());
        let refused = |kind| Receipt::Refused(id, failure(kind));
        let Some(host) = disk.hosts.get_mut(order.endpoint()) else {
            return refused(FailureKind::Unsupported);
        };
        if let Some(outcome) = host.ended.get(&id).filter(|_| !self.is(Wrong::CarriesOutTwice)) {
            line.reports.push(Report { order: id, kind: kind_of(outcome) });
            return Receipt::Taken(id);
        }
        if line.queue.iter().chain(&line.at_work).any(|known| known.id() == id) {
            return Receipt::Taken(id);
        }
        if order.fence() < host.fence && !self.is(Wrong::TakesLowerFences) && !self.is(Wrong::CarriesOutTwice)
        {
            return refused(FailureKind::Denied);
        }
        if now() > order.start_by() && !self.is(Wrong::StartsTooLate) {
            return refused(FailureKind::Timeout);
        }
        if matches!(order, Order::Reboot(_)) {
            return refused(FailureKind::Unsupported);
        }
        line.queue.push_back(order.clone());
        Receipt::Taken(id)
    }

    /// Lets everything happen that can.
    fn pump(&self, line: &mut Line) {
        let at_work = std::mem::take(&mut line.at_work);
        for order in at_work {
            if self.is_stalled(order.endpoint()) {
                line.at_work.push(order);
            } else {
                self.finish(line, &order);
            }
        }
        let queue = std::mem::take(&mut line.queue);
        for order in queue {
            let taken = |other: &Order| {
                other.endpoint() == order.endpoint() || self.is(Wrong::WorksOnOneEndpointOnly)
            };
            if line.at_work.iter().any(taken) && !self.is(Wrong::WorksTwiceOnAnEndpoint) {
                line.queue.push_back(order);
                continue;
            }
            if !self.is(Wrong::NeverAcknowledges) {
                line.reports.push(Report { order: order.id(), kind: ReportKind::Acknowledged });
            }
            if self.is_stalled(order.endpoint()) {
                line.at_work.push(order);
            } else {
                self.finish(line, &order);
            }
        }
    }

    fn finish(&self, line: &mut Line, order: &Order) {
        let mut disk = self.disk.lock().unwrap();
        let outcome = match (line.recalled.contains(&order.id()), self.wrong) {
            (true, Some(Wrong::StopsWhatIsAtWork)) => Err(failure(FailureKind::Stopped)),
            _ => self.operate(&mut disk, order),
        };
        let host = disk.hosts.get_mut(order.endpoint()).unwrap();
        host.fence = host.fence.max(order.fence());
        host.ended.insert(order.id(), outcome.clone());
        line.reports.push(Report { order: order.id(), kind: kind_of(&outcome) });
        if self.is(Wrong::ReportsBoth) {
            let other = if outcome.is_ok() { Err(failure(FailureKind::Other)) } else { Ok(()) };
            let kind = kind_of(&other);
            line.reports.push(Report { order: order.id(), kind });
        }
    }

    /// This very version, with this very content.
    fn is_to_be_had(&self, patch: &Patch) -> bool {
        let there = the_patch();
        patch.content == there.content || patch.target == there.target && self.is(Wrong::InstallsOtherContent)
    }

    /// From what was staged, which must be it; otherwise from afar.
    fn can_install(&self, host: &Host, patch: &Patch) -> bool {
        match host.staged.get(&patch.content) {
            Some(there) => *there == patch.content || self.is(Wrong::InstallsWhatHasChanged),
            None => self.is_to_be_had(patch) && !self.is_withheld(),
        }
    }

    fn operate(&self, disk: &mut Disk, order: &Order) -> Result<(), Failure<'static>> {
        let Disk { hosts, changes, .. } = disk;
        if hosts[order.endpoint()].held && !self.is(Wrong::IgnoresHolds) {
            return Err(failure(FailureKind::Denied));
        }
        let version = match order {
            Order::Install(install) => match self.can_install(&hosts[order.endpoint()], install.patch()) {
                true => install.target().version.clone(),
                false if self.is(Wrong::ClaimsWhatIsMissing) => return Ok(()),
                false => return Err(failure(FailureKind::NotFound)),
            },
            Order::Revert(_) if self.is(Wrong::RevertsNothing) => return Ok(()),
            Order::Revert(revert) => match revert.to() {
                RevertTo::Version { version } => version.to_string(),
                RevertTo::Absent => return Err(failure(FailureKind::Unsupported)),
            },
            Order::Reboot(_) => return Ok(()),
        };
        for (id, host) in hosts {
            if id == order.endpoint() || self.is(Wrong::InstallsEverywhere) {
                *changes += 1;
                (host.version, host.changed) = (version.clone(), *changes);
            }
        }
        Ok(())
    }

    fn answer(&self, id: OrderId, endpoint: &EndpointId) -> Option<QueryAnswer<'static>> {
        let (line, disk) = (self.line.lock().unwrap(), self.disk.lock().unwrap());
        let host = disk.hosts.get(endpoint)?;
        let is_it = |order: &Order| order.id() == id;
        Some(match host.ended.get(&id) {
            Some(_) if self.is(Wrong::SaysRunningOfWhatEnded) => QueryAnswer::Running,
            Some(Ok(())) => QueryAnswer::Done,
            Some(Err(failure)) => QueryAnswer::Failed(failure.clone()),
            None if line.at_work.iter().any(is_it) => QueryAnswer::Running,
            None if line.queue.iter().any(is_it) => QueryAnswer::Queued,
            None if self.is(Wrong::SaysDoneOfTheUnseen) => QueryAnswer::Done,
            None => QueryAnswer::NeverSeen,
        })
    }
}

fn manifest(kinds: Vec<PluginKind>) -> Manifest {
    Manifest {
        name: "model".into(),
        version: "1.0.0".parse().unwrap(),
        sdk: "^0.1".parse().unwrap(),
        kinds,
        capabilities: Vec::new(),
        configuration_schema: None,
    }
}

#[async_trait]
impl Installer for Model {
    fn manifest(&self) -> Manifest {
        manifest(if self.is(Wrong::InstallerNotListed) { vec![] } else { vec![PluginKind::Installer] })
    }

    fn capabilities(&self) -> InstallerCapabilities {
        let paths = vec![RollbackPath::Reinstall];
        InstallerCapabilities {
            paths,
            holds: true,
            reboots: self.is(Wrong::OnlySaysThatItReboots),
            recalls: true,
            stages: self.stages && !self.is(Wrong::StagesAgainstItsWord),
        }
    }

    async fn preflight(&self, orders: &[InstallOrder]) -> Vec<Preflight> {
        let mut disk = self.disk.lock().unwrap();
        let look = |order: &InstallOrder| {
            let known = disk.hosts.contains_key(order.endpoint());
            if known && self.is(Wrong::InstallsInPreflight) {
                disk.hosts.get_mut(order.endpoint()).unwrap().version = order.target().version.clone();
            }
            let good = known && self.is_to_be_had(order.patch()) || self.is(Wrong::SeesNoObstacle);
            let obstacle = (!good).then(|| failure(FailureKind::NotFound));
            Preflight { order: order.id(), obstacle, path: RollbackPath::Reinstall }
        };
        orders.iter().map(look).collect()
    }

    async fn submit(&self, orders: &[Order]) -> Result<Vec<Receipt>, BackendError> {
        let known = |order: &Order| self.disk.lock().unwrap().hosts.contains_key(order.endpoint());
        if self.is(Wrong::FailsTheBatchOfAnUnknownEndpoint) && !orders.iter().all(known) {
            return Err(BackendError::lasting("find an endpoint"));
        }
        let skipped = usize::from(self.is(Wrong::LosesAReceipt) && orders.len() > 1);
        let receipts: Vec<_> = orders.iter().map(|order| self.take(order)).collect();
        Ok(receipts.into_iter().skip(skipped).collect())
    }

    async fn recall(&self, orders: &[OrderId]) -> Result<Vec<(OrderId, RecallAnswer)>, BackendError> {
        let (mut line, mut disk) = (self.line.lock().unwrap(), self.disk.lock().unwrap());
        let mut recall = |id: OrderId| {
            if let Some(at) = line.queue.iter().position(|order| order.id() == id) {
                if !self.is(Wrong::CarriesOutTheRecalled) {
                    let order = line.queue.remove(at).unwrap();
                    let host = disk.hosts.get_mut(order.endpoint()).unwrap();
                    host.ended.insert(id, Err(failure(FailureKind::Stopped)));
                }
                return RecallAnswer::Recalled;
            }
            line.recalled.insert(id);
            let ended = disk.hosts.values().any(|host| host.ended.contains_key(&id));
            match ended || line.at_work.iter().any(|order| order.id() == id) {
                _ if self.is(Wrong::RecallsAnything) => RecallAnswer::Recalled,
                true => RecallAnswer::AlreadyStarted,
                false => RecallAnswer::Unknown,
            }
        };
        Ok(orders.iter().map(|id| (*id, recall(*id))).collect())
    }

    async fn query(
        &self,
        orders: &[(OrderId, EndpointId)],
    ) -> Result<Vec<(OrderId, QueryAnswer<'static>)>, BackendError> {
        let answer = |(id, endpoint): &(OrderId, EndpointId)| Some((*id, self.answer(*id, endpoint)?));
        let mut answers: Vec<_> = orders.iter().filter_map(answer).collect();
        if self.is(Wrong::AnswersTwice) && orders.len() > 1 {
            answers.extend(answers.clone());
        }
        Ok(answers)
    }

    async fn reports(&self) -> Result<Vec<Report<'static>>, BackendError> {
        let take = || {
            let mut line = self.line.lock().unwrap();
            self.pump(&mut line);
            std::mem::take(&mut line.reports)
        };
        if self.is(Wrong::LosesReports) {
            let taken = take();
            let mut polled = false;
            poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
                .await;
            return Ok(taken);
        }
        Ok(poll_fn(|_| match take() {
            reports if reports.is_empty() => Poll::Pending,
            reports => Poll::Ready(reports),
        })
        .await)
    }

    async fn stage(
        &self,
        orders: &[StageOrder],
    ) -> Result<Vec<(StageId, StageOutcome<'static>)>, BackendError> {
        let mut disk = self.disk.lock().unwrap();
        let answer = |order: &StageOrder| match self.stage_one(&mut disk, order) {
            Ok(content) => (order.id(), StageOutcome::There { content }),
            Err(failure) => (order.id(), StageOutcome::Failed(failure)),
        };
        let mut answers: Vec<_> = orders.iter().map(answer).collect();
        if self.is(Wrong::AnswersForAStagingTwice) {
            answers.extend(answers.first().cloned());
        }
        Ok(answers)
    }

    async fn unstage(&self, stages: &[(StageId, EndpointId, Digest)]) -> Result<(), BackendError> {
        let mut disk = self.disk.lock().unwrap();
        for (_, endpoint, content) in stages {
            for (id, host) in &mut disk.hosts {
                if id == endpoint || self.is(Wrong::ThrowsAwayEverywhere) {
                    host.staged.remove(content);
                }
            }
        }
        Ok(())
    }

    async fn set_hold(
        &self,
        endpoint: &EndpointId,
        _: &PackageName,
        held: bool,
    ) -> Result<(), Failure<'static>> {
        match self.disk.lock().unwrap().hosts.get_mut(endpoint) {
            Some(host) => host.held = held,
            None if self.is(Wrong::HoldsAnywhere) => {}
            None => return Err(failure(FailureKind::Unsupported)),
        }
        Ok(())
    }
}

#[async_trait]
impl Inventory for Model {
    fn manifest(&self) -> Manifest {
        manifest(if self.is(Wrong::InventoryNotListed) { vec![] } else { vec![PluginKind::Inventory] })
    }

    /// A cursor is the change that was shown last, and the endpoint of that change with it.
    async fn page(&self, since: Option<&Cursor>, limit: usize) -> Result<Page<EndpointRecord>, BackendError> {
        let mut disk = self.disk.lock().unwrap();
        let mut place = (0, String::new());
        if let Some(Cursor(text)) = since {
            let read = text.split_once('@').and_then(|(n, id)| Some((n.parse().ok()?, id.to_owned())));
            place = match read {
                Some(place) => place,
                None if self.is(Wrong::ForeignCursorIsTheEnd) => (u64::MAX, String::new()),
                None => place,
            };
            if self.is(Wrong::SpendsCursors) && !disk.spent.insert(text.clone()) {
                place = (u64::MAX, String::new());
            }
            if self.is(Wrong::ShowsNoChange) && place.0 > 0 && place.1.as_str() >= "c" {
                place = (u64::MAX, String::new());
            }
        }
        if self.is(Wrong::ShowsAllAlways) && place.1.as_str() >= "c" {
            place = (0, String::new());
        }
        let mut changed: Vec<_> =
            disk.hosts.iter().map(|(id, host)| ((host.changed, id.to_string()), id, host)).collect();
        changed.retain(|(at, id, _)| *at > place && !(self.is(Wrong::HidesAnEndpoint) && id.as_str() == "b"));
        changed.sort_by(|a, b| a.0.cmp(&b.0));
        let more = changed.len() > limit;
        changed.truncate(limit);
        let last = changed.last().map_or(place, |(at, _, _)| at.clone());
        let items = changed.into_iter().map(|(_, id, host)| record(id, host)).collect();
        Ok(Page { items, next: Cursor(format!("{}@{}", last.0, last.1)), more })
    }

    async fn inspect(&self, orders: &[InspectOrder]) -> Vec<LevelRead> {
        let disk = self.disk.lock().unwrap();
        let read = |order: &InspectOrder| {
            let unreadable = || Level::Unreadable { detail: "of the model".into() };
            let is_ours = order.target.package == the_patch().target.package;
            let level = match disk.hosts.get(&order.endpoint) {
                Some(_) if is_ours && self.is(Wrong::EchoesTheTarget) => {
                    Level::Version { version: order.target.version.clone().into(), intact: true }
                }
                Some(host) if is_ours => {
                    Level::Version { version: host.version.clone().into(), intact: true }
                }
                Some(_) if self.is(Wrong::AbsentIsUnreadable) => unreadable(),
                Some(_) => Level::Absent,
                None if self.is(Wrong::UnknownIsAbsent) => Level::Absent,
                None => unreadable(),
            };
            LevelRead { order: order.order, level, reboot_required: false }
        };
        orders.iter().map(read).collect()
    }
}

fn record(id: &EndpointId, host: &Host) -> EndpointRecord {
    let installed = InstalledSoftware {
        held: host.held,
        ..InstalledSoftware::new(the_patch().target.package, host.version.clone())
    };
    EndpointRecord {
        os: "model".into(),
        installed: vec![installed],
        ..EndpointRecord::new(id.clone(), Environment::Production, now())
    }
}
