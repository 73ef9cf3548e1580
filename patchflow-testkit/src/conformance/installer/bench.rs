//! What every check needs: a world, a fleet that gives orders for it, and reports that are waited for in measure.

use super::{InstallerBuilder, Stall, Stop, World};
use crate::orders::{FleetDesk, NoOrder};
use patchflow_core::catalog::{Patch, Target};
use patchflow_core::digest::Digest;
use patchflow_core::fleet::InspectOrder;
use patchflow_core::ids::{EndpointId, OrderId};
use patchflow_core::package::PackageName;
use patchflow_core::rollout::{
    Level, Order, QueryAnswer, RecallAnswer, Report, ReportKind, StageId, StageOrder, StageOutcome,
};
use patchflow_core::sdk::{BackendError, Receipt};
use patchflow_core::time::Timestamp;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

/// Ends a check with what was seen, unless a condition holds.
macro_rules! must {
    ($condition:expr, $($seen:tt)+) => {
        if !$condition {
            return Err($crate::conformance::installer::Stop::Violated(format!($($seen)+)));
        }
    };
}
pub(super) use must;

pub(super) struct Bench<'a> {
    pub(super) builder: &'a dyn InstallerBuilder,
    place: &'a str,
    pub(super) world: World,
    pub(super) desk: FleetDesk,
    /// Reports that came and were not asked for yet.
    pub(super) reports: Vec<Report<'static>>,
}

/// A name that no world has.
pub(super) fn nowhere() -> EndpointId {
    "no-such-endpoint".into()
}

fn told(doing: &str) -> impl Fn(BackendError) -> Stop + '_ {
    move |error| {
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        Stop::Violated(format!("{doing} failed: {error}{source}"))
    }
}

/// The desk and the engine did not fit each other: not the backend's fault, but no check either.
pub(super) fn no_order(error: NoOrder) -> Stop {
    Stop::Lacking(error.to_string())
}

impl<'a> Bench<'a> {
    pub(super) async fn new(builder: &'a dyn InstallerBuilder, place: &'a str) -> Result<Self, Stop> {
        let world = builder.build(place).await.map_err(told("building the world"))?;
        if world.endpoints.len() < 3 {
            return Err(Stop::Lacking("the world has fewer than three endpoints".into()));
        }
        let desk = Self::desk_of(&world, &world.patch)?;
        Ok(Self { builder, place, world, desk, reports: Vec::new() })
    }

    fn desk_of(world: &World, patch: &Patch) -> Result<FleetDesk, Stop> {
        let mut endpoints = world.endpoints.clone();
        endpoints.push(nowhere());
        FleetDesk::new(patch, &endpoints, Some(&world.prior), world.path, world.now).map_err(no_order)
    }

    /// A fleet that orders a version that exists nowhere.
    pub(super) fn desk_of_missing_version(&self) -> Result<FleetDesk, Stop> {
        Self::desk_of(&self.world, &self.missing_version())
    }

    /// A fleet that orders the world's version, approved with other content than the world has.
    pub(super) fn desk_of_other_content(&self) -> Result<FleetDesk, Stop> {
        let mut patch = self.world.patch.clone();
        patch.content = Digest::of(b"conformance, other content");
        Self::desk_of(&self.world, &patch)
    }

    /// A fleet whose orders were to be started long ago.
    pub(super) fn desk_of_long_ago(&self) -> Result<FleetDesk, Stop> {
        let World { patch, endpoints, prior, path, now, .. } = &self.world;
        let ago = Timestamp::from_millis(now.as_millis() - 90 * 24 * 3600 * 1000);
        FleetDesk::new(patch, endpoints, Some(prior), *path, ago).map_err(no_order)
    }

    /// A fleet that wants the world's patch staged before it orders anything.
    pub(super) fn desk_that_stages(&self) -> Result<FleetDesk, Stop> {
        self.staging_desk_of(&self.world.patch)
    }

    /// The same for a version that exists nowhere.
    pub(super) fn desk_that_stages_missing_version(&self) -> Result<FleetDesk, Stop> {
        self.staging_desk_of(&self.missing_version())
    }

    fn staging_desk_of(&self, patch: &Patch) -> Result<FleetDesk, Stop> {
        let World { endpoints, prior, path, now, .. } = &self.world;
        let endpoints: Vec<_> = endpoints.iter().cloned().chain([nowhere()]).collect();
        FleetDesk::that_stages(patch, &endpoints, Some(prior), *path, *now).map_err(no_order)
    }

    fn missing_version(&self) -> Patch {
        let mut patch = self.world.patch.clone();
        patch.target.version = "99999.0.conformance".into();
        patch.content = Digest::of(b"conformance");
        patch.id = "conformance-missing-version".into();
        patch
    }

