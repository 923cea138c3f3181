//! Ours and a rival in turn, round after round; the ratio of each round, and the median of the ratios.
//!
//! *Invariant:* both sides do the same work in every round; the first round warms up and does not count.
//! *Next:* `line.rs`.

/// Medians over the rounds.
#[derive(Clone, Copy, Debug)]
pub struct Paired {
    /// Ours, in the unit of the measurement.
    pub ours: f64,
    /// The rival's.
    pub rival: f64,
    /// Ours / rival, round by round.
    pub ratio: f64,
}

/// Times both sides `rounds` times in turn. Each call returns what it measured.
pub fn paired(rounds: usize, mut ours: impl FnMut() -> f64, mut rival: impl FnMut() -> f64) -> Paired {
    let _ = (ours(), rival());
    let mut measured: Vec<(f64, f64)> = Vec::with_capacity(rounds);
    for round in 0..rounds {
        // Who comes first takes turns, too.
        let pair = if round % 2 == 0 {
            let ours = ours();
            (ours, rival())
        } else {
            let rival = rival();
            (ours(), rival)
        };
        measured.push(pair);
    }
    Paired {
        ours: median(measured.iter().map(|pair| pair.0)),
        rival: median(measured.iter().map(|pair| pair.1)),
        ratio: median(measured.iter().map(|pair| pair.0 / pair.1)),
    }
}

/// The middle of the values; not a number where there are none.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.get(middle) {
        None => f64::NAN,
        Some(upper) if values.len() % 2 == 1 => *upper,
        Some(upper) => f64::midpoint(values[middle - 1], *upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_rounds_not_the_medians() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-12);
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < 1e-12);
        let mut machine = [0.0, 0.0, 1.0, 2.0, 20.0, 10.0, 100.0, 200.0].into_iter();
        let machine = core::cell::RefCell::new(&mut machine);
        let next = || machine.borrow_mut().next().unwrap_or_default();
        // Rounds: (1, 2), (10, 20) in turned order, (100, 200).
        let paired = paired(3, next, next);
        assert!((paired.ratio - 0.5).abs() < 1e-12, "{paired:?}");
    }
}
