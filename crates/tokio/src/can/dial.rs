//! TCP connections and serial ports become the byte streams that bus protocols run over.
//!
//! *Invariant:* each call opens anew, the name of a host looked up again; nothing is read or written here.
//! *Next:* coachwork-can's `bus`, whose protocols read and write them; `../stream.rs`, which adapts tokio's streams.

use std::io;

use async_trait::async_trait;
use coachwork_can::bus::{ByteStream, DialStream};
use tokio::net::TcpStream;

use crate::compat::Compat;

/// A TCP connection, for each link a new one.
#[derive(Debug)]
pub(super) struct Tcp {
    host: String,
    port: u16,
}

impl Tcp {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port }
    }
}

#[async_trait]
impl DialStream for Tcp {
    async fn dial(&mut self) -> io::Result<Box<dyn ByteStream>> {
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(Compat(stream)))
    }
}

/// A serial port, opened raw: eight bits, no parity, one stop bit.
#[cfg(feature = "serial")]
#[derive(Debug)]
pub(super) struct Serial {
    path: String,
    baud: u32,
    rtscts: bool,
}

#[cfg(feature = "serial")]
impl Serial {
    pub(super) fn new(path: &str, baud: u32, rtscts: bool) -> Self {
        Self { path: path.to_owned(), baud, rtscts }
    }
}

#[cfg(feature = "serial")]
#[async_trait]
impl DialStream for Serial {
    async fn dial(&mut self) -> io::Result<Box<dyn ByteStream>> {
        use serial2_tokio::{FlowControl, SerialPort, Settings};
        let port = SerialPort::open(&self.path, |mut settings: Settings| {
            settings.set_raw();
            settings.set_baud_rate(self.baud)?;
            settings.set_flow_control(if self.rtscts { FlowControl::RtsCts } else { FlowControl::None });
            Ok(settings)
        })?;
        // What an adapter said to somebody else before is not for us.
        port.discard_input_buffer()?;
        Ok(Box::new(Compat(port)))
    }
}
