//! `cargo xtask chaos`: many workers on one PostgreSQL while things break, and what came of it.

mod check;
mod clocks;
mod database;
mod disk;
mod faults;
mod load;
mod rng;
mod scorecard;
mod service;
mod time;
mod workers;

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use xshell::{Shell, cmd};

use self::check::{Records, Sampler, StallDetector};
use self::database::{Database, USER};
use self::disk::SmallDisk;
use self::faults::FaultContext;
use self::load::Load;
use self::rng::Rng;
use self::scorecard::Score;
use self::service::{Demand, FakeService};
use self::workers::{WorkerConfig, Workers};
use crate::postgres::Postgres;
use crate::test::run_command;
use crate::{cargo, flags};

/// One kind of fault, injected while the load runs.
struct Scenario {
    name: &'static str,
    description: &'static str,
    /// Injects one fault. None in the scenario without faults, which has a fixed number of events.
    fault: Option<Fault>,
    needs: Needs,
}

type Fault = fn(&mut FaultContext<'_>) -> anyhow::Result<u64>;

/// What the machine must offer for a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// A disk for the database alone.
    SmallDisk,
    /// Workers whose clocks can be set.
    Clocks,
}

impl Scenario {
    const fn new(name: &'static str, description: &'static str, fault: Fault) -> Self {
        Self { name, description, fault: Some(fault), needs: Needs::Nothing }
    }

    const fn with(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }
}

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "load", description: "nothing breaks", fault: None, needs: Needs::Nothing },
    Scenario::new("kill", "workers are killed", faults::kill),
    Scenario::new("freeze", "workers are frozen beyond their leases", faults::freeze),
    Scenario::new("restart", "PostgreSQL is restarted again and again", faults::restart),
    Scenario::new("disconnect", "all connections are closed", faults::disconnect),
    Scenario::new(
        "connections",
        "another client takes all connections",
        faults::exhaust_connections,
    ),
    Scenario::new("idle", "a transaction is left open with hot rows locked", faults::idle),
    Scenario::new("clocks", "the clocks of workers jump by minutes", faults::shift_clock)
        .with(Needs::Clocks),
    Scenario::new("disk", "the disk of the database is full", faults::fill_disk)
        .with(Needs::SmallDisk),
];

/// Set where this program runs in a mount namespace of its own.
const IN_NAMESPACE: &str = "WINDLASS_CHAOS_NAMESPACE";

/// The size of the load.
#[derive(Debug, Clone, Copy)]
struct Size {
    n_workers: usize,
    n_workflows: usize,
    n_events: u64,
    fault_time: Duration,
    lease: Duration,
    /// How often the progress of the load without faults is read: the counts cost the database more the longer the load runs.
    poll_interval: Duration,
}

impl Size {
    fn new(flags: &flags::Chaos) -> anyhow::Result<Self> {
        let (n_workers, n_workflows, n_events) =
            if flags.short { (3, 8, 160) } else { (8, 500, 100_000) };
        let minutes = flags.minutes.map(|minutes| Duration::from_secs(minutes * 60));
        let (fault_time, lease, poll_interval_ms) =
            if flags.short { (2, 1, 100) } else { (600, 10, 2_000) };
        let size = Self {
            n_workers: flags.workers.unwrap_or(n_workers),
            n_workflows: flags.workflows.unwrap_or(n_workflows),
            n_events: flags.events.unwrap_or(n_events),
            fault_time: minutes.unwrap_or(Duration::from_secs(fault_time)),
            lease: Duration::from_secs(lease),
            poll_interval: Duration::from_millis(poll_interval_ms),
        };
        let n_workflows = u64::try_from(size.n_workflows)?;
        ensure!(
            size.n_workers > 0 && n_workflows > 0 && size.n_events >= n_workflows,
            "ask for a worker, a workflow and an event for each workflow at least"
        );
        Ok(size)
    }
}

