//! What the program looks at while the fleet is under way: the fleet's state, and the journal as it grows.

use crate::error::{Result, because};
use crate::story::{APPS, App};
use patchflow_backends::host::HostHandle;
use patchflow_core::fleet::Fleet;
use patchflow_core::gate::Counts;
use patchflow_core::ids::{CandidateId, FleetId, PatchId, Seq};
use patchflow_core::journal::{Tail, decode};
use patchflow_core::report::{History, TimelineEntry};
use patchflow_core::rollout::{RingState, Rollout, RolloutKind, RolloutState};
use patchflow_core::sdk::JournalStore;
use std::sync::Arc;

/// The fleet at one moment, as far as the story is concerned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    pub(crate) seq: Option<Seq>,
    pub(crate) has_policy: bool,
    pub(crate) apps: Vec<AppLook>,
}

/// One application's update.
#[derive(Clone, Debug)]
pub(crate) struct AppLook {
    pub(crate) app: App,
    pub(crate) candidate: Option<CandidateId>,
    /// The candidate's state in words; `None` before it is identified.
    pub(crate) state: Option<&'static str>,
    pub(crate) asked: bool,
    pub(crate) trial: Option<RolloutLook>,
    pub(crate) rollout: Option<RolloutLook>,
}

#[derive(Clone, Debug)]
pub(crate) struct RolloutLook {
    pub(crate) state: RolloutState,
    pub(crate) at_rest: bool,
    pub(crate) counts: Counts,
    pub(crate) rings: Vec<(String, RingState)>,
    /// The members of the last ring, by name.
    pub(crate) last_ring: Vec<String>,
}

impl AppLook {
    /// Whether nothing more will happen by itself.
    pub(crate) fn is_over(&self) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| rollout.at_rest)
    }
}

impl Look {
    pub(crate) fn app(&self, app: &App) -> Option<&AppLook> {
        self.apps.iter().find(|look| look.app.package == app.package)
    }

    pub(crate) fn is_over(&self, app: &App) -> bool {
        self.app(app).is_some_and(AppLook::is_over)
    }

    fn at(fleet: &Fleet) -> Self {
        let apps = APPS.iter().map(|app| {
            let id = fleet.candidate_of(&PatchId::from(app.patch()));
            let of_kind = |kind| {
                fleet
                    .rollouts()
                    .filter(|r| Some(r.candidate()) == id && r.kind() == kind)
                    .last()
                    .map(|r| look_at(fleet, r))
            };
            AppLook {
                app: *app,
                candidate: id,
                state: id.and_then(|id| fleet.candidate(id)).map(patchflow_core::candidate::Candidate::state),
                asked: id.is_some_and(|id| fleet.ask(id).is_some()),
                trial: of_kind(RolloutKind::Trial),
                rollout: of_kind(RolloutKind::Deployment),
            }
        });
        Self { seq: Some(fleet.seq()), has_policy: fleet.policy().is_some(), apps: apps.collect() }
    }

    /// Asks the host.
    pub(crate) async fn now(host: &HostHandle, fleet: FleetId) -> Result<Self> {
        host.with_fleet(fleet, Self::at).await.map_err(because("could not look at the fleet"))
    }
}

fn look_at(fleet: &Fleet, rollout: &Rollout) -> RolloutLook {
    let names = |range: std::ops::Range<usize>| {
        let members = rollout.members().get(range).unwrap_or_default();
        members
            .iter()
            .filter_map(|member| fleet.endpoint_id(member.endpoint()))
            .map(ToString::to_string)
            .collect()
    };
    RolloutLook {
        state: rollout.state(),
        at_rest: rollout.is_at_rest(),
        counts: rollout.counts(),
        rings: rollout.rings().iter().map(|ring| (ring.name().to_owned(), ring.state())).collect(),
        last_ring: rollout.rings().last().map(|ring| names(ring.range())).unwrap_or_default(),
    }
}

/// Reads the journal while it grows, and folds it into a history.
pub(crate) struct Follower {
    store: Arc<dyn JournalStore>,
    fleet: FleetId,
    tail: Tail,
    history: History,
}

impl Follower {
    pub(crate) fn new(store: Arc<dyn JournalStore>, fleet: FleetId) -> Self {
        Self { store, fleet, tail: Tail::EMPTY, history: History::default() }
    }

    /// Reads what is new; returns the new lines of the timeline.
    pub(crate) async fn catch_up(&mut self) -> Result<&[TimelineEntry]> {
        let told = self.history.timeline().len();
        loop {
            let records = self.store.read(self.fleet, self.tail.next, 1 << 20).await;
            let records = records.map_err(because("could not read the journal"))?;
            if records.is_empty() {
                break;
            }
            let mut facts = decode(self.fleet, self.tail, records);
            for fact in &mut facts {
                self.history.note(&fact.map_err(because("could not read the journal"))?);
            }
            self.tail = facts.tail();
        }
        Ok(self.history.timeline().get(told..).unwrap_or_default())
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// Where the journal ends, as far as it was read and verified.
    pub(crate) fn tail(&self) -> Tail {
        self.tail
    }
}
