//! Endpoints are asked to wake before their window, through whoever can.

use super::store::manifest;
use super::{End, FLEET, Lab, policy, simulate};
use async_trait::async_trait;
use patchflow_backends::host::Host;
use patchflow_core::fleet::{Observation, WakeOrder};
use patchflow_core::ids::FleetId;
use patchflow_core::policy::Approval;
use patchflow_core::schedule::{Schedule, Weekday, WeeklyWindow};
use patchflow_core::sdk::{BackendError, Clock, Manifest, PluginKind, Waker};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Asks, and fails at the first time.
#[derive(Default)]
struct Horn(Mutex<Vec<(FleetId, WakeOrder)>>);

#[async_trait]
impl Waker for Horn {
    fn manifest(&self) -> Manifest {
        manifest("horn", &[PluginKind::Waker])
    }

    async fn wake(&self, fleet: FleetId, order: &WakeOrder) -> Result<(), BackendError> {
        let mut asked = self.0.lock().unwrap();
        asked.push((fleet, order.clone()));
        if asked.len() == 1 {
            Err(BackendError::retryable("no line", Duration::from_secs(1)))
        } else {
            Ok(())
        }
    }
}

#[test]
fn endpoints_are_woken_where_the_host_can_and_left_where_it_cannot() {
    for can in [true, false] {
        let lab = Lab::new(0, 3);
        let horn = Arc::new(Horn::default());
        let mut policy = policy();
        policy.trial.required_for.clear();
        policy.approval[0].approval = Approval::Automatic { requires_trial: false, delay_secs: 0 };
        policy.deploy.start_within_secs = 30 * 86_400;
        // The story begins on a Saturday at 08:00.
        let window = |day| WeeklyWindow { day, opens_minute: 12 * 60, open_minutes: 60 };
        let windows = [Weekday::Saturday, Weekday::Sunday].map(window).into();
        policy.schedule = Schedule::Weekly { windows, freezes: vec![] };
        policy.calendars.wake_lead_secs = 3600;
        let backends = if can { lab.backends().with_waker(horn.clone()) } else { lab.backends() };
        let backends = Arc::new(backends);
        let host = Host::builder()
            .store(lab.store.clone())
            .clock(Arc::new(lab.clock.clone()))
            .backends_of(move |_| Some(backends.clone()))
            .build()
            .unwrap();
        let handle = host.handle();
        let script = async || {
            lab.set_up(&handle, policy).await;
            let endpoints =
                handle.with_fleet(FLEET, |fleet| fleet.endpoints().map(|it| it.ix()).collect()).await;
            let endpoints: Vec<_> = endpoints.unwrap();
            let since = lab.clock.now();
            let away = Observation::Unreachable { endpoints: endpoints.into(), since };
            handle.observe(FLEET, away).await.unwrap();
            lab.clock.sleep_until(since.plus_secs(40 * 3600)).await;
        };
        assert_eq!(simulate(&lab.clock, host.run(), script(), || false), End::Done(()));
        let asked = horn.0.lock().unwrap();
        let opens: Vec<_> = asked.iter().map(|(_, order)| order.opens.to_string()).collect();
        let expected = ["2026-11-21T12:00:00.000Z", "2026-11-22T12:00:00.000Z"];
        assert_eq!(opens, if can { &expected[..] } else { &[] }, "each opening once, whatever came of it");
        assert!(asked.iter().all(|(fleet, _)| *fleet == FLEET));
    }
}
