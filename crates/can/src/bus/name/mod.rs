//! The name of a bus, as python-can has them, becomes what is to be opened: `interface:channel?option=value&…`.
//!
//! *Invariant:* nothing is opened, looked up or read here, the environment included (it is handed in); an option that the interface does not
//! know is refused, never passed over. What is displayed reads back the same.
//! *Next:* `words.rs` (text to words), `error.rs`; coachwork-tokio's `can` (which opens them).

mod error;
mod words;

pub use error::BusNameError;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use words::{Options, Words};

/// What a bus is called: an interface, a channel of it, and options.
///
/// The words are python-can's. `docs/buses.md` lists them all.
///
/// ```
/// use coachwork_can::bus::BusName;
///
/// let name: BusName = "socketcand:gateway.local:29536/can0".parse()?;
/// assert_eq!(name, "socketcand:can0?host=gateway.local".parse()?);
/// assert_eq!(name.channel(), "can0");
/// let Err(error) = "pcan:PCAN_USBBUS1".parse::<BusName>() else { return Err("no such interface".into()) };
/// assert_eq!(error.to_string(), "`pcan` is an interface of python-can that is not one of ours: socketcan, socketcand, slcan, virtual");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BusName {
    /// `socketcan:can0`: an interface of the Linux kernel.
    SocketCan(SocketCanName),
    /// `socketcand:host:port/can0`: a bus that a socketcand daemon offers over TCP.
    Socketcand(SocketcandName),
    /// `slcan:/dev/ttyACM0@115200`: an adapter on a serial line.
    Slcan(SlcanName),
    /// `virtual:name`: a bus in the process.
    Virtual(String),
}

/// A CAN interface of the Linux kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of python-can's, with its word")]
pub struct SocketCanName {
    /// The interface, such as `can0`.
    pub channel: String,
    /// Whether CAN FD frames come and go (`fd`, default `true`; classic frames do in any case).
    pub fd: bool,
    /// Whether what this socket sends comes back to it, when it was on the wire (`receive_own_messages`, default `false`).
    pub receive_own_messages: bool,
    /// Whether other sockets of this machine see what is sent (`local_loopback`, default `true`).
    pub local_loopback: bool,
    /// Whether error frames are left out (`ignore_rx_error_frames`, default `false`).
    pub ignore_rx_error_frames: bool,
}

/// A bus behind a socketcand daemon.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SocketcandName {
    /// The host name or address, an IPv6 one without brackets (`host`).
    pub host: String,
    /// The TCP port (`port`, default 29536).
    pub port: u16,
    /// What the daemon calls the bus.
    pub channel: String,
}

/// An adapter that speaks slcan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SlcanName {
    /// Where the adapter is.
    pub port: SlcanPort,
    /// The bit rate of the bus, in bit/s (`bitrate`), one of [`SlcanName::BITRATES`]; `None` leaves the adapter's own.
    pub bitrate: Option<u32>,
    /// The bit rate of the data phase of CAN FD frames, in bit/s (`data_bitrate`): 2,000,000 or 5,000,000.
    pub data_bitrate: Option<u32>,
    /// The registers BTR0 and BTR1 instead of a bit rate (`btr`), in hexadecimal: four digits.
    pub btr: Option<u16>,
    /// Whether the adapter only listens (`listen_only`, default `false`).
    pub listen_only: bool,
    /// Whether the adapter is asked for its time stamps (`timestamps`, default `false`; not in python-can).
    pub timestamps: bool,
    /// Whether RTS and CTS hold the line back (`rtscts`, default `false`).
    pub rtscts: bool,
    /// How long the adapter has from the opening of its port to its first command (`sleep_after_open`, in seconds, default 2 for a serial port:
    /// some restart when their port is opened).
    pub sleep_after_open: Duration,
}

/// Where an slcan adapter is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlcanPort {
    /// A serial port: `/dev/ttyACM0`, `COM4`.
    Serial {
        /// The path or name of the port.
        path: String,
        /// Its speed in baud (`@115200` or `tty_baudrate`, default 115,200).
        baud: u32,
    },
    /// A raw TCP socket that leads to one: `socket://host:port`.
    Tcp {
        /// The host name or address, an IPv6 one without brackets.
        host: String,
        /// The TCP port.
        port: u16,
    },
}

