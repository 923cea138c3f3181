//! Who may come in at a `coachwork serve`: certificates, grants, and how both change while it runs.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod process;

use process::{Running, Served, coachwork, run};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder, and what is in it.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.at(name).to_str().unwrap().to_owned()
    }

    /// Puts a file in the place of another, whole.
    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let new = self.at("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.at(name)).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// `coachwork grant …` here.
    fn grant(&self, line: &str) -> String {
        let output =
            coachwork().current_dir(self.path()).arg("grant").args(line.split(' ')).output().unwrap();
        let (status, out, err) = process::said(&output);
        assert_eq!(status, 0, "{line}: {err}");
        out
    }
}

/// A certificate authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for this machine, and its key.
    fn certify(&self, desk: &Desk, name: &str) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        desk.write(&format!("{name}.pem"), certificate.pem());
        desk.write(&format!("{name}.key"), key.serialize_pem());
    }
}

const SECURE: &str = "[vehicle.simulator]\n[[listen.websocket]]\naddress = \"127.0.0.1:0\"\ncertificate = \"server.pem\"\nkey = \"server.key\"\n";
const ODOMETER: &str = "Vehicle.TraveledDistance";

#[test]
fn a_certificate_is_believed_by_its_authority_and_renewed_while_it_runs() {
    let (desk, old, new) = (Desk::new(), Authority::new(), Authority::new());
    old.certify(&desk, "server");
    desk.write("old.pem", &old.pem);
    desk.write("new.pem", &new.pem);
    let mut served = Served::config(desk.path(), SECURE, 1);
    assert!(served.url().starts_with("wss://127.0.0.1:"));
    let get = |served: &Served, ca: &str| {
        served.client(&["get", "--timeout", "30", "--ca-cert", &desk.name(ca), ODOMETER])
    };
    assert_eq!(get(&served, "old.pem").0, 0);
    let (status, _, err) = get(&served, "new.pem");
    assert!(status != 0 && err.contains("certificate"), "{status} {err}");

    // A key of another certificate: what was shown goes on.
    desk.write("server.key", KeyPair::generate().unwrap().serialize_pem());
    served.process.signal("HUP");
    let told = served.process.told("certificates not renewed, and the old kept");
    assert!(told.contains("server.pem"), "{told}");
    assert_eq!(get(&served, "old.pem").0, 0);

    new.certify(&desk, "server");
    served.process.signal("HUP");
    served.process.told("certificates renewed");
    assert_eq!(get(&served, "new.pem").0, 0);
    assert_ne!(get(&served, "old.pem").0, 0);
    assert_eq!(served.stop(), 0);
}

#[test]
fn whoever_has_no_certificate_stays_out_where_one_is_asked_for() {
    let (desk, ours, theirs) = (Desk::new(), Authority::new(), Authority::new());
    ours.certify(&desk, "server");
    ours.certify(&desk, "phone");
    theirs.certify(&desk, "stranger");
    desk.write("ca.pem", &ours.pem);
    desk.write("theirs.pem", &theirs.pem);
    let config =
        format!("{SECURE}clients = \"ca.pem\"\n[access]\nanonymous = false\n[reload]\nevery = 0.05\n");
    let mut served = Served::config(desk.path(), &config, 1);
    let get = |served: &Served, who: Option<&str>| {
        let ca = desk.name("ca.pem");
        let own = who.map(|who| (desk.name(&format!("{who}.pem")), desk.name(&format!("{who}.key"))));
        let mut arguments = vec!["get", "--ca-cert", &ca, ODOMETER];
        if let Some((cert, key)) = &own {
            arguments.extend(["--cert", cert, "--key", key]);
        }
        served.client(&arguments).0
    };
    assert_eq!(get(&served, Some("phone")), 0);
    assert_ne!(get(&served, None), 0);
    assert_ne!(get(&served, Some("stranger")), 0);
    // The other authority is believed too, noticed without being told.
    desk.write("ca.pem", [ours.pem.as_bytes(), theirs.pem.as_bytes()].concat());
    served.process.told("certificates renewed");
    assert_eq!(get(&served, Some("stranger")), 0);
    assert_eq!(served.stop(), 0);
}

