use kiln_engine::key::Target;
use serde::Serialize;

/// Where a bake's events happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Scope {
    builder: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    architecture: String,
    #[serde(skip)]
    shown: String,
}

impl Scope {
    /// The scope of a target, as people tell it from the other targets of the same command: by as little as does.
    pub(crate) fn of<'t>(target: &Target, all: impl Iterator<Item = &'t Target>) -> Self {
        let Target { builder, place, architecture } = target;
        let others: Vec<&Target> = all.filter(|other| *other != target).collect();
        let at = place.as_ref().unwrap_or(builder);
        let is_alike = |other: &&Target| (&other.builder, &other.place) == (builder, place);
        let shown = match (others.is_empty(), others.iter().any(is_alike)) {
            (true, _) => String::new(),
            (false, false) => at.clone(),
            (false, true) => format!("{at} {architecture}"),
        };
        let (builder, place, architecture) = (builder.clone(), place.clone(), architecture.clone());
        Self { builder, place, architecture, shown }
    }

    /// For people; empty where there is one place alone.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(place: Option<&str>, architecture: &str) -> Target {
        let builder = if place.is_some() { "ec2" } else { "sandbox" };
        let place = place.map(ToOwned::to_owned);
        Target { builder: builder.into(), place, architecture: architecture.into() }
    }

    #[test]
    fn places_are_told_apart_by_as_little_as_does() {
        let of = |targets: &[Target]| -> Vec<String> {
            targets.iter().map(|one| Scope::of(one, targets.iter()).shown().to_owned()).collect()
        };
        let (eu, us) = (target(Some("eu-west-1"), "amd64"), target(Some("us-east-1"), "amd64"));
        assert_eq!(of(std::slice::from_ref(&eu)), [""]);
        assert_eq!(of(&[eu.clone(), us]), ["eu-west-1", "us-east-1"]);
        let arm = target(Some("eu-west-1"), "arm64");
        let here = target(None, "amd64");
        assert_eq!(of(&[eu, arm, here]), ["eu-west-1 amd64", "eu-west-1 arm64", "sandbox"]);
    }

    #[test]
    fn programs_are_told_the_place_where_there_are_places() {
        let text = |target| serde_json::to_string(&Scope::of(&target, [].into_iter())).unwrap();
        let there = r#"{"builder":"ec2","place":"eu-west-1","architecture":"arm64"}"#;
        assert_eq!(text(target(Some("eu-west-1"), "arm64")), there);
        let here = r#"{"builder":"sandbox","architecture":"amd64"}"#;
        assert_eq!(text(target(None, "amd64")), here);
    }
}
