//! Byte streams over TCP, in the clear or encrypted: what a transport over TCP is built on.
//!
//! *Invariant:* no type of tokio or of the TLS library is public. Nothing is buffered here; a call here is one call there.
//! *Next:* `stream/opener.rs` and `stream/acceptor.rs` (which make them), `stream/authority.rs` (where to).

mod acceptor;
mod authority;
mod opener;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use coachwork_transport::{Info, Security};
use tokio::net::TcpStream;

use crate::compat::Compat;

pub use acceptor::Acceptor;
pub use authority::{Authority, AuthorityError};
pub use opener::Opener;

/// A stream over TCP, encrypted or not. [`Opener`] and [`Acceptor`] make them.
pub struct Stream(Kind);

enum Kind {
    Plain(Compat<TcpStream>),
    #[cfg(feature = "tls")]
    Encrypted(Box<Compat<tokio_rustls::TlsStream<TcpStream>>>),
}

impl Stream {
    pub(crate) fn plain(stream: TcpStream) -> Self {
        Self(Kind::Plain(Compat(stream)))
    }

    #[cfg(feature = "tls")]
    pub(crate) fn encrypted(stream: impl Into<tokio_rustls::TlsStream<TcpStream>>) -> Self {
        Self(Kind::Encrypted(Box::new(Compat(stream.into()))))
    }
}

/// What is known of a stream before anything was said on it. Small messages are sent at once from then on (`TCP_NODELAY`).
fn described(stream: &TcpStream, peer: Arc<str>) -> io::Result<Info> {
    stream.set_nodelay(true)?;
    let local = stream.peer_addr()?.ip().to_canonical().is_loopback();
    Ok(Info::new(peer).with_security(if local { Security::Local } else { Security::Plain }))
}

/// Does the same with either kind.
macro_rules! either {
    ($stream:expr, $kind:ident => $call:expr) => {
        match &mut $stream.get_mut().0 {
            Kind::Plain($kind) => {
                let $kind = Pin::new($kind);
                $call
            }
            #[cfg(feature = "tls")]
            Kind::Encrypted($kind) => {
                let $kind = Pin::new($kind.as_mut());
                $call
            }
        }
    };
}

impl futures_io::AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_read(cx, buf))
    }
}

impl futures_io::AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(cx, bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_close(cx))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Plain(_) => "Stream(plain)",
            #[cfg(feature = "tls")]
            Kind::Encrypted(_) => "Stream(encrypted)",
        })
    }
}
