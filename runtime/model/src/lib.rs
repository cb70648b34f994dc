//! Kiln's model: machine images and their deployments as data, declared in Rust.
//!
//! What a recipe sees. [`image!`] and [`deployment!`] expand to the builder calls of this crate, and a recipe can be
//! written by hand with the same builder. The result is a [`Document`]: plain data that the host reads.
//! This crate does no input or output beyond printing the Document; it knows neither keys nor drivers.
//!
//! ```
//! use kiln::prelude::*;
//!
//! fn web() -> Image {
//!     Image::new("web", env!("CARGO_MANIFEST_DIR"))
//!         .base(debian("bookworm"))
//!         .layer(Layer::new("packages").step(step::apt(["nginx"])))
//!         .layer(Layer::new("site").step(step::run("nginx -t")))
//!         .test(Test::new("serves").http("http://localhost/").status(200))
//! }
//!
//! let document = Document::new("shop").image(web());
//! assert_eq!(document.images()[0].name, "web");
//! ```

mod base;
mod chain;
mod deployment;
mod document;
mod ec2;
mod image;
mod layer;
mod lowering;
mod machine_image;
mod op;
mod origin;
mod problem;
pub mod step;
mod test;

pub use base::{Base, Debian, OciLayout, RootArchive, debian, oci_layout, root_archive, scratch};
#[doc(hidden)]
pub use chain::Chain;
pub use deployment::{
    Deployment, DeploymentNode, Ec2Target, Health, HealthCheck, LoadBalancer, LoadBalancerKind,
    NewLoadBalancer, ReplicaBounds, Replicas, Strategy, TargetNode, health, load_balancer,
    strategy, target,
};
pub use document::{BaseNode, BuilderNode, Document, ImageNode, LayerNode, Version};
pub use ec2::{Address, Ec2, Volume, ec2};
pub use image::Image;
#[cfg(feature = "macros")]
pub use kiln_macros::{deployment, image};
pub use layer::{Layer, StepNode};
pub use lowering::Lowering;
pub use machine_image::{Ami, AmiSource, ami, ami_parameter, newest_ami};
pub use op::{Command, Exec, Limits, Mode, Op, Owner, Put, Resolve, Source};
pub use origin::Origin;
pub use problem::{Problem, Problems};
pub use step::Step;
pub use test::{Probe, Test};

/// What every recipe imports.
pub mod prelude {
    pub use crate::{
        Address, Deployment, Document, Image, Layer, ReplicaBounds, Step, Test, Volume, ami,
        ami_parameter, debian, ec2, health, load_balancer, newest_ami, oci_layout, root_archive,
        scratch, step, strategy, target,
    };
    #[cfg(feature = "macros")]
    pub use crate::{deployment, image};
}

pub use kiln_rules as rules;
