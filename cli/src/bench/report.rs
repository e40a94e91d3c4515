//! What came of it, for people and as JSON. The schema is in docs/BENCH.md: fields are added, and never change their meaning.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::process::Usage;
use super::tally::Tally;

/// The schema's version.
const VERSION: u32 = 1;

/// What was asked for.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Asked {
    pub(super) version: u32,
    pub(super) workload: String,
    pub(super) link: String,
    pub(super) transport: String,
    pub(super) users: u32,
    pub(super) window: u32,
    pub(super) size: u32,
    pub(super) rate: Option<u32>,
    pub(super) server: Whose,
}

impl Asked {
    pub(super) const VERSION: u32 = VERSION;
}

/// Whose the server is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Whose {
    /// Started for this, with limits raised.
    Own,
    /// It ran before.
    Foreign,
}

/// What a process used.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(super) struct Cost {
    cpu_seconds: f64,
    cpu_micros_each: Option<f64>,
    cpu_micros_per_user_second: f64,
    memory_kib: u64,
    memory_kib_before: u64,
    memory_kib_per_user: f64,
}

/// How long it took, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Latency {
    p50: u64,
    p99: u64,
    #[serde(rename = "p99.9")]
    p999: u64,
    max: u64,
}

/// What receivers fetched after the measurement.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(super) struct Fetched {
    count: u64,
    seconds: f64,
    per_second: f64,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    asked: Asked,
    seconds: f64,
    unit: &'static str,
    count: u64,
    per_second: f64,
    latency_micros: Option<Latency>,
    fetched: Option<Fetched>,
    sent: u64,
    lost: u64,
    doubled: u64,
    out_of_order: u64,
    invented: u64,
    refused: u64,
    slowed: u64,
    breaks: u64,
    late_micros: u64,
    server_used: Option<Cost>,
    tool_used: Option<Cost>,
}

/// What a process had used: before anybody logged in, at the start of the measurement, and at its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Readings {
    pub(super) before: Option<Usage>,
    pub(super) start: Option<Usage>,
    pub(super) end: Option<Usage>,
}

impl Readings {
    fn cost(self, users: u32, seconds: f64, count: u64) -> Option<Cost> {
        let (before, start, end) = (self.before?, self.start?, self.end?);
        let cpu = end.cpu.saturating_sub(start.cpu).as_secs_f64();
        let users = f64::from(users.max(1));
        let grown = end.memory_kib.saturating_sub(before.memory_kib);
        Some(Cost {
            cpu_seconds: cpu,
            cpu_micros_each: (count > 0).then(|| cpu * 1e6 / float(count)),
            cpu_micros_per_user_second: cpu * 1e6 / users / seconds,
            memory_kib: end.memory_kib,
            memory_kib_before: before.memory_kib,
            memory_kib_per_user: float(grown) / users,
        })
    }
}

impl Report {
    pub(super) fn new(
        asked: Asked,
        unit: &'static str,
        took: Duration,
        tally: &Tally,
        server: Readings,
        tool: Readings,
    ) -> Self {
        let seconds = took.as_secs_f64().max(1e-6);
        let (users, count, faults) = (asked.users, tally.done, tally.faults);
        let times = &tally.times;
        Self {
            seconds,
            unit,
            count,
            per_second: float(count) / seconds,
            latency_micros: (!times.is_empty()).then(|| Latency {
                p50: times.percentile(50.0),
                p99: times.percentile(99.0),
                p999: times.percentile(99.9),
                max: times.max(),
            }),
            fetched: tally.fetched.map(|(count, took)| Fetched {
                count,
                seconds: took.as_secs_f64(),
                per_second: float(count) / took.as_secs_f64().max(1e-6),
            }),
            sent: tally.sent,
            lost: faults.lost,
            doubled: faults.doubled,
            out_of_order: faults.out_of_order,
            invented: faults.invented,
            refused: tally.refused,
            slowed: tally.slowed,
            breaks: tally.breaks,
            late_micros: u64::try_from(tally.late.as_micros()).unwrap_or(u64::MAX),
            server_used: server.cost(users, seconds, count),
            tool_used: tool.cost(users, seconds, count),
            asked,
        }
    }

    pub(super) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = &self.asked;
        write!(
            f,
            "{}: {} users, {} links, transport {}",
            asked.workload, asked.users, asked.link, asked.transport
        )?;
        match asked.server {
            Whose::Own => writeln!(f, ", own server with its limits raised")?,
            Whose::Foreign => writeln!(f, ", a server that runs with limits of its own")?,
        }
        if self.count > 0 {
            writeln!(
                f,
                "  {} {} in {:.2} s: {:.0} a second",
                self.count, self.unit, self.seconds, self.per_second
            )?;
        }
        if let Some(Latency {
            p50,
            p99,
            p999,
            max,
        }) = self.latency_micros
        {
            writeln!(
                f,
                "  took p50 {p50} µs, p99 {p99} µs, p99.9 {p999} µs, at most {max} µs"
            )?;
        }
        if asked.rate.is_some() {
            writeln!(f, "  the tool sent at most {} µs late", self.late_micros)?;
        }
        if let Some(fetched) = self.fetched {
            writeln!(
                f,
                "  {} fetched in {:.2} s: {:.0} a second",
                fetched.count, fetched.seconds, fetched.per_second
            )?;
        }
        write_cost(f, "server", self.server_used, self.unit)?;
        write_cost(f, "tool", self.tool_used, self.unit)?;
        if self.refused + self.slowed + self.breaks > 0 {
            writeln!(
                f,
                "  {} refused; {} times put off as too much for one user; {} sessions broke",
                self.refused, self.slowed, self.breaks
            )?;
        }
        write!(
            f,
            "  of {} sent, {} lost, {} doubled, {} out of order, {} never sent",
            self.sent, self.lost, self.doubled, self.out_of_order, self.invented
        )
    }
}

fn write_cost(
    f: &mut fmt::Formatter<'_>,
    who: &str,
    cost: Option<Cost>,
    unit: &str,
) -> fmt::Result {
    let Some(cost) = cost else {
        return Ok(());
    };
    write!(f, "  {who}: {:.2} s of processor time", cost.cpu_seconds)?;
    match cost.cpu_micros_each {
        Some(each) => write!(f, ", {each:.1} µs for each of the {unit}")?,
        None => write!(
            f,
            ", {:.1} µs a second for each user",
            cost.cpu_micros_per_user_second
        )?,
    }
    writeln!(
        f,
        "; {} KiB of memory, {:.1} KiB more for each user than before they came",
        cost.memory_kib, cost.memory_kib_per_user
    )
}

/// A count as a number to divide.
#[allow(
    clippy::cast_precision_loss,
    reason = "counts of a load test are far below 2^52"
)]
fn float(count: u64) -> f64 {
    count as f64
}
