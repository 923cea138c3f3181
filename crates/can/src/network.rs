//! The buses of a vehicle as one set of messages: each has a name and databases of its own, and messages are numbered through all of them.
//!
//! *Invariant:* positions count through the segments in their order and never change; a frame is looked up in its own segment alone.
//! *Next:* `wiring.rs` (who makes one), `plan` (which compiles against it).

use crate::{CanId, Channel, Databases, MappingError, MappingFault};
use coachwork_dbc::{Database, Match, Message};
use std::sync::Arc;

/// One bus of a vehicle: its name in mappings, and the databases that say what is on it.
///
/// A source of frames (a live bus, a log) carries one bus, or several that its frames name as their channel.
///
/// ```
/// use coachwork_can::Segment;
/// use coachwork_dbc::Database;
/// let drive = Segment::new("drive", Database::parse("BU_: A\nBO_ 1 Speed: 1 A\n")?).on_channel("can0".parse()?);
/// assert_eq!(drive.name(), "drive");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Segment {
    name: Arc<str>,
    channel: Option<Channel>,
    databases: Databases,
}

impl Segment {
    /// The bus that mappings call `name`: everything that its source gives, but for channels that other segments of the source claim.
    pub fn new(name: &str, databases: impl Into<Databases>) -> Self {
        Self { name: name.into(), channel: None, databases: databases.into() }
    }

    /// Only the frames of its source that are on this channel; what is sent is put on it.
    #[must_use]
    pub fn on_channel(mut self, channel: Channel) -> Self {
        self.channel = Some(channel);
        self
    }

    /// Its name in mappings.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The channel of its source, where it is not all of it.
    pub fn channel(&self) -> Option<Channel> {
        self.channel
    }

    /// What is on it.
    pub fn databases(&self) -> &Databases {
        &self.databases
    }
}

/// All segments of a vehicle.
#[derive(Clone, Debug)]
pub(crate) struct Network(Arc<[(Segment, usize)]>);

impl Network {
    /// Numbers the messages of all segments through.
    pub(crate) fn new(segments: impl IntoIterator<Item = Segment>) -> Self {
        let mut first = 0;
        let numbered = segments.into_iter().map(|segment| {
            let begin = first;
            first += segment.databases.message_count();
            (segment, begin)
        });
        Self(numbered.collect())
    }

    /// Checks that every bus has a name of its own.
    pub(crate) fn checked(self, mapping: &str) -> Result<Self, MappingError> {
        let names: Vec<&str> = self.names().collect();
        for (place, name) in names.iter().enumerate() {
            if names.iter().take(place).any(|other| other == name) {
                let fault = MappingFault::Entry(format!("two buses are named {name:?}"));
                return Err(MappingError::whole(mapping, fault));
            }
        }
        Ok(self)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(segment, _)| &*segment.name)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The segment of that name.
    pub(crate) fn segment_named(&self, name: &str) -> Option<usize> {
        self.names().position(|known| known == name)
    }

    pub(crate) fn channel(&self, segment: usize) -> Option<Channel> {
        self.0.get(segment)?.0.channel
    }

    pub(crate) fn message_count(&self) -> usize {
        self.0.iter().map(|(segment, _)| segment.databases.message_count()).sum()
    }

    /// Every message with its position and its segment.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (usize, usize, &Message)> {
        let parts = self.0.iter().enumerate();
        parts.flat_map(|(segment, (part, first))| {
            part.databases.messages().map(move |(place, message)| (first + place, segment, message))
        })
    }

    pub(crate) fn message(&self, position: usize) -> Option<&Message> {
        let (segment, first) = self.part(position)?;
        segment.databases.message(position - first)
    }

    /// The database that a message is in.
    pub(crate) fn database(&self, position: usize) -> Option<&Database> {
        let (segment, first) = self.part(position)?;
        segment.databases.database(position - first)
    }

    /// The position of the message that a frame with this id carries on a segment, and the message.
    #[inline]
    pub(crate) fn find(&self, segment: usize, id: CanId) -> Option<(usize, &Message)> {
        let (segment, first) = self.0.get(segment)?;
        let (place, message) = segment.databases.find(id, Match::Auto)?;
        Some((first + place, message))
    }

    fn part(&self, position: usize) -> Option<(&Segment, usize)> {
        let of = self.0.partition_point(|(_, first)| *first <= position).checked_sub(1)?;
        self.0.get(of).map(|(segment, first)| (segment, *first))
    }
}

impl From<Databases> for Network {
    /// One bus without a name.
    fn from(databases: Databases) -> Self {
        Self::new([Segment::new("", databases)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_through_the_segments_and_a_frame_is_looked_up_in_its_own() {
        let parse = |text: &str| Database::parse(text).unwrap();
        let network = Network::new([
            Segment::new("a", parse("BU_: A\nBO_ 1 One: 1 A\nBO_ 2 Two: 1 A\n")),
            Segment::new("none", parse("VERSION \"\"\nBU_: A\n")),
            Segment::new("b", parse("BU_: A\nBO_ 1 Uno: 1 A\n")),
        ]);
        let id = CanId::standard(1).unwrap();
        let named = |segment| network.find(segment, id).map(|(place, message)| (place, message.name()));
        assert_eq!([0, 1, 2, 3].map(named), [Some((0, "One")), None, Some((2, "Uno")), None]);
        let all: Vec<_> = network.messages().map(|(place, segment, m)| (place, segment, m.name())).collect();
        assert_eq!(all, [(0, 0, "One"), (1, 0, "Two"), (2, 2, "Uno")]);
        assert_eq!(
            [0, 1, 2, 3].map(|p| network.message(p).map(Message::name)),
            [Some("One"), Some("Two"), Some("Uno"), None]
        );
        assert_eq!(network.segment_named("b"), Some(2));
        let twice =
            Network::new([Segment::new("a", parse("BU_: A\n")), Segment::new("a", parse("BU_: A\n"))]);
        assert_eq!(twice.checked("m").unwrap_err().to_string(), "m: two buses are named \"a\"");
    }
}
