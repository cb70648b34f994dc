//! Where images start: what a base consists of, and the layer that it becomes.

mod archive;
mod assemble;
mod layout;
mod packages;
mod repository;
mod sources;

use crate::fault::Fault;
use crate::sandbox::Inner;
use kiln::BaseNode;
use kiln_engine::driver::{Artifact, BaseInput, Output};
use kiln_engine::lock::LockedFile;
use kiln_engine::{CacheKey, Error};
use tokio::task::block_in_place;

/// See [`kiln_engine::driver::Builder::resolve_base`].
pub(crate) async fn resolve(
    inner: &Inner,
    base: &BaseInput,
    output: Output<'_>,
) -> Result<Vec<LockedFile>, Error> {
    match &base.node {
        BaseNode::Debian(debian) => packages::resolve(&inner.run, debian, output).await,
        // These name their content themselves.
        BaseNode::OciLayout(_) | BaseNode::RootArchive(_) | BaseNode::Scratch(_) => Ok(Vec::new()),
        BaseNode::Ami(_) => Err(on_ec2_alone()),
        BaseNode::Image(_) => Err(not_ours()),
    }
}

/// See [`kiln_engine::driver::Builder::make_base`].
pub(crate) async fn make(
    inner: &Inner,
    key: CacheKey,
    base: &BaseInput,
    locked: &[LockedFile],
    output: Output<'_>,
) -> Result<Artifact, Error> {
    let dir = inner.run.make_dir("base-")?;
    if let BaseNode::OciLayout(layout) = &base.node {
        let artifact = block_in_place(|| layout::import(inner, key, base, layout, &dir));
        block_in_place(|| inner.run.discard(&dir))?;
        return artifact;
    }
    let root = dir.join("root");
    let made = match &base.node {
        BaseNode::Debian(debian) => {
            let debs = block_in_place(|| inner.files.fetch(locked, output))?;
            assemble::assemble(&inner.run, debian, &debs, &dir, &root, output).await
        }
        BaseNode::RootArchive(archive) => {
            block_in_place(|| archive::unpack(&base.root, archive, &root))
        }
        BaseNode::Scratch(_) => std::fs::create_dir(&root).doing("make", &root),
        BaseNode::Ami(_) => Err(on_ec2_alone()),
        BaseNode::OciLayout(_) | BaseNode::Image(_) => Err(not_ours()),
    };
    let artifact = made.and_then(|()| {
        block_in_place(|| inner.layers.keep(&root, None, key).map(|(artifact, _)| artifact))
    });
    block_in_place(|| inner.run.discard(&dir))?;
    artifact
}

fn not_ours() -> Error {
    Error::environment("this kind of base is not made by the sandbox")
}

fn on_ec2_alone() -> Error {
    Error::input("an AMI is a base on EC2 alone")
        .help("bake this image with `--builder ec2`, or start it from `debian(\"bookworm\")`")
}
