//! Did the story end as it should? Every check looks at the report, at the endpoints themselves, or at both.

use crate::director::Faults;
use crate::error::{Result, because};
use crate::story::{APPS, ATTEMPTS, App, BAD, FLAKY, GOOD};
use crate::world::World;
use patchflow_core::error::FailureKind;
use patchflow_core::inventory::{EndpointRecord, Environment};
use patchflow_core::report::{EndpointSummary, Outcome, RolloutSummary, Summary};
use patchflow_core::rollout::{Phase, RingState, RolloutKind, RolloutState};
use std::collections::BTreeMap;

/// One thing that was checked.
pub(crate) struct Check {
    pub(crate) holds: bool,
    pub(crate) text: String,
}

/// Looks at everything once more. The endpoints are read anew.
pub(crate) async fn checks(summary: &Summary, world: &World, faults: &Faults) -> Result<Vec<Check>> {
    let mut records = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = world
            .inventory
            .page(cursor.as_ref(), 1000)
            .await
            .map_err(because("could not read the endpoints"))?;
        records.extend(page.items.into_iter().map(|record| (record.id.to_string(), record)));
        if !page.more {
            break;
        }
        cursor = Some(page.next);
    }
    let mut checks = vec![good(summary), bad_is_halted(summary), bad_is_gone(summary, &records)];
    checks.push(flaky_is_retried(summary, faults));
    checks.push(flaky_remains_are_told(summary, faults));
    checks.push(databases_agree(summary, &records));
    checks.push(nothing_twice(world, faults)?);
    Ok(checks)
}

fn check(holds: bool, text: String) -> Check {
    Check { holds, text }
}

fn pairs<'a>(
    summary: &'a Summary,
    app: &App,
) -> impl Iterator<Item = (&'a EndpointSummary, &'a Outcome)> + use<'a> {
    let id = summary.candidates.iter().find(|c| c.patch == app.patch()).map(|c| c.id);
    summary
        .endpoints
        .iter()
        .flat_map(move |e| e.outcomes.iter().filter(move |o| Some(o.candidate) == id).map(move |o| (e, o)))
}

fn deployment<'a>(summary: &'a Summary, app: &App) -> Option<&'a RolloutSummary> {
    summary.rollouts.iter().find(|r| r.kind == RolloutKind::Deployment && r.patch == app.patch())
}

fn good(summary: &Summary) -> Check {
    let all = pairs(summary, &GOOD).count();
    let verified = pairs(summary, &GOOD).filter(|(_, o)| o.phase == Some(Phase::Verified)).count();
    let holds = verified == all && all == summary.endpoints.len();
    check(
        holds,
        format!("{} is verified on {verified} of {} endpoints", GOOD.patch(), summary.endpoints.len()),
    )
}

fn bad_is_halted(summary: &Summary) -> Check {
    let rollout = deployment(summary, &BAD);
    let halted = rollout.is_some_and(|rollout| {
        rollout.state == RolloutState::Halted
            && rollout.rings.first().is_some_and(|ring| ring.state == RingState::Halted)
            && rollout.rings.iter().skip(1).all(|ring| ring.state == RingState::Pending)
    });
    let tried = pairs(summary, &BAD)
        .filter(|(e, o)| e.environment == Environment::NonProduction && o.phase == Some(Phase::Verified));
    let tried = tried.count();
    check(
        halted && tried > 0,
        format!("{} passed its trial on {tried} endpoints and was halted in the pilot ring", BAD.patch()),
    )
}

fn bad_is_gone(summary: &Summary, records: &BTreeMap<String, EndpointRecord>) -> Check {
    let production = || pairs(summary, &BAD).filter(|(e, _)| e.environment == Environment::Production);
    let back = production().filter(|(_, o)| o.phase == Some(Phase::RolledBack)).count();
    let untouched = production().filter(|(_, o)| o.attempts == 0).count();
    let still = production().filter(|(e, _)| installed(records, &e.id, &BAD) != Some(BAD.from)).count();
    let holds = back > 0 && still == 0 && back + untouched == production().count();
    check(
        holds,
        format!(
            "it was rolled back on {back} production endpoint(s), is held there, and never reached the other {untouched}"
        ),
    )
}

fn flaky_is_retried(summary: &Summary, faults: &Faults) -> Check {
    let flawed = || pairs(summary, &FLAKY).filter(|(e, _)| faults.once.contains(&e.id));
    let healed = flawed().filter(|(_, o)| o.phase == Some(Phase::Verified)).count();
    // After a kill in its middle, the repair of the package database was the second try.
    let retried = flawed().filter(|(_, o)| o.phase == Some(Phase::Verified) && o.attempts > 1).count();
    let all = faults.once.len();
    let text = format!(
        "{} failed once on {all} endpoint(s); {healed} are verified, {retried} by a retry",
        FLAKY.patch()
    );
    check(healed == all && all > 0, text)
}

fn flaky_remains_are_told(summary: &Summary, faults: &Faults) -> Check {
    let remains: Vec<_> = pairs(summary, &FLAKY).filter(|(_, o)| o.phase != Some(Phase::Verified)).collect();
    // Who is killed during the last attempt has another reason than the script.
    let told = remains.iter().filter(|(e, o)| {
        let why = o.reason.as_ref().map(|(kind, _)| *kind);
        let known = matches!(why, Some(FailureKind::ScriptFailed | FailureKind::Interrupted));
        faults.always.contains(&e.id) && o.attempts == ATTEMPTS && known
    });
    let told = told.count();
    let holds = told == faults.always.len() && told == remains.len() && told > 0;
    check(
        holds,
        format!(
            "it kept failing on {told} endpoint(s) after {ATTEMPTS} attempts; they are back at {} and reported",
            FLAKY.from
        ),
    )
}

fn installed<'a>(records: &'a BTreeMap<String, EndpointRecord>, id: &str, app: &App) -> Option<&'a str> {
    let software = records.get(id)?.installed.iter().find(|software| software.package.name == app.package)?;
    software.intact.then_some(software.version.as_str())
}

fn databases_agree(summary: &Summary, records: &BTreeMap<String, EndpointRecord>) -> Check {
    let mut read = 0;
    let mut wrong = Vec::new();
    for app in &APPS {
        for (endpoint, outcome) in pairs(summary, app) {
            let wanted = if outcome.phase == Some(Phase::Verified) { app.to } else { app.from };
            read += 1;
            if installed(records, &endpoint.id, app) != Some(wanted) {
                wrong.push(format!("{} on {}", app.package, endpoint.id));
            }
        }
    }
    let text = format!("{read} package versions were read anew, and all are what the report says");
    if wrong.is_empty() {
        check(true, text)
    } else {
        check(false, format!("not what the report says: {}", wrong.join(", ")))
    }
}

fn nothing_twice(world: &World, faults: &Faults) -> Result<Check> {
    let mut doubled = Vec::new();
    for host in &world.hosts {
        for app in &APPS {
            let installs = world.place.installs(&host.id, app)?;
            let flawed = faults.always.contains(&host.id) && app.package == FLAKY.package;
            if installs > 1 || (flawed && installs > 0) {
                doubled.push(format!("{} on {} ({installs} times)", app.package, host.id));
            }
        }
    }
    let text = if doubled.is_empty() {
        "no update was installed twice, by the endpoints' own logs".to_owned()
    } else {
        format!("installed more than once: {}", doubled.join(", "))
    };
    Ok(check(doubled.is_empty(), text))
}
