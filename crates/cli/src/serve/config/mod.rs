//! A config file in TOML becomes what `coachwork serve` does, and back.
//!
//! *Invariant:* reading is bounded, and stops at the first thing that is wrong, with its line, column and key; an unknown key is wrong. What is
//! written is read again as the same. Nothing secret is in it: keys and tokens are named by their files. It opens none of them.
//! *Next:* `check.rs` (what does not fit together), `place.rs` (where in the text), `values.rs` (numbers with bounds); `../car.rs`, `../transports.rs` and
//! `../access.rs` do what it says.

mod check;
mod place;
mod values;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use self::values::{Count, Factor, Seconds};

/// The longest config, in bytes.
pub(crate) const MAX_CONFIG: usize = 1 << 18;

/// The address where it listens when nothing else is said: this machine alone, the port of VISS.
pub(crate) const USUAL_ADDRESS: &str = "127.0.0.1:6443";

/// Everything that `coachwork serve` does. The default is a simulated car for this machine.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Which vehicle is served.
    pub(crate) vehicle: Vehicle,
    /// Where it can be reached.
    pub(crate) listen: Listen,
    /// Who may come in.
    pub(crate) access: Access,
    /// What a peer may hold.
    pub(crate) limits: Limits,
    /// What it remembers, for the filter `history`; without it, nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<History>,
    /// Where it stores what the queues of clients deliver; without it, that is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inbox: Option<Inbox>,
    /// Where it remembers the requests that were made under keys; without it, in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requests: Option<Requests>,
    /// Where it says what it does.
    pub(crate) report: Report,
    /// How it notices that files have changed.
    pub(crate) reload: Reload,
}

/// One vehicle, or several as one. Where several have a path, the first of these has it: buses, logs, recordings, the simulator, the memory.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Vehicle {
    /// VSS trees in JSON, each laid over the ones before: what they have and no vehicle does is there, was never set and cannot be.
    pub(crate) overlay: Vec<PathBuf>,
    /// CAN buses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) bus: Vec<OnBus>,
    /// Logs of CAN buses, played.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) log: Vec<OfLog>,
    /// Recordings of datapoints, played.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) recording: Vec<Recording>,
    /// A simulated car.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) simulator: Option<Simulator>,
    /// A car in memory, whose actuators are at once where they are asked to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<Memory>,
}

/// A CAN bus as a vehicle.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OnBus {
    /// The bus, as python-can names it: `socketcan:can0`, `socketcand:HOST:PORT/can0`, `slcan:/dev/ttyACM0`.
    pub(crate) bus: String,
    /// DBC files; of several, the first that has a message speaks for it.
    pub(crate) databases: Vec<PathBuf>,
    /// Which signal is which path.
    pub(crate) mapping: PathBuf,
    /// What signals carry that nothing else is known of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start_values: Option<PathBuf>,
    /// Nothing is ever sent.
    #[serde(default)]
    pub(crate) listen_only: bool,
}

/// A log of a CAN bus as a vehicle.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfLog {
    /// The log, of any format that is read.
    pub(crate) file: PathBuf,
    /// DBC files; of several, the first that has a message speaks for it.
    pub(crate) databases: Vec<PathBuf>,
    /// Which signal is which path.
    pub(crate) mapping: PathBuf,
    /// How many times its own pace.
    #[serde(default)]
    pub(crate) speed: Factor,
    /// Begins again when it has ended.
    #[serde(default)]
    pub(crate) repeat: bool,
}

/// A recording of datapoints as a vehicle.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recording {
    /// The recording.
    pub(crate) file: PathBuf,
    /// How many times its own pace.
    #[serde(default)]
    pub(crate) speed: Factor,
}

/// The simulated car; what is not given is as in a scenario of that seed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Simulator {
    /// Decides every choice of the drive.
    pub(crate) seed: u32,
    /// How many times faster than the time of day its clock runs. Its datapoints then are of its own time.
    pub(crate) speed: Factor,
    /// In percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state_of_charge: Option<f64>,
    /// In percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state_of_health: Option<f64>,
    /// In metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) odometer: Option<u32>,
    /// In degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outside_temperature: Option<f64>,
    /// Whether the 12 V battery is weak.
    pub(crate) weak_low_voltage_battery: bool,
    /// What goes wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fault: Vec<Fault>,
}

