use aws_sdk_ec2::types::Filter;

/// A filter of a describe call. One name takes at most [`MOST`] values.
pub(crate) fn filter(
    name: impl Into<String>,
    values: impl IntoIterator<Item = impl Into<String>>,
) -> Filter {
    let values: Vec<String> = values.into_iter().map(Into::into).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// How many values one filter may have
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>).
pub(crate) const MOST: usize = 200;
