//! The formats of logs: their names, their endings, and which of them can be written.
//!
//! *Next:* `mod.rs` (which recognises them), `writer.rs` (which writes them).

use std::fmt;

/// The format of a log, as its content shows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum LogFormat {
    /// candump's log form (`candump -L`): `(1436509052.249713) can0 123#DEADBEEF`.
    Candump,
    /// candump's screen form, with or without time stamps: `can0  123   [4]  DE AD BE EF`. It is read, not written.
    Console,
    /// Vector's ASC: `0.015991 1  123  Rx   d 4 DE AD BE EF` under a header with a date and the base of its numbers.
    Asc,
    /// PEAK's TRC, versions 1.0 to 2.1; 2.1 is written.
    Trc,
    /// python-can's CSV, known by its header: `timestamp,arbitration_id,extended,…`.
    Csv,
    /// The CSV of GVRET and SavvyCAN, known by its header: `Time Stamp,ID,Extended,Bus,LEN,D1,…`. It is read, not written.
    Gvret,
    /// Vector's binary log.
    Blf,
    /// A capture of libpcap, of SocketCAN frames or in Linux's cooked form. It is read, not written.
    Pcap,
    /// The same of pcapng.
    Pcapng,
    /// ASAM MDF 4 with bus logging. It is read, by the feature `mf4`, not written.
    Mf4,
}

impl LogFormat {
    /// Every format that can be written.
    pub const WRITTEN: &[Self] = &[Self::Candump, Self::Asc, Self::Trc, Self::Csv, Self::Blf, Self::Pcapng];

    /// A short name, as the tool `coachwork` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Candump => "candump",
            Self::Console => "console",
            Self::Asc => "asc",
            Self::Trc => "trc",
            Self::Csv => "csv",
            Self::Gvret => "gvret",
            Self::Blf => "blf",
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
            Self::Mf4 => "mf4",
        }
    }

    /// The format to write into a file whose name ends so (`asc`, `log`; without the dot, in any case); `None` where no format is.
    pub fn of_extension(extension: &str) -> Option<Self> {
        let extension = extension.to_ascii_lowercase();
        Self::WRITTEN.iter().copied().find(|format| format.extensions().contains(&extension.as_str()))
    }

    /// How the names of files of this format end, without the dot, the usual one first.
    pub const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Candump => &["log", "candump"],
            Self::Console => &["txt"],
            Self::Asc => &["asc"],
            Self::Trc => &["trc"],
            Self::Csv | Self::Gvret => &["csv"],
            Self::Blf => &["blf"],
            Self::Pcap => &["pcap"],
            Self::Pcapng => &["pcapng"],
            Self::Mf4 => &["mf4"],
        }
    }
}

/// What people call it.
impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Candump => "candump",
            Self::Console => "candump screen",
            Self::Asc => "ASC",
            Self::Trc => "TRC",
            Self::Csv => "python-can CSV",
            Self::Gvret => "GVRET CSV",
            Self::Blf => "BLF",
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
            Self::Mf4 => "MF4",
        })
    }
}
