//! A unix socket with a switch on it: cut, or silent for both sides without a word.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use coachwork_tokio::unix::UnixConnector;
use coachwork_transport::{CloseReason, Connection, Connector, Info, Message, MessageKind, TransportError};

/// Cuts and silences the connections of one client.
#[derive(Clone, Default)]
pub struct Switch(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Connections up to this number are cut, and silent.
    cut: u64,
    silent: u64,
    last: u64,
    waker: Option<Waker>,
}

impl Switch {
    pub fn cut(&self) {
        let waker = {
            let mut state = self.0.lock().unwrap();
            state.cut = state.last;
            state.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    pub fn silence(&self) {
        let mut state = self.0.lock().unwrap();
        state.silent = state.last;
    }
}

/// Connects through a switch.
#[derive(Clone)]
pub struct Switched(pub UnixConnector, pub Switch);

impl std::fmt::Debug for Switched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Switched")
    }
}

struct Wired {
    inner: Box<dyn Connection>,
    switch: Switch,
    number: u64,
}

impl std::fmt::Debug for Wired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wired")
    }
}

enum Now {
    Works,
    Silent,
    Cut,
}

impl Wired {
    fn now(&self, cx: Option<&Context<'_>>) -> Now {
        let mut state = self.switch.0.lock().unwrap();
        if let Some(cx) = cx {
            state.waker = Some(cx.waker().clone());
        }
        if self.number <= state.cut {
            Now::Cut
        } else if self.number <= state.silent {
            Now::Silent
        } else {
            Now::Works
        }
    }
}

fn broken() -> TransportError {
    TransportError::io("gateway", std::io::ErrorKind::ConnectionReset.into())
}

#[async_trait]
impl Connector for Switched {
    fn peer(&self) -> &str {
        self.0.peer()
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError> {
        let inner = self.0.connect().await?;
        let number = {
            let mut state = self.1.0.lock().unwrap();
            state.last += 1;
            state.last
        };
        Ok(Box::new(Wired { inner, switch: self.1.clone(), number }))
    }
}

impl Connection for Wired {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>> {
        match self.now(Some(cx)) {
            Now::Works => self.inner.poll_recv(cx),
            Now::Silent => Poll::Pending,
            Now::Cut => Poll::Ready(Err(broken())),
        }
    }

    fn is_receiving(&self) -> bool {
        self.inner.is_receiving()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        match self.now(Some(cx)) {
            Now::Works => self.inner.poll_ready(cx),
            Now::Silent => Poll::Ready(Ok(())),
            Now::Cut => Poll::Ready(Err(broken())),
        }
    }

    fn feed(&mut self, kind: MessageKind, parts: &[&[u8]]) -> Result<(), TransportError> {
        match self.now(None) {
            Now::Works => self.inner.feed(kind, parts),
            Now::Silent => Ok(()),
            Now::Cut => Err(broken()),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        match self.now(Some(cx)) {
            Now::Works => self.inner.poll_flush(cx),
            Now::Silent => Poll::Ready(Ok(())),
            Now::Cut => Poll::Ready(Err(broken())),
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, reason: &CloseReason) -> Poll<Result<(), TransportError>> {
        match self.now(Some(cx)) {
            Now::Works => self.inner.poll_close(cx, reason),
            Now::Silent => Poll::Ready(Ok(())),
            Now::Cut => Poll::Ready(Err(broken())),
        }
    }
}
