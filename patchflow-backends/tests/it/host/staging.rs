//! Content is brought through the installer before orders leave.

use super::{Lab, policy};
use patchflow_backends::host::Backends;
use patchflow_core::sdk::BackendError;
use std::time::Duration;

#[test]
fn content_is_staged_through_the_installer_and_what_is_under_way_is_asked_for_again() {
    let lab = Lab::new(0, 4);
    let mut policy = policy();
    policy.trial.required_for.clear();
    policy.approval[0].approval =
        patchflow_core::policy::Approval::Automatic { requires_trial: false, delay_secs: 0 };
    policy.staging.required = true;
    lab.world.fail_stage(BackendError::retryable("the line is down", Duration::from_secs(1)));
    let completed = lab.run(async |host| {
        lab.set_up(host, policy.clone()).await;
        lab.deployed(host).await
    });
    assert!(completed);
    assert_eq!(lab.world.stages(), [2; 4], "one attempt each: under way, then there");
    assert!(lab.world.levels().iter().all(|(version, installs)| version == "2" && *installs == 1));
}

#[test]
fn a_policy_that_asks_an_installer_for_what_it_cannot_is_warned_of_before_it_is_adopted() {
    let lab = Lab::new(0, 1);
    let mut policy = policy();
    policy.staging.required = true;
    let backends = Backends::new(lab.world.clone(), lab.world.clone());
    assert_eq!(backends.findings(&policy), []);
    lab.world.stages_not();
    let findings = backends.findings(&policy);
    assert_eq!(
        findings.iter().map(|finding| finding.path.as_str()).collect::<Vec<_>>(),
        ["staging.required"]
    );
    assert!(findings[0].message.contains("the installer does not stage"), "{}", findings[0]);
    policy.staging.required = false;
    assert_eq!(backends.findings(&policy), []);
}
