//! What a server can do, in the words of the standard.
//!
//! *Invariant:* facts only; where they come from is the gateway's affair.
//! *Next:* `answer.rs` (version 2 asks for them by a filter; version 3 reads them as a tree of signals).

use super::json::Json;

/// What a server can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The names of its transport protocols: `ws`, `mqtt` and others.
    pub protocols: Vec<String>,
    /// The names of its filters.
    pub filters: Vec<String>,
}

impl Capabilities {
    /// In the words of version 2, which has others for a few.
    pub(crate) fn write(&self, json: &mut Json) {
        let filters = self.filters.iter().map(|name| match name.as_str() {
            "metadata" => "static-metadata",
            name => name,
        });
        let filters: Vec<&str> = filters.chain(["dynamic-metadata"]).collect();
        let protocols = self.protocols.iter().map(|name| match name.as_str() {
            "ws" => "wss",
            "http" => "https",
            "mqtt" => "mqtts",
            name => name,
        });
        json.open(b'{');
        write(json.key("filter"), filters.into_iter());
        write(json.key("transport_protocol"), protocols);
        json.close(b'}');
    }
}

/// One is a text, several are an array.
fn write<'n>(json: &mut Json, names: impl Iterator<Item = &'n str>) {
    let names: Vec<_> = names.collect();
    match names.as_slice() {
        [name] => {
            json.text(name);
        }
        names => {
            json.open(b'[');
            for name in names {
                json.text(name);
            }
            json.close(b']');
        }
    }
}
