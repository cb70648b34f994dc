use super::names::{BALANCER, ROLE, SERVERS};
use super::seen::once_seen;
use super::works::Works;
use crate::aws::tags::{self, specification};
use crate::aws::{Refusal, filter};
use aws_sdk_ec2::types::{
    IpPermission, IpRange, Ipv6Range, ResourceType, SecurityGroup, UserIdGroupPair,
};
use kiln::NewLoadBalancer;
use kiln_engine::Error;
use std::collections::BTreeSet;

/// Everybody.
const ANYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// Who may connect, and to which port: a CIDR, or a security group.
pub(super) type Rules = BTreeSet<(u16, String)>;

/// What becomes of what is not wanted any more: rules, zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unwanted {
    /// They stay: servers that have traffic need them until it has moved.
    Stay,
    /// They go.
    Go,
}

impl Works<'_> {
    /// The security group of the load balancer: lets in who may connect, where it listens.
    pub(super) async fn balancer_security(
        self,
        made: &NewLoadBalancer,
        vpc: &str,
        unwanted: Unwanted,
    ) -> Result<String, Error> {
        let rules = made.from.iter().map(|from| (made.listen, from.clone())).collect();
        self.security(BALANCER, vpc, &rules, unwanted).await
    }

    /// That of the servers: lets in the declared ports from the load balancer, where one is made. `None` where the
    /// recipe names others, or nothing is let in anyway.
    pub(super) async fn servers_security(
        self,
        balancer: Option<&str>,
        vpc: &str,
        unwanted: Unwanted,
    ) -> Result<Option<String>, Error> {
        if !self.target().security_groups.is_empty() {
            return Ok(None);
        }
        let ports = self.deployment.ports.iter();
        let rules = match balancer {
            Some(group) => ports.map(|port| (*port, group.to_owned())).collect(),
            None => ports.flat_map(|port| ANYWHERE.map(|from| (*port, from.to_owned()))).collect(),
        };
        self.security(SERVERS, vpc, &rules, unwanted).await.map(Some)
    }

    async fn security(
        self,
        role: &str,
        vpc: &str,
        rules: &Rules,
        unwanted: Unwanted,
    ) -> Result<String, Error> {
        let what = format!("make the security group of the {role}");
        let group = match self.find_security(role, vpc).await? {
            Some(group) => group,
            None => {
                self.make_security(role, vpc).await.map_err(|error| self.refused(error, &what))?
            }
        };
        let id = group.group_id().unwrap_or_default().to_owned();
        let what = format!("change the security group of the {role}");
        self.converge(&id, &read(&group), rules, unwanted)
            .await
            .map_err(|error| self.refused(error, &what))?;
        Ok(id)
    }

    /// The one of this role in a network.
    pub(super) async fn find_security(
        self,
        role: &str,
        vpc: &str,
    ) -> Result<Option<SecurityGroup>, Error> {
        let name = self.names().security(role);
        let call = self.aws().ec2.describe_security_groups();
        let call = call.filters(filter("group-name", [&name])).filters(filter("vpc-id", [vpc]));
        let answer =
            call.send().await.map_err(|error| self.refused(error, "see the security groups"))?;
        let Some(group) = answer.security_groups.unwrap_or_default().pop() else { return Ok(None) };
        let has = tags::read(group.tags());
        if !self.names().own_tags().iter().all(|(name, value)| has.get(name) == Some(value)) {
            return Err(self.foreign("a security group", &name));
        }
        Ok(Some(group))
    }

    async fn make_security(self, role: &str, vpc: &str) -> Result<SecurityGroup, Refusal> {
        let name = self.names().security(role);
        let mut all = self.names().tags(self.deployment);
        all.insert(ROLE.into(), role.into());
        let call = self.aws().ec2.create_security_group().group_name(&name).vpc_id(vpc);
        let call = call.description(format!("kiln: the {role} of {}", self.deployment.name));
        let call = call.tag_specifications(specification(ResourceType::SecurityGroup, &all));
        let made = SecurityGroup::builder().group_name(&name).vpc_id(vpc);
        match call.send().await.map_err(Refusal::from) {
            Ok(answer) => Ok(made.set_group_id(answer.group_id).build()),
            // The same call again after its answer was lost, or one that died made it and reads did not show it.
            Err(refusal) if refusal.code() == "InvalidGroup.Duplicate" => {
                let there = once_seen(&[], || async {
                    let there = self.find_security(role, vpc).await.ok().flatten();
                    there.ok_or_else(|| Refusal::of("InvalidGroup.NotFound", "not visible yet"))
                });
                there.await.map_err(|_| refusal)
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn converge(
        self,
        id: &str,
        has: &Rules,
        wanted: &Rules,
        unwanted: Unwanted,
    ) -> Result<(), Refusal> {
        let missing: Vec<&(u16, String)> = wanted.difference(has).collect();
        match self.authorize(id, &missing).await {
            // All of them are refused when one is there already, and reads did not show it.
            Err(refusal) if is_duplicate(&refusal) => {
                for rule in missing {
                    match self.authorize(id, &[rule]).await {
                        Err(refusal) if is_duplicate(&refusal) => {}
                        done => done?,
                    }
                }
            }
            done => done?,
        }
        match unwanted {
            Unwanted::Go => self.revoke(id, &has.difference(wanted).cloned().collect()).await,
            Unwanted::Stay => Ok(()),
        }
    }

    async fn authorize(self, id: &str, rules: &[&(u16, String)]) -> Result<(), Refusal> {
        if rules.is_empty() {
            return Ok(());
        }
        let rules = rules.iter().map(|rule| permission(rule)).collect();
        let call = self.aws().ec2.authorize_security_group_ingress().group_id(id);
        let call = call.set_ip_permissions(Some(rules));
        once_seen(&[], async || Ok(call.clone().send().await.map(drop)?)).await
    }

    /// Takes rules from a group; it is no error when they are gone.
    pub(super) async fn revoke(self, id: &str, rules: &Rules) -> Result<(), Refusal> {
        if rules.is_empty() {
            return Ok(());
        }
        let revoke = async |permissions: Vec<IpPermission>| -> Result<(), Refusal> {
            let call = self.aws().ec2.revoke_security_group_ingress().group_id(id);
            Ok(call.set_ip_permissions(Some(permissions)).send().await.map(drop)?)
        };
        let gone = match revoke(rules.iter().map(permission).collect()).await {
            Err(refusal) if refusal.is_not_found() => rules.iter(),
            done => return done,
        };
        // Where one of them is gone, none was taken.
        for rule in gone {
            match revoke(vec![permission(rule)]).await {
                Err(refusal) if !refusal.is_not_found() => return Err(refusal),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

fn is_duplicate(refusal: &Refusal) -> bool {
    refusal.code() == "InvalidPermission.Duplicate"
}

fn permission((port, from): &(u16, String)) -> IpPermission {
    let port = i32::from(*port);
    let rule = IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port);
    if from.starts_with("sg-") {
        rule.user_id_group_pairs(UserIdGroupPair::builder().group_id(from).build()).build()
    } else if from.contains(':') {
        rule.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(from).build()).build()
    } else {
        rule.ip_ranges(IpRange::builder().cidr_ip(from).build()).build()
    }
}

/// The rules of a group that are of one TCP port each, as ours are.
pub(super) fn read(group: &SecurityGroup) -> Rules {
    let mut rules = Rules::new();
    for one in group.ip_permissions() {
        let Some(port) = one.from_port().and_then(|port| u16::try_from(port).ok()) else {
            continue;
        };
        let v4 = one.ip_ranges().iter().filter_map(IpRange::cidr_ip);
        let v6 = one.ipv6_ranges().iter().filter_map(Ipv6Range::cidr_ipv6);
        let groups = one.user_id_group_pairs().iter().filter_map(UserIdGroupPair::group_id);
        rules.extend(v4.chain(v6).chain(groups).map(|from| (port, from.to_owned())));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_survive_the_way_there_and_back() {
        let rules: Rules = [(80, "sg-1"), (80, "10.0.0.0/8"), (443, "::/0")]
            .map(|(port, from)| (port, from.to_owned()))
            .into();
        let sent: Vec<IpPermission> = rules.iter().map(permission).collect();
        assert_eq!(read(&SecurityGroup::builder().set_ip_permissions(Some(sent)).build()), rules);
    }
}
