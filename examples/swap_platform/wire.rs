//! The same platforms at the other end of a wire: a gateway in front of the vehicle, a client that is a vehicle, TCP between them.
//!
//! *Next:* `grant.rs` (the grant that is shown at the door), `platforms.rs` (what stands behind it).

use std::sync::Arc;

use coachwork::Vehicle;
use coachwork::client::{Client, Options};
use coachwork::entitlement::ByGrant;
use coachwork::gateway::Gateway;
use coachwork::system::tcp;
use coachwork::transport::Limits;
use coachwork_examples::Fault;

use crate::grant::Shop;
use crate::platforms::Platform;

/// Serves the platform's vehicle on a free port of this machine, and connects to it with or without a token.
///
/// The car keeps its own time; gateway and client live in ours.
///
/// # Errors
/// There is no port, or the gateway does not let the client in.
pub(crate) async fn over_tcp(
    platform: &mut Platform,
    shop: &Shop,
    token: Option<&[u8]>,
) -> Result<Arc<dyn Vehicle>, Fault> {
    let (limits, time) = (Limits::default(), shop.time.clone());
    let (vehicle, policy) = (platform.vehicle.clone(), shop.policy.clone());
    let door = ByGrant::new(vehicle, shop.car, policy, shop.verifier.clone(), time.clone());
    let gateway = Gateway::new(Arc::new(door), time.clone(), coachwork::gateway::Options::default());
    let listener = tcp::listen("127.0.0.1:0", &limits).await?;
    let address = listener.address().to_string();
    platform.tasks.run(gateway.serve(listener))?;

    let mut options = Options::default();
    options.token = token.map(Arc::from);
    let (client, driver) = Client::connect(tcp::connector(address, &limits), time, options).await?;
    platform.tasks.run(driver)?;
    Ok(Arc::new(client))
}
