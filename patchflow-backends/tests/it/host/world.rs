//! Endpoints in memory behind every trait that a host asks: an installer that keeps what it was told for ever, an
//! inventory that shows what is there, a probe, a source, somebody who is told.

use super::store::{TestStore, manifest};
use async_trait::async_trait;
use patchflow_backends::clock::ManualClock;
use patchflow_core::catalog::{Category, Patch, RebootBehaviour, Relations, Severity, Target};
use patchflow_core::digest::Digest;
use patchflow_core::fleet::{InspectOrder, Notice};
use patchflow_core::ids::{EndpointId, FleetId, OrderId};
use patchflow_core::inventory::{AvailableUpdate, EndpointRecord, Environment, InstalledSoftware, ScopePath};
use patchflow_core::package::{Ecosystem, PackageName};
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::{
    Failure, Health, InstallOrder, Level, Order, QueryAnswer, RecallAnswer, Report, ReportKind, RevertTo,
    StageId, StageOrder, StageOutcome,
};
use patchflow_core::sdk::{
    BackendError, Clock, Cursor, FailureKind, HealthSource, Installer, InstallerCapabilities, Inventory,
    LevelRead, Manifest, Notifier, Page, PatchSource, PluginKind, Preflight, Probe, ProbeRequest,
    ProbeResult, PublishedPatch, Receipt, Sample, SampleRequest,
};
use patchflow_core::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

/// How long an install takes on every endpoint.
const INSTALL: Duration = Duration::from_secs(120);

#[derive(Clone, Debug)]
struct Taken {
    endpoint: EndpointId,
    to: Option<String>,
    done_at: Timestamp,
    reported: bool,
    applied: bool,
}

#[derive(Default)]
struct Inner {
    versions: BTreeMap<EndpointId, Option<String>>,
    non_production: BTreeMap<EndpointId, bool>,
    /// How often something was really installed on an endpoint.
    installs: BTreeMap<EndpointId, u32>,
    orders: BTreeMap<OrderId, Taken>,
    acknowledged: VecDeque<OrderId>,
    fences: BTreeMap<EndpointId, u32>,
    waiting: Vec<Waker>,
    notices: Vec<(FleetId, Notice)>,
    submit_faults: VecDeque<BackendError>,
    submitted: Vec<OrderId>,
    recalled: Vec<OrderId>,
    queries: usize,
    holds_submits: bool,
    submits_in_flight: usize,
    submits_in_flight_max: usize,
    refuses: Option<EndpointId>,
    unhealthy: bool,
    unreadable: u32,
    made_up: Vec<Report<'static>>,
    /// How often each attempt to stage was asked for.
    stages: BTreeMap<StageId, u32>,
    stage_fault: Option<BackendError>,
    stages_not: bool,
    sdk: Option<semver::VersionReq>,
    alerts: Vec<(EndpointId, Timestamp)>,
}

/// A crash that happens at the n-th call that changes or reads something outside: before it, or after it.
#[derive(Default)]
pub(crate) struct Fuse {
    pub(crate) at: AtomicUsize,
    count: AtomicUsize,
    blown: std::sync::atomic::AtomicBool,
}

