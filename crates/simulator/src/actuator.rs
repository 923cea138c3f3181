//! Two kinds of actuator: one that switches after a while, and one that travels at a speed. Both start with a delay.
//!
//! *Invariant:* a new target replaces the one before it; nothing jumps.
//! *Next:* `body.rs` (which has several of each).

/// Seconds from a request to the first movement: the way through the control units.
const DELAY: f64 = 0.3;

/// On or off, some time after it was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Switch {
    is_on: bool,
    asked: Option<(bool, f64)>,
}

impl Switch {
    pub(crate) const fn new(is_on: bool) -> Self {
        Self { is_on, asked: None }
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// Switches by itself, at once.
    pub(crate) const fn force(&mut self, is_on: bool) {
        self.is_on = is_on;
        self.asked = None;
    }

    /// Asks it to switch.
    pub(crate) const fn ask(&mut self, is_on: bool) {
        self.asked = Some((is_on, DELAY));
    }

    pub(crate) fn step(&mut self, dt: f64) {
        if let Some((target, left)) = &mut self.asked {
            *left -= dt;
            if *left <= 0.0 {
                self.is_on = *target;
                self.asked = None;
            }
        }
    }
}

/// A level that travels.
#[derive(Clone, Debug)]
pub(crate) struct Travel {
    level: f64,
    target: f64,
    /// Levels per second.
    speed: f64,
    wait: f64,
}

impl Travel {
    pub(crate) const fn new(speed: f64) -> Self {
        Self { level: 0.0, target: 0.0, speed, wait: 0.0 }
    }

    pub(crate) const fn level(&self) -> f64 {
        self.level
    }

    pub(crate) const fn ask(&mut self, target: f64) {
        self.target = target;
        self.wait = DELAY;
    }

    /// Whether it is on or on its way to another level than zero.
    pub(crate) fn is_asked(&self) -> bool {
        self.target != 0.0
    }

    pub(crate) fn step(&mut self, dt: f64) {
        if self.wait > 0.0 {
            self.wait -= dt;
            return;
        }
        let most = self.speed * dt;
        self.level += (self.target - self.level).clamp(-most, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_takes_its_time() {
        let mut seat = Travel::new(50.0);
        seat.ask(60.0);
        let levels: Vec<_> = (0..17)
            .map(|_| {
                seat.step(0.1);
                seat.level()
            })
            .collect();
        assert!(levels[2] <= 0.0, "not before the delay: {levels:?}");
        assert!(levels[16] >= 60.0, "{levels:?}");
        assert!(levels.windows(2).all(|pair| pair[1] - pair[0] <= 5.0 + 1e-9), "{levels:?}");
    }

    #[test]
    fn a_new_request_replaces_the_one_before() {
        let mut lock = Switch::new(false);
        lock.ask(true);
        lock.step(0.2);
        lock.ask(false);
        lock.step(0.2);
        assert!(!lock.is_on());
        lock.step(0.2);
        assert!(!lock.is_on());
    }
}
