//! Special values, both sides of each rule.

use super::*;
use crate::Availability::{Available, Error, NotAvailable};
use crate::{Choices, Message, Raw};

fn labels(length: u32, entries: &[(i128, &str)]) -> (Vec<i128>, Vec<i128>) {
    let choices: Choices = entries.iter().copied().collect();
    let mut signal = Signal::new("S", 0, length).with_choices(choices);
    find(&mut signal, Rule::None);
    let ends = |ranges: &[(i128, i128)]| ranges.iter().map(|range| range.1).collect();
    (ends(&signal.not_available), ends(&signal.error_values))
}

#[test]
fn labels_that_say_so() {
    for label in [
        "SNA",
        "sna",
        "LIGHT_SNA",
        "DI_GEAR_SNA",
        "Signal not available",
        "not available",
        "NotAvailable",
        "Not_Avail",
        "Unavailable",
        "Data not available",
        "SPEED SIGNAL NOT AVAILABLE",
        "FAULT_SNA",
    ] {
        // Wherever the value is.
        assert_eq!(labels(8, &[(0, "off"), (7, label)]), (std::vec![7], std::vec![]), "{label}");
    }
    for label in ["Error indicator", "ERROR_INDICATOR", "Signal invalid", "SignalError", "Invalid value"] {
        assert_eq!(labels(8, &[(0, "off"), (7, label)]), (std::vec![], std::vec![7]), "{label}");
    }
    for label in ["Error", "ERR", "Invalid", "STEERING_SIGNAL_INVALID"] {
        // At the top alone.
        assert_eq!(labels(4, &[(0, "off"), (14, label)]), (std::vec![], std::vec![14]), "{label}");
        assert_eq!(labels(4, &[(0, "off"), (7, label)]), (std::vec![], std::vec![]), "{label}");
        assert_eq!(labels(4, &[(0, label)]), (std::vec![], std::vec![]), "{label}");
    }
    assert_eq!(labels(4, &[(15, "N/A")]), (std::vec![15], std::vec![]));
    assert_eq!(labels(4, &[(3, "n/a")]), (std::vec![], std::vec![]));
}

#[test]
fn labels_that_only_sound_like_it() {
    for label in [
        "LIGHT_FAULT",
        "Fault",
        "No Fault",
        "Radar Error",
        "System_Error",
        "LDA unavailable",
        "service not available yet",
        "Temporarily not available",
        "HEATER_STATE_OFF_UNAVAILABLE",
        "NO_SNA",
        "snap",
        "Sauna",
        "Nairobi",
        "Available",
        "Error passive",
        "ErrorActive",
        "invalidated",
        "control not allowed for error",
        "Reserved",
        "Unknown",
        "Init",
        "Undefined",
        "Terror",
        "mirror",
        "inna",
        "Invalid (GRAY)",
    ] {
        assert_eq!(labels(4, &[(15, label)]), (std::vec![], std::vec![]), "{label}");
    }
    // A table that knows the opposite tells of a state.
    assert_eq!(labels(2, &[(0, "No error"), (3, "Error")]), (std::vec![], std::vec![]));
    assert_eq!(labels(2, &[(0, "ok"), (2, "Error"), (3, "SNA")]), (std::vec![3], std::vec![2]));
    // One bit cannot tell a value from its absence, and a value that the bits cannot hold never comes.
    assert_eq!(labels(1, &[(1, "SNA")]), (std::vec![], std::vec![]));
    assert_eq!(labels(4, &[(255, "SNA")]), (std::vec![], std::vec![]));
}

#[test]
fn attributes_that_say_so() {
    let with = |name: &str, value: AttributeValue| {
        let mut signal = Signal::new("S", 0, 8).with_attribute(name, value);
        find(&mut signal, Rule::None);
        (signal.not_available, signal.error_values)
    };
    let none = Vec::<(i128, i128)>::new;
    assert_eq!(with("GenSigSNA", AttributeValue::Text("FFh".into())), (std::vec![(255, 255)], none()));
    assert_eq!(with("GenSigSNA", AttributeValue::Integer(254)), (std::vec![(254, 254)], none()));
    assert_eq!(with("GenSigSNA", AttributeValue::Text(String::new())), (none(), none()));
    assert_eq!(with("GenSigSNA", AttributeValue::Text("1FFh".into())), (none(), none()));
    assert_eq!(with("GenSigInvalidValue", AttributeValue::Integer(0)), (none(), std::vec![(0, 0)]));
    assert_eq!(with("GenSigInactiveValue", AttributeValue::Integer(255)), (none(), none()));
    // A default would make the value special for every signal.
    let text = "BS_:\nBU_: A\nBO_ 1 M: 8 A\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" A\n SG_ T : 8|8@1- (1,0) [0|0] \"\" A\n\
                BA_DEF_ SG_ \"GenSigInvalidValue\" INT 0 0;\nBA_DEF_DEF_ \"GenSigInvalidValue\" 0;\n\
                BA_ \"GenSigInvalidValue\" SG_ 1 T -128;\n";
    let database = crate::Database::parse(text).expect("it loads");
    let signals = database.messages().iter().flat_map(Message::signals);
    let errors: Vec<_> = signals.map(|signal| signal.error_values.clone()).collect();
    assert_eq!(errors, [none(), std::vec![(-128, -128)]]);
}

