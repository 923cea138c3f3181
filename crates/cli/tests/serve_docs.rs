//! The commands of `docs/serve.md` do what the page says, and its config is one.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/serve.md")).unwrap()
}

/// The code of a language on the page.
fn blocks(language: &str) -> Vec<String> {
    let (page, open) = (page(), format!("```{language}\n"));
    let after = page.split(&open).skip(1);
    after.map(|rest| rest.split("```\n").next().unwrap().to_owned()).collect()
}

/// What a command printed is what the page says, where `…` stands for anything.
fn agrees(said: &str, page: &str) -> bool {
    // Columns are as wide as the widest of what was found.
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (said, page) = (squeeze(said), squeeze(page));
    let mut rest = said.as_str();
    let mut parts = page.split('…');
    let first = parts.next().unwrap();
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    let parts: Vec<&str> = parts.collect();
    for (index, part) in parts.iter().enumerate() {
        let last = index + 1 == parts.len();
        let found = if last && !part.is_empty() {
            rest.rfind(part).filter(|at| at + part.len() == rest.len())
        } else {
            rest.find(part)
        };
        let Some(at) = found else { return false };
        rest = rest.split_at(at + part.len()).1;
        if last && part.is_empty() {
            return true;
        }
    }
    rest.is_empty()
}

#[test]
fn what_agrees_and_what_does_not() {
    assert!(agrees("a  1 km", "a …") && agrees("x at 5 Z", "x at … Z") && agrees("same", "same"));
    assert!(!agrees("a 1", "b …") && !agrees("same thing", "same") && !agrees("x at 5 Y", "x at … Z"));
}

#[test]
fn the_commands_print_what_the_page_says() {
    let tool = PathBuf::from(env!("CARGO_BIN_EXE_coachwork"));
    let path = format!("{}:{}", tool.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut run = 0;
    for block in blocks("console") {
        let folder = tempfile::tempdir().unwrap();
        let mut script = "started=\ntrap 'kill $started 2>/dev/null; wait' EXIT\n".to_owned();
        let mut wanted: Vec<Vec<&str>> = Vec::new();
        for line in block.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                let number = wanted.len();
                let _ = writeln!(script, "echo '@@{number}'");
                let _ = match command.strip_suffix(" &") {
                    // One that goes on: until it says that it listens.
                    Some(command) => writeln!(
                        script,
                        "{command} >out 2>err &\nstarted=\"$started $!\"\nwhile ! grep -q listening out; do sleep 0.02; done\ncat out"
                    ),
                    None => writeln!(script, "{{ {command}\n}} 2>&1"),
                };
                wanted.push(Vec::new());
            } else {
                wanted.last_mut().unwrap().push(line);
            }
        }
        let output = Command::new("timeout")
            .args(["60", "sh", "-c", &script])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env_remove("COACHWORK_SERVER")
            .env_remove("COACHWORK_TOKEN")
            .env_remove("COACHWORK_TOKEN_FILE")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        for (number, wanted) in wanted.iter().enumerate() {
            let after = said
                .split(&format!("@@{number}\n"))
                .nth(1)
                .unwrap_or_else(|| panic!("{number} did not run: {said}"));
            let lines: Vec<&str> = after.split("@@").next().unwrap().lines().collect();
            assert_eq!(lines.len(), wanted.len(), "{lines:#?}\nand the page has\n{wanted:#?}");
            for (said, page) in lines.iter().zip(wanted) {
                assert!(agrees(said, page), "it said\n{said}\nand the page says\n{page}");
            }
            run += 1;
        }
    }
    assert!(run >= 9, "{run} commands");
}

const DBC: &str = "BU_: A\nBO_ 291 Drive: 1 A\n SG_ Speed : 0|8@1+ (1,0) [0|250] \"km/h\" A\n";
const MAPPING: &str = r#"{"Vehicle": {"type": "branch", "children": {"Speed": {"type": "sensor", "datatype": "float", "unit": "km/h",
    "dbc2vss": {"signal": "Speed"}}}}}"#;
const RECORDING: &str = "coachwork-recording 1 utc\nsignal\tVehicle.Speed\tsensor\tfloat\tunit=km/h\n@1000000000\n0\t=50.5\nend\tover\n";

#[test]
fn its_config_is_in_order_where_its_files_are() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let tool = |line: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_coachwork"))
            .current_dir(folder.path())
            .args(line.split(' '))
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{line}: {err}");
        (String::from_utf8(output.stdout).unwrap(), err)
    };
    write("car.dbc", DBC);
    write("car.json", MAPPING);
    write("start.json", "{}");
    write("drive.log", "(1.0) can0 123#0A\n");
    write("drive.rec", RECORDING);
    write(
        "ours.json",
        r#"{"Vehicle": {"type": "branch", "description": "x", "children": {"Flag": {"type": "sensor", "datatype": "boolean", "description": "x"}}}}"#,
    );
    write("policy.txt", "feature heat comfort\nset Vehicle.Seat needs heat\n");
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    write("server.pem", &cert.pem());
    write("server.key", &signing_key.serialize_pem());
    write("clients.pem", &cert.pem());
    write("password.txt", "swordfish\n");
    tool("grant new-keys keys");
    tool(
        "grant issue --keys keys --vin 1M8GDM9AXKP042788 --feature heat --days 30 --status https://example.com/1#1 --out grant.cose",
    );
    tool("grant revoke --keys keys --list list.cose --because refund grant.cose");
    let configs = blocks("toml");
    assert_eq!(configs.len(), 1);
    write("serve.toml", &configs[0]);
    let (whole, told) = tool("serve --check serve.toml");
    assert!(told.contains("in order: "), "{told}");
    // What it prints is a config of the same.
    write("again.toml", &whole);
    assert_eq!(tool("serve --check again.toml").0, whole);
    // The page names every limit that there is.
    for line in whole.split("[limits]").nth(1).unwrap().lines().skip(1).take_while(|line| line.contains('='))
    {
        assert!(page().contains(line.split('=').next().unwrap().trim()), "{line}");
    }
}
