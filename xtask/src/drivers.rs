use anyhow::{Result, bail};

/// Where the images of a command are baked, which decides on the host, and on whether it must be root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drivers {
    /// On this machine.
    Local,
    /// On EC2: nothing here needs root.
    Ec2,
    /// Some here, others there.
    Several,
}

const BUILDER: &str = "\"builder\":";
const IS_EC2: &str = "{\"ec2\":";

impl Drivers {
    /// Of the builder that `--builder` or the environment names: it is everybody's.
    ///
    /// # Errors
    /// When there is no builder of that name.
    pub(crate) fn named(builder: &str) -> Result<Self> {
        match builder {
            "sandbox" => Ok(Self::Local),
            "ec2" => Ok(Self::Ec2),
            other => bail!("there is no builder `{other}`\nhelp: it is `sandbox` or `ec2`"),
        }
    }

    /// Of the builders that the recipes themselves name for the wanted images; for all if none is.
    ///
    /// The document is what the recipes print: JSON without blanks, where a quote inside a string is escaped,
    /// so that these words are fields. An image begins with its name and its doc.
    pub(crate) fn of(document: &str, wanted: &[&str]) -> Self {
        // Nearly always: nothing is taken apart.
        if !document.contains(&format!("{BUILDER}{IS_EC2}")) {
            return Self::Local;
        }
        let (mut here, mut there) = (false, false);
        for (name, is_ec2) in images(document) {
            if wanted.is_empty() || wanted.contains(&name) {
                *(if is_ec2 { &mut there } else { &mut here }) = true;
            }
        }
        match (here, there) {
            (_, false) => Self::Local,
            (false, true) => Self::Ec2,
            (true, true) => Self::Several,
        }
    }
}

/// Whether a command is about deployments: it always is, or it plans or cleans up, and names one, or names nothing and
/// there are some.
pub(crate) fn is_of_deployments(command: Option<&str>, document: &str, wanted: &[&str]) -> bool {
    match command {
        Some(command) if OF_DEPLOYMENTS.contains(&command) => true,
        Some("plan" | "gc") => match document.find(DEPLOYMENTS) {
            None => false,
            Some(_) if wanted.is_empty() => true,
            Some(at) => {
                let deployments = &document[at..];
                let is_named =
                    |name: &&str| deployments.contains(&format!("{{\"name\":\"{name}\",\"doc\":"));
                wanted.iter().any(is_named)
            }
        },
        _ => false,
    }
}

/// The commands that are about deployments, whatever they name.
const OF_DEPLOYMENTS: [&str; 6] = ["deploy", "status", "history", "rollback", "destroy", "output"];

/// Where those of a document begin, if it has any: they come after its images.
const DEPLOYMENTS: &str = "\"deployments\":[{";

/// Each image's name, and whether it is baked on EC2.
fn images(document: &str) -> impl Iterator<Item = (&str, bool)> {
    let (document, _) = document.split_once(DEPLOYMENTS).unwrap_or((document, ""));
    document.match_indices("\",\"doc\":").filter_map(|(at, _)| {
        let (head, rest) = document.split_at(at);
        let (_, name) = head.rsplit_once("{\"name\":\"")?;
        let (_, builder) = rest.split_once(BUILDER)?;
        (!name.contains('"')).then(|| (name, builder.starts_with(IS_EC2)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln::prelude::*;

    /// Of one image on EC2 and one that is not, as recipes print it.
    fn mixed() -> String {
        let shouts = "says \"builder\":{\"ec2\":{}}, and {\"name\":\"no\",\"doc\":\"no\"}";
        let ami = Image::new("ami", "/r").doc(shouts).base(scratch()).builder(ec2());
        let page = Layer::new("page").step(step::env([("builder", "ec2"), ("doc", "x")]));
        let local = Image::new("local", "/r").doc(shouts).base(scratch()).layer(page);
        serde_json::to_string(&Document::new("shop").image(local).image(ami)).unwrap()
    }

    #[test]
    fn images_say_where_they_are_baked() {
        let text = mixed();
        assert_eq!(images(&text).collect::<Vec<_>>(), [("local", false), ("ami", true)]);
    }

    #[test]
    fn only_the_wanted_images_count() {
        let text = mixed();
        assert_eq!(Drivers::of(&text, &[]), Drivers::Several);
        assert_eq!(Drivers::of(&text, &["ami"]), Drivers::Ec2);
        assert_eq!(Drivers::of(&text, &["local"]), Drivers::Local);
        assert_eq!(Drivers::of(&text, &["ami", "local"]), Drivers::Several);
        assert_eq!(Drivers::of(&text, &["unknown"]), Drivers::Local);
    }

    #[test]
    fn a_text_that_speaks_of_a_builder_is_no_builder() {
        let says = Image::new("web", "/r").doc("\"builder\":{\"ec2\":{}}").base(scratch());
        let text = serde_json::to_string(&Document::new("shop").image(says)).unwrap();
        assert_eq!(Drivers::of(&text, &[]), Drivers::Local);
    }

    /// Of one local image, and a deployment of it.
    fn deployed() -> String {
        let image =
            Image::new("web", "/r").doc("\"deployments\":[{\"name\":\"no\"").base(scratch());
        let production = Deployment::new("production")
            .doc("says {\"name\":\"staging\",\"doc\":\"\"}")
            .image(image)
            .target(target::ec2().instance_type("t3.micro"))
            .replicas(1);
        serde_json::to_string(&Document::new("shop").deployment(production)).unwrap()
    }

    #[test]
    fn a_plan_is_of_deployments_when_it_names_one_or_nothing() {
        let text = deployed();
        let plans = |wanted: &[&str]| is_of_deployments(Some("plan"), &text, wanted);
        assert!(plans(&[]) && plans(&["production"]) && plans(&["web", "production"]));
        assert!(!plans(&["web"]) && !plans(&["staging"]) && !plans(&["no"]));
        assert!(!is_of_deployments(Some("plan"), &mixed(), &[]));
        for command in ["bake", "check", "graph", "export"] {
            assert!(!is_of_deployments(Some(command), &text, &[]), "{command}");
        }
        assert!(is_of_deployments(Some("gc"), &text, &[]));
        assert!(!is_of_deployments(Some("gc"), &mixed(), &[]));
        for command in ["deploy", "status", "history", "rollback", "destroy", "output"] {
            assert!(is_of_deployments(Some(command), &mixed(), &[]), "{command}");
        }
    }

    #[test]
    fn a_deployment_is_no_image() {
        assert_eq!(images(&deployed()).collect::<Vec<_>>(), [("web", false)]);
        assert_eq!(Drivers::of(&deployed(), &[]), Drivers::Local);
    }

    #[test]
    fn an_unknown_builder_is_refused_with_those_that_there_are() {
        assert_eq!(Drivers::named("ec2").unwrap(), Drivers::Ec2);
        assert_eq!(Drivers::named("sandbox").unwrap(), Drivers::Local);
        let error = Drivers::named("ecs").unwrap_err().to_string();
        assert!(error.contains("`ecs`") && error.contains("`sandbox` or `ec2`"), "{error}");
    }
}
