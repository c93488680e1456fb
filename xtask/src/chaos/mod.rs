//! `cargo xtask chaos`: many workers on one PostgreSQL while things break, and what came of it.

mod chance;
mod check;
mod clocks;
mod database;
mod disk;
mod faults;
mod load;
mod outside;
mod scorecard;
mod time;
mod workers;

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use xshell::{Shell, cmd};

use self::chance::Chance;
use self::check::{Patience, Records, Sampler};
use self::database::{Database, USER};
use self::disk::SmallDisk;
use self::faults::Stage;
use self::load::Load;
use self::outside::{Outside, Supply};
use self::scorecard::Score;
use self::workers::{Start, Workers};
use crate::postgres::Postgres;
use crate::{cargo, flags};

/// One thing that breaks.
struct Scenario {
    name: &'static str,
    about: &'static str,
    /// Breaks something once; without one nothing breaks, and there is a fixed number of events.
    fault: Option<Fault>,
    needs: Needs,
}

type Fault = fn(&mut Stage<'_>) -> anyhow::Result<u64>;

/// What a scenario cannot be played without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// A disk for the database alone.
    SmallDisk,
    /// Workers whose clocks can be set.
    Clocks,
}

impl Scenario {
    const fn new(name: &'static str, about: &'static str, fault: Fault) -> Self {
        Self { name, about, fault: Some(fault), needs: Needs::Nothing }
    }

    const fn with(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }
}

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "load", about: "nothing breaks", fault: None, needs: Needs::Nothing },
    Scenario::new("kill", "workers are killed", faults::kill),
    Scenario::new("freeze", "workers are frozen beyond their leases", faults::freeze),
    Scenario::new("restart", "PostgreSQL is restarted again and again", faults::restart),
    Scenario::new("disconnect", "all connections are closed", faults::disconnect),
    Scenario::new("crowd", "others take all connections", faults::crowd),
    Scenario::new("idle", "a transaction is left open with hot rows locked", faults::idle),
    Scenario::new("clocks", "the clocks of workers jump by minutes", faults::skew)
        .with(Needs::Clocks),
    Scenario::new("disk", "the disk of the database is full", faults::fill).with(Needs::SmallDisk),
];

/// How often a load is looked at: to count it costs the database more the longer it runs.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Set for a run that has mounts of its own.
const INSIDE: &str = "WINDLASS_CHAOS_INSIDE";

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Size {
    n_workers: usize,
    n_workflows: usize,
    n_events: u64,
    breaking_for: Duration,
    lease: Duration,
}

impl Size {
    fn new(flags: &flags::Chaos) -> anyhow::Result<Self> {
        let (n_workers, n_workflows, n_events) =
            if flags.short { (3, 8, 160) } else { (8, 500, 100_000) };
        let minutes = flags.minutes.map(|minutes| Duration::from_secs(minutes * 60));
        let (breaking_for, lease) = if flags.short { (2, 2) } else { (600, 10) };
        let size = Self {
            n_workers: flags.workers.unwrap_or(n_workers),
            n_workflows: flags.workflows.unwrap_or(n_workflows),
            n_events: flags.events.unwrap_or(n_events),
            breaking_for: minutes.unwrap_or(Duration::from_secs(breaking_for)),
            lease: Duration::from_secs(lease),
        };
        let n_workflows = u64::try_from(size.n_workflows)?;
        ensure!(
            size.n_workers > 0 && n_workflows > 0 && size.n_events >= n_workflows,
            "ask for a worker, a workflow and an event for each workflow at least"
        );
        Ok(size)
    }
}

