//! Configs that are read, written and refused. Beside the module, which the fuzzer's crate includes as it is.

use super::config::*;
use proptest::prelude::*;

/// Everything that a config can say.
const WHOLE: &str = r#"
[vehicle]
overlay = ["ours.json"]
[[vehicle.bus]]
bus = "socketcan:can0"
databases = ["a.dbc", "b.dbc"]
mapping = "car.json"
start_values = "start.json"
listen_only = true
[[vehicle.log]]
file = "drive.log"
databases = ["a.dbc"]
mapping = "car.json"
speed = 10
repeat = true
[[vehicle.recording]]
file = "drive.rec"
speed = 0.5
[vehicle.simulator]
seed = 7
speed = 60
state_of_charge = 55
state_of_health = 90.5
odometer = 1000
outside_temperature = -8.0
weak_low_voltage_battery = true
[[vehicle.simulator.fault]]
what = "stuck"
path = "Vehicle.Speed"
from = 60
until = 120
[[vehicle.simulator.fault]]
what = "slow_leak"
wheel = "rear_left"
rate = 60
[vehicle.memory]
trees = ["vss.json"]

[[listen.websocket]]
address = "0.0.0.0:6443"
path = "/viss"
certificate = "server.pem"
key = "server.key"
clients = "clients.pem"
origins = ["https://example.org"]
[[listen.websocket]]
address = "10.0.0.1:80"
allow_plain_links = true
[[listen.tcp]]
address = "[::1]:6444"
[[listen.tcp]]
address = "0.0.0.0:6445"
certificate = "server.pem"
key = "server.key"
clients = "clients.pem"
[[listen.unix]]
path = "/run/car.sock"
[[listen.mqtt]]
url = "mqtts://broker.example/CAR1"
ca = "ca.pem"
certificate = "car.pem"
key = "car.key"
user = "car"
password = "password"
client = "car-1"
answers_under = "apps/"
peers = 10

[access]
anonymous = false
certificates = false
policy = "policy.txt"
keys = "keys"
vin = "WVWZZZ1JZ3W386752"
store = "store"
grants = ["grant.txt"]
status = ["status.cose"]

[limits]
connections = 10
message = 65536
idle_time = 600.5
drain_time = 1

[history]
datapoints = 1000
bytes = 100000
paths = ["Vehicle.Speed"]
[inbox]
folder = "notes"
[requests]
folder = "requests"
sync = false
[report]
file = "serve.log"
counters_every = 60
peers = true
[reload]
every = 2
"#;

fn fault(text: &str) -> String {
    Config::parse(text).unwrap_err().to_string()
}

#[test]
fn everything_is_read_and_written_and_read_as_the_same() {
    let config = Config::parse(WHOLE).unwrap();
    assert_eq!(config.vehicle.bus[0].databases.len(), 2);
    assert_eq!(config.limits.connections.unwrap().size(), 10);
    assert_eq!(config.limits.idle_time.unwrap().duration().as_millis(), 600_500);
    let text = config.to_text().unwrap();
    assert_eq!(Config::parse(&text).unwrap(), config, "{text}");
    assert_eq!(Config::parse(&text).unwrap().to_text().unwrap(), text);
}

#[test]
fn nothing_is_a_simulated_car_for_this_machine() {
    let config = Config::parse("").unwrap();
    assert_eq!(config, Config::default());
    let whole = config.completed();
    assert_eq!(whole.vehicle.simulator, Some(Simulator::default()));
    assert_eq!(whole.listen.websocket, [WebSocket::on(USUAL_ADDRESS.parse().unwrap())]);
    assert!(whole.access.takes_anonymous(&whole.listen));
    assert_eq!(Config::parse(&whole.to_text().unwrap()).unwrap(), whole);
    let memory = Config::parse("[vehicle.memory]").unwrap().completed();
    assert_eq!(memory.vehicle.simulator, None);
}

