//! Input that means harm: time and memory in proportion, a clear diagnostic, no panic.
//!
//! *Invariant:* the limits are generous, so that only a change of order can break them. Sizes are smaller where the test is not optimised;
//! `.ci/run` runs it both ways.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::format_collect,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss
)]

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use coachwork_dbc::{Code, Encoding, LoadError, LoadErrorKind, Loaded, MAX_DIAGNOSTICS, Options, Severity};

/// The time that this thread has had a processor: a busy machine adds nothing to it.
fn spent() -> Duration {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = schedule.and_then(|text| text.split(' ').next()?.parse().ok()).map(Duration::from_nanos);
    spent.unwrap_or_else(|| BEGIN.get_or_init(Instant::now).elapsed())
}

/// Loads within a time that a quadratic step would exceed.
fn load(text: &str) -> Loaded {
    measured(text.as_bytes()).0.unwrap()
}

fn codes(loaded: &Loaded) -> Vec<Code> {
    loaded
        .diagnostics
        .iter()
        .map(coachwork_dbc::Diagnostic::code)
        .filter(|code| *code != Code::MissingSection)
        .collect()
}

/// Loads, and says how many bytes of memory were held at most for a byte of the file.
fn measured(bytes: &[u8]) -> (Result<Loaded, LoadError>, f64) {
    let begin = spent();
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(Options::new().load(bytes)));
    let took = spent().saturating_sub(begin);
    assert!(took < Duration::from_secs(60), "{took:?} for {} bytes", bytes.len());
    let ratio = info.bytes_max as f64 / bytes.len() as f64;
    println!("{} bytes: {took:?}, at most {ratio:.1} bytes a byte", bytes.len());
    (result.unwrap(), ratio)
}

/// A hundred megabytes where the test is optimised, ten where it is not.
#[test]
fn noise_is_no_database() {
    let size = if cfg!(debug_assertions) { 10_000_000_u32 } else { 100_000_000 };
    let noise: Vec<u8> = (0..size).map(|n| (n.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]).collect();
    let (result, ratio) = measured(&noise);
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.line(), error.column()), (LoadErrorKind::NotADbc, 1, 1));
    assert_eq!(error.to_string(), "1:1: not a DBC file: there is no statement in it");
    // CP1252's characters take two or three bytes as UTF-8.
    assert!(ratio < 3.0, "{ratio}");
    assert_eq!(Options::new().load(b"").unwrap_err().kind(), LoadErrorKind::NotADbc);
}

/// Noise that is full of keywords, quotes and delimiters.
#[test]
fn noise_of_words_is_read_in_time() {
    let words = [
        "BO_ ", "SG_ ", "CM_ ", "VAL_ ", "BA_ ", "\"", "\\\"", "\n", "1 ", "x", ":", ";", "m", "//", "[0|1]",
        "@1+", " ", "\u{e9}",
    ];
    let mut seed = 1_u32;
    let mut text = String::new();
    let size = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };
    while text.len() < size {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(words[(seed >> 16) as usize % words.len()]);
    }
    let (result, ratio) = measured(text.as_bytes());
    match result {
        Ok(loaded) => assert!(loaded.diagnostics.len() <= MAX_DIAGNOSTICS + 1),
        Err(error) => assert_eq!(error.kind(), LoadErrorKind::UnexpectedEnd),
    }
    assert!(ratio < 40.0, "{ratio}");
}