impl SocketcandName {
    /// The port that socketcand listens on where nothing else is said.
    pub const DEFAULT_PORT: u16 = 29536;
}

impl SlcanName {
    /// The bit rates that slcan has commands for, in bit/s, in the order of the commands `S0` to `S9`.
    pub const BITRATES: [u32; 10] =
        [10_000, 20_000, 50_000, 100_000, 125_000, 250_000, 500_000, 750_000, 1_000_000, 83_300];
}

impl BusName {
    /// The interface's word: `socketcan`, `socketcand`, `slcan` or `virtual`.
    pub fn interface(&self) -> &'static str {
        match self {
            Self::SocketCan(_) => words::SOCKETCAN,
            Self::Socketcand(_) => words::SOCKETCAND,
            Self::Slcan(_) => words::SLCAN,
            Self::Virtual(_) => words::VIRTUAL,
        }
    }

    /// The channel: the part that tells the buses of one interface apart.
    pub fn channel(&self) -> &str {
        match self {
            Self::SocketCan(name) => &name.channel,
            Self::Socketcand(name) => &name.channel,
            Self::Slcan(SlcanName { port: SlcanPort::Serial { path, .. }, .. }) => path,
            Self::Slcan(SlcanName { port: SlcanPort::Tcp { host, .. }, .. }) => host,
            Self::Virtual(name) => name,
        }
    }

    /// The name that somebody gave, completed by the environment as python-can does it: `CAN_INTERFACE`, `CAN_CHANNEL`, `CAN_BITRATE` and
    /// `CAN_CONFIG` (a JSON object of options). What was given stands above the environment, and the single variables above `CAN_CONFIG`.
    /// `given` may be a whole name, a channel alone where the environment has the interface, or nothing where it has both.
    ///
    /// `variable` gives the value of an environment variable, as `|name| std::env::var(name).ok()` does.
    ///
    /// ```
    /// use coachwork_can::bus::BusName;
    ///
    /// let environment = |name: &str| match name {
    ///     "CAN_INTERFACE" => Some("slcan".to_owned()),
    ///     "CAN_BITRATE" => Some("500000".to_owned()),
    ///     _ => None,
    /// };
    /// let name = BusName::resolve(Some("/dev/ttyACM0"), environment)?;
    /// assert_eq!(name.to_string(), "slcan:/dev/ttyACM0@115200?bitrate=500000");
    /// # Ok::<(), coachwork_can::bus::BusNameError>(())
    /// ```
    ///
    /// # Errors
    /// As [`BusName::from_str`], and where neither has an interface or a channel.
    pub fn resolve(
        given: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, BusNameError> {
        Self::of(Words::resolve(given, variable)?)
    }

    fn of(words: Words) -> Result<Self, BusNameError> {
        let Words { interface, channel, mut options } = words;
        let name = match interface {
            words::SOCKETCAN => Self::SocketCan(SocketCanName::of(channel, &mut options)?),
            words::SOCKETCAND => Self::Socketcand(SocketcandName::of(channel, &mut options)?),
            words::SLCAN => Self::Slcan(SlcanName::of(channel, &mut options)?),
            _ => Self::Virtual(required(interface, channel)?),
        };
        options.end()?;
        Ok(name)
    }
}

/// Reads `interface:channel`, with options as `?word=value&word=value`.
///
/// # Errors
/// No interface or one that there is not, no channel, an option that the interface does not have, or a value that the option does not take.
impl FromStr for BusName {
    type Err = BusNameError;

    fn from_str(name: &str) -> Result<Self, BusNameError> {
        Self::of(Words::parse(name)?)
    }
}

/// A name that reads back the same, with those options that are not the default.
impl fmt::Display for BusName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.interface())?;
        match self {
            Self::SocketCan(name) => name.fmt(f),
            Self::Socketcand(name) => write!(f, "{}/{}", Address(&name.host, name.port), name.channel),
            Self::Slcan(name) => name.fmt(f),
            Self::Virtual(name) => f.write_str(name),
        }
    }
}

