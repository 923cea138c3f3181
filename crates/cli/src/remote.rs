//! A vehicle elsewhere, by its URL, for the commands that talk to one: `get`, `history`, `set`, `subscribe` and `metadata`.
//!
//! *Invariant:* a token is read from a file or the environment, never from the command line, where everybody on the machine sees it. Nothing is sent in the clear
//! to another machine unless that was asked for by name.
//! *Next:* `remote/` has the commands; `remote/print.rs` what they print.

pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod metadata;
mod print;
pub(crate) mod set;
pub(crate) mod subscribe;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use clap::Args;
use coachwork_client::{Client, Options, Token, TokenSource};
use coachwork_simulator::{Scenario, SimulatedVehicle};
use coachwork_tokio::SystemClock;
use coachwork_tokio::tls::ClientTls;
use coachwork_transport::{Connection, Connector, Limits, TransportError};
use coachwork_vehicle::{Catalogue, Clock, Error, ErrorKind, Pattern, SignalId, Vehicle};

use crate::live::failure;
use crate::serve::transports::{identity, roots};
use crate::serve::watched::Watched;
use crate::{Failure, Format, tell};

/// The vehicle when nothing else is said: `coachwork serve` on this machine.
const USUAL: &str = "ws://127.0.0.1:6443";

/// How often a file with a token is read while a link stands.
const TOKEN_AGAIN: Duration = Duration::from_secs(2);
/// The longest token.
const LONGEST_TOKEN: u64 = 1 << 20;

