use crate::Error;
use crate::driver::{Deployer, Observed};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Mutex;

/// Looks at what runs in one place, for all who ask at once: deployments that take their turn side by side are served
/// by one reading.
#[derive(Default)]
pub(super) struct Look(Mutex<Option<(Instant, Arc<Vec<Observed>>)>>);

impl Look {
    /// What runs, read after this call was made.
    pub(super) async fn fresh(&self, deployer: &dyn Deployer) -> Result<Arc<Vec<Observed>>, Error> {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((began, observed)) = &*last
            && *began >= asked
        {
            return Ok(observed.clone());
        }
        let began = Instant::now();
        let observed = Arc::new(deployer.observe().await?);
        *last = Some((began, observed.clone()));
        Ok(observed)
    }
}
