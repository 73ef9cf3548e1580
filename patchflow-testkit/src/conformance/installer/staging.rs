//! Content on endpoints before their orders.

use super::bench::{Bench, must, no_order, nowhere};
use super::{InstallerBuilder, Stop};
use crate::orders::FleetDesk;
use patchflow_core::error::FailureKind;
use patchflow_core::ids::EndpointId;
use patchflow_core::rollout::{Order, StageOrder, StageOutcome};
use std::collections::BTreeSet;

/// A world whose installer stages, and a fleet that wants content staged.
async fn bench<'a>(
    builder: &'a dyn InstallerBuilder,
    place: &'a str,
) -> Result<(Bench<'a>, FleetDesk), Stop> {
    let bench = Bench::new(builder, place).await?;
    if !bench.world.installer.capabilities().stages {
        return Err(Stop::Lacking("the installer says that it does not stage".into()));
    }
    let desk = bench.desk_that_stages()?;
    Ok((bench, desk))
}

fn stage(desk: &mut FleetDesk, endpoint: &EndpointId) -> Result<StageOrder, Stop> {
    desk.stage(endpoint).map_err(no_order)
}

/// The install that follows once the content is there.
fn install(desk: &mut FleetDesk, staged: &StageOrder) -> Result<Order, Stop> {
    desk.staged(staged);
    desk.install(staged.endpoint()).map_err(no_order)
}

pub(super) async fn brings(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let (mut bench, mut desk) = bench(builder, place).await?;
    let endpoint = bench.endpoint(0);
    bench.must_be_staged(&stage(&mut desk, &endpoint)?).await?;
    must!(!bench.more_reports().await?, "it is reported as {:?}, though nobody ordered it", bench.reports);
    let unused = bench.install(0)?;
    bench.must_have_prior(&endpoint, &unused).await
}

pub(super) async fn once_each(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let (bench, mut desk) = bench(builder, place).await?;
    let lost = stage(&mut desk, &nowhere())?;
    let batch = [stage(&mut desk, &bench.endpoint(0))?, lost.clone(), stage(&mut desk, &bench.endpoint(1))?];
    let asked: BTreeSet<_> = batch.iter().map(StageOrder::id).collect();
    for _ in 0..2 {
        let answers = bench.ask_to_stage(&batch).await?;
        let answered: BTreeSet<_> = answers.iter().map(|(id, _)| *id).collect();
        let fits = answered.len() == answers.len() && answered.is_subset(&asked);
        must!(fits, "stagings {asked:?} were answered by {answers:?}");
    }
    for order in [&batch[0], &batch[2]] {
        bench.must_be_staged(order).await?;
    }
    let outcome = bench.staged(&lost).await?;
    must!(matches!(outcome, StageOutcome::Failed(_)), "on no endpoint there is {outcome:?}");
    Ok(())
}

pub(super) async fn cannot(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let (bench, _) = bench(builder, place).await?;
    let order = stage(&mut bench.desk_that_stages_missing_version()?, &bench.endpoint(0))?;
    bench.must_not_be_staged(&order).await
}

pub(super) async fn stays(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let (bench, mut desk) = bench(builder, place).await?;
    let order = stage(&mut desk, &bench.endpoint(0))?;
    bench.must_be_staged(&order).await?;
    let withheld = bench.withhold()?;
    bench.must_be_staged(&order).await?;
    let mut bench = bench.restarted().await?;
    bench.must_be_staged(&order).await?;
    let install = install(&mut desk, &order)?;
    bench.carry_out(&install).await?;
    bench.must_have_target(install.endpoint(), &install).await?;
    drop(withheld);
    Ok(())
}

pub(super) async fn changed(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let (mut bench, mut desk) = bench(builder, place).await?;
    let order = stage(&mut desk, &bench.endpoint(0))?;
    bench.must_be_staged(&order).await?;
    let withheld = bench.withhold()?;
    bench.damage(0)?;
    let install = install(&mut desk, &order)?;
    bench.must_not_succeed(&install).await?;
    bench.must_have_prior(install.endpoint(), &install).await?;
    bench.must_not_be_staged(&order).await?;
    drop(withheld);
    Ok(())
}

pub(super) async fn thrown_away(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let (mut bench, mut desk) = bench(builder, place).await?;
    let orders = [stage(&mut desk, &bench.endpoint(0))?, stage(&mut desk, &bench.endpoint(1))?];
    for order in &orders {
        bench.must_be_staged(order).await?;
    }
    let [gone, kept] = &orders;
    let withheld = bench.withhold()?;
    // Twice, and where nothing ever was.
    let thrown = [gone.endpoint().clone(), gone.endpoint().clone(), bench.endpoint(2), nowhere()];
    let thrown: Vec<_> = thrown.map(|endpoint| (gone.id(), endpoint, gone.content())).into();
    let answer = bench.world.installer.unstage(&thrown).await;
    must!(answer.is_ok(), "throwing away failed: {answer:?}");
    bench.must_not_be_staged(gone).await?;
    bench.must_be_staged(kept).await?;
    let (without, with) = (install(&mut desk, gone)?, install(&mut desk, kept)?);
    bench.must_not_succeed(&without).await?;
    bench.must_have_prior(without.endpoint(), &without).await?;
    bench.carry_out(&with).await?;
    drop(withheld);
    Ok(())
}

pub(super) async fn unsupported(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let bench = Bench::new(builder, place).await?;
    if bench.world.installer.capabilities().stages {
        return Ok(());
    }
    let order = stage(&mut bench.desk_that_stages()?, &bench.endpoint(0))?;
    let outcome = bench.staged(&order).await?;
    let fits = matches!(&outcome, StageOutcome::Failed(why) if why.kind == FailureKind::Unsupported);
    must!(fits, "it does not stage by its own word, and the staging ended in {outcome:?}");
    Ok(())
}
