//! The runtime: the SDK's `Installer` over a [`LocalBackend`].

use super::LocalBackend;
use super::desk::{Desk, Task, unknown_endpoint};
use super::inventory::Reader;
use super::job::{Job, way_back_is_there};
use super::pool::Pool;
use super::reply::{gather, locked};
use super::worker;
use async_trait::async_trait;
use patchflow_core::digest::Digest;
use patchflow_core::ids::{EndpointId, OrderId};
use patchflow_core::package::PackageName;
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::{
    Failure, InstallOrder, Order, QueryAnswer, RecallAnswer, Report, StageId, StageOrder, StageOutcome,
};
use patchflow_core::sdk::{
    BackendError, Clock, FailureKind, Installer, InstallerCapabilities, Manifest, PluginKind, Preflight,
    Receipt, SDK_VERSION,
};
use semver::{Comparator, Op, Prerelease, Version, VersionReq};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// How much is done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalOptions {
    /// Operations at once, over all endpoints; at least 1. Each has a thread.
    pub operations_max: usize,
    /// Reads at once (inventory, preflights, inspections); at least 1. Each has a thread.
    pub reads_max: usize,
}

/// Four operations, two reads.
impl Default for LocalOptions {
    fn default() -> Self {
        Self { operations_max: 4, reads_max: 2 }
    }
}

/// An installer and an inventory over a local package manager.
///
/// Each endpoint has a ledger on its own storage: the highest fence seen and what became of the last 64 orders. It is
/// on the disk before an operation begins, so that a later process can answer for it. The rules, in the words of
/// `docs/contract.md`:
///
/// * An order is *acknowledged when its operation begins*, not when it is taken: the report deadline then measures the
///   operation and not the queue, and an order that is never reached by its `start_by` expires without having failed.
/// * A queued order is kept in memory only. After a crash it was never seen, and may be sent again under its id.
/// * An operation that a crash cut off is looked into by [`LocalBackend::recover`] when it is asked after, or before
///   the next one begins on that endpoint. What the level then shows decides whether it is done.
/// * A ledger that cannot be read refuses every order and answers with that failure; it is never taken for empty.
///
/// Dropping it forgets what is queued and lets running operations come to their end on their threads; a successor on
/// the same endpoints sees those as running. [`LocalInstaller::shutdown`] waits for them.
pub struct LocalInstaller<B> {
    backend: Arc<B>,
    pub(super) clock: Arc<dyn Clock>,
    desk: Arc<Desk>,
    /// One thread: what is asked of the desk is answered in the order it was asked.
    front: Pool,
    pub(super) readers: Pool,
    pub(super) reader: Arc<Reader>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl<B: LocalBackend> LocalInstaller<B> {
    /// A runtime with the default options.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(backend: B, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Self::with_options(backend, clock, LocalOptions::default())
    }

