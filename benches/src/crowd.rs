//! Many rollouts on one fleet, whose endpoints go by many calendars and do at once what they are told.

use crate::rig::{self, AFTER, Names, Rig, Setup};
use patchflow_core::digest::Digest;
use patchflow_core::fleet::{Effect, NeedSeen, Observation, Standing};
use patchflow_core::ids::{EndpointIx, OrderId, PatchId};
use patchflow_core::plan::{RollbackPath, RolloutDraft};
use patchflow_core::rollout::{Health, Inspection, Level, Order, Report, ReportKind};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

/// Each patch is needed by one endpoint in so many.
const SHARE: u32 = 20;

/// A fleet with many rollouts under way.
#[derive(Debug)]
pub struct Crowd(Rig);

impl Crowd {
    /// Starts so many rollouts, each over a twentieth of the endpoints, under a policy with so many calendars.
    #[must_use]
    pub fn started(names: &Names, rollouts: u32, calendars: u32) -> Self {
        let setup = Setup { calendars, ..Setup::at_once(names) };
        let mut rig = Rig::empty(names, setup);
        let present: Arc<str> = rig::BEFORE.into();
        for i in 0..rollouts {
            let mut patch = rig::patch();
            patch.id = PatchId::from(format!("package-{i}=3.0.22-1"));
            patch.target.package = rig::package(&format!("package-{i}"));
            patch.content = Digest::of(patch.id.to_string().as_bytes());
            rig.observe(Observation::Published { patch: Cow::Borrowed(&patch) });
            let candidate = rig.fleet.candidate_of(&patch.id).expect("it was published");
            let needs = (i % SHARE..names.count()).step_by(SHARE as usize).map(|endpoint| NeedSeen {
                endpoint: EndpointIx(endpoint),
                standing: Standing::Needs,
                present: Some(present.clone()),
                path: RollbackPath::Reinstall,
                path_valid_until: None,
                why: None,
            });
            rig.observe(Observation::Needs { candidate, needs: needs.collect() });
            rig.observe(Observation::Identified);
            rig.start_draft(RolloutDraft::of(candidate));
            rig.pack();
        }
        Self(rig)
    }

    /// Memberships of endpoints in rollouts.
    #[must_use]
    pub fn members(&self) -> usize {
        self.0.fleet.rollouts().map(|rollout| rollout.members().len()).sum()
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.now
    }

    /// When the fleet wants to look at the clock.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.0.fleet.next_deadline()
    }

    /// Time goes by.
    pub fn pass_to(&mut self, at: Timestamp) {
        self.0.now = at;
        self.0.observe(Observation::Time);
    }

    /// Stores what is to be stored and does what is asked until nothing is; how many facts that were.
    pub fn carry_out(&mut self) -> u64 {
        let before = self.0.facts;
        loop {
            let effects = self.0.pack_and_take();
            if effects.is_empty() {
                return self.0.facts - before;
            }
            for effect in effects {
                match effect {
                    Effect::Submit(Order::Install(order)) => {
                        self.report(order.id(), ReportKind::Acknowledged);
                        self.report(order.id(), ReportKind::Done);
                    }
                    Effect::Inspect(look) => {
                        let level = Level::Version { version: Cow::Borrowed(AFTER), intact: true };
                        let seen = Inspection {
                            order: look.order,
                            level,
                            reboot_required: false,
                            health: Health::Passed,
                        };
                        self.0.observe(Observation::Inspected(seen));
                    }
                    Effect::Submit(Order::Revert(_) | Order::Reboot(_))
                    | Effect::Recall { .. }
                    | Effect::Query { .. }
                    | Effect::AskApproval { .. }
                    | Effect::RunHook(_)
                    | Effect::Stage(_)
                    | Effect::Unstage { .. }
                    | Effect::Wake(_)
                    | Effect::Scan { .. }
                    | Effect::Notify(_) => {}
                }
            }
        }
    }

    fn report(&mut self, order: OrderId, kind: ReportKind<'static>) {
        self.0.observe(Observation::Reported(Report { order, kind }));
    }
}