    pub(super) fn endpoint(&self, n: usize) -> EndpointId {
        self.world.endpoints[n].clone()
    }

    pub(super) fn install(&mut self, n: usize) -> Result<Order, Stop> {
        self.desk.install(&self.world.endpoints[n]).map_err(no_order)
    }

    pub(super) fn stall(&self, n: usize) -> Result<Stall, Stop> {
        let lacking = || Stop::Lacking("the builder cannot keep an operation at work".into());
        self.builder.stall(self.place, &self.world.endpoints[n]).ok_or_else(lacking)
    }

    pub(super) fn withhold(&self) -> Result<Stall, Stop> {
        let lacking = || Stop::Lacking("the builder cannot keep content from being fetched".into());
        self.builder.withhold(self.place).ok_or_else(lacking)
    }

    pub(super) fn damage(&self, n: usize) -> Result<(), Stop> {
        if self.builder.damage(self.place, &self.world.endpoints[n]) {
            return Ok(());
        }
        Err(Stop::Lacking("the builder cannot change what was staged".into()))
    }

    /// The same world after a restart. The first installer is dropped before the second is built.
    pub(super) async fn restarted(self) -> Result<Self, Stop> {
        let Self { builder, place, world, desk, reports } = self;
        drop((world, reports));
        let world = builder.build(place).await.map_err(told("building the world again"))?;
        Ok(Self { builder, place, world, desk, reports: Vec::new() })
    }

    pub(super) async fn submit(&self, orders: &[Order]) -> Result<Vec<Receipt>, Stop> {
        self.world.installer.submit(orders).await.map_err(told("submit"))
    }

    /// Submits one order. Whether it was taken.
    pub(super) async fn offer(&self, order: &Order) -> Result<bool, Stop> {
        match &self.submit(std::slice::from_ref(order)).await?[..] {
            [Receipt::Taken(id)] if *id == order.id() => Ok(true),
            [Receipt::Refused(id, _)] if *id == order.id() => Ok(false),
            other => Err(Stop::Violated(format!("one order was answered by {other:?}"))),
        }
    }

    /// Submits an order that is to be taken.
    pub(super) async fn give(&self, order: &Order) -> Result<(), Stop> {
        let receipts = self.submit(std::slice::from_ref(order)).await?;
        must!(matches!(receipts[..], [Receipt::Taken(_)]), "the order was not taken: {receipts:?}");
        Ok(())
    }

    /// Waits for the next reports; whether some came while there was patience.
    pub(super) async fn more_reports(&mut self) -> Result<bool, Stop> {
        let installer = Arc::clone(&self.world.installer);
        let mut reports = pin!(installer.reports());
        let mut patience = pin!(self.builder.patience());
        let came = poll_fn(|context| match reports.as_mut().poll(context) {
            Poll::Ready(reports) => Poll::Ready(Some(reports)),
            Poll::Pending => patience.as_mut().poll(context).map(|()| None),
        });
        match came.await {
            Some(reports) => self.reports.extend(reports.map_err(told("reports"))?),
            None => return Ok(false),
        }
        Ok(true)
    }

    async fn report_of(
        &mut self,
        id: OrderId,
        what: &str,
        fits: impl Fn(&ReportKind<'_>) -> bool,
    ) -> Result<ReportKind<'static>, Stop> {
        loop {
            if let Some(at) = self.reports.iter().position(|report| report.order == id && fits(&report.kind))
            {
                return Ok(self.reports.remove(at).kind);
            }
            must!(self.more_reports().await?, "no report told that order {id} {what}");
        }
    }

    /// Waits until an order has begun.
    pub(super) async fn begun(&mut self, order: &Order) -> Result<(), Stop> {
        self.report_of(order.id(), "has begun", |kind| *kind == ReportKind::Acknowledged).await.map(|_| ())
    }

    /// Waits for an order's end: whether it was reported done.
    pub(super) async fn ended(&mut self, order: &Order) -> Result<bool, Stop> {
        let end = self.report_of(order.id(), "has ended", |kind| *kind != ReportKind::Acknowledged).await?;
        Ok(end == ReportKind::Done)
    }

    /// Carries an order out, which is to succeed.
    pub(super) async fn carry_out(&mut self, order: &Order) -> Result<(), Stop> {
        self.give(order).await?;
        let end = self.report_of(order.id(), "has ended", |kind| *kind != ReportKind::Acknowledged).await?;
        must!(end == ReportKind::Done, "order {} on {} ended in {end:?}", order.id(), order.endpoint());
        Ok(())
    }

