//! What a client asks, and what of it a server takes.
//!
//! *Invariant:* a page of another site is refused unless it was allowed by name: a browser would carry any page's words into the car.
//! *Next:* `response.rs` (the answer).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coachwork_transport::agree;

use super::{MAX_FIELDS, accept, lists, members, values};

/// What a client asks for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The host and the port, as in a URL.
    pub(crate) authority: String,
    /// The path, beginning with a slash.
    pub(crate) path: String,
    /// Subprotocols, the preferred one first.
    pub(crate) offered: Vec<Arc<str>>,
}

impl Request {
    /// The head of the request, with this key.
    pub(crate) fn head(&self, key: &str) -> String {
        let Self { authority, path, offered } = self;
        let mut head = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {key}\r\n"
        );
        if !offered.is_empty() {
            head.push_str("Sec-WebSocket-Protocol: ");
            head.push_str(&offered.join(", "));
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        head
    }
}

/// A key: 16 bytes of the system's random source.
pub(crate) fn key() -> std::io::Result<String> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(std::io::Error::other)?;
    Ok(STANDARD.encode(nonce))
}

/// What a server takes.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) known: Vec<Arc<str>>,
    pub(crate) path: Arc<str>,
    pub(crate) origins: Vec<Arc<str>>,
}

/// A request that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) accept: String,
    pub(crate) subprotocol: Option<Arc<str>>,
    /// The size of the head.
    pub(crate) size: usize,
}

/// Why a request is not taken: the status to answer with, and what to tell people.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) what: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, what: impl Into<String>) -> Self {
        Self { status, what: what.into() }
    }
}

/// What a request asks, once its head is whole; `None` when more bytes are needed.
pub(crate) fn asked(bytes: &[u8], terms: &Terms) -> Result<Option<Asked>, Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let size = match request.parse(bytes) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Refusal::new(431, "the request has more than 64 fields"));
        }
        Err(error) => return Err(Refusal::new(400, format!("this is no HTTP request: {error}"))),
    };
    if request.method != Some("GET") || request.version != Some(1) {
        return Err(Refusal::new(405, "a WebSocket begins with GET and HTTP/1.1"));
    }
    let path = request.path.unwrap_or_default().split('?').next().unwrap_or_default();
    if path != &*terms.path {
        return Err(Refusal::new(404, "there is nothing at this path"));
    }
    let fields = &*request.headers;
    if !lists(fields, "Upgrade", "websocket") || !lists(fields, "Connection", "upgrade") {
        return Err(Refusal::new(426, "this is a WebSocket server"));
    }
    if values(fields, "Sec-WebSocket-Version").next() != Some("13") {
        return Err(Refusal::new(426, "only version 13 of WebSocket is known"));
    }
    let host = single(fields, "Host")?;
    let key = single(fields, "Sec-WebSocket-Key")?;
    if STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16) {
        check_origin(fields, host, terms)?;
        let offered: Vec<&str> = members(fields, "Sec-WebSocket-Protocol").collect();
        return Ok(Some(Asked { accept: accept(key), subprotocol: subprotocol(&offered, terms)?, size }));
    }
    Err(Refusal::new(400, "the key of the request is not 16 bytes in base64"))
}

/// The only value of a field that there must be once.
fn single<'h>(fields: &'h [httparse::Header<'_>], name: &str) -> Result<&'h str, Refusal> {
    let mut all = values(fields, name);
    match (all.next(), all.next()) {
        (Some(value), None) if !value.is_empty() => Ok(value),
        _ => Err(Refusal::new(400, format!("the request needs one {name}"))),
    }
}

/// A peer that offers nothing gets nothing: a server may only choose among what was offered (RFC 6455, section 4.2.2).
fn subprotocol(offered: &[&str], terms: &Terms) -> Result<Option<Arc<str>>, Refusal> {
    if offered.is_empty() {
        return Ok(None);
    }
    agree(offered, &terms.known).map_err(|what| Refusal::new(400, what))
}

/// A browser names the site of the page that connects; who is no browser names none.
fn check_origin(fields: &[httparse::Header<'_>], host: &str, terms: &Terms) -> Result<(), Refusal> {
    for origin in values(fields, "Origin") {
        let own = origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
        let allowed = |origins: &Arc<str>| &**origins == "*" || origins.eq_ignore_ascii_case(origin);
        if !own && !terms.origins.iter().any(allowed) {
            return Err(Refusal::new(403, "pages of this site may not connect"));
        }
    }
    Ok(())
}