/// The channel of an interface that cannot do without.
fn required(interface: &'static str, channel: Option<String>) -> Result<String, BusNameError> {
    channel.filter(|channel| !channel.is_empty()).ok_or(BusNameError::NoChannel { interface })
}

impl SocketCanName {
    fn of(channel: Option<String>, options: &mut Options) -> Result<Self, BusNameError> {
        options.does_not_need("bitrate");
        let channel = required(words::SOCKETCAN, channel)?;
        // IFNAMSIZ is 16, with the end of the text.
        if channel.len() > 15 || !channel.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') {
            let expected = "a network interface: at most 15 printable characters, no `/`";
            return Err(BusNameError::BadChannel { interface: words::SOCKETCAN, channel, expected });
        }
        Ok(Self {
            channel,
            fd: options.flag("fd")?.unwrap_or(true),
            receive_own_messages: options.flag("receive_own_messages")?.unwrap_or(false),
            local_loopback: options.flag("local_loopback")?.unwrap_or(true),
            ignore_rx_error_frames: options.flag("ignore_rx_error_frames")?.unwrap_or(false),
        })
    }

    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = Separator::new();
        f.write_str(&self.channel)?;
        separator.flag(f, "fd", self.fd, true)?;
        separator.flag(f, "receive_own_messages", self.receive_own_messages, false)?;
        separator.flag(f, "local_loopback", self.local_loopback, true)?;
        separator.flag(f, "ignore_rx_error_frames", self.ignore_rx_error_frames, false)
    }
}

impl SocketcandName {
    fn of(channel: Option<String>, options: &mut Options) -> Result<Self, BusNameError> {
        options.does_not_need("bitrate");
        // Small commands are sent at once in any case.
        options.flag("tcp_tune")?;
        let text = required(words::SOCKETCAND, channel)?;
        let bad = |expected| BusNameError::BadChannel {
            interface: words::SOCKETCAND,
            channel: text.clone(),
            expected,
        };
        let (address, channel) = match text.rsplit_once('/') {
            Some((address, channel)) => (Some(address), channel),
            None => (None, text.as_str()),
        };
        let (mut host, mut port) = match address {
            Some(address) => words::address(address)
                .map(|(host, port)| (Some(host.to_owned()), port))
                .ok_or_else(|| bad("host:port/channel, such as 192.168.0.5:29536/can0"))?,
            None => (None, None),
        };
        for (word, part_is_there) in [("host", host.is_some()), ("port", port.is_some())] {
            if part_is_there && options.has(word) {
                return Err(BusNameError::Twice { option: word });
            }
        }
        if let Some(other) = options.text("host") {
            host = Some(other);
        }
        if let Some(other) = options.number("port", 1..=65535, "a port: 1 to 65535")? {
            port = u16::try_from(other).ok();
        }
        // The daemon reads the name with `scanf`, into 16 bytes.
        if channel.is_empty() || channel.len() > 16 || !channel.bytes().all(is_plain) {
            return Err(bad("a channel of at most 16 printable characters"));
        }
        Ok(Self {
            host: host.ok_or(BusNameError::NoHost)?,
            port: port.unwrap_or(Self::DEFAULT_PORT),
            channel: channel.to_owned(),
        })
    }
}

impl SlcanName {
    fn of(channel: Option<String>, options: &mut Options) -> Result<Self, BusNameError> {
        let text = required(words::SLCAN, channel)?;
        let baud = options.number("tty_baudrate", 1..=20_000_000, "a speed in baud")?;
        let port = SlcanPort::of(&text, baud)?;
        let is_serial = matches!(port, SlcanPort::Serial { .. });
        let listed = "one of 10000, 20000, 50000, 83300, 100000, 125000, 250000, 500000, 750000, 1000000";
        let name = Self {
            port,
            bitrate: options.choice("bitrate", &Self::BITRATES, listed)?,
            data_bitrate: options.choice("data_bitrate", &[2_000_000, 5_000_000], "2000000 or 5000000")?,
            btr: options.hexadecimal("btr")?,
            listen_only: options.flag("listen_only")?.unwrap_or(false),
            timestamps: options.flag("timestamps")?.unwrap_or(false),
            rtscts: options.flag("rtscts")?.unwrap_or(false),
            sleep_after_open: options.seconds("sleep_after_open")?.unwrap_or(Self::sleep(is_serial)),
        };
        if name.bitrate.is_some() && name.btr.is_some() {
            return Err(BusNameError::Together { options: ("bitrate", "btr") });
        }
        Ok(name)
    }

