//! A URL becomes a broker and a vehicle: `mqtts://broker.example:8883/VEHICLE`.
//!
//! *Invariant:* a URL with a user in it is refused, for it would be shown; what is shown of it has no vehicle, whose name may be its VIN.
//! *Next:* `link.rs` (which connects), `topic.rs` (what becomes of the vehicle's name).

use std::sync::Arc;

use coachwork_tokio::stream::Authority;

use crate::topic::is_vehicle;

/// Why a text is no URL of a vehicle at a broker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no URL of a vehicle at a broker, such as mqtts://broker:8883/VEHICLE: {what}")]
pub struct UrlError {
    what: &'static str,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) is_secure: bool,
    pub(crate) to: Authority,
    pub(crate) vehicle: String,
    /// Without the vehicle.
    pub(crate) shown: Arc<str>,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        let wrong = |what| UrlError { what };
        if text.len() > 2000 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("it has a character that is not allowed, or too many"));
        }
        let (scheme, rest) =
            text.split_once("://").ok_or(wrong("it does not begin with mqtt:// or mqtts://"))?;
        let (is_secure, usual) = match scheme.to_ascii_lowercase().as_str() {
            "mqtt" => (false, 1883),
            "mqtts" => (true, 8883),
            _ => return Err(wrong("it does not begin with mqtt:// or mqtts://")),
        };
        let (authority, vehicle) = rest.split_once('/').ok_or(wrong("it names no vehicle"))?;
        if authority.contains('@') {
            return Err(wrong("a user has no place in it: see signed_in"));
        }
        if !is_vehicle(vehicle) {
            return Err(wrong("a vehicle's name has letters, digits, '.', '_', '-' and ':', at most 128"));
        }
        let to = Authority::parse(authority, Some(usual)).map_err(|why| wrong(why.what()))?;
        let shown = format!("{}://{authority}", if is_secure { "mqtts" } else { "mqtt" }).into();
        Ok(Self { is_secure, to, vehicle: vehicle.to_owned(), shown })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_url() {
        let parts = |text| {
            let url = Url::parse(text).unwrap();
            (url.is_secure, url.to.host().to_owned(), url.to.port(), url.vehicle)
        };
        let is =
            |secure, host: &str, port, vehicle: &str| (secure, host.to_owned(), port, vehicle.to_owned());
        assert_eq!(parts("mqtts://b.example/CAR1"), is(true, "b.example", 8883, "CAR1"));
        assert_eq!(parts("MQTT://127.0.0.1:1884/c-1"), is(false, "127.0.0.1", 1884, "c-1"));
        assert_eq!(parts("mqtt://[::1]/c"), is(false, "::1", 1883, "c"));
        assert_eq!(parts("mqtt://b//CAR1"), is(false, "b", 1883, "/CAR1"));
        assert_eq!(&*Url::parse("mqtts://b:1/SECRETVIN").unwrap().shown, "mqtts://b:1");
    }

    #[test]
    fn what_is_no_url_is_refused_without_being_shown() {
        for bad in [
            "",
            "b/VIN",
            "http://b/VIN",
            "mqtt://b",
            "mqtt://b/",
            "mqtt:///VIN",
            "mqtt://u:p@b/VIN",
            "mqtt://b:0/VIN",
            "mqtt://b:+1/VIN",
            "mqtt://[::1/VIN",
            "mqtt://[b]/VIN",
            "mqtt://[::1]x/VIN",
            "mqtt://b/VIN/x",
            "mqtt://b/VIN#",
            "mqtt://b/+",
            "mqtt://b c/VIN",
            "mqtt://b\n/VIN",
            "mqtt://b?/VIN",
        ] {
            let error = Url::parse(bad).err().unwrap_or_else(|| panic!("{bad}"));
            assert!(!error.to_string().contains("VIN"), "{error}");
        }
    }
}
