//! `coachwork serve` and its clients, as processes: every transport, every command, drain and reload.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod process;

use process::{Running, Served, coachwork, run, said};
use serde_json::Value as Json;
use std::fs;

const LIGHT: &str = "Vehicle.Body.Lights.Beam.Low.IsOn";
const SEAT: &str = "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling";

fn json(line: &str) -> Json {
    serde_json::from_str(line).unwrap()
}

#[test]
fn one_car_is_reached_through_every_transport() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[vehicle.simulator]\nseed = 7\n[[listen.websocket]]\naddress = \"127.0.0.1:0\"\n[[listen.websocket]]\naddress = \"127.0.0.1:0\"\n\
                  path = \"/viss\"\n[[listen.tcp]]\naddress = \"[::1]:0\"\n[[listen.unix]]\npath = \"car.sock\"\n";
    let served = Served::config(folder.path(), config, 4);
    assert!(
        served.urls[0].starts_with("ws://127.0.0.1:") && !served.urls[0].ends_with(":0"),
        "{:?}",
        served.urls
    );
    assert!(served.urls[1].ends_with("/viss"));
    assert!(served.urls[2].starts_with("tcp://[::1]:"));
    let socket = folder.path().join("car.sock");
    assert_eq!(served.urls[3], format!("unix:{}", socket.display()));
    for url in &served.urls {
        let (status, out, err) = run(&["get", "-s", url, "Vehicle.TraveledDistance"]);
        assert_eq!((status, out.as_str()), (0, "Vehicle.TraveledDistance  12345678 m\n"), "{url} {err}");
    }
    assert_eq!(served.stop(), 0);
    assert!(!socket.exists(), "its socket's file is gone");
}

#[test]
fn get_answers_paths_branches_and_patterns_in_columns_and_in_json() {
    let served = Served::with(&["--simulator=7", "--listen", "tcp://127.0.0.1:0"], 1);
    let (status, out, _) =
        served.client(&["get", "Vehicle.Cabin.Door.*.DriverSide.IsOpen", "Vehicle/Cabin/Door/Row1", LIGHT]);
    assert_eq!(status, 0);
    assert_eq!(
        out.lines().filter(|line| line.contains("Row1.DriverSide.IsOpen")).count(),
        1,
        "each once: {out}"
    );
    assert!(
        out.contains("Vehicle.Cabin.Door.Row2.DriverSide.IsOpen")
            && out.contains("Row1.PassengerSide.IsLocked"),
        "{out}"
    );

    let (status, out, _) =
        served.client(&["get", "--format", "json", "Vehicle.Nope", "Vehicle.TraveledDistance"]);
    assert_eq!(status, 1);
    let lines: Vec<Json> = out.lines().map(json).collect();
    assert_eq!(lines[0]["error"]["kind"], "unknown_signal");
    assert_eq!((&lines[1]["state"], &lines[1]["value"]), (&"valid".into(), &12_345_678.into()));
    assert!(lines[1]["ts"].as_str().unwrap().ends_with('Z'));
    let (status, _, err) = served.client(&["get", "Vehicle.**.["]);
    assert_eq!(status, 1, "{err}");
}

