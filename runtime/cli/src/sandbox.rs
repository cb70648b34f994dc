use crate::driver::{At, Driver};
use async_trait::async_trait;
use kiln::ImageNode;
use kiln_engine::Error;
use kiln_engine::driver::{ArtifactIndex, Builder};
use kiln_engine::key::Target;
use kiln_sandbox::{LayerIndex, Sandbox};

pub(crate) const NAME: &str = "sandbox";

/// The local driver.
pub(crate) struct Local;

#[async_trait]
impl Driver for Local {
    fn name(&self) -> &'static str {
        NAME
    }

    fn prepare(&self) -> Result<(), Error> {
        // Mounts belong to the threads that inherit this namespace.
        kiln_sandbox::isolate()
    }

    async fn target(&self, _image: &ImageNode) -> Result<Target, Vec<Error>> {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => {
                let message = format!("cannot bake on the architecture `{other}`");
                return Err(vec![
                    Error::environment(message).help("use a machine with x86-64 or arm64"),
                ]);
            }
        };
        Ok(Target { builder: NAME.into(), place: None, architecture: architecture.into() })
    }

    async fn index(&self, at: &At<'_>) -> Result<Box<dyn ArtifactIndex>, Error> {
        Ok(Box::new(LayerIndex::of(at.store)))
    }

    async fn builder(&self, at: &At<'_>) -> Result<Box<dyn Builder>, Error> {
        Ok(Box::new(Sandbox::open(at.store)?))
    }
}
