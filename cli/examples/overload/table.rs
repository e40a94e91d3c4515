//! What came of it, as the rows of a table.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum as _;

use super::attack::Attack;
use super::people::Link;
use super::server::Transport;

/// What is promised: no more than so many times as long.
const RATIO_MAX: f64 = 3.0;

/// One time that people chatted.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) p99: Duration,
    /// How long a bare echo took, for 99 of 100.
    pub(crate) echo: Duration,
    /// How late they themselves were to write.
    pub(crate) late: Duration,
    /// Messages lost, doubled, out of order or never sent.
    pub(crate) faults: u64,
    /// Messages refused, and sessions that broke and went on.
    pub(crate) put_off: u64,
    /// Processors that the server took.
    pub(crate) load: f64,
    /// What the attackers got, if there were some.
    pub(crate) refused: Option<String>,
}

/// An attack on a transport.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) attack: Attack,
    pub(crate) transport: Transport,
    pub(crate) link: Link,
    pub(crate) without: Vec<Run>,
    pub(crate) with: Vec<Run>,
    /// With the attack on a bare server, if that makes sense.
    pub(crate) beside: Vec<Run>,
}

impl Row {
    /// Whether it is as was promised.
    pub(crate) fn is_good(&self) -> bool {
        let faults: u64 = self.all().map(|run| run.faults).sum();
        faults == 0 && self.ratio() <= RATIO_MAX
    }

    fn all(&self) -> impl Iterator<Item = &Run> {
        self.without.iter().chain(&self.with).chain(&self.beside)
    }

    fn ratio(&self) -> f64 {
        let [without, with] = [&self.without, &self.with].map(|runs| p99(runs).as_secs_f64());
        with / without.max(1e-6)
    }
}

fn p99(runs: &[Run]) -> Duration {
    median(runs, |run| run.p99).unwrap_or_default()
}

fn median<T: PartialOrd + Copy>(runs: &[Run], of: impl Fn(&Run) -> T) -> Option<T> {
    let mut all: Vec<_> = runs.iter().map(of).collect();
    all.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    all.get(all.len() / 2).copied()
}

/// What stands above the rows: where it was measured, and what the columns are.
pub(crate) fn head() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    format!(
        "{cores} cores, a load of {load} before\n\n\
         | attack | transport | p99 without | p99 with | ratio | beside | bare echo | server's cores | for those who chat | for the attackers |\n\
         |---|---|---|---|---|---|---|---|---|---|"
    )
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            attack,
            transport,
            without,
            with,
            beside,
            ..
        } = self;
        let transport = transport.to_possible_value();
        let transport = transport.as_ref().map_or("", |value| value.get_name());
        let [from, to] = [without, with].map(|runs| median(runs, |run| run.load).unwrap_or(0.0));
        write!(f, "| {} ", attack.words())?;
        if self.link == Link::PerMessage {
            write!(f, "(per message) ")?;
        }
        write!(
            f,
            "| {transport} | {:.1} ms | {:.1} ms | {:.1} | ",
            millis(p99(without)),
            millis(p99(with)),
            self.ratio(),
        )?;
        if !beside.is_empty() {
            write!(f, "{:.1} ms ", millis(p99(beside)))?;
        }
        write!(
            f,
            "| {:.1} → {:.1} ms | {from:.2} → {to:.2} | ",
            echoed(without),
            echoed(with),
        )?;
        let faults: u64 = self.all().map(|run| run.faults).sum();
        let put_off: u64 = with.iter().map(|run| run.put_off).sum();
        match (faults, put_off) {
            (0, 0) => write!(f, "nothing")?,
            (0, put_off) => write!(f, "{put_off} put off")?,
            (faults, _) => write!(f, "**{faults} faults**")?,
        }
        let refused = with.last().and_then(|run| run.refused.as_deref());
        write!(f, " | {} |", refused.unwrap_or_default())?;
        let late = median(with, |run| run.late).unwrap_or_default();
        if late > p99(with) / 2 {
            write!(
                f,
                " <!-- the tool itself was up to {:.1} ms late -->",
                millis(late)
            )?;
        }
        Ok(())
    }
}

fn echoed(runs: &[Run]) -> f64 {
    millis(median(runs, |run| run.echo).unwrap_or_default())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
