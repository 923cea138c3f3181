//! JSON with its numbers as they are spelled, so that none is rounded on the way.

use std::ops::Index;

#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub fn parse(text: &str) -> Self {
        let mut rest = text;
        let value = Self::value(&mut rest);
        assert!(rest.trim().is_empty(), "more text: {rest}");
        value
    }

    fn value(rest: &mut &str) -> Self {
        *rest = rest.trim_start();
        let first = rest.chars().next().expect("a value");
        match first {
            '{' => {
                let mut entries = Vec::new();
                Self::list(rest, '}', |rest| {
                    let Self::Text(key) = Self::value(rest) else { panic!("a key is a text") };
                    *rest = rest.trim_start().strip_prefix(':').expect("a colon");
                    entries.push((key, Self::value(rest)));
                });
                Self::Object(entries)
            }
            '[' => {
                let mut values = Vec::new();
                Self::list(rest, ']', |rest| values.push(Self::value(rest)));
                Self::List(values)
            }
            '"' => Self::text(rest),
            _ => {
                let end = rest.find([',', ']', '}', ' ']).unwrap_or(rest.len());
                let (word, tail) = rest.split_at(end);
                *rest = tail;
                match word {
                    "null" => Self::Null,
                    "true" => Self::Bool(true),
                    "false" => Self::Bool(false),
                    number => Self::Number(number.to_owned()),
                }
            }
        }
    }

    fn list(rest: &mut &str, end: char, mut item: impl FnMut(&mut &str)) {
        *rest = &rest[1..];
        loop {
            *rest = rest.trim_start();
            if let Some(tail) = rest.strip_prefix(end) {
                *rest = tail;
                return;
            }
            item(rest);
            *rest = rest.trim_start();
            *rest = rest.strip_prefix(',').unwrap_or(rest);
        }
    }

    fn text(rest: &mut &str) -> Self {
        let mut text = String::new();
        let mut chars = rest.char_indices().skip(1);
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    *rest = &rest[at + 1..];
                    return Self::Text(text);
                }
                '\\' => match chars.next().expect("an escape").1 {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    'b' => text.push('\u{8}'),
                    'f' => text.push('\u{C}'),
                    'u' => {
                        let hex: String = chars.by_ref().take(4).map(|entry| entry.1).collect();
                        text.push(
                            char::from_u32(u32::from_str_radix(&hex, 16).unwrap())
                                .expect("no surrogates here"),
                        );
                    }
                    other => text.push(other),
                },
                other => text.push(other),
            }
        }
        panic!("a text without end");
    }

    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    pub fn as_array(&self) -> Option<&[Json]> {
        if let Self::List(values) = self { Some(values) } else { None }
    }

    pub fn as_object(&self) -> Option<&[(String, Json)]> {
        if let Self::Object(entries) = self { Some(entries) } else { None }
    }

    pub fn as_i128(&self) -> Option<i128> {
        if let Self::Number(text) = self { text.parse().ok() } else { None }
    }

    pub fn as_u64(&self) -> Option<u64> {
        if let Self::Number(text) = self { text.parse().ok() } else { None }
    }

    /// Numbers, and the texts that stand for those that JSON does not have.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            Self::Text(text) => match text.as_str() {
                "NaN" => Some(f64::NAN),
                "Infinity" => Some(f64::INFINITY),
                "-Infinity" => Some(f64::NEG_INFINITY),
                other => panic!("{other} is no number"),
            },
            _ => None,
        }
    }
}

impl std::fmt::Display for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(text) | Self::Text(text) => f.write_str(text),
            other => write!(f, "{other:?}"),
        }
    }
}

impl Index<&str> for Json {
    type Output = Json;

    fn index(&self, key: &str) -> &Json {
        self.as_object()
            .and_then(|entries| entries.iter().find(|entry| entry.0 == key))
            .map_or(&Json::Null, |entry| &entry.1)
    }
}