impl Fuse {
    /// Blows at the n-th point from 1; never at 0.
    pub(crate) fn set(&self, at: usize) {
        self.at.store(at, Ordering::SeqCst);
        self.count.store(0, Ordering::SeqCst);
        self.blown.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_blown(&self) -> bool {
        self.blown.load(Ordering::SeqCst)
    }

    /// One point at which the host may crash: then the call never returns.
    pub(crate) async fn point(&self) {
        let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if count == self.at.load(Ordering::SeqCst) {
            self.blown.store(true, Ordering::SeqCst);
        }
        if self.is_blown() {
            std::future::pending::<()>().await;
        }
    }
}

pub(crate) struct World {
    clock: ManualClock,
    inner: Mutex<Inner>,
    fuse: Arc<Fuse>,
    store: Arc<TestStore>,
    /// Whether each order is checked against the store when it comes.
    pub(crate) checks_orders: bool,
}

pub(crate) fn package() -> PackageName {
    PackageName::new(Ecosystem::Deb, "shop")
}

impl World {
    pub(crate) fn new(
        clock: ManualClock,
        store: Arc<TestStore>,
        fuse: Arc<Fuse>,
        non_production: usize,
        production: usize,
    ) -> Self {
        let mut inner = Inner::default();
        for i in 0..non_production + production {
            let id = EndpointId::from(format!("host-{i:04}"));
            inner.versions.insert(id.clone(), Some("1".into()));
            inner.non_production.insert(id, i < non_production);
        }
        Self { clock, inner: Mutex::new(inner), fuse, store, checks_orders: true }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// The version on every endpoint, and how often something was installed there.
    pub(crate) fn levels(&self) -> Vec<(String, u32)> {
        let inner = self.inner();
        let count = |id| inner.installs.get(id).copied().unwrap_or(0);
        inner.versions.iter().map(|(id, version)| (version.clone().unwrap_or_default(), count(id))).collect()
    }

    pub(crate) fn notices(&self) -> Vec<(FleetId, Notice)> {
        self.inner().notices.clone()
    }

    /// Every order that was handed over, again for each time.
    pub(crate) fn submitted(&self) -> Vec<OrderId> {
        self.inner().submitted.clone()
    }

    /// How often each attempt to stage was asked for.
    pub(crate) fn stages(&self) -> Vec<u32> {
        self.inner().stages.values().copied().collect()
    }

    /// It says from now on that it does not stage.
    pub(crate) fn stages_not(&self) {
        self.inner().stages_not = true;
    }

    pub(crate) fn fail_stage(&self, error: BackendError) {
        self.inner().stage_fault = Some(error);
    }

    pub(crate) fn recalled(&self) -> Vec<OrderId> {
        self.inner().recalled.clone()
    }

    pub(crate) fn queries(&self) -> usize {
        self.inner().queries
    }

    pub(crate) fn fail_submits(&self, errors: impl IntoIterator<Item = BackendError>) {
        self.inner().submit_faults.extend(errors);
    }

    /// From now on, or no longer, an installer that takes its time to take orders.
    pub(crate) fn hold_submits(&self, holds: bool) {
        let mut inner = self.inner();
        inner.holds_submits = holds;
        inner.waiting.drain(..).for_each(Waker::wake);
    }

    pub(crate) fn submits_in_flight(&self) -> usize {
        self.inner().submits_in_flight
    }

    /// An endpoint raises an alert now.
    pub(crate) fn alert(&self, endpoint: EndpointId) {
        self.inner().alerts.push((endpoint, self.clock.now()));
    }

    /// Reports something that no order led to.
    pub(crate) fn report(&self, report: Report<'static>) {
        let mut inner = self.inner();
        inner.made_up.push(report);
        inner.waiting.drain(..).for_each(Waker::wake);
    }

    /// Says that it works with other versions of the traits.
    pub(crate) fn claim_sdk(&self, requirement: &str) {
        self.inner().sdk = Some(requirement.parse().unwrap());
    }

    pub(crate) fn submits_in_flight_max(&self) -> usize {
        self.inner().submits_in_flight_max
    }

    pub(crate) fn refuse_on(&self, endpoint: &str) {
        self.inner().refuses = Some(endpoint.into());
    }

    pub(crate) fn be_unhealthy(&self) {
        self.inner().unhealthy = true;
    }

    /// So many looks fail.
    pub(crate) fn be_unreadable(&self, looks: u32) {
        self.inner().unreadable = looks;
    }

    pub(crate) fn patch() -> Patch {
        Patch {
            id: "SA-1".into(),
            title: "shop 2".into(),
            target: Target { package: package(), version: "2".into() },
            category: Category::Security,
            severity: Severity::Critical,
            cves: vec!["CVE-2026-0001".into()],
            released: Some(super::start_of_time()),
            disclosed: None,
            exploited: None,
            closes: Vec::new(),
            platform: None,
            reboot: RebootBehaviour::Never,
            relations: Relations::default(),
            content: Digest::of(b"shop 2"),
            source: "test".into(),
        }
    }

    /// What has come to its end by now has happened.
    fn go_on(&self, inner: &mut Inner) {
        let now = self.clock.now();
        for taken in inner.orders.values_mut().filter(|taken| !taken.applied && taken.done_at <= now) {
            taken.applied = true;
            inner.versions.insert(taken.endpoint.clone(), taken.to.clone());
            *inner.installs.entry(taken.endpoint.clone()).or_default() += 1;
        }
    }

    /// What is taken is acknowledged at once, what is done is reported at its time; and when that comes next.
    fn new_reports(&self) -> (Vec<Report<'static>>, Option<Timestamp>) {
        let mut inner = self.inner();
        self.go_on(&mut inner);
        let acknowledged = |order| Report { order, kind: ReportKind::Acknowledged };
        let mut reports: Vec<_> = inner.acknowledged.drain(..).map(acknowledged).collect();
        reports.append(&mut inner.made_up);
        for (order, taken) in inner.orders.iter_mut().filter(|(_, taken)| taken.applied && !taken.reported) {
            taken.reported = true;
            reports.push(Report { order: *order, kind: ReportKind::Done });
        }
        let next = inner.orders.values().filter(|taken| !taken.applied).map(|taken| taken.done_at).min();
        (reports, next)
    }

    fn take(&self, order: &Order) -> Receipt {
        let mut inner = self.inner();
        let inner = &mut *inner;
        inner.submitted.push(order.id());
        if inner.orders.contains_key(&order.id()) {
            return Receipt::Taken(order.id());
        }
        let refused = |kind, why: &'static str| Receipt::Refused(order.id(), Failure::new(kind, why));
        if inner.refuses.as_ref() == Some(order.endpoint()) {
            return refused(FailureKind::Denied, "held on the endpoint");
        }
        if inner.fences.get(order.endpoint()).is_some_and(|fence| order.fence().0 < *fence) {
            return refused(FailureKind::Stopped, "a higher fence was seen");
        }
        let now = self.clock.now();
        if now > order.start_by() {
            return refused(FailureKind::Stopped, "too late to start");
        }
        inner.fences.insert(order.endpoint().clone(), order.fence().0);
        let to = match order {
            Order::Install(install) => Some(install.target().version.clone()),
            Order::Revert(revert) => match revert.to() {
                RevertTo::Version { version } => Some(version.to_string()),
                RevertTo::Absent => None,
            },
            Order::Reboot(_) => inner.versions.get(order.endpoint()).cloned().flatten(),
        };
        let taken = Taken {
            endpoint: order.endpoint().clone(),
            to,
            done_at: now.plus(INSTALL),
            reported: false,
            applied: false,
        };
        inner.orders.insert(order.id(), taken);
        inner.acknowledged.push_back(order.id());
        inner.waiting.drain(..).for_each(Waker::wake);
        Receipt::Taken(order.id())
    }
}

#[async_trait]
impl Installer for World {
    fn manifest(&self) -> Manifest {
        use PluginKind as Kind;
        let kinds = [
            Kind::HealthSource,
            Kind::Installer,
            Kind::Inventory,
            Kind::Probe,
            Kind::PatchSource,
            Kind::Notifier,
        ];
        let manifest = manifest("test-world", &kinds);
        Manifest { sdk: self.inner().sdk.clone().unwrap_or(manifest.sdk), ..manifest }
    }

