//! The suite on the transports of the family, on simulated time; and wrong transports, each of which fails exactly its clause.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use coachwork_conformance::wire::TRANSPORT;
use coachwork_conformance::wire::network::{Network, Weather};
use coachwork_conformance::{Ends, Simulated, Stage, transport, transport_report};
use coachwork_transport::{Connector, Limits, ListenerExt, memory};

mod crooked;

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.message = 64 * 1024;
    limits.write_buffer = 128 * 1024;
    limits
}

async fn pair(_: Stage) -> Ends {
    let (near, far) = memory::pair(&limits());
    Ends::new(near, far, limits())
}

async fn listened(_: Stage) -> Ends {
    let (mut listener, connector) = memory::listen("gateway", &limits());
    let (near, far) =
        futures_util::future::join(connector.connect(), async { listener.accept().await.unwrap().await })
            .await;
    Ends::new(near.unwrap(), far.unwrap(), limits())
}

async fn over_a_network(stage: Stage) -> Ends {
    let (near, far) = Network::new(stage.clock(), 1, &limits()).pair();
    Ends::new(near, far, limits())
}

async fn over_a_bad_network(stage: Stage) -> Ends {
    let network = Network::new(stage.clock(), 2, &limits());
    let mut weather = Weather::fine();
    weather.delay = (Duration::from_micros(1), Duration::from_millis(3));
    weather.loss = 100;
    network.set_weather(weather);
    let (near, far) = network.pair();
    Ends::new(near, far, limits())
}

transport!(over_a_network, mod network);
transport!(over_a_bad_network, mod bad_network);
transport!(pair, mod memory_pair);
transport!(listened, mod memory_listener);

#[test]
fn each_wrong_transport_fails_exactly_its_clause() {
    let mut wrong = Vec::new();
    for clause in TRANSPORT {
        let fault = clause.id;
        let make =
            move |stage: Stage| async move { pair(stage).await.map(|end| crooked::Crooked::new(end, fault)) };
        let report = transport_report(&Simulated, make);
        if report.failed() != [fault] {
            wrong.push(format!("the fault of {fault}:\n{report}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
