//! What a peer reads of an event: its values alone (*scan*), or all of it (*parse*).
//!
//! *Invariant:* both see every value in its order.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};

/// How thoroughly a peer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Finds the values in the text, and does not look at the rest.
    Scan,
    /// Reads the JSON into a structure, values to doubles.
    Parse,
}

#[derive(Deserialize)]
struct Event<'a> {
    action: &'a str,
    #[serde(borrow)]
    data: Option<Items<'a>>,
    ts: &'a str,
}

struct Items<'a>(Vec<Item<'a>>);

#[derive(Deserialize)]
struct Item<'a> {
    path: &'a str,
    #[serde(borrow)]
    dp: Point<'a>,
}

#[derive(Deserialize)]
struct Point<'a> {
    value: &'a str,
    ts: &'a str,
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Items<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an item or a list of such")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Ok(Items(vec![Item::deserialize(MapAccessDeserializer::new(map))?]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

/// Hands on every value of an event.
pub fn values(message: &[u8], reading: Reading, mut each: impl FnMut(f64)) {
    match reading {
        Reading::Scan => {
            const KEY: &[u8] = b"\"value\":\"";
            let mut rest = message;
            while let Some(at) = memchr::memmem::find(rest, KEY) {
                rest = &rest[at + KEY.len()..];
                let end = memchr::memchr(b'"', rest).expect("the end of a value");
                each(number(&rest[..end]));
                rest = &rest[end..];
            }
        }
        Reading::Parse => {
            let text = std::str::from_utf8(message).expect("UTF-8");
            let event: Event<'_> = serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"));
            assert!(event.action == "subscription" && !event.ts.is_empty(), "{text}");
            for item in event.data.into_iter().flat_map(|items| items.0) {
                assert!(!item.path.is_empty() && !item.dp.ts.is_empty(), "{text}");
                each(item.dp.value.parse().expect("a number"));
            }
        }
    }
}

fn number(digits: &[u8]) -> f64 {
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).expect("a number")
}

/// When the source says that the first value of an event is of, in nanoseconds since 1970.
pub fn source_time(message: &[u8]) -> i64 {
    let at = memchr::memmem::find(message, b"\"ts\":\"").expect("a time") + 6;
    let text = std::str::from_utf8(&message[at..]).expect("UTF-8");
    let end = text.find('"').expect("the end of a time");
    let time: coachwork_vehicle::Timestamp = text[..end].parse().expect("a time");
    time.nanoseconds()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_readings_see_the_same() {
        let one = br#"{"action":"subscription","subscriptionId":"1","data":{"path":"A","dp":{"value":"7","ts":"1970-01-01T00:00:01.5Z"}},"ts":"x"}"#;
        let two = br#"{"action":"subscription","data":[{"path":"A","dp":{"value":"7","ts":"t"}},{"path":"A","dp":{"value":"8.5","ts":"t"}}],"ts":"x"}"#;
        let seen = |message: &[u8], reading| {
            let mut seen = Vec::new();
            values(message, reading, |value| seen.push(value));
            seen
        };
        for reading in [Reading::Scan, Reading::Parse] {
            assert_eq!(seen(one, reading), [7.0]);
            assert_eq!(seen(two, reading), [7.0, 8.5]);
        }
        assert_eq!(source_time(one), 1_500_000_000);
    }
}
