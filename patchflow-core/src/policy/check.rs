//! What a policy must not contradict: every finding at once.
//!
//! Each part checks itself, in its own file; what concerns several parts stands here.

use super::{Approval, DeployPolicy, Policy, WaiverByName};
use crate::digest::Digest;
use crate::error::Finding;
use crate::schedule::Schedule;
use crate::time::Timestamp;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Takes a finding: the path of the field, and what is wrong with it.
pub(crate) type Say<'a> = dyn FnMut(String, &str) + 'a;

pub(super) fn waiver(path: &str, waiver: Option<&WaiverByName>, say: &mut Say<'_>) {
    if waiver.is_some_and(|waiver| waiver.by.is_empty() || waiver.reason.is_empty()) {
        say(path.into(), "a waiver needs a name and a reason");
    }
}

pub(super) fn schedule(path: &str, schedule: &Schedule, deploy: &DeployPolicy, say: &mut Say<'_>) {
    for (i, freeze) in schedule.freezes().iter().enumerate() {
        if freeze.until <= freeze.from {
            let message = format!("ends {}, which is not after it begins: it freezes nothing", freeze.until);
            say(format!("{path}.freezes[{i}]"), &message);
        }
    }
    let Schedule::Weekly { windows, .. } = schedule else { return };
    if windows.is_empty() {
        say(
            format!("{path}.windows"),
            "without a window nothing ever starts; say `anytime` if that is meant",
        );
    }
    let mut sound = !windows.is_empty();
    for (i, window) in windows.iter().enumerate() {
        if window.opens_minute >= 1440 {
            sound = false;
            say(format!("{path}.windows[{i}].opens_minute"), "a day has the minutes 0 to 1439");
        }
        if window.open_minutes == 0 || window.open_minutes > 10_080 {
            sound = false;
            say(format!("{path}.windows[{i}].open_minutes"), "a window is open for 1 to 10080 minutes");
        }
    }
    // Windows that touch are one, so it is asked for an opening and not for a window.
    let needed = u64::from(deploy.expected_secs) + deploy.hooks.secs_max();
    if sound && schedule.without(false, true).next_open(Timestamp::default(), needed).is_none() {
        let hooks = if deploy.hooks.secs_max() > 0 { " with its hooks" } else { "" };
        say(
            "deploy.expected_secs".into(),
            &format!("{needed} s{hooks} is longer than every window of `{path}`: nothing would ever start"),
        );
    }
}

impl Policy {
    /// Everything that contradicts itself or would never act. Empty means that the policy may be adopted.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut say = |path: String, message: &str| found.push(Finding::new(path, message));
        super::ring::check(&self.rings, &mut say);
        waiver("single_ring", self.single_ring.as_ref(), &mut say);
        self.rollback.check(&mut say);
        self.check_people(&mut say);
        self.deploy.check(&mut say);
        for finding in self.risk.check() {
            say(format!("risk.{}", finding.path), &finding.message);
        }
        self.clock.check(&self.calendars, &mut say);
        super::operators::check(&self.operators, &mut say);
        self.budgets.check(&mut say);
        self.staging.check(self, &mut say);
        self.endpoints.check(&mut say);
        self.reboot.check(&mut say);
        self.retry.check(&mut say);
        self.trial.check(&mut say);
        schedule("schedule", &self.schedule, &self.deploy, &mut say);
        self.calendars.check(&self.deploy, &mut say);
        found
    }

    fn check_people(&self, say: &mut Say<'_>) {
        let people = core::iter::once(("otherwise".into(), &self.otherwise)).chain(
            self.approval.iter().enumerate().filter_map(|(i, rule)| match &rule.approval {
                Approval::Person(person) => Some((format!("approval[{i}]"), person)),
                Approval::Automatic { .. } => None,
            }),
        );
        for (path, person) in people.collect::<Vec<(String, _)>>() {
            if person.quorum == 0 {
                say(format!("{path}.quorum"), "0 people cannot approve; 1 is the least");
            }
            if person.expires_secs == 0 {
                say(format!("{path}.expires_secs"), "an approval that expires at once approves nothing");
            }
            if person.role.is_empty() {
                say(format!("{path}.role"), "an empty role is held by nobody");
            }
        }
    }

    /// The digest of the policy's whole text.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // Plain data without maps: serialization cannot fail.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}
