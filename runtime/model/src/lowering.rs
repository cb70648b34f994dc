use crate::{Exec, Op, Origin, Problems, Put};
use kiln_rules::Fault;
use std::collections::BTreeMap;

/// What a [`crate::Step`] writes into while it lowers to ops.
#[derive(Debug)]
pub struct Lowering {
    origin: Origin,
    ops: Vec<Op>,
    env: BTreeMap<String, String>,
    problems: Problems,
}

impl Lowering {
    pub(crate) fn new(origin: Origin) -> Self {
        Self { origin, ops: Vec::new(), env: BTreeMap::new(), problems: Problems::default() }
    }

    /// Appends a [`Put`].
    pub fn put(&mut self, put: Put) {
        self.ops.push(Op::Put(put));
    }

    /// Appends an [`Exec`].
    pub fn exec(&mut self, exec: Exec) {
        self.ops.push(Op::Exec(exec));
    }

    /// Appends a removal.
    pub fn remove(&mut self, dest: impl Into<String>) {
        self.ops.push(Op::Remove { dest: dest.into() });
    }

    /// Appends a restart of the machine.
    pub fn reboot(&mut self) {
        self.ops.push(Op::Reboot);
    }

    /// Sets a variable for every later command of the image, and in the image itself.
    pub fn set_env(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.env.insert(name.into(), value.into());
    }

    /// Notes what a rule of [`crate::rules`] found wrong with a value of the step.
    pub fn check<T>(&mut self, outcome: Result<T, Fault>) -> Option<T> {
        self.problems.check(&self.origin, outcome)
    }

    /// Notes a mistake that no rule covers.
    pub fn problem(&mut self, message: impl Into<String>, help: Option<String>) {
        self.problems.push(&self.origin, message, help);
    }

    pub(crate) fn finish(self) -> (Vec<Op>, BTreeMap<String, String>, Problems) {
        (self.ops, self.env, self.problems)
    }
}
