//! What is encoded is what is decoded, however it is cut into appends.

use patchflow_core::fleet::{EndpointFact, Fact, Recorded, RichFact};
use patchflow_core::ids::{FleetId, MemberIx, RolloutId, Seq};
use patchflow_core::journal::{EncodeError, Encoder, FRAME_FACTS_MAX, RecordKind, Tail, audit, decode};
use patchflow_core::rollout::Event;
use patchflow_core::time::Timestamp;
use proptest::prelude::*;

const FLEET: FleetId = FleetId(1);

fn endpoint() -> impl Strategy<Value = EndpointFact> {
    let rollout = prop_oneof![9 => Just(1), 3 => 0..4u32, 1 => any::<u32>()];
    let member = prop_oneof![8 => 0..1_000_000u32, 1 => (1 << 24) - 2..(1 << 24) + 2u32, 1 => any::<u32>()];
    let event = proptest::sample::select(Event::ALL);
    let reason = prop_oneof![8 => Just(0), 1 => 1..9u16, 1 => any::<u16>()];
    let due = prop_oneof![4 => Just(0), 4 => Just(86_400), 2 => 0..10u32, 1 => any::<u32>()];
    (rollout, member, event, reason, due).prop_map(|(rollout, member, event, reason, due)| EndpointFact {
        rollout: RolloutId(rollout),
        member: MemberIx(member),
        event,
        reason,
        due,
    })
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        20 => endpoint().prop_map(Fact::Endpoint),
        1 => (any::<u64>(), ".{0,40}").prop_map(|(seed, name)| {
            RichFact::FleetFounded { fleet: FLEET, name, seed, epoch: Timestamp::MIN }.into()
        }),
        1 => any::<String>().prop_map(|by| {
            RichFact::RolloutPaused { rollout: RolloutId(1), by: by.into() }.into()
        }),
    ]
}

/// Facts at times that never fall, with gaps from none to centuries.
fn journal() -> impl Strategy<Value = Vec<Recorded>> {
    let gap = prop_oneof![
        20 => Just(0),
        10 => 0..100i64,
        2 => 32_760..32_775i64,
        1 => 65_530..65_540i64,
        1 => 0..4_000_000_000_000i64,
    ];
    let start = prop_oneof![Just(Timestamp::MIN.as_millis()), Just(-5), Just(1_800_000_000_000)];
    (start, prop::collection::vec((gap, fact()), 0..300)).prop_map(|(start, facts)| {
        let mut millis = start;
        let mut recorded = Vec::new();
        for (gap, fact) in facts {
            millis += gap;
            let seq = Seq(recorded.len() as u64 + 1);
            recorded.push(Recorded { seq, at: Timestamp::from_millis(millis), fact });
        }
        recorded
    })
}

proptest! {
    #[test]
    fn decoding_gives_back_what_was_encoded(facts in journal(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(facts.len() + 1)).collect();
        cuts.push(facts.len());
        cuts.sort_unstable();
        let (mut records, mut done) = (Vec::new(), 0);
        let mut encoder = Encoder::new(FLEET, Tail::EMPTY);
        for cut in cuts {
            let (mut first, mut again) = (Vec::new(), Vec::new());
            let tail = encoder.encode(&facts[done..cut], &mut first).unwrap();
            // A retry gives the same bytes: nothing has moved.
            prop_assert_eq!(encoder.encode(&facts[done..cut], &mut again).unwrap(), tail);
            prop_assert_eq!(&first, &again);
            encoder.move_to(tail);
            records.extend(first);
            done = cut;
        }
        let mut decoder = decode(FLEET, Tail::EMPTY, &records);
        let decoded: Vec<_> = decoder.by_ref().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(&decoded, &facts);
        prop_assert_eq!(decoder.tail(), encoder.tail());
        let audited = audit(FLEET, Tail::EMPTY, &records).unwrap();
        prop_assert_eq!((audited.facts, audited.tail), (facts.len() as u64, encoder.tail()));
    }
}

fn verified(n: u64) -> Vec<Recorded> {
    let fact = |seq: u64| EndpointFact {
        rollout: RolloutId(1),
        member: MemberIx(seq as u32),
        event: Event::Verified,
        reason: 0,
        due: 0,
    };
    let at = Timestamp::from_secs(1_800_000_000);
    (1..=n).map(|seq| Recorded { seq: Seq(seq), at, fact: Fact::Endpoint(fact(seq)) }).collect()
}

#[test]
fn a_long_run_becomes_full_frames() {
    let facts = verified(2 * FRAME_FACTS_MAX as u64 + 1);
    let mut records = Vec::new();
    Encoder::new(FLEET, Tail::EMPTY).encode(&facts, &mut records).unwrap();
    let spans: Vec<_> = records.iter().map(|r| (r.kind, r.first.0, r.last.0)).collect();
    let frame = RecordKind::Frame;
    assert_eq!(spans, [(frame, 1, 4096), (frame, 4097, 8192), (frame, 8193, 8193)]);
    assert!(decode(FLEET, Tail::EMPTY, records).map(Result::unwrap).eq(facts));
}

#[test]
fn a_step_back_in_time_is_kept_as_it_is() {
    let mut facts = verified(2);
    facts[1].at = Timestamp::MIN;
    let mut records = Vec::new();
    Encoder::new(FLEET, Tail::EMPTY).encode(&facts, &mut records).unwrap();
    assert_eq!(records.len(), 2, "a frame each");
    assert!(decode(FLEET, Tail::EMPTY, records).map(Result::unwrap).eq(facts));
}

#[test]
fn facts_out_of_sequence_are_refused_and_nothing_is_added() {
    let mut facts = verified(10);
    facts.insert(4, Recorded { seq: Seq(5), ..facts[0].clone() });
    facts[2].fact = RichFact::RingOpened { rollout: RolloutId(1), ring: 0 }.into();
    let mut encoder = Encoder::new(FLEET, Tail::EMPTY);
    let mut records = Vec::new();
    let refused = Err(EncodeError::OutOfSequence { expected: Seq(6), found: Seq(5) });
    assert_eq!(encoder.encode(&facts, &mut records), refused);
    assert!(records.is_empty());
    assert_eq!(encoder.tail(), Tail::EMPTY);
    // The facts that were packed before the refusal do not turn up in the next frame.
    assert!(encoder.encode(&verified(1), &mut records).is_ok());
    assert!(decode(FLEET, Tail::EMPTY, records).map(Result::unwrap).eq(verified(1)));
}
