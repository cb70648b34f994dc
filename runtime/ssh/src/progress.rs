//! How a batch tells how it goes.

/// Receives how a batch of ops goes. An op is named by its position in the batch.
pub trait Progress: Send + Sync {
    /// An op begins. Called again for one that is repeated after a connection broke.
    fn started(&self, op: usize);

    /// An op printed a line. Bytes that are not UTF-8 are replaced; nothing else is: who shows it on a terminal
    /// must remove what a terminal would interpret.
    fn line(&self, op: usize, line: &str);
}

/// Tells nobody.
impl Progress for () {
    fn started(&self, _: usize) {}

    fn line(&self, _: usize, _: &str) {}
}
