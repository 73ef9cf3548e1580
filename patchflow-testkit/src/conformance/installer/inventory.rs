//! Pages of endpoints, and levels read anew.

use super::bench::{Bench, must, nowhere};
use super::{InstallerBuilder, Stop};
use patchflow_core::ids::EndpointId;
use patchflow_core::inventory::EndpointRecord;
use patchflow_core::rollout::Level;
use patchflow_core::sdk::{Cursor, PluginKind, negotiate};

pub(super) async fn manifest(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let bench = Bench::new(builder, place).await?;
    let fits = negotiate(&bench.world.inventory.manifest(), PluginKind::Inventory, &[]);
    must!(fits.is_ok(), "{}", fits.err().map(|error| error.to_string()).unwrap_or_default());
    Ok(())
}

/// Reads on from a cursor until there is no more.
async fn read_on(
    bench: &Bench<'_>,
    since: Option<Cursor>,
    limit: usize,
) -> Result<(Vec<EndpointRecord>, Cursor), Stop> {
    let (mut items, mut cursor) = (Vec::new(), since);
    for _ in 0..1000 {
        let page =
            bench.world.inventory.page(cursor.as_ref(), limit).await.map_err(|error| error.to_string())?;
        must!(page.items.len() <= limit, "a page of at most {limit} has {}", page.items.len());
        items.extend(page.items);
        if !page.more {
            return Ok((items, page.next));
        }
        cursor = Some(page.next);
    }
    Err(Stop::Violated("after 1000 pages there are still more".into()))
}

fn names(records: &[EndpointRecord]) -> Vec<EndpointId> {
    let mut names: Vec<_> = records.iter().map(|record| record.id.clone()).collect();
    names.sort();
    names
}

pub(super) async fn all_once(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let bench = Bench::new(builder, place).await?;
    let mut expected = bench.world.endpoints.clone();
    expected.sort();
    for limit in [1, 2, 1000] {
        let (records, _) = read_on(&bench, None, limit).await?;
        let shown = names(&records);
        must!(shown == expected, "pages of {limit} show {shown:?}, there are {expected:?}");
    }
    Ok(())
}

pub(super) async fn unchanged(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let bench = Bench::new(builder, place).await?;
    let (_, cursor) = read_on(&bench, None, 2).await?;
    let (records, cursor) = read_on(&bench, Some(cursor), 2).await?;
    must!(records.is_empty(), "nothing changed, and {:?} is shown", names(&records));
    let (records, _) = read_on(&bench, Some(cursor), 2).await?;
    must!(records.is_empty(), "nothing changed, and the second time {:?} is shown", names(&records));
    Ok(())
}

fn shows(records: &[EndpointRecord], endpoint: &EndpointId, bench: &Bench<'_>) -> bool {
    let target = &bench.world.patch.target;
    let of = records.iter().filter(|record| record.id == *endpoint);
    of.flat_map(|record| &record.installed)
        .any(|has| has.package == target.package && has.version == target.version)
}

pub(super) async fn changed(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let (_, cursor) = read_on(&bench, None, 1000).await?;
    let order = bench.install(1)?;
    bench.carry_out(&order).await?;
    let (records, _) = read_on(&bench, Some(cursor), 1000).await?;
    must!(names(&records) == [bench.endpoint(1)], "one endpoint changed, and {:?} is shown", names(&records));
    must!(shows(&records, order.endpoint(), &bench), "the target is not shown: {records:?}");
    Ok(())
}

pub(super) async fn cursor_again(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let (_, cursor) = read_on(&bench, None, 1000).await?;
    let order = bench.install(1)?;
    bench.carry_out(&order).await?;
    for time in ["first", "second"] {
        let (records, _) = read_on(&bench, Some(cursor.clone()), 1000).await?;
        must!(shows(&records, order.endpoint(), &bench), "the {time} time it shows {:?}", names(&records));
    }
    Ok(())
}

pub(super) async fn levels(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let orders = [bench.install(0)?, bench.install(1)?];
    // Before anything was installed: what the order wants is not what stands.
    bench.must_have_prior(orders[0].endpoint(), &orders[0]).await?;
    bench.carry_out(&orders[0]).await?;
    let looks = orders.each_ref().map(|order| bench.look(order.id(), order.endpoint().clone()));
    let reads = bench.world.inventory.inspect(&looks).await;
    must!(reads.len() == 2, "two looks are answered by {reads:?}");
    let versions = [&bench.world.patch.target.version, &bench.world.prior];
    for (order, wanted) in orders.iter().zip(versions) {
        let fits = |level: &Level<'_>| matches!(level, Level::Version { version, .. } if version == wanted);
        let found = reads.iter().any(|read| read.order == order.id() && fits(&read.level));
        must!(found, "{} has {wanted}, and the looks are answered by {reads:?}", order.endpoint());
    }
    Ok(())
}

pub(super) async fn unknown_endpoint(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let id = bench.install(0)?.id();
    let level = bench.level_of(bench.look(id, nowhere())).await?;
    must!(matches!(level, Level::Unreadable { .. }), "its level is {level:?}");
    Ok(())
}

pub(super) async fn absent(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let mut bench = Bench::new(builder, place).await?;
    let id = bench.install(0)?.id();
    let mut look = bench.look(id, bench.endpoint(0));
    look.target = bench.absent_package().into();
    let level = bench.level_of(look).await?;
    must!(level == Level::Absent, "its level is {level:?}");
    Ok(())
}

pub(super) async fn foreign_cursor(builder: &dyn InstallerBuilder, place: &str) -> Result<(), Stop> {
    let bench = Bench::new(builder, place).await?;
    let mut expected = bench.world.endpoints.clone();
    expected.sort();
    for text in ["", "another backend's", "1:2:3:4:5", "\u{0}"] {
        let cursor = Cursor(text.to_owned());
        if let Ok(page) = bench.world.inventory.page(Some(&cursor), 1000).await {
            let shown = names(&page.items);
            must!(shown == expected, "the cursor {text:?} shows {shown:?}, there are {expected:?}");
        }
    }
    Ok(())
}
