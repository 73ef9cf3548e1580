use super::*;
use crate::doc;
use alloc::string::ToString;
use alloc::{format, vec};
use proptest::prelude::*;

fn id(name: impl fmt::Display) -> PatchId {
    PatchId::from(format!("{name}"))
}

fn ids<const N: usize>(names: [&str; N]) -> Vec<PatchId> {
    names.into_iter().map(PatchId::from).collect()
}

/// A patch under its own name, with its relations as names.
fn patch(name: &str, supersedes: &[&str], requires: &[&str], conflicts: &[&str]) -> Patch {
    let mut patch = doc::patch(name, "1");
    let all = |names: &[&str]| names.iter().map(|name| PatchId::from(*name)).collect();
    patch.id = id(name);
    patch.relations.supersedes = all(supersedes);
    patch.relations.requires = all(requires);
    patch.relations.conflicts = all(conflicts);
    patch
}

fn graph<const N: usize>(patches: [Patch; N]) -> PatchGraph {
    let mut graph = PatchGraph::new();
    for patch in patches {
        drop(graph.add(&patch));
    }
    graph
}

#[test]
fn the_newest_approved_replaces_and_one_that_is_not_approved_hides_nothing() {
    let graph =
        graph([patch("a", &[], &[], &[]), patch("b", &["a"], &[], &[]), patch("c", &["b"], &[], &[])]);
    let all = ids(["a", "b", "c"]);
    let at = |approved: &'static [&str]| {
        graph.resolve(&all, |_| Presence::Missing, move |id| approved.contains(&id.as_str()))
    };
    assert_eq!(at(&["a", "b", "c"]).stages, [ids(["c"])]);
    assert_eq!(at(&["a", "b"]).stages, [ids(["b"])]);
    let first = at(&["a"]);
    assert_eq!((first.stages, first.replaced.len()), (vec![ids(["a"])], 0));
    assert_eq!(first.waiting.into_values().collect::<Vec<_>>(), [Waits::Approval, Waits::Approval]);
    let through = at(&["a", "c"]);
    assert_eq!(through.replaced.get(&id("a")), Some(&id("c")), "through one that is not approved");
    assert_eq!(graph.latest(&id("a")), ids(["c"]));
    assert_eq!((graph.replaces(&id("c")), graph.replaced_by(&id("a"))), (ids(["a", "b"]), ids(["b", "c"])));
}

#[test]
fn what_is_there_replaces_what_came_before_it_and_what_does_not_apply_replaces_nothing() {
    let graph =
        graph([patch("a", &[], &[], &[]), patch("b", &["a"], &[], &[]), patch("c", &["b"], &[], &[])]);
    let all = ids(["a", "b", "c"]);
    let at = |c: Presence| {
        let presence = move |id: &PatchId| if id.as_str() == "c" { c } else { Presence::Missing };
        graph.resolve(&all, presence, |id| id.as_str() != "c")
    };
    assert_eq!(at(Presence::There).stages, Vec::<Vec<PatchId>>::new());
    assert_eq!(at(Presence::Foreign).stages, [ids(["b"])]);
    assert_eq!(at(Presence::Unknown).stages, [ids(["b"])]);
}

#[test]
fn a_chain_of_a_thousand_patches_ends_in_its_newest_whatever_the_order_of_adding() {
    let name = |at: usize| format!("kb{at:04}");
    let patches: Vec<Patch> = (0..1000)
        .map(|at: usize| {
            let before = at.checked_sub(1).map(name);
            patch(&name(at), &before.iter().map(String::as_str).collect::<Vec<_>>(), &[], &[])
        })
        .collect();
    let all: Vec<PatchId> = patches.iter().map(|patch| patch.id.clone()).collect();
    let add = |patches: &mut dyn Iterator<Item = &Patch>| {
        let mut graph = PatchGraph::new();
        patches.for_each(|patch| graph.add(patch).unwrap());
        graph.resolve(&all, |_| Presence::Missing, |_| true)
    };
    let up = add(&mut patches.iter());
    assert_eq!((up.stages.clone(), up.replaced.len()), (vec![vec![id("kb0999")]], 999));
    assert!(up.replaced.values().all(|by| *by == id("kb0999")));
    assert_eq!(add(&mut patches.iter().rev()), up);
    assert_eq!(add(&mut (0..1000).map(|at| &patches[at * 617 % 1000])), up);
}

