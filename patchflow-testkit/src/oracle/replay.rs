//! Replay equals live: what the stored facts build is what the fleet was, from the first fact and from a baseline.

use super::{Ledger, Oracle};
use crate::sim::Sight;
use patchflow_core::fleet::Fleet;

#[derive(Debug)]
pub(super) struct Replay;

fn difference(live: &Fleet, replayed: &Fleet) -> Option<String> {
    let (live, replayed) = (live.baseline(), replayed.baseline());
    if live == replayed {
        return None;
    }
    let at = live.iter().zip(&replayed).position(|(a, b)| a != b).unwrap_or(live.len().min(replayed.len()));
    let text = |bytes: &[u8]| {
        let part = &bytes[at.saturating_sub(80).min(bytes.len())..(at + 120).min(bytes.len())];
        String::from_utf8_lossy(part).into_owned()
    };
    Some(format!("from byte {at} on: live `{}`, replayed `{}`", text(&live), text(&replayed)))
}

impl Oracle for Replay {
    fn name(&self) -> &'static str {
        "replay equals live"
    }

    fn see(&mut self, sight: Sight<'_>, _: &Ledger, says: &mut dyn FnMut(String)) {
        match sight {
            Sight::Recovered(Some(live), replayed) | Sight::Replayed(live, replayed) => {
                if let Some(text) = difference(live, replayed) {
                    says(text);
                }
            }
            Sight::ReplayFailed(error) => says(error.to_string()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::fleet::Outbox;
    use patchflow_core::ids::FleetId;

    #[test]
    fn another_state_after_replay_is_caught() {
        let fleet = |seed| {
            let at = "2026-11-21T08:00:00Z".parse().unwrap();
            Fleet::found(FleetId(1), "acme", seed, at, &mut Outbox::new())
        };
        let mut stage = Stage::with(Box::new(Replay));
        stage.sight(Sight::Recovered(Some(&fleet(1)), &fleet(1)));
        assert!(stage.caught().is_empty());
        stage.sight(Sight::Replayed(&fleet(1), &fleet(2)));
        assert!(stage.caught()[0].contains("from byte"));
    }
}
