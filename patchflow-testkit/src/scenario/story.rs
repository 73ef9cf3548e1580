//! A story as it was read: who is there, what happens when, what must be true.

use crate::sim::Machine;
use patchflow_core::catalog::{Patch, Severity};
use patchflow_core::error::{FailureKind, Position};
use patchflow_core::fleet::{HookStage, NoticeKind};
use patchflow_core::ids::Actor;
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{Policy, Selector};
use patchflow_core::rollout::{Phase, RingState, RolloutKind, RolloutState};
use patchflow_core::time::Timestamp;

/// A whole story.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) title: String,
    pub(super) starts: Timestamp,
    pub(super) ends: Timestamp,
    pub(super) seed: u64,
    pub(super) endpoints: Vec<Cast>,
    pub(super) patches: Vec<Published>,
    pub(super) policies: Vec<(String, Policy)>,
    /// In the order of their times; at the same time in the order of the file.
    pub(super) beats: Vec<Beat>,
}

/// An endpoint, and whether it is there from the start.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) machine: Machine,
    pub(super) later: bool,
    /// Packages that the file says something about; of all others the usual version is there.
    pub(super) said: Vec<String>,
}

/// A patch, and whether it is published at the start.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) patch: Patch,
    pub(super) later: bool,
}

/// One thing at one time.
#[derive(Debug)]
pub(super) struct Beat {
    pub(super) at: Timestamp,
    pub(super) place: Position,
    /// The sentence, for people.
    pub(super) text: String,
    pub(super) what: What,
}

/// What stands at a time.
#[derive(Debug)]
pub(super) enum What {
    /// Endpoints change what they do or how they are.
    Endpoints(Vec<String>, Deed),
    /// The endpoints of a ring do, as it is at that time.
    Ring(Ring, Deed),
    /// Somebody asks something, and is not refused.
    Asked(Asked),
    /// Somebody asks something and is refused with these words.
    Refused(Asked, Option<String>),
    /// Anything else in the world.
    World(Event),
    /// It is so now.
    Expect(Condition),
    /// It is so over a span of time.
    Claim(Claim),
}

/// What must hold over a span of time.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) mode: Mode,
    pub(super) until: Timestamp,
    pub(super) what: Condition,
}

/// How often it must be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// At every moment.
    Always,
    /// At no moment.
    Never,
    /// At one moment at least.
    Eventually,
}

/// The operation that an endpoint does in another way.
#[derive(Clone, Debug)]
pub(super) enum Operated {
    /// Installs, perhaps of one patch only.
    Install(Option<usize>),
    /// Rollbacks.
    Revert,
    /// Reboots.
    Reboot,
}

/// How an operation changes.
#[derive(Clone, Debug)]
pub(super) enum Manner {
    /// Takes so many seconds.
    Takes(u64),
    /// Fails, perhaps only the first so many times.
    Fails(FailureKind, Option<u32>, String),
    /// Reports success and changes nothing.
    Lies,
    /// Succeeds, and the probes fail afterwards.
    Sickens,
    /// Acknowledges and is never heard of again.
    GoesSilent,
    /// Succeeds and never says so.
    SaysNothing,
    /// Leaves the package half installed.
    Breaks,
    /// Takes the order and never says so.
    NeverAcknowledges,
    /// Acknowledges after so many seconds.
    AcknowledgesAfter(u64),
    /// Reports so many seconds late.
    ReportsLate(u64),
    /// Reports everything twice.
    ReportsTwice,
    /// Waits for a reboot afterwards.
    WantsReboot,
    /// The people there put it off so often, by so many seconds each time.
    PutOff(u8, u64),
    /// Says every so many seconds that it is still at work.
    Progresses(u64),
}

/// How a hook goes.
#[derive(Clone, Debug)]
pub(super) enum HookManner {
    /// Takes so many seconds.
    Takes(u64),
    /// Fails, perhaps only the first so many times.
    Fails(FailureKind, Option<u32>, String),
    /// Never ends.
    NeverEnds,
}

/// What endpoints do or become.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// They operate in another way from now on.
    Operate(Operated, Manner),
    /// Everything is as by default.
    Behave,
    /// Messages get through, or not.
    Reachable(bool),
    /// Their inventory can be read, or not.
    Readable(bool),
    /// Their probes fail, or pass.
    Sick(bool),
    /// They join.
    Join,
    /// They leave for good.
    Leave,
    /// A package has another level by somebody else's hand.
    Level(String, Option<String>),
    /// They belong elsewhere.
    Scope(String),
    /// They go by another calendar.
    Calendar(String),
    /// They belong to another availability group, or to none.
    Group(Option<String>),
    /// The host is out of contact with them, and knows it; or is in contact again.
    Contact(bool),
    /// The host tells that what is known of them is too old.
    Stale,
    /// They wait for a reboot of their own, or wait no more.
    AwaitReboot(bool),
    /// Another machine is there under the name.
    Fingerprint(String),
    /// Another patch manager is active there, or none.
    Manager(Option<String>),
    Service,
    /// Another way back is known, and until when it holds.
    Path(RollbackPath, Option<Timestamp>),
    /// Their drain or resume hook goes another way.
    Hook(HookStage, HookManner),
    /// Content is brought to them in another way.
    Stage(HookManner),
    /// What lies there in the end is something else.
    StageOther,
    /// Content of a patch is carried to them by hand.
    Carried(usize),
    /// They get a tag.
    Tag(String, String),
    /// The power is cut and comes back.
    PowerCut,
    /// They do not answer questions and recalls, or do.
    Answers(bool),
}

