//! Content is brought through the installer before orders leave.

use super::{Lab, policy};
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
