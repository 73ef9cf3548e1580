//! Patches as the endpoints' archives offer them.

use crate::fixture::{Fixture, lone_host, trial};
use libtest_mimic::Trial;
use patchflow_backends::apt::AptSource;
use patchflow_core::catalog::{Category, RebootBehaviour, Severity};
use patchflow_core::digest::Digest;
use patchflow_core::sdk::{Cursor, Page, PatchSource as _, PublishedPatch};
use patchflow_testkit::lab::apt::Suite;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("source_publishes_what_is_offered", source_publishes_what_is_offered),
        trial("source_withdraws_what_is_gone", source_withdraws_what_is_gone),
        trial("source_skips_damaged_advisories", source_skips_damaged_advisories),
    ]
}

/// Polls until ready; a test has nothing else to do meanwhile.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
        std::thread::yield_now();
    }
}

fn page(source: &AptSource, since: Option<&Cursor>) -> Page<PublishedPatch> {
    wait_for(source.page(since, 100)).unwrap()
}

fn source(it: &Fixture) -> AptSource {
    AptSource::new([it.host.clone()]).with_advisories(it.lab.advisories_file())
}

fn source_publishes_what_is_offered() {
    let it = lone_host(false, &["lab-app", "lab-other", "lab-kernel"]);
    let source = source(&it);
    let first = page(&source, None);
    let patches: Vec<_> = first
        .items
        .iter()
        .map(|item| match item {
            PublishedPatch::Published(patch) => patch,
            PublishedPatch::Withdrawn { id, .. } => panic!("{id} is withdrawn"),
        })
        .collect();
    let ids: Vec<_> = patches.iter().map(|patch| patch.id.as_str()).collect();
    assert_eq!(ids, ["lab-app=1.1-1", "lab-kernel=1.1-1", "lab-other=1.1-1"]);
    let [app, kernel, other] = patches[..] else { unreachable!() };
    assert_eq!((app.severity, app.category), (Severity::Critical, Category::Security));
    assert_eq!(
        (&app.cves[..], app.source.as_str()),
        (&["CVE-2099-10001".to_owned()][..], "apt lab-security")
    );
    assert_eq!(app.released, Some("2026-01-02T00:00:00Z".parse().unwrap()));
    let deb = std::fs::read(it.lab.package_file("lab-app", "1.1-1").unwrap()).unwrap();
    assert_eq!(app.content, Digest::of(&deb));
    assert_eq!((kernel.severity, kernel.reboot), (Severity::High, RebootBehaviour::Required));
    assert_eq!(kernel.released, None);
    assert_eq!((other.severity, other.category), (Severity::Unknown, Category::Bugfix));
    // Nothing changed since.
    let again = page(&source, Some(&first.next));
    assert_eq!((again.items.len(), again.more), (0, false));
    // A cursor of another process: everything again.
    assert_eq!(page(&source, Some(&Cursor("elsewhere.7".into()))).items.len(), 3);
    let small = wait_for(source.page(None, 2)).unwrap();
    assert_eq!((small.items.len(), small.more), (2, true));
    assert_eq!(page(&source, Some(&small.next)).items.len(), 1);
}

fn source_withdraws_what_is_gone() {
    let it = lone_host(false, &["lab-app", "lab-other"]);
    let source = source(&it);
    let first = page(&source, None);
    assert_eq!(first.items.len(), 2);
    // Installed everywhere is not withdrawn.
    it.host.install_version("lab-app", "1.1-1").unwrap();
    let second = page(&source, Some(&first.next));
    assert_eq!(second.items, []);
    it.lab.publish("lab-app", "1.1-1", Suite::Staged).unwrap();
    it.lab.publish("lab-app", "1.2-1", Suite::Security).unwrap();
    let third = page(&source, Some(&second.next));
    let said: Vec<_> = third
        .items
        .iter()
        .map(|item| match item {
            PublishedPatch::Published(patch) => ("published", patch.id.as_str()),
            PublishedPatch::Withdrawn { id, .. } => ("withdrawn", id.as_str()),
        })
        .collect();
    assert_eq!(said, [("withdrawn", "lab-app=1.1-1"), ("published", "lab-app=1.2-1")]);
}

fn source_skips_damaged_advisories() {
    let it = lone_host(false, &["lab-app"]);
    let file = it.there.dir().join("advisories.json");
    let good = r#"{"id":"A-1","package":"lab-app","version":"1.1-1","severity":"high","title":"mended"}"#;
    std::fs::write(&file, format!(r#"[{{"id":"A-0","severity":"dreadful"}},{good}]"#)).unwrap();
    let source = AptSource::new([it.host.clone()]).with_advisories(&file);
    let (patches, unread) = source.read().unwrap();
    assert_eq!((patches[0].severity, patches[0].title.as_str()), (Severity::High, "A-1: mended"));
    assert_eq!(unread.len(), 1);
    assert_eq!(unread[0].record, "advisories[0]");
    std::fs::write(&file, "[{").unwrap();
    assert!(source.read().unwrap_err().to_string().contains("advisories.json"));
}
