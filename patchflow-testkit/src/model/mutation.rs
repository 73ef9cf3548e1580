//! Wrong rules on purpose: a comparison that does not notice each of them could notice nothing.

macro_rules! mutations {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// One rule of the model bent. Each must be found by comparing with the engine.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutation { $($(#[$doc])* $name),+ }

        impl Mutation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

mutations! {
    /// S2: halts when the count limit is reached instead of passed.
    HaltsAtTheCountLimit,
    /// S2: halts when the percent limit is reached instead of passed.
    HaltsAtThePercentLimit,
    /// S2: leaves unknown members out of the failure share.
    ForgetsUnknown,
    /// S2: counts the deferred, so that they water the share down.
    CountsDeferred,
    /// S2: counts the skipped.
    CountsSkipped,
    /// S2: lets `min_started` delay the count rule too.
    DelaysTheCountRule,
    /// S2: promotes a ring that verified nobody.
    NoDataIsAPass,
    /// S2: does not halt early when the success share is out of reach.
    WaitsForTheHopeless,
    /// S2: takes the share of the members where the policy says of the started.
    ShareIsAlwaysOfTheMembers,
    /// S2: counts the failures of the ring where the policy says of the rollout.
    ScopeIsAlwaysTheRing,
    /// S3: passes a ring whose alerts nobody can tell.
    UnknownAlertsPass,
    /// S3: counts the bake from the opening of the ring.
    BakesFromOpening,
    /// S3: promotes at once, without a bake.
    SkipsTheBake,
    /// S3: nobody is deferred.
    NeverDefers,
    /// S3: a late success lifts the halt.
    LateSuccessLiftsTheHalt,
    /// S3: lifting a halt keeps the old evidence.
    LiftKeepsTheEvidence,
    /// S3: a hold has no end.
    HoldsForEver,
    /// S4: starts as long as the window is open, whether or not the operation fits.
    StartsWhatDoesNotFit,
    /// S4: what fits exactly does not start.
    AnExactFitIsTooLong,
    /// S4: windows that touch are two.
    TouchingWindowsStayTwo,
    /// S4: a freeze is ignored.
    IgnoresFreezes,
    /// S4: what was not staged starts all the same.
    StartsWithoutContent,
    /// S4: content is good however old it is.
    OldContentIsGood,
    /// S4: content is brought when the window opens, and not before.
    NoLead,
    /// S4: the next ring is staged whatever the policy says.
    StagesTheNextRing,
    /// S4: other content than what was approved counts.
    AnyContentWillDo,
    /// S4: an answer for an earlier attempt counts for the one under way.
    OldStagingsCount,
    /// S4: nothing that was staged is thrown away.
    NothingIsThrownAway,
    /// S4: any number of endpoints is staged at once.
    NoBoundOnStagings,
    /// S4: any number of endpoints is staged behind one line.
    NoBoundOnLines,
    /// S4: any number of stagings begins in a time.
    AnyNumberIsStaged,
    /// S8: freezes of an adopted policy wait until rollouts are revised.
    AdoptedFreezesWait,
    /// S8: freezes of an adopted policy recall nothing.
    AdoptedFreezesRecallNothing,
    /// S5: a newcomer joins a paused or halted rollout too.
    NewcomersNeverWait,
    /// S5: whoever joins a settled ring lets it bake on.
    NewcomersDoNotReopen,
    /// S5: whom a person took out joins again.
    TakenOutComesBack,
    /// S5: newcomers are brought along after completion whatever the policy says.
    CatchUpIsAlwaysOn,
    /// S5: the deferred are left behind after completion.
    DeferredStayBehind,
    /// S5: no number of failures ends the catch-up.
    CatchUpNeverStops,
    /// S5: orders what was not read since it came back.
    OrdersTheUnread,
    /// S5: what two machines report under is ordered all the same.
    ClonesAreOrdered,
    /// S5: every other machine under the name is a re-image of a silent one.
    EveryCloneIsAReimage,
    /// S5: what was verified on the machine before a re-image stays verified.
    ReimagesKeepWhatWasVerified,
    /// S5: another patch manager holds nothing.
    ManagersHoldNothing,
    /// S6: a reboot that is pending there blocks no order.
    PendingRebootsBlockNothing,
    /// S6: an order that was never acknowledged counts as an attempt.
    ExpiryIsAnAttempt,
    /// S6: an order that was never acknowledged is a failure.
    ExpiryIsAFailure,
    /// S6: silence is a failure.
    SilenceIsAFailure,
    /// S6: a success that arrives late is not taken.
    RefusesLateSuccess,
    /// S6: a report for an order that was replaced is taken for the newer one.
    OldReportsCount,
    /// S6: the second rollout of a patch waits for the endpoint instead of going by the first one's order.
    NobodyAttaches,
    /// S6: the least urgent rollout comes first on an endpoint.
    LastComesFirst,
    /// S6: two rollouts may have one endpoint.
    SharesEndpoints,
    /// S6: a host that was away goes on as if nothing had been.
    NeverResyncs,
    /// S6: signs of life extend the report deadline for ever.
    ProgressExtendsForEver,
    /// S6: any number of reboots in a day.
    RebootsForEver,
    /// S6: a reboot needs no window.
    RebootsAtAnyTime,
    /// S7: an emergency keeps to its windows whatever the policy says.
    EmergenciesWait,
    /// S7: an emergency bakes as long as anything else.
    EmergenciesBake,
    /// S8: a revoked approval stops nothing.
    RevocationStopsNothing,
    /// S8: an approval never expires.
    ApprovalsNeverExpire,
    /// S8: one person counts as often as they like.
    OnePersonIsAQuorum,
    /// S8: nobody asks for the role.
    RolesDoNotMatter,
    /// S8: a revocation rolls nothing back, whatever the policy says.
    RevocationTakesNothingBack,
    /// S8: a revocation rolls back over what has replaced it since.
    TakesBackWhatWasReplaced,
    /// S8: a rule approves what a person had turned down.
    RulesApproveWhatWasTurnedDown,
    /// S9: a failed trial concludes all the same.
    FailedTrialsPass,
    /// S10: no hold after a rollback.
    NoHoldAfterRollback,
    /// S10: a hold does not hold the same version under other content.
    OtherContentIsNotHeld,
    /// S10: installs over something newer.
    InstallsOverTheNewer,
    /// S3: passes a ring from which the way back has ended.
    EndedPathsPass,
    /// S10: starts where the way back has ended.
    StartsOnEndedPaths,
    /// S10: starts without a way back.
    StartsWithoutAWayBack,
    /// S10: rolls nobody back on a halt.
    RollsNobodyBack,
    /// S10: a failed rollback is tried for ever.
    RollbackNeverNeedsAnOperator,
    /// S11: an approved superseder leaves its predecessor alone.
    LeavesTheSuperseded,
    /// S11: what is not approved yet hides its predecessor.
    HidesBeforeApproval,
    /// S11: replaces what it names, and nothing through others.
    ReplacesOnlyWhatItNames,
    /// S11: what was replaced stays away though what replaced it was withdrawn.
    TheReplacedStaysAway,
    /// S11: no rollout of what is replaced comes to its end, whatever the policy says.
    NobodyFinishes,
    /// S11: no rollout of what is replaced moves to the successor, whatever the policy says.
    NobodyMoves,
    /// S11: what was replaced is put over what replaced it.
    PutsBackWhatWasReplaced,
    /// S12: one place more than allowed.
    OnePlaceMore,
    /// S3: passes over the only ring that is left.
    SkipsTheOnlyRing,
    /// A revision leaves the gates as they were.
    RevisionsKeepTheGates,
    /// S12: the fleet's own budget bounds nothing.
    NoBudgetOfTheFleet,
    /// S12: the budgets of scopes bound nothing.
    NoBudgetOfScopes,
    /// S12: after a revision a ring goes by whatever stands at its place in the policy.
    RingsGoByTheirPlace,
    /// S12: the budgets of rings bound nothing.
    NoBudgetOfRings,
    /// S12: any number may start in a time.
    AnyNumberStarts,
    /// S12: members of an availability group are down together.
    GroupsGoTogether,
    /// S12: who failed does not count as unavailable.
    FailedIsAvailable,
    /// S12: the first of a ring go together.
    ProbesGoTogether,
    /// S12: a pre hook that failed does not keep the order back.
    FailedHooksStart,
    /// S12: no post hook runs.
    NobodyIsResumed,
    /// S12: what is heard late of an unknown member takes a place again.
    LateReportsTakeAPlace,
    /// S12: an unknown member keeps its place.
    UnknownKeepsItsPlace,
    /// S13: tries again what was refused.
    RetriesEverything,
    /// S13: one attempt more than the budget.
    OneAttemptMore,
    /// S13: the wait is not doubled.
    BackoffStaysTheSame,
    /// S3: a halt does not recall what has not begun.
    HaltRecallsNothing,
    /// A pause does not stop new orders.
    PauseStopsNothing,
}
