//! A WebSocket's URL becomes its parts: `ws://` or `wss://`, a host, a port, a path.
//!
//! *Invariant:* what has no place in a request is refused here; a URL with a user in it is refused, for it would be shown.
//! *Next:* `tcp.rs`.

use std::sync::Arc;

/// The ports of VISS over WebSocket (VISS 3.0, transport, section 5).
const PORT: u16 = 6443;

/// Why a text is no URL of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is no URL of a WebSocket: {what}")]
pub struct UrlError {
    url: String,
    what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) is_secure: bool,
    /// The host without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The host and the port as they stand in the URL.
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) text: Arc<str>,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        let wrong = |what| UrlError { url: text.chars().take(200).collect(), what };
        if text.len() > 2000 {
            return Err(wrong("it has more than 2000 bytes"));
        }
        if let Some(odd) = text.bytes().find(|byte| {
            !byte.is_ascii_graphic()
                || matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        }) {
            return Err(wrong(if odd.is_ascii() {
                "it has a character that is not allowed"
            } else {
                "it is not ASCII"
            }));
        }
        let (scheme, rest) = text.split_once("://").ok_or(wrong("it does not begin with ws:// or wss://"))?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            _ => return Err(wrong("it does not begin with ws:// or wss://")),
        };
        if rest.contains('#') {
            return Err(wrong("a fragment has no meaning here"));
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(wrong("a user has no place in it"));
        }
        if authority.contains(',') {
            return Err(wrong("it has a character that is not allowed"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']').ok_or(wrong("a bracket is not closed"))?;
                match (host.parse::<std::net::Ipv6Addr>(), after.strip_prefix(':')) {
                    (Err(_), _) => return Err(wrong("what stands in brackets is no IPv6 address")),
                    (_, port) if port.is_some() || after.is_empty() => (host, port),
                    _ => return Err(wrong("after a bracket there is a port or nothing")),
                }
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() {
            return Err(wrong("it names no host"));
        }
        let port = match port {
            None => PORT,
            Some(port) => {
                let digits = port.bytes().all(|byte| byte.is_ascii_digit());
                port.parse()
                    .ok()
                    .filter(|port| digits && *port > 0)
                    .ok_or(wrong("its port is no number from 1 to 65535"))?
            }
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self {
            is_secure,
            host: host.to_owned(),
            port,
            authority: authority.to_owned(),
            path,
            text: text.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(bool, String, u16, String)> {
        Url::parse(text).ok().map(|url| (url.is_secure, url.host, url.port, url.path))
    }

    #[test]
    fn the_parts_of_a_url() {
        let is =
            |secure, host: &str, port, path: &str| Some((secure, host.to_owned(), port, path.to_owned()));
        assert_eq!(parts("wss://car.local"), is(true, "car.local", 6443, "/"));
        assert_eq!(parts("WS://127.0.0.1:80/"), is(false, "127.0.0.1", 80, "/"));
        assert_eq!(parts("ws://[::1]:8090/viss?a=b"), is(false, "::1", 8090, "/viss?a=b"));
        assert_eq!(parts("ws://h?x"), is(false, "h", 6443, "/?x"));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for bad in [
            "",
            "car.local",
            "http://car",
            "ws://",
            "ws://:80",
            "ws://u:p@car",
            "ws://car:0",
            "ws://car:65536",
            "ws://car:+1",
            "ws://[::1",
            "ws://[car]",
            "ws://[::1]x",
            "ws://car/#x",
            "ws://a b",
            "ws://a\r\nHost: b",
            "ws://a/\u{e4}",
            "ws://a,b",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
        assert!(Url::parse(&format!("ws://{}", "a".repeat(3000))).is_err());
        let shown = Url::parse("http://car").unwrap_err().to_string();
        assert_eq!(shown, "\"http://car\" is no URL of a WebSocket: it does not begin with ws:// or wss://");
    }
}
