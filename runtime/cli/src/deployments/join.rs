use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Waits for all of them side by side; what they gave, in their order.
pub(crate) async fn join_all<T>(
    futures: impl IntoIterator<Item = impl Future<Output = T>>,
) -> Vec<T> {
    let mut left: Vec<_> = futures.into_iter().map(Box::pin).enumerate().collect();
    let mut done: Vec<(usize, T)> = Vec::with_capacity(left.len());
    poll_fn(|context| {
        left.retain_mut(|(index, future)| match Pin::as_mut(future).poll(context) {
            Poll::Ready(value) => {
                done.push((*index, value));
                false
            }
            Poll::Pending => true,
        });
        if left.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn what_ends_in_another_order_comes_in_that_of_the_question() {
        let (first, on_first) = oneshot::channel::<u32>();
        let (second, on_second) = oneshot::channel::<u32>();
        let both = join_all(vec![
            Box::pin(async move { on_first.await.unwrap_or(0) })
                as Pin<Box<dyn Future<Output = u32>>>,
            Box::pin(async move {
                let _ = first.send(1);
                drop(second);
                on_second.await.unwrap_or(2)
            }),
        ]);
        assert_eq!(both.await, [1, 2]);
    }
}
