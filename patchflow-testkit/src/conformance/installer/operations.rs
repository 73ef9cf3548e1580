//! What operations do to endpoints, and what they leave alone.

use super::bench::{Bench, must, no_order, nowhere};
use super::{InstallerBuilder, Stop};
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::{InstallOrder, Order, QueryAnswer, ReportKind};
use patchflow_core::sdk::{FailureKind, Receipt};
use patchflow_core::time::Timestamp;

pub(super) async fn installs(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let order = bench.install(0)?;
    bench.carry_out(&order).await?;
    bench.must_have_target(&bench.endpoint(0), &order).await?;
    bench.must_have_prior(&bench.endpoint(1), &order).await?;
    bench.must_have_prior(&bench.endpoint(2), &order).await
}

pub(super) async fn fails(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let order = bench.desk_of_missing_version()?.install(&bench.endpoint(0)).map_err(no_order)?;
    bench.must_not_succeed(&order).await?;
    bench.must_have_prior(order.endpoint(), &order).await
}

pub(super) async fn other_content(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let order = bench.desk_of_other_content()?.install(&bench.endpoint(0)).map_err(no_order)?;
    let looks = bench.world.installer.preflight(&[as_install(&order)?]).await;
    let is_seen = looks.len() == 1 && looks.iter().all(|look| look.obstacle.is_some());
    must!(is_seen, "the content is not what was approved: {looks:?}");
    bench.must_not_succeed(&order).await?;
    bench.must_have_prior(order.endpoint(), &order).await
}

fn as_install(order: &Order) -> Result<InstallOrder, Stop> {
    match order {
        Order::Install(install) => Ok(install.clone()),
        Order::Revert(_) | Order::Reboot(_) => {
            Err(Stop::Lacking("the fleet gave another kind of order".into()))
        }
    }
}

pub(super) async fn preflight_changes_nothing(
    builder: &dyn InstallerBuilder,
    place: &str,
) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let orders = [bench.install(0)?, bench.install(1)?];
    let before = records(&bench).await?;
    let looks = [as_install(&orders[0])?, as_install(&orders[1])?];
    let mut answered: Vec<_> =
        bench.world.installer.preflight(&looks).await.iter().map(|look| look.order).collect();
    answered.sort();
    let mut asked: Vec<_> = orders.iter().map(Order::id).collect();
    asked.sort();
    must!(answered == asked, "{asked:?} is answered by {answered:?}");
    let after = records(&bench).await?;
    must!(before == after, "the inventory was {before:?} and is {after:?}");
    for order in &orders {
        let answer = bench.query(order).await?;
        must!(
            answer == Some(QueryAnswer::NeverSeen),
            "an order that was only looked at is answered {answer:?}"
        );
    }
    Ok(())
}

async fn records(bench: &Bench<'_>) -> Result<Vec<patchflow_core::inventory::EndpointRecord>, Stop> {
    let page = bench.world.inventory.page(None, 1000).await.map_err(|error| error.to_string())?;
    let mut items = page.items;
    items.iter_mut().for_each(|record| record.read_at = Timestamp::default());
    items.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(items)
}

pub(super) async fn preflight_sees(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let good = as_install(&bench.install(0)?)?;
    let missing =
        as_install(&bench.desk_of_missing_version()?.install(&bench.endpoint(1)).map_err(no_order)?)?;
    let lost = as_install(&bench.desk.install(&nowhere()).map_err(no_order)?)?;
    let asked = [good.clone(), missing, lost];
    let looks = bench.world.installer.preflight(&asked).await;
    must!(looks.len() == 3, "three orders are answered by {looks:?}");
    for look in &looks {
        if look.order == good.id() {
            must!(look.obstacle.is_none(), "the patch could be installed: {look:?}");
            must!(look.path == bench.world.path, "the way back is {:?}: {look:?}", bench.world.path);
        } else {
            must!(look.obstacle.is_some(), "it could not be installed: {look:?}");
        }
    }
    Ok(())
}

