//! The story of a grant, as somebody types it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;
use std::process::Command;

struct Desk(PathBuf);

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Desk {
    /// Runs the tool in a folder of its own: standard output, or standard error where it failed.
    fn run(&self, line: &str) -> Result<String, String> {
        let output = Command::new(env!("CARGO_BIN_EXE_coachwork"))
            .current_dir(&self.0)
            .arg("grant")
            .args(line.split_whitespace())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stdout) + &text(&output.stderr))
        }
    }
}

#[test]
fn from_new_keys_to_a_refund() {
    let folder = std::env::temp_dir().join(format!("coachwork-grant-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let desk = Desk(folder);
    std::fs::write(
        desk.0.join("policy"),
        "feature seat-heating comfort\nset Vehicle.Cabin.Seat.**.HeatingCooling needs seat-heating\n",
    )
    .unwrap();
    let vin = "--vin 1M8GDM9AXKP042788";
    desk.run("new-keys keys").unwrap();
    desk.run("new-keys keys").unwrap_err();
    let issue = format!("issue --keys keys {vin} --feature seat-heating --plan winter --days 30 --grace 3");
    let text =
        desk.run(&format!("{issue} --offline 21 --status https://example.com/1#5 --out grant.cose")).unwrap();
    std::fs::write(desk.0.join("grant.txt"), &text).unwrap();

    for file in ["grant.cose", "grant.txt"] {
        let shown = desk.run(&format!("show --keys keys {file}")).unwrap();
        assert!(shown.contains("opens     seat-heating") && shown.contains("winter"), "{shown}");
        assert!(!shown.contains(text.trim()) && !shown.contains("1M8GDM9AXKP042788"));
    }
    let car = format!("--keys keys --policy policy --store store {vin}");
    let verified = desk.run(&format!("verify {car} grant.txt")).unwrap();
    assert!(verified.contains("it is in your plan"), "{verified}");
    assert!(desk.run(&format!("status {car}")).unwrap().contains("seat-heating: it is in your plan"));
    let other =
        desk.run("verify --keys keys --vehicle 00000000000000000000000000000000 grant.txt").unwrap_err();
    assert!(other.contains("another vehicle"), "{other}");

    let revoke = "revoke --keys keys --list list.cose grant.cose";
    assert!(desk.run(revoke).unwrap_err().contains("--because"));
    desk.run(&format!("{revoke} --because refund")).unwrap();
    let refunded = desk.run(&format!("status {car} --list list.cose")).unwrap();
    assert!(refunded.contains("the money was given back"), "{refunded}");
    assert!(desk.run(&format!("verify --keys keys {vin} --list list.cose grant.txt")).is_err());
    let words = desk.run(&format!("export {car}")).unwrap();
    assert!(words.contains("revoked") && words.contains("stays with the car when it is sold"), "{words}");
    let json: serde_json::Value =
        serde_json::from_str(&desk.run(&format!("export {car} --json")).unwrap()).unwrap();
    assert_eq!(json["grants"][0]["state"], "revoked");

    // What somebody changed on the way is nothing.
    let mut forged = std::fs::read(desk.0.join("grant.cose")).unwrap();
    forged[100] ^= 1;
    std::fs::write(desk.0.join("forged.cose"), forged).unwrap();
    assert!(desk.run("show --keys keys forged.cose").unwrap_err().contains("does not hold"));
}
