//! What parts of a config mean together, and what of it makes no sense.
//!
//! *Invariant:* what passes here can be tried: nothing is reachable in the clear that was not said to be, and somebody may come in.
//! *Next:* `mod.rs` (which asks), `place.rs` (which finds the key in the text).

use std::net::SocketAddr;
use std::path::Path;

use super::{Access, Config, Fault as Trouble, Listen, Mqtt, Simulator, What};

/// What does not fit, and the key that it is about.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) key: String,
    pub(super) why: String,
}

/// The most of anything that is listed.
const MOST: usize = 64;
/// The most faults of a simulated car.
const MOST_FAULTS: usize = 1000;
/// The longest text.
const LONGEST: usize = 4096;

fn fault(key: impl Into<String>, why: impl Into<String>) -> Fault {
    Fault { key: key.into(), why: why.into() }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), Fault> {
        self.check_counts()?;
        self.check_texts()?;
        if let Some(simulator) = &self.vehicle.simulator {
            check_simulator(simulator)?;
        }
        check_listen(&self.listen)?;
        check_access(&self.access, &self.listen)
    }

    fn check_counts(&self) -> Result<(), Fault> {
        let (car, listen) = (&self.vehicle, &self.listen);
        let lists = [
            ("vehicle.overlay", car.overlay.len()),
            ("vehicle.bus", car.bus.len()),
            ("vehicle.log", car.log.len()),
            ("vehicle.recording", car.recording.len()),
            ("vehicle.memory.trees", car.memory.as_ref().map_or(0, |memory| memory.trees.len())),
            ("listen.websocket", listen.websocket.len()),
            ("listen.tcp", listen.tcp.len()),
            ("listen.unix", listen.unix.len()),
            ("listen.mqtt", listen.mqtt.len()),
            ("access.grants", self.access.grants.len()),
            ("access.status", self.access.status.len()),
            ("history.paths", self.history.as_ref().map_or(0, |history| history.paths.len())),
        ];
        if let Some((key, _)) = lists.iter().find(|(_, count)| *count > MOST) {
            return Err(fault(*key, format!("there are more than {MOST}")));
        }
        let on_bus = car.bus.iter().map(|bus| &bus.databases).enumerate();
        let of_log = car.log.iter().map(|log| &log.databases).enumerate();
        let named = on_bus.map(|it| ("bus", it)).chain(of_log.map(|it| ("log", it)));
        for (kind, (index, databases)) in named {
            if databases.is_empty() || databases.len() > MOST {
                let key = format!("vehicle.{kind}[{index}].databases");
                return Err(fault(key, format!("it needs from 1 to {MOST} databases")));
            }
        }
        Ok(())
    }

    fn check_texts(&self) -> Result<(), Fault> {
        let paths = |key: &'static str, paths: &[std::path::PathBuf]| {
            paths.iter().enumerate().try_for_each(|(index, path)| named(format!("{key}[{index}]"), path))
        };
        let maybe = |key: &str, path: Option<&std::path::PathBuf>| {
            path.map_or(Ok(()), |path| named(key.to_owned(), path))
        };
        let (car, access) = (&self.vehicle, &self.access);
        paths("vehicle.overlay", &car.overlay)?;
        for (index, bus) in car.bus.iter().enumerate() {
            let key = |name: &str| format!("vehicle.bus[{index}].{name}");
            short(key("bus"), &bus.bus)?;
            named(key("mapping"), &bus.mapping)?;
            maybe(&key("start_values"), bus.start_values.as_ref())?;
            bus.databases.iter().try_for_each(|path| named(key("databases"), path))?;
        }
        for (index, log) in car.log.iter().enumerate() {
            let key = |name: &str| format!("vehicle.log[{index}].{name}");
            named(key("file"), &log.file)?;
            named(key("mapping"), &log.mapping)?;
            log.databases.iter().try_for_each(|path| named(key("databases"), path))?;
        }
        for (index, recording) in car.recording.iter().enumerate() {
            named(format!("vehicle.recording[{index}].file"), &recording.file)?;
        }
        if let Some(memory) = &car.memory {
            paths("vehicle.memory.trees", &memory.trees)?;
        }
        for (key, path) in [
            ("access.policy", &access.policy),
            ("access.keys", &access.keys),
            ("access.store", &access.store),
            ("report.file", &self.report.file),
        ] {
            maybe(key, path.as_ref())?;
        }
        maybe("inbox.folder", self.inbox.as_ref().map(|inbox| &inbox.folder))?;
        maybe("requests.folder", self.requests.as_ref().map(|requests| &requests.folder))?;
        for (index, pattern) in self.history.iter().flat_map(|history| history.paths.iter().enumerate()) {
            short(format!("history.paths[{index}]"), pattern)?;
        }
        paths("access.grants", &access.grants)?;
        paths("access.status", &access.status)
    }
}