/// Something that goes wrong in the simulated car.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// What.
    pub(crate) what: What,
    /// Where, of a fault of a signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// Where, of a leak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wheel: Option<Wheel>,
    /// How fast: kPa an hour of a leak, percent an hour of a battery that ages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<f64>,
    /// From when on, in seconds after the start.
    #[serde(default)]
    pub(crate) from: f64,
    /// Until when; without it, for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<f64>,
}

/// The kinds of [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    Stuck,
    Lost,
    NotAvailable,
    Wrong,
    Blocked,
    SlowLeak,
    BatteryAgeing,
    WeakLowVoltageBattery,
}

/// A wheel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wheel {
    FrontLeft,
    FrontRight,
    RearLeft,
    RearRight,
}

/// A car in memory.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Memory {
    /// VSS trees in JSON, each laid over the ones before; without any, VSS 6.0.
    pub(crate) trees: Vec<PathBuf>,
}

/// The transports, any number of each.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Listen {
    /// VISS over WebSocket.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) websocket: Vec<WebSocket>,
    /// Framed messages over TCP.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tcp: Vec<Tcp>,
    /// Framed messages over a unix socket.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unix: Vec<Unix>,
    /// VISS through an MQTT broker.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) mqtt: Vec<Mqtt>,
}

/// A WebSocket.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebSocket {
    /// An IP address and a port; port 0 takes a free one.
    pub(crate) address: SocketAddr,
    /// The path of the URL.
    #[serde(default = "root")]
    pub(crate) path: String,
    /// The chain of certificates, in PEM: then it is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<PathBuf>,
    /// The key of the certificate, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
    /// Whose certificates clients must show, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clients: Option<PathBuf>,
    /// Pages of these sites may connect too, as a browser names them; `*` is any.
    #[serde(default)]
    pub(crate) origins: Vec<String>,
    /// Others may read and change what travels.
    #[serde(default)]
    pub(crate) allow_plain_links: bool,
}

fn root() -> String {
    "/".to_owned()
}

/// A TCP port.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tcp {
    /// An IP address and a port; port 0 takes a free one.
    pub(crate) address: SocketAddr,
    /// The chain of certificates, in PEM: then it is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<PathBuf>,
    /// The key of the certificate, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
    /// Whose certificates clients must show, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clients: Option<PathBuf>,
    /// Others may read and change what travels.
    #[serde(default)]
    pub(crate) allow_plain_links: bool,
}

/// A unix socket.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unix {
    /// Its file.
    pub(crate) path: PathBuf,
}

/// A broker that the car goes to, and whoever asks it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mqtt {
    /// The broker and the car's name at it: `mqtts://broker.example:8883/VEHICLE`.
    pub(crate) url: String,
    /// Whom to believe that it is the broker, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// What the car shows to the broker, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<PathBuf>,
    /// The key of the certificate, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
    /// The car's name as a user of the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// The file with the user's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<PathBuf>,
    /// Its name among the broker's clients; without it, a random one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
    /// Only topics that begin so get answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answers_under: Option<String>,
    /// How many peers there may be at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peers: Option<Count<1, 100_000>>,
    /// Whether peers speak version 2 of VISS, on which MQTT has no way to agree.
    #[serde(default)]
    pub(crate) version_2: bool,
    /// Others may read and change what travels to the broker.
    #[serde(default)]
    pub(crate) allow_plain_links: bool,
}

/// Who may come in, and to what.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Access {
    /// Whether somebody who shows nothing may come in: to the whole vehicle, or to what the policy gives to all. Without it, where every
    /// transport is within this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) anonymous: Option<bool>,
    /// Whether somebody with a client certificate may come in, and to the same. Without it, yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificates: Option<bool>,
    /// What needs which grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<PathBuf>,
    /// The folder with `root.pub` and `keys.cose`: whose grants are believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keys: Option<PathBuf>,
    /// The car that grants are for, by its VIN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vin: Option<String>,
    /// The same by an id of its maker, 32 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vehicle: Option<String>,
    /// Where the car keeps grants and time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) store: Option<PathBuf>,
    /// Grants of the car itself; the status lists that they name are taken.
    pub(crate) grants: Vec<PathBuf>,
    /// Status lists: what was withdrawn.
    pub(crate) status: Vec<PathBuf>,
}