    /// How long an adapter needs after its port was opened, where nothing else is said.
    const fn sleep(is_serial: bool) -> Duration {
        if is_serial { Duration::from_secs(2) } else { Duration::ZERO }
    }

    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_serial = match &self.port {
            SlcanPort::Serial { path, baud } => {
                write!(f, "{path}@{baud}")?;
                true
            }
            SlcanPort::Tcp { host, port } => {
                write!(f, "socket://{}", Address(host, *port))?;
                false
            }
        };
        let mut separator = Separator::new();
        if let Some(bitrate) = self.bitrate {
            separator.next(f)?;
            write!(f, "bitrate={bitrate}")?;
        }
        if let Some(bitrate) = self.data_bitrate {
            separator.next(f)?;
            write!(f, "data_bitrate={bitrate}")?;
        }
        if let Some(btr) = self.btr {
            separator.next(f)?;
            write!(f, "btr={btr:04X}")?;
        }
        separator.flag(f, "listen_only", self.listen_only, false)?;
        separator.flag(f, "timestamps", self.timestamps, false)?;
        separator.flag(f, "rtscts", self.rtscts, false)?;
        if self.sleep_after_open != Self::sleep(is_serial) {
            separator.next(f)?;
            write!(f, "sleep_after_open={}", self.sleep_after_open.as_secs_f64())?;
        }
        Ok(())
    }
}

impl SlcanPort {
    fn of(text: &str, baud: Option<u32>) -> Result<Self, BusNameError> {
        let bad = |expected| BusNameError::BadChannel {
            interface: words::SLCAN,
            channel: text.to_owned(),
            expected,
        };
        if let Some((scheme, address)) = text.split_once("://") {
            if scheme != "socket" || baud.is_some() {
                return Err(bad("a serial port, such as /dev/ttyACM0@115200, or socket://host:port"));
            }
            return match words::address(address) {
                Some((host, Some(port))) => Ok(Self::Tcp { host: host.to_owned(), port }),
                _ => Err(bad("socket://host:port")),
            };
        }
        let (path, at) = match text.rsplit_once('@') {
            None => (text, None),
            Some((path, at)) => {
                let speed = at.parse().ok().filter(|speed| (1..=20_000_000).contains(speed));
                (path, Some(speed.ok_or_else(|| bad("port@baud, such as /dev/ttyACM0@115200"))?))
            }
        };
        if at.is_some() && baud.is_some() {
            return Err(BusNameError::Twice { option: "tty_baudrate" });
        }
        if path.is_empty() || path.contains('\0') {
            return Err(bad("port@baud, such as /dev/ttyACM0@115200"));
        }
        Ok(Self::Serial { path: path.to_owned(), baud: at.or(baud).unwrap_or(115_200) })
    }
}

/// What a name within an element of socketcand may consist of.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'<' && byte != b'>'
}

/// A host and a port; an IPv6 address in brackets.
struct Address<'a>(&'a str, u16);

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(host, port) = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// `?` before the first option, `&` before the others.
struct Separator(char);

impl Separator {
    const fn new() -> Self {
        Self('?')
    }

    fn next(&mut self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Write::write_char(f, std::mem::replace(&mut self.0, '&'))
    }

    fn flag(&mut self, f: &mut fmt::Formatter<'_>, word: &str, is: bool, default: bool) -> fmt::Result {
        if is != default {
            self.next(f)?;
            write!(f, "{word}={is}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
