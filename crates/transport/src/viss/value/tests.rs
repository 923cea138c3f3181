use super::*;
use proptest::prelude::*;

#[test]
fn a_struct_is_an_object_of_texts() {
    let point = [Entry::attribute("X", DataType::FLOAT), Entry::attribute("Name", DataType::STRING)];
    let point = StructType::new("Types.Point", point).unwrap();
    let value = StructValue::new(&point, [("X", Value::Double(0.1)), ("Name", "here".into())]).unwrap();
    let mut json = Json::new();
    write_value(&mut json, &Value::Array([Value::from(value)].into()));
    assert_eq!(&json.finish()[..], br#"[{"X":"0.1","Name":"here"}]"#);
}

/// A struct with a struct, an array of structs and a default, and what is needed of it.
fn line() -> Entry {
    let x = Entry::attribute("X", DataType::FLOAT);
    let point = [x, Entry::attribute("Name", DataType::STRING).with_default("here")];
    let point = StructType::new("Types.Point", point).unwrap();
    let one = |name: &str| Entry::attribute(name, DataType::STRUCT).with_struct(&point);
    let many = Entry::attribute("Rest", DataType::Array(ScalarType::Struct)).with_struct(&point);
    let line = StructType::new("Types.Line", [one("From"), many, one("To")]).unwrap();
    Entry::sensor("Vehicle.Line", DataType::STRUCT).with_struct(&line)
}

fn read(text: &str, entry: &Entry) -> Result<Value, Error> {
    serde_json::from_str::<RawValue<'_>>(text).unwrap().parse(entry)
}

#[test]
fn a_struct_is_read_in_any_order_with_its_defaults() {
    let line = line();
    let value = read(r#"{"To":{"X":1},"From":{"Name":"a","X":"0.1"},"Rest":[{"X":"2"},{"X":"NaN"}]}"#, &line);
    let value = value.unwrap();
    let here =
        "{From: {X: 0.1, Name: a}, Rest: [{X: 2, Name: here}, {X: NaN, Name: here}], To: {X: 1, Name: here}}";
    assert_eq!(value.to_string(), here);
    let again = WireValue::of(&value);
    assert!(again.parse(&line).unwrap().same(&value));
    let (mut one, mut two) = (Json::new(), Json::new());
    again.write(&mut one);
    write_value(&mut two, &value);
    assert_eq!(one.finish(), two.finish());
}

#[test]
fn a_struct_that_does_not_fit_is_refused() {
    let line = line();
    let rest = r#""To":{"X":"1"},"Rest":[]"#;
    for (text, kind) in [
        (r#"{"From":{"X":"1"},"Rest":[]}"#.to_owned(), ErrorKind::WrongType),
        (format!(r#"{{"From":{{"X":"1","Y":"1"}},{rest}}}"#), ErrorKind::WrongType),
        (format!(r#"{{"From":{{"X":"1","X":"1"}},{rest}}}"#), ErrorKind::WrongType),
        (format!(r#"{{"From":{{"X":{{}}}},{rest}}}"#), ErrorKind::WrongType),
        (format!(r#"{{"From":[{{"X":"1"}}],{rest}}}"#), ErrorKind::WrongType),
        (format!(r#"{{"From":null,{rest}}}"#), ErrorKind::WrongType),
        (format!(r#"{{"From":{{"X":"1e99"}},{rest}}}"#), ErrorKind::OutOfRange),
        (r#""a text""#.to_owned(), ErrorKind::WrongType),
        ("[]".to_owned(), ErrorKind::WrongType),
    ] {
        assert_eq!(read(&text, &line).unwrap_err().kind(), kind, "{text}");
    }
    assert!(read("{}", &of(DataType::STRING)).is_err());
    assert!(read("[{}]", &of(DataType::Array(ScalarType::String))).is_err());
}

#[test]
fn few_bytes_do_not_become_many_values() {
    let property = |n: usize| Entry::attribute(&format!("P{n}"), DataType::BOOLEAN).with_default(true);
    let wide = StructType::new("Types.Wide", (0..4096).map(property)).unwrap();
    let entry = Entry::sensor("Vehicle.Wide", DataType::Array(ScalarType::Struct)).with_struct(&wide);
    let text = |many: usize| format!("[{}]", vec!["{}"; many].join(","));
    assert!(read(&text(16), &entry).is_ok());
    assert_eq!(read(&text(17), &entry).unwrap_err().kind(), ErrorKind::WrongType);
}

fn of(data_type: DataType) -> Entry {
    Entry::sensor("Vehicle.A", data_type)
}

fn value(scalar: ScalarType) -> BoxedStrategy<Value> {
    match scalar {
        ScalarType::Boolean => any::<bool>().prop_map(Value::Bool).boxed(),
        ScalarType::Float => any::<f32>().prop_map(Value::Float).boxed(),
        ScalarType::Double => any::<f64>().prop_map(Value::Double).boxed(),
        ScalarType::Int64 => any::<i64>().prop_map(Value::Int).boxed(),
        ScalarType::Uint64 => any::<u64>().prop_map(Value::Uint).boxed(),
        ScalarType::Int8 => any::<i8>().prop_map(Value::from).boxed(),
        ScalarType::Int16 => any::<i16>().prop_map(Value::from).boxed(),
        ScalarType::Int32 => any::<i32>().prop_map(Value::from).boxed(),
        ScalarType::Uint8 => any::<u8>().prop_map(Value::from).boxed(),
        ScalarType::Uint16 => any::<u16>().prop_map(Value::from).boxed(),
        ScalarType::Uint32 => any::<u32>().prop_map(Value::from).boxed(),
        ScalarType::String | ScalarType::Struct => any::<String>().prop_map(Value::from).boxed(),
    }
}

proptest! {
    #[test]
    fn every_value_survives_in_its_type(
        (scalar, one) in prop::sample::select(&ScalarType::ALL[..]).prop_flat_map(|scalar| (Just(scalar), value(scalar)))
    ) {
        let back = WireValue::of(&one).parse(&of(DataType::Scalar(scalar))).unwrap();
        prop_assert!(back.same(&one), "{one} became {back}");
        let array = Value::Array([one.clone(), one].into());
        let mut json = Json::new();
        write_value(&mut json, &array);
        let raw = json.finish();
        let raw: RawValue<'_> = serde_json::from_slice(&raw).unwrap();
        prop_assert!(raw.parse(&of(DataType::Array(scalar))).unwrap().same(&array));
    }

    #[test]
    fn no_text_panics_and_numbers_keep_what_they_say(text in "[-+.0-9eEinfNa ]{0,30}", scalar in prop::sample::select(&ScalarType::ALL[..])) {
        if let Ok(value) = parse_scalar(&text, scalar) {
            prop_assert!(value.is(DataType::Scalar(scalar)));
            if scalar.integer_range().is_some() {
                prop_assert_eq!(scalar_text(&value).parse::<i128>(), text.parse::<i128>());
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    use ErrorKind::{OutOfRange, WrongType};
    for (text, scalar, kind) in [
        ("256", ScalarType::Uint8, OutOfRange),
        ("-1", ScalarType::Uint8, OutOfRange),
        ("99999999999999999999999", ScalarType::Int64, OutOfRange),
        ("-99999999999999999999999", ScalarType::Int64, OutOfRange),
        ("1.0", ScalarType::Int8, WrongType),
        ("", ScalarType::Int8, WrongType),
        ("+1", ScalarType::Int8, WrongType),
        (" 1", ScalarType::Double, WrongType),
        ("", ScalarType::Float, WrongType),
        ("0x10", ScalarType::Float, WrongType),
        ("1e39", ScalarType::Float, OutOfRange),
        ("1e999", ScalarType::Double, OutOfRange),
        ("True", ScalarType::Boolean, WrongType),
        ("1", ScalarType::Boolean, WrongType),
    ] {
        assert_eq!(parse_scalar(text, scalar).unwrap_err().kind(), kind, "{text} as {}", scalar.name());
    }
    assert!(WireValue::Array(vec![WireValue::Scalar("1".into())]).parse(&of(DataType::INT8)).is_err());
    assert!(WireValue::Scalar("1".into()).parse(&of(DataType::Array(ScalarType::Int8))).is_err());
}

#[test]
fn numbers_are_short() {
    for (value, text) in [
        (Value::Float(0.1), "0.1"),
        (Value::Double(0.1), "0.1"),
        (Value::Double(f64::from(0.1_f32)), "0.10000000149011612"),
        (Value::Double(1e300), "1e300"),
        (Value::Double(120.0), "120"),
        (Value::Double(-0.0), "-0"),
        (Value::Float(1.5e-7), "1.5e-7"),
        (Value::Double(f64::NEG_INFINITY), "-Infinity"),
        (Value::Float(f32::NAN), "NaN"),
    ] {
        assert_eq!(scalar_text(&value), text);
    }
}

/// A reader of JSON makes a double of it: `1.10` would arrive as `1.1`.
#[test]
fn a_number_that_may_have_lost_digits_is_no_string() {
    let (text, number) = (Entry::actuator("A", DataType::STRING), Entry::actuator("A", DataType::DOUBLE));
    for unquoted in ["1.10", "98765432109876543210", "-98765432109876543210"] {
        let error = read(unquoted, &text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongType, "{unquoted}");
        let value: RawValue<'_> = serde_json::from_str(unquoted).unwrap();
        let wire = value.into_wire().unwrap();
        assert_eq!(wire.parse(&text).unwrap_err().kind(), ErrorKind::WrongType, "{unquoted}");
        assert_eq!(wire.parse(&number).unwrap(), Value::Double(unquoted.parse().unwrap()));
        assert_eq!(read(unquoted, &number).unwrap(), Value::Double(unquoted.parse().unwrap()));
    }
    assert_eq!(read("\"1.10\"", &text).unwrap(), "1.10".into());
    assert_eq!(read("18446744073709551615", &text).unwrap(), "18446744073709551615".into());
}
