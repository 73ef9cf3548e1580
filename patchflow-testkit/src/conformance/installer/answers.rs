//! Answering for orders: queries, restarts, recalls.

use super::bench::{Bench, must, no_order};
use super::{InstallerBuilder, Stop};
use patchflow_core::ids::OrderId;
use patchflow_core::rollout::{Order, QueryAnswer, RecallAnswer};
use std::collections::BTreeSet;

pub(super) async fn never_seen(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let order = bench.install(0)?;
    let answer = bench.query(&order).await?;
    must!(answer == Some(QueryAnswer::NeverSeen), "the answer is {answer:?}");
    Ok(())
}

/// Two orders that have ended: one done, and one failed.
async fn one_done_one_failed(bench: &mut Bench<'_>) -> Result<(Order, Order), Stop> {
    let done = bench.install(0)?;
    bench.carry_out(&done).await?;
    let failed = bench.desk_of_missing_version()?.install(&bench.endpoint(1)).map_err(no_order)?;
    // A refusal is not an order that has ended, so what was refused is not asked after.
    if bench.offer(&failed).await? {
        must!(!bench.ended(&failed).await?, "a version that does not exist was reported as installed");
    }
    Ok((done, failed))
}

async fn must_answer(bench: &Bench<'_>, done: &Order, failed: &Order) -> Result<(), Stop> {
    let answer = bench.query(done).await?;
    must!(answer == Some(QueryAnswer::Done), "an order that was done is answered {answer:?}");
    let answer = bench.query(failed).await?;
    let not_done = matches!(answer, None | Some(QueryAnswer::Failed(_) | QueryAnswer::NeverSeen));
    must!(not_done, "an order that failed or was refused is answered {answer:?}");
    Ok(())
}

pub(super) async fn outcome(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let (done, failed) = one_done_one_failed(&mut bench).await?;
    must_answer(&bench, &done, &failed).await
}

pub(super) async fn outcome_after_restart(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let (done, failed) = one_done_one_failed(&mut bench).await?;
    let back = bench.desk.revert(&done).map_err(no_order)?;
    bench.carry_out(&back).await?;
    let mut bench = bench.restarted().await?;
    must_answer(&bench, &done, &failed).await?;
    must!(bench.offer(&done).await?, "the same order again was refused");
    bench.ended(&done).await?;
    bench.must_have_prior(done.endpoint(), &done).await
}

pub(super) async fn fenced_after_restart(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let lower = bench.install(0)?;
    let higher = bench.desk.again(&lower).map_err(no_order)?;
    bench.carry_out(&higher).await?;
    let back = bench.desk.revert(&higher).map_err(no_order)?;
    bench.carry_out(&back).await?;
    let bench = bench.restarted().await?;
    let taken = bench.offer(&lower).await?;
    must!(!taken, "an order under {} was taken after one under {}", lower.fence(), back.fence());
    bench.must_have_prior(lower.endpoint(), &lower).await
}

fn ids_once<A>(answers: &[(OrderId, A)]) -> Option<BTreeSet<OrderId>> {
    let ids: BTreeSet<_> = answers.iter().map(|(id, _)| *id).collect();
    (ids.len() == answers.len()).then_some(ids)
}

pub(super) async fn once_each(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let (done, never) = (bench.install(0)?, bench.install(1)?);
    bench.carry_out(&done).await?;
    let asked = [&done, &never].map(|order| (order.id(), order.endpoint().clone()));
    let answers = bench.world.installer.query(&asked).await.map_err(|error| error.to_string())?;
    let ids = ids_once(&answers);
    let fit = ids.is_some_and(|ids| ids.iter().all(|id| asked.iter().any(|(asked, _)| asked == id)));
    must!(fit, "{asked:?} is answered by {answers:?}");
    let none = bench.world.installer.query(&[]).await.map_err(|error| error.to_string())?;
    must!(none.is_empty(), "no question is answered by {none:?}");
    Ok(())
}

pub(super) async fn recall(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let (done, never) = (bench.install(0)?, bench.install(1)?);
    bench.carry_out(&done).await?;
    let answers = bench.recall(&[&done, &never]).await?;
    must!(ids_once(&answers).is_some_and(|ids| ids.len() == 2), "two orders are answered by {answers:?}");
    let has = |order: &Order, answer| answers.contains(&(order.id(), answer));
    must!(has(&done, RecallAnswer::AlreadyStarted), "one of them has ended: {answers:?}");
    must!(has(&never, RecallAnswer::Unknown), "one of them was never seen: {answers:?}");
    Ok(())
}

pub(super) async fn recalled(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    if !bench.world.installer.capabilities().recalls {
        return Err(Stop::Lacking("the installer says that it does not recall".into()));
    }
    let stall = bench.stall(0)?;
    let at_work = bench.install(0)?;
    bench.give(&at_work).await?;
    bench.begun(&at_work).await?;
    let queued = bench.desk.revert(&at_work).map_err(no_order)?;
    bench.give(&queued).await?;
    let answers = bench.recall(&[&queued]).await?;
    must!(
        answers == [(queued.id(), RecallAnswer::Recalled)],
        "an order in the queue is answered {answers:?}"
    );
    drop(stall);
    must!(bench.ended(&at_work).await?, "the order before it failed");
    bench.must_not_succeed(&queued).await?;
    bench.must_have_target(at_work.endpoint(), &at_work).await
}

pub(super) async fn recall_comes_too_late(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let stall = bench.stall(0)?;
    let at_work = bench.install(0)?;
    bench.give(&at_work).await?;
    bench.begun(&at_work).await?;
    let answers = bench.recall(&[&at_work]).await?;
    must!(answers == [(at_work.id(), RecallAnswer::AlreadyStarted)], "it is answered {answers:?}");
    drop(stall);
    must!(bench.ended(&at_work).await?, "it was at work, was recalled, and failed");
    bench.must_have_target(at_work.endpoint(), &at_work).await
}
