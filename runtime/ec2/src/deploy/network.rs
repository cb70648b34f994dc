use super::refused::refused;
use crate::aws::{Aws, Refusal, filter};
use aws_sdk_ec2::types::{LocationType, Subnet};
use kiln::Origin;
use kiln_engine::Error;
use std::collections::BTreeSet;

/// Where in a network something is made.
#[derive(Debug, Clone)]
pub(super) struct Network {
    pub(super) vpc: String,
    /// Ids, sorted, and the zone of each.
    pub(super) subnets: Vec<(String, String)>,
}

impl Network {
    /// That of these subnets; of the default VPC's where none is named.
    ///
    /// # Errors
    /// When one is not there, they are of several networks, or there is no default VPC.
    pub(super) async fn of(aws: &Aws, named: &[String], origin: &Origin) -> Result<Self, Error> {
        let call = aws.ec2.describe_subnets();
        let call = if named.is_empty() {
            call.filters(filter("default-for-az", ["true"]))
        } else {
            call.set_subnet_ids(Some(named.to_vec()))
        };
        let answer = call.send().await.map_err(|error| {
            refused(&error.into(), "cannot see the deployment's subnets", origin)
        })?;
        Self::read(answer.subnets(), aws.region()).map_err(|error| error.at(origin))
    }

    fn read(subnets: &[Subnet], region: &str) -> Result<Self, Error> {
        let vpcs: BTreeSet<&str> = subnets.iter().filter_map(Subnet::vpc_id).collect();
        let mut vpcs = vpcs.into_iter();
        let Some(vpc) = vpcs.next() else {
            return Err(Error::input(format!("there is no default VPC in `{region}`")).help(
                "name subnets: `target: ec2 { subnets: [\"subnet-…\"] }`, or make a default network: `aws ec2 create-default-vpc`",
            ));
        };
        if let Some(other) = vpcs.next() {
            return Err(Error::input(format!(
                "the subnets are of two networks, `{vpc}` and `{other}`"
            ))
            .help("name subnets of one network"));
        }
        let pair = |subnet: &Subnet| {
            Some((subnet.subnet_id()?.to_owned(), subnet.availability_zone()?.to_owned()))
        };
        let mut subnets: Vec<_> = subnets.iter().filter_map(pair).collect();
        subnets.sort();
        Ok(Self { vpc: vpc.to_owned(), subnets })
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.subnets.iter().map(|(id, _)| id.clone()).collect()
    }

    /// The zones that another one has and this one has not.
    pub(super) fn lacks<'a>(&self, other: &'a Self) -> BTreeSet<&'a str> {
        let is_here = |zone: &str| self.subnets.iter().any(|(_, own)| own == zone);
        let theirs = other.subnets.iter().map(|(_, zone)| zone.as_str());
        theirs.filter(|zone| !is_here(zone)).collect()
    }

    /// Keeps those whose zones another one has too.
    ///
    /// # Errors
    /// When none is left.
    pub(super) fn within(mut self, other: &Self, origin: &Origin) -> Result<Self, Error> {
        let beyond: BTreeSet<String> =
            other.lacks(&self).into_iter().map(ToOwned::to_owned).collect();
        self.subnets.retain(|(_, zone)| !beyond.contains(zone));
        if self.subnets.is_empty() {
            let message = "the load balancer stands in no zone of the default VPC's subnets";
            let error = Error::input(message).at(origin);
            return Err(
                error.help("name subnets for the servers too, in the load balancer's zones")
            );
        }
        Ok(self)
    }

    /// Keeps those in whose zone there are instances of a type: Auto Scaling would try the others in turn.
    ///
    /// # Errors
    /// When none is left.
    pub(super) async fn offering(
        mut self,
        aws: &Aws,
        instance_type: &str,
        origin: &Origin,
    ) -> Result<Self, Error> {
        let call = aws.ec2.describe_instance_type_offerings();
        let call = call.location_type(LocationType::AvailabilityZone);
        let call = call.filters(filter("instance-type", [instance_type]));
        let what = format!("cannot see where `{instance_type}` is offered");
        let answer = call.send().await;
        let answer = answer.map_err(|error| refused(&Refusal::from(error), &what, origin))?;
        let offered = answer.instance_type_offerings();
        let zones: BTreeSet<&str> = offered.iter().filter_map(|one| one.location()).collect();
        let mine: BTreeSet<String> = self.subnets.iter().map(|(_, zone)| zone.clone()).collect();
        self.subnets.retain(|(_, zone)| zones.contains(zone.as_str()));
        if !self.subnets.is_empty() {
            return Ok(self);
        }
        let mine = mine.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!("`{instance_type}` is not offered in {mine}");
        let help = if zones.is_empty() {
            format!("choose another `instance_type`: `{}` has none of these", aws.region())
        } else {
            let zones = zones.into_iter().collect::<Vec<_>>().join(", ");
            format!("choose another `instance_type`, or `subnets` in {zones}")
        };
        Err(Error::input(message).help(help).at(origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(id: &str, vpc: &str) -> Subnet {
        Subnet::builder().subnet_id(id).vpc_id(vpc).availability_zone("eu-west-1a").build()
    }

    #[test]
    fn without_a_default_network_it_is_said_what_to_do() {
        let error = Network::read(&[], "eu-west-1").unwrap_err();
        assert_eq!(error.to_string(), "there is no default VPC in `eu-west-1`");
        assert!(error.help_text().unwrap().contains("create-default-vpc"));
    }

    #[test]
    fn zones_are_compared_whatever_subnets_they_are_of() {
        let network = |zones: &[&str]| Network {
            vpc: "v-1".into(),
            subnets: zones.iter().map(|zone| (format!("s-{zone}"), (*zone).to_owned())).collect(),
        };
        let (balancer, servers) = (network(&["a", "b"]), network(&["b", "c", "d"]));
        assert_eq!(balancer.lacks(&servers).into_iter().collect::<Vec<_>>(), ["c", "d"]);
        let origin = Origin { file: "a.rs".into(), line: 1, column: 2 };
        assert_eq!(servers.clone().within(&balancer, &origin).unwrap().ids(), ["s-b"]);
        assert!(servers.within(&network(&["a"]), &origin).is_err());
    }

    #[test]
    fn subnets_of_two_networks_are_refused() {
        let error = Network::read(&[subnet("s-1", "v-1"), subnet("s-2", "v-2")], "").unwrap_err();
        assert_eq!(error.to_string(), "the subnets are of two networks, `v-1` and `v-2`");
        assert_eq!(Network::read(&[subnet("s-1", "v-1")], "").unwrap().ids(), ["s-1"]);
    }
}
