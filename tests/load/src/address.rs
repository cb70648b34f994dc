use std::fmt;

/// Where requests go: `http://HOST[:PORT][/PATH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    path: String,
}

impl Address {
    /// Of a URL.
    ///
    /// # Errors
    /// When it is none, or one of another scheme than `http`: in words.
    pub fn parse(url: &str) -> Result<Self, String> {
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| format!("`{url}` does not begin with `http://`"))?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => {
                (host, port.parse().map_err(|_| format!("`{port}` in `{url}` is no port"))?)
            }
            None => (authority, 80),
        };
        if host.is_empty() {
            return Err(format!("`{url}` names no host"));
        }
        Ok(Self { host: host.to_owned(), port, path: path.to_owned() })
    }

    /// What is connected to.
    pub(crate) fn authority(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// The whole request (RFC 9112).
    pub(crate) fn request(&self, keep: bool) -> String {
        let connection = if keep { "keep-alive" } else { "close" };
        let port = if self.port == 80 { String::new() } else { format!(":{}", self.port) };
        format!(
            "GET {} HTTP/1.1\r\nHost: {}{port}\r\nConnection: {connection}\r\nAccept: */*\r\n\r\n",
            self.path, self.host
        )
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.host)?;
        if self.port != 80 {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_and_put_together() {
        for url in ["http://web.lab/", "http://127.0.0.1:8080/healthz?x=1", "http://a:81/"] {
            assert_eq!(Address::parse(url).unwrap().to_string(), url);
        }
        assert_eq!(Address::parse("http://a").unwrap().authority(), ("a", 80));
        let request = Address::parse("http://a:81/x").unwrap().request(true);
        assert!(request.starts_with("GET /x HTTP/1.1\r\nHost: a:81\r\n"), "{request}");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in ["https://a/", "a", "http://", "http://a:port/"] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
    }
}