fn named(key: String, path: &Path) -> Result<(), Fault> {
    if path.as_os_str().is_empty() {
        return Err(fault(key, "it names no file"));
    }
    if path.as_os_str().len() > LONGEST || path.to_string_lossy().contains('\0') {
        return Err(fault(key, "that is no file name"));
    }
    Ok(())
}

fn short(key: String, text: &str) -> Result<(), Fault> {
    if text.is_empty() || text.len() > LONGEST {
        return Err(fault(key, format!("a text has from 1 to {LONGEST} bytes")));
    }
    Ok(())
}

fn check_simulator(simulator: &Simulator) -> Result<(), Fault> {
    let within = |name: &str, value: Option<f64>, low: f64, high: f64| match value {
        // A NaN is in no range.
        Some(value) if !(low..=high).contains(&value) => {
            Err(fault(format!("vehicle.simulator.{name}"), format!("{value} is not from {low} to {high}")))
        }
        _ => Ok(()),
    };
    within("state_of_charge", simulator.state_of_charge, 0.0, 100.0)?;
    within("state_of_health", simulator.state_of_health, 50.0, 100.0)?;
    within("odometer", simulator.odometer.map(f64::from), 0.0, 2_000_000_000.0)?;
    within("outside_temperature", simulator.outside_temperature, -40.0, 60.0)?;
    if simulator.fault.len() > MOST_FAULTS {
        return Err(fault("vehicle.simulator.fault", format!("there are more than {MOST_FAULTS}")));
    }
    simulator.fault.iter().enumerate().try_for_each(|(index, trouble)| check_trouble(index, trouble))
}

fn check_trouble(index: usize, trouble: &Trouble) -> Result<(), Fault> {
    let at = |name: &str| format!("vehicle.simulator.fault[{index}].{name}");
    let (path, wheel, rate) = match trouble.what {
        What::Stuck | What::Lost | What::NotAvailable | What::Wrong | What::Blocked => (true, false, false),
        What::SlowLeak => (false, true, true),
        What::BatteryAgeing => (false, false, true),
        What::WeakLowVoltageBattery => (false, false, false),
    };
    for (name, wanted, given) in [
        ("path", path, trouble.path.is_some()),
        ("wheel", wheel, trouble.wheel.is_some()),
        ("rate", rate, trouble.rate.is_some()),
    ] {
        match (wanted, given) {
            (true, false) => return Err(fault(at(name), "this fault needs it")),
            (false, true) => return Err(fault(at(name), "this fault has none")),
            _ => {}
        }
    }
    if let Some(path) = &trouble.path {
        short(at("path"), path)?;
    }
    for (name, seconds) in [("from", Some(trouble.from)), ("until", trouble.until)] {
        if seconds.is_some_and(|seconds| !(0.0..=31_536_000.0).contains(&seconds)) {
            return Err(fault(at(name), "it is not from 0 to 31536000 seconds"));
        }
    }
    if trouble.until.is_some_and(|until| until < trouble.from) {
        return Err(fault(at("until"), "it is before `from`"));
    }
    Ok(())
}

