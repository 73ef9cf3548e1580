//! The host crashes: at every point where it speaks to the outside, before and after.

use super::*;
use patchflow_backends::host::AskError;

/// Runs until the patch is deployed or the fuse blows.
fn run_until_crash(lab: &Lab) -> End<bool> {
    let host = lab.host();
    let handle = host.handle();
    let script = async {
        lab.set_up(&handle, policy()).await;
        lab.deployed(&handle).await
    };
    simulate(&lab.clock, host.run(), script, || lab.fuse.is_blown())
}

#[test]
fn a_crash_at_any_point_installs_everything_exactly_once() {
    let mut points = 0;
    for point in 1.. {
        let lab = Lab::new(1, 4);
        lab.fuse.set(point);
        if run_until_crash(&lab) == End::Done(true) {
            break;
        }
        points += 1;
        // Once more, soon after the restart; then to the end.
        lab.fuse.set(point % 5 + 1);
        run_until_crash(&lab);
        lab.fuse.set(0);
        assert_eq!(run_until_crash(&lab), End::Done(true), "after a crash at point {point}");
        assert_eq!(lab.world.levels(), vec![("2".to_owned(), 1); 5], "after a crash at point {point}");
    }
    assert!(points > 20, "{points} points are fewer than one road has");
}

#[test]
fn a_crash_during_a_long_absence_halts_nothing() {
    let lab = Lab::new(1, 4);
    // In the middle of the pilot ring's orders.
    lab.fuse.set(22);
    assert_eq!(run_until_crash(&lab), End::Crashed);
    lab.fuse.set(0);
    lab.clock.advance(Duration::from_secs(3 * 24 * 3600));
    assert_eq!(run_until_crash(&lab), End::Done(true));
    assert_eq!(lab.world.levels(), vec![("2".to_owned(), 1); 5]);
}

#[test]
fn whoever_waits_is_told_when_the_host_is_dropped() {
    let lab = Lab::new(1, 1);
    lab.fuse.set(1);
    let host = lab.host();
    let handle = host.handle();
    let mut running = Box::pin(host.run());
    let mut founding = Box::pin(handle.found(FLEET, "acme", 1));
    futures_lite::future::block_on(async {
        // The first append hangs; the host is dropped with it.
        for _ in 0..4 {
            assert!(futures_lite::future::poll_once(&mut founding).await.is_none());
            assert!(futures_lite::future::poll_once(&mut running).await.is_none());
        }
        let mut queued = Box::pin(handle.request(FLEET, adopt(policy())));
        assert!(futures_lite::future::poll_once(&mut queued).await.is_none());
        drop(running);
        assert!(matches!(founding.await, Err(AskError::Unsettled)));
        assert!(matches!(queued.await, Err(AskError::Unsettled)));
        assert!(matches!(handle.found(FLEET, "acme", 1).await, Err(AskError::NotRunning)));
    });
}
