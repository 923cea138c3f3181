//! A WebSocket's URL becomes its parts: `ws://` or `wss://`, a host, a port, a path.
//!
//! *Invariant:* what has no place in a request is refused here; a URL with a user in it is refused, for it would be shown.
//! *Next:* `tcp.rs`.

use std::sync::Arc;

use coachwork_tokio::stream::Authority;

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
    pub(crate) to: Authority,
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
        let to = Authority::parse(authority, Some(PORT)).map_err(|why| wrong(why.what()))?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { is_secure, to, authority: authority.to_owned(), path, text: text.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(bool, String, u16, String)> {
        let url = Url::parse(text).ok()?;
        Some((url.is_secure, url.to.host().to_owned(), url.to.port(), url.path))
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
