use super::{Field, Fields};
use crate::driver::{Action, Content, ExecAction, Program, PutAction};
use crate::graph::{Node, NodeKind};
use crate::inputs::{Input, Inputs, Manifest, render};
use crate::lock::{EntryId, LockFile, LockedFile};
use crate::{Digest, Error, NodeName};
use kiln::{
    BaseNode, Command, Debian, Exec, Limits, Mode, Op, Origin, Owner, Put, RootArchive, Source,
};
use std::path::Path;
use std::sync::Arc;

/// Tells the digest (`sha256:…`) of the image that an OCI layout has under a tag; without a tag, of its only
/// one. The format is its driver's to know.
pub type ResolveLayout = fn(layout: &Path, tag: Option<&str>) -> Result<String, Error>;

/// A node with its inputs read: everything about it but what it stands on and what is not locked yet.
#[derive(Debug)]
pub struct Definition {
    /// The lock entry of a base that comes from outside.
    pub base_entry: Option<EntryId>,
    /// The digest of the manifest that an OCI layout's tag names.
    pub manifest: Option<String>,
    /// The steps of a layer.
    pub steps: Vec<Step>,
    /// The trees that it copies: kept, so that `explain` can name the file that changed.
    pub trees: Vec<(Digest, Arc<Manifest>)>,
    base: Fields,
}

/// A step, ready to run.
#[derive(Debug)]
pub struct Step {
    /// Its key in the recipe.
    pub kind: String,
    /// In words.
    pub title: String,
    /// Where it was written.
    pub origin: Origin,
    /// What to do.
    pub actions: Vec<Prepared>,
}

/// An action, and the lock entry that it waits for.
#[derive(Debug)]
pub struct Prepared {
    /// What to do; its `files` are those of the lock file, or `None` yet.
    pub action: Action,
    /// What it asks of the outside, and the script that finds it.
    pub wants: Option<(EntryId, String)>,
}

impl Definition {
    /// Reads the inputs that a node names.
    ///
    /// # Errors
    /// Each input that cannot be read, with its origin: all of them.
    pub fn read(
        node: &Node,
        architecture: &str,
        inputs: &Inputs,
        resolve_layout: ResolveLayout,
    ) -> Result<Self, Vec<Error>> {
        let mut definition = Self {
            base_entry: None,
            manifest: None,
            steps: Vec::new(),
            trees: Vec::new(),
            base: Fields::default(),
        };
        match &node.kind {
            NodeKind::Base(base) => definition
                .read_base(node, base, architecture, resolve_layout)
                .map_err(|error| vec![error.at(&node.origin)])?,
            NodeKind::Layer(layer) => {
                let mut errors = Vec::new();
                for step in &layer.steps {
                    let mut actions = Vec::with_capacity(step.ops.len());
                    for op in &step.ops {
                        match definition.prepare(op, &node.name, &node.root, architecture, inputs) {
                            Ok(prepared) => actions.push(prepared),
                            Err(error) => errors.push(error.at(&step.origin)),
                        }
                    }
                    definition.steps.push(Step {
                        kind: step.kind.clone(),
                        title: step.title.clone(),
                        origin: step.origin.clone(),
                        actions,
                    });
                }
                if !errors.is_empty() {
                    return Err(errors);
                }
            }
        }
        Ok(definition)
    }

    fn read_base(
        &mut self,
        node: &Node,
        base: &BaseNode,
        architecture: &str,
        resolve_layout: ResolveLayout,
    ) -> Result<(), Error> {
        match base {
            BaseNode::Debian(Debian { origin: _, suite, mirror, include }) => {
                self.base.put("base", "debian");
                self.base.put("suite", suite);
                self.base.put("mirror", mirror);
                for package in include {
                    self.base.put("include", package);
                }
                self.base_entry = Some(EntryId::base(suite, mirror, include, architecture));
            }
            BaseNode::OciLayout(layout) => {
                let manifest =
                    resolve_layout(&node.root.join(&layout.path), layout.tag.as_deref())?;
                self.base.put("base", "oci");
                self.base.put("manifest", &manifest);
                self.manifest = Some(manifest);
            }
            BaseNode::RootArchive(RootArchive { origin: _, path: _, digest }) => {
                self.base.put("base", "archive");
                self.base.put("digest", digest);
            }
            BaseNode::Scratch(_) => self.base.put("base", "scratch"),
            BaseNode::Image(_) => {}
        }
        Ok(())
    }

