//! `simplechat-sim`: runs random worlds and holds them against what is promised.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]
#![allow(
    clippy::disallowed_methods,
    reason = "how long a run really takes is told, and nothing depends on it"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;

use simplechat_sim::trials::checker::Violation;
use simplechat_sim::trials::generate::Wanted;
use simplechat_sim::trials::plan::Plan;
use simplechat_sim::trials::trial::{self, Figures};
use simplechat_sim::trials::{generate, shrink};
use simplechat_sim::world::Secrecy;

/// Runs random worlds of SimpleChat's machines, and checks that everything promised holds in them.
///
/// A failing world is cut down to the smallest one that breaks the same promise. Exits with 1 if there was one.
#[derive(Parser, Debug)]
#[command(name = "simplechat-sim")]
struct Args {
    /// One world; the same seed is the same world
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "plan"])]
    seed: Option<u64>,
    /// The worlds from one seed to another, as in 1..1000, both included
    #[arg(long, value_name = "FIRST..LAST", value_parser = parse_seeds, conflicts_with = "plan")]
    seeds: Option<Seeds>,
    /// So many worlds from a random seed on, when no seeds are given
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    worlds: u64,
    /// The world of a plan in a file, as printed for a failing one
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// So many people in each world, in place of a random number
    #[arg(long, value_name = "COUNT", conflicts_with = "plan")]
    people: Option<usize>,
    /// What protects the lines of each world: plain, sealed, or attacked; random if it is not said
    #[arg(long, value_name = "HOW", value_parser = parse_secrecy, conflicts_with = "plan")]
    secrecy: Option<Secrecy>,
    /// Print what happens, a line each; for one world
    #[arg(long)]
    verbose: bool,
    /// Do not look for the smallest failing plan
    #[arg(long)]
    no_shrink: bool,
    /// So many worlds at once
    #[arg(long, value_name = "COUNT")]
    threads: Option<usize>,
}

impl Args {
    fn plan_of(&self, seed: u64) -> Plan {
        let (people, secrecy) = (self.people, self.secrecy);
        generate::plan_with(seed, Wanted { people, secrecy })
    }

    /// The options of what is not left to chance, as they were given.
    fn wanted(&self) -> String {
        let people = self.people.map(|people| format!(" --people {people}"));
        let secrecy = self.secrecy.map(|secrecy| {
            let how = format!("{secrecy:?}").to_lowercase();
            format!(" --secrecy {how}")
        });
        [people, secrecy].into_iter().flatten().collect()
    }
}

fn parse_secrecy(text: &str) -> Result<Secrecy, String> {
    match text {
        "quick" => Ok(Secrecy::Quick),
        "quickattacked" => Ok(Secrecy::QuickAttacked),
        "sealed" => Ok(Secrecy::Sealed),
        "attacked" => Ok(Secrecy::Attacked),
        _ => Err("it is plain, sealed or attacked".to_owned()),
    }
}

#[derive(Clone, Copy, Debug)]
struct Seeds {
    first: u64,
    last: u64,
}

fn parse_seeds(text: &str) -> Result<Seeds, String> {
    let (first, last) = text
        .split_once("..")
        .ok_or("seeds are written as in 1..1000")?;
    let number = |text: &str| {
        text.trim_start_matches('=')
            .parse()
            .map_err(|_| format!("{text:?} is no seed: seeds are numbers from 0 on"))
    };
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(format!("there is no seed from {first} to {last}"));
    }
    Ok(Seeds { first, last })
}

fn main() -> ExitCode {
    let args = Args::parse();
    // A panic of a machine is a finding, and told as one.
    std::panic::set_hook(Box::new(|_| {}));
    let plan = match (&args.plan, args.seed) {
        (Some(file), _) => match read_plan(file) {
            Ok(plan) => Some(plan),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        },
        (None, Some(seed)) => Some(args.plan_of(seed)),
        (None, None) => None,
    };
    match plan {
        Some(plan) => run_one(&plan, &args),
        None => run_many(&args),
    }
}

fn read_plan(file: &PathBuf) -> Result<Plan, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    ron::from_str(&text).map_err(|error| format!("{} is no plan: {error}", file.display()))
}

