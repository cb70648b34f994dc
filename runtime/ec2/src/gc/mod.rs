//! What Kiln made on EC2 that nobody needs any more, and why the rest stays.
//!
//! `list` and `users` ask EC2, `fate` decides and asks nobody, `remove` does it. What does not bear the tags of the
//! project is only looked at where it uses something that does.

mod belongings;
mod fate;
mod list;
mod remove;
mod users;

use crate::aws::Refusal;
use crate::builder::{Ec2, Inner};
use crate::run::{living, now, owner};
use async_trait::async_trait;
use belongings::Belongings;
use fate::Judge;
use kiln_engine::Error;
use kiln_engine::driver::{Collector, Found, Output, Wanted};
use users::Users;

#[async_trait]
impl Collector for Ec2 {
    async fn survey(&self, wanted: &Wanted) -> Result<Vec<Found>, Error> {
        Ok(look(&self.inner, wanted).await?.found)
    }

    async fn remove(&self, found: &[Found], output: Output<'_>) -> Result<(), Vec<Error>> {
        remove::remove(&self.inner, found, output).await
    }
}

/// What is there, and what is to happen to it.
struct Look {
    belongings: Belongings,
    judge: Judge,
    found: Vec<Found>,
}

async fn look(inner: &Inner, wanted: &Wanted) -> Result<Look, Error> {
    let failed = |refusal: Refusal| refusal.error("cannot list what was made on EC2");
    let belongings = Belongings::list(&inner.aws, &inner.project).await.map_err(failed)?;
    let judge = Judge {
        wanted: wanted.keys.iter().map(ToString::to_string).collect(),
        named: wanted.named.clone(),
        younger_than: wanted.younger_than.as_secs(),
        runs: living(&inner.runs),
        owner: owner(),
        now: now(),
    };
    let users = Users::of(&inner.aws, &judge.unwanted_images(&belongings)).await;
    let found = judge.judge(&belongings, &users.map_err(failed)?);
    Ok(Look { belongings, judge, found })
}
