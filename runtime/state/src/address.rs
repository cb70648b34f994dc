use kiln_engine::Error;
use std::path::PathBuf;

/// Where a state is, as users write it: a folder, or `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A directory of this machine, or of a file system that several share.
    Folder(PathBuf),
    /// A part of a bucket.
    Bucket {
        /// The bucket.
        name: String,
        /// What its objects' names begin with; may be empty. No `/` at either end.
        prefix: String,
        /// Its region, from `?region=…`; `None`: as the endpoint or S3 says.
        region: Option<String>,
    },
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// When it names another kind of place, or no bucket.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let Some(rest) = text.strip_prefix("s3://") else {
            return match text.split_once("://") {
                Some((scheme, _)) => {
                    Err(Error::input(format!("no state is kept at `{scheme}://`"))
                        .help("give a folder or `s3://bucket/prefix`"))
                }
                None if text.is_empty() => Err(Error::input("the state has an empty address")
                    .help("give a folder or `s3://bucket/prefix`")),
                None => Ok(Self::Folder(text.into())),
            };
        };
        let (path, region) = match rest.split_once('?') {
            None => (rest, None),
            Some((path, query)) => match query.strip_prefix("region=") {
                Some(region) if !region.is_empty() => (path, Some(region.to_owned())),
                _ => {
                    return Err(Error::input(format!("`{query}` is no option of a bucket"))
                        .help("the only one is `?region=eu-west-1`"));
                }
            },
        };
        let (name, prefix) = path.split_once('/').unwrap_or((path, ""));
        if name.is_empty() {
            return Err(Error::input(format!("`{text}` names no bucket"))
                .help("write `s3://bucket/prefix`"));
        }
        let prefix = prefix.trim_matches('/').to_owned();
        Ok(Self::Bucket { name: name.to_owned(), prefix, region })
    }

    /// The part of it that is a project's own.
    #[must_use]
    pub fn of(self, project: &str) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(path.join(project)),
            Self::Bucket { name, prefix, region } => {
                let parts = [prefix.as_str(), project];
                let prefix =
                    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>();
                Self::Bucket { name, prefix: prefix.join("/"), region }
            }
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Bucket { name, prefix, .. } if prefix.is_empty() => write!(f, "s3://{name}"),
            Self::Bucket { name, prefix, .. } => write!(f, "s3://{name}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_folder_or_a_part_of_a_bucket() {
        let bucket = |name: &str, prefix: &str, region: Option<&str>| Address::Bucket {
            name: name.into(),
            prefix: prefix.into(),
            region: region.map(Into::into),
        };
        let parse = |text| Address::parse(text).unwrap();
        assert_eq!(parse("/var/lib/state"), Address::Folder("/var/lib/state".into()));
        assert_eq!(parse("s3://b"), bucket("b", "", None));
        assert_eq!(parse("s3://b/team/kiln/"), bucket("b", "team/kiln", None));
        assert_eq!(parse("s3://b/x?region=eu-west-1"), bucket("b", "x", Some("eu-west-1")));
        assert_eq!(parse("s3://b/x?region=eu-west-1").to_string(), "s3://b/x");
    }

    #[test]
    fn each_project_has_a_part_of_its_own() {
        let of = |text| Address::parse(text).unwrap().of("shop").to_string();
        assert_eq!(of("/var/lib/state"), "/var/lib/state/shop");
        assert_eq!(of("s3://b"), "s3://b/shop");
        assert_eq!(of("s3://b/team/"), "s3://b/team/shop");
        let there = Address::parse("s3://b?region=eu-west-1").unwrap().of("shop");
        assert!(
            matches!(there, Address::Bucket { region: Some(region), .. } if region == "eu-west-1")
        );
    }

    #[test]
    fn another_kind_of_place_is_refused() {
        for text in ["gs://b/x", "s3://", "s3:///x", "s3://b?zone=1", "s3://b?region=", ""] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
