//! Bytes become a config of `coachwork serve`; whatever is one is written and read again as the same, and whatever is none has its place.
//!
//! *Oracle:* reading is the inverse of writing, with what was left unsaid filled in or not; an error lies within the text; nothing that is read is reachable from
//! other machines in the clear unless it says so.
//! *Next:* the module itself, which belongs to the tool and is included here as it is.

use std::net::SocketAddr;

use config::Config;

#[allow(dead_code, reason = "the tool uses all of it")]
#[path = "../../crates/cli/src/serve/config/mod.rs"]
mod config;

/// Reads the bytes as a config.
pub fn run(data: &[u8]) {
    judge(data);
}

/// As [`run`]: how many transports it has, if it is a config.
pub fn judge(data: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(data).ok()?;
    let config = match Config::parse(text) {
        Ok(config) => config,
        Err(why) => {
            assert!(!why.why.is_empty());
            if text.len() <= config::MAX_CONFIG {
                let line = text.split('\n').nth(why.line.checked_sub(1).expect("a line"));
                let line = line.unwrap_or_else(|| panic!("{why} is behind the end"));
                assert!(why.column >= 1 && why.column <= line.chars().count() + 1, "{why}");
            }
            return None;
        }
    };
    assert!(text.len() <= config::MAX_CONFIG);
    same(&config);
    let whole = config.clone().completed();
    same(&whole);
    assert_ne!(whole.listen, config::Listen::default());
    let here = |address: &SocketAddr| address.ip().to_canonical().is_loopback();
    for socket in &whole.listen.websocket {
        let encrypted = socket.certificate.is_some() && socket.key.is_some();
        assert!(here(&socket.address) || encrypted || socket.allow_plain_links);
    }
    assert!(whole.listen.tcp.iter().all(|tcp| here(&tcp.address) || tcp.allow_plain_links));
    // A broker is reached by anybody: then who may come in is said.
    assert!(
        whole.listen.mqtt.is_empty() || config.access.anonymous.is_some() || config.access.policy.is_some()
    );
    for mqtt in &whole.listen.mqtt {
        assert!(mqtt.url.to_ascii_lowercase().starts_with("mqtts://") == mqtt.ca.is_some());
    }
    Some(config.listen.websocket.len() + config.listen.tcp.len() + config.listen.unix.len())
}

fn same(config: &Config) {
    let written = config.to_text().expect("its texts are texts");
    let again = Config::parse(&written).unwrap_or_else(|why| panic!("{why}: {written}"));
    assert_eq!(again, *config, "{written}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides() {
        assert_eq!(judge(b""), Some(0));
        assert_eq!(
            judge(b"[[listen.unix]]\npath = \"a\"\n[[listen.tcp]]\naddress = \"127.0.0.1:1\""),
            Some(2)
        );
        assert_eq!(judge(b"[[listen.tcp]]\naddress = \"10.0.0.1:1\""), None);
    }
}
