use super::log::Log;
use super::{Bake, NodeOutcome, Resolve, State, join_all};
use crate::driver::{Artifact, Label, Session};
use crate::event::Event;
use crate::graph::{Node, NodeKind};
use crate::key::{Definition, Field, Parent, cache_key};
use crate::lock::Locked;
use crate::plan::Planned;
use crate::store::Record;
use crate::{CacheKey, Error, ErrorKind};
use petgraph::graph::NodeIndex;
use std::pin::Pin;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::SemaphorePermit;

/// What a node stands on, built.
type Below = Option<(CacheKey, Artifact)>;

/// Builds a node and everything that stands on it.
#[derive(Clone, Copy)]
pub(super) struct Chain<'a> {
    pub(super) bake: &'a Bake<'a>,
    pub(super) state: &'a State<'a>,
}

/// A session that goes on from one layer to the next, with the permit it works under.
pub(super) struct Open<'a> {
    session: Option<Box<dyn Session>>,
    _permit: SemaphorePermit<'a>,
}

/// A node that is there now.
struct Ready {
    key: CacheKey,
    artifact: Artifact,
    built: bool,
}

/// A node that failed, and the session that the user wants to look into.
struct NodeFailed {
    error: Error,
    session: Option<Box<dyn Session>>,
}

impl From<Error> for NodeFailed {
    fn from(error: Error) -> Self {
        Self { error, session: None }
    }
}

impl<'a> Chain<'a> {
    pub(super) fn build(
        self,
        index: NodeIndex,
        below: Below,
        open: Option<Open<'a>>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.go(index, below, open))
    }

    async fn go(self, mut index: NodeIndex, mut below: Below, open: Option<Open<'a>>) {
        let mut open = match open {
            Some(open) => open,
            None => match self.state.permits.acquire().await {
                Ok(permit) => Open { session: None, _permit: permit },
                Err(_) => return,
            },
        };
        loop {
            let ready = match self.node(index, below.as_ref(), &mut open.session).await {
                Ok(ready) => ready,
                Err(NodeFailed { error, session }) => {
                    self.fail(index, error);
                    if let Some(session) = session {
                        self.bake.open_shell(session).await;
                    }
                    break;
                }
            };
            let (key, artifact) = (ready.key, ready.artifact.clone());
            if ready.built {
                self.state.set(index, NodeOutcome::Built { key, artifact: artifact.clone() });
            } else {
                self.bake.cached(self.state, index, key, &artifact);
            }
            let children = self.children(index);
            below = Some((key, artifact));
            match children[..] {
                [only] => index = only,
                [] => break,
                // The session goes on with the first; the others open one each.
                [first, ref others @ ..] => {
                    let mut chains = vec![self.build(first, below.clone(), Some(open))];
                    let others = others.iter();
                    chains.extend(others.map(|child| self.build(*child, below.clone(), None)));
                    join_all(chains).await;
                    return;
                }
            }
        }
        self.close(open.session.take()).await;
    }

    /// Makes one node be there: found after all, or built.
    async fn node(
        self,
        index: NodeIndex,
        below: Option<&(CacheKey, Artifact)>,
        session: &mut Option<Box<dyn Session>>,
    ) -> Result<Ready, NodeFailed> {
        let Bake { keyed, builder, store, lock, events, options, .. } = *self.bake;
        if *options.interrupted.borrow() {
            return Err(Error::interrupted().into());
        }
        let node = keyed.graph().node(index);
        let Some(definition) = keyed.definition(index) else {
            return Err(Error::environment(format!("`{}` was not read", node.name)).into());
        };
        let architecture = &keyed.target().architecture;
        let parent = match below {
            None => Parent::None,
            Some((_, Artifact { output: Some(output), .. })) if builder.gives_outputs() => {
                Parent::Output(*output)
            }
            Some((key, _)) => Parent::Key(*key),
        };
        let key_of = |fields: &[Field]| cache_key(builder.format(), architecture, &parent, fields);
        let mut lease = None;
        if let Ok(fields) = definition.fields(lock) {
            let key = key_of(&fields);
            lease = Some(store.lease(key, || self.waiting(index)).await?);
            if let Some(artifact) = builder.find(&[key]).await?.pop().flatten() {
                // What a session has open is older than what was found.
                self.close(session.take()).await;
                return Ok(Ready { key, artifact, built: false });
            }
        }
        let why = match self.state.plan.nodes.get(&index) {
            Some(Planned::Build { why, .. }) => why.to_string(),
            _ => String::new(),
        };
        (events)(Event::Building { node: node.name.clone(), why, steps: node.steps() });
        let started = Instant::now();
        let log = Log::new(events, &node.name);
        let (key, fields, artifact) = match (below, &node.kind) {
            (None, _) => self.base(index, definition, key_of, &log).await?,
            (Some(below), NodeKind::Image(image)) => {
                let opened = self.opened(index, below, session, &log).await?;
                let fields = self.locked_fields(definition)?;
                let key = key_of(&fields);
                let label = label(node, below, false);
                let artifact = self.publish(image, opened, key, label, &log).await?;
                (key, fields, artifact)
            }
            (Some(below), _) => {
                let opened = self.opened(index, below, session, &log).await?;
                let mut ended = match self.bake.run_steps(index, definition, opened, &log).await {
                    Ok(session) => session,
                    Err(failed) => {
                        let (error, session) = self.bake.after_failure(failed).await;
                        return Err(NodeFailed { error, session });
                    }
                };
                let fields = self.locked_fields(definition)?;
                let key = key_of(&fields);
                let label = label(node, below, self.is_followed_by_image(index));
                let artifact = ended.checkpoint(key, &label).await?;
                *session = Some(ended);
                (key, fields, artifact)
            }
        };
        drop(lease);
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let record = Record {
            key,
            node: node.name.clone(),
            parent,
            fields,
            titles: definition.titles(),
            artifact: artifact.id.clone(),
            output: artifact.output,
            ms,
            at,
            log: log.into_lines(),
        };
        let trees: Vec<_> =
            definition.trees.iter().map(|(digest, tree)| (*digest, &**tree)).collect();
        store.keep(self.bake.project, keyed.target(), &record, &trees)?;
        if options.resolve != Resolve::Nothing {
            lock.save()?;
        }
        (events)(Event::Built { node: node.name.clone(), key: key.to_string(), ms });
        Ok(Ready { key, artifact, built: true })
    }