fn run_one(plan: &Plan, args: &Args) -> ExitCode {
    let mut print = |line: &str| println!("{line}");
    let listener: Option<trial::Listener<'_>> = if args.verbose { Some(&mut print) } else { None };
    match trial::run(plan, None, listener) {
        Ok(figures) => {
            let hours = figures.virtual_time.as_secs_f64() / 3_600.0;
            println!(
                "seed {}: all promises held for {hours:.2} h, in {} steps",
                plan.seed, figures.steps
            );
            ExitCode::SUCCESS
        }
        Err(violation) => {
            tell(plan, &violation, args);
            ExitCode::FAILURE
        }
    }
}

fn tell(plan: &Plan, violation: &Violation, args: &Args) {
    println!("\nseed {} breaks a promise:\n  {violation}", plan.seed);
    println!(
        "see it with: cargo run --release -p simplechat-sim -- --seed {}{} --verbose",
        plan.seed,
        args.wanted()
    );
    if !args.no_shrink {
        let (small, violation) = shrink::shrink(plan, violation, None);
        println!(
            "the smallest plan that breaks it (run it with --plan FILE):\n// {violation}\n{}",
            small.to_ron()
        );
    }
}

#[derive(Debug, Default)]
struct Progress {
    worlds: AtomicU64,
    millis: AtomicU64,
    failed: AtomicU64,
    is_over: AtomicBool,
}

impl Progress {
    fn add(&self, figures: Figures) {
        self.worlds.fetch_add(1, Ordering::Relaxed);
        let millis = u64::try_from(figures.virtual_time.as_millis()).unwrap_or(u64::MAX);
        self.millis.fetch_add(millis, Ordering::Relaxed);
    }

    fn line(&self, since: Instant) -> String {
        let real = since.elapsed().as_secs_f64().max(0.001);
        let worlds = self.worlds.load(Ordering::Relaxed);
        let hours =
            Duration::from_millis(self.millis.load(Ordering::Relaxed)).as_secs_f64() / 3_600.0;
        let failed = self.failed.load(Ordering::Relaxed);
        format!(
            "{worlds} worlds, {failed} failed, {:.0} worlds a second, {hours:.0} virtual hours, {:.0} of them a minute",
            f64::from(u32::try_from(worlds).unwrap_or(u32::MAX)) / real,
            hours / real * 60.0
        )
    }
}

/// Failing worlds after which there is enough to look at.
const FAILURES_MAX: u64 = 5;

fn run_many(args: &Args) -> ExitCode {
    let seeds = args.seeds.unwrap_or_else(|| {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let first = now.as_secs() * 1_000;
        Seeds {
            first,
            last: first.saturating_add(args.worlds.saturating_sub(1)),
        }
    });
    println!("seeds {}..{}", seeds.first, seeds.last);
    let threads = args
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let (progress, started) = (Progress::default(), Instant::now());
    let next = AtomicU64::new(seeds.first);
    let printing = Mutex::new(());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| work(args, seeds, &next, &progress, &printing)))
            .collect();
        scope.spawn(|| {
            let mut told = Instant::now();
            while !progress.is_over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
                if told.elapsed() >= Duration::from_secs(5) {
                    told = Instant::now();
                    println!("{}", progress.line(started));
                }
            }
        });
        for worker in workers {
            let _ = worker.join();
        }
        progress.is_over.store(true, Ordering::Relaxed);
    });
    println!("{}", progress.line(started));
    if progress.failed.load(Ordering::Relaxed) == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn work(args: &Args, seeds: Seeds, next: &AtomicU64, progress: &Progress, printing: &Mutex<()>) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed > seeds.last || progress.failed.load(Ordering::Relaxed) >= FAILURES_MAX {
            return;
        }
        let plan = args.plan_of(seed);
        match trial::run(&plan, None, None) {
            Ok(figures) => progress.add(figures),
            Err(violation) => {
                progress.add(Figures::default());
                progress.failed.fetch_add(1, Ordering::Relaxed);
                let _printing = printing.lock();
                tell(&plan, &violation, args);
            }
        }
    }
}
