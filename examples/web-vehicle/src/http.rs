//! A question to a web service becomes its answer: as much of HTTP/1.1 as that takes, one connection for each. In a car of yours stands your HTTP client here.
//!
//! *Invariant:* an answer is whole, as its `Content-Length` says, and of a bounded size; all else is an error.
//! *Next:* `lib.rs`.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The largest answer that is read.
const LONGEST: u64 = 64 * 1024;

/// What a service answers.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    /// 200 where it did what was asked.
    pub(crate) status: u16,
    /// What it says.
    pub(crate) body: String,
}

/// Asks `what` (`GET /values`) of the service at `address`.
pub(crate) async fn ask(address: SocketAddr, what: &str, body: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let length = body.len();
    let head = format!(
        "{what} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
    let mut text = String::new();
    stream.take(LONGEST).read_to_string(&mut text).await?;
    answer(&text)
        .ok_or_else(|| Error::new(ErrorKind::InvalidData, "the service's answer is cut off or no HTTP"))
}

fn answer(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let (first, fields) = head.split_once("\r\n")?;
    let status = first.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()?;
    let length = fields.lines().find_map(|field| {
        let (name, length) = field.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(length.trim())
    });
    (length?.parse() == Ok(body.len())).then(|| Answer { status, body: body.to_owned() })
}