fn check_listen(listen: &Listen) -> Result<(), Fault> {
    for (index, socket) in listen.websocket.iter().enumerate() {
        let at = |name: &str| format!("listen.websocket[{index}].{name}");
        let visible = !socket.path.is_empty() && socket.path.bytes().all(|byte| byte.is_ascii_graphic());
        if !socket.path.starts_with('/') || !visible || socket.path.len() > LONGEST {
            return Err(fault(at("path"), "a path begins with `/` and has no spaces"));
        }
        if socket.origins.len() > MOST {
            return Err(fault(at("origins"), format!("there are more than {MOST}")));
        }
        socket.origins.iter().try_for_each(|origin| short(at("origins"), origin))?;
        let files = [&socket.certificate, &socket.key, &socket.clients].map(Option::as_deref);
        check_tls(at, socket.address, files, socket.allow_plain_links)?;
    }
    for (index, tcp) in listen.tcp.iter().enumerate() {
        let at = |name: &str| format!("listen.tcp[{index}].{name}");
        let files = [&tcp.certificate, &tcp.key, &tcp.clients].map(Option::as_deref);
        check_tls(at, tcp.address, files, tcp.allow_plain_links)?;
    }
    for (index, unix) in listen.unix.iter().enumerate() {
        named(format!("listen.unix[{index}].path"), &unix.path)?;
    }
    listen.mqtt.iter().enumerate().try_for_each(|(index, mqtt)| check_mqtt(index, mqtt))
}

/// Whether what listens on an address is encrypted by its certificate, key and roots of clients, within this machine, or said to be plain.
fn check_tls(
    at: impl Fn(&str) -> String,
    address: SocketAddr,
    files: [Option<&Path>; 3],
    allow_plain_links: bool,
) -> Result<(), Fault> {
    for (name, file) in ["certificate", "key", "clients"].into_iter().zip(files) {
        file.map_or(Ok(()), |file| named(at(name), file))?;
    }
    match files {
        [Some(_), None, _] => Err(fault(at("key"), "a certificate needs its key")),
        [None, Some(_), _] => Err(fault(at("certificate"), "a key needs its certificate")),
        [None, None, Some(_)] => {
            Err(fault(at("certificate"), "clients show certificates only to a server that has one"))
        }
        [None, None, None] => plain(&at("address"), address, allow_plain_links),
        [Some(_), Some(_), _] if allow_plain_links => {
            Err(fault(at("allow_plain_links"), "with a certificate, no link is plain"))
        }
        [Some(_), Some(_), _] => Ok(()),
    }
}

fn check_mqtt(index: usize, mqtt: &Mqtt) -> Result<(), Fault> {
    let at = |name: &str| format!("listen.mqtt[{index}].{name}");
    short(at("url"), &mqtt.url)?;
    for (name, text) in
        [("user", &mqtt.user), ("client", &mqtt.client), ("answers_under", &mqtt.answers_under)]
    {
        text.as_ref().map_or(Ok(()), |text| short(at(name), text))?;
    }
    for (name, file) in [
        ("ca", &mqtt.ca),
        ("certificate", &mqtt.certificate),
        ("key", &mqtt.key),
        ("password", &mqtt.password),
    ] {
        file.as_ref().map_or(Ok(()), |file| named(at(name), file))?;
    }
    let scheme = |name: &str| mqtt.url.get(..name.len()).is_some_and(|own| own.eq_ignore_ascii_case(name));
    let secure = scheme("mqtts://");
    if !secure && !scheme("mqtt://") {
        return Err(fault(at("url"), "it begins with neither mqtt:// nor mqtts://"));
    }
    for (name, given, needed, why) in [
        ("key", mqtt.key.is_some(), mqtt.certificate.is_some(), "a certificate needs its key"),
        ("certificate", mqtt.certificate.is_some(), mqtt.key.is_some(), "a key needs its certificate"),
        ("user", mqtt.user.is_some(), mqtt.password.is_some(), "a password needs its user"),
        ("password", mqtt.password.is_some(), mqtt.user.is_some(), "a user needs a password"),
        ("ca", mqtt.ca.is_some(), secure, "mqtts:// needs to know whom to believe"),
    ] {
        if needed && !given {
            return Err(fault(at(name), why));
        }
    }
    for (name, given) in [("ca", mqtt.ca.is_some()), ("certificate", mqtt.certificate.is_some())] {
        if given && !secure {
            return Err(fault(at(name), "it is of use with mqtts:// alone"));
        }
    }
    let host = mqtt.url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let host = host.strip_prefix('[').map_or_else(
        || host.rsplit_once(':').map_or(host, |(host, _)| host),
        |host| host.split(']').next().unwrap_or_default(),
    );
    let here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    if !secure && !here && !mqtt.allow_plain_links {
        let why = format!(
            "what travels to the broker {host} in the clear others can read and change: use mqtts://, or say \
             `allow_plain_links = true`"
        );
        return Err(fault(at("url"), why));
    }
    Ok(())
}

