//! The Document of the user's recipes, made to fit the lab. What the lab does not have is replaced, and said.

use super::site::Site;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A Document, as the recipes print it.
pub(super) struct Recipes(Value);

/// A deployment that is rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deployment {
    pub(super) name: String,
    /// Its image, by the place in the Document.
    pub(super) image: usize,
    /// Whether somebody answers HTTP for its servers.
    pub(super) answers: bool,
}

impl Recipes {
    pub(super) fn read(document: &str) -> Result<Self> {
        Ok(Self(serde_json::from_str(document).context("the recipes print no Document")?))
    }

    pub(super) fn text(&self) -> String {
        self.0.to_string()
    }

    /// Keeps these deployments alone; without names all.
    ///
    /// # Errors
    /// When there is none, or none of a name.
    pub(super) fn choose(&mut self, names: &[String]) -> Result<Vec<Deployment>> {
        let all: Vec<Value> = self.0["deployments"].as_array().cloned().unwrap_or_default();
        let name = |node: &Value| node["name"].as_str().unwrap_or_default().to_owned();
        if all.is_empty() {
            bail!(
                "the recipes declare no deployment\nhelp: write one with `deployment!`: docs/recipes.md shows how"
            );
        }
        if let Some(unknown) = names.iter().find(|wanted| !all.iter().any(|n| name(n) == **wanted))
        {
            let known: Vec<String> = all.iter().map(name).collect();
            bail!("there is no deployment `{unknown}`\nhelp: there are {}", known.join(", "));
        }
        let is_wanted = |node: &Value| names.is_empty() || names.contains(&name(node));
        let chosen: Vec<Value> = all.into_iter().filter(is_wanted).collect();
        let found = chosen.iter().map(|node| {
            let made = &node["load_balancer"]["made"];
            let listens = made.is_object() || node["load_balancer"]["target_group"].is_object();
            Deployment {
                name: name(node),
                image: node["image"].as_u64().and_then(|at| at.try_into().ok()).unwrap_or_default(),
                answers: listens && node["health"]["check"]["http"].is_object(),
            }
        });
        let found = found.collect();
        self.0["deployments"] = Value::Array(chosen);
        Ok(found)
    }

    /// The region that the lab's environment has: one that deployments, or else images, name. A lab has them all. `None`: they
    /// leave it to the environment.
    pub(super) fn region(&self) -> Option<String> {
        let of = |list: &str, path: &str| -> Vec<String> {
            let nodes = self.0[list].as_array().into_iter().flatten();
            nodes.filter_map(|node| Some(node.pointer(path)?.as_str()?.to_owned())).collect()
        };
        let mut regions = of("deployments", "/target/ec2/region");
        if regions.is_empty() {
            regions = of("images", "/builder/ec2/region");
        }
        regions.into_iter().min()
    }

    /// Replaces what the account has and the lab has not. Says what, a line each.
    pub(super) fn fit(&mut self, site: &Site) -> Vec<String> {
        let mut said = Vec::new();
        for node in self.0["images"].as_array_mut().into_iter().flatten() {
            move_root(node, &site.recipes, &site.copy);
            let name = format!("image `{}`", node["name"].as_str().unwrap_or_default());
            stand_on_debian(node, &name, &mut said);
            if let Some(ec2) = node.pointer_mut("/builder/ec2") {
                clear(ec2, &["subnet", "security_groups", "instance_profile"], &name, &mut said);
            }
        }
        for node in self.0["deployments"].as_array_mut().into_iter().flatten() {
            let name = format!("deployment `{}`", node["name"].as_str().unwrap_or_default());
            if let Some(ec2) = node.pointer_mut("/target/ec2") {
                clear(ec2, &["subnets", "security_groups", "instance_profile"], &name, &mut said);
            }
            if let Some(made) = node.pointer_mut("/load_balancer/made") {
                clear(made, &["subnets", "certificate"], &name, &mut said);
            }
            replace_target_group(node, &name, &mut said);
        }
        said
    }

    /// An image and those that it stands on, the image first.
    pub(super) fn chain(&self, image: usize) -> Vec<&Value> {
        let mut chain = Vec::new();
        let mut next = Some(image);
        while let Some(node) = next.and_then(|at| self.0["images"].get(at)) {
            chain.push(node);
            next = node["base"]["image"].as_u64().and_then(|at| at.try_into().ok());
        }
        chain
    }

    /// Puts a layer with one small file on top of an image.
    pub(super) fn mark(&mut self, image: usize, layer: &str, path: &str, text: &str) {
        let Some(node) = self.0["images"].get_mut(image) else { return };
        let origin = node["origin"].clone();
        let put = json!({ "put": {
            "dest": path, "source": { "inline": text }, "mode": null, "directory_mode": null,
            "owner": { "user": "root", "group": null },
        }});
        let step = json!({
            "kind": "file", "title": format!("file {path}"), "origin": origin, "ops": [put],
        });
        let layer = json!({ "name": layer, "origin": origin, "steps": [step] });
        if let Some(layers) = node["layers"].as_array_mut() {
            layers.push(layer);
        }
    }
}

