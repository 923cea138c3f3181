//! The contract of Coachwork's traits as tests that anyone's backend runs with one line.