    fn prepare(
        &mut self,
        op: &Op,
        name: &NodeName,
        root: &Path,
        architecture: &str,
        inputs: &Inputs,
    ) -> Result<Prepared, Error> {
        match op {
            Op::Put(put) => {
                Ok(Prepared { action: Action::Put(self.put(put, root, inputs)?), wants: None })
            }
            Op::Remove { dest } => {
                Ok(Prepared { action: Action::Remove { dest: dest.clone() }, wants: None })
            }
            Op::Exec(Exec { command, env, cwd, user, network, limits, resolve }) => {
                let program = match command {
                    Command::Argv(argv) => Program::Argv(argv.clone()),
                    Command::Shell(text) => Program::Shell(text.clone()),
                    Command::Script { path, args } => match inputs.read(root, path)? {
                        Input::File { path, digest, .. } => {
                            Program::Script { path, digest, args: args.clone() }
                        }
                        Input::Tree { .. } => {
                            return Err(Error::input(format!("script `{path}` is a directory")));
                        }
                    },
                };
                let action = Action::Exec(ExecAction {
                    program,
                    env: env.clone(),
                    cwd: cwd.clone(),
                    user: user.clone(),
                    network: *network,
                    limits: *limits,
                    files: None,
                });
                let wants = resolve.as_ref().map(|resolve| {
                    (EntryId::layer(name, &resolve.request, architecture), resolve.script.clone())
                });
                Ok(Prepared { action, wants })
            }
        }
    }

    fn put(&mut self, put: &Put, root: &Path, inputs: &Inputs) -> Result<PutAction, Error> {
        let mut dest = put.dest.clone();
        let content = match &put.source {
            Source::Inline(text) => Content::Bytes(text.as_bytes().into()),
            Source::Directory => Content::Directory,
            Source::Link(target) => Content::Link(target.clone()),
            Source::Template { path, vars } => {
                let (text, _) = inputs.read_text(root, path)?;
                dest = into_directory(dest, path.trim_end_matches(".j2"));
                Content::Bytes(render(&text, path, vars)?.into_bytes().into())
            }
            Source::Path(path) => match inputs.read(root, path)? {
                Input::File { path: file, digest, executable, .. } => {
                    dest = into_directory(dest, path);
                    Content::File { path: file, digest, executable }
                }
                Input::Tree { root, digest, manifest } => {
                    self.trees.push((digest, manifest.clone()));
                    Content::Tree { root, manifest }
                }
            },
        };
        let dest = dest.trim_end_matches('/').to_owned();
        Ok(PutAction {
            dest,
            content,
            mode: put.mode,
            directory_mode: put.directory_mode,
            owner: put.owner.clone(),
        })
    }

    /// What the node's key covers of the node itself.
    ///
    /// # Errors
    /// The lock entries that are missing.
    pub fn fields(&self, lock: &LockFile) -> Result<Vec<Field>, Vec<EntryId>> {
        let mut fields = self.base.clone();
        let mut missing = Vec::new();
        if let Some(id) = &self.base_entry {
            match lock.get(id) {
                Some(files) => locked(&mut fields, &files),
                None => missing.push(id.clone()),
            }
        }
        let mut trees = self.trees.iter().map(|(digest, _)| *digest);
        for prepared in self.steps.iter().flat_map(|step| &step.actions) {
            match &prepared.action {
                Action::Put(action) => put_fields(&mut fields, action, &mut trees),
                Action::Exec(action) => exec_fields(&mut fields, action),
                Action::Remove { dest } => {
                    fields.next_op("remove");
                    fields.put("dest", dest);
                }
            }
            if let Some((id, _)) = &prepared.wants {
                match lock.get(id) {
                    Some(files) => locked(&mut fields, &files),
                    None => missing.push(id.clone()),
                }
            }
        }
        if missing.is_empty() { Ok(fields.into_vec()) } else { Err(missing) }
    }