#[test]
fn j1939_by_length() {
    let of = |length: u32, rule: Rule| {
        let mut signal = Signal::new("S", 0, length);
        find(&mut signal, rule);
        (signal.not_available.first().copied(), signal.error_values.first().copied())
    };
    let j1939 = |length| of(length, Rule::J1939);
    assert_eq!(j1939(1), (None, None));
    assert_eq!(j1939(2), (Some((3, 3)), Some((2, 2))));
    assert_eq!(j1939(4), (Some((15, 15)), Some((14, 14))));
    assert_eq!(j1939(8), (Some((0xFF, 0xFF)), Some((0xFE, 0xFE))));
    assert_eq!(j1939(10), (Some((0x3FF, 0x3FF)), Some((0x3FE, 0x3FE))));
    assert_eq!(j1939(12), (Some((0xFF0, 0xFFF)), Some((0xFE0, 0xFEF))));
    assert_eq!(j1939(16), (Some((0xFF00, 0xFFFF)), Some((0xFE00, 0xFEFF))));
    assert_eq!(j1939(32), (Some((0xFF00_0000, 0xFFFF_FFFF)), Some((0xFE00_0000, 0xFEFF_FFFF))));
    assert_eq!(j1939(40), (None, None));
    assert_eq!(of(16, Rule::Nmea2000), (Some((0xFFFF, 0xFFFF)), Some((0xFFFE, 0xFFFE))));
    assert_eq!(of(16, Rule::None), (None, None));
    // A label of another meaning, a multiplexer, a signed value: no rule.
    let named: Choices = [(3, "take no action")].into_iter().collect();
    let mut command = Signal::new("S", 0, 2).with_choices(named);
    find(&mut command, Rule::J1939);
    assert_eq!((command.not_available.as_slice(), command.error_values.as_slice()), (&[][..], &[(2, 2)][..]));
    for mut signal in
        [Signal::new("S", 0, 8).with_multiplexer(), Signal::new("S", 0, 8).with_value_type(ValueType::Signed)]
    {
        find(&mut signal, Rule::J1939);
        assert_eq!(signal.not_available, []);
    }
    let mut signed = Signal::new("S", 0, 16).with_value_type(ValueType::Signed);
    find(&mut signed, Rule::Nmea2000);
    assert_eq!(
        (signed.not_available, signed.error_values),
        (std::vec![(32767, 32767)], std::vec![(32766, 32766)])
    );
}

#[test]
fn j1939_where_the_database_says_so() {
    let text = |protocol: &str, format: &str| {
        std::format!(
            "BS_:\nBU_: A\nBO_ 2566844926 CCVS: 8 A\n SG_ Speed : 8|16@1+ (0.00390625,0) [0|250] \"km/h\" A\n\
             BA_DEF_ \"ProtocolType\" STRING ;\nBA_DEF_ BO_ \"VFrameFormat\" ENUM \"StandardCAN\",\"ExtendedCAN\",\"reserved\",\"J1939PG\";\n\
             BA_DEF_DEF_ \"ProtocolType\" \"{protocol}\";\nBA_ \"VFrameFormat\" BO_ 2566844926 {format};\n"
        )
    };
    let said = |protocol: &str, format: &str, raw: u64| {
        let database = crate::Database::parse(&text(protocol, format)).expect("it loads");
        assert_eq!(crate::Database::parse(&database.to_dbc()).as_ref(), Ok(&database));
        let signal = database.messages().first().and_then(|message| message.signals().first()).cloned();
        signal.map(|signal| signal.availability(Raw::Unsigned(raw)))
    };
    assert_eq!(said("J1939", "3", 0xFF12), Some(NotAvailable));
    assert_eq!(said("J1939", "3", 0xFE12), Some(Error));
    assert_eq!(said("J1939", "3", 0xFB00), Some(Available));
    assert_eq!(said("J1939", "1", 0xFFFF), Some(Available));
    assert_eq!(said("", "1", 0xFFFF), Some(Available));
    assert_eq!(said("", "3", 0xFFFF), Some(NotAvailable));
    assert_eq!(said("NMEA2000", "3", 0xFF12), Some(Available));
    assert_eq!(said("NMEA2000", "3", 0xFFFF), Some(NotAvailable));
}
