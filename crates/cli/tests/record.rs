//! `coachwork record` and `coachwork replay` as people call them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test of a program that runs by the system's clock"
)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DBC: &str = "VERSION \"\"\nNS_ :\nBS_:\nBU_: A\nBO_ 291 Drive: 4 A\n SG_ Speed : 0|16@1+ (0.01,0) [0|300] \"km/h\" A\n SG_ Open : 16|8@1+ (1,0) [0|1] \"\" A\nVAL_ 291 Open 255 \"SNA\" ;\n";
const MAPPING: &str = r#"{"Vehicle": {"type": "branch", "children": {
    "Speed": {"type": "sensor", "datatype": "float", "unit": "m/s", "dbc2vss": {"signal": "Speed", "interval_ms": 0}},
    "IsOpen": {"type": "sensor", "datatype": "boolean", "dbc2vss": {"signal": "Open", "on_change": true}}}}}"#;
const LOG: &str = "(1700000000.000000) can0 123#100E0000\n(1700000000.250000) can0 123#201C0100\n(1700000000.500000) can1 123#201CFF00\n";

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("record").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for (file, text) in [("car.dbc", DBC), ("car.json", MAPPING), ("drive.log", LOG)] {
        std::fs::write(folder.join(file), text).unwrap();
    }
    folder
}

fn start(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_coachwork"))
        .current_dir(folder)
        .args(arguments)
        .env_remove("CAN_INTERFACE")
        .env_remove("CAN_CHANNEL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Standard output, standard error and exit status.
fn ended(child: Child) -> (String, String, i32) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap_or(-1))
}

fn run(folder: &Path, arguments: &str) -> (String, String, i32) {
    ended(start(folder, &arguments.split(' ').collect::<Vec<_>>()))
}

const RECORDING: &str = "coachwork-recording 1 utc\nsignal\tVehicle.Speed\tsensor\tfloat\tunit=m/s\tstep=0.002777777777777778\nsignal\tVehicle.IsOpen\tsensor\tboolean\n";

#[test]
fn a_log_through_a_mapping_is_a_recording_that_is_told_again() {
    let folder = folder("told");
    let (_, said, status) = run(&folder, "record --log drive.log -d car.dbc -m car.json drive.rec");
    assert_eq!((said.as_str(), status), ("coachwork: 6 datapoints in drive.rec: drive.log has ended\n", 0));
    let text = std::fs::read_to_string(folder.join("drive.rec")).unwrap();
    let rest = text.strip_prefix(RECORDING).unwrap_or_else(|| panic!("{text}"));
    assert!(rest.ends_with("end\tdrive.log has ended\n"), "{text}");
    let said: Vec<&str> =
        rest.lines().filter(|line| !line.starts_with('@') && !line.contains("\t-")).collect();
    assert_eq!(said.len(), 7, "{text}");

    let (told, said, status) = run(&folder, "replay drive.rec --speed max");
    assert_eq!(
        told,
        "2023-11-14T22:13:20Z Vehicle.Speed 10\n2023-11-14T22:13:20Z Vehicle.IsOpen false\n\
         2023-11-14T22:13:20.25Z Vehicle.Speed 20\n2023-11-14T22:13:20.25Z Vehicle.IsOpen true\n\
         2023-11-14T22:13:20.5Z Vehicle.Speed 20\n2023-11-14T22:13:20.5Z Vehicle.IsOpen not available: Open is sent as not available\n"
    );
    assert_eq!(
        (said.as_str(), status),
        ("coachwork: 6 datapoints: drive.rec has ended: drive.log has ended\n", 0)
    );
}

#[test]
fn a_replay_keeps_its_pace() {
    let folder = folder("pace");
    for (speed, least, most) in [("2", 240, 5_000), ("max", 0, 5_000)] {
        let began = Instant::now();
        let (_, said, status) =
            run(&folder, &format!("replay drive.log --bus virtual:bench --speed {speed}"));
        assert_eq!((said.as_str(), status), ("coachwork: 3 frames sent: the log has ended\n", 0));
        let took = began.elapsed().as_millis();
        assert!((least..most).contains(&took), "{speed}: {took} ms");
    }
    let (_, said, _) = run(&folder, "replay drive.log --bus virtual:bench --speed max --channel can1");
    assert_eq!(
        said,
        "coachwork: 1 frames sent: the log has ended\ncoachwork: 2 not sent: of other channels\n"
    );
}

