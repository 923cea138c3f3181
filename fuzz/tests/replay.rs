//! Runs every seed and every past crash through its target, on stable.
