//! What a process has used, as Linux tells it. Elsewhere nobody knows.

use std::fs;
use std::time::Duration;

/// What a process has used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Usage {
    /// Processor time since its start.
    pub(super) cpu: Duration,
    /// Memory that it has just now, in KiB.
    pub(super) memory_kib: u64,
}

/// What the process of that number has used.
pub(super) fn usage(process: u32) -> Option<Usage> {
    let read = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}")).ok();
    let ticks_a_second = rustix::param::clock_ticks_per_second();
    Some(Usage {
        cpu: cpu(&read("stat")?, ticks_a_second)?,
        memory_kib: memory_kib(&read("status")?)?,
    })
}

/// The program's name, in parentheses, may hold anything; what follows is numbers.
fn cpu(stat: &str, ticks_a_second: u64) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let both = ticks()?.checked_add(ticks()?)?;
    Some(Duration::from_micros(
        both.checked_mul(1_000_000)? / ticks_a_second.max(1),
    ))
}

fn memory_kib(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_confuses_nobody() {
        let stat = "17 (a) b) S 1 17 17 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 5 6 7";
        assert_eq!(cpu(stat, 100), Some(Duration::from_secs(3)));
        assert_eq!(cpu("17 (a) S 1", 100), None);
    }

    #[test]
    fn memory_is_that_which_is_in_use() {
        let status = "Name:\ta\nVmHWM:\t    9000 kB\nVmRSS:\t    8200 kB\nThreads:\t1\n";
        assert_eq!(memory_kib(status), Some(8_200));
        assert_eq!(memory_kib("Name:\ta\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory() {
        let usage = usage(std::process::id()).unwrap();
        assert!(usage.memory_kib > 100, "{usage:?}");
    }
}
