use crate::{Ami, Image, Origin};
use kiln_rules as rules;
use serde::{Deserialize, Serialize};

/// Where an image starts.
#[derive(Debug, Clone, PartialEq)]
pub enum Base {
    /// A Debian distribution, assembled from its package archive.
    Debian(Debian),
    /// Another image.
    Image(Box<Image>),
    /// An image in a local OCI image layout.
    OciLayout(OciLayout),
    /// An archive of a root file system.
    RootArchive(RootArchive),
    /// An AMI that somebody else made.
    Ami(Ami),
    /// Nothing at all.
    Scratch(Origin),
}

/// A Debian system: the essential packages, apt, and what a machine needs to boot to a service
/// (`systemd-sysv`, `dbus`, `iproute2`, `netbase`, `ca-certificates`).
///
/// Its packages are resolved into `kiln.lock` once and installed in those versions from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debian {
    /// Where it was named.
    pub origin: Origin,
    /// Code name: `bookworm`.
    pub suite: String,
    /// The package archive. One that keeps old versions (`https://snapshot.debian.org/archive/debian/…`)
    /// lets a lock file be installed for ever.
    pub mirror: String,
    /// Packages beyond those named above, sorted.
    pub include: Vec<String>,
}

/// Debian by its code name. See [`Debian`].
///
/// ```
/// # use kiln::prelude::*;
/// let base = debian("bookworm").include(["linux-image-cloud-amd64"]);
/// assert_eq!(base.suite, "bookworm");
/// ```
#[track_caller]
pub fn debian(suite: impl Into<String>) -> Debian {
    Debian {
        origin: Origin::caller(),
        suite: suite.into(),
        mirror: "http://deb.debian.org/debian".into(),
        include: Vec::new(),
    }
}

impl Debian {
    /// Adds packages to the base itself.
    #[must_use]
    pub fn include<S: Into<String>>(mut self, packages: impl IntoIterator<Item = S>) -> Self {
        self.include.extend(packages.into_iter().map(Into::into));
        self.include.sort();
        self.include.dedup();
        self
    }

    /// Takes packages from another archive.
    #[must_use]
    pub fn mirror(mut self, url: impl Into<String>) -> Self {
        self.mirror = url.into();
        self
    }
}

/// An image in a directory in the OCI image layout
/// (<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OciLayout {
    /// Where it was named.
    pub origin: Origin,
    /// The directory, relative to the root of the image's recipe.
    pub path: String,
    /// The value of `org.opencontainers.image.ref.name` in its index; `None`: the only manifest there.
    pub tag: Option<String>,
}

/// An image in a local OCI image layout: a directory with `oci-layout`, `index.json` and `blobs/`.
///
/// ```
/// # use kiln::prelude::*;
/// let base = oci_layout("vendor/debian").tag("bookworm");
/// assert_eq!(base.path, "vendor/debian");
/// ```
#[track_caller]
pub fn oci_layout(path: impl Into<String>) -> OciLayout {
    OciLayout { origin: Origin::caller(), path: path.into(), tag: None }
}

impl OciLayout {
    /// Picks one image of a layout that holds several.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }
}

/// A tar archive of a root file system: plain, gzip, xz or zstd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootArchive {
    /// Where it was named.
    pub origin: Origin,
    /// The file, relative to the root of the image's recipe.
    pub path: String,
    /// `sha256:…` or `blake3:…` of the archive as it lies there.
    pub digest: String,
}

/// A root file system from a tar archive whose digest is known.
#[track_caller]
pub fn root_archive(path: impl Into<String>, digest: impl Into<String>) -> RootArchive {
    RootArchive { origin: Origin::caller(), path: path.into(), digest: digest.into() }
}

/// An empty root.
#[track_caller]
pub fn scratch() -> Base {
    Base::Scratch(Origin::caller())
}

/// The type beside each function that starts a chain of images, as `image!` makes one beside each recipe:
/// its constant says what stands below.
macro_rules! bottoms {
    ($($name:ident)*) => {
        $(
            #[doc(hidden)]
            #[allow(non_camel_case_types)]
            #[derive(Debug)]
            pub enum $name {}

            #[doc(hidden)]
            impl $name {
                pub const CHAIN: $crate::Chain = $crate::Chain::UNKNOWN;
            }
        )*
    };
}
pub(crate) use bottoms;

bottoms!(debian oci_layout root_archive scratch);

impl From<Ami> for Base {
    fn from(base: Ami) -> Self {
        Self::Ami(base)
    }
}

impl From<Debian> for Base {
    fn from(base: Debian) -> Self {
        Self::Debian(base)
    }
}

impl From<Image> for Base {
    fn from(base: Image) -> Self {
        Self::Image(Box::new(base))
    }
}

impl From<OciLayout> for Base {
    fn from(base: OciLayout) -> Self {
        Self::OciLayout(base)
    }
}

impl From<RootArchive> for Base {
    fn from(base: RootArchive) -> Self {
        Self::RootArchive(base)
    }
}

impl Base {
    pub(crate) fn check(&self, problems: &mut crate::Problems) {
        match self {
            Self::Ami(ami) => ami.check(problems),
            Self::Debian(debian) => {
                problems.check(&debian.origin, rules::suite(&debian.suite));
                problems.check(&debian.origin, rules::url(&debian.mirror));
                for package in &debian.include {
                    problems.check(&debian.origin, rules::package(package));
                }
            }
            Self::OciLayout(layout) => {
                problems.check(&layout.origin, rules::source(&layout.path));
            }
            Self::RootArchive(archive) => {
                problems.check(&archive.origin, rules::source(&archive.path));
                problems.check(&archive.origin, rules::digest(&archive.digest));
            }
            Self::Image(_) | Self::Scratch(_) => {}
        }
    }
}
