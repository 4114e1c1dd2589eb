//! Prometheus' own text form, 0.0.4, made from OpenMetrics.

/// The same samples, which both forms write alike. What differs is what is said about them: a counter has its whole
/// name there, there is no kind `info`, no unit, and no end.
pub(super) fn prometheus(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = None;
    for line in openmetrics.lines() {
        let comment = line.strip_prefix("# ").and_then(|rest| rest.split_once(' '));
        match comment {
            // What the name becomes is known by the kind, which stands in the next line.
            Some(("HELP", rest)) => help = rest.split_once(' '),
            Some(("TYPE", rest)) => {
                let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
                let (suffix, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    kind => ("", kind),
                };
                if let Some((_, says)) = help.take() {
                    text += &format!("# HELP {name}{suffix} {says}\n");
                }
                text += &format!("# TYPE {name}{suffix} {kind}\n");
            }
            Some(("UNIT", _)) => {}
            _ if line == "# EOF" => {}
            _ => {
                text += line;
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_about_the_samples_differs() {
        let openmetrics = "\
# HELP t_cpu_seconds Time it took
# TYPE t_cpu_seconds counter
# UNIT t_cpu_seconds seconds
t_cpu_seconds_total 0.5
# HELP t_build What runs
# TYPE t_build info
t_build_info{version=\"# TYPE\"} 1
# HELP t_peers Peers
# TYPE t_peers gauge
t_peers{socket=\"a\"} 3
# EOF
";
        let expected = "\
# HELP t_cpu_seconds_total Time it took
# TYPE t_cpu_seconds_total counter
t_cpu_seconds_total 0.5
# HELP t_build_info What runs
# TYPE t_build_info gauge
t_build_info{version=\"# TYPE\"} 1
# HELP t_peers Peers
# TYPE t_peers gauge
t_peers{socket=\"a\"} 3
";
        assert_eq!(prometheus(openmetrics), expected);
    }
}