/// What takes the most memory for a byte of the file: one short thing after another.
#[test]
fn dense_statements() {
    let head = "BU_: A\nBO_ 1 M: 8 A\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" A\n";
    let messages: String = (2..12_000).map(|id| format!("BO_ {id} M:8 A\n")).collect();
    let names: String = (0..50_000).map(|n| format!(" {n:x}")).collect();
    for text in [
        format!("{head}VAL_ 1 S {};\n", "0\"\"".repeat(100_000)),
        format!("{head}BA_DEF_ \"E\" ENUM {}\"\";\n", "\"\",".repeat(100_000)),
        format!("{head}SG_MUL_VAL_ 1 S S {}9-9;\n", "0-1,".repeat(75_000)),
        format!("{head}{messages}"),
        format!("{head}BU_:{names}\n"),
        format!("{head}{}", "CM_ \"\";".repeat(40_000)),
        format!("{head}{}", " SG_ T:0|8@1+(1,0)[0|0]\"\"A\n".repeat(10_000)),
    ] {
        let (loaded, ratio) = measured(text.as_bytes());
        assert!(loaded.is_ok());
        assert!(ratio < 350.0, "{ratio}: {}", &text[60..90]);
    }
}

/// One line of ten megabytes: what is said of a statement must not look at the whole line each time.
#[test]
fn one_long_line() {
    for part in ["BO_ x;", "CM_ \\\" ", "VAL_ 1 S 0 \"a\";", "x ", "\"", ";", "CM_ \"\\\" ", "BA_ \"X\" 1;"] {
        let mut text = String::from("BU_: A\nBO_ 1 M: 8 A\n");
        let size = if cfg!(debug_assertions) { 500_000 } else { 10_000_000 };
        text.push_str(&part.repeat(size / part.len()));
        let (result, ratio) = measured(text.as_bytes());
        match result {
            Ok(loaded) => {
                assert_eq!(loaded.database.messages().len(), 1, "{part}");
                assert!((1..=MAX_DIAGNOSTICS + 1).contains(&loaded.diagnostics.len()), "{part}");
                assert!(loaded.diagnostics.iter().all(|found| found.text().chars().count() <= 81), "{part}");
            }
            Err(error) => {
                assert_eq!((error.kind(), error.line()), (LoadErrorKind::UnexpectedEnd, 3), "{part}");
            }
        }
        // The densest is an attribute of eleven bytes, which is a statement of its own.
        assert!(ratio < 40.0, "{part}: {ratio}");
    }
}

#[test]
fn a_file_that_is_cut() {
    let whole = "VERSION \"\"\nBS_:\nBU_: A\nBO_ 1 M: 8 A\n SG_ S : 0|8@1+ (1,0) [0|1] \"x\" A\nCM_ SG_ 1 S \"a text\";\n";
    for (end, line) in
        [("BO_ 1 M: 8", 4), ("(1,0) [0|", 5), ("[0|1] \"x", 5), ("\"a te", 6), ("CM_ SG_ 1", 6)]
    {
        let cut = &whole.as_bytes()[..whole.find(end).unwrap() + end.len()];
        let error = Options::new().load(cut).unwrap_err();
        assert_eq!((error.kind(), error.line()), (LoadErrorKind::UnexpectedEnd, line), "{error}");
    }
    assert_eq!(codes(&load("BO_ 1 M: 8 A\nCM_ BO_ 1 \"t\"")), [Code::MissingSemicolon]);
}

#[test]
fn texts_without_their_end() {
    let loaded = load("BO_ 1 M: 8 A\nCM_ BO_ 1 \"no end;\nBO_ 2 N: 8 A\nCM_ BO_ 2 \"fine\";\n");
    assert_eq!(codes(&loaded).len(), 1);
    assert_eq!((loaded.database.messages().len(), loaded.diagnostics.last().unwrap().line()), (2, 2));
    assert_eq!(loaded.database.message_named("N").unwrap().comment(), Some("fine"));
    let nested = load("BO_ 1 M: 8 A\nCM_ BO_ 1 \"say \"please\" here\";\nCM_ \"fine\";\n");
    assert_eq!((codes(&nested), nested.database.comment()), (vec![Code::Syntax], Some("fine")));
    // Every line opens a text.
    let many = "CM_ \"x\n".repeat(100_000);
    assert!(load(&format!("BU_: A\n{many}CM_ \"end\";\n")).diagnostics.len() <= MAX_DIAGNOSTICS + 1);
}

