//! An S3 on this machine: moto's server, which the lab brings along, with one bucket.

use async_trait::async_trait;
use kiln_engine::Error;
use kiln_state::{Bucket, Credential, Credentials};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

const BUCKET: &str = "states";

/// It ends with this value.
pub struct Server {
    process: Child,
    port: u16,
}

impl Server {
    pub fn start() -> Self {
        let mut process = Command::new(moto())
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // ` * Running on http://127.0.0.1:34567`
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("Running on http://127.0.0.1:")?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        });
        // It says each request there, and must not block.
        std::thread::spawn(move || lines.count());
        let server = Self { process, port: port.expect("moto ended before it listened") };
        server.make_bucket();
        server
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn make_bucket(&self) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let host = format!("127.0.0.1:{}", self.port);
        let scope = "AWS4-HMAC-SHA256 Credential=test/20240101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        write!(
            stream,
            "PUT /{BUCKET} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {scope}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub async fn bucket(endpoint: &str) -> Bucket {
    bucket_named(BUCKET, endpoint).await
}

pub async fn bucket_named(name: &str, endpoint: &str) -> Bucket {
    Bucket::open((name, "team/kiln"), Some("us-east-1"), Some(endpoint), Arc::new(Test))
        .await
        .unwrap()
}

#[derive(Debug)]
struct Test;

#[async_trait]
impl Credentials for Test {
    async fn get(&self) -> Result<Credential, Error> {
        Ok(Credential { key: "test".into(), secret: "test".into(), token: None })
    }
}

/// The server, in the environment that the lab has made for itself.
fn moto() -> PathBuf {
    let cache = std::env::var_os("KILN_LAB_CACHE")
        .map_or_else(|| "/var/cache/kiln-lab".into(), PathBuf::from);
    let made = std::fs::read_dir(&cache).into_iter().flatten();
    let servers = made.map(|entry| entry.unwrap().path().join("bin/moto_server"));
    servers.filter(|server| server.is_file()).max().unwrap_or_else(|| {
        panic!("no moto in `{}`: bring a lab up once, `cargo xtask lab up`", cache.display())
    })
}