/// What else happens.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A vendor publishes a patch.
    Publish(usize),
    /// A vendor pulls a patch.
    Pull(usize, String),
    /// A vendor rates a patch anew.
    Rate(usize, Severity),
    /// Inventory and catalogue are compared.
    Rescan,
    /// The host stops and comes back by replay.
    Crash,
    /// The host is away for so many seconds.
    Away(u64),
    /// The host's clock is so many milliseconds ahead of the real one from now on.
    Clock(i64),
    /// Endpoints of a ring raise so many new alerts, or nobody can tell.
    Alerts(Ring, Option<u32>),
    /// A baseline is written.
    Baseline,
}

/// A rollout by its patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rolled {
    pub(super) patch: usize,
    pub(super) kind: RolloutKind,
}

/// A ring of a rollout.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    pub(super) of: Rolled,
    pub(super) name: String,
}

/// A request of somebody.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) by: Actor,
    pub(super) what: Ask,
}

/// What somebody asks. Indices of candidates and rollouts are found when it is asked.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Adopt(usize),
    WaiveTrial(usize, Timestamp, String),
    RepeatTrial(usize),
    Approve(usize, String),
    Reject(usize, String),
    Revoke(usize, String),
    Withdraw(usize, String),
    /// With the rest of a bundle, and the reason when it is an emergency.
    Start(usize, Vec<usize>, Selector, Option<String>),
    Reconsider(usize, String),
    Drill(usize, String),
    Acknowledge(Rolled, String),
    ClearQuarantine(String, String),
    DeclareOwnership(String, String),
    CancelReboot(Rolled, String, String),
    AllowReboots(String, String),
    Pause(Rolled),
    Resume(Rolled),
    Halt(Rolled, String),
    Cancel(Rolled, String),
    LiftHalt(Rolled, String),
    Promote(Rolled, String),
    Retry(Rolled, String),
    Remove(Rolled, String),
    ClearHold(usize, String),
    SkipRing(Ring, String),
    /// Goes on under the policy that holds now.
    Revise(Rolled, String),
    /// Puts endpoints into a ring that has not opened.
    Place(Vec<String>, Ring, String),
}

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Many {
    Exactly(u32),
    AtLeast(u32),
    AtMost(u32),
}

/// The kinds of orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderKind {
    Any,
    Install,
    Revert,
    Reboot,
}

/// Which orders are meant.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    pub(super) kind: OrderKind,
    pub(super) to: Whom,
    pub(super) patch: Option<usize>,
}

/// Which endpoints are meant.
#[derive(Clone, Debug)]
pub(super) enum Whom {
    /// These.
    These(Vec<String>),
    /// All of a ring.
    Ring(Ring),
    /// Everybody.
    Everybody,
}

/// What may be true.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// Each of them is in the phase.
    Phase { whom: Whom, is: bool, phase: PhaseWord, patch: usize },
    /// A ring's state, and words of its verdict.
    RingState { ring: Ring, state: RingState, because: Option<String> },
    /// How many members a ring has.
    RingSize { ring: Ring, many: Many },
    /// Who is in a ring, exactly.
    RingHolds { ring: Ring, names: Vec<String> },
    /// A rollout's state, and words of its halt.
    RolloutState { of: Rolled, state: RolloutState, because: Option<String> },
    /// There is no such rollout.
    NoRollout(Rolled),
    /// A candidate's state.
    Candidate { patch: usize, state: String },
    /// Members by class, in a ring or the whole rollout; classes that are not named are 0.
    Counts { of: Rolled, ring: Option<Ring>, counts: Vec<(String, u32)> },
    /// How many times a hook was asked for so far, before or after operations.
    Hooks { stage: HookStage, on: Whom, many: Many },
    /// So many stagings have been asked for so far.
    Stagings { on: Whom, many: Many },
    /// How many orders left so far.
    Orders { orders: Orders, many: Many },
    /// An order leaves, perhaps while something else is so.
    OrderLeaves { orders: Orders, meanwhile: Option<Box<Condition>> },
    /// The first such order left before the first of the others.
    Before(Orders, Orders),
    /// How many facts of a kind were stored so far, perhaps only those that hold these words.
    Facts { kind: String, words: Option<String>, many: Many },
    /// The explanation holds these words.
    Explain { endpoint: String, patch: usize, words: String },
    /// A notice of a kind was sent, perhaps with these words.
    Notice { kind: NoticeKind, words: Option<String>, many: Many },
    /// What really stands on endpoints.
    Level { names: Vec<String>, package: String, version: Option<String> },
    /// Whether a candidate is held away from endpoints.
    Held { names: Vec<String>, patch: usize, held: bool },
    /// How many operations are under way on endpoints.
    InFlight { whom: Whom, many: Many },
    /// How many observations fitted nothing.
    Strays(Many),
    /// Whom a question about a patch is open to.
    Asked { patch: usize, role: Option<String> },
}

/// A phase, or a class that covers several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PhaseWord {
    Phase(Phase),
    InFlight,
    Unknown,
}
