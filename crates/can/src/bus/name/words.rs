//! A text, or the environment, becomes words: an interface, a channel, options by their names.
//!
//! *Invariant:* each option is taken out by the one interface that knows it; what is left over at the end is an error.
//! *Next:* `mod.rs`, which makes names of the words.

use super::BusNameError;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

pub(super) const SOCKETCAN: &str = "socketcan";
pub(super) const SOCKETCAND: &str = "socketcand";
pub(super) const SLCAN: &str = "slcan";
pub(super) const VIRTUAL: &str = "virtual";

/// Interfaces that python-can 4.6 has besides.
const OTHERS: [&str; 19] = [
    "canalystii",
    "cantact",
    "etas",
    "gs_usb",
    "iscan",
    "ixxat",
    "kvaser",
    "neousys",
    "neovi",
    "nican",
    "nixnet",
    "pcan",
    "robotell",
    "seeedstudio",
    "serial",
    "systec",
    "udp_multicast",
    "usb2can",
    "vector",
];

/// What a name consists of.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) interface: &'static str,
    pub(super) channel: Option<String>,
    pub(super) options: Options,
}

/// The options that nobody has taken yet.
#[derive(Debug)]
pub(super) struct Options {
    interface: &'static str,
    values: BTreeMap<String, String>,
    /// Options that came from the environment, and are for whoever needs them.
    offered: Vec<&'static str>,
}

impl Words {
    /// Reads a whole name.
    pub(super) fn parse(name: &str) -> Result<Self, BusNameError> {
        let no_interface = || BusNameError::NoInterface(name.to_owned());
        let (interface, rest) = name.split_once(':').ok_or_else(no_interface)?;
        let (channel, values) = channel_and_options(rest)?;
        let interface = known(interface)?;
        Ok(Self { interface, channel, options: Options { interface, values, offered: Vec::new() } })
    }

    /// Completes what was given by the environment.
    pub(super) fn resolve(
        given: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, BusNameError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let given = given.filter(|text| !text.is_empty());
        // A whole name begins with an interface; else it is a channel, which may have a colon in it.
        if let Some(name) = given
            && let Some((word, _)) = name.split_once(':')
            && (known(word).is_ok() || set("CAN_INTERFACE").is_none())
        {
            let mut words = Self::parse(name)?;
            words.offer_bitrate(set("CAN_BITRATE"));
            return Ok(words);
        }
        let mut config = config(set("CAN_CONFIG"))?;
        let (mut from_config, mut channel) = (config.remove("interface"), config.remove("channel"));
        // What is deprecated in python-can means the same.
        from_config = from_config.or(config.remove("bustype"));
        let Some(word) = set("CAN_INTERFACE").or(from_config) else {
            return Err(
                given.map_or(BusNameError::Nothing, |name| BusNameError::NoInterface(name.to_owned()))
            );
        };
        let interface = known(&word)?;
        if let Some(text) = given.map(str::to_owned).or_else(|| set("CAN_CHANNEL")) {
            let (own, options) = channel_and_options(&text)?;
            channel = own.or(channel);
            config.extend(options);
        }
        let options = Options { interface, values: config, offered: Vec::new() };
        let mut words = Self { interface, channel, options };
        words.offer_bitrate(set("CAN_BITRATE"));
        Ok(words)
    }

    /// The bit rate of the environment, for interfaces that set one.
    fn offer_bitrate(&mut self, bitrate: Option<String>) {
        if let Some(bitrate) = bitrate
            && !self.options.has("btr")
            && !self.options.has("bitrate")
        {
            self.options.values.insert("bitrate".to_owned(), bitrate);
            self.options.offered.push("bitrate");
        }
    }
}

impl Options {
    /// An option of the environment is not for this interface.
    pub(super) fn does_not_need(&mut self, word: &str) {
        if self.offered.contains(&word) {
            self.values.remove(word);
        }
    }

    pub(super) fn has(&self, word: &str) -> bool {
        self.values.contains_key(word)
    }

    pub(super) fn text(&mut self, word: &str) -> Option<String> {
        self.values.remove(word)
    }

