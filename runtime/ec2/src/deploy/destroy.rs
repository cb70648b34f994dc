use super::names::{Names, SERVERS};
use super::refused::explained;
use super::removal;
use super::template::{is_there, remove_template};
use super::world::World;
use crate::aws::Refusal;
use crate::builder::Inner;
use crate::run::{Age, Object, remove};
use kiln_engine::Error;
use kiln_engine::driver::{Belonging, Output};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Everything that was made for a deployment, in the order in which it can go.
pub(super) async fn belongings(inner: &Inner, deployment: &str) -> Result<Vec<Belonging>, Error> {
    let names = Names { project: &inner.project, deployment };
    let told =
        |refusal: Refusal| explained(&refusal, "cannot see what was made for the deployment");
    let template = names.template();
    let own = names.own_tags();
    let (world, has_template) = tokio::try_join!(
        World::read(&inner.aws, &inner.project, Some(deployment)),
        is_there(&inner.aws, &template, &own),
    )
    .map_err(told)?;
    let belonging =
        |kind, id: Option<&str>| Belonging { kind, id: id.unwrap_or_default().to_owned() };
    let mut all = Vec::new();
    for group in world.groups.values().flatten() {
        all.push(belonging("auto scaling group", group.auto_scaling_group_name()));
    }
    all.extend(world.instances.keys().map(|id| belonging("instance", Some(id))));
    for one in world.balancers_of(names) {
        all.push(belonging("load balancer", one.load_balancer_arn()));
    }
    for one in world.target_groups_of(names) {
        all.push(belonging("target group", one.target_group_arn()));
    }
    if has_template {
        all.push(belonging("launch template", Some(&template)));
    }
    // That of the servers names that of the balancer.
    let mut securities: Vec<_> = world.securities.values().flatten().collect();
    securities.sort_by_key(|one| !one.group_name().is_some_and(|name| name.ends_with(SERVERS)));
    all.extend(securities.iter().map(|one| belonging("security group", one.group_id())));
    Ok(all)
}

/// Removes everything, and waits until it is gone. What cannot go does not keep the rest.
pub(super) async fn destroy(
    inner: &Arc<Inner>,
    deployment: &str,
    output: Output<'_>,
) -> Result<(), Vec<Error>> {
    let all = belongings(inner, deployment).await.map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    // What stands in one line goes side by side.
    for kinds in [
        &["auto scaling group", "load balancer"][..],
        &["target group", "launch template", "instance"],
    ] {
        let mut removals = JoinSet::new();
        for one in all.iter().filter(|one| kinds.contains(&one.kind)) {
            let (inner, one) = (Arc::clone(inner), one.clone());
            removals.spawn(async move { (remove_one(&inner, &one).await, one) });
        }
        while let Some(removed) = removals.join_next().await {
            match removed {
                Ok((Ok(()), one)) => output(&format!("removed {} `{}`", one.kind, one.id)),
                Ok((Err(error), _)) => errors.push(error),
                Err(error) => {
                    errors.push(Error::environment("a removal ended early").caused_by(error));
                }
            }
        }
    }
    // One of them names another.
    for one in all.iter().filter(|one| one.kind == "security group") {
        match remove_one(inner, one).await {
            Ok(()) => output(&format!("removed {} `{}`", one.kind, one.id)),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

async fn remove_one(inner: &Inner, one: &Belonging) -> Result<(), Error> {
    match one.kind {
        "auto scaling group" => removal::group(inner, &one.id).await,
        "load balancer" => removal::balancer(&inner.aws, &one.id).await,
        "target group" => removal::target_group(&inner.aws, &one.id).await,
        "launch template" => remove_template(&inner.aws, &one.id).await,
        "instance" => {
            // One that somebody has taken from its group is ended by nobody else.
            remove(&inner.aws, Object::Instance, &one.id, Age::Settled).await?;
            inner.poller.terminated(&one.id).await
        }
        _ => removal::security(&inner.aws, &one.id).await,
    }
}
