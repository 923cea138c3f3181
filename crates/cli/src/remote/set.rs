//! `coachwork set`: asks actuators to move, and says what became of it.
//!
//! *Invariant:* a value is read in its signal's type before anything is sent; all are asked together.
//! *Next:* `print.rs`.

use std::time::Duration;

use clap::Args;
use coachwork_transport::viss::WireValue;
use coachwork_vehicle::{
    Catalogue, DataType, Error, ErrorKind, Key, Outcome, RefusalKind, Request, Set as Terms, Vehicle as _,
};
use serde_json::json;

use super::{Where, refused, seconds, status};
use crate::live::{block_on, failure};
use crate::output::Output;
use crate::{Failure, Format, tell};

/// Ask actuators to move, and wait until they did.
///
/// PATH VALUE for one, PATH=VALUE for any number, which are asked together. An array is given in JSON. Each answer is `confirmed` with the time at which the vehicle
/// said so, `accepted` where it says no more, `refused` with the reason, or `timed out`.
#[derive(Debug, Args)]
#[command(
    visible_aliases = ["actuate", "setValue"],
    after_help = "Examples:\n  coachwork set Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling 60\n  coachwork set Vehicle.Body.Lights.Beam.Low.IsOn=true Vehicle.Body.Lights.IsHighBeamSwitchOn=false\n\nThe exit status is 0 where all were confirmed or accepted, 1 where one makes no sense, 3 where one is refused, 4 where one timed out or nobody answers."
)]
pub(crate) struct Set {
    /// A path and a value, or any number of PATH=VALUE.
    #[arg(value_name = "PATH VALUE", required = true, allow_negative_numbers = true)]
    asked: Vec<String>,
    /// How long it may take until each is confirmed.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    within: Duration,
    /// A name for this request: asked again under it, it is not carried out twice. Of several, each has its place added.
    #[arg(long, value_name = "NAME")]
    once: Option<String>,
    #[command(flatten)]
    at: Where,
}

