//! A TCP proxy that breaks connections when it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Bytes pass.
    Open,
    /// Connections are closed, new ones at once.
    Closed,
    /// Connections stay, and nothing passes: the peer is dead.
    Frozen,
}

pub struct Proxy {
    pub address: SocketAddr,
    /// And how often it has changed: a connection that is busy meanwhile must not miss a change and its undoing.
    mode: Arc<watch::Sender<(Mode, u64)>>,
    /// Bytes to the machine after which every connection is closed, once.
    limit: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
}

impl Proxy {
    pub async fn to(machine: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            mode: Arc::new(watch::channel((Mode::Open, 0)).0),
            limit: Arc::new(AtomicU64::new(u64::MAX)),
            connections: Arc::default(),
        };
        let (mode, limit) = (proxy.mode.clone(), proxy.limit.clone());
        let connections = proxy.connections.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (now, since) = *mode.borrow();
                if now == Mode::Closed {
                    continue;
                }
                let server = TcpStream::connect(machine).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let never = Arc::new(AtomicU64::new(u64::MAX));
                tokio::spawn(pass(
                    from_client,
                    to_server,
                    (mode.subscribe(), since),
                    limit.clone(),
                ));
                tokio::spawn(pass(from_server, to_client, (mode.subscribe(), since), never));
            }
        });
        proxy
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_modify(|now| *now = (mode, now.1 + 1));
    }

    /// Connections that are there end; new ones pass.
    pub fn cut(&self) {
        self.set(Mode::Closed);
        self.set(Mode::Open);
    }

    /// Closes the connection once, when so many more bytes have gone to the machine.
    pub fn cut_after(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::SeqCst);
    }

    /// How many connections there were.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    (mut mode, since): (watch::Receiver<(Mode, u64)>, u64),
    limit: Arc<AtomicU64>,
) {
    let mut buffer = vec![0; 32 << 10];
    loop {
        let (now, changes) = *mode.borrow_and_update();
        if now != Mode::Frozen && changes != since {
            return;
        }
        let count = tokio::select! {
            _ = mode.changed() => continue,
            count = from.read(&mut buffer), if now == Mode::Open => count.unwrap_or(0),
        };
        if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
        let left = limit.load(Ordering::SeqCst);
        if left != u64::MAX {
            let count = count as u64;
            if left <= count {
                limit.store(u64::MAX, Ordering::SeqCst);
                return;
            }
            limit.store(left - count, Ordering::SeqCst);
        }
    }
}
