//! Feeds for the driver: pages of what files say.

use super::data_path;
use patchflow_backends::advisory::FeedFiles;
use patchflow_backends::clock::ManualClock;
use patchflow_core::catalog::{Advisory, Merging};
use patchflow_core::sdk::{AdvisorySource, PatchSource, PublishedAdvisory};
use pollster::block_on;
use std::sync::Arc;

fn files(path: &std::path::Path) -> FeedFiles {
    FeedFiles::new("all", path, Arc::new(ManualClock::at("2026-11-21T00:00:00Z".parse().unwrap())))
}

fn records(feed: &FeedFiles) -> Vec<Arc<Advisory>> {
    let page = block_on(AdvisorySource::page(feed, None, 1000)).unwrap();
    let published = page.items.into_iter().filter_map(|item| match item {
        PublishedAdvisory::Published(record) => Some(record),
        PublishedAdvisory::Gone { .. } => None,
    });
    published.collect()
}

#[test]
fn a_record_is_in_memory_once_for_the_feed_and_for_whoever_merges() {
    let feed = files(&data_path("real"));
    let (first, again) = (records(&feed), records(&feed));
    assert!(first.len() > 20);
    assert!(first.iter().zip(&again).all(|(a, b)| Arc::ptr_eq(a, b)));
    drop(again);
    let mut merging = Merging::default();
    merging.put(first.iter().cloned(), []);
    // The feed's, the one here, and the merger's, of which the same record of two files is one.
    let shared = first.iter().filter(|record| Arc::strong_count(record) == 3).count();
    assert_eq!(shared, merging.len());
    assert!(merging.lists_exploited());
    let kev = |record: &&Arc<Advisory>| record.exploited.is_some();
    let gone = first.iter().filter(kev).map(|record| {
        let said = &record.provenance[0];
        (said.feed.clone(), said.record.clone())
    });
    merging.put([] as [Advisory; 0], gone.collect::<Vec<_>>());
    assert!(!merging.lists_exploited());
}

#[test]
fn a_pass_over_its_patches_reads_the_files_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("patches.jsonl");
    std::fs::copy(data_path("written/patches.jsonl"), &path).unwrap();
    let feed = files(&path);
    let first = block_on(PatchSource::page(&feed, None, 1)).unwrap();
    assert!(first.more);
    // Were it looked for now, it would be missed.
    std::fs::remove_file(&path).unwrap();
    let second = block_on(PatchSource::page(&feed, Some(&first.next), 1)).unwrap();
    assert_eq!((second.items.len(), second.more), (1, false));
    assert!(block_on(PatchSource::page(&feed, Some(&second.next), 1)).is_err());
}