/// A text of megabytes without its closing quote, and quotes within quotes.
#[test]
fn a_text_without_its_end() {
    let megabyte = "no end ".repeat(150_000);
    let error =
        Options::new().load(format!("BU_: A\nBO_ 1 M: 8 A\nCM_ BO_ 1 \"{megabyte}").as_bytes()).unwrap_err();
    assert_eq!((error.kind(), error.line(), error.column()), (LoadErrorKind::UnexpectedEnd, 3, 11));
    assert_eq!(error.to_string(), "3:11: the file ends in the middle of a statement: the text is not closed");
    // What follows on a line of its own is read all the same.
    let (loaded, ratio) =
        measured(format!("BU_: A\nBO_ 1 M: 8 A\nCM_ BO_ 1 \"{megabyte}\nBO_ 2 N: 8 A\n").as_bytes());
    let loaded = loaded.unwrap();
    let found = loaded.diagnostics.iter().find(|found| found.code() == Code::UnterminatedText).unwrap();
    assert_eq!((found.line(), loaded.database.messages().len()), (3, 2));
    assert!(ratio < 5.0, "{ratio}");
    let nested =
        format!("BU_: A\nBO_ 1 M: 8 A\nCM_ BO_ 1 \"{}\";\nCM_ \"fine\";\n", "a \"b\" ".repeat(150_000));
    let (loaded, ratio) = measured(nested.as_bytes());
    let loaded = loaded.unwrap();
    assert_eq!((codes(&loaded), loaded.database.comment()), (vec![Code::Syntax], Some("fine")));
    assert!(ratio < 5.0, "{ratio}");
    let escaped = format!("BU_: A\nBO_ 1 M: 8 A\nCM_ BO_ 1 \"{}\";\n", "a \\\"b\\\" ".repeat(100_000));
    let (loaded, _) = measured(escaped.as_bytes());
    assert_eq!(loaded.unwrap().database.messages()[0].comment().map(str::len), Some(600_000));
}

#[test]
fn ten_thousand_signals_and_labels() {
    let mut text = String::from("BS_:\nBU_: A\nBO_ 1 M: 64 A\n");
    for n in 0..10_000 {
        let _ = writeln!(text, " SG_ S{n} : {}|8@1+ (1,0) [0|0] \"\" A", n % 500);
    }
    for n in 0..10_000 {
        let _ = writeln!(text, "VAL_ 1 S{n} 0 \"off\" 1 \"on\";\nBA_ \"A{n}\" SG_ 1 S{n} {n};");
    }
    let (loaded, ratio) = measured(text.as_bytes());
    let loaded = loaded.unwrap();
    let message = &loaded.database.messages()[0];
    assert_eq!(message.signals().len(), 10_000);
    assert!(message.signals().iter().all(|signal| signal.choices().len() == 2));
    assert!(message.decode(&[1; 64]).unwrap().count() > 9_900);
    // The second reader's tree of a message of half a megabyte is the most of it.
    assert!(ratio < 150.0, "{ratio}");
}

/// A million lines where the test is optimised, a tenth of that where it is not.
#[test]
fn a_million_lines() {
    let messages = if cfg!(debug_assertions) { 25_000_u32 } else { 250_000 };
    let mut text = String::from("BS_:\nBU_: A\n");
    for n in 0..messages {
        let _ = writeln!(
            text,
            "BO_ {} M{n}: 8 A\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" A\n\nCM_ BO_ {} \"x\";",
            n | 1 << 31,
            n | 1 << 31
        );
    }
    let (loaded, ratio) = measured(text.as_bytes());
    let loaded = loaded.unwrap();
    assert_eq!((loaded.database.messages().len(), loaded.diagnostics.len()), (messages as usize, 0));
    assert!(ratio < 40.0, "{ratio}");
}

