//! What was measured: rows, and the table of them.

use super::measure::Sample;
use std::fmt::Write;
use std::time::Duration;

/// Everything measured of one case by one program.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) case: String,
    pub(super) who: String,
    pub(super) samples: Vec<Sample>,
    /// Memory of daemons while it was measured, beside that of the samples: KiB.
    pub(super) daemons_kib: u64,
    /// The machine's load average when the case began.
    pub(super) load: f64,
    pub(super) targets: Vec<Target>,
}

/// What a row was to reach.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) text: String,
    pub(super) met: bool,
}

impl Row {
    pub(super) fn new(case: &str, who: &str, load: f64) -> Self {
        Self {
            case: case.to_owned(),
            who: who.to_owned(),
            samples: Vec::new(),
            daemons_kib: 0,
            load,
            targets: Vec::new(),
        }
    }

    pub(super) fn median(&self) -> Duration {
        let sorted = self.sorted();
        match sorted.len() {
            0 => Duration::ZERO,
            n if n % 2 == 1 => sorted[n / 2],
            n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2,
        }
    }

    pub(super) fn peak_kib(&self) -> u64 {
        self.samples.iter().map(|sample| sample.peak_kib).max().unwrap_or(0)
    }

    /// A target that the median must stay below.
    pub(super) fn below(&mut self, text: &str, limit: Duration) {
        let met = self.median() < limit;
        self.targets.push(Target { text: text.to_owned(), met });
    }

    fn sorted(&self) -> Vec<Duration> {
        let mut times: Vec<Duration> = self.samples.iter().map(|sample| sample.time).collect();
        times.sort_unstable();
        times
    }
}

/// Markdown. The ratio is to the first row of the same case.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| case | who | median | min – max | runs | ratio | peak memory | load | target | met |\n\
         |---|---|--:|--:|--:|--:|--:|--:|---|---|\n",
    );
    for row in rows {
        let times = row.sorted();
        let range = match (times.first(), times.last()) {
            (Some(min), Some(max)) => format!("{} – {}", time(*min), time(*max)),
            _ => String::new(),
        };
        let targets: Vec<&str> = row.targets.iter().map(|target| target.text.as_str()).collect();
        let met: Vec<&str> =
            row.targets.iter().map(|target| if target.met { "yes" } else { "**no**" }).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {range} | {} | {:.2} | {} | {:.1} | {} | {} |",
            row.case,
            row.who,
            time(row.median()),
            times.len(),
            ratio(rows, row),
            memory(row),
            row.load,
            targets.join("; "),
            met.join("; "),
        );
    }
    text
}

/// The same for programs.
pub(super) fn json(machine: &str, rows: &[Row]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let times: Vec<String> =
                row.samples.iter().map(|s| format!("{:.6}", s.time.as_secs_f64())).collect();
            let targets: Vec<String> = row
                .targets
                .iter()
                .map(|t| format!("{{\"target\":{},\"met\":{}}}", quoted(&t.text), t.met))
                .collect();
            format!(
                "{{\"case\":{},\"who\":{},\"median_s\":{:.6},\"times_s\":[{}],\"ratio\":{:.3},\
                 \"peak_kib\":{},\"daemons_kib\":{},\"load\":{},\"targets\":[{}]}}",
                quoted(&row.case),
                quoted(&row.who),
                row.median().as_secs_f64(),
                times.join(","),
                ratio(rows, row),
                row.peak_kib(),
                row.daemons_kib,
                row.load,
                targets.join(",")
            )
        })
        .collect();
    format!("{{\"machine\":{},\"rows\":[\n{}\n]}}\n", quoted(machine), rows.join(",\n"))
}

fn ratio(rows: &[Row], row: &Row) -> f64 {
    let first = rows.iter().find(|other| other.case == row.case).unwrap_or(row);
    row.median().as_secs_f64() / first.median().as_secs_f64()
}

fn memory(row: &Row) -> String {
    let mib = |kib: u64| kib.div_ceil(1024);
    match (row.peak_kib(), row.daemons_kib) {
        (0, _) => "–".into(),
        (peak, 0) => format!("{} MiB", mib(peak)),
        (peak, daemons) => format!("{} MiB + daemons {} MiB", mib(peak), mib(daemons)),
    }
}

fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if char.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(case: &str, who: &str, ms: &[u64]) -> Row {
        let mut row = Row::new(case, who, 0.5);
        let sample = |ms: &u64| Sample { peak_kib: 2048, ..Sample::of(Duration::from_millis(*ms)) };
        row.samples = ms.iter().map(sample).collect();
        row
    }

    #[test]
    fn the_median_is_the_middle_of_all_runs() {
        assert_eq!(row("a", "x", &[9, 1, 5]).median(), Duration::from_millis(5));
        assert_eq!(row("a", "x", &[9, 1, 5, 7]).median(), Duration::from_millis(6));
    }

    #[test]
    fn a_missed_target_is_told_and_ratios_are_to_the_first_of_the_case() {
        let mut rows =
            [row("a", "kiln", &[10]), row("a", "other", &[30]), row("b", "kiln", &[2000])];
        rows[0].below("< 5 ms", Duration::from_millis(5));
        rows[2].below("< 3 s", Duration::from_secs(3));
        let text = markdown(&rows);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert!(lines[0].ends_with("| 1.00 | 2 MiB | 0.5 | < 5 ms | **no** |"), "{text}");
        assert!(lines[1].contains("| other | 30.0 ms | 30.0 ms – 30.0 ms | 1 | 3.00 |"), "{text}");
        assert!(lines[2].contains("| 2.00 s |") && lines[2].ends_with("| < 3 s | yes |"), "{text}");
    }

    #[test]
    fn names_with_quotes_stay_valid_json() {
        assert_eq!(quoted("a \"b\" \\ \n"), r#""a \"b\" \\ \u000a""#);
    }
}
