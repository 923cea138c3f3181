//! A link that can be cut without a word and mended.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use coachwork_transport::{CloseReason, Connection, Connector, Info, Message, MessageKind, TransportError};

#[derive(Debug, Default)]
struct Switch {
    down: bool,
    cuts: u64,
    waiting: Vec<Waker>,
}

/// The same connector behind a switch, and the switch: `false` cuts, `true` mends.
pub(crate) fn switched(inner: impl Connector) -> (impl Connector, impl Fn(bool) + Send + Sync + 'static) {
    let switch = Arc::new(Mutex::new(Switch::default()));
    let connector = Switched { inner: Box::new(inner), switch: switch.clone() };
    (connector, move |up| {
        let waiting = {
            let mut switch = switch.lock().unwrap();
            switch.down = !up;
            switch.cuts += u64::from(!up);
            std::mem::take(&mut switch.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    })
}

#[derive(Debug)]
struct Switched {
    inner: Box<dyn Connector>,
    switch: Arc<Mutex<Switch>>,
}

#[async_trait]
impl Connector for Switched {
    fn peer(&self) -> &str {
        self.inner.peer()
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError> {
        let cuts = {
            let switch = self.switch.lock().unwrap();
            if switch.down {
                return Err(TransportError::io(self.peer(), io::ErrorKind::NetworkUnreachable.into()));
            }
            switch.cuts
        };
        let inner = self.inner.connect().await?;
        Ok(Box::new(Wire { inner, cuts, switch: self.switch.clone() }))
    }
}

struct Wire {
    inner: Box<dyn Connection>,
    cuts: u64,
    switch: Arc<Mutex<Switch>>,
}

impl Wire {
    fn check(&self, waker: Option<&Waker>) -> Result<(), TransportError> {
        let mut switch = self.switch.lock().unwrap();
        if switch.cuts != self.cuts {
            return Err(TransportError::io(
                self.inner.info().peer.clone(),
                io::ErrorKind::ConnectionReset.into(),
            ));
        }
        switch.waiting.retain(|other| !waker.is_some_and(|waker| waker.will_wake(other)));
        switch.waiting.extend(waker.cloned());
        Ok(())
    }
}

impl Connection for Wire {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>> {
        self.check(Some(cx.waker()))?;
        self.inner.poll_recv(cx)
    }

    fn is_receiving(&self) -> bool {
        self.inner.is_receiving()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.check(Some(cx.waker()))?;
        self.inner.poll_ready(cx)
    }

    fn feed(&mut self, kind: MessageKind, parts: &[&[u8]]) -> Result<(), TransportError> {
        self.check(None)?;
        self.inner.feed(kind, parts)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.check(Some(cx.waker()))?;
        self.inner.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, reason: &CloseReason) -> Poll<Result<(), TransportError>> {
        self.check(Some(cx.waker()))?;
        self.inner.poll_close(cx, reason)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Switched({:?})", self.inner)
    }
}