    /// A runtime.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn with_options(backend: B, clock: Arc<dyn Clock>, options: LocalOptions) -> io::Result<Self> {
        let backend = Arc::new(backend);
        let desk = Arc::new(Desk::new(Arc::clone(&backend) as Arc<dyn LocalBackend>, Arc::clone(&clock)));
        let installer = Self {
            reader: Arc::new(Reader::new(Arc::clone(&backend) as Arc<dyn LocalBackend>)),
            backend,
            clock,
            desk,
            front: Pool::new("patchflow-desk", 1)?,
            readers: Pool::new("patchflow-read", options.reads_max)?,
            workers: Mutex::default(),
        };
        for _ in 0..options.operations_max.max(1) {
            let desk = Arc::clone(&installer.desk);
            let worker = thread::Builder::new().name("patchflow-work".into());
            let worker = worker.spawn(move || worker::work(&desk))?;
            locked(&installer.workers).push(worker);
        }
        Ok(installer)
    }

    /// The package manager beneath.
    #[must_use]
    pub fn backend(&self) -> &Arc<B> {
        &self.backend
    }

    /// Forgets what is queued, takes nothing more, and blocks until running operations have ended. Their reports can
    /// still be taken.
    pub fn shutdown(&self) {
        self.desk.close();
        let workers = std::mem::take(&mut *locked(&self.workers));
        for worker in workers {
            // A worker's own panic has been logged by the panic hook; there is nothing to add.
            let _ = worker.join();
        }
    }

    pub(super) fn manifest_of(&self) -> Manifest {
        let can = self.capabilities_of();
        let names = [
            ("rollback", !can.paths.is_empty()),
            ("hold", can.holds),
            ("reboot", can.reboots),
            ("recall", can.recalls),
        ];
        Manifest {
            name: self.backend.name().to_owned(),
            version: own_version(),
            sdk: sdk_requirement(),
            kinds: vec![PluginKind::Installer, PluginKind::Inventory],
            capabilities: names.iter().filter(|(_, has)| *has).map(|(name, _)| (*name).to_owned()).collect(),
            configuration_schema: None,
        }
    }

    fn capabilities_of(&self) -> InstallerCapabilities {
        InstallerCapabilities { recalls: true, ..self.backend.capabilities() }
    }

    pub(super) fn submit_jobs(&self, jobs: Vec<Job>) -> impl Future<Output = Vec<Receipt>> + Send + use<B> {
        let (part, receipts) = gather();
        let desk = Arc::clone(&self.desk);
        self.front.put(move || {
            for receipt in jobs.into_iter().filter_map(|job| desk.take(job)) {
                part.clone().put(receipt);
            }
        });
        receipts
    }
}

impl<B> Drop for LocalInstaller<B> {
    fn drop(&mut self) {
        self.desk.close();
    }
}

#[async_trait]
impl<B: LocalBackend> Installer for LocalInstaller<B> {
    fn manifest(&self) -> Manifest {
        self.manifest_of()
    }

    fn capabilities(&self) -> InstallerCapabilities {
        self.capabilities_of()
    }

    async fn preflight(&self, orders: &[InstallOrder]) -> Vec<Preflight> {
        let (part, found) = gather();
        for order in orders {
            let (part, order, backend) = (part.clone(), order.clone(), Arc::clone(&self.backend));
            self.readers.put(move || part.put(look_before(&*backend, &order)));
        }
        drop(part);
        found.await
    }

    async fn submit(&self, orders: &[Order]) -> Result<Vec<Receipt>, BackendError> {
        let reboots = self.backend.capabilities().reboots;
        let (jobs, beyond): (Vec<_>, Vec<_>) =
            orders.iter().partition(|order| reboots || !matches!(order, Order::Reboot(_)));
        let expected = jobs.len();
        let mut receipts = self.submit_jobs(jobs.into_iter().map(Job::of).collect()).await;
        if receipts.len() < expected {
            return Err(BackendError::lasting("taking orders after the installer was shut down"));
        }
        receipts.extend(beyond.into_iter().map(|order| {
            Receipt::Refused(
                order.id(),
                Failure::new(FailureKind::Unsupported, "this installer does not reboot"),
            )
        }));
        Ok(receipts)
    }

    async fn stage(
        &self,
        orders: &[StageOrder],
    ) -> Result<Vec<(StageId, StageOutcome<'static>)>, BackendError> {
        let (part, staged) = gather();
        for order in orders {
            let (part, order, backend) = (part.clone(), order.clone(), Arc::clone(&self.backend));
            self.readers.put(move || part.put((order.id(), stage(&*backend, &order))));
        }
        drop(part);
        Ok(staged.await)
    }

    async fn unstage(&self, stages: &[(StageId, EndpointId, Digest)]) -> Result<(), BackendError> {
        let (part, done) = gather();
        for (_, endpoint, content) in stages {
            let (part, endpoint, content) = (part.clone(), endpoint.clone(), *content);
            let backend = Arc::clone(&self.backend);
            self.readers.put(move || {
                backend.unstage(&endpoint, content);
                part.put(());
            });
        }
        drop(part);
        done.await;
        Ok(())
    }

