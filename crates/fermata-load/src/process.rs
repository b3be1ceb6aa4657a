//! What the server process costs, read from `/proc`: CPU time, resident memory, open descriptors.

use std::collections::HashSet;
use std::fs;

/// Clock ticks a second in `/proc/PID/stat`; 100 on every Linux that Fermata runs on (`USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// One reading of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// User and system time since it started, milliseconds (in steps of 10).
    pub cpu_ms: u64,
    /// Resident memory, KiB.
    pub resident_kib: u64,
    /// Open file descriptors.
    pub descriptors: u64,
}

/// Reads process `pid`; `None` if it does not exist or is not ours to read.
pub fn read(pid: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
    Some(Usage { cpu_ms: cpu_ms(&stat)?, resident_kib: resident_kib(&status)?, descriptors })
}

/// Fields 14 and 15 behind the command's name, which may itself hold spaces and brackets.
fn cpu_ms(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * 1_000 / TICKS_PER_SECOND)
}

fn resident_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Datagrams that the system dropped because process `pid` did not read its sockets in time; `None` where that
/// cannot be known.
pub fn datagrams_dropped(pid: u32) -> Option<u64> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let mut inodes = HashSet::new();
    for link in links.flatten() {
        let Ok(target) = fs::read_link(link.path()) else { continue };
        let name = target.to_string_lossy();
        inodes.extend(
            name.strip_prefix("socket:[")
                .and_then(|rest| rest.strip_suffix(']'))
                .and_then(|number| number.parse::<u64>().ok()),
        );
    }
    let mut dropped = 0;
    for table in ["udp", "udp6"] {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        dropped += drops(&table, &inodes);
    }
    Some(dropped)
}

/// Sum of the last column for the rows of those sockets.
fn drops(table: &str, inodes: &HashSet<u64>) -> u64 {
    let of_row = |row: &str| {
        let fields: Vec<&str> = row.split_ascii_whitespace().collect();
        let inode = fields.get(9)?.parse().ok()?;
        inodes.contains(&inode).then(|| fields.last()?.parse::<u64>().ok()).flatten()
    };
    table.lines().filter_map(of_row).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_odd_names() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(cpu_ms(stat), Some(3_000));
        assert_eq!(resident_kib("Name:\tx\nVmRSS:\t  1234 kB\n"), Some(1234));
    }

    #[test]
    fn adds_up_the_drops_of_some_sockets() {
        let row = |inode: u64, drops: u64| {
            format!(
                " 1: 0100007F:1F90 00000000:0000 07 0:0 00:0 00 0 0 {inode} 2 0000000000000000 {drops}\n"
            )
        };
        let table = format!("  sl local rem st drops\n{}{}{}", row(5, 3), row(6, 4), row(7, 9));
        assert_eq!(drops(&table, &HashSet::from([5, 7])), 12);
        assert_eq!(datagrams_dropped(std::process::id()), Some(0));
    }

    #[test]
    fn reads_itself() {
        let usage = read(std::process::id()).expect("own process");
        assert!(usage.resident_kib > 100 && usage.descriptors >= 3);
        assert_eq!(read(0), None);
    }
}
