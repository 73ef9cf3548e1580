//! Dates as feeds write them.

use patchflow_core::time::Timestamp;

const DAY_SECS: u64 = 86_400;

/// Reads RFC 3339, also without an offset (then UTC), or a plain date, which counts from 00:00 UTC of the next day.
/// Nothing for the year 1 that stands for "not known" in some feeds.
pub(super) fn read(text: &str) -> Result<Option<Timestamp>, String> {
    let text = text.trim();
    if text.is_empty() || text.starts_with("0001-01-01") {
        return Ok(None);
    }
    let bad = || {
        let shown: String = text.chars().take(40).collect();
        format!("`{shown}` is no date: expected RFC 3339, such as 2026-11-21T08:30:00Z, or 2026-11-21")
    };
    if text.len() == 10 {
        return midnight(text).map(|day| Some(day.plus_secs(DAY_SECS))).ok_or_else(bad);
    }
    if !text.is_ascii() || text.len() > 64 {
        return Err(bad());
    }
    // `2024-03-29 08:51:26` of updateinfo is RFC 3339 with a blank, and often lacks its offset and seconds.
    let mut full = text.replacen(' ', "T", 1);
    if full.len() == 16 {
        full.push_str(":00");
    }
    full.parse().or_else(|_| (full + "Z").parse()).map(Some).map_err(|_| bad())
}

fn midnight(day: &str) -> Option<Timestamp> {
    format!("{day}T00:00:00Z").parse().ok()
}

/// The day that `read` made later by a day, when the text is a plain date: what the feed said.
fn said(text: &str, read: Timestamp) -> Timestamp {
    if text.trim().len() == 10 { midnight(text.trim()).unwrap_or(read) } else { read }
}

/// Like [`read`], and not later than the time of reading, a day let pass for clocks and zones.
pub(super) fn past(text: &str, read_at: Timestamp) -> Result<Option<Timestamp>, String> {
    let Some(date) = read(text)? else { return Ok(None) };
    if said(text, date) > read_at.plus_secs(DAY_SECS) {
        let shown: String = text.chars().take(40).collect();
        return Err(format!("`{shown}` lies in the future; it is taken as not known"));
    }
    Ok(Some(date))
}

/// Reads the date of a Debian `Release` file, such as `Sat, 10 Feb 2024 11:07:25 UTC`.
pub(super) fn debian(text: &str) -> Result<Timestamp, String> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let read = || {
        let mut words = text.split_ascii_whitespace().skip(1);
        let (day, month, year, clock) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let zone = words.next()?;
        let month = MONTHS.iter().position(|name| *name == month)? + 1;
        let utc = matches!(zone, "UTC" | "GMT" | "Z" | "+0000");
        utc.then(|| format!("{year}-{month:02}-{day:0>2}T{clock:0>8}Z").parse().ok()).flatten()
    };
    read().ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        format!("`{shown}` is no date: expected one such as `Sat, 10 Feb 2024 11:07:25 UTC`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_without_a_time_counts_from_the_next_day() {
        let read = |text| read(text).unwrap().map(|date| date.to_string());
        assert_eq!(read("2024-03-29").unwrap(), "2024-03-30T00:00:00.000Z");
        assert_eq!(read("2024-03-29T08:00:00Z").unwrap(), "2024-03-29T08:00:00.000Z");
        assert_eq!(read("2024-03-29 08:51:26").unwrap(), "2024-03-29T08:51:26.000Z");
        assert_eq!(read("2024-03-29 08:51").unwrap(), "2024-03-29T08:51:00.000Z");
        assert_eq!(read("2024-03-29T08:00:00.123456").unwrap(), "2024-03-29T08:00:00.123Z");
        assert_eq!(read("0001-01-01T00:00:00Z"), None);
        assert_eq!(
            super::read("29.3.2024").unwrap_err(),
            "`29.3.2024` is no date: expected RFC 3339, such as 2026-11-21T08:30:00Z, or 2026-11-21"
        );
        for text in ["2024-02-30", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", "99999-1-1", &"9".repeat(100)] {
            assert!(super::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_future_is_not_believed() {
        let now = "2024-03-29T12:00:00Z".parse().unwrap();
        assert!(past("2024-03-29", now).unwrap().unwrap() > now, "today, counted from tomorrow");
        assert_eq!(
            past("2031-01-01T00:00:00Z", now).unwrap_err(),
            "`2031-01-01T00:00:00Z` lies in the future; it is taken as not known"
        );
        assert!(past("2024-04-01", now).is_err());
    }

    #[test]
    fn debian_dates_are_read() {
        assert_eq!(debian("Sat, 10 Feb 2024 11:07:25 UTC").unwrap().to_string(), "2024-02-10T11:07:25.000Z");
        assert_eq!(debian("Sat, 3 Feb 2024  1:07:25 UTC").unwrap().to_string(), "2024-02-03T01:07:25.000Z");
        assert!(debian("tomorrow").unwrap_err().starts_with("`tomorrow` is no date"));
    }
}
