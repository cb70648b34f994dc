use std::fmt;

/// How many tests passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl Tally {
    /// Counts what a line of a test program's summary says; other lines count nothing.
    ///
    /// `test result: ok. 3 passed; 1 failed; 0 ignored; …`, and Python's two lines, `Ran 4 tests in …` and
    /// `FAILED (failures=1, errors=1, skipped=1)` or `OK (skipped=1)`.
    pub(super) fn read(&mut self, line: &str) {
        let Some(summary) = line.trim_start().strip_prefix("test result: ") else {
            self.read_python(line);
            return;
        };
        let counts = summary.split_once(". ").map_or(summary, |(_, counts)| counts);
        for part in counts.split("; ") {
            match part.split_once(' ') {
                Some((count, "passed")) => self.passed += count.parse().unwrap_or(0),
                Some((count, "failed")) => self.failed += count.parse().unwrap_or(0),
                _ => {}
            }
        }
    }

    /// Counts what others have counted.
    pub(super) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    fn read_python(&mut self, line: &str) {
        if let Some((count, _)) = line.strip_prefix("Ran ").and_then(|ran| ran.split_once(" test"))
        {
            self.passed += count.parse::<u64>().unwrap_or(0);
            return;
        }
        let Some(("FAILED" | "OK", counts)) = line.split_once(" (") else { return };
        for part in counts.trim_end_matches(')').split(", ") {
            let Some((what, count)) = part.split_once('=') else { continue };
            let count: u64 = count.parse().unwrap_or(0);
            if ["failures", "errors", "skipped", "unexpected successes"].contains(&what) {
                self.passed = self.passed.saturating_sub(count);
            }
            if what != "skipped" && what != "expected failures" {
                self.failed += count;
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_test_programs_add_up() {
        let mut tally = Tally::default();
        for line in [
            "running 4 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "5 passed; 5 failed",
        ] {
            tally.read(line);
        }
        assert_eq!(tally.to_string(), "13 passed, 2 failed");
    }

    #[test]
    fn summaries_of_pythons_tests_add_up() {
        let mut tally = Tally::default();
        for line in [
            "test_a (tests.test_a.Case.test_a) ... ok",
            "Ran 9 tests in 12.345s",
            "FAILED (failures=1, errors=2, skipped=1)",
            "Ran 1 test in 0.1s",
            "OK",
            "Ran 3 tests in 0.1s",
            "OK (skipped=1, expected failures=1)",
        ] {
            tally.read(line);
        }
        assert_eq!(tally.to_string(), "8 passed, 3 failed");
        tally.add(Tally { passed: 1, failed: 2 });
        assert_eq!(tally.to_string(), "9 passed, 5 failed");
    }
}
