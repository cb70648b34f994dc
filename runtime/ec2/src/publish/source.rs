use super::publication::{Publication, named};
use super::scrub::scrub;
use crate::aws::Aws;
use crate::run::{Age, Made, Object, remove, settle};
use crate::session::{Cleaned, Live, snapshot};
use kiln_engine::Error;

/// The snapshot that an image is made of.
#[derive(Debug)]
pub(super) enum Source {
    /// That of the last layer, which stays whatever becomes of the image.
    Layer {
        id: String,
        /// Whether the machine has booted from it.
        has_booted: bool,
    },
    /// One that was taken for it, and goes when there is no image.
    Own(Made),
}

impl Source {
    /// What the last layer left, where that is clean; else the machine is cleaned and photographed.
    ///
    /// # Errors
    /// When the machine cannot be cleaned, or EC2 takes no snapshot of it.
    pub(super) async fn of(
        cleaned: Cleaned,
        publication: &Publication<'_>,
        live: &mut Live,
    ) -> Result<Self, Error> {
        match cleaned {
            Cleaned::As { snapshot, has_booted } => Ok(Self::Layer { id: snapshot, has_booted }),
            Cleaned::Failed(complaint) => Err(complaint),
            Cleaned::No => photograph(publication, live).await.map(Self::Own),
        }
    }

    pub(super) fn id(&self) -> &str {
        match self {
            Self::Layer { id, .. } => id,
            Self::Own(made) => made.id(),
        }
    }

    /// EC2 shows it.
    pub(super) fn seen(&self) -> Result<(), Error> {
        match self {
            Self::Layer { .. } => Ok(()),
            Self::Own(made) => made.seen(),
        }
    }

    /// There is an image of it.
    pub(super) fn done(self) -> Result<(), Error> {
        match self {
            Self::Layer { .. } => Ok(()),
            Self::Own(made) => made.done(),
        }
    }

    /// There is none.
    pub(super) async fn discard(self, aws: &Aws) -> Result<(), Error> {
        match self {
            Self::Layer { .. } => Ok(()),
            Self::Own(made) => {
                remove(aws, Object::Snapshot, made.id(), Age::Young).await?;
                made.done()
            }
        }
    }
}

/// Cleans the machine and takes a snapshot of it.
async fn photograph(publication: &Publication<'_>, live: &mut Live) -> Result<Made, Error> {
    let Publication { inner, recipe, image, output, .. } = publication;
    output("removing what must not be in an image");
    let login = live.launched.login.public_openssh();
    if let Some(complaint) = scrub(&mut live.machine, login, output).await? {
        return Err(complaint);
    }
    let intent = inner.run.intend(Object::Snapshot)?;
    let mut tags = recipe.tags.clone();
    tags.extend(inner.run.tags(&intent, None));
    tags.extend(named(image));
    let volume = live.launched.root_volume()?;
    let what = format!("cannot take a snapshot for `{}`", image.name);
    let answer = snapshot(&inner.aws, &inner.poller, volume, &image.doc, &tags).await?;
    let answer = answer.map(|answer| answer.snapshot_id.unwrap_or_default());
    settle(&inner.aws, intent, answer, &what).await
}
