//! The requests that peers made under idempotency keys: asked again, the same receipt; and keys of different peers never meet.
//!
//! *Invariant:* whoever holds a credential (without one: the host) has a memory of its own, so that nobody can see, use or push out what another
//! one asked. With a file, what is going to be asked is in it before the vehicle is; so after a restart nothing is asked twice, and what became
//! of a request is known or in doubt. What may still move something is never forgotten for something newer.
//! *Next:* `calls.rs` (which sets), `keys/file.rs` (what outlives a restart).

mod file;
mod record;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coachwork_transport::viss::WireValue;
use coachwork_vehicle::{
    Clock, Credential, Error, ErrorKind, Key, Outcome, Receipt, Stage, Timestamp, Value,
};
use sha2::{Digest as _, Sha256};

use self::file::KeyFile;
use self::record::{Digest, Record};

/// How many requests are remembered for one holder.
const REMEMBERED: usize = 1024;
/// How many holders are remembered.
const HOLDERS: usize = 1024;
/// How many requests are remembered in all.
const IN_ALL: usize = 65_536;

/// What a gateway remembers of the requests that were made under idempotency keys: the last 1,024 of each holder of a credential, 65,536 in all.
/// A request that is neither settled nor over is not forgotten for newer ones: those are refused meanwhile.
///
/// In memory, it forgets with its process. In a directory it outlives it: a request is written down before the vehicle is asked, so that it is
/// asked at most once over all restarts. Where a gateway was killed between asking and hearing, the request is
/// [in doubt](coachwork_vehicle::Outcome::InDoubt): whoever asks again under its key is told so, and nothing moves. Gateways that follow each
/// other, for the same vehicle, share one.
///
/// ```
/// use std::sync::Arc;
/// use coachwork_gateway::{Gateway, KeySync, Options, RequestKeys};
/// # use coachwork_vehicle::{Catalogue, Everybody, Facts, ManualClock, MemoryVehicle};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = std::env::temp_dir().join(format!("coachwork-keys-doc-{}", std::process::id()));
/// # let clock = Arc::new(ManualClock::default());
/// # let car = MemoryVehicle::new(Catalogue::new([], Facts::default())?, clock.clone());
/// let keys = Arc::new(RequestKeys::open(&directory, KeySync::Each)?);
/// let gateway = Gateway::new(Arc::new(Everybody::sees(car)), clock, Options::default()).knowing(keys);
/// # std::fs::remove_dir_all(directory)?;
/// # Ok(())
/// # }
/// ```
pub struct RequestKeys {
    /// Tells it from others of the process, whose gateways may serve the same vehicle.
    number: u64,
    known: Mutex<Known>,
    opened: KeysOpened,
}

/// When a request that is going to be asked is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySync {
    /// Each is synced before the vehicle is asked: at most once, over kills of the process and losses of power. This blocks the thread that polls
    /// the gateway for as long as the disk takes.
    #[default]
    Each,
    /// It is written, and synced when the system likes: at most once over kills of the process; a loss of power may take what was asked last.
    Never,
}

/// What was found when a directory of [`RequestKeys`] was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeysOpened {
    /// Requests that are known.
    pub requests: usize,
    /// Those of them of which nobody knows what became.
    pub in_doubt: usize,
    /// Bytes at the end, of a record that was not finished.
    pub cut: u64,
    /// Bytes before it that could not be read.
    pub damaged: u64,
}

/// Whose keys they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Holder(Digest);

/// A request that is made under a key.
pub(crate) struct Keyed<'a> {
    pub(crate) key: &'a Key,
    pub(crate) path: &'a str,
    pub(crate) value: &'a Value,
    /// When its time is over.
    pub(crate) until: Timestamp,
}

/// What is known of a key.
#[derive(Debug)]
pub(crate) enum Recalled {
    /// It is new, or its request is still on the way to the vehicle: to be asked under a key of the gateway's own.
    New(Kept),
    /// It was asked before.
    Same(Receipt),
    /// It was used for another request, or cannot be kept.
    Failed(Error),
}

