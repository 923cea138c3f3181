//! Messages over TCP and unix sockets: whole, in order, bounded, and named in errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use coachwork_tokio::tcp;
use coachwork_transport::{
    CloseReason, Connection, ConnectionExt, Connector, Limits, Listener, ListenerExt, Message, Security,
    TransportError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn joined(
    listener: &mut impl Listener,
    connector: &impl Connector,
) -> (Box<dyn Connection>, Box<dyn Connection>) {
    let (there, here) = tokio::join!(async { listener.accept().await.unwrap().await.unwrap() }, async {
        connector.connect().await.unwrap()
    });
    (here, there)
}

async fn carries_messages(mut here: Box<dyn Connection>, mut there: Box<dyn Connection>) {
    assert_eq!(here.info().security, Security::Local);
    assert_eq!(there.info().security, Security::Local);
    let large = Message::text("x".repeat(1 << 20));
    let sender = async {
        for n in 0..100 {
            here.feed_message(&Message::text(format!("{n}"))).await.unwrap();
        }
        here.feed_message(&large).await.unwrap();
        here.flush().await.unwrap();
        here.close(CloseReason::normal()).await.unwrap();
    };
    let receiver = async {
        for n in 0..100 {
            assert_eq!(there.recv().await.unwrap(), Message::text(format!("{n}")));
        }
        assert_eq!(there.recv().await.unwrap(), large);
        assert!(matches!(there.recv().await, Err(TransportError::Closed { .. })));
    };
    tokio::join!(sender, receiver);
}

#[tokio::test]
async fn tcp_carries_messages() {
    let limits = Limits::default();
    let mut listener = tcp::listen("127.0.0.1:0", &limits).await.unwrap().speaking(&["VISSv3"]);
    let connector = tcp::connector(listener.address().to_string(), &limits).offering(&["VISSv3", "VISSv2"]);
    let (here, there) = joined(&mut listener, &connector).await;
    assert_eq!(here.info().subprotocol.as_deref(), Some("VISSv3"));
    assert_eq!(there.info().subprotocol.as_deref(), Some("VISSv3"));
    carries_messages(here, there).await;
}

#[tokio::test]
async fn a_length_above_the_limit_names_the_peer_and_the_limit() {
    let limits = Limits::default();
    let mut listener = tcp::listen("127.0.0.1:0", &limits).await.unwrap();
    let mut stranger = tokio::net::TcpStream::connect(listener.address()).await.unwrap();
    // A proper hello first, then the length of a gibibyte.
    let connected = tokio::spawn(async move { listener.accept().await.unwrap().await });
    stranger.write_all(b"\0\0\0\x0b\0coachwork/1").await.unwrap();
    let mut answer = [0; 16];
    stranger.read_exact(&mut answer).await.unwrap();
    stranger.write_all(&(1_u32 << 30).to_be_bytes()).await.unwrap();
    let mut connection = connected.await.unwrap().unwrap();
    let error = connection.recv().await.unwrap_err();
    let name = stranger.local_addr().unwrap();
    assert_eq!(
        error.to_string(),
        format!("{name}: a message of 1073741824 bytes is above the limit of 4194304")
    );
}

#[tokio::test]
async fn nobody_there_and_somebody_silent_are_errors_in_time() {
    let limits = Limits::default();
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let connector = tcp::connector(address.clone(), &limits).within(Duration::from_millis(50));
    // The system accepts the connection; nobody answers the hello.
    let silent = connector.connect().await.unwrap_err();
    assert_eq!(silent.to_string(), format!("{address}: the link is lost: no connection within 50ms"));
    drop(socket);
    let nobody = connector.connect().await.unwrap_err();
    assert_eq!(nobody.peer(), address);
}

#[test]
fn outside_of_a_runtime_it_says_so() {
    let limits = Limits::default();
    let error = futures::executor::block_on(tcp::connector("127.0.0.1:1", &limits).connect()).unwrap_err();
    assert!(matches!(error, TransportError::Io { .. }), "{error}");
    assert!(futures::executor::block_on(tcp::listen("127.0.0.1:0", &limits)).is_err());
}

#[cfg(unix)]
mod unix {
    use super::*;
    use coachwork_tokio::unix;

    fn path(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("coachwork-{}-{name}.sock", std::process::id()))
    }

    #[tokio::test]
    async fn a_unix_socket_carries_messages() {
        let (limits, path) = (Limits::default(), path("carries"));
        let mut listener = unix::listen(&path, &limits).await.unwrap();
        let (here, there) = joined(&mut listener, &unix::connector(&path, &limits)).await;
        carries_messages(here, there).await;
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_a_dead_process_left_is_replaced_and_what_lives_is_not() {
        let (limits, path) = (Limits::default(), path("left"));
        // A std listener does not remove its file.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let listener = unix::listen(&path, &limits).await.unwrap();
        let error = unix::listen(&path, &limits).await.unwrap_err();
        assert!(matches!(error, TransportError::Io { .. }), "{error}");
        assert!(path.exists());
        drop(listener);
        std::fs::write(&path, "a file").unwrap();
        assert!(unix::listen(&path, &limits).await.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file");
        std::fs::remove_file(&path).unwrap();
    }
}
