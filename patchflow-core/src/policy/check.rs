//! What a policy must not contradict: every finding at once.

use super::{Approval, Policy, RingSize};
use crate::digest::Digest;
use crate::error::Finding;
use crate::gate::Percent;
use crate::schedule::Schedule;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl Policy {
    /// Everything that contradicts itself or would never act. Empty means that the policy may be adopted.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut say = |path: String, message: &str| found.push(Finding::new(path, message));
        if self.rings.is_empty() {
            say("rings".into(), "there is none; at least one ring is needed");
        }
        if self.rings.len() > 100 {
            say("rings".into(), "more than 100; members count their ring in one byte");
        }
        let mut last: Option<Percent> = None;
        for (i, ring) in self.rings.iter().enumerate() {
            if self.rings[..i].iter().any(|other| other.name == ring.name) {
                say(format!("rings[{i}].name"), &format!("`{}` is used twice", ring.name));
            }
            match ring.size {
                RingSize::Percent { cumulative } => {
                    if last.is_some_and(|last| cumulative <= last) || cumulative.thousandths() == 0 {
                        say(
                            format!("rings[{i}].size"),
                            "percentages are cumulative and strictly rising, from above 0",
                        );
                    }
                    last = Some(cumulative);
                }
                RingSize::Count { endpoints: 0 } => {
                    say(format!("rings[{i}].size"), "a ring of 0 endpoints tests nothing")
                }
                RingSize::Count { .. } | RingSize::Selector { .. } => {}
            }
        }
        if last.is_some_and(|last| last != Percent::FULL) {
            let message =
                format!("percentages end at {}; the last one must be 100", last.unwrap_or(Percent::FULL));
            say("rings".into(), &message);
        }
        if let Some(waiver) = &self.single_ring
            && (waiver.by.is_empty() || waiver.reason.is_empty())
        {
            say("single_ring".into(), "a waiver needs a name and a reason");
        }
        if let Some(waiver) = &self.rollback.without_path
            && (waiver.by.is_empty() || waiver.reason.is_empty())
        {
            say("rollback.without_path".into(), "a waiver needs a name and a reason");
        }
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
        let deploy = &self.deploy;
        for (name, value) in [
            ("in_flight_max", deploy.in_flight_max),
            ("start_within_secs", deploy.start_within_secs),
            ("acknowledge_within_secs", deploy.acknowledge_within_secs),
            ("report_within_secs", deploy.report_within_secs),
            ("inspect_within_secs", deploy.inspect_within_secs),
            ("resync_after_secs", deploy.resync_after_secs),
        ] {
            if value == 0 {
                say(format!("deploy.{name}"), "0 lets nothing happen; 1 is the least");
            }
        }
        if self.retry.attempts_max == 0 {
            say("retry.attempts_max".into(), "0 attempts install nothing; 1 is the least");
        }
        if self.retry.backoff_secs_max < self.retry.backoff_secs {
            say("retry.backoff_secs_max".into(), "less than backoff_secs");
        }
        if self.trial.endpoints_max == 0 {
            say("trial.endpoints_max".into(), "a trial on 0 endpoints tests nothing");
        }
        if let Schedule::Weekly { windows, .. } = &self.schedule {
            if windows.is_empty() {
                say(
                    "schedule.windows".into(),
                    "without a window nothing ever starts; say `anytime` if that is meant",
                );
            }
            for (i, window) in windows.iter().enumerate() {
                if window.opens_minute >= 1440 {
                    say(format!("schedule.windows[{i}].opens_minute"), "a day has the minutes 0 to 1439");
                }
                if window.open_minutes == 0 || window.open_minutes > 10_080 {
                    say(
                        format!("schedule.windows[{i}].open_minutes"),
                        "a window is open for 1 to 10080 minutes",
                    );
                }
            }
            let needed = u64::from(deploy.expected_secs);
            let longest = windows.iter().map(|window| u64::from(window.open_minutes) * 60).max().unwrap_or(0);
            if !windows.is_empty() && needed > longest {
                say("deploy.expected_secs".into(), "longer than every window: nothing would ever start");
            }
        }
        found
    }

    /// The digest of the policy's whole text.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // Plain data without maps: serialization cannot fail.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}
