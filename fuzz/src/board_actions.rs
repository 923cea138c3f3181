//! Actions on a board from the fuzzer's bytes; the oracle is a plain model of a board.
//!
//! *Next:* `coachwork_conformance::model` (actions, board and model).

use coachwork_conformance::model;

/// Takes a board and its model through the actions in `data`.
///
/// # Panics
/// Where they tell different things.
pub fn run(data: &[u8]) {
    if let Err(failure) = model::run(data) {
        panic!("{failure}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_used() {
        // Two reports of one signal each, a subscription, and two looks at it.
        let data = [0, 0, 30, 0, 0, 31, 5, 0, 0, 7, 7];
        assert_eq!(model::run(&data).map_err(|failure| failure.to_string()), Ok(5));
        assert_eq!(model::run(&data[..9]).map_err(|failure| failure.to_string()), Ok(3));
    }
}
