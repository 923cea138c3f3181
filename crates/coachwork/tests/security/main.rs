//! What a stranger may try, each as a test named for it, over the transports that a stranger has: `docs/security.md` says what is promised.
//!
//! *Invariant:* whatever one peer does, the next one is served.
//! *Next:* `stand.rs` (what is attacked).
#![cfg(all(feature = "issuer", feature = "remote", feature = "system", feature = "websocket"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::needless_pass_by_value
)]

mod floods;
mod links;
mod others;
mod rights;
mod stand;
