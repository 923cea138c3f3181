//! Every sound statement is read a second time, by `can-dbc`, and the two readings must say the same.
//!
//! *Invariant:* this file and `agree.rs` alone name `can-dbc`. A statement that needed repair, or that `can-dbc` refuses or does not
//! keep, counts as read once; where both read it and differ, the text's own reading stands and a diagnostic says so.
//! *Next:* `parse.rs` (the first reading), `agree.rs` (the two side by side), `assemble.rs` (what is made of it).

use std::format;

use can_dbc::{Dbc, DbcError};
use can_dbc_pest::{DbcParser, Pair, Parser as _, Rule};

use super::agree::{self, Said, Unlike, last};
use super::diagnostic::{Code, Diagnostics, Place, Severity};
use super::statement::Statements;

/// A longer statement is read once: a second reader's tree must not make memory a multiple of a hostile file.
const MAX_STATEMENT: usize = 1 << 20;

/// The second reader, which follows the first from statement to statement.
#[derive(Debug, Default)]
pub(super) struct SecondReader {
    /// The message that is being read: where it begins, and whether it is sound so far.
    message: Option<(Place, bool)>,
    agreed: usize,
}

impl SecondReader {
    /// Follows one statement: `text` from its keyword to its end, which the first reader has put into `read`.
    pub(super) fn statement(
        &mut self,
        (word, place): (&str, Place),
        sound: bool,
        text: &str,
        read: &Statements<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        match word {
            "SG_" => {
                if let Some((_, all)) = &mut self.message {
                    *all &= sound;
                }
            }
            // A message is compared with its signals, when the statement after them has begun.
            "BO_" => self.message = Some((place, sound)),
            _ if sound => self.compare(word, place, text, read, diagnostics),
            _ => {}
        }
    }

    /// Compares the message that is being read, now that `text` holds all of it.
    pub(super) fn message_ends(
        &mut self,
        text: &str,
        end: Place,
        read: &Statements<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        if let Some((begin, true)) = self.message.take()
            && let Some(message) = text.get(begin.0..end.0)
        {
            self.compare("BO_", begin, message, read, diagnostics);
        }
    }

    /// How many statements both readers have read alike.
    pub(super) fn agreed(&self) -> usize {
        self.agreed
    }

    /// Whether a message is being read.
    pub(super) fn in_message(&self) -> bool {
        self.message.is_some()
    }

    fn compare(
        &mut self,
        word: &str,
        place: Place,
        text: &str,
        read: &Statements<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        if text.len() > MAX_STATEMENT {
            return;
        }
        match again(word, text, read) {
            Ok(()) => self.agreed += 1,
            Err(Unlike::Once) => {}
            Err(Unlike::Other(what, theirs)) => {
                let line = text.lines().next().unwrap_or_default();
                let action =
                    format!("kept as the text says it: a second reader takes its {what} for {theirs}");
                diagnostics.report(Code::ReadersDisagree, Severity::Notice, place, line, action);
            }
        }
    }
}

/// Reads one statement again, by the rule for its kind alone, and compares it with the first reading, which is the last of its kind.
fn again(word: &str, text: &str, read: &Statements<'_>) -> Said {
    match word {
        "BO_" => agree::message(read, &by_rule(Rule::message, text)?),
        "BO_TX_BU_" => agree::senders(last(&read.senders)?, &by_rule(Rule::message_transmitter, text)?),
        "CM_" => agree::comment(last(&read.comments)?, &by_rule(Rule::comment, text)?),
        "BA_DEF_" => agree::definition(last(&read.definitions)?, &by_rule(Rule::attr_def, text)?),
        "BA_DEF_REL_" => agree::definition(last(&read.definitions)?, &by_rule(Rule::ba_def_rel, text)?),
        "BA_DEF_DEF_" => agree::default(last(&read.defaults)?, &by_rule(Rule::ba_def_def, text)?),
        "BA_DEF_DEF_REL_" => agree::default(last(&read.defaults)?, &by_rule(Rule::ba_def_def_rel, text)?),
        "BA_REL_" => agree::relation(last(&read.attributes)?, &by_rule(Rule::ba_rel, text)?),
        // This kind alone has no type of its own outside the whole file's.
        "BA_" => agree::attribute(last(&read.attributes)?, &Dbc::try_from(text).map_err(|_| Unlike::Once)?),
        "VAL_" => agree::labels_of(read, &by_rule(Rule::value_table_def, text)?),
        "VAL_TABLE_" => agree::table(read, &by_rule(Rule::value_table, text)?),
        "SIG_VALTYPE_" => agree::float(last(&read.floats)?, &by_rule(Rule::signal_value_type, text)?),
        "SG_MUL_VAL_" => agree::multiplexed(last(&read.multiplexed)?, &by_rule(Rule::sg_mul_val, text)?),
        "SIG_GROUP_" => agree::group(last(&read.groups)?, &by_rule(Rule::signal_group, text)?),
        "ENVVAR_DATA_" => {
            agree::environment_data(last(&read.environment_data)?, &by_rule(Rule::env_var_data, text)?)
        }
        _ => Err(Unlike::Once),
    }
}