/// What a peer may hold; each as in the gateway's options and the transport's limits.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connections: Option<Count<1, 1_000_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connections_per_host: Option<Count<1, 1_000_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) handshakes: Option<Count<1, 100_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) handshake_time: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) write_time: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_time: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle_time: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admissions: Option<Count<1, 1_000_000>>,
    /// Bytes in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_in: Option<Count<1024, 1_000_000_000>>,
    /// Bytes in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_out: Option<Count<1024, 1_000_000_000>>,
    /// How many datapoints a slow peer may lose before it is cut off; without it, it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cut_slow_peers_after: Option<Count<1, 4_000_000_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<Count<1024, 268_435_456>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) write_buffer: Option<Count<1024, 268_435_456>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) depth: Option<Count<4, 256>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requests: Option<Count<1, 1_000_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subscriptions: Option<Count<1, 1_000_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receipts: Option<Count<1, 1_000_000>>,
    /// Datapoints in an answer to the filter `history`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<Count<1, 10_000_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paths: Option<Count<1, 1_000_000>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_time: Option<Seconds>,
    /// How long peers have to go when it is told to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drain_time: Option<Seconds>,
}

/// What it remembers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct History {
    /// How many datapoints; 100,000 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) datapoints: Option<Count<1, 100_000_000>>,
    /// How many bytes; 16 MiB where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<Count<1024, 4_000_000_000>>,
    /// Patterns of the paths that are remembered; without any, all.
    pub(crate) paths: Vec<String>,
}

/// Where it stores what the queues of clients deliver.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inbox {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// How many bytes it may have; 256 MiB where nothing is said. One that is full refuses what comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<Count<1024, 4_000_000_000>>,
}

/// Where it remembers the requests that were made under keys, so that none is made twice over its restarts.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requests {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// Whether each is synced before it is made, against a loss of power; yes where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sync: Option<bool>,
}

/// Where it says what it does.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Report {
    /// A file to append to, opened anew on SIGHUP; without it, standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<PathBuf>,
    /// Whether it tells of each peer that comes, goes, and is refused something.
    pub(crate) peers: bool,
    /// How often the gateway's counters are told; without it, never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) counters_every: Option<Seconds>,
}

/// How it notices that certificates, keys, policy and status lists have changed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Reload {
    /// How often it looks. SIGHUP makes it look at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) every: Option<Seconds>,
}

/// What is wrong with a config, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigError {
    /// The line, from 1; 0 where it is the whole text.
    pub(crate) line: usize,
    /// The column in characters, from 1.
    pub(crate) column: usize,
    /// The key, as in `listen.tcp[0].address`; empty where there is none.
    pub(crate) key: String,
    /// What is wrong.
    pub(crate) why: String,
}

impl Config {
    /// Reads a config, whole.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.len() > MAX_CONFIG {
            let why = format!("it has more than {MAX_CONFIG} bytes");
            return Err(ConfigError { line: 0, column: 0, key: String::new(), why });
        }
        let read = toml::from_str::<Self>(text);
        let config = read.map_err(|why| place::of_error(text, why.span(), why.message()))?;
        config.check().map_err(|fault| place::of_fault(text, &fault))?;
        Ok(config)
    }

    /// The same with what is served and listened on when nothing was said.
    pub(crate) fn completed(mut self) -> Self {
        let car = &mut self.vehicle;
        let none = car.bus.is_empty() && car.log.is_empty() && car.recording.is_empty();
        if none && car.simulator.is_none() && car.memory.is_none() {
            car.simulator = Some(Simulator::default());
        }
        let listen = &mut self.listen;
        if *listen == Listen::default() {
            listen.websocket.extend(USUAL_ADDRESS.parse().map(WebSocket::on));
        }
        self
    }

    /// Writes it down, to be read again.
    ///
    /// # Errors
    /// It has a file name that is no text.
    pub(crate) fn to_text(&self) -> Result<String, String> {
        toml::to_string(self).map_err(|why| why.to_string())
    }
}

impl WebSocket {
    /// A plain one on an address.
    pub(crate) fn on(address: SocketAddr) -> Self {
        Self {
            address,
            path: root(),
            certificate: None,
            key: None,
            clients: None,
            origins: Vec::new(),
            allow_plain_links: false,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.why)
    }
}