    /// Offers an order that is not to be carried out with success.
    pub(super) async fn must_not_succeed(&mut self, order: &Order) -> Result<(), Stop> {
        if self.offer(order).await? {
            must!(!self.ended(order).await?, "order {} was taken and reported done", order.id());
        }
        Ok(())
    }

    /// Asks once for content to be staged.
    pub(super) async fn ask_to_stage(
        &self,
        orders: &[StageOrder],
    ) -> Result<Vec<(StageId, StageOutcome<'static>)>, Stop> {
        self.world.installer.stage(orders).await.map_err(told("stage"))
    }

    /// Asks for content to be staged until that is answered.
    pub(super) async fn staged(&self, order: &StageOrder) -> Result<StageOutcome<'static>, Stop> {
        let mut patience = pin!(self.builder.patience());
        let mut is_over = false;
        loop {
            let mut answers = self.ask_to_stage(std::slice::from_ref(order)).await?;
            let fits = answers.len() <= 1 && answers.iter().all(|(id, _)| *id == order.id());
            must!(fits, "one staging, {}, was answered by {answers:?}", order.id());
            if let Some((_, outcome)) = answers.pop() {
                return Ok(outcome);
            }
            must!(!is_over, "staging {} is not answered", order.id());
            let mut polled = false;
            is_over = poll_fn(|context| {
                let over = patience.as_mut().poll(context).is_ready();
                if over || std::mem::replace(&mut polled, true) {
                    return Poll::Ready(over);
                }
                // Others may go on before it is asked for again.
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
    }

    /// Content is to be staged as it was approved.
    pub(super) async fn must_be_staged(&self, order: &StageOrder) -> Result<(), Stop> {
        let outcome = self.staged(order).await?;
        let is_it = outcome == StageOutcome::There { content: order.content() };
        must!(is_it, "staging {} on {} ended in {outcome:?}", order.id(), order.endpoint());
        Ok(())
    }

    /// Content is not to be told as staged as it was approved.
    pub(super) async fn must_not_be_staged(&self, order: &StageOrder) -> Result<(), Stop> {
        let outcome = self.staged(order).await?;
        let is_it = outcome == StageOutcome::There { content: order.content() };
        must!(!is_it, "staging {} on {} is answered with the approved digest", order.id(), order.endpoint());
        Ok(())
    }

    pub(super) async fn query(&self, order: &Order) -> Result<Option<QueryAnswer<'static>>, Stop> {
        let asked = [(order.id(), order.endpoint().clone())];
        let answers = self.world.installer.query(&asked).await.map_err(told("query"))?;
        must!(answers.len() <= 1, "one question was answered by {answers:?}");
        Ok(answers.into_iter().next().map(|(_, answer)| answer))
    }

    pub(super) async fn recall(&self, orders: &[&Order]) -> Result<Vec<(OrderId, RecallAnswer)>, Stop> {
        let ids: Vec<_> = orders.iter().map(|order| order.id()).collect();
        self.world.installer.recall(&ids).await.map_err(told("recall"))
    }

    pub(super) fn look(&self, order: OrderId, endpoint: EndpointId) -> InspectOrder {
        InspectOrder { order, endpoint, target: self.world.patch.target.clone().into(), reverting_to: None }
    }

    /// The level of the world's package on an endpoint.
    pub(super) async fn level_of(&self, look: InspectOrder) -> Result<Level<'static>, Stop> {
        let mut reads = self.world.inventory.inspect(&[look]).await;
        must!(reads.len() == 1, "one look was answered by {reads:?}");
        Ok(reads.remove(0).level)
    }

    /// The inventory is to show this version, whole.
    pub(super) async fn must_have(
        &self,
        endpoint: &EndpointId,
        order: &Order,
        wanted: &str,
    ) -> Result<(), Stop> {
        let level = self.level_of(self.look(order.id(), endpoint.clone())).await?;
        let is_it = matches!(&level, Level::Version { version, intact: true } if *version == *wanted);
        must!(is_it, "{endpoint} should have {wanted}, and the inventory shows {level:?}");
        Ok(())
    }

    /// The inventory is to show the target on an endpoint.
    pub(super) async fn must_have_target(&self, endpoint: &EndpointId, order: &Order) -> Result<(), Stop> {
        self.must_have(endpoint, order, &self.world.patch.target.version).await
    }

    /// The inventory is to show what was there in the beginning.
    pub(super) async fn must_have_prior(&self, endpoint: &EndpointId, order: &Order) -> Result<(), Stop> {
        self.must_have(endpoint, order, &self.world.prior).await
    }

    pub(super) fn absent_package(&self) -> Target {
        let Target { package, version } = &self.world.patch.target;
        let package = PackageName::new(package.ecosystem, "conformance-absent");
        Target { package, version: version.clone() }
    }
}