    /// `true` or `1`, `false` or `0`.
    pub(super) fn flag(&mut self, word: &str) -> Result<Option<bool>, BusNameError> {
        self.taken(word, "true or false", |value| match value.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
    }

    pub(super) fn number(
        &mut self,
        word: &str,
        range: RangeInclusive<u32>,
        expected: &'static str,
    ) -> Result<Option<u32>, BusNameError> {
        self.taken(word, expected, |value| value.parse().ok().filter(|number| range.contains(number)))
    }

    pub(super) fn choice(
        &mut self,
        word: &str,
        among: &[u32],
        expected: &'static str,
    ) -> Result<Option<u32>, BusNameError> {
        self.taken(word, expected, |value| value.parse().ok().filter(|number| among.contains(number)))
    }

    pub(super) fn hexadecimal(&mut self, word: &str) -> Result<Option<u16>, BusNameError> {
        self.taken(word, "four hexadecimal digits: BTR0 and BTR1", |value| {
            let is_hex = value.len() == 4 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
            u16::from_str_radix(value, 16).ok().filter(|_| is_hex)
        })
    }

    /// Seconds, at most an hour of them.
    pub(super) fn seconds(&mut self, word: &str) -> Result<Option<Duration>, BusNameError> {
        self.taken(word, "seconds: 0 to 3600", |value| {
            let seconds = value.parse::<f64>().ok().filter(|seconds| (0.0..=3600.0).contains(seconds))?;
            Duration::try_from_secs_f64(seconds).ok()
        })
    }

    fn taken<T>(
        &mut self,
        word: &str,
        expected: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, BusNameError> {
        let Some(value) = self.values.remove(word) else { return Ok(None) };
        match read(&value) {
            Some(read) => Ok(Some(read)),
            None => Err(BusNameError::BadValue { option: word.to_owned(), value, expected }),
        }
    }

    /// Nothing may be left.
    pub(super) fn end(mut self) -> Result<(), BusNameError> {
        for offered in std::mem::take(&mut self.offered) {
            self.values.remove(offered);
        }
        match self.values.into_keys().next() {
            Some(option) => Err(BusNameError::UnknownOption { interface: self.interface, option }),
            None => Ok(()),
        }
    }
}

/// A host and perhaps a port: `host`, `host:port`, `[::1]:port`.
pub(super) fn address(text: &str) -> Option<(&str, Option<u16>)> {
    let is_host = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/[]?@".contains(&byte))
    };
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0);
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        let port = match after.strip_prefix(':') {
            Some(digits) => Some(port(digits)?),
            None if after.is_empty() => None,
            None => return None,
        };
        return is_host(host).then_some((host, port));
    }
    match text.split_once(':') {
        None => is_host(text).then_some((text, None)),
        // More colons are an IPv6 address, which needs brackets.
        Some((host, digits)) => is_host(host).then_some((host, Some(port(digits)?))),
    }
}

/// The interface of this word.
fn known(word: &str) -> Result<&'static str, BusNameError> {
    let ours = [SOCKETCAN, SOCKETCAND, SLCAN, VIRTUAL].into_iter().find(|known| *known == word);
    ours.ok_or_else(|| {
        let is_other = OTHERS.contains(&word);
        let make = if is_other { BusNameError::OtherInterface } else { BusNameError::UnknownInterface };
        make(word.to_owned())
    })
}

type Channel = (Option<String>, BTreeMap<String, String>);

fn channel_and_options(text: &str) -> Result<Channel, BusNameError> {
    let (channel, query) = match text.split_once('?') {
        Some((channel, query)) => (channel, Some(query)),
        None => (text, None),
    };
    let mut options = BTreeMap::new();
    for option in query.into_iter().flat_map(|query| query.split('&')).filter(|option| !option.is_empty()) {
        let (word, value) = option.split_once('=').ok_or_else(|| BusNameError::NoValue(option.to_owned()))?;
        if options.insert(word.to_owned(), value.to_owned()).is_some() {
            return Err(BusNameError::Repeated(word.to_owned()));
        }
    }
    Ok((Some(channel.to_owned()).filter(|channel| !channel.is_empty()), options))
}

/// What `CAN_CONFIG` says.
fn config(json: Option<String>) -> Result<BTreeMap<String, String>, BusNameError> {
    use serde_json::Value;
    let Some(json) = json else { return Ok(BTreeMap::new()) };
    let bad = |why: String| BusNameError::BadConfig(why);
    let object: serde_json::Map<String, Value> =
        serde_json::from_str(&json).map_err(|why| bad(why.to_string()))?;
    let mut options = BTreeMap::new();
    for (word, value) in object {
        let text = match value {
            Value::String(text) => text,
            Value::Bool(is) => is.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) => return Err(bad(format!("`{word}` is neither"))),
        };
        options.insert(word, text);
    }
    Ok(options)
}