/// A place in the memory.
#[derive(Debug)]
pub(crate) struct Kept {
    id: Digest,
    pub(crate) at_the_vehicle: Key,
}

/// What the vehicle said to a request.
pub(crate) enum Told {
    Taken(Receipt),
    /// It makes no sense, or there is nobody to move anything: it was not made.
    NotTaken,
    /// Nothing that would tell.
    Nothing,
}

#[derive(Default)]
struct Known {
    requests: HashMap<Digest, Remembered>,
    holders: HashMap<Holder, Order>,
    /// How often somebody asked.
    uses: u64,
    /// Requests whose outcome is to be written once there is one.
    open: Vec<Digest>,
    file: Option<KeyFile>,
}

#[derive(Debug, Default)]
struct Order {
    /// The oldest first.
    requests: VecDeque<Digest>,
    used: u64,
}

#[derive(Debug)]
struct Remembered {
    holder: Holder,
    content: Digest,
    until: Timestamp,
    standing: Standing,
    /// How many are asking the vehicle for it; one that was dropped stays, for it may have asked.
    asking: u32,
}

#[derive(Debug)]
enum Standing {
    /// The vehicle is being asked.
    Asked,
    Taken(Receipt),
    /// It was settled before a restart.
    Settled(Outcome),
    /// A restart came in between.
    InDoubt,
}

impl Holder {
    pub(crate) fn of(credential: &Credential) -> Option<Self> {
        match credential {
            Credential::Token(token) => Some(Self(digest(b"token", &[token]))),
            Credential::Certificate(der) => Some(Self(digest(b"certificate", &[der]))),
            _ => None,
        }
    }

    /// Whoever comes from there without a credential.
    pub(crate) fn at(host: &str) -> Self {
        Self(digest(b"host", &[host.as_bytes()]))
    }

    /// The id of a request. A queue has a name of its own that nobody can guess, and its requests are the same ones when its client shows a newer
    /// credential.
    fn request(self, key: &Key) -> Digest {
        let text = key.as_str();
        let queue = text.strip_prefix("q/").and_then(|rest| rest.split_once('/'));
        match queue {
            Some((origin, _)) if origin.len() == 32 => digest(b"queue", &[text.as_bytes()]),
            _ => digest(b"key", &[&self.0, text.as_bytes()]),
        }
    }
}

impl Told {
    /// What the answer to one request says, or the one to the whole of them.
    pub(crate) fn of(one: Option<&Result<Receipt, Error>>, whole: Option<&Error>) -> Self {
        let error = match one {
            Some(Ok(receipt)) => return Self::Taken(receipt.clone()),
            Some(Err(error)) => Some(error),
            None => whole,
        };
        match error.map(Error::kind) {
            // Somebody behind the vehicle may have heard it.
            None | Some(ErrorKind::Timeout | ErrorKind::Protocol | ErrorKind::Other) => Self::Nothing,
            Some(_) => Self::NotTaken,
        }
    }
}

impl RequestKeys {
    /// Remembers in memory, as long as its process lives.
    pub fn in_memory() -> Self {
        Self::new(Known::default(), KeysOpened::default())
    }

    /// Remembers in `directory`, which is made where it does not exist. The beginning of a record that was never finished is cut off: nothing
    /// was asked for it.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where it is open elsewhere; [`io::ErrorKind::InvalidData`], and nothing is touched, where what was asked is
    /// damaged: remove the file `keys` if you would rather have something move twice. Otherwise what the system says.
    pub fn open(directory: impl AsRef<Path>, sync: KeySync) -> io::Result<Self> {
        let (file, found) = KeyFile::open(directory.as_ref(), sync)?;
        let mut known = Known { file: Some(file), ..Known::default() };
        for record in found.records {
            known.take_up(record);
        }
        let in_doubt = |one: &&mut Remembered| matches!(one.standing, Standing::Asked);
        let doubts = known.requests.values_mut().filter(in_doubt);
        let in_doubt = doubts.map(|one| one.standing = Standing::InDoubt).count();
        let requests = known.requests.len();
        Ok(Self::new(known, KeysOpened { requests, in_doubt, cut: found.cut, damaged: found.damaged }))
    }