#[test]
fn diagnostics_are_bounded_and_say_so() {
    let mut text = String::from("BS_:\nBU_: A\nBO_ 1 M: 8 A\n");
    for n in 0..MAX_DIAGNOSTICS * 2 {
        let _ = writeln!(text, "VAL_ 1 Missing{n} 0 \"x\";");
    }
    let loaded = load(&text);
    assert_eq!(loaded.diagnostics.len(), MAX_DIAGNOSTICS + 1);
    let last = loaded.diagnostics.last().unwrap();
    assert_eq!((last.code(), last.action()), (Code::TooMany, "10000 more diagnostics are not kept"));
}

/// Every cause of breakage that real files show, and what becomes of it.
#[test]
fn dirty_statements_one_by_one() {
    let head = "BS_:\nBU_: A\nBO_ 1 M: 8 A\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" A\n";
    for (line, code, severity) in [
        ("BO_ 2500 X: 8 A", Code::ExtendedWithoutBit31, Severity::Repaired),
        ("BO_ 70000 X: 8 A", Code::ExtendedWithoutBit31, Severity::Repaired),
        ("BO_ 4000000000 X: 8 A", Code::IdTooWide, Severity::Repaired),
        ("BO_ 2 0X: 8 A", Code::OddName, Severity::Repaired),
        ("VAL_ 1 S 0 \"x\"", Code::MissingSemicolon, Severity::Repaired),
        ("BO_ 2 X: 8 A\n SG_ T : 0|8@1+ (.25,0) [0|0] \"\" A", Code::OddNumber, Severity::Repaired),
        ("CM_ SG_ 1 \"x\";", Code::CommentWithoutSignal, Severity::Repaired),
        ("CM_ 1 \"x\";", Code::CommentWithoutSignal, Severity::Repaired),
        ("VAL_ 1 T 0 \"x\";", Code::UnknownSignal, Severity::Skipped),
        ("VAL_ 2 T 0 \"x\";", Code::UnknownMessage, Severity::Skipped),
        ("SIG_VALTYPE_ 1 T : 1;", Code::UnknownSignal, Severity::Skipped),
        ("SIG_VALTYPE_ 1 S : 1;", Code::FloatLength, Severity::Skipped),
        ("SIG_GROUP_ 1 G 1 : T;", Code::UnknownSignal, Severity::Skipped),
        ("CM_ BU_ B \"x\";", Code::UnknownNode, Severity::Skipped),
        ("CM_ EV_ E \"x\";", Code::UnknownEnvironmentVariable, Severity::Skipped),
        ("BA_ \"X\" 1;", Code::UnknownAttribute, Severity::Notice),
        ("BA_DEF_DEF_ \"X\" 1;", Code::UnknownAttribute, Severity::Skipped),
        ("BA_DEF_ \"X\" INT 0 5;\nBA_ \"X\" 7;", Code::AttributeValue, Severity::Notice),
        ("BO_ 1 X: 8 A", Code::DuplicateId, Severity::Notice),
        ("BO_ 2 M: 8 A", Code::DuplicateMessage, Severity::Notice),
        (
            "BO_ 2 X: 8 A\n SG_ T : 0|8@1+ (1,0) [0|0] \"\" A\n SG_ T : 8|8@1+ (1,0) [0|0] \"\" A",
            Code::DuplicateSignal,
            Severity::Notice,
        ),
        ("BO_ 2 X: 8 A\n SG_ T : 60|8@1+ (1,0) [0|0] \"\" A", Code::OutsideMessage, Severity::Notice),
        (
            "BO_ 2 X: 8 A\n SG_ T : 0|8@1+ (1,0) [0|0] \"\" A\n SG_ U : 7|8@1+ (1,0) [0|0] \"\" A",
            Code::Overlap,
            Severity::Notice,
        ),
        ("BO_ 2 X: 8 A\n SG_ T : 0|99@1+ (1,0) [0|0] \"\" A", Code::WideSignal, Severity::Notice),
        ("BO_ 2 X: 8 A\n SG_ T : 0|0@1+ (1,0) [0|0] \"\" A", Code::BadSignal, Severity::Skipped),
        ("BO_ 2 X: 8 A\n SG_ T : 0|8@1+ (0,0) [0|0] \"\" A", Code::BadSignal, Severity::Skipped),
        ("BO_ 2 X: 8 A\n SG_ T m1 : 0|8@1+ (1,0) [0|0] \"\" A", Code::NoMultiplexer, Severity::Skipped),
        ("CM_ BO_ 1 \"x\";", Code::DuplicateStatement, Severity::Skipped),
        ("BO_ x X: 8 A\n SG_ T : 0|8@1+ (1,0) [0|0] \"\" A", Code::Syntax, Severity::Skipped),
        ("HELLO world", Code::UnknownStatement, Severity::Skipped),
    ] {
        let text = format!("{head}{line}\nCM_ BO_ 1 \"after\";\n");
        let loaded = load(&text);
        let found = loaded.diagnostics.iter().find(|diagnostic| diagnostic.code() == code);
        let found = found.unwrap_or_else(|| panic!("{line}: {:?}", loaded.diagnostics));
        assert_eq!(found.severity(), severity, "{line}");
        assert!((5..=7).contains(&found.line()), "{line}: {found}");
        // What follows is read all the same, and strict mode refuses.
        assert!(loaded.database.messages()[0].comment().is_some(), "{line}");
        let refused = Options::new().strict(true).load(text.as_bytes()).unwrap_err();
        assert_eq!(
            (refused.kind(), refused.diagnostics()),
            (LoadErrorKind::Refused, loaded.diagnostics.as_slice()),
            "{line}"
        );
    }
}

