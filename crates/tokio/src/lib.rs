//! System clock, timers, TCP and spawning for Coachwork on tokio.