/// Where a vehicle is, and whom it is shown.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// The vehicle: ws://HOST:PORT, wss://HOST:PORT, tcp(s)://HOST:PORT, unix:PATH, mqtt(s)://BROKER/VEHICLE. Without it, as COACHWORK_SERVER says, or ws://127.0.0.1:6443.
    #[arg(short, long, value_name = "URL", global = true)]
    server: Option<String>,
    /// A simulated car in this process in place of a server, with this seed.
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "0", conflicts_with = "server")]
    simulator: Option<u64>,
    /// The token to be let in with, or the grants; read again when it changes. Without it, as COACHWORK_TOKEN_FILE says, or the token in COACHWORK_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Whom to believe on wss://, tcps:// and mqtts://, in PEM: a certificate authority, or the server's own certificate.
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// The certificate to show, in PEM.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The user's name at an MQTT broker.
    #[arg(long, value_name = "NAME", requires = "mqtt_password_file")]
    mqtt_user: Option<String>,
    /// The file with the user's password.
    #[arg(long, value_name = "FILE", requires = "mqtt_user")]
    mqtt_password_file: Option<PathBuf>,
    /// Speak in the clear with other machines too, where others can read and change what travels, and the token.
    #[arg(long)]
    allow_plain_links: bool,
    /// How long to wait for a link, and for an answer.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A positive time.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time from 0.001 to 31536000 seconds");
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    if !(0.001..=31_536_000.0).contains(&seconds) {
        return Err(wrong());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// A vehicle that can be talked to.
pub(crate) struct Car {
    pub(crate) vehicle: Arc<dyn Vehicle>,
    /// Its link, where it is elsewhere.
    pub(crate) client: Option<Client>,
}

impl Where {
    /// Connects.
    pub(crate) async fn connect(&self) -> Result<Car, Error> {
        self.connect_as(seed()).await
    }

    /// Connects under a name, by which the keys of requests are kept.
    pub(crate) async fn connect_as(&self, seed: u64) -> Result<Car, Error> {
        let clock = Arc::new(SystemClock::new()?);
        if let Some(seed) = self.simulator {
            let (car, driver) = SimulatedVehicle::new(clock, &Scenario::seeded(seed))?;
            drop(coachwork_tokio::spawn(driver)?);
            return Ok(Car { vehicle: Arc::new(car), client: None });
        }
        let mut options = Options::default();
        match self.token_file() {
            Some(path) => {
                // A file that is of no use is an error now, and not only when the gateway wants a token.
                token_in(&path)?;
                let system = clock.clone();
                options.tokens = Some(Arc::new(TokenFile { path, clock: system }));
            }
            None => options.token = token_of_environment()?,
        }
        options.request_time = self.timeout;
        options.connect_time = self.timeout;
        options.plain_links = self.allow_plain_links;
        options.seed = seed;
        let (client, driver) = Client::connect(self.dial()?, clock, options).await?;
        drop(coachwork_tokio::spawn(driver)?);
        for (path, why) in client.left_out() {
            tell(format_args!("{path} is left out: {why}"));
        }
        Ok(Car { vehicle: Arc::new(client.clone()), client: Some(client) })
    }

    /// The file with the token.
    fn token_file(&self) -> Option<PathBuf> {
        self.token_file.clone().or_else(|| std::env::var_os("COACHWORK_TOKEN_FILE").map(PathBuf::from))
    }

    fn dial(&self) -> Result<Dialled, Error> {
        let url = self.server.clone().or_else(|| std::env::var("COACHWORK_SERVER").ok());
        let url = url.as_deref().unwrap_or(USUAL);
        let limits = Limits::default();
        let scheme =
            |name: &str| url.get(..name.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(name));
        if scheme("tcp://") || scheme("tcps://") {
            let (_, address) = url.split_once("://").unwrap_or_default();
            let tcp = coachwork_tokio::tcp::connector(address.trim_end_matches('/'), &limits);
            let mut tcp = tcp.within(self.timeout);
            let shown = scheme("tcps://").then(|| self.shown("tcps://")).transpose()?;
            if let Some(shown) = &shown {
                tcp = tcp.secured(&shown.tls);
            }
            if self.allow_plain_links {
                tcp = tcp.allowing_plain_links();
            }
            return Ok(Dialled::new(tcp, shown));
        }
        #[cfg(unix)]
        if let Some(path) = url.get("unix:".len()..).filter(|_| scheme("unix:")) {
            let path = path.strip_prefix("//").unwrap_or(path);
            let connector = coachwork_tokio::unix::connector(path, &limits).within(self.timeout);
            return Ok(Dialled::new(connector, None));
        }
        if scheme("mqtt://") || scheme("mqtts://") {
            return self.through_broker(url, scheme("mqtts://"));
        }
        if !scheme("ws://") && !scheme("wss://") {
            let why = format!(
                "{url:?} begins with none of ws://, wss://, tcp://, tcps://, unix:, mqtt:// and mqtts://"
            );
            return Err(invalid(why));
        }
        let connector =
            coachwork_websocket::connector(url, &limits).map_err(|why| invalid(why.to_string()))?;
        let mut connector = connector.within(self.timeout);
        let shown = scheme("wss://").then(|| self.shown("wss://")).transpose()?;
        if let Some(shown) = &shown {
            connector = connector.secured(&shown.tls);
        }
        if self.allow_plain_links {
            connector = connector.allowing_plain_links();
        }
        Ok(Dialled::new(connector, shown))
    }

    /// A car at an MQTT broker.
    fn through_broker(&self, url: &str, secure: bool) -> Result<Dialled, Error> {
        let limits = Limits::default();
        let read =
            |path: &Path| std::fs::read(path).map_err(|why| invalid(format!("{}: {why}", path.display())));
        let of = |path: &Path, why: &dyn fmt::Display| invalid(format!("{}: {why}", path.display()));
        let connector = coachwork_mqtt::connector(url, &limits).map_err(|why| invalid(why.to_string()))?;
        let mut connector = connector.within(self.timeout);
        let shown = secure.then(|| self.shown("mqtts://")).transpose()?;
        if let Some(shown) = &shown {
            connector = connector.secured(&shown.tls);
        }
        if let (Some(user), Some(file)) = (&self.mqtt_user, &self.mqtt_password_file) {
            let password = read(file)?.trim_ascii_end().to_vec();
            let sign_in = coachwork_mqtt::SignIn::new(user, password).map_err(|why| of(file, &why))?;
            connector = connector.signed_in(&sign_in);
        }
        if self.allow_plain_links {
            connector = connector.allowing_plain_links();
        }
        Ok(Dialled::new(connector, shown))
    }

    /// Whom to believe on a scheme that encrypts, and what to show.
    fn shown(&self, scheme: &str) -> Result<Shown, Error> {
        let Some(ca) = self.ca_cert.clone() else {
            return Err(invalid(format!("{scheme} needs to know whom to believe: give --ca-cert")));
        };
        let own = self.cert.clone().zip(self.key.clone());
        let files = own.iter().flat_map(|(cert, key)| [cert, key]).chain([&ca]).cloned();
        let watched = Mutex::new(Watched::new(files));
        let read = roots(&ca).map_err(|why| invalid(why.to_string()))?;
        let tls = ClientTls::trusting(&read).map_err(|why| invalid(format!("{}: {why}", ca.display())))?;
        let shown = Shown { tls, ca, own, watched };
        shown.renew().map_err(|why| invalid(why.to_string()))?;
        Ok(shown)
    }
}

/// What is believed and shown on a link, and the files that say it.
struct Shown {
    tls: ClientTls,
    ca: PathBuf,
    own: Option<(PathBuf, PathBuf)>,
    watched: Mutex<Watched>,
}

impl Shown {
    fn renew(&self) -> Result<(), Failure> {
        let own = self.own.as_ref().map(|(cert, key)| identity(cert, key)).transpose()?;
        let shown = self.own.as_ref().map_or(&self.ca, |(cert, _)| cert);
        let renewed = self.tls.renew(&roots(&self.ca)?, own.as_ref());
        renewed.map_err(|why| failure(format_args!("{}: {why}", shown.display())))
    }

    /// The same where a file has changed; what is of no use changes nothing.
    fn look(&self) {
        if self.watched.lock().unwrap_or_else(PoisonError::into_inner).has_changed()
            && let Err(why) = self.renew()
        {
            tell(format_args!("certificates not renewed, and the old kept: {why}"));
        }
    }
}

/// A connector of any kind, which shows what is in its files at the time.
struct Dialled {
    connector: Box<dyn Connector>,
    shown: Option<Shown>,
}

impl Dialled {
    fn new(connector: impl Connector, shown: Option<Shown>) -> Self {
        Self { connector: Box::new(connector), shown }
    }
}

#[async_trait]
impl Connector for Dialled {
    fn peer(&self) -> &str {
        self.connector.peer()
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError> {
        if let Some(shown) = &self.shown {
            shown.look();
        }
        self.connector.connect().await
    }
}

impl fmt::Debug for Dialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connector.fmt(f)
    }
}