#[test]
fn each_fault_has_its_place_and_key() {
    let local = "[[listen.tcp]]\naddress = \"127.0.0.1:0\"\n";
    for (text, said) in [
        ("[vehicle", "1:9: unclosed table, expected `]`"),
        ("a = 1", "1:1: a: unknown field `a`, expected one of"),
        ("\n[limits]\n  connexions = 1\n", "3:3: limits.connexions: unknown field `connexions`"),
        ("[limits]\nconnections = 0", "2:15: limits.connections: 0 is not from 1 to 1000000"),
        ("[limits]\nconnections = -1", "2:15: limits.connections: -1 is not from 1"),
        ("[limits]\nconnections = 99999999999", "2:15: limits.connections: 99999999999 is not"),
        ("[limits]\nconnections = \"ten\"", "2:15: limits.connections: invalid type: string \"ten\""),
        ("[limits]\nidle_time = nan", "2:13: limits.idle_time: NaN is not from 0.001"),
        ("[limits]\nidle_time = -1", "2:13: limits.idle_time: -1 is not from 0.001"),
        ("[limits]\ndepth = 1000", "2:9: limits.depth: 1000 is not from 4 to 256"),
        ("[[listen.tcp]]\naddress = \"here\"", "2:11: listen.tcp[0].address: invalid socket address syntax"),
        ("[[listen.tcp]]\n", "1:1: listen.tcp[0]: missing field `address`"),
        (
            "[[listen.tcp]]\naddress = \"127.0.0.1:1\"\n[[listen.tcp]]\naddress = \"0.0.0.0:1\"",
            "4:11: listen.tcp[1].address: 0.0.0.0:1 is reached from other machines, and what travels there in the clear others can read \
             and change: give it `certificate` and `key`, or say `allow_plain_links = true`",
        ),
        (
            "[[listen.tcp]]\naddress = \"[::]:1\"\ncertificate = \"a\"",
            "listen.tcp[0].key: a certificate needs its key",
        ),
        (
            "[[listen.tcp]]\naddress = \"127.0.0.1:1\"\nclients = \"a\"",
            "listen.tcp[0].certificate: clients show certificates only to a server that has one",
        ),
        (
            "[[listen.tcp]]\naddress = \"[::]:1\"\ncertificate = \"a\"\nkey = \"b\"\nallow_plain_links = true",
            "5:21: listen.tcp[0].allow_plain_links: with a certificate, no link is plain",
        ),
        (
            "[[listen.tcp]]\naddress = \"[::]:1\"\ncertificate = \"a\"\nkey = \"b\"\nclients = \"c\"\n[[listen.unix]]\npath = \"d\"",
            "access.anonymous: it is reached from other machines: say who may come in",
        ),
        (
            "[[listen.websocket]]\naddress = \"192.168.1.2:1\"",
            "2:11: listen.websocket[0].address: 192.168.1.2:1 is reached from other machines, and what travels there in the clear others \
             can read and change: give it `certificate` and `key`, or say `allow_plain_links = true`",
        ),
        (
            "[[listen.websocket]]\naddress = \"[::]:1\"\ncertificate = \"a\"",
            "listen.websocket[0].key: a certificate needs its key",
        ),
        (
            "[[listen.websocket]]\naddress = \"[::]:1\"\ncertificate = \"a\"\nkey = \"b\"",
            "access.anonymous: it is reached from other machines: say who may come in",
        ),
        (&format!("{local}[access]\nanonymous = false"), "4:13: access.anonymous: nobody could come in"),
        (
            &format!("{local}[access]\nstatus = [\"a\"]"),
            "4:10: access.status: it is of use with a `policy` alone",
        ),
        (&format!("{local}[access]\npolicy = \"a\""), "access.keys: a policy needs to know whose grants"),
        (
            "[vehicle.simulator]\nstate_of_charge = 101",
            "2:19: vehicle.simulator.state_of_charge: 101 is not from 0 to 100",
        ),
        ("[[listen.mqtt]]\nurl = \"amqp://a/b\"", "2:7: listen.mqtt[0].url: it begins with neither"),
        (
            "[[listen.mqtt]]\nurl = \"mqtt://10.0.0.1/b\"",
            "listen.mqtt[0].url: what travels to the broker 10.0.0.1",
        ),
        (
            "[[listen.mqtt]]\nurl = \"mqtt://[::1]:5/b\"",
            "access.anonymous: it is reached from other machines",
        ),
        (
            "[[listen.mqtt]]\nurl = \"mqtts://a/b\"",
            "listen.mqtt[0].ca: mqtts:// needs to know whom to believe",
        ),
        (
            "[[listen.mqtt]]\nurl = \"mqtt://localhost/b\"\nuser = \"a\"",
            "listen.mqtt[0].password: a user needs a password",
        ),
        ("[vehicle.simulator]\nspeed = 0", "2:9: vehicle.simulator.speed: 0 is not from 0.001"),
        (
            "[[vehicle.simulator.fault]]\nwhat = \"stuck\"",
            "vehicle.simulator.fault[0].path: this fault needs it",
        ),
        (
            "[[vehicle.simulator.fault]]\nwhat = \"melted\"",
            "2:8: vehicle.simulator.fault[0].what: unknown variant `melted`",
        ),
        (
            "[[vehicle.log]]\nfile = \"a\"\nmapping = \"b\"\ndatabases = []",
            "4:13: vehicle.log[0].databases: it needs from 1",
        ),
        (
            "[[vehicle.log]]\nfile = \"\"\nmapping = \"b\"\ndatabases = [\"c\"]",
            "2:8: vehicle.log[0].file: it names no file",
        ),
    ] {
        let why = fault(text);
        assert!(why.contains(said), "{text}\nsaid {why:?}\nand not {said:?}");
    }
    let long = fault(&" ".repeat(MAX_CONFIG + 1));
    assert_eq!(long, "it has more than 262144 bytes");
}

