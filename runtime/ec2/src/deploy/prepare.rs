use super::front::{Front, Stand};
use super::listener::{Forwards, forwards};
use super::security::Unwanted;
use super::target_group::Serves;
use super::works::Works;
use super::world::World;
use kiln_engine::Error;
use kiln_engine::driver::Output;

impl Works<'_> {
    /// Makes what is declared beside what is there; where no server has traffic, in its place.
    pub(super) async fn prepare(self, output: Output<'_>) -> Result<(), Error> {
        let world = self.world().await?;
        let front = self.beside(&world).await?;
        match world.serving(&self.deployment.name).next() {
            Some(_) => Ok(()),
            None => self.in_place(&world, &front, output).await,
        }
    }

    /// Makes what stands before the servers as declared; those that have traffic move there, once they are healthy there.
    pub(super) async fn settle(self, output: Output<'_>) -> Result<(), Error> {
        let world = self.world().await?;
        let front = self.beside(&world).await?;
        self.in_place(&world, &front, output).await
    }

    /// What servers that have traffic need comes before what they had goes.
    async fn in_place(
        self,
        world: &World,
        front: &Front<'_>,
        output: Output<'_>,
    ) -> Result<(), Error> {
        let wanted = front.target_group();
        self.join(world, wanted, output).await?;
        if let Front::Made(stand) = front {
            self.turn_to(stand, world).await?;
        }
        self.leave(world, wanted, output).await?;
        if let Front::Made(stand) = front {
            let Stand { made, balancer, target_group, network, security, .. } = stand;
            self.listener(made, balancer, &[(target_group.clone(), 1)].into()).await?;
            self.balancer(made, network, security, Unwanted::Go).await?;
            self.attributes(made, target_group, Serves::Now).await?;
            self.elb_retag(&[balancer.clone(), target_group.clone()]).await?;
        }
        self.remove_stale(world, front, output).await?;
        self.close(front).await?;
        self.remove_stale_security(world, front).await?;
        if let Front::Made(stand) = front {
            self.mark(stand.made, &stand.security).await?;
            output(&format!("`{}` answers on {}", self.deployment.name, stand.dns_name));
        }
        Ok(())
    }

    /// Lets the load balancer listen as declared, and hand all traffic to its target group. Those that it forwarded to
    /// before stay known to it, so that open requests there are given their time.
    async fn turn_to(self, stand: &Stand<'_>, world: &World) -> Result<(), Error> {
        let Stand { made, balancer, target_group, .. } = stand;
        let before = self.find_listener(made, balancer).await?;
        let before = before.as_ref().map(forwards).unwrap_or_default();
        let left = before.into_keys().filter(|arn| world.has_servers(&self.deployment.name, arn));
        let mut to: Forwards = left.map(|arn| (arn, 0)).collect();
        to.insert(target_group.clone(), 1);
        self.listener(made, balancer, &to).await?;
        if to.len() > 1 {
            self.until_known(made.kind).await;
        }
        Ok(())
    }

    /// Lets nobody in any more who is not declared: last, because traffic that has not moved needs the old rules.
    async fn close(self, front: &Front<'_>) -> Result<(), Error> {
        match front {
            Front::Made(Stand { made, network, .. }) => {
                let vpc = &network.vpc;
                let security = self.balancer_security(made, vpc, Unwanted::Go).await?;
                self.servers_security(Some(&security), vpc, Unwanted::Go).await.map(drop)
            }
            Front::Named(arn) => self.named_target_group(arn, Unwanted::Go).await,
            Front::Nothing => self.plain_security(Unwanted::Go).await,
        }
    }
}