/// A file with a token, read anew each time that one is wanted, and now and then.
struct TokenFile {
    path: PathBuf,
    clock: Arc<SystemClock>,
}

#[async_trait]
impl TokenSource for TokenFile {
    async fn token(&self) -> Result<Token, Error> {
        let token = Token::new(token_in(&self.path)?);
        Ok(token.renewed_at(self.clock.now().saturating_add(TOKEN_AGAIN)))
    }
}

fn invalid(why: String) -> Error {
    Error::new(ErrorKind::Invalid, why)
}

fn token_in(path: &Path) -> Result<Arc<[u8]>, Error> {
    let wrong = |why: std::io::Error| invalid(format!("{}: {why}", path.display()));
    if std::fs::metadata(path).map_err(wrong)?.len() > LONGEST_TOKEN {
        return Err(invalid(format!("{}: no token is so long", path.display())));
    }
    let bytes = std::fs::read(path).map_err(wrong)?;
    // A text has a line's end; a grant in its binary form begins so and has none.
    let token = if bytes.first() == Some(&0xd2) { &bytes[..] } else { bytes.trim_ascii() };
    if token.is_empty() { Err(invalid(format!("{}: it is empty", path.display()))) } else { Ok(token.into()) }
}

fn token_of_environment() -> Result<Option<Arc<[u8]>>, Error> {
    match std::env::var("COACHWORK_TOKEN") {
        Ok(token) if token.trim().is_empty() => Err(invalid("COACHWORK_TOKEN is empty".to_owned())),
        Ok(token) => Ok(Some(token.trim().as_bytes().into())),
        Err(_) => Ok(None),
    }
}

/// Something random, for the jitter and the name of idempotency keys.
fn seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()))
}

/// What was asked for by name: signals, each once, in the order of asking; and what names none.
pub(crate) fn select(catalogue: &Catalogue, wanted: &[String]) -> (Vec<SignalId>, Vec<Error>) {
    let (mut signals, mut unknown) = (Vec::new(), Vec::new());
    for name in wanted {
        let path = name.replace('/', ".");
        let found = if path.contains('*') {
            match Pattern::new(&path) {
                Ok(pattern) => catalogue.find(&pattern),
                Err(why) => {
                    unknown.push(Error::new(ErrorKind::Invalid, why.to_string()).on_path(name));
                    continue;
                }
            }
        } else if let Some(signal) = catalogue.id(&path) {
            vec![signal]
        } else {
            // A branch is all that is below it.
            let below = |own: &str| own.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.'));
            catalogue.iter().filter(|(_, entry)| below(entry.path().as_str())).map(|(id, _)| id).collect()
        };
        if found.is_empty() {
            unknown
                .push(Error::new(ErrorKind::UnknownSignal, "the vehicle has no such signal").on_path(name));
        }
        for signal in found {
            if !signals.contains(&signal) {
                signals.push(signal);
            }
        }
    }
    (signals, unknown)
}

/// Why a command fails, with the exit status that says so.
pub(crate) fn refused(error: &Error) -> Failure {
    tell(error);
    Failure::Status(status(error.kind()))
}

/// The exit status of a kind of error.
pub(crate) fn status(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Denied => 3,
        ErrorKind::Unavailable | ErrorKind::Timeout => 4,
        _ => 1,
    }
}