    /// The session that goes on from the layer below, or one of its own.
    async fn opened(
        self,
        index: NodeIndex,
        (_, below): &(CacheKey, Artifact),
        session: &mut Option<Box<dyn Session>>,
        log: &Log<'_>,
    ) -> Result<Box<dyn Session>, Error> {
        let settings = self.bake.keyed.graph().node(index).settings();
        match session.take() {
            Some(session) => Ok(session),
            None => {
                let output = |line: &str| log.line(line);
                let opened = self.bake.builder.open(below, &settings, &output).await;
                opened.map_err(|error| error.at(&settings.origin))
            }
        }
    }

    async fn base(
        self,
        index: NodeIndex,
        definition: &Definition,
        key_of: impl Fn(&[Field]) -> CacheKey,
        log: &Log<'_>,
    ) -> Result<(CacheKey, Vec<Field>, Artifact), Error> {
        let Bake { keyed, builder, lock, options, .. } = *self.bake;
        let node = keyed.graph().node(index);
        let Some(base) = node.base_input(definition.manifest.clone()) else {
            return Err(Error::environment(format!("`{}` stands on nothing", node.name)));
        };
        let output = |line: &str| log.line(line);
        let make = async {
            let locked = match &definition.base_entry {
                None => Locked::nothing(),
                Some(id) => match lock.get(id) {
                    Some(locked) => locked,
                    None => {
                        let locked = builder.resolve_base(&base, &output).await?;
                        lock.insert(id.clone(), locked.clone());
                        lock.get(id).unwrap_or(locked)
                    }
                },
            };
            let fields = self.locked_fields(definition)?;
            let key = key_of(&fields);
            let artifact = builder.make_base(key, &base, &locked, &output).await?;
            Ok((key, fields, artifact))
        };
        let mut interrupted = options.interrupted.clone();
        let made = tokio::select! {
            biased;
            _ = interrupted.wait_for(|asked| *asked) => Err(Error::interrupted()),
            made = make => made,
        };
        made.map_err(|error: Error| error.at(&node.origin))
    }

    fn locked_fields(self, definition: &Definition) -> Result<Vec<Field>, Error> {
        definition.fields(self.bake.lock).map_err(|missing| {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            Error::environment(format!("nothing was locked for {}", missing.join(", ")))
        })
    }

    /// The wanted nodes that stand on this one.
    fn children(self, index: NodeIndex) -> Vec<NodeIndex> {
        let mut children = self.bake.keyed.graph().children(index);
        children.retain(|child| self.state.plan.nodes.contains_key(child));
        children
    }

    /// Whether the session of a layer goes on as its image.
    fn is_followed_by_image(self, index: NodeIndex) -> bool {
        let first = self.children(index).first().copied();
        first.is_some_and(|child| {
            matches!(self.bake.keyed.graph().node(child).kind, NodeKind::Image(_))
        })
    }

    fn waiting(self, index: NodeIndex) {
        let message = format!("waiting for another bake that builds `{}`", self.bake.name(index));
        (self.bake.events)(Event::Warning { message });
    }

    fn fail(self, index: NodeIndex, error: Error) {
        let error = match error.kind() {
            ErrorKind::Interrupted => error,
            _ => error.at(&self.bake.keyed.graph().node(index).settings().origin),
        };
        (self.bake.events)(Event::Failed {
            node: self.bake.name(index).clone(),
            message: error.chain(),
            origin: error.origin().cloned(),
            help: error.help_text().map(ToOwned::to_owned),
            output: error.output_lines().to_vec(),
        });
        self.state.set(index, NodeOutcome::Failed(error));
        let mut above = self.children(index);
        while let Some(index) = above.pop() {
            (self.bake.events)(Event::Skipped { node: self.bake.name(index).clone() });
            self.state.set(index, NodeOutcome::Skipped);
            above.extend(self.children(index));
        }
    }

    async fn close(self, session: Option<Box<dyn Session>>) {
        if let Some(session) = session {
            self.bake.close(session).await;
        }
    }
}

fn label(node: &Node, (below, _): &(CacheKey, Artifact), image_follows: bool) -> Label {
    Label { node: node.name.clone(), parent: Some(*below), image_follows }
}
