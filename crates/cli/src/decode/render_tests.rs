//! What is kept from frame to frame changes nothing: each frame is printed as one that comes alone.

use super::*;
use proptest::prelude::*;

const DBC: &str = r#"VERSION ""
NS_ :
BS_:
BU_: A
BO_ 291 Drive: 4 A
 SG_ Speed : 0|16@1+ (0.01,0) [0|300] "km/h" A
 SG_ Gear : 16|3@1- (1,0) [0|3] "" A
 SG_ ASignalWithANameThatIsAsLongAsNamesOfSignalsAreInSomeDatabases : 24|8@1+ (1,-40) [0|3] "degrees Celsius or something else that is long" A
BO_ 292 Mux: 2 A
 SG_ Which M : 0|8@1+ (1,0) [0|3] "" A
 SG_ A m1 : 8|8@1- (1,0) [0|3] "" A
 SG_ B m2 : 8|8@1+ (0.5,0) [0|3] "" A
BO_ 293 Empty: 0 A
BO_ 2566844672 Wide: 8 A
 SG_ Float : 0|32@1- (1,0) [0|0] "" A
 SG_ Long : 32|32@1- (1,0) [0|0] "V" A
SIG_VALTYPE_ 2566844672 Float : 1;
VAL_ 291 Gear -1 "Reverse" 1 "First" ;
"#;

fn frame() -> impl Strategy<Value = (Frame, usize)> {
    let time = prop_oneof![
        (0_i64..3_000_000).prop_map(|micros| Some(1_700_000_000_000_000_000 + micros * 1000)),
        (-3_000_000_i64..3_000_000).prop_map(|micros| Some(micros * 1000)),
        any::<i64>().prop_map(Some),
        Just(None),
    ];
    let byte = prop_oneof![3 => Just(0), 3 => 0_u8..3, 1 => any::<u8>()];
    let data = proptest::collection::vec(byte, 0..=12);
    let channel = prop_oneof![Just(""), Just("can0"), Just("vcan1"), Just("a\"b\\")];
    (0_usize..4, any::<bool>(), time, data, channel).prop_map(|(position, other, time, data, channel)| {
        let id = match (position, other) {
            (3, false) => CanId::extended(0x18FE_F100),
            (3, true) => CanId::extended(0x0CFE_F127),
            (0..3, _) => CanId::standard(0x123 + u32::try_from(position).unwrap()),
            _ => None,
        };
        let frame =
            if data.len() > 8 { Frame::fd(id.unwrap(), &data) } else { Frame::new(id.unwrap(), &data) };
        let frame = frame.unwrap().with_channel(channel.parse().unwrap());
        let frame = match time {
            Some(time) => frame.with_time(coachwork_vehicle::Timestamp::from_nanoseconds(time)),
            None => frame,
        };
        (frame, position)
    })
}

fn printed(render: &mut Render<'_>, frame: &Frame, position: usize) -> String {
    let mut room = vec![0xAA; 16];
    loop {
        if let Some(len) = render.frame(&mut room, frame, position) {
            return String::from_utf8(room[..len].to_vec()).unwrap();
        }
        // As the output does where there is not room enough.
        room.resize(2 * room.len(), 0xAA);
    }
}

proptest! {
    #[test]
    fn a_frame_is_printed_as_one_that_comes_alone(
        frames in proptest::collection::vec(frame(), 1..20),
        json in any::<bool>(),
        raw in any::<bool>(),
        single_line in any::<bool>(),
        labels in any::<bool>(),
    ) {
        let database = Database::from_bytes(DBC.as_bytes()).unwrap();
        let style = Style { format: if json { Format::Jsonl } else { Format::Text }, raw, single_line, labels };
        let mut render = Render::new(&database, style);
        for (frame, position) in &frames {
            let alone = printed(&mut Render::new(&database, style), frame, *position);
            prop_assert_eq!(printed(&mut render, frame, *position), alone.clone());
            if json {
                let value: serde_json::Value = serde_json::from_str(&alone).unwrap();
                prop_assert_eq!(&value["id"], &serde_json::json!(frame.id().raw()));
                prop_assert_eq!(value["channel"].as_str().unwrap_or(""), frame.channel().as_str());
            } else {
                prop_assert_eq!(alone.lines().count() == 1, single_line);
                let bytes: Vec<String> = frame.data().iter().map(|byte| format!(" {byte:02X}")).collect();
                prop_assert!(alone.contains(&format!("] {} ::", bytes.concat())), "{}", alone);
                let mut time = Vec::new();
                if let Some(at) = frame.time() {
                    number::seconds(&mut time, at.nanoseconds());
                    let start = format!(" ({}) ", String::from_utf8(time).unwrap());
                    prop_assert!(alone.starts_with(&start), "{}", alone);
                }
            }
        }
    }
}
