//! Two kinds of actuator: one that switches after a while, and one that travels at a speed. Both start with a delay.
//!
//! *Invariant:* a new target replaces the one before it; nothing jumps; what is blocked stays where it is.
//! *Next:* `body.rs`, `seat.rs`, `climate.rs`, `charging.rs` (which have several of each).

/// Seconds from a request to the first movement: the way through the control units.
const DELAY: f64 = 0.3;

/// What can be blocked and asked whether it rests.
pub(crate) trait Part {
    /// Stops it where it is, or frees it.
    fn block(&mut self, blocked: bool);

    fn is_blocked(&self) -> bool;

    /// Whether it has nothing to do.
    fn rests(&self) -> bool;
}

/// One of several settings, taken some time after it was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Switch<T = bool> {
    setting: T,
    asked: Option<(T, f64)>,
    blocked: bool,
}

impl<T: Copy> Switch<T> {
    pub(crate) const fn new(setting: T) -> Self {
        Self { setting, asked: None, blocked: false }
    }

    pub(crate) const fn now(&self) -> T {
        self.setting
    }

    /// Switches by hand, at once.
    pub(crate) const fn force(&mut self, setting: T) {
        if !self.blocked {
            self.setting = setting;
            self.asked = None;
        }
    }

    /// Asks it to switch.
    pub(crate) const fn ask(&mut self, setting: T) {
        if !self.blocked {
            self.asked = Some((setting, DELAY));
        }
    }

    pub(crate) fn step(&mut self, dt: f64) {
        if let Some((target, left)) = &mut self.asked {
            *left -= dt;
            if *left <= 0.0 {
                self.setting = *target;
                self.asked = None;
            }
        }
    }
}

impl<T: Copy> Part for Switch<T> {
    fn block(&mut self, blocked: bool) {
        self.blocked = blocked;
        self.asked = None;
    }

    fn is_blocked(&self) -> bool {
        self.blocked
    }

    fn rests(&self) -> bool {
        self.asked.is_none()
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
    blocked: bool,
}

impl Travel {
    pub(crate) const fn new(level: f64, speed: f64) -> Self {
        Self { level, target: level, speed, wait: 0.0, blocked: false }
    }

    pub(crate) const fn level(&self) -> f64 {
        self.level
    }

    pub(crate) const fn ask(&mut self, target: f64) {
        if !self.blocked {
            self.target = target;
            self.wait = DELAY;
        }
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

impl Part for Travel {
    fn block(&mut self, blocked: bool) {
        self.blocked = blocked;
        (self.target, self.wait) = (self.level, 0.0);
    }

    fn is_blocked(&self) -> bool {
        self.blocked
    }

    fn rests(&self) -> bool {
        self.wait <= 0.0 && (self.target - self.level).abs() <= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_takes_its_time() {
        let mut seat = Travel::new(0.0, 50.0);
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
        assert!(seat.rests());
    }

    #[test]
    fn a_new_request_replaces_the_one_before() {
        let mut lock = Switch::new(false);
        lock.ask(true);
        lock.step(0.2);
        lock.ask(false);
        lock.step(0.2);
        assert!(!lock.now());
        lock.step(0.2);
        assert!(!lock.now());
    }

    #[test]
    fn what_is_blocked_stays_where_it_is() {
        let mut window = Travel::new(0.0, 25.0);
        window.ask(100.0);
        (0..10).for_each(|_| window.step(0.1));
        window.block(true);
        let there = window.level();
        assert!((1.0..100.0).contains(&there));
        window.ask(0.0);
        (0..100).for_each(|_| window.step(0.1));
        assert!((window.level() - there).abs() <= 0.0 && window.rests());
        window.block(false);
        window.ask(0.0);
        (0..100).for_each(|_| window.step(0.1));
        assert!(window.level() <= 0.0);
    }
}
