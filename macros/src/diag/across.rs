//! Texts of what one recipe says against another: constants beside the functions fail to evaluate with them.

/// What an assertion says that fails, of the value that does not fit and the name of the other recipe.
pub(crate) struct Disagreement {
    /// Of an instance type, and what it executes.
    pub(crate) architecture: fn(&str, &str, &str) -> String,
    /// Of a region.
    pub(crate) region: fn(&str, &str) -> String,
}

/// An image and its base image.
pub(crate) const WITH_BASE: Disagreement = Disagreement {
    architecture: |instance_type, architecture, base| {
        format!(
            "`{instance_type}` is {architecture}, but the base image `{base}` is baked on another architecture\nhelp: choose instance types of one architecture"
        )
    },
    region: |region, base| {
        format!(
            "baked in `{region}`, but the base image `{base}` in another region\nhelp: bake both in one region"
        )
    },
};

/// A deployment and its image.
pub(crate) const WITH_IMAGE: Disagreement = Disagreement {
    architecture: |instance_type, architecture, image| {
        format!(
            "`{instance_type}` is {architecture}, but the image `{image}` is baked on another architecture\nhelp: choose an `instance_type` of the image's architecture, or leave the image's out: it is baked on one that fits"
        )
    },
    region: |region, image| {
        format!(
            "runs in `{region}`, but the image `{image}` is baked in another region\nhelp: leave the region out of the image: it is baked in each that it runs in"
        )
    },
};
