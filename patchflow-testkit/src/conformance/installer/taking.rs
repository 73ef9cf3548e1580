//! Taking orders and reporting on them.

use super::bench::{Bench, must, no_order, nowhere};
use super::{InstallerBuilder, Stop};
use patchflow_core::ids::OrderId;
use patchflow_core::rollout::{Order, QueryAnswer, ReportKind};
use patchflow_core::sdk::{PluginKind, Receipt, negotiate};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

pub(super) async fn manifest(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let bench = Bench::new(builder, place).await?;
    let fits = negotiate(&bench.world.installer.manifest(), PluginKind::Installer, &[]);
    must!(fits.is_ok(), "{}", fits.err().map(|error| error.to_string()).unwrap_or_default());
    Ok(())
}

fn id_of(receipt: &Receipt) -> OrderId {
    match receipt {
        Receipt::Taken(id) | Receipt::Refused(id, _) => *id,
    }
}

pub(super) async fn receipts(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let none = bench.submit(&[]).await?;
    must!(none.is_empty(), "an empty batch was answered by {none:?}");
    let late = bench.desk_of_long_ago()?.install(&bench.endpoint(2)).map_err(no_order)?;
    let batch = [bench.install(0)?, late, bench.install(1)?];
    let mut expected: Vec<_> = batch.iter().map(Order::id).collect();
    let receipts = bench.submit(&batch).await?;
    let mut answered: Vec<_> = receipts.iter().map(id_of).collect();
    expected.sort();
    answered.sort();
    must!(expected == answered, "orders {expected:?} were answered by {receipts:?}");
    Ok(())
}

pub(super) async fn reported(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let order = bench.install(0)?;
    bench.give(&order).await?;
    let mut kinds = Vec::new();
    while !kinds.iter().any(|kind| *kind != ReportKind::Acknowledged) {
        must!(bench.more_reports().await?, "the order was taken, and its end is not reported");
        kinds.extend(
            bench.reports.drain(..).filter(|report| report.order == order.id()).map(|report| report.kind),
        );
    }
    must!(kinds[0] == ReportKind::Acknowledged, "the first report is {:?}", kinds[0]);
    Ok(())
}

/// A first install, whose rollback shows whether it is carried out a second time.
async fn installed_and_reverted(bench: &mut Bench<'_>, order: &Order) -> Result<(), Stop> {
    bench.carry_out(order).await?;
    let back = bench.desk.revert(order).map_err(no_order)?;
    bench.carry_out(&back).await?;
    bench.must_have_prior(order.endpoint(), order).await
}

pub(super) async fn repeated(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let order = bench.install(0)?;
    installed_and_reverted(&mut bench, &order).await?;
    must!(bench.offer(&order).await?, "the same order again was refused");
    must!(bench.ended(&order).await?, "the order was done, and now it is told that it failed");
    bench.must_have_prior(order.endpoint(), &order).await
}

pub(super) async fn fenced(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let lower = bench.install(0)?;
    let higher = bench.desk.again(&lower).map_err(no_order)?;
    installed_and_reverted(&mut bench, &higher).await?;
    let taken = bench.offer(&lower).await?;
    must!(!taken, "an order under {} was taken after one under {}", lower.fence(), higher.fence());
    bench.must_have_prior(lower.endpoint(), &lower).await
}

pub(super) async fn too_late(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let order = bench.desk_of_long_ago()?.install(&bench.endpoint(0)).map_err(no_order)?;
    bench.must_not_succeed(&order).await?;
    bench.must_have_prior(order.endpoint(), &order).await
}

pub(super) async fn unknown_endpoint(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let lost = bench.desk.install(&nowhere()).map_err(no_order)?;
    let order = bench.install(0)?;
    let receipts = bench.submit(&[lost.clone(), order.clone()]).await?;
    must!(receipts.contains(&Receipt::Taken(order.id())), "the other order was not taken: {receipts:?}");
    must!(bench.ended(&order).await?, "the other order of the batch failed");
    if receipts.contains(&Receipt::Taken(lost.id())) {
        must!(!bench.ended(&lost).await?, "an order for an endpoint that is not there was reported done");
    }
    let answer = bench.query(&lost).await?;
    must!(answer != Some(QueryAnswer::Done), "the query for it was answered with success");
    Ok(())
}

pub(super) async fn dropped_wait(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let order = bench.install(0)?;
    {
        let mut wait = pin!(bench.world.installer.reports());
        // Polled, so that it has begun to wait, and dropped with whatever it has by then.
        let ready = poll_fn(|context| Poll::Ready(wait.as_mut().poll(context).is_ready())).await;
        must!(!ready, "there were reports before there was an order");
    }
    bench.give(&order).await?;
    for _ in 0..3 {
        let mut wait = pin!(bench.world.installer.reports());
        let came = poll_fn(|context| match wait.as_mut().poll(context) {
            Poll::Ready(reports) => Poll::Ready(reports.ok()),
            Poll::Pending => Poll::Ready(None),
        });
        let came = came.await;
        bench.reports.extend(came.into_iter().flatten());
    }
    bench.ended(&order).await.map(|_| ())
}

pub(super) async fn reports_fit(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let missing = bench.desk_of_missing_version()?.install(&bench.endpoint(2)).map_err(no_order)?;
    let orders = [bench.install(0)?, bench.install(1)?, missing];
    let mut ends: BTreeMap<OrderId, ReportKind<'static>> = BTreeMap::new();
    for order in &orders {
        bench.offer(order).await?;
    }
    while bench.more_reports().await? {
        for report in bench.reports.drain(..).filter(|report| report.kind != ReportKind::Acknowledged) {
            must!(orders.iter().any(|order| order.id() == report.order), "nobody submitted {}", report.order);
            let same =
                |known: &ReportKind<'_>| (*known == ReportKind::Done) == (report.kind == ReportKind::Done);
            let known = ends.get(&report.order);
            must!(known.is_none_or(same), "{} is told as {:?} and as {known:?}", report.order, report.kind);
            ends.insert(report.order, report.kind);
        }
        if ends.len() == orders.len() {
            break;
        }
    }
    Ok(())
}
