//! What a wallet remembers goes to a place that survives power cuts, and comes back whole or as it was before.
//!
//! *Invariant:* a save is all or nothing: whenever it is cut off, the next load finds what was saved before or what was
//! being saved, never a mixture. A load says when it had to fall back. At most [`MAX_STATE`] bytes are read.
//! *Next:* `saved.rs` makes the bytes; `wallet.rs` saves after each change.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// The most bytes of a state.
pub const MAX_STATE: usize = 2 << 20;

/// Keeps one state. Calls may block; they come one at a time.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// What was saved last.
    ///
    /// # Errors
    /// [`StoreError`] where the place cannot be read; what is damaged is no error but said in [`Loaded`].
    fn load(&self) -> Result<Loaded, StoreError>;

    /// Puts this state in place of the last, whole or not at all; when it returns, a power cut does not undo it.
    ///
    /// # Errors
    /// [`StoreError`]; then what was saved before is still there.
    fn save(&self, state: &[u8]) -> Result<(), StoreError>;
}

/// What a store had.
#[derive(Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The state; `None` where nothing sound is there.
    pub state: Option<Vec<u8>>,
    /// How sound it was.
    pub recovery: Recovery,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.state.as_ref().map(Vec::len);
        f.debug_struct("Loaded").field("bytes", &bytes).field("recovery", &self.recovery).finish()
    }
}

/// How a state was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// Nothing was ever saved.
    Fresh,
    /// Whole.
    Clean,
    /// A save had been cut off or the newest copy was damaged; this is the last good one.
    LastGood,
    /// All copies are damaged.
    Lost,
}

/// A place that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system says so.
    #[error("the store cannot be used: {0}")]
    Io(#[from] io::Error),
    /// More than [`MAX_STATE`].
    #[error("more to remember than a store takes")]
    TooLarge,
}

/// A store that forgets everything when it is dropped: for tests and for tools.
#[derive(Default)]
pub struct MemoryStore(Mutex<Option<Vec<u8>>>);

impl Store for MemoryStore {
    fn load(&self) -> Result<Loaded, StoreError> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let recovery = if state.is_some() { Recovery::Clean } else { Recovery::Fresh };
        Ok(Loaded { state, recovery })
    }

    fn save(&self, state: &[u8]) -> Result<(), StoreError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(state.to_vec());
        Ok(())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}

impl<S: Store + ?Sized> Store for std::sync::Arc<S> {
    fn load(&self) -> Result<Loaded, StoreError> {
        (**self).load()
    }

    fn save(&self, state: &[u8]) -> Result<(), StoreError> {
        (**self).save(state)
    }
}

const MAGIC: &[u8; 8] = b"cwstate1";
/// Magic, generation, length, checksum.
const HEADER: usize = 8 + 8 + 4 + 32;

/// A store in a folder of its own: `state`, and beside it `state.old`, the last good one before. A save writes
/// `state.new`, makes the disk keep it, and renames.
pub struct FileStore {
    folder: PathBuf,
    /// One save at a time.
    saving: Mutex<()>,
}

impl FileStore {
    /// A store in this folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be made.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, saving: Mutex::new(()) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The sound copy with the highest generation, and whether anything was amiss.
    fn newest(&self) -> Result<(Option<Copy>, Recovery), StoreError> {
        let mut best: Option<Copy> = None;
        let (mut torn, mut found) = (false, false);
        let mut newest_is_state = false;
        for name in ["state", "state.new", "state.old"] {
            match read(&self.path(name))? {
                Found::Nothing => {}
                Found::Damaged => (torn, found) = (true, true),
                Found::Sound(copy) => {
                    found = true;
                    if best.as_ref().is_none_or(|best| copy.generation > best.generation) {
                        newest_is_state = name == "state";
                        best = Some(copy);
                    }
                }
            }
        }
        let recovery = match &best {
            None if !found => Recovery::Fresh,
            None => Recovery::Lost,
            Some(_) if torn || !newest_is_state => Recovery::LastGood,
            Some(_) => Recovery::Clean,
        };
        Ok((best, recovery))
    }
}

struct Copy {
    generation: u64,
    state: Vec<u8>,
}

enum Found {
    Nothing,
    Damaged,
    Sound(Copy),
}

impl Store for FileStore {
    fn load(&self) -> Result<Loaded, StoreError> {
        let (copy, recovery) = self.newest()?;
        Ok(Loaded { state: copy.map(|copy| copy.state), recovery })
    }

    fn save(&self, state: &[u8]) -> Result<(), StoreError> {
        let _one = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        if state.len() > MAX_STATE {
            return Err(StoreError::TooLarge);
        }
        let (newest, _) = self.newest()?;
        let generation = newest.map_or(0, |copy| copy.generation).saturating_add(1);
        let (new, current, old) = (self.path("state.new"), self.path("state"), self.path("state.old"));
        // A sound copy that was never put in place is not overwritten while it is the only one.
        if matches!(read(&new)?, Found::Sound(_)) {
            fs::rename(&new, &current)?;
        }
        let mut file = File::create(&new)?;
        file.write_all(&encode(generation, state))?;
        file.sync_all()?;
        drop(file);
        // Between these two, `state.new` is the newest sound copy, and `state.old` the one before. A damaged one is no
        // last good one.
        if matches!(read(&current)?, Found::Sound(_)) {
            fs::rename(&current, &old)?;
        }
        fs::rename(&new, &current)?;
        // Where folders can be synchronised, the renames are then on disk too.
        if let Ok(folder) = File::open(&self.folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

fn encode(generation: u64, state: &[u8]) -> Vec<u8> {
    let length = u32::try_from(state.len()).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(HEADER + state.len());
    out.extend(MAGIC);
    out.extend(generation.to_be_bytes());
    out.extend(length.to_be_bytes());
    let checksum = checksum(&out, state);
    out.extend(checksum);
    out.extend(state);
    out
}

fn checksum(header: &[u8], state: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(header).chain_update(state).finalize().into()
}

fn decode(bytes: &[u8]) -> Option<Copy> {
    let (header, state) = bytes.split_at_checked(HEADER)?;
    let (head, sum) = header.split_at_checked(HEADER - 32)?;
    let (magic, rest) = head.split_first_chunk::<8>()?;
    let (generation, length) = rest.split_first_chunk::<8>()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let sound =
        magic == MAGIC && usize::try_from(length).ok()? == state.len() && checksum(head, state) == sum;
    sound.then(|| Copy { generation: u64::from_be_bytes(*generation), state: state.to_vec() })
}

fn read(path: &Path) -> Result<Found, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error.into()),
    };
    // One byte more than there may be shows that there are too many.
    let limit = u64::try_from(HEADER + MAX_STATE + 1).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(decode(&bytes).map_or(Found::Damaged, Found::Sound))
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileStore").field(&self.folder).finish()
    }
}
