//! The tool `coachwork`.
fn main() {}
