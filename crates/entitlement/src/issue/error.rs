//! What cannot be issued, and why.

use crate::key::KeyError;

/// A grant or key set that cannot be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The first edition of a grant replaces none.
    #[error("a reason replaces earlier editions, and the first has none")]
    Because,
    /// A grace follows an end, and there is none.
    #[error("a grant without an end has no grace")]
    GraceWithoutEnd,
    /// What is for good has no end, and everything else has one.
    #[error("a perpetual grant has no end, every other kind has one")]
    Kind,
    /// The keys do not make a set.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// It opens nothing.
    #[error("a grant opens at least one feature")]
    NoFeature,
    /// A key set without keys trusts nobody.
    #[error("a key set has at least one key")]
    NoKey,
    /// Something that is for good, or whose status nobody publishes, cannot depend on hearing of it.
    #[error("an offline allowance goes with an end and a published status")]
    Offline,
    /// It would start before it is issued, or end before it starts; or a key set has sequence 0.
    #[error("it is issued, then starts, then ends; and sequences count from 1")]
    Order,
    /// A time is before 1970, or grace included after 2262-04-11T23:47:16Z.
    #[error("its times lie between 1970 and 2262")]
    Range,
    /// A status list has a URI for a name, a place for each status, and 4 bits for each.
    #[error("no such place or status in the list, or no such list")]
    Status,
    /// The token would have more than [`MAX_TOKEN`](crate::MAX_TOKEN) bytes.
    #[error("it is too long for a token")]
    TooLong,
}