/// Runs all scenarios, also after one has failed.
pub(crate) fn run(sh: &Shell, flags: &flags::Chaos) -> anyhow::Result<()> {
    if let Some(status) = rerun_with_own_mounts(sh)? {
        ensure!(status.success(), "it ended with {status}");
        return Ok(());
    }
    let size = Size::new(flags)?;
    let scenarios = select_scenarios(&flags.only)?;
    let program = build(sh, flags)?;
    let max_connections = 40 + size.n_workers * 12;
    let settings = format!("max_connections = {max_connections}\n");
    let chaos = Chaos {
        postgres: Postgres::start_with(sh, &settings)?,
        service: FakeService::start(flags.seed.unwrap_or(0))?,
        folder: PathBuf::from(cmd!(sh, "mktemp -d").quiet().read()?),
        size,
        seed: flags.seed.unwrap_or(0),
    };
    let load = Load {
        program,
        n_workflows: size.n_workflows,
        // Few enough that every worker has something to do.
        slots: (size.n_workflows / (size.n_workers + 1)).clamp(1, 8),
        lease: size.lease,
        service: chaos.service.address(),
    };
    println!("{size:?}");
    load.deploy(&chaos.postgres, &chaos.folder.join("deploy"))?;

    let mut scores = Vec::new();
    for scenario in scenarios {
        println!("\n── {}: {} ──", scenario.name, scenario.description);
        let score = chaos.run_scenario(scenario, &load);
        print!("{}", scorecard::page(std::slice::from_ref(&score)));
        scores.push(score);
    }
    println!("\n── scorecard ──\n{}", scorecard::page(&scores));
    if let Some(file) = &flags.json {
        sh.write_file(file, scorecard::json(&scores))?;
    }
    // A short run may skip what this machine cannot do; a long run must prove everything.
    let is_bad = |it: &&Score| !it.problems.is_empty() || (it.skipped.is_some() && !flags.short);
    let failed: Vec<_> = scores.iter().filter(is_bad).map(|it| it.scenario).collect();
    if failed.is_empty() {
        sh.remove_path(&chaos.folder)?;
        return Ok(());
    }
    bail!("failed: {}; the workers' logs are in {}", failed.join(", "), chaos.folder.display());
}

/// Runs this program again in a mount namespace of its own; none where it is in one already or may not have one.
fn rerun_with_own_mounts(sh: &Shell) -> anyhow::Result<Option<ExitStatus>> {
    if sh.var_os(IN_NAMESPACE).is_some() {
        return Ok(None);
    }
    let program = std::env::current_exe()?;
    let Some(mut command) = disk::with_own_mounts(&program) else { return Ok(None) };
    let status = command.args(std::env::args_os().skip(1)).env(IN_NAMESPACE, "1").status()?;
    Ok(Some(status))
}

fn select_scenarios(names: &[String]) -> anyhow::Result<Vec<&'static Scenario>> {
    if names.is_empty() {
        return Ok(SCENARIOS.iter().collect());
    }
    let known: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    let find = |name: &String| {
        let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
        found.with_context(|| format!("there is no scenario `{name}`: {}", known.join(", ")))
    };
    names.iter().map(find).collect()
}

/// Builds the binary: that of the tests for a short run, else the release build. Returns its path, beside this program.
fn build(sh: &Shell, flags: &flags::Chaos) -> anyhow::Result<PathBuf> {
    if flags.short {
        return cargo::build_program(sh, "windlass");
    }
    run_command(cmd!(sh, "cargo build --package windlass-worker --bin windlass --release"))?;
    Ok(cargo::target_folder()?.join("release").join("windlass"))
}

#[expect(clippy::unnecessary_wraps, reason = "it ends a function that may fail")]
fn skip(score: &mut Score, why: String) -> anyhow::Result<()> {
    score.skipped = Some(why);
    Ok(())
}

/// What all scenarios share.
struct Chaos {
    postgres: Postgres,
    service: FakeService,
    folder: PathBuf,
    size: Size,
    seed: u64,
}

impl Chaos {
    /// Runs one scenario; an error becomes a problem in its score.
    fn run_scenario(&self, scenario: &Scenario, load: &Load) -> Score {
        let mut score = Score { scenario: scenario.name, ..Score::default() };
        if let Err(error) = self.try_scenario(scenario, load, &mut score) {
            score.problems.push(format!("{error:#}"));
        }
        score
    }

