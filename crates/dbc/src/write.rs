//! A database becomes the text of a DBC file that loads to the same database.
//!
//! *Invariant:* statements come in the usual order; a name that the format cannot hold is shortened, and the whole name goes into the usual attribute.
//! *Next:* `write/names.rs` (names in the file), `load.rs` (the way back).

mod attributes;
mod describe;
mod names;
mod spell;
mod statements;

use alloc::string::String;

use crate::Database;

impl Database {
    /// The text of a DBC file (UTF-8) that loads to an equal database.
    ///
    /// Cycle times, start values and suspect parameter numbers that no attribute holds become attributes. Special values that follow from no attribute,
    /// label or J1939 rule, and a range of zero to zero, have no place in the format and are left out.
    ///
    /// ```
    /// use coachwork_dbc::Database;
    ///
    /// let text = "VERSION \"1\"\nBS_:\nBU_: A\nBO_ 256 M: 8 A\n SG_ S : 0|8@1+ (0.5,0) [0|100] \"%\" Vector__XXX\n";
    /// let database = Database::parse(text)?;
    /// assert_eq!(Database::parse(&database.to_dbc())?, database);
    /// # Ok::<(), coachwork_dbc::LoadError>(())
    /// ```
    pub fn to_dbc(&self) -> String {
        statements::Writer::new(self).write()
    }
}
