//! The scripted person who is asked for what no rule approves: thinks for a moment, reads, answers.

use async_trait::async_trait;
use patchflow_core::catalog::Category;
use patchflow_core::fleet::Effect;
use patchflow_core::ids::{Actor, FleetId};
use patchflow_core::sdk::{Approver, ApproverAnswer, BackendError, Clock, Manifest, PluginKind};
use patchflow_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Approves every question after some seconds, as a person who has read the trial's outcome would.
pub(crate) struct Person {
    clock: Arc<dyn Clock>,
    think_secs: u64,
    asked: Mutex<BTreeMap<(FleetId, u32), (Timestamp, ApproverAnswer)>>,
    /// Rings once for every question, so that whoever waits for answers looks again.
    bell: (async_channel::Sender<()>, async_channel::Receiver<()>),
}

impl Person {
    pub(crate) fn new(clock: Arc<dyn Clock>, think_secs: u64) -> Self {
        Self { clock, think_secs, asked: Mutex::default(), bell: async_channel::unbounded() }
    }

    /// When the next answer is ready, if anything was asked.
    fn next(&self) -> Option<Timestamp> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.values().map(|(at, _)| *at).min()
    }

    fn ready(&self) -> Vec<ApproverAnswer> {
        let now = self.clock.now();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let keys: Vec<_> = asked.iter().filter(|(_, (at, _))| *at <= now).map(|(key, _)| *key).collect();
        keys.iter().filter_map(|key| asked.remove(key)).map(|(_, answer)| answer).collect()
    }
}

#[async_trait]
impl Approver for Person {
    fn manifest(&self) -> Manifest {
        Manifest {
            name: "scripted-person".into(),
            version: semver::Version::new(0, 1, 0),
            sdk: semver::VersionReq::parse("^0.1").unwrap_or_default(),
            kinds: vec![PluginKind::Approver],
            capabilities: Vec::new(),
            configuration_schema: None,
        }
    }

    async fn ask(&self, fleet: FleetId, question: &Effect) -> Result<(), BackendError> {
        let Effect::AskApproval { ask, patch, role, .. } = question else { return Ok(()) };
        let reason = match patch.category {
            Category::Feature => "the regions wait for it, and the trial was clean",
            Category::Security | Category::Bugfix | Category::Driver | Category::Firmware => {
                "small, and the trial was clean"
            }
        };
        let by = Actor::new("ada", [role.as_str()]);
        let answer = ApproverAnswer { fleet, ask: *ask, by, approve: true, reason: reason.into() };
        let at = self.clock.now().plus_secs(self.think_secs);
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry((fleet, ask.0))
            .or_insert((at, answer));
        // The channel has no bound and lives as long as this does.
        let _ = self.bell.0.try_send(());
        Ok(())
    }

    async fn answers(&self) -> Result<Vec<ApproverAnswer>, BackendError> {
        loop {
            match self.next() {
                Some(at) => self.clock.sleep_until(at).await,
                None => drop(self.bell.1.recv().await),
            }
            let ready = self.ready();
            if !ready.is_empty() {
                return Ok(ready);
            }
        }
    }
}