impl Set {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let asked = self.asked()?;
        block_on(async {
            // Whoever uses the same name is the same client.
            let car = match &self.once {
                None => self.at.connect().await,
                Some(name) => self.at.connect_as(name.bytes().fold(0xcbf2_9ce4_8422_2325, mixed)).await,
            };
            let car = car.map_err(|why| refused(&why))?;
            let catalogue = car.vehicle.catalogue();
            let requests = asked.iter().enumerate().map(|(index, (path, text))| {
                let error = |error: Error| if error.path().is_some() { error } else { error.on_path(path) };
                self.request(&catalogue, index, path, text).map_err(error)
            });
            let requests: Result<Vec<_>, Error> = requests.collect();
            let requests = requests.map_err(|why| refused(&why))?;
            let receipts = car.vehicle.set(requests).await.map_err(|why| refused(&why))?;
            let output = Output::new();
            let mut worst = 0;
            for ((path, _), receipt) in asked.iter().zip(receipts) {
                let outcome = match receipt {
                    Ok(receipt) => Ok(receipt.outcome().await),
                    Err(error) => Err(error),
                };
                worst = worst.max(self.say(&output, path, &outcome)?);
                output.flush()?;
            }
            if worst == 0 { Ok(()) } else { Err(Failure::Status(worst)) }
        })
    }

    /// Each path with its value's text.
    fn asked(&self) -> Result<Vec<(String, String)>, Failure> {
        if let [path, value] = self.asked.as_slice()
            && !path.contains('=')
        {
            return Ok(vec![(path.replace('/', "."), value.clone())]);
        }
        let pair = |text: &String| {
            let (path, value) = text.split_once('=').filter(|(path, _)| !path.is_empty())?;
            Some((path.replace('/', "."), value.to_owned()))
        };
        let each = self
            .asked
            .iter()
            .map(|text| pair(text).ok_or_else(|| failure(format_args!("{text:?} is no PATH=VALUE"))));
        each.collect()
    }

    fn request(&self, catalogue: &Catalogue, index: usize, path: &str, text: &str) -> Result<Request, Error> {
        let signal = catalogue.resolve(path)?;
        let entry = catalogue.entry(signal)?;
        let wire = match entry.data_type() {
            _ if entry.struct_type().is_some() => {
                let json = serde_json::from_str(text).map_err(|why| {
                    Error::new(ErrorKind::WrongType, format!("a struct is written as JSON: {why}"))
                })?;
                structure(json)?
            }
            DataType::Scalar(_) => WireValue::Scalar(text.to_owned()),
            DataType::Array(_) => WireValue::Array(items(text)?.into_iter().map(WireValue::Scalar).collect()),
            _ => return Err(Error::new(ErrorKind::Unsupported, "a value of this type cannot be given here")),
        };
        let terms = Terms::within(self.within);
        let terms = match &self.once {
            None => terms,
            Some(name) => {
                let name =
                    if self.asked.len() > 2 || index > 0 { format!("{name}#{index}") } else { name.clone() };
                terms.keyed(Key::new(&name).map_err(|why| Error::new(ErrorKind::Invalid, why.to_string()))?)
            }
        };
        Ok(Request::new(signal, wire.parse(entry)?).with(terms))
    }

    /// Says what became of one, and gives its exit status.
    fn say(&self, output: &Output, path: &str, outcome: &Result<Outcome, Error>) -> Result<u8, Failure> {
        let (word, detail, status) = match outcome {
            Ok(Outcome::Confirmed(at)) => ("confirmed", Some(("ts", at.to_string())), 0),
            Ok(Outcome::Accepted) => ("accepted", None, 0),
            Ok(Outcome::Refused(why)) => {
                let status = if why.kind() == RefusalKind::Link { 4 } else { 3 };
                ("refused", Some(("reason", why.to_string())), status)
            }
            Ok(Outcome::TimedOut) => ("timed_out", None, 4),
            Ok(Outcome::InDoubt) => ("in_doubt", None, 4),
            Ok(_) => ("unknown", None, 1),
            Err(error) => ("error", Some(("reason", error.message().to_owned())), status(error.kind())),
        };
        if self.at.format == Format::Text && outcome.is_err() {
            tell(format_args!("{path}: {}", detail.map_or_else(String::new, |(_, why)| why)));
            return Ok(status);
        }
        let line = match self.at.format {
            Format::Jsonl => {
                let mut object = json!({ "path": path, "outcome": word });
                if let (Some(object), Some((name, text))) = (object.as_object_mut(), detail) {
                    object.insert(name.to_owned(), text.into());
                }
                object.to_string()
            }
            Format::Text => {
                let word = word.replace('_', " ");
                match detail {
                    Some(("ts", at)) => format!("{path}  {word} at {at}"),
                    Some((_, why)) => format!("{path}  {word}: {why}"),
                    None => format!("{path}  {word}"),
                }
            }
        };
        output.append(|out| {
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        })?;
        Ok(status)
    }
}

/// A byte more in a hash that is the same everywhere (FNV-1a).
fn mixed(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
}

/// A struct, or an array of them, as JSON; how deep it nests, the reader of JSON bounds.
fn structure(json: serde_json::Value) -> Result<WireValue, Error> {
    Ok(match json {
        serde_json::Value::Object(members) => {
            let member = |(name, value)| Ok((name, structure(value)?));
            WireValue::Struct(members.into_iter().map(member).collect::<Result<_, Error>>()?)
        }
        serde_json::Value::Array(items) => {
            WireValue::Array(items.into_iter().map(structure).collect::<Result<_, _>>()?)
        }
        serde_json::Value::String(text) => WireValue::Scalar(text),
        serde_json::Value::Null => return Err(Error::new(ErrorKind::WrongType, "null is no value")),
        other => WireValue::Scalar(other.to_string()),
    })
}

/// The elements of an array in JSON, as texts.
fn items(text: &str) -> Result<Vec<String>, Error> {
    let wrong = || Error::new(ErrorKind::WrongType, "an array is given in JSON, as in [1, 2]");
    let items: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|_| wrong())?;
    let scalar = |item: serde_json::Value| match item {
        serde_json::Value::String(text) => Ok(text),
        serde_json::Value::Number(number) => Ok(number.to_string()),
        serde_json::Value::Bool(truth) => Ok(truth.to_string()),
        _ => Err(wrong()),
    };
    items.into_iter().map(scalar).collect()
}