#[test]
fn a_recording_stands_behind_a_bus() {
    let folder = folder("behind");
    run(&folder, "record --log drive.log -d car.dbc -m car.json drive.rec");
    let (_, said, status) =
        run(&folder, "replay drive.rec --speed 4 --bus virtual:bench -d car.dbc -m car.json");
    assert_eq!(
        (said.as_str(), status),
        ("coachwork: 6 datapoints: drive.rec has ended: drive.log has ended\n", 0)
    );
}

/// An adapter that speaks slcan over TCP and hears a frame now and then.
fn adapter(frames: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("slcan:socket://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut line, _) = listener.accept().unwrap();
        let mut byte = [0];
        let mut command = Vec::new();
        while line.read(&mut byte).unwrap_or(0) == 1 {
            command.push(byte[0]);
            if byte[0] != b'\r' {
                continue;
            }
            let _ = line.write_all(b"\r");
            if command.starts_with(b"O") || command.starts_with(b"L") {
                for number in 0..frames {
                    let _ = line.write_all(format!("t1232{number:02X}0E\r").as_bytes());
                }
            }
            command.clear();
        }
    });
    name
}

#[test]
fn a_bus_becomes_a_log() {
    let folder = folder("bus");
    let bus = adapter(5);
    let (_, said, status) = run(&folder, &format!("record --bus {bus} bus.log --count 3 --for 30"));
    assert_eq!((said.as_str(), status), ("coachwork: 3 frames in bus.log: that many were asked for\n", 0));
    let text = std::fs::read_to_string(folder.join("bus.log")).unwrap();
    let frames: Vec<&str> = text.lines().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(frames, ["123#000E", "123#010E", "123#020E"], "{text}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_with_a_whole_file() {
    let folder = folder("stopped");
    for (arguments, whole) in
        [("bus.log", "123#000E"), ("-d car.dbc -m car.json bus.rec", "end\tstopped by Ctrl-C\n")]
    {
        let bus = adapter(2);
        let arguments = format!("record --bus {bus} {arguments} --for 60");
        let child = start(&folder, &arguments.split(' ').collect::<Vec<_>>());
        // The temporary file is there when it runs; a little later so are the frames.
        let file = arguments.split(' ').find(|word| word.starts_with("bus.")).unwrap();
        let part = folder.join(format!("{file}.{}.part", child.id()));
        let began = Instant::now();
        while !part.exists() && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(700));
        assert!(!folder.join(file).exists(), "not whole yet");
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let (_, said, status) = ended(child);
        assert!(said.ends_with("stopped by Ctrl-C\n"), "{said}");
        assert_eq!(status, 0, "{said}");
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.contains(whole) && !part.exists(), "{text}");
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let folder = folder("refused");
    for (arguments, expected) in [
        ("record drive.xyz --bus virtual:x", "no format is written under such a name"),
        ("record out.log", "CAN_INTERFACE"),
        ("record out.rec --log drive.log -d car.dbc -m drive.log", "drive.log: "),
        ("replay drive.log --bus nonsense:x", "nonsense"),
        ("replay drive.log --bus virtual:x -d car.dbc -m car.json", "no mapping is needed"),
        ("replay nothing.log --bus virtual:x", "nothing.log: "),
    ] {
        let (_, said, status) = run(&folder, arguments);
        assert!(said.contains(expected), "{arguments}: {said}");
        assert_eq!(status, 1, "{arguments}: {said}");
    }
    let (_, said, status) = run(&folder, "replay drive.log --bus virtual:x --speed 0");
    assert_eq!(status, 2, "{said}");
}

#[test]
fn a_simulated_car_is_recorded_and_told_again() {
    let folder = folder("simulated");
    let (_, told, status) = run(&folder, "record --simulator=7 sim.rec --count 90 --for 20");
    assert_eq!(status, 0, "{told}");
    assert!(told.contains("datapoints in sim.rec"), "{told}");
    let (said, told, status) = run(&folder, "replay sim.rec --speed max");
    assert_eq!(status, 0, "{told}");
    assert!(said.contains("Vehicle.TraveledDistance 12345678"), "{said}");
}