/// What the second reader makes of a text that one of its rules must take whole.
fn by_rule<'t, T: TryFrom<Pair<'t, Rule>, Error = DbcError>>(rule: Rule, text: &'t str) -> Result<T, Unlike> {
    let pair = DbcParser::parse(rule, text).ok().and_then(|mut pairs| pairs.next()).ok_or(Unlike::Once)?;
    let rest = text.get(pair.as_span().end()..).unwrap_or_default();
    if !rest.bytes().all(|byte| byte.is_ascii_whitespace()) {
        return Err(Unlike::Once);
    }
    T::try_from(pair).map_err(|_| Unlike::Once)
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    /// Gives the second reader another text than the first has read.
    fn compared(word: &str, read: &str, again: &str) -> (usize, usize) {
        let (mut first, mut diagnostics) = (Diagnostics::default(), Diagnostics::default());
        let (read, _) = parse::parse(read, &mut first).expect("a statement");
        assert_eq!(first.count(), 0);
        let mut second = SecondReader::default();
        second.compare(word, Place(0), again, &read, &mut diagnostics);
        (second.agreed(), diagnostics.count())
    }

    #[test]
    fn each_kind_is_read_twice_and_a_difference_is_shown() {
        for (word, statement, other) in [
            (
                "BO_",
                "BO_ 1 X: 8 A\n SG_ S m2 : 0|8@1+ (1,0) [0|9] \"V\" A\n",
                "BO_ 1 X: 8 A\n SG_ S m3 : 0|8@1+ (1,0) [0|9] \"V\" A\n",
            ),
            (
                "BO_",
                "BO_ 1 X: 8 A\n SG_ S : 7|8@0- (1,0) [0|9] \"V\" A\n",
                "BO_ 1 X: 8 A\n SG_ S : 7|8@0+ (1,0) [0|9] \"V\" A\n",
            ),
            ("BO_TX_BU_", "BO_TX_BU_ 1 : A,B;\n", "BO_TX_BU_ 1 : A;\n"),
            ("CM_", "CM_ SG_ 1 S \"a\";\n", "CM_ SG_ 1 T \"a\";\n"),
            ("CM_", "CM_ BO_ 1 \"a\";\n", "CM_ BO_ 1 \"b\";\n"),
            ("BA_DEF_", "BA_DEF_ BO_ \"C\" INT 0 10;\n", "BA_DEF_ BO_ \"C\" INT 0 11;\n"),
            ("BA_DEF_DEF_", "BA_DEF_DEF_ \"C\" 5;\n", "BA_DEF_DEF_ \"C\" 6;\n"),
            ("BA_", "BA_ \"C\" BO_ 2147483650 5;\n", "BA_ \"C\" BO_ 2147483651 5;\n"),
            ("VAL_", "VAL_ 1 S 1 \"a\" 0 \"b\" ;\n", "VAL_ 1 S 1 \"a\" 2 \"b\" ;\n"),
            ("VAL_TABLE_", "VAL_TABLE_ T 1 \"a\" ;\n", "VAL_TABLE_ U 1 \"a\" ;\n"),
            ("SIG_VALTYPE_", "SIG_VALTYPE_ 1 S : 1;\n", "SIG_VALTYPE_ 1 S : 2;\n"),
            ("SG_MUL_VAL_", "SG_MUL_VAL_ 1 S M 1-2, 4-4;\n", "SG_MUL_VAL_ 1 S M 1-2, 5-5;\n"),
            ("SIG_GROUP_", "SIG_GROUP_ 1 G 1 : S T;\n", "SIG_GROUP_ 1 G 1 : S;\n"),
        ] {
            assert_eq!(compared(word, statement, statement), (1, 0), "{statement}");
            assert_eq!(compared(word, statement, other), (0, 1), "{other}");
        }
    }

    #[test]
    fn what_the_second_reader_refuses_counts_as_read_once() {
        assert_eq!(compared("VAL_", "VAL_ 1 S 1 \"a\" ;\n", "VAL_ 1 S one \"a\" ;\n"), (0, 0));
    }
}
