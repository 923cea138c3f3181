//! What a peer holds is its own.

use coachwork::entitlement::{PaidClass, PaidFeature};
use coachwork::{Clock, Datapoint};
use serde_json::json;

use crate::stand::{RANGE, SEAT, SECRET, SPEED, Stand, get, is_refused, subscribe};

#[tokio::test]
async fn guessing_the_ids_of_other_peers_subscriptions_reaches_nothing() {
    let stand = Stand::new().await;
    let [mut victim, mut one, mut two] = stand.peers().await;
    let shown = stand.token(|draft| draft);
    let subscribed = victim.ask(subscribe(RANGE), Some(&shown)).await;
    assert!(subscribed["subscriptionId"].is_string(), "{subscribed}");
    assert_eq!(victim.hear().await["data"]["dp"]["value"], SECRET);
    for peer in [&mut one, &mut two] {
        for id in 0..64_u32 {
            let answer =
                peer.ask(json!({"action":"unsubscribe","subscriptionId":id.to_string()}), None).await;
            is_refused(&answer, "404");
        }
    }
    // It still stands, and they were told nothing of it.
    stand
        .car
        .publish(&[(RANGE, Datapoint::valid(SECRET.parse::<u32>().unwrap() + 1, stand.clock.now()))])
        .unwrap();
    assert_eq!(victim.hear().await["data"]["dp"]["value"], "412413");
    for peer in [&mut one, &mut two] {
        assert_eq!(peer.ask(get(SPEED), None).await["data"]["dp"]["value"], "50");
    }
}

#[tokio::test]
async fn guessing_the_keys_of_other_peers_requests_reaches_nothing() {
    let stand = Stand::new().await;
    let heat = PaidFeature::new("seat-heating".parse().unwrap(), PaidClass::Comfort);
    let shown = |id: &str| stand.token(|draft| draft.opens(&heat).sequence(id.len() as u64));
    let (owner, other) = (shown("a"), shown("bb"));
    assert_ne!(owner, other);
    let ask =
        |value: &str| json!({"action":"set","coachwork":"1","data":[{"path":SEAT,"value":value,"key":"1"}]});
    let [mut victim, mut stranger, _] = stand.peers().await;
    let first = victim.ask(ask("10"), Some(&owner)).await;
    assert!(["confirmed", "accepted"].contains(&first["receipts"][0]["stage"].as_str().unwrap()), "{first}");
    // Under the same key: a request of its own, no word of the other's.
    let second = stranger.ask(ask("20"), Some(&other)).await;
    assert!(
        ["confirmed", "accepted"].contains(&second["receipts"][0]["stage"].as_str().unwrap()),
        "{second}"
    );
}