    fn capabilities(&self) -> InstallerCapabilities {
        InstallerCapabilities {
            paths: vec![RollbackPath::Reinstall],
            holds: false,
            reboots: true,
            recalls: true,
            stages: !self.inner().stages_not,
        }
    }

    async fn preflight(&self, _: &[InstallOrder]) -> Vec<Preflight> {
        Vec::new()
    }

    /// Under way when it is asked for first, there when it is asked for again.
    async fn stage(
        &self,
        orders: &[StageOrder],
    ) -> Result<Vec<(StageId, StageOutcome<'static>)>, BackendError> {
        let mut inner = self.inner();
        if let Some(error) = inner.stage_fault.take() {
            return Err(error);
        }
        let mut answers = Vec::new();
        for order in orders {
            let asked = inner.stages.entry(order.id()).or_default();
            *asked += 1;
            if *asked > 1 {
                answers.push((order.id(), StageOutcome::There { content: order.content() }));
            }
        }
        Ok(answers)
    }

    async fn submit(&self, orders: &[Order]) -> Result<Vec<Receipt>, BackendError> {
        if self.checks_orders {
            for order in orders {
                assert!(
                    self.store.explains(order.id()),
                    "order {} left before its fact was stored",
                    order.id()
                );
            }
        }
        self.fuse.point().await;
        {
            let mut inner = self.inner();
            inner.submits_in_flight += 1;
            inner.submits_in_flight_max = inner.submits_in_flight_max.max(inner.submits_in_flight);
        }
        std::future::poll_fn(|cx| {
            let mut inner = self.inner();
            if inner.holds_submits {
                inner.waiting.push(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        self.inner().submits_in_flight -= 1;
        let fault = self.inner().submit_faults.pop_front();
        if let Some(error) = fault {
            self.inner().submitted.extend(orders.iter().map(Order::id));
            return Err(error);
        }
        let receipts = orders.iter().map(|order| self.take(order)).collect();
        self.fuse.point().await;
        Ok(receipts)
    }

    async fn recall(&self, orders: &[OrderId]) -> Result<Vec<(OrderId, RecallAnswer)>, BackendError> {
        let mut inner = self.inner();
        inner.recalled.extend_from_slice(orders);
        let answer = |order: &OrderId| match inner.orders.contains_key(order) {
            true => RecallAnswer::AlreadyStarted,
            false => RecallAnswer::Recalled,
        };
        Ok(orders.iter().map(|order| (*order, answer(order))).collect())
    }

    async fn query(
        &self,
        orders: &[(OrderId, EndpointId)],
    ) -> Result<Vec<(OrderId, QueryAnswer<'static>)>, BackendError> {
        self.fuse.point().await;
        let mut inner = self.inner();
        inner.queries += orders.len();
        self.go_on(&mut inner);
        let answer = |order| match inner.orders.get(order) {
            None => QueryAnswer::NeverSeen,
            Some(taken) if taken.applied => QueryAnswer::Done,
            Some(_) => QueryAnswer::Running,
        };
        Ok(orders.iter().map(|(order, _)| (*order, answer(order))).collect())
    }

    async fn reports(&self) -> Result<Vec<Report<'static>>, BackendError> {
        loop {
            let (reports, next) = self.new_reports();
            if !reports.is_empty() {
                return Ok(reports);
            }
            let taken_more = std::future::poll_fn(|cx| {
                let mut inner = self.inner();
                if !inner.acknowledged.is_empty() || !inner.made_up.is_empty() {
                    return Poll::Ready(());
                }
                inner.waiting.push(cx.waker().clone());
                Poll::Pending
            });
            match next {
                Some(next) => futures_lite::future::or(self.clock.sleep_until(next), taken_more).await,
                None => taken_more.await,
            }
        }
    }

    async fn set_hold(&self, _: &EndpointId, _: &PackageName, _: bool) -> Result<(), Failure<'static>> {
        Err(Failure::new(FailureKind::Unsupported, "no holds"))
    }
}

#[async_trait]
impl Inventory for World {
    fn manifest(&self) -> Manifest {
        Installer::manifest(self)
    }

    async fn page(&self, since: Option<&Cursor>, limit: usize) -> Result<Page<EndpointRecord>, BackendError> {
        let mut inner = self.inner();
        self.go_on(&mut inner);
        let from: usize = since.map_or(0, |cursor| cursor.0.parse().unwrap());
        let record = |(id, version): (&EndpointId, &Option<String>)| {
            let installed = version.iter().map(|version| InstalledSoftware::new(package(), version.clone()));
            let offered = version.iter().filter(|version| *version == "1").map(|version| AvailableUpdate {
                package: package(),
                from: Some(version.clone()),
                to: "2".into(),
                suite: "security".into(),
                origin: "test".into(),
                security: true,
            });
            let environment = match inner.non_production[id] {
                true => Environment::NonProduction,
                false => Environment::Production,
            };
            EndpointRecord {
                os: "test 1".into(),
                scope: ScopePath("acme".into()),
                installed: installed.collect(),
                available: offered.collect(),
                ..EndpointRecord::new(id.clone(), environment, self.clock.now())
            }
        };
        // Pages smaller than asked for, so that more than one is read.
        let items: Vec<_> = inner.versions.iter().skip(from).take(limit.min(5)).map(record).collect();
        let next = from + items.len();
        Ok(Page { items, next: Cursor(next.to_string()), more: next < inner.versions.len() })
    }

    async fn inspect(&self, orders: &[InspectOrder]) -> Vec<LevelRead> {
        self.fuse.point().await;
        let mut inner = self.inner();
        self.go_on(&mut inner);
        let blind = inner.unreadable > 0;
        inner.unreadable = inner.unreadable.saturating_sub(1);
        let read = |order: &InspectOrder| LevelRead {
            order: order.order,
            level: match inner.versions.get(&order.endpoint) {
                _ if blind => Level::Unreadable { detail: "no answer".into() },
                Some(Some(version)) => Level::Version { version: version.clone().into(), intact: true },
                Some(None) => Level::Absent,
                None => Level::Unreadable { detail: "no such endpoint".into() },
            },
            reboot_required: false,
        };
        orders.iter().map(read).collect()
    }
}

#[async_trait]
impl Probe for World {
    fn manifest(&self) -> Manifest {
        Installer::manifest(self)
    }

    fn application(&self) -> String {
        "shop".into()
    }

    async fn probe(&self, endpoints: &[ProbeRequest]) -> Vec<ProbeResult> {
        let health = match self.inner().unhealthy {
            true => Health::Failed { detail: "no basket".into() },
            false => Health::Passed,
        };
        endpoints.iter().map(|one| ProbeResult { order: one.order, health: health.clone() }).collect()
    }
}

#[async_trait]
impl PatchSource for World {
    fn manifest(&self) -> Manifest {
        Installer::manifest(self)
    }

    async fn page(&self, _: Option<&Cursor>, _: usize) -> Result<Page<PublishedPatch>, BackendError> {
        let items = vec![PublishedPatch::Published(Box::new(Self::patch()))];
        Ok(Page { items, next: Cursor("1".into()), more: false })
    }
}

#[async_trait]
impl Notifier for World {
    fn manifest(&self) -> Manifest {
        Installer::manifest(self)
    }

    async fn notify(&self, fleet: FleetId, notices: &[Notice]) -> Result<(), BackendError> {
        self.inner().notices.extend(notices.iter().map(|notice| (fleet, notice.clone())));
        Ok(())
    }
}

#[async_trait]
impl HealthSource for World {
    fn manifest(&self) -> Manifest {
        Installer::manifest(self)
    }

    async fn alerts(&self, request: &SampleRequest) -> Result<u32, BackendError> {
        let inner = self.inner();
        let raised = inner.alerts.iter().filter(|(endpoint, at)| {
            request.endpoints.contains(endpoint) && (request.from..request.until).contains(at)
        });
        Ok(u32::try_from(raised.count()).unwrap())
    }

    async fn samples(&self, _: &SampleRequest) -> Result<Vec<Sample>, BackendError> {
        Err(BackendError::lasting("this source has alerts only"))
    }
}
