//! Renderers of reports.
//!
//! [`html`] makes one page that needs nothing else: styles and drawings stand in it, it fetches nothing and runs no
//! script, so it can be mailed, archived and opened years later. Everything that came from outside (names of
//! endpoints, words of tools) is escaped by the template engine.

mod format;
mod gantt;
mod view;

use askama::Template as _;
use patchflow_core::report::ReportDocument;

/// The report as one self-contained page. Beyond [`ENDPOINTS_MAX`] endpoints, those that need attention come first and
/// the rest is counted.
#[must_use]
pub fn html(document: &ReportDocument) -> String {
    // Rendering writes into a string and every value in the view prints without failing.
    view::Page::new(document).render().unwrap_or_else(|error| format!("<!doctype html><p>{error}</p>"))
}

/// A browser is at ease with a table of so many rows; a longer one belongs into the JSON form.
pub const ENDPOINTS_MAX: usize = 2000;
