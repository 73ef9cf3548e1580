//! Directs the story: publishes, sets up the fault, waits, and knows when it is over.
//!
//! It keeps nothing in memory that matters: after a kill at any moment it sees from the fleet and the directory how
//! far the story has come.

use crate::error::{Error, Result, because};
use crate::look::{Follower, Look};
use crate::run::{Run, write_whole};
use crate::screen::Screen;
use crate::story::{App, BAD, FLAKY, GOOD, faults, policy};
use crate::world::World;
use patchflow_backends::host::identify::Identifier;
use patchflow_backends::host::{AskError, HostHandle};
use patchflow_core::fleet::{Command, Fleet, Request};
use patchflow_core::ids::{Actor, FleetId, PatchId, RequestId};
use patchflow_core::rollout::RingState;
use patchflow_core::sdk::Clock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) const FLEET: FleetId = FleetId(1);

/// How long nothing may happen before the story counts as stuck.
const STUCK_SECS: u64 = 180;

/// On which hosts the flaky update fails; `faults.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Faults {
    pub(crate) always: BTreeSet<String>,
    pub(crate) once: BTreeSet<String>,
}

impl Faults {
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>> {
        let file = dir.join("faults.json");
        if !file.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&file).map_err(because("could not read faults.json"))?;
        serde_json::from_slice(&text).map(Some).map_err(because("faults.json cannot be read"))
    }
}

/// How it went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// Every update has come to its end.
    Over,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

pub(crate) struct Director<'a> {
    pub(crate) dir: PathBuf,
    pub(crate) run: &'a Run,
    pub(crate) world: &'a World,
    pub(crate) host: HostHandle,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) identifier: Identifier,
    pub(crate) follower: Follower,
    pub(crate) screen: Screen,
    pub(crate) interrupted: &'a AtomicBool,
}

impl Director<'_> {
    /// Until the story is over, or interrupted.
    pub(crate) async fn direct(&mut self) -> Result<Course> {
        match self.host.found(FLEET, "quickstart", self.run.seed).await {
            Ok(()) | Err(AskError::FleetExists(_)) => {}
            Err(error) => return Err(because("could not found the fleet")(error)),
        }
        // What an earlier process saw of this is old news.
        self.follower.catch_up().await?;
        let mut identified = BTreeSet::new();
        let mut moved = (None, self.clock.now());
        loop {
            if self.interrupted.load(Ordering::SeqCst) {
                return Ok(Course::Interrupted);
            }
            let look = self.look().await?;
            if look.seq != moved.0 {
                moved = (look.seq, self.clock.now());
            } else if self.clock.now().since(moved.1).as_secs() > STUCK_SECS {
                let told = Screen::told(&look);
                return Err(Error::new(format!("nothing has happened for {STUCK_SECS} s: {told}")));
            }
            if !look.has_policy {
                self.adopt().await?;
            } else if !self.identify(&look, &mut identified, &[GOOD, FLAKY]).await? {
                self.set_faults(&look)?;
                let first_over = look.is_over(&GOOD) && look.is_over(&FLAKY);
                if first_over && !self.identify(&look, &mut identified, &[BAD]).await? && look.is_over(&BAD) {
                    self.look().await?;
                    return Ok(Course::Over);
                }
            }
            self.clock.sleep_until(self.clock.now().plus(std::time::Duration::from_millis(100))).await;
        }
    }

    async fn look(&mut self) -> Result<Look> {
        let look = Look::now(&self.host, FLEET).await?;
        self.screen.show(&look);
        for event in self.follower.catch_up().await? {
            self.screen.event(event);
        }
        Ok(look)
    }

    async fn adopt(&self) -> Result<()> {
        let request = Request {
            id: RequestId::from("adopt-policy"),
            by: Actor::new("quickstart", ["owner"]),
            expect: None,
            ask: Command::AdoptPolicy { policy: Box::new(policy(self.run.speed)) },
        };
        self.host.request(FLEET, request).await.map(drop).map_err(because("the policy was not adopted"))
    }

    /// Publishes some updates and identifies what is missing, once in each process: an earlier one may have come only
    /// half-way. Whether there was anything to do.
    async fn identify(
        &mut self,
        look: &Look,
        done: &mut BTreeSet<&'static str>,
        apps: &[App],
    ) -> Result<bool> {
        if apps.iter().all(|app| done.contains(app.package) || look.is_over(app)) {
            return Ok(false);
        }
        for app in apps {
            self.world.place.publish(app)?;
            done.insert(app.package);
        }
        let round = self.identifier.round(&self.host, &*self.world.inventory).await;
        let round = round.map_err(because("could not identify what is missing"))?;
        self.screen.say(&format!(
            "         {} endpoints read; patches known: {}, advisories: {}; installations missing: {}",
            round.endpoints, round.patches, round.advisories, round.needs
        ));
        let names: Vec<PatchId> = apps.iter().map(|app| PatchId::from(app.patch())).collect();
        let found = self.host.with_fleet(FLEET, move |fleet| why_found(fleet, &names)).await;
        for line in found.map_err(because("could not look at the fleet"))? {
            self.screen.say(&format!("         {line}"));
        }
        Ok(true)
    }

    /// As soon as it is known who is in the last ring, some of them get a fault that the flaky update's script trips
    /// over. That ring opens long after.
    fn set_faults(&self, look: &Look) -> Result<()> {
        let Some(rollout) = look.app(&FLAKY).and_then(|app| app.rollout.as_ref()) else { return Ok(()) };
        if Faults::read(&self.dir)?.is_some() {
            return Ok(());
        }
        if rollout.rings.last().is_some_and(|(_, state)| *state != RingState::Pending) {
            return Err(Error::new(
                "the last ring opened before the fault was set up; start again with another --out",
            ));
        }
        let (always, once) = faults(rollout.last_ring.len());
        let names = |skip: usize, n: usize| rollout.last_ring.iter().skip(skip).take(n).cloned().collect();
        let faults = Faults { always: names(0, always), once: names(always, once) };
        for host in &faults.always {
            self.world.place.set_fault(host, 1000)?;
        }
        for host in &faults.once {
            self.world.place.set_fault(host, 1)?;
        }
        // Last, so that a kill in between sets all of it up again.
        let text = serde_json::to_vec_pretty(&faults).map_err(because("could not write faults.json"))?;
        write_whole(&self.dir.join("faults.json"), &text)
    }
}

/// For each patch that an advisory called for: which advisory, how urgent it is, and until when.
fn why_found(fleet: &Fleet, patches: &[PatchId]) -> Vec<String> {
    let of = |name: &PatchId| {
        let identified = fleet.candidate(fleet.candidate_of(name)?)?.identified();
        let said_by: Vec<&str> =
            identified.patch().closes.iter().flat_map(|closed| &closed.said_by).map(String::as_str).collect();
        let risk = identified.risk();
        let due = risk.due.map_or_else(String::new, |due| format!(", due {due}"));
        let line =
            || format!("{name}: {} calls for it; {}, {}{due}", said_by.join(", "), risk.priority, risk.why);
        (!said_by.is_empty()).then(line)
    };
    patches.iter().filter_map(of).collect()
}