/// Whether a transport can be reached from this machine alone.
fn is_here(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// What is reached from elsewhere is encrypted, unless it was said that it may be plain.
fn plain(key: &str, address: SocketAddr, allowed: bool) -> Result<(), Fault> {
    if is_here(address) || allowed {
        return Ok(());
    }
    let why = format!(
        "{address} is reached from other machines, and what travels there in the clear others can read and change: \
         give it `certificate` and `key`, or say `allow_plain_links = true`"
    );
    Err(fault(key, why))
}

impl Listen {
    /// Whether everything is within this machine.
    pub(crate) fn is_here(&self) -> bool {
        // Whoever reaches the broker reaches the car.
        self.mqtt.is_empty()
            && self.websocket.iter().all(|socket| is_here(socket.address))
            && self.tcp.iter().all(|tcp| is_here(tcp.address))
    }

    /// Whether every peer shows a certificate.
    fn is_certified(&self) -> bool {
        let sockets = self.websocket.iter().map(|socket| &socket.clients);
        let mut all = sockets.chain(self.tcp.iter().map(|tcp| &tcp.clients)).peekable();
        self.mqtt.is_empty() && self.unix.is_empty() && all.peek().is_some() && all.all(Option::is_some)
    }
}

impl Access {
    /// Whether somebody who shows nothing may come in, with these transports.
    pub(crate) fn takes_anonymous(&self, listen: &Listen) -> bool {
        self.anonymous.unwrap_or_else(|| listen.is_here())
    }

    /// Whether somebody with a client certificate alone may come in.
    pub(crate) fn takes_certificates(&self) -> bool {
        self.certificates.unwrap_or(true)
    }
}

fn check_access(access: &Access, listen: &Listen) -> Result<(), Fault> {
    let needed = [
        ("access.keys", access.keys.is_some()),
        ("access.vehicle", access.vin.is_some() || access.vehicle.is_some()),
    ];
    if access.policy.is_some() {
        if let Some((key, _)) = needed.iter().find(|(_, given)| !given) {
            let what = if *key == "access.keys" {
                "whose grants are believed"
            } else {
                "which car grants are for: `vin` or `vehicle`"
            };
            return Err(fault(*key, format!("a policy needs to know {what}")));
        }
        if access.vin.is_some() && access.vehicle.is_some() {
            return Err(fault("access.vehicle", "a car has a `vin` or a `vehicle`, not both"));
        }
    } else {
        let given = [
            ("access.keys", access.keys.is_some()),
            ("access.vin", access.vin.is_some()),
            ("access.vehicle", access.vehicle.is_some()),
            ("access.store", access.store.is_some()),
            ("access.grants", !access.grants.is_empty()),
            ("access.status", !access.status.is_empty()),
        ];
        if let Some((key, _)) = given.iter().find(|(_, given)| *given) {
            return Err(fault(*key, "it is of use with a `policy` alone"));
        }
    }
    for (key, text) in [("access.vin", &access.vin), ("access.vehicle", &access.vehicle)] {
        text.as_ref().map_or(Ok(()), |text| short(key.to_owned(), text))?;
    }
    let by_certificate = access.takes_certificates() && listen.is_certified();
    if access.policy.is_none() && !access.takes_anonymous(listen) && !by_certificate {
        let why = if access.anonymous.is_none() {
            "it is reached from other machines: say who may come in, by `anonymous = true`, a `policy`, or `clients` of each transport"
        } else {
            "nobody could come in: there is neither a `policy` nor are all transports such that ask for certificates"
        };
        return Err(fault("access.anonymous", why));
    }
    Ok(())
}
