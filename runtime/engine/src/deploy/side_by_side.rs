use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// Drives futures side by side until all have ended, on the task that calls.
pub(super) async fn side_by_side<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut running: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    poll_fn(|context| {
        running.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
