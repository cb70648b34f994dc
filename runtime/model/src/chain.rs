/// What is known, while recipes compile, of the images that an image stands on: the constant of the hidden type
/// beside each recipe. rustc finds a cycle of bases by it, and a server that cannot run what is below it.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// How many images stand below.
    pub depth: usize,
    /// The region that it is baked in; `None`: nobody said, or it is computed.
    pub region: Option<&'static str>,
    /// What it executes; `None`: nobody said, or it is computed.
    pub architecture: Option<&'static str>,
}

#[doc(hidden)]
impl Chain {
    /// Of what starts a chain, and of what cannot be looked into.
    pub const UNKNOWN: Self = Self { depth: 0, region: None, architecture: None };

    /// Of an image on top of this.
    #[must_use]
    pub const fn above(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    /// Of an image that says its region; `None`: it is computed.
    #[must_use]
    pub const fn region(self, region: Option<&'static str>) -> Self {
        Self { region, ..self }
    }

    /// Of an image that says its instance type; `None`: it is computed.
    #[must_use]
    pub const fn architecture(self, architecture: Option<&'static str>) -> Self {
        Self { architecture, ..self }
    }

    /// Whether nothing speaks against this region.
    #[must_use]
    pub const fn lies_in(self, region: &str) -> bool {
        agrees(self.region, region)
    }

    /// Whether nothing speaks against this architecture.
    #[must_use]
    pub const fn executes(self, architecture: &str) -> bool {
        agrees(self.architecture, architecture)
    }
}

const fn agrees(known: Option<&str>, with: &str) -> bool {
    let Some(known) = known else { return true };
    let (known, with) = (known.as_bytes(), with.as_bytes());
    if known.len() != with.len() {
        return false;
    }
    // Iterators cannot be used in constants yet.
    let mut at = 0;
    while at < known.len() {
        if known[at] != with[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_agrees_with_everything_and_what_is_known_with_itself() {
        let base = Chain::UNKNOWN.above().region(Some("eu-west-1")).architecture(Some("arm64"));
        assert!(base.above().lies_in("eu-west-1") && base.above().executes("arm64"));
        assert!(!base.lies_in("eu-west-2") && !base.lies_in("eu-west-10"));
        assert!(!base.above().executes("amd64"));
        assert!(base.architecture(None).executes("amd64"));
        assert_eq!(base.above().depth, 2);
    }
}