pub(super) async fn one_at_a_time(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let stall = bench.stall(0)?;
    let first = bench.install(0)?;
    bench.give(&first).await?;
    bench.begun(&first).await?;
    let second = bench.desk.revert(&first).map_err(no_order)?;
    bench.give(&second).await?;
    let answer = bench.query(&first).await?;
    must!(answer == Some(QueryAnswer::Running), "an operation at work is answered {answer:?}");
    let answer = bench.query(&second).await?;
    must!(answer == Some(QueryAnswer::Queued), "one that waits for it is answered {answer:?}");
    while bench.more_reports().await? {}
    let early = bench.reports.iter().find(|report| report.order == second.id());
    must!(early.is_none(), "it was told of the second, {early:?}, while the first was at work");
    drop(stall);
    must!(bench.ended(&first).await?, "the first failed");
    must!(bench.ended(&second).await?, "the second failed");
    bench.must_have_prior(first.endpoint(), &first).await
}

pub(super) async fn side_by_side(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let stall = bench.stall(0)?;
    let (first, other) = (bench.install(0)?, bench.install(1)?);
    bench.give(&first).await?;
    bench.begun(&first).await?;
    bench.carry_out(&other).await?;
    drop(stall);
    must!(bench.ended(&first).await?, "the one that was kept at work failed");
    Ok(())
}

pub(super) async fn reverts(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    if bench.world.path == RollbackPath::None {
        return Err(Stop::Lacking("the world has no way back".into()));
    }
    let order = bench.install(0)?;
    bench.carry_out(&order).await?;
    let back = bench.desk.revert(&order).map_err(no_order)?;
    bench.carry_out(&back).await?;
    bench.must_have_prior(order.endpoint(), &order).await
}

pub(super) async fn holds(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    if !bench.world.installer.capabilities().holds {
        return Err(Stop::Lacking("the installer says that it does not hold".into()));
    }
    let endpoint = bench.endpoint(0);
    let package = bench.world.patch.target.package.clone();
    let held = bench.world.installer.set_hold(&endpoint, &package, true).await;
    must!(held.is_ok(), "holding failed: {held:?}");
    let shown = records(&bench).await?.into_iter().find(|record| record.id == endpoint);
    let shown = shown.and_then(|record| record.installed.into_iter().find(|has| has.package == package));
    must!(shown.as_ref().is_some_and(|has| has.held), "the inventory shows {shown:?}");
    let first = bench.install(0)?;
    bench.must_not_succeed(&first).await?;
    bench.must_have_prior(&endpoint, &first).await?;
    let free = bench.world.installer.set_hold(&endpoint, &package, false).await;
    must!(free.is_ok(), "letting go failed: {free:?}");
    let second = bench.desk.again(&first).map_err(no_order)?;
    bench.carry_out(&second).await?;
    bench.must_have_target(&endpoint, &second).await
}

pub(super) async fn hold_on_unknown(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let bench = Bench::new(builder, place).await?;
    let package = &bench.world.patch.target.package;
    let held = bench.world.installer.set_hold(&nowhere(), package, true).await;
    must!(held.is_err(), "a package was held on an endpoint that is not there");
    Ok(())
}

pub(super) async fn reboots(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let order = bench.install(0)?;
    bench.carry_out(&order).await?;
    let reboot = bench.desk.reboot(&order).map_err(no_order)?;
    if bench.world.installer.capabilities().reboots {
        return bench.carry_out(&reboot).await;
    }
    let unsupported = |kind: FailureKind| kind == FailureKind::Unsupported;
    match &bench.submit(std::slice::from_ref(&reboot)).await?[..] {
        [Receipt::Refused(_, failure)] => must!(unsupported(failure.kind), "it was refused with {failure}"),
        [Receipt::Taken(_)] => {
            bench.reports.retain(|report| report.order != reboot.id());
            let mut end = None;
            while end.is_none() {
                must!(bench.more_reports().await?, "its end was not reported");
                end = bench
                    .reports
                    .drain(..)
                    .map(|report| report.kind)
                    .find(|kind| *kind != ReportKind::Acknowledged);
            }
            let fits = matches!(&end, Some(ReportKind::Failed(failure)) if unsupported(failure.kind));
            must!(fits, "it does not reboot by its own word, and the reboot ended in {end:?}");
        }
        other => must!(false, "one order was answered by {other:?}"),
    }
    Ok(())
}
