//! A peer's end of a connection, as lean as it can be: text messages over WebSocket, or over the frames of a byte stream.
//!
//! *Invariant:* it sends what the protocol asks for and reads no more than lengths; it is for a server that is trusted.
//! *Next:* `event.rs` (what is read of a message).

use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    WebSocket,
    Stream,
}

/// Bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// A connection.
pub struct Link {
    stream: Box<dyn Stream>,
    framing: Framing,
    read: Vec<u8>,
    /// What of `read` was taken, and what of it has arrived.
    from: usize,
    until: usize,
    write: Vec<u8>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({:?})", self.framing)
    }
}

impl Link {
    /// Over WebSocket, with this subprotocol.
    pub async fn websocket(address: SocketAddr, subprotocol: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server");
        stream.set_nodelay(true).expect("a socket");
        let mut link = Self::new(Box::new(stream), Framing::WebSocket);
        let head = format!(
            "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
        );
        link.stream.write_all(head.as_bytes()).await.expect("the server");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(link.stream.read_u8().await.expect("an answer"));
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        link
    }

    /// Over TCP.
    pub async fn tcp(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server");
        stream.set_nodelay(true).expect("a socket");
        Self::hello(Self::new(Box::new(stream), Framing::Stream)).await
    }

    /// Over a unix socket.
    pub async fn unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).await.expect("the server");
        Self::hello(Self::new(Box::new(stream), Framing::Stream)).await
    }

    async fn hello(mut link: Self) -> Self {
        let hello = b"coachwork/1 VISSv3";
        link.stream
            .write_all(&u32::try_from(hello.len()).expect("short").to_be_bytes())
            .await
            .expect("the server");
        link.stream.write_all(&[0]).await.expect("the server");
        link.stream.write_all(hello).await.expect("the server");
        link.receive().await;
        link
    }

    fn new(stream: Box<dyn Stream>, framing: Framing) -> Self {
        Self { stream, framing, read: vec![0; 1 << 17], from: 0, until: 0, write: Vec::new() }
    }

    /// Puts a message into what is sent next.
    pub fn put(&mut self, text: &str) {
        let length = text.len();
        match self.framing {
            Framing::Stream => {
                self.write.extend_from_slice(&u32::try_from(length).expect("short").to_be_bytes());
                self.write.push(1);
            }
            Framing::WebSocket => {
                self.write.push(0x81);
                if let Ok(short @ 0..=125) = u8::try_from(length) {
                    self.write.push(0x80 | short);
                } else {
                    self.write.push(0xFE);
                    self.write.extend_from_slice(&u16::try_from(length).expect("short").to_be_bytes());
                }
                // A mask of zeros is a mask.
                self.write.extend_from_slice(&[0; 4]);
            }
        }
        self.write.extend_from_slice(text.as_bytes());
    }

    /// Sends what was put.
    pub async fn flush(&mut self) {
        self.stream.write_all(&self.write).await.expect("the server");
        self.write.clear();
    }

    /// Sends a message.
    pub async fn send(&mut self, text: &str) {
        self.put(text);
        self.flush().await;
    }

    /// The next message.
    pub async fn receive(&mut self) -> &[u8] {
        loop {
            if let Some((begin, end)) = self.next() {
                self.from = end;
                return &self.read[begin..end];
            }
            self.fill().await;
        }
    }

    /// The next message, if it has arrived.
    pub fn received(&mut self) -> Option<&[u8]> {
        let (begin, end) = self.next()?;
        self.from = end;
        Some(&self.read[begin..end])
    }

    /// Waits until more has arrived.
    pub async fn fill(&mut self) {
        if self.from == self.until {
            (self.from, self.until) = (0, 0);
        } else if self.read.len() - self.until < 1 << 14 {
            self.read.copy_within(self.from..self.until, 0);
            (self.from, self.until) = (0, self.until - self.from);
            if self.read.len() - self.until < 1 << 14 {
                self.read.resize(self.read.len() * 2, 0);
            }
        }
        let count = self.stream.read(&mut self.read[self.until..]).await.expect("the server");
        assert!(count > 0, "the server has gone");
        self.until += count;
    }

    /// Where the next message begins and ends, if all of it is there.
    fn next(&self) -> Option<(usize, usize)> {
        let there = &self.read[self.from..self.until];
        let (head, length) = match self.framing {
            Framing::Stream => (5, u32::from_be_bytes(there.get(..4)?.try_into().ok()?) as usize),
            Framing::WebSocket => {
                assert!(there.is_empty() || there[0] == 0x81, "a whole text, not {there:02x?}");
                match *there.get(1)? {
                    126 => (4, usize::from(u16::from_be_bytes(there.get(2..4)?.try_into().ok()?))),
                    127 => (10, u64::from_be_bytes(there.get(2..10)?.try_into().ok()?) as usize),
                    short => (2, usize::from(short)),
                }
            }
        };
        (there.len() >= head + length).then(|| (self.from + head, self.from + head + length))
    }
}
