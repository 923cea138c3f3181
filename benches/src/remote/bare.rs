//! The floor: sockets that carry as many bytes and mean nothing, served by the same thread as the gateway.
//!
//! *Next:* `server.rs`.

use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use super::link::Stream;

/// The bytes of a request and of its answer.
pub const BYTES: (usize, usize) = (70, 170);

/// Starts an echo over TCP and one over a unix socket at `path`.
pub async fn echo(path: &Path) -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let local = UnixListener::bind(path).expect("a socket");
    let address = tcp.local_addr().expect("an address");
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Ok((stream, _)) = tcp.accept() => {
                    stream.set_nodelay(true).expect("a socket");
                    tokio::spawn(answer(stream));
                }
                Ok((stream, _)) = local.accept() => {
                    tokio::spawn(answer(stream));
                }
            }
        }
    });
    address
}

async fn answer(mut stream: impl Stream) {
    let (mut asked, answer) = ([0; BYTES.0], [7; BYTES.1]);
    while stream.read_exact(&mut asked).await.is_ok() && stream.write_all(&answer).await.is_ok() {}
}

/// A request and its answer.
pub async fn ask(stream: &mut impl Stream) {
    let mut answer = [0; BYTES.1];
    stream.write_all(&[1; BYTES.0]).await.expect("the echo");
    stream.read_exact(&mut answer).await.expect("the echo");
}