    fn try_scenario(
        &self,
        scenario: &Scenario,
        load: &Load,
        score: &mut Score,
    ) -> anyhow::Result<()> {
        let name = format!("chaos_{}", scenario.name);
        let mut start = WorkerConfig {
            program: load.program.clone(),
            database: self.postgres.url_of(USER, &name),
            files: vec![("windlass.toml", load.config())],
            environment: Vec::new(),
        };
        let mut disk = None;
        match scenario.needs {
            Needs::Nothing => {}
            Needs::SmallDisk => match SmallDisk::mount(&self.postgres) {
                Ok(mounted) => disk = Some(mounted),
                Err(error) => return skip(score, format!("{error:#}")),
            },
            Needs::Clocks => match clocks::environment() {
                Ok(environment) => {
                    start.environment = environment;
                    start.files.push((clocks::FILE, clocks::NO_OFFSET.to_owned()));
                }
                Err(error) => return skip(score, format!("{error:#}")),
            },
        }
        let tablespace = disk.is_some().then_some(disk::TABLESPACE);
        let database = load.copy(&self.postgres, &name, tablespace)?;
        self.service.open(self.demand(scenario));
        let workers = Workers::start(start, &self.folder.join(scenario.name), self.size.n_workers)?;
        self.wait_for_work(&database)?;
        let started = time::now();
        let mut context = FaultContext {
            postgres: &self.postgres,
            database: database.clone(),
            disk,
            workers,
            rng: Rng::new(self.seed),
            lease: self.size.lease,
            until: started + self.size.fault_time,
            notes: Vec::new(),
        };
        let sampler = Sampler::start(database.clone());
        self.inject_faults(scenario, &mut context, score)?;
        self.service.close();
        score.disrupted = started.elapsed();
        let repaired = time::now();
        let ended = check::converge(&database, &self.service, &mut context.workers)?;
        score.converged = repaired.elapsed();
        score.problems.extend(ended);
        context.workers.stop()?;
        let samples = sampler.stop()?;
        if samples.duplicated > 0 {
            score
                .problems
                .push(format!("{} times a workflow had two open runs", samples.duplicated));
        }
        score.notes.append(&mut context.notes);
        score.notes.push(format!("{} checks for overlapping runs", samples.checks));
        self.verify_counts(&database, &context.workers, score)
    }

    /// Waits until the first event is requested: a fault before that would disturb nothing.
    fn wait_for_work(&self, database: &Database) -> anyhow::Result<()> {
        let mut stalls = StallDetector::new();
        while self.service.count().expected == 0 {
            stalls.check(database)?;
            time::pause(Duration::from_millis(20));
        }
        Ok(())
    }

    fn demand(&self, scenario: &Scenario) -> Demand {
        let n_workflows = u64::try_from(self.size.n_workflows).unwrap_or(u64::MAX);
        match scenario.fault {
            None => Demand {
                max_events_per_workflow: self.size.n_events / n_workflows,
                max_backlog: u64::MAX,
                max_delay: Duration::ZERO,
            },
            Some(_) => Demand {
                max_events_per_workflow: u64::MAX,
                max_backlog: n_workflows * 4,
                max_delay: Duration::from_millis(20),
            },
        }
    }

    /// Injects faults until the time is over; without a fault, waits until every event was requested.
    fn inject_faults(
        &self,
        scenario: &Scenario,
        context: &mut FaultContext<'_>,
        score: &mut Score,
    ) -> anyhow::Result<()> {
        let Some(fault) = scenario.fault else {
            let mut stalls = StallDetector::new();
            while !self.service.is_fully_requested(self.size.n_workflows) {
                stalls.check(&context.database)?;
                score.problems.extend(context.workers.restart_exited()?);
                time::pause(self.size.poll_interval);
            }
            return Ok(());
        };
        while time::now() < context.until {
            score.faults += fault(context)?;
            score.problems.extend(context.workers.restart_exited()?);
        }
        ensure!(score.faults > 0, "no fault was injected");
        Ok(())
    }

    /// Compares what the database says with what the service counted.
    fn verify_counts(
        &self,
        database: &Database,
        workers: &Workers,
        score: &mut Score,
    ) -> anyhow::Result<()> {
        let (records, count) = (Records::read(database)?, self.service.count());
        score.events = records.events;
        score.runs = records.runs;
        score.effects = count.done;
        score.duplicated = count.excess;
        score.lost = count.expected - count.done;
        score.recovered = records.recovered;
        score.settled = records.settled;
        let counts = [
            ("events requested", count.expected),
            ("events made", records.events),
            ("events consumed", records.consumed),
            ("events counted by their consumers", records.counted),
            ("effects in the ledger", records.applied),
            ("effects counted by the service", count.done),
        ];
        for (what, n) in counts.iter().filter(|(_, n)| *n != count.expected) {
            score.problems.push(format!("{n} {what}, not {}", count.expected));
        }
        if count.expected == 0 {
            score.problems.push("no event was requested".to_owned());
        }
        if count.excess > 0 {
            score.problems.push(format!("{} effects happened too often", count.excess));
        }
        score.problems.extend(check::violations(database)?);
        let (n_workers, fewest, most) = check::runs_per_worker(database)?;
        score.notes.push(format!("{n_workers} workers had from {fewest} to {most} runs each"));
        let errors = workers.errors();
        if let Some(first) = errors.first() {
            score.notes.push(format!("{} errors were logged, the first: {first}", errors.len()));
        }
        Ok(())
    }
}
