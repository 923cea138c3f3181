//! A car that is served through an MQTT broker. `crates/mqtt/scripts/broker` starts one and says where it is; without it, this is left out.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests"
)]

mod process;

use process::{Served, run};
use std::time::{Duration, Instant};

/// What the script says; where it says nothing, that is said.
fn told(what: &str) -> Option<String> {
    let told = std::env::var(what).ok();
    if told.is_none() {
        assert!(!std::env::var("COACHWORK_REQUIRE_BROKER").is_ok_and(|it| it == "1"), "{what} is not set");
        eprintln!("left out: {what} is not set (crates/mqtt/scripts/broker sets it)");
    }
    told
}

const ODOMETER: &str = "Vehicle.TraveledDistance";

/// The car goes to its broker by itself, some time after it is served.
fn get(arguments: &[&str]) {
    let end = Instant::now() + process::SOON;
    loop {
        let (status, out, err) = run(arguments);
        if status == 0 {
            assert!(out.contains("12345678 m"), "{out}");
            return;
        }
        assert!(Instant::now() < end, "{status} {err}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_car_is_reached_through_its_broker_and_not_shown_by_name() {
    let Some(broker) = told("COACHWORK_MQTT_BROKER") else { return };
    let folder = tempfile::tempdir().unwrap();
    let url = format!("{broker}/served-{}", std::process::id());
    let config =
        format!("[vehicle.simulator]\n[access]\nanonymous = true\n[[listen.mqtt]]\nurl = \"{url}\"\n");
    let served = Served::config(folder.path(), &config, 1);
    assert_eq!(served.url(), broker);
    get(&["get", "-s", &url, ODOMETER]);
    let (status, out, err) = run(&["set", "-s", &url, "Vehicle.Body.Lights.Beam.Low.IsOn", "true"]);
    assert!(status == 0 && out.contains("confirmed at"), "{out}{err}");
    let (status, out, _) = run(&["subscribe", "-s", &url, "Vehicle.Speed", "--count", "1"]);
    assert!(status == 0 && out.contains("Vehicle.Speed"), "{out}");
    assert_eq!(served.stop(), 0);
}

#[test]
fn a_broker_wants_a_certificate_and_another_a_password() {
    let (Some(tls), Some(password), Some(made)) = (
        told("COACHWORK_MQTT_TLS_CLIENTS"),
        told("COACHWORK_MQTT_PASSWORD"),
        told("COACHWORK_MQTT_CERTIFICATES"),
    ) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("{made}/{name}");
    let secret = folder.path().join("password");
    std::fs::write(&secret, "swordfish\n").unwrap();
    let secret = secret.to_str().unwrap();
    let (first, second) =
        (format!("{tls}/secure-{}", std::process::id()), format!("{password}/user-{}", std::process::id()));
    let config = format!(
        "[vehicle.simulator]\n[access]\nanonymous = true\n[[listen.mqtt]]\nurl = \"{first}\"\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\n\
         [[listen.mqtt]]\nurl = \"{second}\"\nuser = \"car\"\npassword = \"password\"\n",
        at("roots.pem"),
        at("app.pem"),
        at("app.key")
    );
    let served = Served::config(folder.path(), &config, 2);
    let (roots, cert, key) = (at("roots.pem"), at("app.pem"), at("app.key"));
    get(&["get", "-s", &first, "--ca-cert", &roots, "--cert", &cert, "--key", &key, ODOMETER]);
    get(&["get", "-s", &second, "--mqtt-user", "car", "--mqtt-password-file", secret, ODOMETER]);
    assert_eq!(served.stop(), 0);
}

#[test]
fn whom_a_car_believes_at_its_broker_changes_while_it_runs() {
    let (Some(tls), Some(made)) = (told("COACHWORK_MQTT_TLS"), told("COACHWORK_MQTT_CERTIFICATES")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    // Another authority at first: the car does not go to this broker.
    std::fs::copy(format!("{made}/others.pem"), &ca).unwrap();
    let url = format!("{tls}/believing-{}", std::process::id());
    let config = format!(
        "[vehicle.simulator]\n[access]\nanonymous = true\n[reload]\nevery = 3600\n[[listen.mqtt]]\nurl = \"{url}\"\nca = \"ca.pem\"\n"
    );
    let mut served = Served::config(folder.path(), &config, 1);
    let roots = format!("{made}/roots.pem");
    let (status, _, _) = run(&["get", "-s", &url, "--timeout", "2", "--ca-cert", &roots, ODOMETER]);
    assert_eq!(status, 4);
    std::fs::write(&ca, "nonsense").unwrap();
    served.process.signal("HUP");
    served.process.told("certificates not renewed, and the old kept");
    std::fs::copy(&roots, &ca).unwrap();
    served.process.signal("HUP");
    served.process.told("certificates renewed");
    get(&["get", "-s", &url, "--ca-cert", &roots, ODOMETER]);
    assert_eq!(served.stop(), 0);
}