    fn new(known: Known, opened: KeysOpened) -> Self {
        static MEMORIES: AtomicU64 = AtomicU64::new(1);
        Self { number: MEMORIES.fetch_add(1, Ordering::Relaxed), known: Mutex::new(known), opened }
    }

    /// What was found when it was opened.
    pub fn opened(&self) -> KeysOpened {
        self.opened
    }

    /// What is known of each of these requests of a holder. When it returns, the new ones are as durable as they are meant to be.
    pub(crate) fn ask(
        &self,
        holder: Holder,
        requests: &[Keyed<'_>],
        now: Timestamp,
        clock: &Arc<dyn Clock>,
    ) -> Vec<Recalled> {
        let mut known = self.lock();
        known.write_settled();
        known.uses += 1;
        let (mut records, mut new) = (Vec::new(), Vec::new());
        let recall = |keyed: &Keyed<'_>| {
            let id = holder.request(keyed.key);
            let content = content(keyed.path, keyed.value);
            let kept = || Kept { id, at_the_vehicle: self.at_the_vehicle(&id, keyed.key) };
            if let Some(before) = known.requests.get_mut(&id) {
                if before.content != content {
                    let message = "the idempotency key was used before for another request";
                    return Recalled::Failed(Error::new(ErrorKind::Conflict, message));
                }
                let settled = |outcome: Outcome| Recalled::Same(Receipt::settled(clock.clone(), outcome));
                return match &before.standing {
                    Standing::Taken(receipt) => Recalled::Same(receipt.clone()),
                    Standing::Settled(outcome) => settled(outcome.clone()),
                    Standing::InDoubt => settled(Outcome::InDoubt),
                    // The vehicle knows its key, and sees that it is the same request.
                    Standing::Asked => {
                        before.asking = before.asking.saturating_add(1);
                        Recalled::New(kept())
                    }
                };
            }
            if let Err(error) = known.make_room(holder, now) {
                return Recalled::Failed(error);
            }
            known.insert(id, holder, content, keyed.until);
            Record::Asked { id, owner: holder.0, content, until: keyed.until }.encode(&mut records);
            new.push(id);
            Recalled::New(kept())
        };
        let mut recalled: Vec<Recalled> = requests.iter().map(recall).collect();
        if let Err(why) = known.write(&records) {
            let message = format!("the request cannot be written down, and so is not made: {why}");
            let error = Error::new(ErrorKind::Unavailable, message).caused_by(why);
            for id in &new {
                known.forget(id);
            }
            for one in &mut recalled {
                if matches!(one, Recalled::New(kept) if new.contains(&kept.id)) {
                    *one = Recalled::Failed(error.clone());
                }
            }
        }
        recalled
    }

    /// What the vehicle said: it has taken a request, or has not.
    pub(crate) fn answered(&self, answers: impl IntoIterator<Item = (Kept, Told)>) {
        let mut known = self.lock();
        let known = &mut *known;
        let mut withdrawn = Vec::new();
        for (kept, told) in answers {
            let Some(one) = known.requests.get_mut(&kept.id) else { continue };
            one.asking = one.asking.saturating_sub(1);
            match (&one.standing, told) {
                (Standing::Asked, Told::Taken(receipt)) => {
                    one.standing = Standing::Taken(receipt);
                    if known.file.is_some() {
                        known.open.push(kept.id);
                    }
                }
                (Standing::Asked, Told::NotTaken) if one.asking == 0 => {
                    Record::Withdrawn { id: kept.id }.encode(&mut withdrawn);
                    known.forget(&kept.id);
                }
                _ => {}
            }
        }
        known.write_unsynced(&withdrawn);
        known.write_settled();
    }

    /// Writes down how requests were settled, for a restart.
    pub(crate) fn write_settled(&self) {
        self.lock().write_settled();
    }

