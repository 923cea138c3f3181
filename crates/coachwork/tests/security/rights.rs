//! Who comes in, and what they see.

use std::time::Duration;

use coachwork::entitlement::{StatusList, VehicleId};
use coachwork::{Clock, Datapoint};
use serde_json::json;

use crate::stand::{MINUTE, RANGE, SEAT, SECRET, SPEED, Stand, get, is_refused, issuer, subscribe, token};

#[tokio::test]
async fn no_token_opens_only_what_needs_none() {
    let stand = Stand::new().await;
    for mut peer in stand.peers().await {
        assert_eq!(peer.ask(get(SPEED), None).await["data"]["dp"]["value"], "50");
        is_refused(&peer.ask(get(RANGE), None).await, "401");
        is_refused(&peer.ask(subscribe(RANGE), None).await, "401");
        is_refused(&peer.ask(json!({"action":"set","path":SEAT,"value":"9"}), None).await, "401");
        let past = json!({"action":"get","path":RANGE,"filter":{"variant":"history","parameter":"P1D"}});
        is_refused(&peer.ask(past, None).await, "401");
        // With additional members too, whatever else is asked for in the same breath.
        let groups = json!({"action":"subscribe","coachwork":"1","signals":[{"paths":[RANGE]}]});
        let answer = peer.ask(groups, None).await;
        assert_eq!(answer["refused"][0]["error"]["kind"], "denied", "{answer}");
        assert!(!answer.to_string().contains(SECRET));
    }
    stand.serves_others().await;
}

#[tokio::test]
async fn an_expired_token_opens_nothing_and_its_subscription_ends() {
    let stand = Stand::new().await;
    let shown = stand.token(|draft| draft);
    let mut peers = stand.peers().await;
    for peer in &mut peers {
        assert_eq!(peer.ask(get(RANGE), Some(&shown)).await["data"]["dp"]["value"], SECRET);
        assert!(peer.ask(subscribe(RANGE), Some(&shown)).await["subscriptionId"].is_string());
        assert_eq!(peer.hear().await["data"]["dp"]["value"], SECRET);
    }
    stand.clock.advance(MINUTE);
    stand.publish(50.0);
    for peer in &mut peers {
        let end = peer.hear().await;
        is_refused(&end, "401");
        assert_eq!(end["action"], "subscription");
        is_refused(&peer.ask(get(RANGE), Some(&shown)).await, "401");
        is_refused(&peer.ask(subscribe(RANGE), Some(&shown)).await, "401");
    }
    assert_eq!(stand.gateway.counters().subscriptions, 0);
}

#[tokio::test]
async fn a_token_of_another_car_opens_nothing() {
    let stand = Stand::new().await;
    let other = token(&stand.issuer, VehicleId::opaque([2; 16]), &stand.clock, |draft| draft);
    for mut peer in stand.peers().await {
        let answer = peer.ask(get(RANGE), Some(&other)).await;
        assert!(["401", "403"].contains(&answer["error"]["number"].as_str().unwrap()), "{answer}");
        assert!(!answer.to_string().contains(SECRET));
    }
}