#[test]
fn set_says_what_became_of_it() {
    let served = Served::with(&["--simulator", "--listen", "ws://127.0.0.1:0"], 1);
    let (status, out, err) = served.client(&["set", LIGHT, "true"]);
    assert_eq!(status, 0, "{err}");
    assert!(out.starts_with(&format!("{LIGHT}  confirmed at 20")), "{out}");
    // The simulated seat does not cool, and another is asked with it.
    let pair = [format!("{SEAT}=-10"), format!("{LIGHT}=false")];
    let (status, out, _) = served.client(&["set", "--format", "json", &pair[0], &pair[1]]);
    assert_eq!(status, 3, "{out}");
    let lines: Vec<Json> = out.lines().map(json).collect();
    assert_eq!(lines[0]["outcome"], "refused", "{out}");
    assert!(lines[0]["reason"].as_str().is_some_and(|why| !why.is_empty()));
    assert_eq!(lines[1]["outcome"], "confirmed");
    for (asked, said) in [
        (["Vehicle.Speed", "3"], "cannot be set"),
        ([LIGHT, "perhaps"], LIGHT),
        ([SEAT, "1000"], "SEAT"),
        (["Vehicle.Nope", "1"], "Vehicle.Nope"),
    ] {
        let (status, out, err) = served.client(&["set", asked[0], asked[1]]);
        assert_eq!(status, 1, "{asked:?} {out} {err}");
        assert!(out.is_empty() && (err.contains(said) || err.contains(asked[0])), "{err}");
    }
    let (status, _, err) = served.client(&["set", LIGHT, "true", "false"]);
    assert_eq!(status, 1);
    assert!(err.contains("is no PATH=VALUE"), "{err}");
    // The same name is the same request, wherever it comes from.
    for _ in 0..2 {
        let (status, out, _) = served.client(&["set", "--once", "light-1", LIGHT, "true"]);
        assert_eq!(status, 0, "{out}");
    }
    let (status, out, err) = served.client(&["set", "--once", "light-1", LIGHT, "false"]);
    assert_ne!(status, 0, "another request under the same name: {out} {err}");
}

#[test]
fn metadata_says_what_may_be_done() {
    let served = Served::with(&["--simulator", "--listen", "ws://127.0.0.1:0"], 1);
    let (status, out, _) = served.client(&["metadata", "Vehicle.Speed", SEAT]);
    assert_eq!(status, 0);
    assert!(out.contains("sensor float km/h; read\n") && out.contains("actuator int8 percent"), "{out}");
    let (_, out, _) = served.client(&["metadata", "--format", "json", SEAT]);
    let object = json(out.trim());
    assert_eq!(
        (&object["read"], &object["write"], &object["datatype"]),
        (&"yes".into(), &"yes".into(), &"int8".into())
    );
    let (_, out, _) = served.client(&["metadata"]);
    assert!(out.lines().count() > 90, "{out}");
    assert_eq!(served.client(&["metadata", "Vehicle.Nope"]).0, 1);
}

#[test]
fn subscribe_prints_what_comes_and_finds_back_to_a_gateway_that_was_away() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("car.sock");
    let listen = format!("unix:{}", socket.display());
    let start = || Served::with(&["--simulator", "--listen", &listen], 1);
    let served = start();
    let (status, out, _) = served.client(&["subscribe", "Vehicle.Speed", "Vehicle.Nope", "--count", "1"]);
    assert_eq!(status, 0);
    assert!(out.trim_end().ends_with("Vehicle.Speed  0 km/h") && out.lines().count() == 1, "{out}");
    let (status, out, _) =
        served.client(&["subscribe", "Vehicle.Speed", "--every", "0.05", "--for", "1", "--format", "json"]);
    assert_eq!(status, 0);
    assert!(
        out.lines().count() >= 3 && out.lines().all(|line| json(line)["path"] == "Vehicle.Speed"),
        "{out}"
    );
    assert_eq!(served.client(&["subscribe", "Vehicle.Nope"]).0, 1);
    assert_eq!(served.client(&["subscribe", "--strict", "Vehicle.Speed", "Vehicle.Nope"]).0, 1);

    let mut watch = Running::start(coachwork().args([
        "subscribe",
        "-s",
        &listen,
        "--format",
        "json",
        "--on-change",
        LIGHT,
    ]));
    let first = json(&watch.line());
    assert_eq!((&first["path"], &first["state"]), (&LIGHT.into(), &"valid".into()));
    assert_eq!(served.stop(), 0);
    assert_eq!(json(&watch.line_with("\"link\""))["link"], "down");
    let served = start();
    assert_eq!(json(&watch.line_with("\"link\":\"up\""))["link"], "up");
    let (_, got, _) = served.client(&["get", "--format", "json", LIGHT]);
    let other = json(got.trim())["value"] != true;
    assert_eq!(served.client(&["set", LIGHT, &other.to_string()]).0, 0);
    watch.line_with(&format!("\"value\":{other}"));
    watch.signal("INT");
    assert_eq!(watch.end(), 0);
}

