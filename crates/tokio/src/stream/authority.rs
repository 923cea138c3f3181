//! A text becomes a host and a port: `gateway.local:6444`, `127.0.0.1`, `[::1]:6444`.
//!
//! *Invariant:* what passes can be looked up, and stands in a URL as it is; a user has no place in it, for it would be shown.
//! *Next:* `opener.rs` (which goes there); the URLs of the transports, which have one inside.

use std::net::Ipv6Addr;

/// A host and a port, as a URL has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    host: String,
    port: u16,
}

/// Why a text is no host with a port. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct AuthorityError {
    what: &'static str,
}

impl Authority {
    /// Reads a name or an IP address (IPv6 in brackets, with its zone where it has one), and a port behind a colon; where it names none, the
    /// usual one.
    ///
    /// # Errors
    /// What is wrong: more than 300 bytes, no host, a character that a host does not have, a port that is no number from 1 to 65535, or none at all.
    pub fn parse(text: &str, usual_port: Option<u16>) -> Result<Self, AuthorityError> {
        if text.len() > 300 {
            return Err(wrong("its host is too long"));
        }
        if text.contains('@') {
            return Err(wrong("a user has no place in it"));
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(bracketed) => within_brackets(bracketed)?,
            None => named(text)?,
        };
        let port = match port {
            None => usual_port.ok_or(wrong("it names no port"))?,
            Some(port) => {
                let digits = port.bytes().all(|byte| byte.is_ascii_digit());
                let port = port.parse().ok().filter(|port| digits && *port > 0);
                port.ok_or(wrong("its port is no number from 1 to 65535"))?
            }
        };
        Ok(Self { host: host.to_owned(), port })
    }

    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl AuthorityError {
    /// What is wrong, for a sentence that says of what.
    pub fn what(&self) -> &'static str {
        self.what
    }
}

/// A host and the text of its port, where it has one.
type Parts<'t> = (&'t str, Option<&'t str>);

fn within_brackets(text: &str) -> Result<Parts<'_>, AuthorityError> {
    let (host, after) = text.split_once(']').ok_or(wrong("a bracket is not closed"))?;
    let (address, zone) = host.split_once('%').map_or((host, None), |(at, zone)| (at, Some(zone)));
    if address.parse::<Ipv6Addr>().is_err() || zone.is_some_and(|zone| !is_name(zone)) {
        return Err(wrong("what stands in brackets is no IPv6 address"));
    }
    match after.strip_prefix(':') {
        None if !after.is_empty() => Err(wrong("after a bracket there is a port or nothing")),
        port => Ok((host, port)),
    }
}

fn named(text: &str) -> Result<Parts<'_>, AuthorityError> {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    if host.is_empty() {
        return Err(wrong("it names no host"));
    }
    if !is_name(host) {
        return Err(wrong("its host has a character that is not allowed"));
    }
    Ok((host, port))
}

fn wrong(what: &'static str) -> AuthorityError {
    AuthorityError { what }
}

fn is_name(text: &str) -> bool {
    let is_named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !text.is_empty() && text.bytes().all(is_named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_host_and_a_port() {
        for (text, host, port) in [
            ("gateway.local:6444", "gateway.local", 6444),
            ("127.0.0.1", "127.0.0.1", 1),
            ("[::1]:65535", "::1", 65_535),
            ("[fe80::1%eth0]", "fe80::1%eth0", 1),
            ("a_b-c.:2", "a_b-c.", 2),
        ] {
            let found = Authority::parse(text, Some(1)).unwrap();
            assert_eq!((found.host(), found.port()), (host, port), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused_and_not_repeated() {
        let long = "a".repeat(301);
        for (text, why) in [
            ("", "it names no host"),
            (":80", "it names no host"),
            ("u:SECRET@car", "a user has no place in it"),
            ("car:0", "its port is no number from 1 to 65535"),
            ("car:65536", "its port is no number from 1 to 65535"),
            ("car:+1", "its port is no number from 1 to 65535"),
            ("car:", "its port is no number from 1 to 65535"),
            ("::1", "it names no host"),
            ("1::1", "its port is no number from 1 to 65535"),
            ("car", "it names no port"),
            ("[::1", "a bracket is not closed"),
            ("[car]:1", "what stands in brackets is no IPv6 address"),
            ("[::1%]:1", "what stands in brackets is no IPv6 address"),
            ("[::1]x", "after a bracket there is a port or nothing"),
            ("a/b:1", "its host has a character that is not allowed"),
            ("\u{e4}:1", "its host has a character that is not allowed"),
            (&long, "its host is too long"),
        ] {
            let error = Authority::parse(text, None).unwrap_err();
            assert_eq!(error.to_string(), why, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_passes_is_read_the_same_when_it_is_put_together(text in "[\\[\\]a-z0-9:%._@-]{0,20}") {
            if let Ok(found) = Authority::parse(&text, Some(7)) {
                let host = found.host();
                let again = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
                let again = Authority::parse(&format!("{again}:{}", found.port()), None);
                prop_assert_eq!(again.unwrap(), found);
            }
        }
    }
}