    /// The lock entries that the node asks for.
    pub(crate) fn entries(&self) -> Vec<EntryId> {
        let wants =
            self.steps.iter().flat_map(|step| &step.actions).filter_map(|p| p.wants.as_ref());
        self.base_entry.iter().chain(wants.map(|(id, _)| id)).cloned().collect()
    }

    /// Where an entry is asked for, where it is a step that asks.
    pub(crate) fn origin_of(&self, id: &EntryId) -> Option<&Origin> {
        let asks = |step: &&Step| {
            step.actions
                .iter()
                .any(|prepared| prepared.wants.as_ref().is_some_and(|(want, _)| want == id))
        };
        self.steps.iter().find(asks).map(|step| &step.origin)
    }

    /// The titles of the steps by op, for records: `explain` names a step by its title.
    #[must_use]
    pub fn titles(&self) -> Vec<String> {
        let steps = self.steps.iter();
        steps.flat_map(|step| step.actions.iter().map(|_| step.title.clone())).collect()
    }
}

fn put_fields(fields: &mut Fields, action: &PutAction, trees: &mut impl Iterator<Item = Digest>) {
    let PutAction { dest, content, mode, directory_mode, owner: Owner { user, group } } = action;
    fields.next_op("put");
    fields.put("dest", dest);
    let mut default_mode = 0o644;
    match content {
        Content::File { path, digest, executable } => {
            fields.put_digest("file", *digest, &path.to_string_lossy());
            default_mode = if *executable { 0o755 } else { 0o644 };
        }
        Content::Tree { root, manifest: _ } => {
            // Each tree was noted once, in the order of the ops.
            if let Some(digest) = trees.next() {
                fields.put_digest("tree", digest, &root.to_string_lossy());
            }
        }
        Content::Bytes(bytes) => fields.put_digest("text", Digest::of(bytes), dest),
        Content::Directory => fields.put("directory", ""),
        Content::Link(target) => fields.put("link", target),
    }
    match (content, mode) {
        (Content::Directory | Content::Link(_), None) => {}
        // In a tree every file has its own default, which the tree's digest covers.
        (Content::Tree { .. }, None) => fields.put("mode", "git"),
        (_, mode) => fields.put("mode", octal(mode.unwrap_or(Mode(default_mode)))),
    }
    fields.put("directory mode", octal(directory_mode.unwrap_or(Mode(0o755))));
    fields.put("owner", user);
    fields.put("group", group.as_deref().unwrap_or("(primary)"));
}

fn exec_fields(fields: &mut Fields, action: &ExecAction) {
    // Bounds decide whether a command succeeds, not what it makes. Locked files follow as their own fields.
    let ExecAction {
        program,
        env,
        cwd,
        user,
        network,
        limits: Limits { time_ms: _, memory: _ },
        files: _,
    } = action;
    fields.next_op("exec");
    match program {
        Program::Argv(argv) => {
            for word in argv {
                fields.put("argv", word);
            }
        }
        Program::Shell(text) => fields.put("shell", text),
        Program::Script { path, digest, args } => {
            fields.put_digest("script", *digest, &path.to_string_lossy());
            for word in args {
                fields.put("argument", word);
            }
        }
    }
    for (name, value) in env {
        fields.put("env", format!("{name}={value}"));
    }
    fields.put("cwd", cwd.as_deref().unwrap_or("/"));
    fields.put("user", user.as_deref().unwrap_or("root"));
    fields.put("network", network);
}

/// Locked files count by content and name; where they were found does not.
fn locked(fields: &mut Fields, files: &[LockedFile]) {
    for file in files {
        let LockedFile { sha256, size: _, version: _, url: _ } = file;
        fields.put("locked", format!("{} {sha256}", file.name()));
    }
}

fn octal(mode: Mode) -> String {
    format!("{:04o}", mode.0)
}

/// A destination that ends in `/` takes the file under its own name.
fn into_directory(dest: String, source: &str) -> String {
    match dest.ends_with('/') {
        true => format!("{dest}{}", source.rsplit('/').next().unwrap_or(source)),
        false => dest,
    }
}