#[test]
fn a_diamond_is_resolved_once() {
    let graph = graph([
        patch("left", &["base"], &[], &[]),
        patch("right", &["base"], &[], &[]),
        patch("base", &[], &[], &[]),
        patch("top", &["left", "right"], &[], &[]),
    ]);
    let all = ids(["base", "left", "right", "top"]);
    let here = graph.resolve(&all, |_| Presence::Missing, |_| true);
    assert_eq!((here.stages, here.replaced.len()), (vec![ids(["top"])], 3));
    let here = graph.resolve(&all, |_| Presence::Missing, |id| id.as_str() != "top");
    assert_eq!(here.stages, [ids(["left", "right"])], "both sides bring different things");
    assert_eq!(
        here.replaced,
        BTreeMap::from([(id("base"), id("right"))]),
        "the last by name, of two that replace it"
    );
}

#[test]
fn the_members_of_a_circle_are_named_and_wait() {
    let mut graph = PatchGraph::new();
    graph.add(&patch("a", &["b"], &[], &[])).unwrap();
    graph.add(&patch("b", &["c"], &[], &[])).unwrap();
    let circle = graph.add(&patch("c", &["a", "old"], &[], &[])).unwrap_err();
    assert_eq!(circle.to_string(), "they supersede each other in a circle: a -> b -> c -> a");
    let alone = graph.add(&patch("self", &[], &["self"], &[])).unwrap_err();
    assert_eq!(alone.to_string(), "they stand on each other in a circle: self -> self");
    assert_eq!(graph.circles(), [alone, circle.clone()]);
    graph.add(&patch("old", &[], &[], &[])).unwrap();
    let all = ids(["a", "b", "c", "old"]);
    let here = graph.resolve(&all, |_| Presence::Missing, |_| true);
    assert_eq!(here.stages, [ids(["old"])], "a circle replaces nothing");
    assert_eq!(here.waiting.get(&id("b")), Some(&Waits::Circle(circle)));
    graph.add(&patch("c", &["old"], &[], &[])).unwrap();
    assert_eq!(graph.resolve(&all, |_| Presence::Missing, |_| true).stages, [ids(["a"])], "set free");
}

#[test]
fn prerequisites_come_first_and_those_that_cannot_are_told() {
    let graph = graph([
        patch("app", &[], &["runtime", "stack"], &[]),
        patch("runtime", &[], &["stack"], &[]),
        patch("stack", &[], &[], &[]),
    ]);
    let app = ids(["app"]);
    let missing = |_: &PatchId| Presence::Missing;
    assert_eq!(graph.resolve(&app, missing, |_| true).stages, [ids(["stack", "runtime", "app"])]);
    let why = |here: Resolved, name: &str| here.waiting[&id(name)].to_string();
    let here = graph.resolve(&app, missing, |id| id.as_str() != "stack");
    assert_eq!(here.stages, Vec::<Vec<PatchId>>::new());
    assert_eq!(why(here, "app"), "waits for stack, which is not approved");
    let unknown = |id: &PatchId| if id.as_str() == "stack" { Presence::Unknown } else { Presence::Missing };
    let here = graph.resolve(&app, unknown, |_| true);
    assert_eq!(why(here, "runtime"), "waits for stack, of which nobody has said whether it is there");
    let lonely = self::graph([patch("app", &[], &["ghost"], &[]), patch("above", &[], &["app"], &[])]);
    let here = lonely.resolve(&ids(["above"]), missing, |_| true);
    assert_eq!(why(here.clone(), "app"), "waits for ghost, which nobody has published");
    assert_eq!(why(here, "above"), "waits for app, which waits itself");
}

#[test]
fn what_replaces_a_prerequisite_brings_what_it_would_have_brought() {
    let graph = graph([
        patch("app", &[], &["stack1"], &[]),
        patch("stack1", &[], &[], &[]),
        patch("stack2", &["stack1"], &[], &[]),
    ]);
    let all = ids(["app", "stack1", "stack2"]);
    let here = graph.resolve(&all, |_| Presence::Missing, |_| true);
    assert_eq!(here.stages, [ids(["stack2", "app"])]);
    let there = |id: &PatchId| if id.as_str() == "stack2" { Presence::There } else { Presence::Missing };
    assert_eq!(graph.resolve(&ids(["app", "stack1"]), there, |_| true).stages, [ids(["app"])]);
    let here = graph.resolve(&ids(["stack1"]), |_| Presence::Missing, |_| true);
    assert_eq!(here.stages, [ids(["stack2"])], "what replaces it is asked for by itself");
}

