//! What the benches share: databases of real cars, frames in two orders, rivals, and rounds that are fair to both sides.
//!
//! *Invariant:* whatever is timed was compared first; ratios are medians over interleaved rounds, because the machine is never quiet.
//! *Next:* `bin/budgets/main.rs` (everything in one run), `../benches/` (criterion).
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc
)]

pub mod case;
pub mod clock;
pub mod fanout;
pub mod generated;
pub mod grants;
pub mod line;
pub mod process;
pub mod random;
pub mod remote;
pub mod rivals;
pub mod rounds;
pub mod token_rivals;
pub mod traffic;
