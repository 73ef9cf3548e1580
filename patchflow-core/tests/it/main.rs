//! The core from outside, through its public interface alone.

mod approval;
mod attach;
mod budgets;
mod budgets_random;
mod calendars;
mod crashes;
mod faults;
mod fields;
mod groups;
mod halt;
mod histories;
mod hooks;
mod joining;
mod journal_chain;
mod journal_file;
mod journal_frames;
mod journal_golden;
mod journal_hostile;
mod journal_roundtrip;
mod journal_samples;
mod replay;
mod report;
mod revising;
mod rings;
mod road;
mod world;