#[test]
fn whoever_is_not_there_is_said_to_be() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for scheme in ["ws", "tcp"] {
        let (status, _, err) = run(&["get", "-s", &format!("{scheme}://{nobody}"), "Vehicle.Speed"]);
        assert_eq!(status, 4, "{err}");
    }
    for bad in ["http://localhost", "car.local:80", "ws://", "unix:"] {
        let (status, _, err) = run(&["get", "-s", bad, "Vehicle.Speed"]);
        assert!(status != 0 && !err.is_empty(), "{bad} {status} {err}");
    }
    let (status, _, err) = run(&["get", "-s", "wss://127.0.0.1:1", "Vehicle.Speed"]);
    assert_eq!(status, 1);
    assert!(err.contains("--ca-cert"), "{err}");
    let from_environment = said(
        &coachwork()
            .env("COACHWORK_SERVER", format!("ws://{nobody}"))
            .args(["get", "Vehicle.Speed"])
            .output()
            .unwrap(),
    );
    assert!(from_environment.2.contains(&nobody.to_string()), "{from_environment:?}");
}

#[test]
fn a_simulated_car_needs_no_server() {
    let (status, out, err) = run(&["get", "--simulator=3", "Vehicle.TraveledDistance"]);
    assert_eq!((status, out.as_str()), (0, "Vehicle.TraveledDistance  12345678 m\n"), "{err}");
}

#[test]
fn a_drain_answers_and_says_farewell() {
    let mut served = Served::with(&["--simulator", "--listen", "ws://127.0.0.1:0"], 1);
    let mut watch = Running::start(coachwork().args(["subscribe", "-s", served.url(), "Vehicle.Speed"]));
    watch.line();
    served.process.signal("TERM");
    served.process.told("letting peers go");
    let counted = served.process.told("stopped: ");
    assert!(counted.contains("0 connections of 1 accepted"), "{counted}");
    watch.told("the link is down");
    assert_eq!(served.process.end(), 0);
}

#[test]
fn nothing_is_served_in_the_clear_to_others_that_was_not_said_to_be() {
    let (status, out, err) = run(&["serve", "--listen", "ws://0.0.0.0:0"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.contains("listen.websocket[0].address: 0.0.0.0:0 is reached from other machines"), "{err}");
    assert!(err.contains("`allow_plain_links = true`"), "{err}");
    let folder = tempfile::tempdir().unwrap();
    let said_so =
        "[access]\nanonymous = true\n[[listen.tcp]]\naddress = \"0.0.0.0:0\"\nallow_plain_links = true\n";
    let served = Served::config(folder.path(), said_so, 1);
    assert!(served.url().starts_with("tcp://0.0.0.0:"));
    assert_eq!(served.stop(), 0);
}

#[test]
fn a_config_that_is_wrong_is_refused_with_its_place_and_nothing_listens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("serve.toml");
    let name = path.to_str().unwrap();
    for (text, said) in [
        ("[limits]\nconnexions = 1\n", "serve.toml:2:1: limits.connexions: unknown field"),
        (
            "[[vehicle.log]]\nfile = \"none.log\"\ndatabases = [\"none.dbc\"]\nmapping = \"none.json\"\n",
            "none.log: No such file",
        ),
        ("[vehicle]\noverlay = [\"none.json\"]\n", "none.json: No such file"),
        (
            "[[listen.websocket]]\naddress = \"127.0.0.1:0\"\ncertificate = \"a\"\nkey = \"b\"\n",
            "a: No such file",
        ),
        ("[access]\npolicy = \"p\"\nkeys = \"k\"\nvin = \"WVWZZZ1JZ3W386752\"\n", "p: No such file"),
        ("[[vehicle.bus]]\nbus = \"nonsense\"\ndatabases = [\"a\"]\nmapping = \"b\"\n", "nonsense: "),
    ] {
        fs::write(&path, text).unwrap();
        for arguments in [&["serve", "--check", name][..], &["serve", name][..]] {
            let (status, out, err) = run(arguments);
            assert_eq!((status, out.as_str()), (1, ""), "{text} {err}");
            assert!(err.contains(said), "{text}\n{err}");
        }
    }
    fs::write(&path, b"[limits]\n# \xff\n").unwrap();
    assert!(run(&["serve", name]).2.contains("serve.toml:2: it is not in UTF-8"));
    fs::write(&path, "").unwrap();
    let (status, out, err) = run(&["serve", "--check", name]);
    assert_eq!(status, 0);
    assert!(err.contains("in order: simulator with ") && out.contains("127.0.0.1:6443"), "{out}{err}");
    assert!(run(&["serve", "none.toml"]).2.contains("none.toml: No such file"));
}