#[test]
fn encodings_and_line_ends() {
    let text = "VERSION \"°\"\r\nBS_:\r\nBU_: A\r\nBO_ 1 M: 8 A\r\n SG_ T : 0|8@1+ (1,0) [0|0] \"°C\" A\r\n";
    let lone = text.replace("\r\n", "\r");
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let marked = [b"\xEF\xBB\xBF", text.as_bytes()].concat();
    for bytes in [text.as_bytes(), &latin, &marked, lone.as_bytes()] {
        let loaded = Options::new().strict(true).load(bytes).unwrap();
        assert_eq!(
            (loaded.database.version(), loaded.database.messages()[0].signals()[0].unit()),
            ("°", "°C")
        );
    }
    let encoding = |bytes: &[u8]| Options::new().load(bytes).unwrap().encoding;
    assert_eq!((encoding(&marked), encoding(&latin)), (Encoding::Utf8, Encoding::Latin1));
    assert_eq!(encoding(b"VERSION \"5 \x80\"\n"), Encoding::Cp1252);
    // A line is a line however it ends.
    let broken = lone + "HELLO\r";
    let loaded = Options::new().load(broken.as_bytes()).unwrap();
    assert_eq!(loaded.diagnostics[0].line(), 6);
}

/// Found by the fuzzer: where a message is longer than a frame, each bit of a signal took a place in a map.
#[test]
fn signals_of_many_bits() {
    for order in ["0-", "1-"] {
        let signals: String =
            (0..2_000).map(|n| format!(" SG_ S{n} : 7|524000@{order} (1,0) [0|0] \"\" A\n")).collect();
        let (loaded, ratio) = measured(format!("BU_: A\nBO_ 1 M: 65535 A\n{signals}").as_bytes());
        assert!(ratio < 60.0, "{ratio}");
        let database = loaded.unwrap().database;
        let message = &database.messages()[0];
        assert_eq!(message.overlaps().len(), 1_413, "as many pairs as are compared");
        let begin = spent();
        assert!(database.diff(&database).changes().is_empty());
        assert!(spent().saturating_sub(begin) < Duration::from_secs(20));
    }
}
