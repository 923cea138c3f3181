//! The databases of a bus, as one: messages found by id in the first database that has them, and by a number of their own.
//!
//! *Invariant:* positions count through the databases in their order, and never change.
//! *Next:* `plan`, which compiles against these.

use crate::CanId;
use coachwork_dbc::{Database, Match, Message};
use std::fmt;
use std::sync::Arc;

/// The databases of one bus. Where several have a message of the same identifier, the first speaks for it. Clones are cheap.
///
/// ```
/// use coachwork_can::Databases;
/// use coachwork_dbc::Database;
/// let body = Database::parse("BU_: A\nBO_ 1 Door: 1 A\n")?;
/// let drive = Database::parse("BU_: A\nBO_ 2 Speed: 1 A\n")?;
/// assert_eq!(Databases::from(vec![body, drive]).len(), 2);
/// # Ok::<(), coachwork_dbc::LoadError>(())
/// ```
#[derive(Clone)]
pub struct Databases(Arc<Inner>);

struct Inner {
    databases: Vec<Database>,
    /// The position of each database's first message.
    first: Vec<usize>,
}

impl Databases {
    /// How many databases there are.
    pub fn len(&self) -> usize {
        self.0.databases.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.databases.is_empty()
    }

    /// The databases, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Database> {
        self.0.databases.iter()
    }

    /// Every message with its position.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (usize, &Message)> {
        self.0.databases.iter().flat_map(Database::messages).enumerate()
    }

    /// How many messages there are.
    pub(crate) fn message_count(&self) -> usize {
        self.0.databases.iter().map(|database| database.messages().len()).sum()
    }

    pub(crate) fn message(&self, position: usize) -> Option<&Message> {
        let of = self.part(position)?;
        self.0.databases.get(of)?.messages().get(position - self.0.first.get(of)?)
    }

    /// The database that a message is in.
    pub(crate) fn database(&self, position: usize) -> Option<&Database> {
        self.0.databases.get(self.part(position)?)
    }

    fn part(&self, position: usize) -> Option<usize> {
        self.0.first.partition_point(|first| *first <= position).checked_sub(1)
    }

    /// The position of the message that a frame with this id carries, and the message.
    #[inline]
    pub(crate) fn find(&self, id: CanId, by: Match) -> Option<(usize, &Message)> {
        let mut by_database = self.0.databases.iter().zip(&self.0.first);
        by_database.find_map(|(database, first)| {
            let place = database.find_position(id, by)?;
            Some((first + place, database.messages().get(place)?))
        })
    }
}

impl From<Vec<Database>> for Databases {
    fn from(databases: Vec<Database>) -> Self {
        let lengths = databases.iter().map(|database| database.messages().len());
        let first = lengths
            .scan(0, |next, length| {
                let first = *next;
                *next += length;
                Some(first)
            })
            .collect();
        Self(Arc::new(Inner { databases, first }))
    }
}

impl From<Database> for Databases {
    fn from(database: Database) -> Self {
        Self::from(vec![database])
    }
}

impl FromIterator<Database> for Databases {
    fn from_iter<I: IntoIterator<Item = Database>>(databases: I) -> Self {
        Self::from(databases.into_iter().collect::<Vec<_>>())
    }
}

impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Databases({}, {} messages)", self.len(), self.message_count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_through_and_the_first_database_speaks() {
        let parse = |text: &str| Database::parse(text).unwrap();
        let all = Databases::from(vec![
            parse("BU_: A\nBO_ 1 One: 1 A\nBO_ 2 Two: 1 A\n"),
            parse("VERSION \"\"\nBU_: A\n"),
            parse("BU_: A\nBO_ 2 Deux: 1 A\nBO_ 3 Trois: 1 A\n"),
        ]);
        let named = |id| Some(all.find(CanId::standard(id).unwrap(), Match::Auto)?.1.name());
        assert_eq!([1, 2, 3, 4].map(named), [Some("One"), Some("Two"), Some("Trois"), None]);
        assert_eq!(
            all.messages().map(|(position, message)| (position, message.name())).collect::<Vec<_>>(),
            [(0, "One"), (1, "Two"), (2, "Deux"), (3, "Trois")]
        );
        assert_eq!(all.message(2).unwrap().name(), "Deux");
        assert!(all.message(4).is_none());
    }
}