/// Inputs are read from the copy.
fn move_root(image: &mut Value, from: &Path, to: &Path) {
    let root = image["root"].as_str().and_then(|root| Path::new(root).strip_prefix(from).ok());
    if let Some(below) = root {
        // An empty path would leave a slash at the end.
        let root: PathBuf = to.components().chain(below.components()).collect();
        image["root"] = root.to_string_lossy().into();
    }
}

/// The lab has Debian's AMIs, by the name that Debian has them registered under.
fn stand_on_debian(image: &mut Value, name: &str, said: &mut Vec<String>) {
    let Some(ami) = image.pointer_mut("/base/ami") else { return };
    let source = &ami["source"];
    let of_debian = source["parameter"]
        .as_str()
        .is_some_and(|parameter| parameter.starts_with("/aws/service/debian/"));
    if !of_debian {
        said.push(format!("{name} stands on Debian 12 instead of {source}"));
        let parameter = format!("/aws/service/debian/release/12/latest/{}", architecture());
        ami["source"] = json!({ "parameter": parameter });
    }
}

/// What the lab's machines are, as EC2's images call it.
fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

/// Forgets what is said, so that defaults hold.
fn clear(node: &mut Value, fields: &[&str], name: &str, said: &mut Vec<String>) {
    for field in fields {
        let value = &node[*field];
        let empty = match value {
            Value::Null => continue,
            Value::Array(list) if list.is_empty() => continue,
            Value::Array(_) => json!([]),
            _ => Value::Null,
        };
        let shown = field.replace('_', " ");
        said.push(format!("{name}: without {shown} {value}, the lab has its own or none"));
        node[*field] = empty;
    }
}

/// Somebody else's target group is not there; a load balancer of the deployment's own takes its place.
fn replace_target_group(node: &mut Value, name: &str, said: &mut Vec<String>) {
    let Some(arn) = node.pointer("/load_balancer/target_group/arn") else { return };
    said.push(format!("{name}: a load balancer of its own instead of target group {arn}"));
    let port = node.pointer("/health/check/http/port").or_else(|| node["ports"].get(0));
    let port = port.cloned().unwrap_or(json!(80));
    let origin = node["origin"].clone();
    node["load_balancer"] = json!({ "made": {
        "origin": origin, "kind": "application", "listen": 80, "to": port, "certificate": null,
        "internal": false, "subnets": [], "from": ["0.0.0.0/0"], "drain_ms": 30_000,
    }});
}

#[cfg(test)]
mod tests {
    use super::{Recipes, Site};
    use kiln::prelude::*;

    fn document() -> String {
        let base = Image::new("base", "/home/ada/recipes").base(ami("ami-0123456789abcdef0"));
        let web = Image::new("web", "/home/ada/recipes")
            .base(base.clone())
            .builder(ec2().subnet("subnet-0123456789abcdef0"))
            .layer(Layer::new("page").step(step::run("true")));
        let deployment = |name: &str, region: &str| {
            Deployment::new(name)
                .image(web.clone())
                .target(
                    target::ec2()
                        .region(region)
                        .subnets(["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"])
                        .instance_profile("web"),
                )
                .replicas(2)
                .ports([80])
                .health(health::http().port(80).path("/"))
                .load_balancer(
                    load_balancer::target_group()
                        .arn(format!("arn:aws:elasticloadbalancing:{region}:{GROUP}")),
                )
        };
        let document = Document::new("shop")
            .image(base)
            .image(web.clone())
            .deployment(deployment("here", "eu-west-1"))
            .deployment(deployment("there", "us-east-1"));
        serde_json::to_string(&document).unwrap()
    }

    const GROUP: &str = "123456789012:targetgroup/web/0123456789abcdef";

    fn site() -> Site {
        Site { recipes: "/home/ada/recipes".into(), copy: "/copy/recipes".into() }
    }

    #[test]
    fn deployments_are_rehearsed_by_name_wherever_they_run() {
        let mut recipes = Recipes::read(&document()).unwrap();
        assert_eq!(recipes.region().as_deref(), Some("eu-west-1"));
        let chosen = recipes.choose(&["there".into()]).unwrap();
        assert_eq!(chosen.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["there"]);
        assert_eq!(recipes.region().as_deref(), Some("us-east-1"));
        assert!(recipes.choose(&["nowhere".into()]).is_err());
    }

    #[test]
    fn what_the_lab_has_not_is_replaced_and_said() {
        let mut recipes = Recipes::read(&document()).unwrap();
        recipes.choose(&["here".into()]).unwrap();
        let said = recipes.fit(&site());
        let text = recipes.text();
        for gone in ["subnet-", GROUP, "ami-0123456789abcdef0", "/home/ada"] {
            assert!(!text.contains(gone), "{gone} in {text}");
        }
        // The base's AMI, the subnet of the bake, and three of the deployment.
        assert_eq!(said.len(), 5, "{said:#?}");
        assert!(recipes.fit(&site()).is_empty(), "what fits is left");
    }

    #[test]
    fn a_marked_image_is_still_a_document() {
        let mut recipes = Recipes::read(&document()).unwrap();
        recipes.choose(&[]).unwrap();
        assert_eq!(recipes.chain(1).len(), 2);
        recipes.mark(1, "rehearsal", "/etc/kiln-rehearsal", "2\n");
        let read: Document = serde_json::from_str(&recipes.text()).unwrap();
        assert_eq!(read.images()[1].layers.last().unwrap().name, "rehearsal");
    }
}
