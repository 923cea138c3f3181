//! The messages and the client of `kuksa.val.v2` become Rust, from the definitions that came with the databroker.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-env-changed=KUKSA_PROTO");
    let folder =
        std::env::var_os("KUKSA_PROTO").ok_or("KUKSA_PROTO names no folder; ../scripts/kuksa does")?;
    let folder = PathBuf::from(folder);
    tonic_prost_build::configure()
        .build_server(false)
        // A map of one entry, as here, is cheaper as a tree.
        .btree_map(".")
        .compile_protos(&[folder.join("kuksa/val/v2/val.proto")], &[folder])?;
    Ok(())
}
