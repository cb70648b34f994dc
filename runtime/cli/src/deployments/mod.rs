//! What commands about deployments share: where they run, what is planned for them, and how they are asked about.

mod join;

mod confirm;
mod holder;
mod moment;

mod region;
mod survey;

mod image_state;

pub(crate) mod plan_file;

pub(crate) mod json;
pub(crate) mod text;

pub(crate) use confirm::{agreed, typed};
pub(crate) use holder::options;
pub(crate) use join::join_all;
pub(crate) use moment::shown as shown_moment;
pub(crate) use region::{Baking, Region, elsewhere, regions};
pub(crate) use survey::{Survey, survey};
