//! Options that several steps share: how a file lies there, how a command runs.

use crate::{Command, Exec, Limits, Lowering, Mode, Owner};
use kiln_rules as rules;
use std::collections::BTreeMap;

/// Mode and owner of what a step puts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Placing {
    pub(super) mode: Option<u32>,
    pub(super) directory_mode: Option<u32>,
    pub(super) owner: Option<String>,
}

impl Placing {
    pub(super) fn mode(&self, lowering: &mut Lowering) -> Option<Mode> {
        checked(self.mode, lowering)
    }

    pub(super) fn directory_mode(&self, lowering: &mut Lowering) -> Option<Mode> {
        checked(self.directory_mode, lowering)
    }

    pub(super) fn owner(&self, lowering: &mut Lowering) -> Owner {
        let Some(text) = &self.owner else { return Owner::root() };
        lowering.check(rules::owner(text));
        Owner::parse(text)
    }
}

fn checked(mode: Option<u32>, lowering: &mut Lowering) -> Option<Mode> {
    let mode = mode?;
    lowering.check(rules::mode(mode)).map(|()| Mode(mode))
}

/// How a command runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Running {
    pub(super) env: BTreeMap<String, String>,
    pub(super) cwd: Option<String>,
    pub(super) user: Option<String>,
    pub(super) network: bool,
    pub(super) timeout: Option<String>,
    pub(super) memory: Option<String>,
}

impl Running {
    pub(super) fn exec(self, command: Command, lowering: &mut Lowering) -> Exec {
        let Self { env, cwd, user, network, timeout, memory } = self;
        for name in env.keys() {
            lowering.check(rules::env_name(name));
        }
        if let Some(cwd) = &cwd {
            lowering.check(rules::directory(cwd));
        }
        if let Some(user) = &user {
            lowering.check(rules::account(user));
        }
        let time_ms = timeout
            .and_then(|text| lowering.check(rules::duration(&text)))
            .and_then(|time| u64::try_from(time.as_millis()).ok());
        let memory = memory.and_then(|text| lowering.check(rules::bytes(&text)));
        Exec { command, env, cwd, user, network, limits: Limits { time_ms, memory }, resolve: None }
    }
}

/// A command that a step runs on its own account: as root, offline, unbounded.
pub(super) fn shell(script: String) -> Exec {
    Exec {
        command: Command::Shell(script),
        env: BTreeMap::new(),
        cwd: None,
        user: None,
        network: false,
        limits: Limits::default(),
        resolve: None,
    }
}

/// The builder methods of a step that puts files.
macro_rules! placing_methods {
    () => {
        /// The mode of files, in octal: `0o644`. Unless told, `0755` for an input that its owner may
        /// execute and `0644` for any other, as git keeps them.
        #[must_use]
        pub fn mode(mut self, mode: u32) -> Self {
            self.placing.mode = Some(mode);
            self
        }

        /// Who owns it: `user` or `user:group`, by name in the image or by number. Root unless told.
        #[must_use]
        pub fn owner(mut self, owner: impl Into<String>) -> Self {
            self.placing.owner = Some(owner.into());
            self
        }
    };
}
pub(super) use placing_methods;

/// The builder methods of a step that runs a command.
macro_rules! running_methods {
    () => {
        /// Environment variables for this command.
        #[must_use]
        pub fn env<K: Into<String>, V: Into<String>>(
            mut self,
            vars: impl IntoIterator<Item = (K, V)>,
        ) -> Self {
            self.running.env.extend(vars.into_iter().map(|(k, v)| (k.into(), v.into())));
            self
        }

        /// The directory it runs in. `/` unless told.
        #[must_use]
        pub fn cwd(mut self, path: impl Into<String>) -> Self {
            self.running.cwd = Some(path.into());
            self
        }

        /// The user it runs as. Root unless told.
        #[must_use]
        pub fn user(mut self, name: impl Into<String>) -> Self {
            self.running.user = Some(name.into());
            self
        }

        /// Whether it can reach the network. Only a loopback interface unless told.
        #[must_use]
        pub fn network(mut self, reachable: bool) -> Self {
            self.running.network = reachable;
            self
        }

        /// The wall time after which it is stopped and fails, as in `"10m"`. An hour unless told.
        #[must_use]
        pub fn timeout(mut self, duration: impl Into<String>) -> Self {
            self.running.timeout = Some(duration.into());
            self
        }

        /// The memory it may use, as in `"512MiB"`. Unbounded unless told.
        #[must_use]
        pub fn memory(mut self, size: impl Into<String>) -> Self {
            self.running.memory = Some(size.into());
            self
        }
    };
}
pub(super) use running_methods;