#[tokio::test]
async fn a_token_for_another_audience_opens_nothing() {
    let stand = Stand::new().await;
    let car = stand.wallet.car().vehicle;
    // Signed well, by the same key, for another purpose.
    let list = StatusList::new("https://example.com/1", stand.clock.now(), 8).unwrap();
    let list = stand.issuer.issue_status(&list.fresh_for(MINUTE).unwrap()).unwrap();
    let list = format!("b64:{}", base64(&list));
    // Signed by another's key under the same name; and changed in its last place.
    let stranger = token(&issuer(8), car, &stand.clock, |draft| draft);
    let good = stand.token(|draft| draft);
    let changed = format!("{}{}", &good[..good.len() - 1], if good.ends_with('A') { "B" } else { "A" });
    let mut peer = stand.peer().await;
    for wrong in [&list, &stranger, &changed, "eyJhbGciOiJub25lIn0.e30.", "", "b64:", "b64:!!", " "] {
        let answer = peer.ask(get(RANGE), Some(wrong)).await;
        let number = answer["error"]["number"].as_str().unwrap_or_else(|| panic!("{wrong}: {answer}"));
        assert!(["400", "401"].contains(&number), "{wrong}: {answer}");
        assert!(!answer.to_string().contains(SECRET));
        assert!(
            wrong.len() < 12 || !answer.to_string().contains(&wrong[..12]),
            "a refusal shows nothing: {answer}"
        );
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        bits <<= 8 * (3 - chunk.len());
        for place in 0..=chunk.len() {
            out.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    out
}

#[tokio::test]
async fn a_path_outside_the_scope_by_wildcard_is_refused_as_a_whole() {
    let stand = Stand::new().await;
    for mut peer in stand.peers().await {
        for parameter in [
            json!(["*"]),
            json!(["*.Range"]),
            json!(["Powertrain"]),
            json!(["Powertrain.*"]),
            json!(["Speed", "Powertrain/Range"]),
        ] {
            let paths = json!({"variant":"paths","parameter":parameter});
            for request in [
                json!({"action":"get","path":"Vehicle","filter":paths}),
                json!({"action":"get","path":"Vehicle","filter":[paths,{"variant":"history","parameter":"P1D"}]}),
                json!({"action":"subscribe","path":"Vehicle","filter":[paths,{"variant":"timebased","parameter":{"period":"100"}}]}),
            ] {
                // Each has the range among what it means.
                let answer = peer.ask(request, None).await;
                assert!(!answer.to_string().contains(SECRET), "{answer}");
                assert!(!answer["error"].is_null(), "{answer}");
            }
        }
        // What is there may be known: its value may not.
        let tree = json!({"action":"get","path":"Vehicle","filter":{"variant":"metadata","parameter":"0"}});
        assert!(!peer.ask(tree, None).await.to_string().contains(SECRET));
    }
    stand.serves_others().await;
}

#[tokio::test]
async fn a_path_outside_the_scope_by_unicode_or_spelling_opens_nothing() {
    let stand = Stand::new().await;
    let mut peer = stand.peer().await;
    for path in [
        "Vehicle/Powertrain/Range",
        "/Vehicle/Powertrain/Range",
        "Vehicle.Powertrain/Range",
        "//Vehicle//Powertrain//Range",
        "Vehicle..Powertrain.Range",
        "Vehicle.Speed/../Powertrain.Range",
        "Vehicle/./Powertrain/Range",
        "Vehicle.Speed.../Powertrain/Range",
        "../Vehicle/Powertrain/Range",
        "Vehicle\\Powertrain\\Range",
        "vehicle.powertrain.range",
        "VEHICLE.POWERTRAIN.RANGE",
        "Vehicle%2EPowertrain%2ERange",
        "Vehicle%2FPowertrain%2FRange",
        "Vehicle.Powertrain.Rang%65",
        "Vehicle.Powertrain.Range%00",
        "Vehicle.Powertrain.Range\u{0}",
        "Vehicle.Powertrain.Range\u{0}.Speed",
        "Vehicle.Powertrain.Range ",
        " Vehicle.Powertrain.Range",
        "Vehicle.Powertrain.Range\n",
        "Vehicle.Powertrain.Range.",
        ".Vehicle.Powertrain.Range",
        // Cyrillic а and е, Greek ν, fullwidth letters, a mathematical R.
        "Vehicle.Powertrain.R\u{430}nge",
        "V\u{435}hicle.Powertrain.Range",
        "\u{3bd}ehicle.Powertrain.Range",
        "\u{ff36}\u{ff45}\u{ff48}icle.Powertrain.Range",
        "Vehicle.Powertrain.\u{1d411}ange",
        // Composed, decomposed, with marks that a reader does not see.
        "Vehicle.Powertrain.R\u{e5}nge",
        "Vehicle.Powertrain.Ra\u{30a}nge",
        "Vehicle.Powertrain.Ra\u{34f}nge",
        "Vehicle.Powertrain.Ran\u{200b}ge",
        "Vehicle.Powertrain.Ran\u{200d}ge",
        "Vehicle.Powertrain.\u{feff}Range",
        "Vehicle.Powertrain.\u{202e}egnaR",
        "Vehicle.Powertrain.Range\u{fe0f}",
        // Other dots and slashes.
        "Vehicle\u{ff0e}Powertrain\u{ff0e}Range",
        "Vehicle\u{2024}Powertrain\u{2024}Range",
        "Vehicle\u{2215}Powertrain\u{2215}Range",
        "Vehicle.Powertrain.*",
        "Vehicle.**",
        "*",
        "",
    ] {
        let past = json!({"variant":"history","parameter":"P1D"});
        let below = |path: &str| json!({"variant":"paths","parameter":[path]});
        for request in [
            get(path),
            subscribe(path),
            json!({"action":"get","path":path,"filter":past}),
            json!({"action":"get","path":"Vehicle","filter":below(path.trim_start_matches("Vehicle."))}),
            json!({"action":"get","path":"Vehicle.Powertrain","filter":below(path.trim_start_matches("Vehicle.Powertrain."))}),
            json!({"action":"set","path":path.replace("Powertrain.Range", "Cabin.Seat.Row1.DriverSide.HeatingCooling"),"value":"66"}),
        ] {
            let answer = peer.ask(request.clone(), None).await;
            let number = answer["error"]["number"].as_str().unwrap_or_else(|| panic!("{request}: {answer}"));
            assert!(["400", "401", "404"].contains(&number), "{request}: {answer}");
            assert!(!answer.to_string().contains(SECRET), "{request}: {answer}");
        }
    }
    // Escapes of JSON are read before anything is looked up.
    peer.send(r#"{"action":"get","path":"\u0056ehicle.Powertrain.R\u0061nge","requestId":"7"}"#).await;
    is_refused(&peer.hear().await, "401");
    // Which of two members of one name counts is nobody's guess.
    peer.send(format!(r#"{{"action":"get","path":"{SPEED}","path":"{RANGE}","requestId":"7"}}"#)).await;
    is_refused(&peer.hear().await, "400");
    assert_eq!(peer.ask(get(SEAT), None).await["data"]["dp"]["value"], "0", "nothing moved");
}

#[tokio::test]
async fn what_was_recorded_is_not_even_counted_for_those_who_may_not_read_it() {
    let stand = Stand::with(|options| options.history = 2).await;
    for range in 1..=5_u32 {
        stand.car.publish(&[(RANGE, Datapoint::valid(range, stand.clock.now()))]).unwrap();
        stand.pass(Duration::from_secs(1)).await;
    }
    let past = json!({"action":"get","path":RANGE,"filter":{"variant":"history","parameter":"P1D"}});
    for mut peer in stand.peers().await {
        is_refused(&peer.ask(past.clone(), None).await, "401");
        // For those who may, it is too much.
        let shown = stand.token(|draft| draft);
        is_refused(&peer.ask(past.clone(), Some(&shown)).await, "429");
    }
}
