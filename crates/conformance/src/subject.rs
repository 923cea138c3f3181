//! What an integrator supplies: the vehicle, and by which means the suite can make something happen to it.
//!
//! *Invariant:* what the vehicle can do is read from its catalogue and facts, never from here; here are only the suite's means.
//! *Next:* `trial.rs` (which uses them), `stage.rs` (on which a subject is built).

use std::fmt;
use std::sync::Arc;

use coachwork_vehicle::{
    Datapoint, Entry, Error, ErrorKind, MemoryVehicle, Permission, Reason, ReasonKind, State, Timestamp,
    Value, Vehicle,
};

/// A vehicle under test.
pub struct Subject {
    pub(crate) vehicle: Arc<dyn Vehicle>,
    pub(crate) reports: Option<Reports>,
    pub(crate) probes: Vec<Probe>,
    pub(crate) actuators: Vec<Probe>,
    pub(crate) rights: Option<Rights>,
    pub(crate) link: Option<Link>,
    pub(crate) dated: Option<Dated>,
    pub(crate) end: Option<End>,
    pub(crate) growth: Option<Growth>,
}

pub(crate) type Reports = Arc<dyn Fn(&[(&str, State)]) -> Result<(), Error> + Send + Sync>;
pub(crate) type Rights = Arc<dyn Fn(&str, Permission) + Send + Sync>;
pub(crate) type Link = Arc<dyn Fn(bool) + Send + Sync>;
pub(crate) type Dated = Arc<dyn Fn(&str, State, Timestamp) -> Result<(), Error> + Send + Sync>;
pub(crate) type Growth = Arc<dyn Fn(Entry) -> Result<(), Error> + Send + Sync>;
pub(crate) type End = Arc<dyn Fn() + Send + Sync>;

/// A signal with values that differ from each other.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) path: String,
    pub(crate) values: Vec<Value>,
}

impl Subject {
    /// A vehicle, with nothing but its own four methods to try it by.
    ///
    /// What it has not been told yet is *never set*, and clauses that need a value skip: where the source takes time to answer, wait for its
    /// first report before the subject is returned.
    pub fn new(vehicle: impl Vehicle) -> Self {
        Self {
            vehicle: Arc::new(vehicle),
            reports: None,
            probes: Vec::new(),
            actuators: Vec::new(),
            rights: None,
            link: None,
            dated: None,
            end: None,
            growth: None,
        }
    }

    /// A [`MemoryVehicle`] with all means.
    pub fn memory(vehicle: MemoryVehicle) -> Self {
        let (reporting, governing) = (vehicle.clone(), vehicle.clone());
        let (dating, ending, growing) = (vehicle.clone(), vehicle.clone(), vehicle.clone());
        let report = move |points: &[(&str, State)]| {
            let now = reporting.board().clock().now();
            let point = |state: &State| Datapoint::new(state.clone(), now);
            let points: Vec<_> = points.iter().map(|(path, state)| (*path, point(state))).collect();
            reporting.publish(&points)
        };
        let govern = move |path: &str, read: Permission| {
            let signal = governing.board().catalogue().id(path);
            governing.board().restrict(|id, now| {
                let mut access = now.clone();
                if Some(id) == signal {
                    access.read = read.clone();
                }
                access
            });
        };
        let date = move |path: &str, state: State, source: Timestamp| {
            let received = dating.board().clock().now();
            dating.publish(&[(path, Datapoint { state, source, received })])
        };
        let end = move || ending.board().end(&Reason::because(ReasonKind::Ended, "taken down"));
        let grow = move |entry: Entry| {
            let grown = growing.board().grow(vec![entry]);
            grown.map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))
        };
        let subject = Self::new(vehicle).with_reports(report).with_rights(govern);
        subject.with_dated_reports(date).with_end(end).with_growth(grow)
    }

    /// How to make the source behind the vehicle report states, as one batch. A state that the source has no way to say is an `Err`: what
    /// needs it is skipped.
    #[must_use]
    pub fn with_reports(
        self,
        report: impl Fn(&[(&str, State)]) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        Self { reports: Some(Arc::new(report)), ..self }
    }

    /// Names a signal that the source can be made to report, and values that it can have, at least three that differ. Without any, signals
    /// and values are chosen from the catalogue. Where the catalogue does not have the path, every clause fails and says so.
    #[must_use]
    pub fn with_probe(mut self, path: &str, values: impl IntoIterator<Item = Value>) -> Self {
        self.probes.push(Probe { path: path.to_owned(), values: values.into_iter().collect() });
        self
    }

    /// Names an actuator that moves when asked, and at least two values that it can take. Without any, it is chosen from the catalogue. Where
    /// the catalogue does not have the path, every clause fails and says so.
    #[must_use]
    pub fn with_actuator(mut self, path: &str, values: impl IntoIterator<Item = Value>) -> Self {
        self.actuators.push(Probe { path: path.to_owned(), values: values.into_iter().collect() });
        self
    }

    /// How to change the right to read a signal.
    #[must_use]
    pub fn with_rights(self, govern: impl Fn(&str, Permission) + Send + Sync + 'static) -> Self {
        Self { rights: Some(Arc::new(govern)), ..self }
    }

    /// How to cut the link behind the vehicle (`false`) and mend it (`true`).
    #[must_use]
    pub fn with_link(self, switch: impl Fn(bool) + Send + Sync + 'static) -> Self {
        Self { link: Some(Arc::new(switch)), ..self }
    }

    /// How to make the source report now a state that it saw at an earlier time.
    #[must_use]
    pub fn with_dated_reports(
        self,
        report: impl Fn(&str, State, Timestamp) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        Self { dated: Some(Arc::new(report)), ..self }
    }

    /// How to add a signal to the vehicle's tree.
    #[must_use]
    pub fn with_growth(self, grow: impl Fn(Entry) -> Result<(), Error> + Send + Sync + 'static) -> Self {
        Self { growth: Some(Arc::new(grow)), ..self }
    }

    /// How to end the vehicle for good: its source is exhausted, or it is taken down.
    #[must_use]
    pub fn with_end(self, end: impl Fn() + Send + Sync + 'static) -> Self {
        Self { end: Some(Arc::new(end)), ..self }
    }

    /// The vehicle.
    pub fn vehicle(&self) -> &Arc<dyn Vehicle> {
        &self.vehicle
    }

    /// The same means over another vehicle: a wrapper of this one, or its far end.
    #[must_use]
    pub fn over(self, vehicle: impl Vehicle) -> Self {
        Self { vehicle: Arc::new(vehicle), ..self }
    }

    /// The same in a `Box`.
    #[must_use]
    pub fn boxed(self) -> Self {
        let vehicle: Box<dyn Vehicle> = Box::new(self.vehicle.clone());
        self.over(vehicle)
    }

    /// The same in an `Arc`.
    #[must_use]
    pub fn in_arc(self) -> Self {
        let vehicle = Arc::new(self.vehicle.clone());
        self.over(vehicle)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({})", self.vehicle)
    }
}
