//! Fences rise: each order for an endpoint carries a higher one than the order before, unless it is the same order.
//!
//! What was begun is remembered by the machine. One that comes under the name of another which left has no such memory,
//! and takes what is late for the other; what leaves the host rises all the same.

use super::{Ledger, Oracle};
use crate::sim::Sight;
use patchflow_core::fleet::Effect;
use patchflow_core::ids::{Fence, OrderId};
use patchflow_core::rollout::Order;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Fences {
    left: BTreeMap<String, (Fence, OrderId)>,
    begun: BTreeMap<String, (Fence, OrderId)>,
}

fn rises(
    before: &mut BTreeMap<String, (Fence, OrderId)>,
    name: &str,
    order: &Order,
) -> Result<(), (Fence, OrderId)> {
    let now = (order.fence(), order.id());
    match before.get(name).copied() {
        Some(last) if now.0 < last.0 || (now.0 == last.0 && now.1 != last.1) => Err(last),
        _ => {
            before.insert(name.into(), now);
            Ok(())
        }
    }
}

impl Oracle for Fences {
    fn name(&self) -> &'static str {
        "fences rise"
    }

    fn see(&mut self, sight: Sight<'_>, _: &Ledger, says: &mut dyn FnMut(String)) {
        let (name, order, done) = match sight {
            Sight::Left(Effect::Submit(order)) => {
                (order.endpoint().as_str(), order, rises(&mut self.left, order.endpoint().as_str(), order))
            }
            Sight::Replaced(name) => {
                self.begun.remove(name);
                return;
            }
            Sight::Began(name, order) => (name, order, rises(&mut self.begun, name, order)),
            _ => return,
        };
        if let Err((fence, id)) = done {
            says(format!(
                "{} for {name} carries {}, {id} before it carried {fence}",
                order.id(),
                order.fence()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::{Stage, orders};

    #[test]
    fn a_lower_fence_is_caught() {
        let [first, second] = orders();
        let mut stage = Stage::with(Box::new(Fences::default()));
        let (early, late) = (Effect::Submit(first.clone()), Effect::Submit(second.clone()));
        stage.sight(Sight::Left(&early)).sight(Sight::Left(&early)).sight(Sight::Left(&late));
        assert!(stage.caught().is_empty(), "the same order may leave twice");
        stage.sight(Sight::Left(&early));
        assert!(stage.caught()[0].contains("before it carried"));
        stage.sight(Sight::Began("a", &second)).sight(Sight::Began("a", &first));
        assert_eq!(stage.caught().len(), 2);
    }

    #[test]
    fn a_machine_that_comes_under_the_name_of_another_remembers_nothing() {
        let mut stage = Stage::with(Box::new(Fences::default()));
        let [first, second] = orders();
        stage.sight(Sight::Began("e0", &second)).sight(Sight::Began("e1", &second));
        stage.sight(Sight::Replaced("e0"));
        stage.sight(Sight::Began("e0", &first));
        assert!(stage.caught().is_empty(), "{:?}", stage.caught());
        stage.sight(Sight::Began("e1", &first));
        assert_eq!(stage.caught().len(), 1);
    }
}
