use super::{Step, options};
use crate::{Lowering, Origin, Put, Source};
use kiln_rules as rules;

/// Copies a file or a tree into the image. See [`copy`].
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    origin: Origin,
    source: String,
    dest: String,
    placing: options::Placing,
}

/// Copies a file or a tree, relative to the recipes' `Cargo.toml`, to a path in the image.
///
/// A file becomes `dest`, or lies in it under its own name when `dest` ends in `/`. The content of a
/// directory becomes the content of `dest`; what is there already stays. Links are copied as links.
/// Times are not kept.
#[track_caller]
pub fn copy(source: impl Into<String>, dest: impl Into<String>) -> Copy {
    Copy {
        origin: Origin::caller(),
        source: source.into(),
        dest: dest.into(),
        placing: options::Placing::default(),
    }
}

impl Copy {
    options::placing_methods!();

    /// The mode of directories, in octal. `0755` unless told.
    #[must_use]
    pub fn directory_mode(mut self, mode: u32) -> Self {
        self.placing.directory_mode = Some(mode);
        self
    }
}

impl Step for Copy {
    fn kind(&self) -> &'static str {
        "copy"
    }

    fn title(&self) -> String {
        format!("copy {} => {}", self.source, self.dest)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lower(self, into: &mut Lowering) {
        into.check(rules::source(&self.source));
        into.check(rules::destination(&self.dest));
        let put = Put {
            mode: self.placing.mode(into),
            directory_mode: self.placing.directory_mode(into),
            owner: self.placing.owner(into),
            dest: self.dest,
            source: Source::Path(self.source),
        };
        into.put(put);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Op;

    #[test]
    fn every_fault_of_a_copy_is_noted() {
        let step = copy("/etc/passwd", "srv/../x").mode(644).owner("Www");
        let mut lowering = Lowering::new(step.origin().clone());
        step.lower(&mut lowering);
        let (ops, _, problems) = lowering.finish();
        assert!(matches!(&ops[..], [Op::Put(_)]));
        let messages: Vec<_> = problems.into_vec().into_iter().map(|p| p.message).collect();
        assert_eq!(
            messages,
            [
                "input `/etc/passwd` is absolute",
                "destination `srv/../x` is relative",
                "malformed user or group name `Www`",
            ]
        );
    }
}
