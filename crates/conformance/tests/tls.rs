//! The suite on the far end of a vehicle, behind a gateway and a client, over TCP with TLS, on tokio and the system's clock; and the transport's own suite,
//! over a faulty link too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod live;
mod stand;

use std::net::SocketAddr;

use coachwork_conformance::{Ends, Stage, Subject, transport, vehicle};
use coachwork_tokio::tcp::{self, TcpConnector, TcpListener};
use coachwork_tokio::tls::{ClientTls, Identity, Roots, ServerTls};
use coachwork_transport::{Connector, Limits, ListenerExt};
use live::Tokio;
use stand::{behind_switch, in_memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener as Socket, TcpStream};

/// A listener, and what a connector to it believes.
async fn listening(limits: &Limits) -> (TcpListener, ClientTls) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let identity = Identity::from_pem(made.cert.pem(), made.signing_key.serialize_pem()).unwrap();
    let tls = ServerTls::new(&identity).unwrap();
    let listener = tcp::listen("127.0.0.1:0", limits).await.unwrap().secured(&tls);
    (listener, ClientTls::trusting(&Roots::from_pem(made.cert.pem()).unwrap()).unwrap())
}

fn to(address: SocketAddr, tls: &ClientTls, limits: &Limits) -> TcpConnector {
    tcp::connector(format!("localhost:{}", address.port()), limits).secured(tls)
}

async fn far_memory(stage: Stage) -> Subject {
    let limits = Limits::default();
    let (listener, tls) = listening(&limits).await;
    let connector = to(listener.address(), &tls, &limits);
    behind_switch(&stage, in_memory(stage.clone()).await, listener, connector).await
}

vehicle!(far_memory, mod memory, on Tokio);

/// Two ends, perhaps with something between them.
async fn joined(is_faulty: bool) -> Ends {
    let mut limits = Limits::default();
    limits.message = 64 * 1024;
    limits.write_buffer = 128 * 1024;
    let (mut listener, tls) = listening(&limits).await;
    let address = if is_faulty { faulty(listener.address()).await } else { listener.address() };
    let connector = to(address, &tls, &limits);
    let accept = async { listener.accept().await.unwrap().await.unwrap() };
    let (near, far) = futures_util::future::join(connector.connect(), accept).await;
    Ends::new(near.unwrap(), far, limits)
}

async fn ends(_: Stage) -> Ends {
    joined(false).await
}

async fn turned(_: Stage) -> Ends {
    joined(false).await.turned()
}

async fn over_a_faulty_link(_: Stage) -> Ends {
    joined(true).await
}

transport!(ends, mod link, on Tokio);
transport!(turned, mod turned_link, on Tokio);
transport!(over_a_faulty_link, mod faulty_link, on Tokio);

/// A way to an address on which everything comes in pieces of all sizes, some of them late. (What is lost or in another order, TCP sets right.)
async fn faulty(address: SocketAddr) -> SocketAddr {
    let socket = Socket::bind("127.0.0.1:0").await.unwrap();
    let here = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let (near, _) = socket.accept().await.unwrap();
        let far = TcpStream::connect(address).await.unwrap();
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        futures_util::future::join(pieces(near_in, far_out), pieces(far_in, near_out)).await;
    });
    here
}

async fn pieces(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut room = [0; 4096];
    for turn in 0_usize.. {
        // From a single byte to a few thousand.
        let size = 1 + turn * 7_919 % [1, 5, 60, 900, 4_095][turn % 5];
        let Ok(count @ 1..) = from.read(&mut room[..size]).await else { return };
        if turn % 64 == 3 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        if to.write_all(&room[..count]).await.is_err() {
            return;
        }
    }
}
