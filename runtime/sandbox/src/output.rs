use std::collections::VecDeque;

/// Lines longer than this are passed on in pieces.
const LONGEST_LINE: usize = 64 << 10;

/// How many lines an error keeps.
const LAST: usize = 200;

/// Splits what a command prints into lines, passes them on, and keeps the last ones for an error.
pub(crate) struct Lines<'a> {
    sink: &'a (dyn Fn(&str) + Send + Sync),
    partial: Vec<u8>,
    last: VecDeque<String>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(sink: &'a (dyn Fn(&str) + Send + Sync)) -> Self {
        Self { sink, partial: Vec::new(), last: VecDeque::new() }
    }

    /// Takes what was printed.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            for part in piece.chunks(LONGEST_LINE) {
                if self.partial.len() + part.len() > LONGEST_LINE + 1 {
                    self.flush();
                }
                self.partial.extend_from_slice(part);
            }
            if self.partial.last() == Some(&b'\n') {
                self.partial.pop();
                self.emit();
            }
        }
    }

    /// Passes on a last line without an end, and returns the last lines.
    pub(crate) fn finish(mut self) -> Vec<String> {
        self.flush();
        self.last.into()
    }

    fn flush(&mut self) {
        if !self.partial.is_empty() {
            self.emit();
        }
    }

    fn emit(&mut self) {
        let line = String::from_utf8_lossy(&self.partial);
        // What follows a carriage return overwrites what is before it, as on a terminal.
        let line = line.trim_end_matches('\r');
        let line = line.rsplit('\r').next().unwrap_or(line).to_owned();
        self.partial.clear();
        (self.sink)(&line);
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn split(pieces: &[&[u8]]) -> Vec<String> {
        let seen = Mutex::new(Vec::new());
        let sink = |line: &str| seen.lock().unwrap().push(line.to_owned());
        let mut lines = Lines::new(&sink);
        for piece in pieces {
            lines.push(piece);
        }
        lines.finish();
        seen.into_inner().unwrap()
    }

    #[test]
    fn lines_are_joined_across_reads_and_never_lost() {
        assert_eq!(split(&[b"a", b"b\n\nc", b"\xff\nd"]), ["ab", "", "c\u{fffd}", "d"]);
        assert_eq!(split(&[b"10%\r20%\r\n"]), ["20%"]);
    }

    #[test]
    fn an_endless_line_is_split() {
        let long = vec![b'x'; 3 * LONGEST_LINE];
        let lines = split(&[&long]);
        assert!(lines.len() >= 3);
        assert_eq!(lines.concat().len(), long.len());
    }

    #[test]
    fn an_error_keeps_the_last_lines_only() {
        let sink = |_: &str| {};
        let mut lines = Lines::new(&sink);
        for n in 0..1000 {
            lines.push(format!("{n}\n").as_bytes());
        }
        let last = lines.finish();
        assert_eq!((last.len(), last[199].as_str()), (200, "999"));
    }
}