#[test]
fn a_report_goes_to_its_file_and_to_another_after_a_hangup() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[listen]\ntcp = [{ address = \"127.0.0.1:0\" }]\n[report]\nfile = \"serve.log\"\npeers = true\ncounters_every = 0.05\n";
    let served = Served::config(folder.path(), config, 1);
    assert_eq!(served.client(&["get", "Vehicle.Speed"]).0, 0);
    let (log, moved) = (folder.path().join("serve.log"), folder.path().join("serve.log.1"));
    let has = |path: &std::path::Path, parts: &[&str]| {
        let end = std::time::Instant::now() + process::SOON;
        loop {
            let text = fs::read_to_string(path).unwrap_or_default();
            if parts.iter().all(|part| text.contains(part)) {
                return;
            }
            assert!(std::time::Instant::now() < end, "{parts:?} are not in {text}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    };
    has(
        &log,
        &[
            "Z serving simulator, ",
            "peer 1 came in: 127.0.0.1:",
            ", local",
            "peer 1 left; 2 requests, 0 refused",
            "0 connections of 1 accepted",
        ],
    );
    fs::rename(&log, &moved).unwrap();
    served.process.signal("HUP");
    has(&log, &["0 connections of 1 accepted"]);
    assert_eq!(served.stop(), 0);
    has(&log, &["terminated: letting peers go", "stopped: "]);
}

#[test]
fn a_gateway_says_what_it_can_do_and_remembers_what_was() {
    use std::io::{Read, Write};
    let folder = tempfile::tempdir().unwrap();
    let config = "[vehicle.memory]\n[history]\ndatapoints = 100\npaths = [\"Vehicle.Cabin.Infotainment\"]\n[inbox]\nfolder = \"notes\"\n\
                  [listen]\ntcp = [{ address = \"127.0.0.1:0\" }]\nwebsocket = [{ address = \"127.0.0.1:0\" }]\n";
    let served = Served::config(folder.path(), config, 2);
    let volume = "Vehicle.Cabin.Infotainment.Media.Volume";
    for value in ["10", "20", "30"] {
        assert_eq!(served.client(&["set", volume, value]).0, 0);
    }
    // The framing of docs/wire.md, by hand: a hello, then a message.
    let tcp = served.urls.iter().find_map(|url| url.strip_prefix("tcp://")).unwrap();
    let mut socket = std::net::TcpStream::connect(tcp).unwrap();
    let mut ask = |kind: u8, text: &str| {
        let mut frame = u32::try_from(text.len()).unwrap().to_be_bytes().to_vec();
        frame.push(kind);
        frame.extend(text.bytes());
        socket.write_all(&frame).unwrap();
        let mut head = [0; 5];
        socket.read_exact(&mut head).unwrap();
        let mut body = vec![0; u32::from_be_bytes(head[..4].try_into().unwrap()) as usize];
        socket.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    };
    assert!(ask(0, "coachwork/1 VISSv3").contains("VISSv3"));
    let past = format!(
        r#"{{"action":"get","path":"{volume}","filter":{{"variant":"history","parameter":"PT1H"}},"requestId":"1"}}"#
    );
    let past = ask(1, &past);
    let values: Vec<_> =
        json(&past)["data"]["dp"].as_array().unwrap().iter().map(|dp| dp["value"].clone()).collect();
    assert!(values.windows(2).any(|pair| pair == ["10", "20"]), "{past}");
    let able = ask(1, r#"{"action":"get","path":"Server.Support.Protocol","requestId":"2"}"#);
    assert!(json(&able)["data"]["dp"]["value"].as_array().unwrap().contains(&"tcp".into()), "{able}");
    assert!(folder.path().join("notes").is_dir());
    // And by our own client, over a WebSocket.
    let web = served.urls.iter().find(|url| url.starts_with("ws://")).unwrap().as_str();
    let (status, out, err) =
        run(&["history", "--server", web, volume, "--period", "PT1H", "--format", "json"]);
    assert_eq!(status, 0, "{err}");
    let values: Vec<_> = out.lines().map(|line| json(line)["value"].clone()).collect();
    assert!(values.windows(2).any(|pair| pair == [10, 20]), "{out}");
    assert!(out.lines().all(|line| json(line)["ts"].is_string() && json(line)["path"] == volume), "{out}");
    let (status, out, err) = served.client(&["history", volume, "Vehicle.Nope"]);
    assert!(status == 1 && out.contains(volume) && err.contains("Vehicle.Nope: "), "{out}{err}");
    let (status, out, err) = served.client(&["history", "Vehicle.Speed"]);
    assert!(status == 0 && out.is_empty() && err.contains("nothing was recorded"), "{out}{err}");
    assert_eq!(served.client(&["history", volume, "--period", "P1Y"]).0, 2);
    assert_eq!(served.stop(), 0);
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (status, out, err) = run(&["serve", "--listen", &format!("tcp://{}", taken.local_addr().unwrap())]);
    assert_eq!((status, out.as_str()), (1, ""), "{err}");
    assert!(err.contains(&format!("cannot listen on {}: ", taken.local_addr().unwrap())), "{err}");
}

#[test]
fn a_log_and_a_memory_are_one_car_and_the_log_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("car.dbc", "BU_: A\nBO_ 291 Drive: 1 A\n SG_ Speed : 0|8@1+ (1,0) [0|250] \"km/h\" A\n");
    write(
        "car.json",
        r#"{"Vehicle": {"type": "branch", "children": {"Speed": {"type": "sensor", "datatype": "float", "unit": "km/h",
            "dbc2vss": {"signal": "Speed", "interval_ms": 0}}}}}"#,
    );
    write("drive.log", "(1.000000) can0 123#0A\n(1.050000) can0 123#14\n(1.100000) can0 123#1E\n");
    write(
        "ours.json",
        r#"{"Vehicle": {"type": "branch", "children": {"Flag": {"type": "actuator", "datatype": "boolean", "description": "x"},
            "Seats": {"type": "attribute", "datatype": "uint8", "default": 5, "description": "x"}}}}"#,
    );
    let config = "[vehicle]\noverlay = [\"ours.json\"]\n[vehicle.memory]\n[[vehicle.log]]\nfile = \"drive.log\"\ndatabases = [\"car.dbc\"]\n\
                  mapping = \"car.json\"\nrepeat = true\nspeed = 2\n[[listen.tcp]]\naddress = \"127.0.0.1:0\"\n";
    let served = Served::config(folder.path(), config, 1);
    let (status, out, err) =
        served.client(&["subscribe", "--format", "json", "--queue", "100", "--count", "8", "Vehicle.Speed"]);
    assert_eq!(status, 0, "{err}");
    let values: Vec<f64> = out.lines().filter_map(|line| json(line)["value"].as_f64()).collect();
    assert!(values.windows(2).any(|pair| pair == [30.0, 10.0]), "it began again: {out}");
    // What no other part has, the memory has, and takes what it is asked.
    let path = "Vehicle.Cabin.Infotainment.Media.Volume";
    assert_eq!(served.client(&["set", path, "30"]).0, 0);
    assert!(served.client(&["get", path]).1.contains(" 30"));
    // What only the overlay has is there, and nobody moves it.
    assert!(served.client(&["get", "Vehicle.Flag"]).1.contains("never set"));
    assert!(served.client(&["get", "Vehicle.Seats"]).1.contains(" 5"), "an attribute says its default");
    let (status, _, err) = served.client(&["set", "Vehicle.Flag", "true"]);
    assert!(status == 3 || status == 1, "{status} {err}");
}
