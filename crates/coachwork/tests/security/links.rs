//! Links that others can read, and too many of them.

use std::task::{Context, Poll};

use coachwork::system::spawn;
use coachwork::transport::{
    Arrival, CloseCode, Connection, ConnectionExt, Connector, Info, Limits, Listener, Message, Security,
    TransportError, memory,
};

use crate::stand::{Peer, SPEED, Stand, get, soon};

/// A listener whose links others can read.
#[derive(Debug)]
struct Plain(memory::MemoryListener);

impl Listener for Plain {
    fn local(&self) -> &str {
        self.0.local()
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, TransportError>> {
        let arrival = std::task::ready!(self.0.poll_accept(cx))?;
        let seen = async { Ok(Box::new(Seen(arrival.await?, Info::new("afar:1"))) as Box<dyn Connection>) };
        Poll::Ready(Ok(Arrival::new("afar:1", seen)))
    }
}

#[derive(Debug)]
struct Seen(Box<dyn Connection>, Info);

impl Connection for Seen {
    fn info(&self) -> &Info {
        &self.1
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>> {
        self.0.poll_recv(cx)
    }

    fn is_receiving(&self) -> bool {
        self.0.is_receiving()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.0.poll_ready(cx)
    }

    fn feed(
        &mut self,
        kind: coachwork::transport::MessageKind,
        parts: &[&[u8]],
    ) -> Result<(), TransportError> {
        self.0.feed(kind, parts)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.0.poll_flush(cx)
    }

    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        reason: &coachwork::transport::CloseReason,
    ) -> Poll<Result<(), TransportError>> {
        self.0.poll_close(cx, reason)
    }
}

#[tokio::test]
async fn a_link_that_others_can_read_is_turned_away_with_a_word() {
    for plain_links in [false, true] {
        let stand = Stand::with(|options| options.plain_links = plain_links).await;
        assert_eq!(Info::new("afar").security, Security::Plain);
        let (listener, connector) = memory::listen("afar", &Limits::default());
        spawn(stand.gateway.serve(Plain(listener))).unwrap();
        let mut peer = Peer(connector.connect().await.unwrap());
        if plain_links {
            assert_eq!(peer.ask(get(SPEED), None).await["data"]["dp"]["value"], "50");
            continue;
        }
        let error = soon(peer.0.recv()).await.unwrap_err();
        let TransportError::Closed { reason, .. } = error else { panic!("{error}") };
        assert_eq!(reason.code(), CloseCode::Policy);
        assert!(reason.text().contains("others can read or change"), "{reason}");
    }
}

#[tokio::test]
async fn connections_of_one_host_are_bounded_over_all_transports() {
    let stand = Stand::with(|options| {
        options.plain_links = true;
        options.connections_per_host = 2;
    })
    .await;
    let mut kept = Vec::new();
    for place in 0..4 {
        let (listener, connector) = memory::listen("afar", &Limits::default());
        spawn(stand.gateway.serve(Plain(listener))).unwrap();
        let mut peer = Peer(connector.connect().await.unwrap());
        if place < 2 {
            assert_eq!(peer.ask(get(SPEED), None).await["data"]["dp"]["value"], "50");
            kept.push(peer);
        } else {
            let error = soon(peer.0.recv()).await.unwrap_err();
            assert!(error.to_string().contains("too many connections from this host"), "{error}");
        }
    }
    stand.serves_others().await;
}
