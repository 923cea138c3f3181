//! The HTTP/1.1 upgrade that begins a WebSocket (RFC 6455, section 4), without I/O: text in, text and a decision out.
//!
//! *Invariant:* a head is at most 8 KiB and 64 fields; nothing of it is trusted before all of it was checked.
//! *Next:* `handshake/request.rs` (what a client asks), `handshake/response.rs` (what a server answers), `socket.rs` (which carries both).

mod request;
mod response;

pub(crate) use request::{Refusal, Request, Terms, asked, key};
pub(crate) use response::{Unanswered, accepted, answered, refusal};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// The longest head of a request or an answer in bytes.
pub(crate) const MAX_HEAD: usize = 8 * 1024;

/// The most fields of a head.
const MAX_FIELDS: usize = 64;

/// What is appended to a key before it is hashed.
const SALT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The answer to a key (section 4.2.2).
pub(crate) fn accept(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(SALT).finalize())
}

/// The values of all fields of a name, whatever the case it is written in.
fn values<'h>(fields: &'h [httparse::Header<'_>], name: &str) -> impl Iterator<Item = &'h str> {
    let named = move |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name);
    fields.iter().filter(named).filter_map(|field| std::str::from_utf8(field.value).ok()).map(str::trim)
}

/// The members of all lists of a name.
fn members<'h>(fields: &'h [httparse::Header<'_>], name: &str) -> impl Iterator<Item = &'h str> {
    values(fields, name).flat_map(|list| list.split(',')).map(str::trim).filter(|member| !member.is_empty())
}

/// Whether one of the members of a list is this word, whatever its case.
fn lists(fields: &[httparse::Header<'_>], name: &str, word: &str) -> bool {
    members(fields, name).any(|member| member.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;
