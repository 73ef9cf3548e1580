//! When an endpoint may be touched: windows, freezes, and the questions the engine asks of them.
//!
//! The engine knows only [`Schedule::is_open`], [`Schedule::next_open`] and [`Schedule::closes`]; when an opening began
//! ([`Schedule::opened`]) follows from these. Named zones, monthly recurrence and calendar import join behind the same
//! questions.

mod window;

pub use window::{Freeze, Schedule, Weekday, WeeklyWindow};
