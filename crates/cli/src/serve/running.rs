//! A vehicle is served until somebody says stop, with what is in its files at the time.
//!
//! *Invariant:* what runs goes on when a file is of no use, and it is said; a change is taken once. Whoever is there when the policy changes is asked to come
//! again, and then comes in by the new one.
//! *Next:* `transports.rs`, `access.rs`, `watched.rs` (what changes), `handover.rs` (how gateways follow each other).

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use coachwork_gateway::{
    FileInbox, Gateway, History, Inbox, KeySync, Observer, Options, Recent, RequestKeys, SlowPeers,
};
use coachwork_tokio::SystemClock;
use coachwork_vehicle::{Clock, Driver, Subscribe, Vehicle};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::access::Access;
use super::config::{self, Config, Count, Limits, Seconds, USUAL_ADDRESS};
use super::peers::Peers;
use super::report::Report;
use super::transports::{self, Shown, Transport};
use super::watched::Watched;
use super::{car, from};
use crate::live::failure;
use crate::{Failure, tell};

/// How often files are looked at when nothing else is said.
const LOOK: Duration = Duration::from_secs(5);
/// How long peers have to go when nothing else is said.
const DRAIN: Duration = Duration::from_secs(10);

/// How large an inbox may become when nothing else is said.
const INBOX: u64 = 256 * 1024 * 1024;

/// Serves what a config says, until it is told to stop.
pub(super) async fn run(config: Config, folder: &Path, is_bare: bool) -> Result<(), Failure> {
    let clock = crate::live::clock()?;
    let mut signals = signals()?;
    let report = Report::open(&config.report, folder)?;
    let built = car::build(&config.vehicle, folder, &clock, true)?;
    let mut options = options(&config);
    let transports = transports::open(&config.listen, folder, &options.limits).await?;
    options.protocols = transports.iter().map(|transport| transport.protocol.clone()).collect();
    let access = Access::open(&config, folder, built.vehicle.clone(), clock.clone())?;
    let (ended, mut ends) = mpsc::channel(256);
    let mut about = About {
        observer: config.report.peers.then(|| Arc::new(Peers::new(ended.clone())) as Arc<dyn Observer>),
        inbox: None,
        keys: Arc::new(RequestKeys::in_memory()),
        history: None,
    };
    if let Some(inbox) = &config.inbox {
        let folder = from(folder, &inbox.folder);
        let bound = inbox.bytes.map_or(INBOX, Count::number);
        let opened = FileInbox::open(&folder, bound);
        let opened = opened.map_err(|why| failure(format_args!("{}: {why}", folder.display())))?;
        about.inbox = Some(Arc::new(opened));
    }
    if let Some(requests) = &config.requests {
        let folder = from(folder, &requests.folder);
        let sync = if requests.sync.unwrap_or(true) { KeySync::Each } else { KeySync::Never };
        let opened = RequestKeys::open(&folder, sync);
        about.keys = Arc::new(opened.map_err(|why| failure(format_args!("{}: {why}", folder.display())))?);
    }
    if let Some(history) = &config.history {
        let (recent, driver) = remember(history, built.vehicle.as_ref()).await?;
        about.history = Some(Arc::new(recent));
        drop(coachwork_tokio::spawn(driver).map_err(failure)?);
    }
    let mut serving =
        Serving::new(&config, folder, clock, built.vehicle, options, report, transports, access, about)?;
    for remark in built.remarks {
        serving.say(remark);
    }
    for (name, driver) in built.drivers {
        let (running, ended) = (coachwork_tokio::spawn(driver).map_err(failure)?, ended.clone());
        drop(tokio::spawn(async move {
            let why = running.await.err().map_or_else(String::new, |why| format!(": {why}"));
            let _ = ended.send(format!("{name} has ended{why}")).await;
        }));
    }
    serving.announce(is_bare)?;
    let mut look = interval(config.reload.every.map_or(LOOK, Seconds::duration));
    let mut count = config.report.counters_every.map(|every| interval(every.duration()));
    loop {
        tokio::select! {
            Some(told) = signals.recv() => match told {
                Told::Stop(why) => {
                    serving.say(format_args!("{why}: letting peers go"));
                    break;
                }
                Told::Reload => {
                    serving.report.reopen();
                    serving.look();
                }
            },
            _ = look.tick() => serving.look(),
            () = tick(count.as_mut()) => {
                let counters = serving.counters();
                serving.say(counters);
            }
            Some(end) = ends.recv() => serving.say(end),
        }
    }
    let drain = config.limits.drain_time.map_or(DRAIN, Seconds::duration);
    let again = async { while !matches!(signals.recv().await, Some(Told::Stop(_))) {} };
    let at_once = tokio::select! {
        () = serving.gateway.shutdown(drain) => false,
        () = again => true,
    };
    let counters = serving.counters();
    serving.say(format_args!("stopped{}: {counters}", if at_once { " at once" } else { "" }));
    Ok(())
}