/// Plays all scenarios, also after one has failed.
pub(crate) fn run(sh: &Shell, flags: &flags::Chaos) -> anyhow::Result<()> {
    if let Some(status) = run_among_own_mounts(sh)? {
        ensure!(status.success(), "it ended with {status}");
        return Ok(());
    }
    let size = Size::new(flags)?;
    let scenarios = chosen(&flags.only)?;
    let program = build(sh, flags)?;
    let max_connections = 40 + size.n_workers * 12;
    let settings = format!("max_connections = {max_connections}\n");
    let theatre = Theatre {
        postgres: Postgres::start_with(sh, &settings)?,
        outside: Outside::start(flags.seed.unwrap_or(0))?,
        folder: PathBuf::from(cmd!(sh, "mktemp -d").quiet().read()?),
        size,
        seed: flags.seed.unwrap_or(0),
    };
    let load = Load {
        program,
        n_workflows: size.n_workflows,
        // Few enough for all of them to have something to do.
        slots: (size.n_workflows / (size.n_workers + 1)).clamp(1, 8),
        lease: size.lease,
        outside: theatre.outside.address(),
    };
    println!("{size:?}");
    load.deploy(&theatre.postgres, &theatre.folder.join("deploy"))?;

    let mut scores = Vec::new();
    for scenario in scenarios {
        println!("\n── {}: {} ──", scenario.name, scenario.about);
        let score = theatre.play(scenario, &load);
        print!("{}", scorecard::page(std::slice::from_ref(&score)));
        scores.push(score);
    }
    println!("\n── scorecard ──\n{}", scorecard::page(&scores));
    if let Some(file) = &flags.json {
        sh.write_file(file, scorecard::json(&scores))?;
    }
    // A short run does what can be done here; a long one is there to prove all of it.
    let is_bad = |it: &&Score| !it.problems.is_empty() || (it.not_tried.is_some() && !flags.short);
    let failed: Vec<_> = scores.iter().filter(is_bad).map(|it| it.scenario).collect();
    if failed.is_empty() {
        sh.remove_path(&theatre.folder)?;
        return Ok(());
    }
    bail!("failed: {}; the workers' logs are in {}", failed.join(", "), theatre.folder.display());
}

