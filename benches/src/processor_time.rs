//! The processor time of a server, of all its processes together.

use anyhow::{Context, Result};

/// Seconds of a process and of what it has started, as far as that still runs, in steps of 10 ms or so.
pub fn seconds(process: u32) -> Result<f64> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc").context("listing the processes, which takes Linux")? {
        // Entries whose name is not a number are not processes; a process that ends meanwhile is left out.
        if let Ok(name) = entry?.file_name().into_string()
            && let Ok(id) = name.parse::<u32>()
            && let Ok(stat) = std::fs::read_to_string(format!("/proc/{id}/stat"))
            && let Some((parent, ticks)) = parse(&stat)
        {
            all.push((id, parent, ticks));
        }
    }
    let mut members = vec![process];
    let mut next = 0;
    while let Some(&member) = members.get(next) {
        members.extend(all.iter().filter(|(_, parent, _)| *parent == member).map(|(id, ..)| id));
        next += 1;
    }
    let ticks: u64 = all.iter().filter(|(id, ..)| members.contains(id)).map(|(.., ticks)| ticks).sum();
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// The parent's id, and the ticks in user mode and in kernel mode. The process name before them may hold any
/// characters.
fn parse(stat: &str) -> Option<(u32, u64)> {
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((fields.get(1)?.parse().ok()?, ticks(11)? + ticks(12)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read_whatever_the_name() {
        let stat = "7 (a) R 1 (b) S 3 7 7 0 -1 4194560 150 0 0 0 20 22 0 0 20 0 1 0 5 0 0";
        assert_eq!(parse(stat), Some((3, 42)));
    }

    #[test]
    fn the_time_of_a_child_counts() {
        // The inner shell runs until its stdin is closed.
        let child = std::process::Command::new("sh")
            .args(["-c", "(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read x); true"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn();
        let mut child = child.expect("sh starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).expect("it says something");
        assert!(seconds(child.id()).expect("Linux") > 0.0);
        drop(child.stdin.take());
        child.wait().expect("it ends");
    }
}