#[test]
fn what_an_approved_one_stands_on_it_does_not_replace() {
    let graph = graph([patch("stack", &[], &[], &[]), patch("rollup", &["stack"], &["stack"], &[])]);
    let all = ids(["rollup", "stack"]);
    let here = graph.resolve(&all, |_| Presence::Missing, |_| true);
    assert_eq!((here.stages, here.replaced.len()), (vec![ids(["stack", "rollup"])], 0));
    let there = |id: &PatchId| if id.as_str() == "rollup" { Presence::There } else { Presence::Missing };
    let here = graph.resolve(&all, there, |_| true);
    assert_eq!(here.replaced, BTreeMap::from([(id("stack"), id("rollup"))]), "it has come already");
}

/// Versions of one package; the newest stands on floors.
fn stairs() -> PatchGraph {
    let mut top = doc::patch("os", "3000");
    top.relations.floors = vec!["2000".into(), "2500".into()];
    top.relations.supersedes = ids(["os=2000", "os=2500", "os=2800"]);
    graph([top, doc::patch("os", "2800"), doc::patch("os", "2500"), doc::patch("os", "2000")])
}

#[test]
fn floors_are_stages_of_their_own_the_lowest_first() {
    let all = ids(["os=2000", "os=2500", "os=2800", "os=3000"]);
    let here = stairs().resolve(&all, |_| Presence::Missing, |_| true);
    assert_eq!(here.stages, [ids(["os=2000"]), ids(["os=2500"]), ids(["os=3000"])]);
    assert_eq!(here.replaced, BTreeMap::from([(id("os=2800"), id("os=3000"))]));
    let passed = |id: &PatchId| if id.as_str() == "os=2000" { Presence::There } else { Presence::Missing };
    assert_eq!(stairs().resolve(&all, passed, |_| true).stages, [ids(["os=2500"]), ids(["os=3000"])]);
    let here = stairs().resolve(&all, |_| Presence::Missing, |id| id.as_str() != "os=2500");
    assert_eq!(here.waiting[&id("os=3000")].to_string(), "waits for deb:os=2500, which is not approved");
}

#[test]
fn those_in_conflict_wait_and_name_each_other() {
    let graph = graph([patch("a", &[], &[], &["b"]), patch("b", &[], &[], &[]), patch("c", &[], &[], &[])]);
    let all = ids(["a", "b", "c"]);
    let here = graph.resolve(&all, |_| Presence::Missing, |_| true);
    assert_eq!(here.stages, [ids(["c"])]);
    assert_eq!(
        here.waiting,
        BTreeMap::from([(id("a"), Waits::Conflict(id("b"))), (id("b"), Waits::Conflict(id("a"))),])
    );
    let there = |id: &PatchId| if id.as_str() == "a" { Presence::There } else { Presence::Missing };
    let here = graph.resolve(&all, there, |_| true);
    assert_eq!((here.stages, here.waiting.len()), (vec![ids(["c"])], 1), "whichever of the two says so");
}

#[test]
fn a_circle_by_way_of_what_replaces_is_told_as_well() {
    // a needs n, which b replaces, and b needs a.
    let graph =
        graph([patch("a", &[], &["n"], &[]), patch("n", &[], &[], &[]), patch("b", &["n"], &["a"], &[])]);
    let here = graph.resolve(&ids(["a", "b", "n"]), |_| Presence::Missing, |_| true);
    assert_eq!(graph.circles(), []);
    // b stands on n by way of a, so it does not replace it.
    assert_eq!(here.stages, [ids(["n", "a", "b"])]);
}

#[test]
fn a_patch_taken_in_again_says_what_it_says_now() {
    let mut graph = stairs();
    let mut top = doc::patch("os", "3000");
    top.relations.floors = vec!["2500".into()];
    graph.add(&top).unwrap();
    let all = ids(["os=2500", "os=3000"]);
    assert_eq!(
        graph.resolve(&all, |_| Presence::Missing, |_| true).stages,
        [ids(["os=2500"]), ids(["os=3000"])]
    );
    assert_eq!((graph.len(), graph.replaces(&id("os=3000"))), (4, vec![]));
}

