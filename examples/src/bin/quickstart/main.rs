//! The main job: a small real fleet on this machine, patched from identification to verification.
//!
//! `cargo run --release --bin quickstart -- --out DIR`; everything has a default. Exit code 0 when the story ended as
//! planned, 1 when it did not or could not go on, 2 for a command line that cannot be read, 130 after Ctrl-C.

mod args;
mod director;
mod ending;
mod error;
mod look;
mod paper;
mod person;
mod run;
mod screen;
mod service;
mod story;
mod world;

use args::Args;
use clap::Parser as _;
use director::{Course, Director, FLEET, Faults};
use error::{Error, Result, because};
use look::Follower;
use patchflow_backends::clock::SystemClock;
use patchflow_backends::host::identify::Identifier;
use patchflow_backends::host::{Host, HostHandle};
use patchflow_backends::store::RedbStore;
use patchflow_core::report::ReportDocument;
use patchflow_core::sdk::{Clock, JournalStore};
use person::Person;
use run::Run;
use screen::Screen;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use world::World;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let args = Args::parse();
    match job(&args) {
        Ok(code) => code,
        Err(error) => {
            say_to(&mut std::io::stderr(), &format!("quickstart: {}", error.told()));
            ExitCode::FAILURE
        }
    }
}

/// Whoever reads this may have gone away; the job is done either way.
fn say_to(stream: &mut dyn std::io::Write, text: &str) {
    let _ = writeln!(stream, "{text}");
}

fn say(text: &str) {
    say_to(&mut std::io::stdout(), text);
}

fn job(args: &Args) -> Result<ExitCode> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new().map_err(because("no thread for the clock"))?);
    // A second Ctrl-C ends the process at once, which the journal bears as well.
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    })
    .map_err(because("could not listen for Ctrl-C"))?;
    let (run, new) = Run::settle(args, clock.now(), World::auto)?;
    let dir = std::fs::canonicalize(&args.out).map_err(because("could not find the output directory"))?;
    // Before the world: a second process on the same directory is refused here, and touches nothing.
    let store = RedbStore::open(dir.join("journal.redb")).map_err(because("could not open the journal"))?;
    let store: Arc<dyn JournalStore> = Arc::new(store);
    let kind = format!("{:?}", run.kind).to_lowercase();
    say(&format!(
        "{} {} {kind} endpoints in {}",
        if new { "Making" } else { "Going on with" },
        run.endpoints,
        dir.display()
    ));
    let world = World::open(&dir, &run, clock.clone())?;
    let host = Host::builder()
        .store(store.clone())
        .clock(clock.clone())
        .installer(world.installer.clone())
        .inventory(world.inventory.clone())
        .probe(world.probe.clone())
        .approver(Arc::new(Person::new(clock.clone(), u64::from(run.speed.bake_secs()))))
        .build()
        .map_err(because("the host does not fit together"))?;
    let director = Director {
        dir: dir.clone(),
        run: &run,
        world: &world,
        host: host.handle(),
        clock: clock.clone(),
        identifier: Identifier::new(FLEET)
            .source(world.source.clone())
            .feed(world.feed.clone())
            .paths(world.installer.capabilities().paths),
        follower: Follower::new(store, FLEET),
        screen: Screen::new(args.plain, run.endpoints, run.begun_at),
        interrupted: &INTERRUPTED,
    };
    let directed = std::thread::scope(|scope| {
        let directing = scope.spawn(|| pollster::block_on(direct(director)));
        let ran = pollster::block_on(host.run()).map_err(because("the host stopped"));
        let directed = directing.join().map_err(|_| Error::new("the director broke off"))?;
        ran.map(drop).and(directed)
    });
    world.place.shutdown();
    let Some((document, checks)) = directed? else {
        say("\nInterrupted. Start it again with the same --out, and it goes on where it was.");
        return Ok(ExitCode::from(130));
    };
    paper::write(&dir, &document)?;
    say(&format!("\n{}\n", paper::table(&document.summary)));
    document.explanations.iter().for_each(|explanation| say(&paper::told(explanation)));
    say(&format!("Checked at the end:\n{}", paper::checked(&checks)));
    let ended_well = checks.iter().all(|check| check.holds);
    say(&format!(
        "{}\n  the report       {dir}/report.html, and as data {dir}/report.json\n  the journal      {dir}/journal.redb\n  \
         the endpoints    {dir}/hosts",
        if ended_well {
            "The story ended as planned. Look next at:"
        } else {
            "The story did not end as planned. Look at:"
        },
        dir = dir.display()
    ));
    Ok(if ended_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

type Ending = Option<(ReportDocument, Vec<ending::Check>)>;

/// Directs, makes the report while the fleet is still loaded, and stops the host whatever happened.
async fn direct(mut director: Director<'_>) -> Result<Ending> {
    let ending = conclude(&mut director).await;
    director.screen.close();
    director.host.stop().await;
    ending
}

async fn conclude(director: &mut Director<'_>) -> Result<Ending> {
    match director.direct().await? {
        Course::Interrupted => Ok(None),
        Course::Over => {
            let faults = Faults::read(&director.dir)?.unwrap_or_default();
            let document = document(&director.host, director, faults.clone()).await?;
            let checks = ending::checks(&document.summary, director.world, &faults).await?;
            Ok(Some((document, checks)))
        }
    }
}

async fn document(host: &HostHandle, director: &Director<'_>, faults: Faults) -> Result<ReportDocument> {
    let history = director.follower.history().clone();
    let (tail, now) = (director.follower.tail(), director.clock.now());
    let made = host.with_fleet(FLEET, move |fleet| paper::document(fleet, &history, tail, &faults, now));
    made.await.map_err(because("could not make the report"))
}