    /// Its key at the vehicle, which is the same whenever it is asked.
    fn at_the_vehicle(&self, id: &Digest, key: &Key) -> Key {
        let own = format!("gateway/{:x}/{:032x}", self.number, u128::from_be_bytes(*id));
        // That is far below the bound of a key.
        Key::new(&own).unwrap_or_else(|_| key.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What was written before a restart.
    fn take_up(&mut self, record: Record) {
        match record {
            Record::Asked { id, owner, content, until } => {
                self.uses += 1;
                self.forget(&id);
                // Nobody knows the time yet: what may be open stays, within the bound of the file.
                let _ = self.make_room(Holder(owner), Timestamp::from_nanoseconds(i64::MIN));
                self.insert(id, Holder(owner), content, until);
            }
            Record::Settled { id, outcome } => {
                if let Some(one) = self.requests.get_mut(&id) {
                    one.standing = Standing::Settled(outcome);
                }
            }
            Record::Withdrawn { id } => self.forget(&id),
        }
    }

    fn insert(&mut self, id: Digest, holder: Holder, content: Digest, until: Timestamp) {
        let order = self.holders.entry(holder).or_default();
        order.used = self.uses;
        order.requests.push_back(id);
        let standing = Standing::Asked;
        self.requests.insert(id, Remembered { holder, content, until, standing, asking: 1 });
    }

    fn forget(&mut self, id: &Digest) {
        let Some(one) = self.requests.remove(id) else { return };
        if let Some(order) = self.holders.get_mut(&one.holder) {
            // Mostly one of the oldest or of the newest.
            if let Some(place) = order.requests.iter().position(|other| other == id) {
                order.requests.remove(place);
            }
            if order.requests.is_empty() {
                self.holders.remove(&one.holder);
            }
        }
    }

    /// Forgets what has to give way for one more request of a holder.
    fn make_room(&mut self, holder: Holder, now: Timestamp) -> Result<(), Error> {
        let full = |what: &str| Error::new(ErrorKind::Limit, format!("{what} under keys are open"));
        if self.holders.get(&holder).is_some_and(|order| order.requests.len() >= REMEMBERED) {
            let oldest = self.oldest_of(holder, now);
            let oldest = oldest.ok_or_else(|| full(&format!("{REMEMBERED} requests of one peer")))?;
            self.forget(&oldest);
        }
        if !self.holders.contains_key(&holder) && self.holders.len() >= HOLDERS {
            let mut holders: Vec<_> = self.holders.iter().map(|(one, order)| (order.used, *one)).collect();
            holders.sort_unstable_by_key(|(used, _)| *used);
            let done = |one: &Holder| {
                let mut requests = self.holders.get(one).into_iter().flat_map(|order| &order.requests);
                requests.all(|id| !self.is_open(id, now))
            };
            let gone = holders.into_iter().map(|(_, one)| one).find(done);
            let gone = gone.ok_or_else(|| full(&format!("requests of {HOLDERS} peers")))?;
            let order = self.holders.remove(&gone).unwrap_or_default();
            order.requests.iter().for_each(|id| drop(self.requests.remove(id)));
        }
        if self.requests.len() >= IN_ALL {
            let mut holders: Vec<_> = self.holders.iter().map(|(one, order)| (order.used, *one)).collect();
            holders.sort_unstable_by_key(|(used, _)| *used);
            let oldest = holders.into_iter().find_map(|(_, one)| self.oldest_of(one, now));
            self.forget(&oldest.ok_or_else(|| full(&format!("{IN_ALL} requests")))?);
        }
        Ok(())
    }

    /// The oldest request of a holder that may be forgotten.
    fn oldest_of(&self, holder: Holder, now: Timestamp) -> Option<Digest> {
        self.holders.get(&holder)?.requests.iter().find(|id| !self.is_open(id, now)).copied()
    }

    /// Whether it is neither settled nor over: somebody may ask for it again, and nobody knows what becomes of it.
    fn is_open(&self, id: &Digest, now: Timestamp) -> bool {
        self.requests.get(id).is_some_and(|one| {
            let settled = match &one.standing {
                Standing::Asked | Standing::InDoubt => false,
                Standing::Taken(receipt) => receipt.stage() != Stage::Accepted,
                Standing::Settled(_) => true,
            };
            !settled && one.until > now
        })
    }

    /// Writes down what is going to be asked.
    fn write(&mut self, records: &[u8]) -> io::Result<()> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let mut written = if records.is_empty() { Ok(()) } else { Err(io::ErrorKind::Other.into()) };
        if written.is_err() && file.is_worn() {
            written = file.rewrite(&self.everything());
        }
        if written.is_err() {
            written = file.append(records, true);
        }
        self.file = Some(file);
        written
    }

    /// Writes down how it went: a loss of power may take that, and leaves a doubt.
    fn write_unsynced(&mut self, records: &[u8]) {
        if let Some(file) = self.file.as_mut().filter(|_| !records.is_empty()) {
            // What cannot be written now is when the file is written anew.
            let _ = file.append(records, false);
        }
    }

    fn write_settled(&mut self) {
        let (mut records, requests) = (Vec::new(), &self.requests);
        self.open.retain(|id| {
            let Some(Remembered { standing: Standing::Taken(receipt), .. }) = requests.get(id) else {
                return false;
            };
            match receipt.stage() {
                Stage::Accepted => true,
                Stage::Settled(outcome) => {
                    Record::Settled { id: *id, outcome }.encode(&mut records);
                    false
                }
            }
        });
        self.write_unsynced(&records);
    }

    /// All that is known, each holder's in its order, and the holder that asked longest ago first.
    fn everything(&self) -> Vec<u8> {
        let mut holders: Vec<_> = self.holders.iter().collect();
        holders.sort_unstable_by_key(|(_, order)| order.used);
        let mut records = Vec::new();
        for id in holders.into_iter().flat_map(|(_, order)| &order.requests) {
            let Some(one) = self.requests.get(id) else { continue };
            let asked =
                Record::Asked { id: *id, owner: one.holder.0, content: one.content, until: one.until };
            asked.encode(&mut records);
            let outcome = match &one.standing {
                Standing::Asked | Standing::InDoubt => None,
                Standing::Settled(outcome) => Some(outcome.clone()),
                Standing::Taken(receipt) => match receipt.stage() {
                    Stage::Accepted => None,
                    Stage::Settled(outcome) => Some(outcome),
                },
            };
            if let Some(outcome) = outcome {
                Record::Settled { id: *id, outcome }.encode(&mut records);
            }
        }
        records
    }
}

impl Drop for RequestKeys {
    fn drop(&mut self) {
        self.write_settled();
    }
}

impl fmt::Debug for RequestKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestKeys({} known)", self.lock().requests.len())
    }
}