    async fn recall(&self, orders: &[OrderId]) -> Result<Vec<(OrderId, RecallAnswer)>, BackendError> {
        let (part, answers) = gather();
        let (desk, orders) = (Arc::clone(&self.desk), orders.to_vec());
        self.front.put(move || part.put(desk.recall(&orders)));
        let stopped = || BackendError::lasting("recalling orders after the installer was shut down");
        answers.await.pop().ok_or_else(stopped)
    }

    async fn query(
        &self,
        orders: &[(OrderId, EndpointId)],
    ) -> Result<Vec<(OrderId, QueryAnswer<'static>)>, BackendError> {
        let (part, answers) = gather();
        let (desk, orders) = (Arc::clone(&self.desk), orders.to_vec());
        self.front.put(move || {
            for (id, endpoint) in &orders {
                desk.query(*id, endpoint, part.clone());
            }
        });
        Ok(answers.await)
    }

    async fn reports(&self) -> Result<Vec<Report<'static>>, BackendError> {
        Ok(self.desk.reports.take().await)
    }

    async fn set_hold(
        &self,
        endpoint: &EndpointId,
        package: &PackageName,
        held: bool,
    ) -> Result<(), Failure<'static>> {
        let (part, outcome) = gather();
        let (desk, endpoint, package) = (Arc::clone(&self.desk), endpoint.clone(), package.clone());
        self.front.put(move || {
            let refusal = part.clone();
            if let Err(failure) = desk.hold(&endpoint, Task::Hold { package, held, answer: part }) {
                refusal.put(Err(failure));
            }
        });
        let stopped = || Err(Failure::new(FailureKind::Interrupted, "the installer was shut down"));
        outcome.await.pop().unwrap_or_else(stopped)
    }
}

fn stage(backend: &dyn LocalBackend, order: &StageOrder) -> StageOutcome<'static> {
    let staged = match backend.state_dir(order.endpoint()) {
        None => Err(unknown_endpoint(order.endpoint())),
        Some(_) => catch_unwind(AssertUnwindSafe(|| backend.stage(order)))
            .unwrap_or_else(|_| Err(Failure::new(FailureKind::Other, "the backend panicked"))),
    };
    match staged {
        Ok(content) => StageOutcome::There { content },
        Err(failure) => StageOutcome::Failed(failure),
    }
}

fn look_before(backend: &dyn LocalBackend, order: &InstallOrder) -> Preflight {
    let looked = match backend.state_dir(order.endpoint()) {
        None => Err(unknown_endpoint(order.endpoint())),
        Some(_) => catch_unwind(AssertUnwindSafe(|| backend.preflight(order)))
            .unwrap_or_else(|_| Err(Failure::new(FailureKind::Other, "the backend panicked"))),
    };
    let path = looked.as_ref().map_or(RollbackPath::None, |path| *path);
    let obstacle = looked.and_then(|path| way_back_is_there(order.path(), path)).err();
    Preflight { order: order.id(), obstacle, path }
}

pub(crate) fn own_version() -> Version {
    let part = |text: &str| text.parse().unwrap_or(0);
    Version::new(
        part(env!("CARGO_PKG_VERSION_MAJOR")),
        part(env!("CARGO_PKG_VERSION_MINOR")),
        part(env!("CARGO_PKG_VERSION_PATCH")),
    )
}

/// The SDK this was built with, and what is compatible with it.
pub(crate) fn sdk_requirement() -> VersionReq {
    let Version { major, minor, .. } = SDK_VERSION;
    let (minor, patch, pre) = (Some(minor), None, Prerelease::EMPTY);
    VersionReq { comparators: vec![Comparator { op: Op::Caret, major, minor, patch, pre }] }
}