#[test]
fn tcp_is_encrypted_and_both_ends_take_up_new_certificates() {
    let (desk, old, new) = (Desk::new(), Authority::new(), Authority::new());
    let files = |authority: &Authority| {
        desk.write("ca.pem", &authority.pem);
        authority.certify(&desk, "server");
        authority.certify(&desk, "phone");
    };
    files(&old);
    desk.write("old.pem", &old.pem);
    let config = |address: &str| {
        format!(
            "[vehicle.simulator]\n[[listen.tcp]]\naddress = \"{address}\"\ncertificate = \"server.pem\"\nkey = \"server.key\"\nclients = \"ca.pem\"\n\
             [access]\nanonymous = false\n[limits]\ndrain_time = 0.1\n"
        )
    };
    let mut served = Served::config(desk.path(), &config("127.0.0.1:0"), 1);
    let address = served.url().strip_prefix("tcps://").unwrap().to_owned();
    let (ca, cert, key) = (desk.name("ca.pem"), desk.name("phone.pem"), desk.name("phone.key"));
    let mine = ["--ca-cert", &ca, "--cert", &cert, "--key", &key];
    let get = |served: &Served, more: &[&str]| served.client(&[&["get", ODOMETER], more].concat());
    assert_eq!(get(&served, &mine).0, 0);
    let (status, _, err) = get(&served, &["--ca-cert", &ca]);
    assert!(status != 0, "{err}");
    let (status, _, err) = get(&served, &[]);
    assert!(status == 1 && err.contains("tcps:// needs to know whom to believe: give --ca-cert"), "{err}");
    let (status, _, err) = run(&["get", "-s", &format!("tcp://{address}"), ODOMETER]);
    assert!(status == 3 && err.contains("it speaks TLS, and this link is plain"), "{status} {err}");

    let mut watch = Running::start(
        coachwork().args(["subscribe", "-s", served.url(), "--format", "json", "Vehicle.Speed"]).args(mine),
    );
    watch.line_with("Vehicle.Speed");
    files(&new);
    served.process.signal("HUP");
    served.process.told("certificates renewed");
    assert_eq!(get(&served, &mine).0, 0);
    let (status, _, err) = get(&served, &["--ca-cert", &desk.name("old.pem")]);
    assert!(
        status == 3 && err.contains("goes back to none of the roots that are believed"),
        "{status} {err}"
    );
    // Whoever was there stays, and when it has to come again, it shows what is in its files then.
    assert_eq!(served.stop(), 0);
    watch.line_with("\"link\":\"down\"");
    let again = Served::config(desk.path(), &config(&address), 1);
    watch.line_with("\"link\":\"up\"");
    assert_eq!(again.stop(), 0);
}

const VIN: &str = "--vin 1M8GDM9AXKP042788";
const SEAT: &str = "Vehicle.Seat";
const RANGE: &str = "Vehicle.Range";
const TREE: &str = r#"{"Vehicle": {"type": "branch", "description": "car", "children": {
    "Seat": {"type": "actuator", "datatype": "int8", "description": "seat"}, "Range": {"type": "actuator", "datatype": "uint32", "description": "range"},
    "Door": {"type": "actuator", "datatype": "boolean", "description": "door"}}}}"#;
const POLICY: &str = "feature seat-heating comfort\nfeature live-range data\nset Vehicle.Seat needs seat-heating\nread Vehicle.Range needs live-range\n";
const LIST: &str = "https://example.com/1";

/// A car whose seat and range are sold, and two grants.
fn shop(more: &str) -> (Desk, Served) {
    let desk = Desk::new();
    desk.write("car.json", TREE);
    desk.write("policy.txt", POLICY);
    desk.grant("new-keys keys");
    for (feature, place) in [("seat-heating", 1), ("live-range", 2)] {
        let issue = format!(
            "issue --keys keys {VIN} --feature {feature} --days 30 --offline 21 --status {LIST}#{place} --out {feature}.cose"
        );
        desk.write(&format!("{feature}.txt"), desk.grant(&issue));
    }
    // A list that says nothing of the second.
    desk.grant("revoke --keys keys --list list.cose --because refund seat-heating.cose");
    let config = format!(
        "[vehicle.memory]\ntrees = [\"car.json\"]\n[[listen.tcp]]\naddress = \"127.0.0.1:0\"\n[reload]\nevery = 3600\n[limits]\ndrain_time = 1\n\
         [access]\npolicy = \"policy.txt\"\nkeys = \"keys\"\nvin = \"1M8GDM9AXKP042788\"\n{more}"
    );
    let served = Served::config(desk.path(), &config, 1);
    (desk, served)
}

