//! Bytes go to standard output, or to a file that gets its name when it is whole.
//!
//! *Invariant:* until [`Sink::finish`], a file has a temporary name beside its own, and loses it again where it is dropped before.
//! *Next:* `../convert.rs`.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Where the frames go.
#[derive(Debug)]
pub(crate) struct Sink {
    output: Output,
    /// The temporary name and the name, of a file that is not whole yet.
    names: Option<Names>,
}

#[derive(Debug)]
struct Names {
    temporary: PathBuf,
    name: PathBuf,
}

#[derive(Debug)]
enum Output {
    Plain(BufWriter<Bytes>),
    Packed(Box<GzEncoder<BufWriter<Bytes>>>),
}

#[derive(Debug)]
enum Bytes {
    File(File),
    Standard(io::Stdout),
}

impl Sink {
    pub(crate) fn create(path: &Path, packed: bool) -> io::Result<Self> {
        let (bytes, names) = if path == Path::new("-") {
            (Bytes::Standard(io::stdout()), None)
        } else {
            let mut temporary = path.as_os_str().to_owned();
            temporary.push(format!(".{}.part", std::process::id()));
            let temporary = PathBuf::from(temporary);
            let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
            (Bytes::File(file), Some(Names { temporary, name: path.to_owned() }))
        };
        let output = BufWriter::with_capacity(1 << 16, bytes);
        let output = if packed {
            Output::Packed(Box::new(GzEncoder::new(output, Compression::default())))
        } else {
            Output::Plain(output)
        };
        Ok(Self { output, names })
    }

    /// Whether what was written can be written again: a file that is not packed.
    pub(super) fn can_seek(&self) -> bool {
        self.names.is_some() && matches!(self.output, Output::Plain(_))
    }

    /// Writes out what is held back and gives the file its name.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let bytes = match &mut self.output {
            Output::Plain(output) => output,
            Output::Packed(output) => {
                output.try_finish()?;
                output.get_mut()
            }
        };
        bytes.flush()?;
        if let Bytes::File(file) = bytes.get_ref() {
            file.sync_all()?;
        }
        if let Some(names) = &self.names {
            fs::rename(&names.temporary, &names.name)?;
        }
        self.names = None;
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(names) = &self.names {
            let _ = fs::remove_file(&names.temporary);
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.output {
            Output::Plain(output) => output.write(bytes),
            Output::Packed(output) => output.write(bytes),
        }
    }

    /// Nothing: [`finish`](Self::finish) does it, and a packed stream packs better without.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.output {
            Output::Plain(output) => output.seek(to),
            Output::Packed(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }
}

impl Seek for Bytes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Standard(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Standard(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Standard(output) => output.flush(),
        }
    }
}
