//! What a gateway can do, as signals of its own under `Server`, which every peer may read, let in or not.
//!
//! *Invariant:* it says what this gateway does and has; nothing of the vehicle behind it, and nothing about who may come in.
//! *Next:* `calls.rs` (which reads it in place of the vehicle).

use std::sync::Arc;

use coachwork_transport::viss::{Call, Capabilities, Target, Wanted};
use coachwork_vehicle::{
    Catalogue, Clock, DataType, Datapoint, Entry, Error, Facts, MemoryVehicle, ScalarType, Value,
};

use crate::options::Options;

/// The root of the tree, by the standard.
const ROOT: &str = "Server";

/// A way to reach a gateway, which it tells its peers. The standard's names are `ws`, `http`, `mqtt` and `grpc`; others are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Protocol {
    /// Its name.
    pub name: String,
    /// The port, where it is not the one of the standard or there is none.
    pub port: Option<u16>,
    /// The topic of requests, where there is one.
    pub topic: Option<String>,
}

impl Protocol {
    /// A protocol by its name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), port: None, topic: None }
    }

    /// Says on which port.
    #[must_use]
    pub fn on_port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Says under which topic.
    #[must_use]
    pub fn on_topic(self, topic: impl Into<String>) -> Self {
        Self { topic: Some(topic.into()), ..self }
    }
}

/// Whether a request is for the gateway itself.
pub(crate) fn is_meant(call: &Call) -> bool {
    let of = |target: &Target| root_is(target.root());
    match call {
        Call::Capabilities => true,
        Call::Get(target)
        | Call::Metadata { target, .. }
        | Call::History { target, .. }
        | Call::Subscribe(Wanted::Standard { target, .. }) => of(target),
        Call::Set(items) => items.first().is_some_and(|item| root_is(&item.path)),
        _ => false,
    }
}

fn root_is(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// In the words of the standard.
pub(crate) fn of(options: &Options, history: bool) -> Capabilities {
    let mut capabilities = Capabilities::default();
    capabilities.protocols = options.protocols.iter().map(|protocol| protocol.name.clone()).collect();
    let filters = ["timebased", "change", "range", "paths", "metadata"].into_iter();
    capabilities.filters = filters.chain(history.then_some("history")).map(str::to_owned).collect();
    capabilities
}

/// The tree.
pub(crate) fn tree(options: &Options, history: bool, clock: &Arc<dyn Clock>) -> Result<MemoryVehicle, Error> {
    let Capabilities { protocols, filters, .. } = of(options, history);
    let strings =
        |texts: Vec<String>| Value::Array(texts.into_iter().map(|text| Value::Text(text.into())).collect());
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let number = |count: usize| Value::Uint(count as u64);
    let list = DataType::Array(ScalarType::String);
    let mut leaves = vec![
        ("Support.Protocol".to_owned(), list, strings(protocols)),
        ("Support.Filter".to_owned(), list, strings(filters)),
        ("Support.Encoding".to_owned(), list, strings(owned(&["json"]))),
        ("Support.Security".to_owned(), list, strings(owned(&["accesscontrol"]))),
        ("Support.Additions".to_owned(), list, strings(owned(&["coachwork/1", "multi-set"]))),
    ];
    for protocol in &options.protocols {
        let (branch, port) = match protocol.name.as_str() {
            "ws" => ("Websocket".to_owned(), "Primary.PortNum"),
            "http" => ("Http".to_owned(), "Primary.PortNum"),
            "mqtt" => ("Mqtt".to_owned(), "PortNum"),
            "grpc" => ("Grpc".to_owned(), "Protobuf.PortNum"),
            other => (capitalized(other), "Primary.PortNum"),
        };
        let branch = format!("Config.Protocol.{branch}");
        leaves.extend(
            protocol.port.map(|at| (format!("{branch}.{port}"), DataType::UINT32, number(at.into()))),
        );
        let topic = protocol.topic.clone();
        leaves.extend(
            topic.map(|topic| {
                (format!("{branch}.Primary.Topic"), DataType::STRING, Value::Text(topic.into()))
            }),
        );
    }
    let limits = &options.limits;
    for (name, limit) in [
        ("MessageBytes", limits.message),
        ("Depth", limits.depth),
        ("Requests", limits.requests),
        ("Subscriptions", limits.subscriptions),
        ("Paths", limits.paths),
    ] {
        leaves.push((format!("Config.Limits.{name}"), DataType::UINT64, number(limit)));
    }
    // Of two of one name the first is told.
    let mut seen = std::collections::HashSet::new();
    leaves.retain(|(name, ..)| seen.insert(name.clone()));
    let entries = leaves.iter().map(|(name, kind, _)| Entry::attribute(&format!("{ROOT}.{name}"), *kind));
    let unfit = |why: String| Error::new(coachwork_vehicle::ErrorKind::Other, why);
    let catalogue = Catalogue::new(entries, Facts::default()).map_err(|why| unfit(why.to_string()))?;
    let vehicle = MemoryVehicle::new(catalogue, clock.clone());
    let now = clock.now();
    let points =
        leaves.into_iter().map(|(name, _, value)| (format!("{ROOT}.{name}"), Datapoint::valid(value, now)));
    let points: Vec<_> = points.collect();
    let points: Vec<_> = points.iter().map(|(path, point)| (path.as_str(), point.clone())).collect();
    vehicle.publish(&points)?;
    Ok(vehicle)
}

/// A name as a branch of a tree has it.
fn capitalized(name: &str) -> String {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    match name.split_at_checked(1) {
        Some((first, rest)) if !first.starts_with(|c: char| c.is_ascii_digit()) => {
            first.to_ascii_uppercase() + rest
        }
        _ => format!("P{name}"),
    }
}