#[test]
fn a_grant_opens_what_it_names_and_a_new_policy_holds_at_once() {
    let (desk, mut served) = shop("");
    let seat = desk.name("seat-heating.txt");
    let set = |served: &Served, token: Option<&str>| match token {
        Some(token) => served.client(&["set", "--token-file", token, SEAT, "3"]),
        None => served.client(&["set", SEAT, "3"]),
    };
    let (status, out, err) = set(&served, None);
    assert_eq!(status, 3, "{out}{err}");
    assert!((out + &err).contains("not in your plan"));
    assert_eq!(set(&served, Some(&seat)).0, 0);
    // The binary form, and the token of the environment.
    assert_eq!(set(&served, Some(&desk.name("seat-heating.cose"))).0, 0);
    let token = fs::read_to_string(&seat).unwrap();
    let by_environment = coachwork()
        .env("COACHWORK_TOKEN", token.trim())
        .args(["set", "-s", served.url(), SEAT, "4"])
        .output()
        .unwrap();
    assert_eq!(process::said(&by_environment).0, 0);
    let (_, out, _) = served.client(&["metadata", SEAT]);
    assert!(out.contains("set denied: "), "{out}");
    desk.write("forged.txt", token.replace(token.get(20..30).unwrap(), "AAAAAAAAAA"));
    let (status, _, err) = set(&served, Some(&desk.name("forged.txt")));
    assert!(status == 3 && !err.contains(token.get(..16).unwrap()), "{status} {err}");
    assert_eq!(set(&served, Some(&desk.name("none.txt"))).0, 1);

    // A watcher of what is free at first, and sold after the policy has changed.
    let mut watch = Running::start(coachwork().args([
        "subscribe",
        "-s",
        served.url(),
        "--format",
        "json",
        "Vehicle.Door",
        RANGE,
    ]));
    watch.line_with("Vehicle.Door");
    desk.write("policy.txt", "set nonsense\n");
    served.process.signal("HUP");
    served.process.told("policy not renewed, and the old kept");
    assert_eq!(set(&served, None).0, 3);
    desk.write("policy.txt", format!("{POLICY}set Vehicle.Door needs seat-heating\n"));
    served.process.signal("HUP");
    served.process.told("policy renewed");
    assert_eq!(served.client(&["set", "Vehicle.Door", "true"]).0, 3);
    assert_eq!(served.client(&["set", "--token-file", &seat, "Vehicle.Door", "true"]).0, 0);
    // Who was there is asked to come again, and does.
    watch.line_with("\"link\":\"up\"");
    watch.line_with("\"value\":true");
    assert_eq!(served.stop(), 0);
}

#[test]
fn a_grant_that_is_withdrawn_ends_and_another_token_is_taken_from_its_file() {
    let (desk, mut served) =
        shop("anonymous = false\ngrants = [\"live-range.cose\"]\nstatus = [\"list.cose\"]\n");
    let (range, both) = (desk.name("live-range.txt"), desk.name("token.txt"));
    fs::copy(&range, &both).unwrap();
    let (status, _, err) = served.client(&["get", RANGE]);
    assert!(status == 3 && err.contains("a grant is needed"), "{status} {err}");
    let mut watch = Running::start(coachwork().args([
        "subscribe",
        "-s",
        served.url(),
        "--format",
        "json",
        "--token-file",
        &both,
        RANGE,
    ]));
    watch.line_with("never_set");
    desk.grant("revoke --keys keys --list list.cose --because refund live-range.cose");
    served.process.signal("HUP");
    served.process.told("status lists renewed");
    let gone = watch.line_with("denied");
    assert!(gone.contains("money was given back") || gone.contains("not in your plan"), "{gone}");
    assert_eq!(served.client(&["get", "--token-file", &range, RANGE]).0, 3);
    // Another edition in the same file.
    let issue = format!("issue --keys keys {VIN} --feature live-range --out again.cose");
    desk.write("token.txt", desk.grant(&issue));
    watch.line_with("\"token\":\"changed\"");
    watch.line_with("never_set");
    assert_eq!(served.stop(), 0);
}

#[test]
fn a_car_that_nobody_could_enter_is_not_served() {
    let desk = Desk::new();
    desk.write("serve.toml", "[[listen.tcp]]\naddress = \"127.0.0.1:0\"\n[access]\nanonymous = false\n");
    let (status, out, err) = run(&["serve", &desk.name("serve.toml")]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.contains("serve.toml:4:13: access.anonymous: nobody could come in"), "{err}");
}
