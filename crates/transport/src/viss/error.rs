//! The vehicle's errors in the words of VISS, and back.
//!
//! *Invariant:* with additional members an error keeps its kind and path; without them, it keeps what VISS's table can say.
//! *Next:* `answer.rs` and `event.rs` (which carry them).

use coachwork_vehicle::{Error, ErrorKind, Operation};
use serde::Deserialize;

use super::dialect::{Dialect, Form};
use super::json::Json;
use super::object::object;
use super::value::Text;

/// An error of a message. The texts of both dialects are read, whichever the peer speaks.
#[derive(Debug, Default, Deserialize)]
#[serde(default, remote = "Self", expecting = "an object")]
pub(crate) struct RawError<'a> {
    #[serde(borrow)]
    number: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow, alias = "message")]
    description: Option<Text<'a>>,
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    path: Option<Text<'a>>,
}

object!(RawError);

/// The kinds by their names on the wire.
const KINDS: [(&str, ErrorKind); 14] = [
    ("invalid", ErrorKind::Invalid),
    ("unknown_signal", ErrorKind::UnknownSignal),
    ("wrong_catalogue", ErrorKind::WrongCatalogue),
    ("wrong_type", ErrorKind::WrongType),
    ("out_of_range", ErrorKind::OutOfRange),
    ("not_actuator", ErrorKind::NotActuator),
    ("denied", ErrorKind::Denied),
    ("unsupported", ErrorKind::Unsupported),
    ("unavailable", ErrorKind::Unavailable),
    ("timeout", ErrorKind::Timeout),
    ("conflict", ErrorKind::Conflict),
    ("limit", ErrorKind::Limit),
    ("protocol", ErrorKind::Protocol),
    ("other", ErrorKind::Other),
];

/// Number and reason of an error, from the table of the form.
pub(crate) fn status(error: &Error, form: Form) -> (u16, &'static str) {
    let dialect = form.dialect;
    let three = match error.kind() {
        // A feature that is no capability of this server; version 2 has no row for that.
        ErrorKind::Unsupported if dialect == Dialect::V3 => (404, "unavailable_data"),
        ErrorKind::Invalid | ErrorKind::Unsupported => (400, "bad_request"),
        ErrorKind::WrongType | ErrorKind::OutOfRange | ErrorKind::NotActuator | ErrorKind::Conflict => {
            (400, "invalid_data")
        }
        ErrorKind::Denied if error.operation() == Some(Operation::Admit) => (401, "invalid_token"),
        // Version 3 has one row for everything that access control denies. A peer with additional members is told that its token is as it
        // should be, and version 2 has no row that says it.
        ErrorKind::Denied if dialect == Dialect::V3 && !form.additions => (401, "invalid_token"),
        ErrorKind::Denied => (403, "forbidden_request"),
        ErrorKind::UnknownSignal => (404, "unavailable_data"),
        ErrorKind::Limit => (429, "too_many_requests"),
        ErrorKind::Protocol => (502, "bad_gateway"),
        ErrorKind::Timeout => (504, "gateway_timeout"),
        _ => (503, "service_unavailable"),
    };
    match (dialect, three.0) {
        // Version 2 has fewer rows.
        (Dialect::V2, 429 | 502 | 504) => (503, "service_unavailable"),
        _ => three,
    }
}

/// Writes the value of an `error` member.
pub(crate) fn write_error(json: &mut Json, error: &Error, form: Form) {
    write_error_as(json, error, form, status(error, form));
}

