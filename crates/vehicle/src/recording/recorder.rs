//! The events of a subscription become lines of a recording.
//!
//! *Invariant:* the first lines say what the signals are; points of one event stand together under its time; what is missing is said where it
//! is missing; a recording that was finished ends with `end`.
//! *Next:* `line.rs` (how a state is written), `recorded.rs` (the way back).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;

use super::{MAGIC, MAX_LINE, MAX_SIGNALS, line};
use crate::catalogue::{Catalogue, Permission, SignalId, TimeBase};
use crate::datapoint::{Reason, State};
use crate::structs::StructType;
use crate::subscription::{Event, Subscription};
use crate::time::Timestamp;

/// Writes down what a vehicle says, for a [`Recorded`](crate::Recorded) to say it again.
///
/// A recording is UTF-8 text. Its lines:
///
/// | line | says |
/// |---|---|
/// | `coachwork-recording 1 utc` | what it is; `unknown` where times do not count from 1970 |
/// | `struct⇥path` | a struct type, before whatever is of it |
/// | `property⇥name⇥type⇥unit=…⇥min=…⇥max=…⇥allowed=…⇥step=…⇥default=…` | its properties, in their order; the last six where they are known |
/// | `signal⇥path⇥kind⇥type⇥unit=…⇥min=…⇥max=…⇥allowed=…⇥step=…` | the signals, numbered from 0; the last five where they are known |
/// | `@nanoseconds` | when what follows was said |
/// | `number⇥state⇥source⇥received` | a datapoint; its times where they are not the line above's |
/// | `lost⇥count` | that many datapoints are missing here |
/// | `end⇥reason` | it is complete |
///
/// A state is `=value`, `~value` (stale), `-` (never set), `?kind text` (not available) or `!kind text` (error). In texts, `\t` `\n` `\r` `\c` (a comma)
/// and `\\` are escaped; each element of an array ends with a comma. A struct is `{}` with its properties' values in their order, each ending with a
/// semicolon; in its texts, `\s` is a semicolon.
///
/// ```
/// use coachwork_vehicle::{Catalogue, DataType, Datapoint, Entry, Facts, ManualClock, MemoryVehicle, Recorder, Subscribe, Timestamp, Vehicle};
/// use std::sync::Arc;
///
/// # futures::executor::block_on(async {
/// let speed = Entry::sensor("Vehicle.Speed", DataType::FLOAT).with_unit("km/h");
/// let car = MemoryVehicle::new(Catalogue::new([speed], Facts::default())?, Arc::new(ManualClock::default()));
/// let mut watch = car.subscribe(Subscribe::to(car.catalogue().ids()).queue(64)).await?;
/// let mut recorder = Recorder::new(Vec::new(), &watch)?;
/// let at = Timestamp::from_seconds(1);
/// car.publish(&[("Vehicle.Speed", Datapoint::valid(50.5_f32, at))])?;
/// for _ in 0..2 {
///     recorder.write(at, &watch.next().await.ok_or("it has ended")?)?;
/// }
/// let text = recorder.end("switched off")?;
/// assert_eq!(
///     String::from_utf8(text)?,
///     "coachwork-recording 1 utc\nsignal\tVehicle.Speed\tsensor\tfloat\tunit=km/h\n@1000000000\n0\t-\t0\n@1000000000\n0\t=50.5\nend\tswitched off\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Recorder<W> {
    out: W,
    /// By row of the catalogue: the number in the recording.
    numbers: Vec<Option<u32>>,
    catalogue: Arc<Catalogue>,
    line: String,
}

