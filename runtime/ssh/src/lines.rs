//! Foreign bytes as lines of bounded length.

use std::collections::VecDeque;

/// Lines longer than this are passed on in pieces.
const LONGEST_LINE: usize = 64 << 10;

/// How many lines an error keeps.
const LAST: usize = 200;

/// Splits what a command prints into lines and keeps the last ones for an error.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    partial: Vec<u8>,
    last: VecDeque<String>,
    /// Left out of what is handed on: a name of this run's, which says nothing and is another each time.
    pub(crate) hidden: String,
}

impl Lines {
    /// Takes what was printed and hands on each line that it completes.
    pub(crate) fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            for part in piece.chunks(LONGEST_LINE) {
                if self.partial.len() + part.len() > LONGEST_LINE + 1 {
                    self.flush(sink);
                }
                self.partial.extend_from_slice(part);
            }
            if self.partial.last() == Some(&b'\n') {
                self.partial.pop();
                self.emit(sink);
            }
        }
    }

    /// Hands on a last line without an end.
    pub(crate) fn flush(&mut self, sink: &mut dyn FnMut(&str)) {
        if !self.partial.is_empty() {
            self.emit(sink);
        }
    }

    /// The last lines, oldest first.
    pub(crate) fn last(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }

    /// The last lines, oldest first; empties them.
    pub(crate) fn take_last(&mut self) -> Vec<String> {
        std::mem::take(&mut self.last).into()
    }

    fn emit(&mut self, sink: &mut dyn FnMut(&str)) {
        let line = String::from_utf8_lossy(&self.partial);
        // What follows a carriage return overwrites what is before it, as on a terminal.
        let line = line.trim_end_matches('\r');
        let line = line.rsplit('\r').next().unwrap_or(line);
        let line = match self.hidden.as_str() {
            "" => line.to_owned(),
            hidden => line.replace(hidden, ""),
        };
        self.partial.clear();
        sink(&line);
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[&[u8]]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut lines = Lines::default();
        let mut sink = |line: &str| seen.push(line.to_owned());
        for piece in pieces {
            lines.push(piece, &mut sink);
        }
        lines.flush(&mut sink);
        seen
    }

    #[test]
    fn lines_are_joined_across_reads_and_never_lost() {
        assert_eq!(split(&[b"a\nb", b"c\n\nd"]), ["a", "bc", "", "d"]);
        assert_eq!(split(&[b"10%\r20%\rdone\r\n"]), ["done"]);
    }

    #[test]
    fn foreign_bytes_are_bounded_and_readable() {
        let long = vec![b'x'; 3 * LONGEST_LINE + 1];
        let lines = split(&[&long]);
        assert!(lines.iter().all(|line| line.len() <= LONGEST_LINE + 1), "a piece is too long");
        assert_eq!(lines.iter().map(String::len).sum::<usize>(), long.len());
        assert_eq!(split(&[b"\xff\xfe\n"]), ["\u{fffd}\u{fffd}"]);
    }

    #[test]
    fn names_of_one_run_are_left_out() {
        let mut lines = Lines { hidden: "/m/1-".into(), ..Lines::default() };
        lines.push(b"/m/1-shell: 1: x: not found\n", &mut |_| ());
        assert_eq!(lines.last(), ["shell: 1: x: not found"]);
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut lines = Lines::default();
        for n in 0..LAST + 5 {
            lines.push(format!("{n}\n").as_bytes(), &mut |_| ());
        }
        let last = lines.take_last();
        assert_eq!((last.len(), last[0].as_str()), (LAST, "5"));
        assert!(lines.take_last().is_empty());
    }
}
