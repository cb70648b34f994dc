use super::{Step, options, quote};
use crate::{Lowering, Origin};
use kiln_rules as rules;

/// Makes sure of a user. See [`user`].
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    origin: Origin,
    name: String,
    uid: Option<u32>,
    group: Option<String>,
    groups: Vec<String>,
    home: Option<String>,
    shell: Option<String>,
    system: bool,
    authorized_keys: Vec<String>,
}

/// Makes sure that a user is there, with what is asked for. The password stays locked.
#[track_caller]
pub fn user(name: impl Into<String>) -> User {
    User {
        origin: Origin::caller(),
        name: name.into(),
        uid: None,
        group: None,
        groups: Vec::new(),
        home: None,
        shell: None,
        system: false,
        authorized_keys: Vec::new(),
    }
}

impl User {
    /// The number. The next free one unless told.
    #[must_use]
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    /// The primary group, which must be there. A group of the user's own unless told.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.group = Some(name.into());
        self
    }

    /// Further groups, which must be there.
    #[must_use]
    pub fn groups<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.groups = names.into_iter().map(Into::into).collect();
        self
    }

    /// The home directory; it is made. `/home/NAME` unless told, and none for a system user.
    #[must_use]
    pub fn home(mut self, path: impl Into<String>) -> Self {
        self.home = Some(path.into());
        self
    }

    /// The login shell. `/bin/bash` unless told, `/usr/sbin/nologin` for a system user.
    #[must_use]
    pub fn shell(mut self, path: impl Into<String>) -> Self {
        self.shell = Some(path.into());
        self
    }

    /// Whether it is a system user: a number of that range, no home, no login.
    #[must_use]
    pub fn system(mut self, system: bool) -> Self {
        self.system = system;
        self
    }

    /// Public keys that may log in over SSH: the whole `~/.ssh/authorized_keys`.
    #[must_use]
    pub fn authorized_keys<S: Into<String>>(mut self, keys: impl IntoIterator<Item = S>) -> Self {
        self.authorized_keys = keys.into_iter().map(Into::into).collect();
        self
    }
}

impl Step for User {
    fn kind(&self) -> &'static str {
        "user"
    }

    fn title(&self) -> String {
        format!("user {}", self.name)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lower(self, into: &mut Lowering) {
        into.check(rules::account(&self.name));
        for group in self.group.iter().chain(&self.groups) {
            into.check(rules::account(group));
        }
        for path in self.home.iter().chain(&self.shell) {
            into.check(rules::destination(path));
        }
        for key in &self.authorized_keys {
            into.check(rules::authorized_key(key));
        }
        into.exec(options::shell(self.command()));
    }
}

impl User {
    fn command(&self) -> String {
        let name = quote(&self.name);
        let mut both = Vec::new();
        let mut value = |flag: &str, value: &str| both.push(format!("{flag} {}", quote(value)));
        if let Some(uid) = self.uid {
            value("--uid", &uid.to_string());
        }
        if let Some(group) = &self.group {
            value("--gid", group);
        }
        if !self.groups.is_empty() {
            value("--groups", &self.groups.join(","));
        }
        if let Some(home) = &self.home {
            value("--home", home);
        }
        let shell = if self.system { "/usr/sbin/nologin" } else { "/bin/bash" };
        value("--shell", self.shell.as_deref().unwrap_or(shell));
        let both = both.join(" ");
        let home =
            if self.system && self.home.is_none() { "--no-create-home" } else { "--create-home" };
        let system = if self.system { " --system" } else { "" };
        let own_group = if self.group.is_some() { " --no-user-group" } else { " --user-group" };
        let mut script = format!(
            "if getent passwd {name} >/dev/null; then usermod {both} {name}\n\
             else useradd {home}{system}{own_group} {both} {name}; fi\n\
             rm -f /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-\n"
        );
        if !self.authorized_keys.is_empty() {
            let lines: Vec<String> = self.authorized_keys.iter().map(|key| quote(key)).collect();
            script.push_str(&format!(
                "home=$(getent passwd {name} | cut -d: -f6)\n\
                 install -d -m 700 -o {name} -g \"$(id -gn {name})\" \"$home/.ssh\"\n\
                 printf '%s\\n' {} >\"$home/.ssh/authorized_keys\"\n\
                 chmod 600 \"$home/.ssh/authorized_keys\"\n\
                 chown {name}: \"$home/.ssh/authorized_keys\"\n",
                lines.join(" ")
            ));
        }
        script
    }
}