fn interval(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn tick(interval: Option<&mut tokio::time::Interval>) {
    match interval {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

/// What is served, and what it rests on.
struct Serving<'a> {
    config: &'a Config,
    folder: &'a Path,
    clock: Arc<SystemClock>,
    vehicle: Arc<dyn Vehicle>,
    options: Options,
    report: Report,
    transports: Vec<Transport>,
    access: Access,
    about: About,
    gateway: Gateway,
    shown: Vec<(Shown, Watched)>,
    watched: WatchedAccess,
}

struct WatchedAccess {
    whole: Watched,
    keys: Watched,
    status: Watched,
}

impl WatchedAccess {
    fn new(access: &Access) -> Self {
        let (whole, keys) = (Watched::new(access.whole()), Watched::new(access.keys()));
        Self { whole, keys, status: Watched::new(access.status()) }
    }
}

impl<'a> Serving<'a> {
    #[expect(clippy::too_many_arguments, reason = "each is made by another part, and only here they meet")]
    fn new(
        config: &'a Config,
        folder: &'a Path,
        clock: Arc<SystemClock>,
        vehicle: Arc<dyn Vehicle>,
        options: Options,
        report: Report,
        mut transports: Vec<Transport>,
        access: Access,
        about: About,
    ) -> Result<Self, Failure> {
        let shown = transports.iter_mut().filter_map(|transport| transport.shown.take()).collect();
        let watched = WatchedAccess::new(&access);
        let gateway = observed(&access, &clock, &options, &about);
        let serving = Self {
            config,
            folder,
            clock,
            vehicle,
            options,
            report,
            transports,
            access,
            about,
            gateway,
            shown,
            watched,
        };
        serving.open_doors()?;
        Ok(serving)
    }

    /// Lets whoever arrives in by the present gateway.
    fn open_doors(&self) -> Result<(), Failure> {
        for transport in &self.transports {
            coachwork_tokio::spawn(self.gateway.serve(transport.entrance.open())).map_err(failure)?;
        }
        Ok(())
    }

    fn say(&mut self, what: impl std::fmt::Display) {
        self.report.say(self.clock.now(), what);
    }

    /// Says where it listens.
    fn announce(&mut self, is_bare: bool) -> Result<(), Failure> {
        let line = format!("serving {}, {} signals", self.vehicle, self.vehicle.catalogue().len());
        self.say(line);
        let mut lines = String::new();
        for transport in &self.transports {
            lines.extend(["listening on ", &transport.url, "\n"]);
        }
        let mut out = std::io::stdout().lock();
        out.write_all(lines.as_bytes()).and_then(|()| out.flush()).map_err(failure)?;
        if is_bare {
            let usual = self.transports.iter().any(|one| one.url.ends_with(USUAL_ADDRESS));
            let server = if usual {
                String::new()
            } else {
                format!(" --server {}", self.transports.first().map_or("", |one| &one.url))
            };
            tell(format_args!(
                "try `coachwork subscribe{server} Vehicle.Speed`, or any VISS client; `coachwork serve --help` says more"
            ));
        }
        Ok(())
    }

    fn counters(&self) -> String {
        let counted = self.gateway.counters();
        format!(
            "{} connections of {} accepted, {} turned away, {} cut off; {} subscriptions, {} requests, {} datapoints, {} lagged",
            counted.connections,
            counted.accepted,
            counted.turned_away,
            counted.cut_off,
            counted.subscriptions,
            counted.requests,
            counted.datapoints,
            counted.lagged
        )
    }

    /// Takes in what has changed in the files.
    fn look(&mut self) {
        let mut news = Vec::new();
        for (shown, watched) in &mut self.shown {
            if watched.has_changed() {
                news.push(told("certificates", shown.renew()));
            }
        }
        if let Err(why) = self.access.tell_time() {
            news.push(why.to_string());
        }
        if self.watched.whole.has_changed() {
            news.push(told("policy", self.renew_access()));
        }
        if self.watched.keys.has_changed() {
            news.push(told("key set", self.access.renew_keys()));
        }
        if self.watched.status.has_changed() {
            news.push(told("status lists", self.access.renew_status()));
        }
        for line in news {
            self.say(line);
        }
    }

    /// Lets whoever comes in by what the files say now, and asks those who are there to come again.
    fn renew_access(&mut self) -> Result<(), Failure> {
        let access = Access::open(self.config, self.folder, self.vehicle.clone(), self.clock.clone())?;
        self.gateway_of(access)
    }

    fn gateway_of(&mut self, access: Access) -> Result<(), Failure> {
        let gateway = observed(&access, &self.clock, &self.options, &self.about);
        let before = std::mem::replace(&mut self.gateway, gateway);
        self.watched = WatchedAccess::new(&access);
        self.access = access;
        let drain = self.config.limits.drain_time.map_or(DRAIN, Seconds::duration);
        self.open_doors()?;
        drop(tokio::spawn(async move { before.shutdown(drain).await }));
        Ok(())
    }
}

/// A gateway that lets in whom an admission lets in.
fn observed(access: &Access, clock: &Arc<SystemClock>, options: &Options, about: &About) -> Gateway {
    let mut gateway = Gateway::new(access.admission.clone(), clock.clone(), options.clone());
    if let Some(observer) = &about.observer {
        gateway = gateway.observed(observer.clone());
    }
    if let Some(inbox) = &about.inbox {
        gateway = gateway.storing(inbox.clone());
    }
    gateway = gateway.knowing(about.keys.clone());
    if let Some(history) = &about.history {
        gateway = gateway.remembering(history.clone());
    }
    gateway
}

/// What every gateway has, one after the other.
struct About {
    observer: Option<Arc<dyn Observer>>,
    inbox: Option<Arc<dyn Inbox>>,
    keys: Arc<RequestKeys>,
    history: Option<Arc<dyn History>>,
}

/// A memory of what a vehicle says, and what fills it.
async fn remember(config: &config::History, vehicle: &dyn Vehicle) -> Result<(Recent, Driver), Failure> {
    let catalogue = vehicle.catalogue();
    let (signals, unknown) = if config.paths.is_empty() {
        (catalogue.ids().collect(), Vec::new())
    } else {
        crate::remote::select(&catalogue, &config.paths)
    };
    if let Some(error) = unknown.first() {
        return Err(failure(format_args!("history.paths: {error}")));
    }
    let recent = Recent::new(
        config.datapoints.map_or(100_000, Count::size),
        config.bytes.map_or(16 * 1024 * 1024, Count::size),
    );
    let watch = vehicle.subscribe(Subscribe::to(signals).queue(16_384)).await.map_err(failure)?;
    let driver = recent.record(watch);
    Ok((recent, driver))
}

fn told(what: &str, renewed: Result<(), Failure>) -> String {
    match renewed {
        Ok(()) => format!("{what} renewed"),
        Err(why) => format!("{what} not renewed, and the old kept: {why}"),
    }
}

fn size<const MIN: u32, const MAX: u32>(option: &mut usize, said: Option<Count<MIN, MAX>>) {
    if let Some(said) = said {
        *option = said.size();
    }
}

/// The gateway's options of a config.
fn options(config: &Config) -> Options {
    let Limits {
        connections,
        connections_per_host,
        handshakes,
        handshake_time,
        write_time,
        message_time,
        idle_time,
        admissions,
        bytes_in,
        bytes_out,
        cut_slow_peers_after,
        message,
        write_buffer,
        depth,
        requests,
        subscriptions,
        receipts,
        history,
        paths,
        request_time,
        drain_time: _,
    } = config.limits;
    let mut options = Options::default();
    size(&mut options.connections, connections);
    size(&mut options.connections_per_host, connections_per_host);
    size(&mut options.handshakes, handshakes);
    size(&mut options.admissions, admissions);
    size(&mut options.limits.message, message);
    size(&mut options.limits.write_buffer, write_buffer);
    size(&mut options.limits.depth, depth);
    size(&mut options.limits.requests, requests);
    size(&mut options.limits.subscriptions, subscriptions);
    size(&mut options.limits.receipts, receipts);
    size(&mut options.history, history);
    size(&mut options.limits.paths, paths);
    for (option, said) in [
        (&mut options.handshake_time, handshake_time),
        (&mut options.write_time, write_time),
        (&mut options.message_time, message_time),
        (&mut options.idle_time, idle_time),
        (&mut options.limits.request_time, request_time),
    ] {
        if let Some(said) = said {
            *option = said.duration();
        }
    }
    options.bytes_in = bytes_in.map(Count::number).or(options.bytes_in);
    options.bytes_out = bytes_out.map(Count::number).or(options.bytes_out);
    if let Some(after) = cut_slow_peers_after {
        options.slow_peers = SlowPeers::Cut { after: after.number() };
    }
    // Each listener that may carry plain links was said to; any other is within this machine, or encrypted.
    options.plain_links = config.listen.websocket.iter().any(|socket| socket.allow_plain_links)
        || config.listen.tcp.iter().any(|tcp| tcp.allow_plain_links)
        || config.listen.mqtt.iter().any(|mqtt| mqtt.allow_plain_links);
    options
}

/// What the system tells a process.
enum Told {
    /// To stop, and how it was told.
    Stop(&'static str),
    /// To look at its files.
    Reload,
}

/// Hears what the system tells from now on.
fn signals() -> Result<mpsc::Receiver<Told>, Failure> {
    let (sender, receiver) = mpsc::channel(4);
    #[cfg(unix)]
    for (kind, told) in [
        (tokio::signal::unix::SignalKind::terminate(), (|| Told::Stop("terminated")) as fn() -> Told),
        (tokio::signal::unix::SignalKind::interrupt(), || Told::Stop("interrupted")),
        (tokio::signal::unix::SignalKind::hangup(), || Told::Reload),
    ] {
        let (mut signal, sender) = (tokio::signal::unix::signal(kind).map_err(failure)?, sender.clone());
        drop(tokio::spawn(async move {
            while signal.recv().await.is_some() && sender.send(told()).await.is_ok() {}
        }));
    }
    #[cfg(not(unix))]
    drop(tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() && sender.send(Told::Stop("interrupted")).await.is_ok() {}
    }));
    Ok(receiver)
}
