//! What Kiln made on EC2 that nobody needs any more, and why the rest stays.

mod belongings;
mod fate;
mod users;

use crate::aws::Refusal;
use crate::builder::Ec2;
use crate::run::{Age, Object, living, now, owner, remove};
use async_trait::async_trait;
use belongings::Belongings;
use fate::Judge;
use kiln_engine::driver::{Collector, Found, Output};
use kiln_engine::{CacheKey, Error};
use std::collections::BTreeSet;
use users::Users;

#[async_trait]
impl Collector for Ec2 {
    async fn survey(&self, wanted: &BTreeSet<CacheKey>) -> Result<Vec<Found>, Error> {
        let aws = &self.inner.aws;
        let failed = |refusal: Refusal| refusal.error("cannot list what was made on EC2");
        let belongings = Belongings::list(aws, &self.inner.project).await.map_err(failed)?;
        let users = Users::of(aws, &belongings.images).await.map_err(failed)?;
        let judge = Judge {
            wanted: wanted.iter().map(ToString::to_string).collect(),
            users,
            runs: living(&self.inner.runs),
            owner: owner(),
            now: now(),
        };
        Ok(judge.judge(&belongings))
    }

    async fn remove(&self, found: &[Found], output: Output<'_>) -> Result<(), Vec<Error>> {
        let (aws, poller) = (&self.inner.aws, &self.inner.poller);
        let mut all: Vec<(Object, &Found)> =
            found.iter().filter_map(|found| Some((fate::object(found.kind)?, found))).collect();
        // An instance holds its group, an AMI its snapshot: each goes after what uses it.
        all.sort_by_key(|(object, _)| *object);
        let mut errors = Vec::new();
        let instances = |all: &[(Object, &Found)]| {
            let is_instance = |(object, _): &&(Object, &Found)| *object == Object::Instance;
            all.iter().filter(is_instance).map(|(_, found)| found.id.clone()).collect::<Vec<_>>()
        };
        let mut ending = instances(&all);
        for (object, found) in all {
            if object != Object::Instance {
                for id in std::mem::take(&mut ending) {
                    errors.extend(poller.terminated(&id).await.err());
                }
            }
            match remove(aws, object, &found.id, Age::Settled).await {
                Ok(()) => output(&format!("removed {} `{}`", found.kind, found.id)),
                Err(error) => errors.push(error),
            }
        }
        for id in ending {
            errors.extend(poller.terminated(&id).await.err());
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}
