//! The project's powertrain database becomes Rust by dbc-codegen, a rival of the benches: its messages with plain names and without labels, for
//! which it writes code that does not compile.

use std::fmt::Write as _;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../dbc/powertrain.dbc");
    println!("cargo:rerun-if-changed={}", path.display());
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let (text, calls) = plain(&std::fs::read_to_string(&path)?);
    std::fs::write(out.join("powertrain.dbc"), &text)?;
    std::fs::write(out.join("calls.rs"), calls)?;
    let config = dbc_codegen::Config::builder().dbc_name("powertrain").dbc_content(&text).build();
    Ok(config.write_to_file(out.join("powertrain.rs"))?)
}

/// Messages and signals alone, and the calls of every getter.
fn plain(text: &str) -> (String, String) {
    let mut plain = String::from("VERSION \"\"\n\nNS_ :\n\nBS_:\n\nBU_: N\n\n");
    let mut calls = String::from("match message {\n");
    let (mut messages, mut signals) = (0, 0);
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("BO_ ") {
            let mut words = rest.split_whitespace();
            let (id, length) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
            let _ = write!(plain, "\nBO_ {id} M{messages}: {length} N\n");
            if messages > 0 {
                let _ = writeln!(calls, "{signals} }}");
            }
            let _ = write!(calls, "Messages::M{messages}(m) => {{ ");
            (messages, signals) = (messages + 1, 0);
        } else if let Some((_, rest)) = line.strip_prefix(" SG_ ").and_then(|rest| rest.split_once(" : ")) {
            let _ = writeln!(
                plain,
                " SG_ S{signals} : {} \"\" N",
                rest.split('"').next().unwrap_or_default().trim()
            );
            let _ = write!(calls, "out[{signals}] = m.s{signals}().double(); ");
            signals += 1;
        }
    }
    let _ = writeln!(calls, "{signals} }}\n}}");
    (plain, calls)
}
