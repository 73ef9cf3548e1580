//! When an endpoint may be touched: windows, freezes, and the two questions the engine asks of them.
//!
//! The engine knows only [`Schedule::is_open`] and [`Schedule::next_open`]. Named zones, monthly recurrence and
//! calendar import join behind the same two questions.

mod window;

pub use window::{Freeze, Schedule, Weekday, WeeklyWindow};
