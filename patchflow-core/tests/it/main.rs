//! The core from outside, through its public interface alone.

mod approval;
mod calendars;
mod faults;
mod fields;
mod halt;
mod histories;
mod journal_chain;
mod journal_file;
mod journal_frames;
mod journal_golden;
mod journal_hostile;
mod journal_roundtrip;
mod journal_samples;
mod replay;
mod report;
mod road;
mod world;
