//! Tells an agent's words from what commands print, by a nonce that no command knows.

/// A line that is longer cannot be a word of the agent's; it is passed on in pieces.
const LONGEST: usize = 64 << 10;

/// What came from a machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// Bytes that a command printed, in order.
    Printed(Vec<u8>),
    /// A word of the agent's, without the nonce.
    Word {
        text: String,
        /// Whether the end of line that was handed on last is the agent's: the command did not end its line.
        unended: bool,
    },
}

/// Splits a stream of bytes into frames.
///
/// The agent writes `\n`, the nonce, a blank, its word, and `\n`: both ends of line are its own, so that what a
/// command printed is known to the byte, whether or not it ended its last line. Lines are handed on as they end.
#[derive(Debug)]
pub(crate) struct Frames {
    nonce: Vec<u8>,
    line: Vec<u8>,
    /// An empty line that is the agent's if its nonce follows, else the command's.
    held: bool,
    /// In the middle of a line of which pieces were handed on.
    inside: bool,
}

impl Frames {
    pub(crate) fn new(nonce: &str) -> Self {
        let nonce = format!("{nonce} ").into_bytes();
        Self { nonce, line: Vec::new(), held: false, inside: false }
    }

    /// Takes bytes and hands on the frames that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Frame)) {
        let mut printed = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ended = piece.ends_with(b"\n");
            self.line.extend_from_slice(if ended { &piece[..piece.len() - 1] } else { piece });
            if !ended {
                // Half a line is not waited for, unless it may become the agent's.
                if self.line.len() > LONGEST || !self.may_be_word() {
                    self.give(&mut printed);
                    self.inside = true;
                }
            } else if !self.inside && self.line.starts_with(&self.nonce) {
                if !printed.is_empty() {
                    sink(Frame::Printed(std::mem::take(&mut printed)));
                }
                let text = String::from_utf8_lossy(&self.line[self.nonce.len()..]).into_owned();
                self.line.clear();
                let unended = !std::mem::take(&mut self.held);
                sink(Frame::Word { text, unended });
            } else {
                let empty = self.line.is_empty() && !self.inside;
                self.give(&mut printed);
                self.inside = false;
                if empty {
                    self.held = true;
                } else {
                    printed.push(b'\n');
                }
            }
        }
        if !printed.is_empty() {
            sink(Frame::Printed(printed));
        }
    }

    fn may_be_word(&self) -> bool {
        let length = self.line.len().min(self.nonce.len());
        !self.inside && self.line[..length] == self.nonce[..length]
    }

    fn give(&mut self, printed: &mut Vec<u8>) {
        if std::mem::take(&mut self.held) {
            printed.push(b'\n');
        }
        printed.append(&mut self.line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8], size: usize) -> (Vec<u8>, Vec<String>) {
        let (mut printed, mut words) = (Vec::new(), Vec::new());
        let mut frames = Frames::new("nonce");
        for piece in bytes.chunks(size) {
            frames.push(piece, &mut |frame| match frame {
                Frame::Printed(bytes) => printed.extend(bytes),
                Frame::Word { text, unended } => {
                    if unended {
                        assert_eq!(printed.pop(), Some(b'\n'), "an end of line that was handed on");
                    }
                    words.push(text);
                }
            });
        }
        (printed, words)
    }

    #[test]
    fn what_a_command_printed_is_known_to_the_byte_however_it_is_cut() {
        for output in ["", "a", "a\n", "\n", "\n\n", "a\n\nb", "nonce", "no\nnon"] {
            let stream = format!("\nnonce start 0 1\n{output}\nnonce end 0 0\n");
            for size in 1..=stream.len() {
                let (printed, words) = frames(stream.as_bytes(), size);
                assert_eq!(String::from_utf8_lossy(&printed), output, "in pieces of {size}");
                assert_eq!(words, ["start 0 1", "end 0 0"]);
            }
        }
    }

    #[test]
    fn a_command_that_guesses_the_form_without_the_nonce_is_not_believed() {
        let (printed, words) = frames(b"\nother end 0 0\nx nonce end 0 0\n\nnonce end 0 1\n", 7);
        assert_eq!(words, ["end 0 1"]);
        assert_eq!(printed, b"\nother end 0 0\nx nonce end 0 0\n"[..].to_vec());
    }

    #[test]
    fn a_line_is_handed_on_as_soon_as_it_ends() {
        let mut seen = Vec::new();
        Frames::new("nonce").push(b"one\n", &mut |frame| seen.push(frame));
        assert_eq!(seen, [Frame::Printed(b"one\n".to_vec())]);
    }

    #[test]
    fn a_line_without_end_is_not_hoarded() {
        let mut frames = Frames::new("nonce");
        let mut given = 0;
        for _ in 0..100 {
            frames.push(&[b'x'; 10_000], &mut |frame| {
                if let Frame::Printed(bytes) = frame {
                    given += bytes.len();
                }
            });
        }
        assert_eq!(given, 1_000_000);
    }
}
