use std::io::{self, BufRead, Read};

/// An answer of HTTP/1.1 (RFC 9112), read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Whether another may come on the same connection.
    pub(crate) keeps: bool,
}

/// More than this of one answer is a mistake of whoever is asked.
const LONGEST: u64 = 16 << 20;

/// How long an answer's body is.
enum Length {
    Bytes(u64),
    Chunked,
    UntilTheEnd,
}

/// # Errors
/// When it is none, or ends too early.
pub(crate) fn read(stream: &mut impl BufRead) -> io::Result<Answer> {
    let first = line(stream)?;
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let status: u16 = status.ok_or_else(|| wrong(&format!("`{first}` is no answer")))?;
    let mut keeps = first.starts_with("HTTP/1.1");
    let mut length =
        if matches!(status, 204 | 304) { Length::Bytes(0) } else { Length::UntilTheEnd };
    loop {
        let header = line(stream)?;
        if header.is_empty() {
            break;
        }
        let Some((name, value)) = header.split_once(':') else { continue };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                let bytes = value.parse().map_err(|_| wrong(&format!("`{header}`")))?;
                length = Length::Bytes(bytes);
            }
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => {
                length = Length::Chunked;
            }
            "connection" => keeps = !value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let body = match length {
        Length::Bytes(bytes) => exactly(stream, bytes)?,
        Length::Chunked => chunks(stream)?,
        Length::UntilTheEnd => {
            keeps = false;
            let mut body = Vec::new();
            stream.take(LONGEST).read_to_end(&mut body)?;
            body
        }
    };
    Ok(Answer { status, body, keeps })
}

fn chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(stream)?;
        let digits = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16).map_err(|_| wrong(&format!("`{size}`")))?;
        if size == 0 {
            // Trailers.
            while !line(stream)?.is_empty() {}
            return Ok(body);
        }
        body.extend(exactly(stream, size)?);
        line(stream)?;
    }
}

fn exactly(stream: &mut impl BufRead, bytes: u64) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let read = stream.take(bytes.min(LONGEST)).read_to_end(&mut body)?;
    if read as u64 != bytes {
        let ended = format!("the answer ended after {read} of {bytes} bytes");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, ended));
    }
    Ok(body)
}

fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    stream.take(1 << 16).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        let ended = "the connection ended in the middle of an answer";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, ended));
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> io::Result<Answer> {
        read(&mut text.as_bytes())
    }

    fn body(text: &str) -> String {
        String::from_utf8(of(text).unwrap().body).unwrap()
    }

    #[test]
    fn bodies_end_where_their_answer_says() {
        assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nonly two"), "on");
        assert_eq!(body("HTTP/1.0 200 OK\r\n\r\nto the end"), "to the end");
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: x\r\n\r\nrest";
        assert_eq!(body(chunked), "abcde");
        assert_eq!(body("HTTP/1.1 204 No Content\r\n\r\nnothing of this"), "");
    }

    #[test]
    fn a_connection_is_kept_unless_the_answer_or_its_end_says_otherwise() {
        let keeps = |text: &str| of(text).unwrap().keeps;
        assert!(keeps("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
        assert!(!keeps("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n"));
        assert!(!keeps("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
        assert!(!keeps("HTTP/1.1 200 OK\r\n\r\n"));
    }

    #[test]
    fn an_answer_that_is_cut_is_no_answer() {
        for text in [
            "",
            "HTTP/1.1 200",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
            "SSH-2.0-x\r\n\r\n",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
