//! What a server answers, and what of it a client takes.
//!
//! *Next:* `../socket.rs`.

use std::fmt::Write;
use std::sync::Arc;

use super::request::{Asked, Refusal};
use super::{MAX_FIELDS, accept, lists, members, values};

/// The head that takes a request.
pub(crate) fn accepted(asked: &Asked) -> String {
    let mut head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n",
        asked.accept
    );
    if let Some(subprotocol) = &asked.subprotocol {
        let _ = write!(head, "Sec-WebSocket-Protocol: {subprotocol}\r\n");
    }
    head.push_str("\r\n");
    head
}

/// The answer that refuses a request.
pub(crate) fn refusal(refusal: &Refusal) -> String {
    let phrase = match refusal.status {
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        _ => "Refused",
    };
    let upgrade = match refusal.status {
        426 => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        405 => "Allow: GET\r\n",
        _ => "",
    };
    format!(
        "HTTP/1.1 {} {phrase}\r\n{upgrade}Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{}\n",
        refusal.status,
        refusal.what.len() + 1,
        refusal.what,
    )
}

/// What a server answered, once its head is whole: the subprotocol and the size of the head; `None` when more bytes are needed.
///
/// # Errors
/// What to tell people, and whether the server refused in good order.
pub(crate) fn answered(
    bytes: &[u8],
    key: &str,
    offered: &[Arc<str>],
) -> Result<Option<Answered>, Unanswered> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let size = match response.parse(bytes) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(Unanswered::Malformed(format!("the answer is no HTTP: {error}"))),
    };
    let status = response.code.unwrap_or_default();
    if status != 101 {
        let phrase = response.reason.unwrap_or_default();
        return Err(Unanswered::Refused(format!("the server refuses the WebSocket: {status} {phrase}")));
    }
    let fields = &*response.headers;
    let wrong = |what: &str| Err(Unanswered::Malformed(what.to_owned()));
    if !lists(fields, "Upgrade", "websocket") || !lists(fields, "Connection", "upgrade") {
        return wrong("the answer does not upgrade to a WebSocket");
    }
    if values(fields, "Sec-WebSocket-Accept").next() != Some(accept(key).as_str()) {
        return wrong("the answer does not belong to the request");
    }
    if members(fields, "Sec-WebSocket-Extensions").next().is_some() {
        return wrong("the server uses an extension that was not offered");
    }
    let mut chosen = values(fields, "Sec-WebSocket-Protocol");
    let subprotocol = match chosen.next() {
        None => None,
        Some(name) => match offered.iter().find(|offered| ***offered == *name) {
            Some(offered) if chosen.next().is_none() => Some(offered.clone()),
            _ => return wrong("the server chose a subprotocol that was not offered"),
        },
    };
    Ok(Some((subprotocol, size)))
}

/// What a server agrees to, and the size of the head that says so.
pub(crate) type Answered = (Option<Arc<str>>, usize);

/// Why a server's answer makes no connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    Refused(String),
    Malformed(String),
}