/// What a request asks for, so that another one under its key is noticed.
fn content(path: &str, value: &Value) -> Digest {
    fn feed(value: &WireValue, out: &mut Vec<u8>) {
        let (mark, count) = match value {
            WireValue::Scalar(text) | WireValue::Number(text) => (b's', text.len()),
            WireValue::Array(items) => (b'a', items.len()),
            WireValue::Struct(properties) => (b'o', properties.len()),
        };
        out.push(mark);
        out.extend_from_slice(&u64::try_from(count).unwrap_or(u64::MAX).to_le_bytes());
        match value {
            WireValue::Scalar(text) | WireValue::Number(text) => out.extend_from_slice(text.as_bytes()),
            WireValue::Array(items) => items.iter().for_each(|item| feed(item, out)),
            WireValue::Struct(properties) => {
                for (name, value) in properties {
                    feed(&WireValue::Scalar(name.clone()), out);
                    feed(value, out);
                }
            }
        }
    }
    let mut text = Vec::new();
    feed(&WireValue::of(value), &mut text);
    digest(b"content", &[path.as_bytes(), &text])
}

/// Half of the SHA-256 of parts that are told apart, for one purpose.
fn digest(purpose: &[u8], parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(b"coachwork request keys 1");
    for part in std::iter::once(&purpose).chain(parts) {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    let whole: [u8; 32] = hasher.finalize().into();
    let (half, _) = whole.split_first_chunk().unwrap_or((&[0; 16], &[]));
    *half
}

#[cfg(test)]
mod tests;
