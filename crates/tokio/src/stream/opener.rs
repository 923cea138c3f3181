//! A host and a port become a stream, and what a transport makes of it, within a time.
//!
//! *Invariant:* nothing is sent in the clear but to this machine itself, unless that was asked for by name. No wait is without an end.
//! *Next:* `tls.rs` (whom a link believes), `acceptor.rs` (the other side).

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use coachwork_transport::{Info, TransportError};
use tokio::net::TcpStream;

use super::{Authority, AuthorityError, Stream, described};
use crate::dial::within;
#[cfg(feature = "tls")]
use crate::tls::{ClientTls, fault};

/// Opens streams to one place: the connecting side of a transport over TCP.
///
/// A link to another machine is encrypted, or it is refused: see [`allowing_plain_links`](Self::allowing_plain_links).
#[derive(Clone)]
pub struct Opener {
    peer: Arc<str>,
    to: Result<Authority, AuthorityError>,
    within: Duration,
    plain: bool,
    instead: &'static str,
    #[cfg(feature = "tls")]
    encrypted: bool,
    #[cfg(feature = "tls")]
    tls: Option<ClientTls>,
}

impl Opener {
    /// Opens streams to this place. Its links and errors name `peer`, which people see: it holds no credential.
    pub fn new(peer: impl Into<Arc<str>>, to: Authority) -> Self {
        Self::to(peer.into(), Ok(to))
    }

    pub(crate) fn to(peer: Arc<str>, to: Result<Authority, AuthorityError>) -> Self {
        Self {
            peer,
            to,
            within: Duration::from_secs(10),
            plain: false,
            instead: "TLS",
            #[cfg(feature = "tls")]
            encrypted: false,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// The peer's name for people.
    pub fn peer(&self) -> &Arc<str> {
        &self.peer
    }

    /// Gives up an attempt after this time, all handshakes included. Default 10 seconds.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Opens plain links to other machines too, where everybody on the way can read and change what travels.
    #[must_use]
    pub fn allowing_plain_links(self) -> Self {
        Self { plain: true, ..self }
    }

    /// What a refusal of a plain link says to use instead, such as `wss://`. Default `TLS`.
    #[must_use]
    pub fn instead(self, instead: &'static str) -> Self {
        Self { instead, ..self }
    }

    /// Encrypts every link, this machine's own included. Without [`secured`](Self::secured) there is nobody to believe, and each is refused.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn encrypted(self) -> Self {
        Self { encrypted: true, ..self }
    }

    /// Encrypts every link, and believes and shows what this says.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn secured(self, tls: &ClientTls) -> Self {
        Self { encrypted: true, tls: Some(tls.clone()), ..self }
    }

    /// Opens a stream, and hands it with what is known of it to `handshake`, all within the time. Dropping the call gives it up.
    ///
    /// # Errors
    /// [`TransportError::Refused`] where the link would be plain and may not be, where one side does not believe the other's certificate, or where
    /// there are no roots to believe; [`TransportError::Malformed`] where the other side does not speak TLS; [`TransportError::Io`] where nobody
    /// answers in time, or outside of a tokio runtime; and what `handshake` says.
    pub async fn open<T, F>(&self, handshake: impl FnOnce(Stream, Info) -> F) -> Result<T, TransportError>
    where
        F: Future<Output = Result<T, TransportError>>,
    {
        within(&self.peer, self.within, async {
            let (stream, info) = self.stream().await?;
            let made = handshake(stream, info).await;
            // With TLS 1.3 a server says only now what it thinks of a client's certificate.
            #[cfg(feature = "tls")]
            let made = made.map_err(fault::explained);
            made
        })
        .await
    }

    async fn stream(&self) -> Result<(Stream, Info), TransportError> {
        let lost = |why| TransportError::io(self.peer.clone(), why);
        let refused = |what: String| TransportError::Refused { peer: self.peer.clone(), what };
        let to = self.to.as_ref().map_err(|why| lost(io::Error::new(io::ErrorKind::InvalidInput, *why)))?;
        #[cfg(feature = "tls")]
        if self.encrypted && self.tls.is_none() {
            return Err(refused("TLS needs roots to believe: see secured".to_owned()));
        }
        let stream = TcpStream::connect((to.host(), to.port())).await.map_err(lost)?;
        let info = described(&stream, self.peer.clone()).map_err(lost)?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.shake(to.host(), stream, info).await;
        }
        if !info.is_secure() && !self.plain {
            return Err(refused(format!(
                "a plain link to another machine is refused, for others could read and change what travels: use {}, or allow plain links",
                self.instead
            )));
        }
        Ok((Stream::plain(stream), info))
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({})", self.peer)
    }
}
