use super::{Field, Fields, Target, cover};
use crate::driver::{Action, Content, ExecAction, Program, PutAction};
use crate::graph::{Node, NodeKind};
use crate::inputs::{Input, Inputs, Manifest, render};
use crate::lock::{EntryId, LockFile};
use crate::{Digest, Error, NodeName};
use kiln::{Ami, AmiSource, BaseNode, Command, Debian, Exec, Op, Origin, Put, RootArchive, Source};
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
    /// What is the node's own beside its steps.
    own: Fields,
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
        target: &Target,
        inputs: &Inputs,
        resolve_layout: ResolveLayout,
    ) -> Result<Self, Vec<Error>> {
        let mut definition = Self {
            base_entry: None,
            manifest: None,
            steps: Vec::new(),
            trees: Vec::new(),
            own: Fields::default(),
        };
        cover::builder(&mut definition.own, node.builder.as_ref());
        match &node.kind {
            NodeKind::Base(base) => definition
                .read_base(node, base, target, resolve_layout)
                .map_err(|error| vec![error.at(&node.origin)])?,
            NodeKind::Image(image) => {
                cover::volume(&mut definition.own, node.builder.as_ref());
                cover::image(&mut definition.own, image)
                    .map_err(|error| vec![error.at(&node.origin)])?;
            }
            NodeKind::Layer(layer) => {
                let mut errors = Vec::new();
                for step in &layer.steps {
                    let mut actions = Vec::with_capacity(step.ops.len());
                    for op in &step.ops {
                        match definition.prepare(op, &node.name, &node.root, target, inputs) {
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
        target: &Target,
        resolve_layout: ResolveLayout,
    ) -> Result<(), Error> {
        match base {
            BaseNode::Debian(Debian { origin: _, suite, mirror, include }) => {
                self.own.put("base", "debian");
                self.own.put("suite", suite);
                self.own.put("mirror", mirror);
                for package in include {
                    self.own.put("include", package);
                }
                let mut request = format!("debian {suite}");
                for package in include {
                    request.push_str(&format!(" +{package}"));
                }
                request.push_str(&format!(" from {mirror}"));
                self.base_entry = Some(EntryId::base(request, target));
            }
            BaseNode::Ami(Ami { origin: _, source }) => {
                self.own.put("base", "ami");
                let request = match source {
                    AmiSource::Id(id) => {
                        self.own.put("image", id);
                        return Ok(());
                    }
                    AmiSource::Parameter(name) => format!("ami of parameter {name}"),
                    AmiSource::Newest { owner, name } => format!("newest ami {name} of {owner}"),
                };
                self.own.put("request", &request);
                self.base_entry = Some(EntryId::base(request, target));
            }
            BaseNode::OciLayout(layout) => {
                let manifest =
                    resolve_layout(&node.root.join(&layout.path), layout.tag.as_deref())?;
                self.own.put("base", "oci");
                self.own.put("manifest", &manifest);
                self.manifest = Some(manifest);
            }
            BaseNode::RootArchive(RootArchive { origin: _, path: _, digest }) => {
                self.own.put("base", "archive");
                self.own.put("digest", digest);
            }
            BaseNode::Scratch(_) => self.own.put("base", "scratch"),
            BaseNode::Image(_) => {}
        }
        Ok(())
    }

    fn prepare(
        &mut self,
        op: &Op,
        name: &NodeName,
        root: &Path,
        target: &Target,
        inputs: &Inputs,
    ) -> Result<Prepared, Error> {
        match op {
            Op::Put(put) => {
                Ok(Prepared { action: Action::Put(self.put(put, root, inputs)?), wants: None })
            }
            Op::Reboot => Ok(Prepared { action: Action::Reboot, wants: None }),
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
                    (EntryId::layer(name, &resolve.request, target), resolve.script.clone())
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
        let mut fields = self.own.clone();
        let mut missing = Vec::new();
        if let Some(id) = &self.base_entry {
            match lock.get(id) {
                Some(entry) => cover::locked(&mut fields, &entry),
                None => missing.push(id.clone()),
            }
        }
        let mut trees = self.trees.iter().map(|(digest, _)| *digest);
        for prepared in self.steps.iter().flat_map(|step| &step.actions) {
            match &prepared.action {
                Action::Put(action) => cover::put(&mut fields, action, &mut trees),
                Action::Exec(action) => cover::exec(&mut fields, action),
                Action::Remove { dest } => {
                    fields.next_op("remove");
                    fields.put("dest", dest);
                }
                Action::Reboot => fields.next_op("reboot"),
            }
            if let Some((id, _)) = &prepared.wants {
                match lock.get(id) {
                    Some(entry) => cover::locked(&mut fields, &entry),
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

/// A destination that ends in `/` takes the file under its own name.
fn into_directory(dest: String, source: &str) -> String {
    match dest.ends_with('/') {
        true => format!("{dest}{}", source.rsplit('/').next().unwrap_or(source)),
        false => dest,
    }
}
