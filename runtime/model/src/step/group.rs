use super::{Step, options, quote};
use crate::{Lowering, Origin};
use kiln_rules as rules;

/// Makes sure of a group. See [`group`].
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    origin: Origin,
    name: String,
    gid: Option<u32>,
    system: bool,
}

/// Makes sure that a group is there, with the number asked for.
#[track_caller]
pub fn group(name: impl Into<String>) -> Group {
    Group { origin: Origin::caller(), name: name.into(), gid: None, system: false }
}

impl Group {
    /// Its number. The next free one unless told.
    #[must_use]
    pub fn gid(mut self, gid: u32) -> Self {
        self.gid = Some(gid);
        self
    }

    /// Whether its number is taken from the range of system groups.
    #[must_use]
    pub fn system(mut self, system: bool) -> Self {
        self.system = system;
        self
    }
}

impl Step for Group {
    fn kind(&self) -> &'static str {
        "group"
    }

    fn title(&self) -> String {
        format!("group {}", self.name)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lower(self, into: &mut Lowering) {
        into.check(rules::account(&self.name));
        let name = quote(&self.name);
        let gid = self.gid.map(|gid| format!(" --gid {gid}")).unwrap_or_default();
        let system = if self.system { " --system" } else { "" };
        let change = match self.gid {
            Some(_) => format!("groupmod{gid} {name}"),
            None => ":".to_owned(),
        };
        into.exec(options::shell(format!(
            "if getent group {name} >/dev/null; then {change}; else groupadd{gid}{system} {name}; fi\n\
             rm -f /etc/group- /etc/gshadow-\n"
        )));
    }
}