/// The same in the words of a row of the table that the error alone does not tell.
pub(crate) fn write_error_as(
    json: &mut Json,
    error: &Error,
    form: Form,
    (number, reason): (u16, &'static str),
) {
    json.open(b'{').key("number");
    let text_key = match form.dialect {
        Dialect::V2 => {
            json.number(number);
            "message"
        }
        Dialect::V3 => {
            json.plain(number);
            "description"
        }
    };
    json.member("reason", reason);
    match error.path() {
        Some(path) if !form.additions => json.member(text_key, &format!("{path}: {}", error.message())),
        _ => json.member(text_key, error.message()),
    };
    if form.additions {
        let kind = KINDS.iter().find(|(_, kind)| *kind == error.kind()).map_or("other", |(name, _)| name);
        json.member("kind", kind);
        if let Some(path) = error.path() {
            json.member("path", path);
        }
    }
    json.close(b'}');
}

impl RawError<'_> {
    /// The error as the vehicle boundary has it.
    pub(crate) fn into_error(self) -> Error {
        let text =
            |text: Option<Text<'_>>| text.map(|text| text.0.into_owned()).filter(|text| !text.is_empty());
        let reason = text(self.reason).unwrap_or_default();
        let named = self.kind.and_then(|name| KINDS.iter().find(|(known, _)| *known == name.0));
        let number = self.number.and_then(|number| number.0.parse::<u16>().ok());
        let kind = named.map_or_else(|| kind_of(number, &reason), |(_, kind)| *kind);
        let message = text(self.description)
            .or_else(|| (!reason.is_empty()).then(|| reason.replace('_', " ")))
            .or_else(|| number.map(|number| format!("error {number}")))
            .unwrap_or_else(|| "an error without a description".to_owned());
        let error = Error::new(kind, message);
        let error = if ["invalid_token", "expired_token", "missing_token"].contains(&reason.as_str()) {
            error.during(Operation::Admit)
        } else {
            error
        };
        match self.path {
            Some(path) => error.on_path(&path.0),
            None => error,
        }
    }
}

fn kind_of(number: Option<u16>, reason: &str) -> ErrorKind {
    match (number, reason) {
        (Some(400), "invalid_data") => ErrorKind::WrongType,
        (_, "read_only") => ErrorKind::NotActuator,
        (Some(401 | 403), _) => ErrorKind::Denied,
        (Some(404), _) => ErrorKind::UnknownSignal,
        (Some(408 | 504), _) => ErrorKind::Timeout,
        (Some(429), _) => ErrorKind::Limit,
        (Some(400..=499), _) => ErrorKind::Invalid,
        (Some(500..=599), _) => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(error: &Error, form: Form) -> String {
        let mut json = Json::new();
        write_error(&mut json, error, form);
        String::from_utf8(json.finish().to_vec()).unwrap()
    }

    #[test]
    fn each_dialect_has_its_table() {
        let denied = Error::new(ErrorKind::Denied, "not in your plan").on_path("Vehicle.Speed");
        assert_eq!(
            written(&denied, Form::pure(Dialect::V3)),
            r#"{"number":"401","reason":"invalid_token","description":"Vehicle.Speed: not in your plan"}"#
        );
        assert_eq!(
            written(&denied, Form::pure(Dialect::V2)),
            r#"{"number":403,"reason":"forbidden_request","message":"Vehicle.Speed: not in your plan"}"#
        );
    }

    #[test]
    fn with_additions_the_kind_and_the_path_survive() {
        for (name, kind) in KINDS {
            for dialect in [Dialect::V2, Dialect::V3] {
                let error = Error::new(kind, name).on_path("Vehicle.Speed");
                let text = written(&error, Form::with_additions(dialect));
                let back = serde_json::from_str::<RawError<'_>>(&text).unwrap().into_error();
                assert_eq!((back.kind(), back.message(), back.path()), (kind, name, error.path()));
            }
        }
    }

    #[test]
    fn errors_of_other_servers_are_understood() {
        for (text, kind) in [
            (r#"{"number":404,"reason":"invalid_path","message":"x"}"#, ErrorKind::UnknownSignal),
            (r#"{"number":401,"reason":"read_only","message":"x"}"#, ErrorKind::NotActuator),
            (r#"{"number":"401","reason":"expired_token","description":"x"}"#, ErrorKind::Denied),
            (r#"{"number":"408","reason":"request_timeout"}"#, ErrorKind::Timeout),
            (r#"{"number":"599"}"#, ErrorKind::Unavailable),
            (r#"{"number":"7777777777"}"#, ErrorKind::Other),
            ("{}", ErrorKind::Other),
        ] {
            let error = serde_json::from_str::<RawError<'_>>(text).unwrap().into_error();
            assert_eq!(error.kind(), kind, "{text}");
            assert!(!error.message().is_empty());
        }
    }
}
