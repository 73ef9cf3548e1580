//! The happy road, and what people see on it.

use super::*;
use patchflow_core::fleet::Fleet;
use patchflow_core::rollout::RolloutKind;

#[test]
fn a_patch_goes_from_identified_to_verified_on_every_endpoint_once() {
    let lab = Lab::new(2, 8);
    let completed = lab.run(async |host| {
        lab.set_up(host, policy()).await;
        lab.deployed(host).await
    });
    assert!(completed);
    assert_eq!(lab.world.levels(), vec![("2".to_owned(), 1); 10]);
    assert!(
        lab.world
            .notices()
            .iter()
            .any(|(fleet, notice)| *fleet == FLEET && notice.text.contains("completed"))
    );
}

#[test]
fn alerts_of_a_ring_halt_its_rollout_and_are_counted_once_across_a_restart() {
    let lab = Lab::new(1, 8);
    let mut policy = policy();
    policy.rings.iter_mut().for_each(|ring| ring.gate.max_alerts = Some(2));
    let alerts = |fleet: &Fleet| {
        let pilot = fleet.rollouts().find(|rollout| rollout.kind() == RolloutKind::Deployment)?;
        let ring = &pilot.rings()[0];
        Some((
            ring.counts().verified,
            ring.alerts(),
            pilot.halt().is_some(),
            pilot.members()[ring.range()][0].endpoint(),
        ))
    };
    let noisy = lab.run(async |host| {
        lab.set_up(host, policy.clone()).await;
        let noisy = loop {
            if let Some((2, _, _, endpoint)) = host.with_fleet(FLEET, alerts).await.unwrap() {
                break host
                    .with_fleet(FLEET, move |fleet| fleet.endpoint_id(endpoint).cloned())
                    .await
                    .unwrap()
                    .unwrap();
            }
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(10))).await;
        };
        lab.world.alert(noisy.clone());
        lab.world.alert(noisy.clone());
        while host.with_fleet(FLEET, alerts).await.unwrap().unwrap().1 < 2 {
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(10))).await;
        }
        noisy
    });
    // Two are allowed, and the restart does not count them again; the third is one too many.
    lab.run(async |host| {
        lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(30))).await;
        let (_, seen, halted, _) = host.with_fleet(FLEET, alerts).await.unwrap().unwrap();
        assert_eq!((seen, halted), (2, false));
        lab.world.alert(noisy);
        while !host.with_fleet(FLEET, alerts).await.unwrap().unwrap().2 {
            lab.clock.sleep_until(lab.clock.now().plus(Duration::from_secs(10))).await;
        }
        assert_eq!(host.with_fleet(FLEET, alerts).await.unwrap().unwrap().1, 3);
    });
}
