use futures::FutureExt;
use futures::executor::block_on;
use proptest::prelude::*;

use super::*;
use crate::close::CloseCode;
use crate::connection::{ConnectionExt, ListenerExt};

fn small() -> Limits {
    Limits { message: 1000, write_buffer: 100, ..Limits::default() }
}

#[test]
fn a_slow_reader_holds_the_writer_back_and_nothing_is_lost() {
    let (mut here, mut there) = pair(&small());
    let message = Message::Binary(vec![7; 100].into());
    let mut sent = 0;
    while here.send(&message).now_or_never().is_some() {
        sent += 1;
        assert!(sent < 10, "nothing holds the writer back");
    }
    // The call that was given up had taken its message whole.
    let mut received = 0;
    while there.recv().now_or_never().is_some() {
        received += 1;
        let _ = here.flush().now_or_never();
    }
    assert_eq!(received, sent + 1);
}

#[test]
fn empty_messages_are_bounded_too() {
    let (mut here, _there) = pair(&small());
    let taken = (0..1000).take_while(|_| here.feed(MessageKind::Text, &[]).is_ok()).count();
    assert!((1..10).contains(&taken), "{taken}");
    assert!(matches!(here.feed(MessageKind::Text, &[]), Err(TransportError::Full { .. })));
}

#[test]
fn what_was_sent_before_the_end_still_arrives() {
    let (mut here, mut there) = pair(&small());
    let reason = CloseReason::new(CloseCode::Policy, "enough");
    block_on(async {
        here.send(&Message::text("last")).await.unwrap();
        here.close(reason.clone()).await.unwrap();
        assert_eq!(there.recv().await.unwrap(), Message::text("last"));
        let end = there.recv().await.unwrap_err();
        assert!(matches!(end, TransportError::Closed { reason: told, .. } if told == reason));
        let end = there.send(&Message::text("x")).await.unwrap_err();
        assert!(matches!(end, TransportError::Closed { reason: told, .. } if told == reason));
        assert!(here.recv().await.is_err());
    });
}

#[test]
fn a_dropped_end_is_a_lost_link() {
    let (here, mut there) = pair(&small());
    let mut waiting = Box::pin(there.recv());
    assert!((&mut waiting).now_or_never().is_none());
    drop(here);
    assert!(matches!(block_on(waiting), Err(TransportError::Io { .. })));
}

#[test]
fn a_message_above_the_limit_is_refused_and_the_link_lives() {
    let (mut here, mut there) = pair(&small());
    let error = block_on(here.send(&Message::Binary(vec![0; 1001].into()))).unwrap_err();
    assert!(matches!(error, TransportError::TooLargeToSend { size: 1001, limit: 1000, .. }));
    block_on(here.send(&Message::text("fits"))).unwrap();
    assert_eq!(block_on(there.recv()).unwrap(), Message::text("fits"));
}

#[test]
fn a_listener_takes_connectors_in() {
    let (listener, connector) = listen("car", &small());
    let mut listener = listener.speaking(&["VISSv3", "VISSv2"]);
    let mut accept = Box::pin(listener.accept());
    assert!((&mut accept).now_or_never().is_none());
    let certificate = Bytes::from_static(b"der");
    let offering = connector.clone().offering(&["VISSv2"]).with_certificate(certificate.clone());
    let client = block_on(offering.connect()).unwrap();
    assert_eq!(client.info().subprotocol.as_deref(), Some("VISSv2"));
    let server = block_on(async { accept.await.unwrap().await }).unwrap();
    assert_eq!(server.info().subprotocol.as_deref(), Some("VISSv2"));
    assert_eq!(server.info().certificate, Some(certificate));
    let refused = block_on(connector.clone().offering(&["v9"]).connect()).unwrap_err();
    assert!(matches!(refused, TransportError::Refused { .. }), "{refused}");
    let mut accept = Box::pin(listener.accept());
    assert!((&mut accept).now_or_never().is_none());
    drop((connector, offering));
    assert!(matches!(block_on(accept), Err(TransportError::Closed { .. })));
}

#[test]
fn a_listener_that_is_gone_or_does_not_accept_refuses() {
    let (listener, connector) = listen("car", &small());
    let waiting: Vec<_> = (0..BACKLOG).map(|_| block_on(connector.connect()).unwrap()).collect();
    assert!(block_on(connector.connect()).is_err());
    drop(listener);
    assert!(matches!(block_on(connector.connect()), Err(TransportError::Io { .. })));
    for mut connection in waiting {
        assert!(block_on(connection.recv()).is_err());
    }
}

proptest! {
    #[test]
    fn messages_arrive_in_order_whatever_the_pace(steps in prop::collection::vec(any::<bool>(), 0..200)) {
        let (mut here, mut there) = pair(&small());
        let (mut sent, mut received) = (0_u32, 0_u32);
        for send in steps {
            if send && here.feed(MessageKind::Binary, &[&sent.to_be_bytes()]).is_ok() {
                sent += 1;
            }
            let _ = here.flush().now_or_never();
            if !send && let Some(message) = there.recv().now_or_never() {
                let message = message.unwrap();
                prop_assert_eq!(message.data().as_ref(), &received.to_be_bytes()[..]);
                received += 1;
            }
        }
        while let Some(message) = there.recv().now_or_never() {
            let message = message.unwrap();
            prop_assert_eq!(message.data().as_ref(), &received.to_be_bytes()[..]);
            received += 1;
            let _ = here.flush().now_or_never();
        }
        prop_assert_eq!(sent, received);
    }
}