#[test]
fn whoever_asks_each_peer_for_a_certificate_needs_to_say_no_more() {
    let shown = "address = \"0.0.0.0:1\"\ncertificate = \"a\"\nkey = \"b\"\nclients = \"c\"\n";
    for listen in
        [format!("[[listen.tcp]]\n{shown}"), format!("[[listen.tcp]]\n{shown}[[listen.websocket]]\n{shown}")]
    {
        let config = Config::parse(&listen).unwrap();
        assert!(!config.access.takes_anonymous(&config.listen));
        let open = format!("{listen}[[listen.tcp]]\naddress = \"127.0.0.1:0\"\n");
        assert!(fault(&open).contains("or `clients` of each transport"), "{open}");
    }
}

/// A config with something done to it.
fn mutated() -> impl Strategy<Value = String> {
    let bit = prop_oneof![
        Just("\""),
        Just("["),
        Just("]"),
        Just("="),
        Just("\n"),
        Just("nan"),
        Just("-1"),
        Just("[[listen.tcp]]\n"),
        Just("{}"),
        Just("'''"),
        Just("\u{e4}"),
        Just("#"),
        Just("1e400"),
        Just("99999999999999999999"),
        Just("true"),
        Just("."),
    ];
    let change = (any::<prop::sample::Index>(), 0_usize..12, bit);
    prop::collection::vec(change, 1..6).prop_map(|changes| {
        let mut text = WHOLE.to_owned();
        for (at, cut, bit) in changes {
            let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let start = boundaries[at.index(boundaries.len())];
            let end = boundaries.iter().copied().find(|&end| end >= start + cut).unwrap_or(text.len());
            text.replace_range(start..end, bit);
        }
        text
    })
}

proptest! {
    #[test]
    fn a_mutated_config_is_read_or_refused_with_a_place(text in mutated()) {
        match Config::parse(&text) {
            Ok(config) => {
                let again = config.to_text().unwrap();
                prop_assert_eq!(Config::parse(&again).unwrap(), config);
            }
            Err(why) => {
                let line = text.split('\n').nth(why.line - 1);
                prop_assert!(line.is_some_and(|line| why.column <= line.chars().count() + 1), "{why} in\n{text}");
                prop_assert!(!why.why.is_empty());
            }
        }
    }
}