impl<W: Write> Recorder<W> {
    /// Begins a recording of what a subscription covers: writes what the signals are.
    ///
    /// # Errors
    /// Writing fails, there are more than 65,536 signals, or two struct types of one path differ.
    pub fn new(out: W, subscription: &Subscription) -> io::Result<Self> {
        let catalogue = subscription.catalogue().clone();
        let granted = subscription.granted();
        if granted.len() > MAX_SIGNALS {
            let message = format!("a recording has at most {MAX_SIGNALS} signals");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let mut types = Types::default();
        for of in granted.iter().filter_map(|id| catalogue.entry(*id).ok()?.struct_type()) {
            types.note(of)?;
        }
        let mut text = String::new();
        types.order.iter().for_each(|of| line::write_struct(&mut text, of));
        let mut recorder = Self { out, numbers: vec![None; catalogue.len()], catalogue, line: String::new() };
        let time = match recorder.catalogue.facts().time {
            TimeBase::Utc => "utc",
            TimeBase::Unknown => "unknown",
        };
        let _ = writeln!(recorder.line, "{MAGIC} {time}");
        recorder.line.push_str(&text);
        for (number, id) in (0_u32..).zip(granted) {
            let Ok(entry) = recorder.catalogue.entry(*id) else { continue };
            line::write_entry(&mut recorder.line, entry);
            recorder.line.push('\n');
            if let Some(slot) = recorder.numbers.get_mut(id.index()) {
                *slot = Some(number);
            }
        }
        recorder.flush_line()?;
        Ok(recorder)
    }

    /// Writes an event that was told at `now`; how many datapoints that was.
    ///
    /// # Errors
    /// Writing fails, or a text is longer than a line may be.
    pub fn write(&mut self, now: Timestamp, event: &Event) -> io::Result<u64> {
        let _ = writeln!(self.line, "@{}", now.nanoseconds());
        let mut count = 0;
        match event {
            Event::Changed(points) => {
                for (id, point) in points.iter() {
                    count += u64::from(self.point(id, &point.state, (point.source, point.received), now)?);
                }
            }
            Event::Access(changes) => {
                // What may be read again follows with its value.
                for (id, permission) in changes {
                    let reason = match permission {
                        Permission::Yes => continue,
                        Permission::No => Reason::new(crate::datapoint::ReasonKind::Denied),
                        Permission::Denied(reason) => reason.clone(),
                    };
                    count += u64::from(self.point(*id, &State::NotAvailable(reason), (now, now), now)?);
                }
            }
            Event::Lagged(lost) => {
                let _ = writeln!(self.line, "lost\t{lost}");
            }
            Event::Ended(_) => self.line.clear(),
        }
        self.flush_line()?;
        Ok(count)
    }

    /// Ends the recording: what is read later knows that it is whole.
    ///
    /// # Errors
    /// Writing fails.
    pub fn end(mut self, reason: &str) -> io::Result<W> {
        self.line.push_str("end\t");
        line::escape(&mut self.line, reason);
        self.line.push('\n');
        self.flush_line()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn point(
        &mut self,
        id: SignalId,
        state: &State,
        (source, received): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> io::Result<bool> {
        let known = self.catalogue.row(id).ok().and_then(|row| *self.numbers.get(row)?);
        // A subscription tells nothing of signals that it does not cover.
        let Some(number) = known else { return Ok(false) };
        let before = self.line.len();
        let _ = write!(self.line, "{number}\t");
        line::write_state(&mut self.line, state);
        if source != now || received != now {
            let _ = write!(self.line, "\t{}", source.nanoseconds());
        }
        if received != source {
            let _ = write!(self.line, "\t{}", received.nanoseconds());
        }
        self.line.push('\n');
        if self.line.len() - before > MAX_LINE {
            let message = format!("a state of more than {MAX_LINE} bytes cannot be recorded");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(true)
    }

    fn flush_line(&mut self) -> io::Result<()> {
        let written = self.out.write_all(self.line.as_bytes());
        self.line.clear();
        written
    }
}

/// The struct types of the signals, each after those of its properties.
#[derive(Default)]
struct Types<'c> {
    known: HashMap<&'c str, &'c Arc<StructType>>,
    order: Vec<&'c Arc<StructType>>,
}

impl<'c> Types<'c> {
    /// How deep types nest is bounded, and a type that is known is not walked again.
    fn note(&mut self, of: &'c Arc<StructType>) -> io::Result<()> {
        if let Some(known) = self.known.get(of.path().as_str()) {
            if Arc::ptr_eq(known, of) || *known == of {
                return Ok(());
            }
            let message = format!("there are two different structs {}", of.path());
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        self.known.insert(of.path().as_str(), of);
        for part in of.properties().iter().filter_map(crate::Entry::struct_type) {
            self.note(part)?;
        }
        self.order.push(of);
        Ok(())
    }
}