/// Runs this program again with mounts of its own, where it is not such a run and may have them.
fn run_among_own_mounts(sh: &Shell) -> anyhow::Result<Option<ExitStatus>> {
    if sh.var_os(INSIDE).is_some() {
        return Ok(None);
    }
    let program = std::env::current_exe()?;
    let Some(mut command) = disk::among_own_mounts(&program) else { return Ok(None) };
    let status = command.args(std::env::args_os().skip(1)).env(INSIDE, "1").status()?;
    Ok(Some(status))
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Scenario>> {
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

/// The binary of the tests, or the one that is released; they lie beside this program.
fn build(sh: &Shell, flags: &flags::Chaos) -> anyhow::Result<PathBuf> {
    let (options, profile): (&[&str], _) =
        if flags.short { (&[], "debug") } else { (&["--release"], "release") };
    let build = cmd!(sh, "cargo build --package windlass-worker --bin windlass {options...}");
    cargo::of_nobody(build).run()?;
    let this = std::env::current_exe()?;
    let target = this.parent().and_then(Path::parent).context("where are the programs built?")?;
    Ok(target.join(profile).join("windlass"))
}

#[expect(clippy::unnecessary_wraps, reason = "it ends a function that may fail")]
fn not_tried(score: &mut Score, why: String) -> anyhow::Result<()> {
    score.not_tried = Some(why);
    Ok(())
}

/// What all scenarios share.
struct Theatre {
    postgres: Postgres,
    outside: Outside,
    folder: PathBuf,
    size: Size,
    seed: u64,
}

impl Theatre {
    /// Plays one scenario; what goes wrong is a problem of its score.
    fn play(&self, scenario: &Scenario, load: &Load) -> Score {
        let mut score = Score { scenario: scenario.name, ..Score::default() };
        if let Err(error) = self.try_play(scenario, load, &mut score) {
            score.problems.push(format!("{error:#}"));
        }
        score
    }

    fn try_play(&self, scenario: &Scenario, load: &Load, score: &mut Score) -> anyhow::Result<()> {
        let name = format!("chaos_{}", scenario.name);
        let mut start = Start {
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
                Err(error) => return not_tried(score, format!("{error:#}")),
            },
            Needs::Clocks => {
                let Some(environment) = clocks::environment() else {
                    return not_tried(score, "the program `faketime` is missing".to_owned());
                };
                start.environment = environment;
                start.files.push((clocks::FILE, clocks::RIGHT.to_owned()));
            }
        }
        let tablespace = disk.is_some().then_some(disk::TABLESPACE);
        let database = load.copy(&self.postgres, &name, tablespace)?;
        self.outside.open(self.supply(scenario));
        let workers = Workers::start(start, &self.folder.join(scenario.name), self.size.n_workers)?;
        self.wait_for_work(&database)?;
        let began = time::now();
        let mut stage = Stage {
            postgres: &self.postgres,
            database: database.clone(),
            disk,
            workers,
            chance: Chance::new(self.seed),
            lease: self.size.lease,
            until: began + self.size.breaking_for,
            notes: Vec::new(),
        };
        let sampler = Sampler::start(database.clone());
        self.disturb(scenario, &mut stage, score)?;
        self.outside.close();
        score.disturbed = began.elapsed();
        let mended = time::now();
        let ended = check::converge(&database, &self.outside, &mut stage.workers)?;
        score.converged = mended.elapsed();
        score.problems.extend(ended);
        stage.workers.stop()?;
        let samples = sampler.stop()?;
        if samples.doubled > 0 {
            score.problems.push(format!("{} times a workflow had two open runs", samples.doubled));
        }
        score.notes.append(&mut stage.notes);
        score.notes.push(format!("{} looks at the open runs", samples.looks));
        self.settle_accounts(&database, &stage.workers, score)
    }

    /// Waits until the load has begun: before that there is nothing to disturb.
    fn wait_for_work(&self, database: &Database) -> anyhow::Result<()> {
        let mut patience = Patience::new();
        while self.outside.count().expected == 0 {
            patience.look(database)?;
            time::pause(Duration::from_millis(20));
        }
        Ok(())
    }

    fn supply(&self, scenario: &Scenario) -> Supply {
        let n_workflows = u64::try_from(self.size.n_workflows).unwrap_or(u64::MAX);
        match scenario.fault {
            None => Supply {
                events_each: self.size.n_events / n_workflows,
                ahead: u64::MAX,
                delay: Duration::ZERO,
            },
            Some(_) => Supply {
                events_each: u64::MAX,
                ahead: n_workflows * 4,
                delay: Duration::from_millis(20),
            },
        }
    }

    /// Breaks things until it is enough; where nothing breaks, waits for all work to be handed out.
    fn disturb(
        &self,
        scenario: &Scenario,
        stage: &mut Stage<'_>,
        score: &mut Score,
    ) -> anyhow::Result<()> {
        let Some(fault) = scenario.fault else {
            let mut patience = Patience::new();
            while !self.outside.is_handed_out(self.size.n_workflows) {
                patience.look(&stage.database)?;
                score.problems.extend(stage.workers.replace_ended()?);
                time::pause(LOOK_EVERY);
            }
            return Ok(());
        };
        while time::now() < stage.until {
            score.faults += fault(stage)?;
            score.problems.extend(stage.workers.replace_ended()?);
        }
        ensure!(score.faults > 0, "nothing was broken");
        Ok(())
    }

    fn settle_accounts(
        &self,
        database: &Database,
        workers: &Workers,
        score: &mut Score,
    ) -> anyhow::Result<()> {
        let (records, count) = (Records::read(database)?, self.outside.count());
        score.events = records.events;
        score.runs = records.runs;
        score.effects = count.done;
        score.doubled = count.too_often;
        score.lost = count.expected - count.done;
        score.recovered = records.recovered;
        score.settled = records.settled;
        let counts = [
            ("events asked for", count.expected),
            ("events made", records.events),
            ("events consumed", records.consumed),
            ("events counted by their consumers", records.counted),
            ("effects in the ledger", records.applied),
            ("effects outside", count.done),
        ];
        for (what, n) in counts.iter().filter(|(_, n)| *n != count.expected) {
            score.problems.push(format!("{n} {what}, not {}", count.expected));
        }
        if count.expected == 0 {
            score.problems.push("nothing was asked for".to_owned());
        }
        if count.too_often > 0 {
            score.problems.push(format!("{} effects happened too often", count.too_often));
        }
        score.problems.extend(check::forbidden(database)?);
        let (n_workers, fewest, most) = check::shares(database)?;
        score.notes.push(format!("{n_workers} workers had from {fewest} to {most} runs each"));
        let errors = workers.errors();
        if let Some(first) = errors.first() {
            score.notes.push(format!("{} errors were logged, the first: {first}", errors.len()));
        }
        Ok(())
    }
}