/// Relations among ten patches, by number, in any direction: circles included.
fn any_patches() -> impl Strategy<Value = Vec<Patch>> {
    let some = || prop::collection::vec(0_usize..10, 0..3);
    prop::collection::vec((some(), some(), prop::collection::vec(0_usize..10, 0..1)), 10).prop_map(|all| {
        let names = |of: Vec<usize>| of.into_iter().map(|at| id(format!("p{at}"))).collect::<Vec<_>>();
        all.into_iter()
            .enumerate()
            .map(|(at, (supersedes, requires, conflicts))| {
                let mut patch = patch(&format!("p{at}"), &[], &[], &[]);
                patch.relations.supersedes = names(supersedes);
                patch.relations.requires = names(requires);
                patch.relations.conflicts = names(conflicts);
                patch
            })
            .collect()
    })
}

/// Whether `from` leads to `to` in one step or more, by walking all over again for each question.
fn leads(patches: &[Patch], from: &PatchId, to: &PatchId, by: fn(&Patch) -> &Vec<PatchId>) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.clone()];
    while let Some(at) = open.pop() {
        for next in patches.iter().find(|patch| patch.id == at).into_iter().flat_map(by) {
            if next == to {
                return true;
            }
            if seen.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    false
}

proptest! {
    #[test]
    fn the_order_of_adding_does_not_matter(
        patches in any_patches(), order in Just((0_usize..10).collect::<Vec<_>>()).prop_shuffle(),
        there in any::<u16>(), approved in any::<u16>()
    ) {
        let number = |id: &PatchId| id.as_str()[1..].parse::<u16>().unwrap();
        let presence = |id: &PatchId| match there >> number(id) & 1 { 1 => Presence::There, _ => Presence::Missing };
        let approved = |id: &PatchId| approved >> number(id) & 1 == 1;
        let all: Vec<PatchId> = patches.iter().map(|patch| patch.id.clone()).collect();
        let (mut one, mut other) = (PatchGraph::new(), PatchGraph::new());
        patches.iter().for_each(|patch| drop(one.add(patch)));
        order.iter().for_each(|at| drop(other.add(&patches[*at])));
        // One that was taken in with other words before.
        drop(other.add(&patch("p3", &["p1"], &["p2"], &["p5"])));
        drop(other.add(&patches[3]));
        prop_assert_eq!(one.circles(), other.circles());
        let here = one.resolve(&all, presence, approved);
        prop_assert_eq!(&here, &other.resolve(&all, presence, approved));

        // Against walks that know nothing of each other.
        let circled = |id: &PatchId| leads(&patches, id, id, |p| &p.relations.supersedes)
            || leads(&patches, id, id, |p| &p.relations.requires);
        for id in &all {
            prop_assert_eq!(one.circles.contains_key(id), circled(id));
            let missing = presence(id) == Presence::Missing;
            let installed = here.stages.iter().flatten().filter(|other| *other == id).count();
            let told = installed + usize::from(here.replaced.contains_key(id)) + usize::from(here.waiting.contains_key(id));
            prop_assert_eq!(told, usize::from(missing), "{} is told once, or not when it is there", id);
            if installed == 1 {
                prop_assert!(approved(id) && !circled(id), "{} is approved and in no circle", id);
                let place = |id: &PatchId| here.stages.iter().flatten().position(|other| other == id);
                let own = patches.iter().find(|patch| patch.id == *id).unwrap();
                for before in &own.relations.requires {
                    let brought = |by: &PatchId| presence(by) == Presence::There || place(by) < place(id) && place(by).is_some();
                    let met = brought(before) || all.iter().any(|by| brought(by)
                        && leads(&patches, by, before, |p| &p.relations.supersedes));
                    prop_assert!(met, "{} comes after {}", id, before);
                }
                for other in &own.relations.conflicts {
                    prop_assert!(other == id || (presence(other) != Presence::There && place(other).is_none()));
                }
            }
            if let Some(by) = here.replaced.get(id) {
                prop_assert!(leads(&patches, by, id, |p| &p.relations.supersedes) && !circled(by));
                prop_assert!(presence(by) == Presence::There || approved(by));
            } else if installed == 1 {
                // Nothing that is there, or approved and not standing on it, replaces it outside of circles.
                let free: Vec<Patch> = patches.iter().filter(|p| !circled(&p.id)).cloned().collect();
                for by in all.iter().filter(|by| !circled(by) && leads(&free, by, id, |p| &p.relations.supersedes)) {
                    let stands = leads(&patches, by, id, |p| &p.relations.requires);
                    let replaced = here.replaced.contains_key(by);
                    prop_assert!(presence(by) != Presence::There && (!approved(by) || stands || replaced), "{} by {}", id, by);
                }
            }
        }
    }
}
