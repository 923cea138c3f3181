//! Four of a kind, one at each corner of the car: wheels, doors, windows.
//!
//! *Invariant:* the driver sits in front on the left.

use std::fmt;

/// A corner of the car; the driver sits in front on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Corner {
    /// In front on the left, where the driver sits.
    FrontLeft,
    /// In front on the right.
    FrontRight,
    /// In the back on the left.
    RearLeft,
    /// In the back on the right.
    RearRight,
}

impl Corner {
    /// All four, in the order of the enum.
    pub const ALL: [Self; 4] = [Self::FrontLeft, Self::FrontRight, Self::RearLeft, Self::RearRight];
}

/// What there is of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Corners<T> {
    pub(crate) front_left: T,
    pub(crate) front_right: T,
    pub(crate) rear_left: T,
    pub(crate) rear_right: T,
}

impl<T> Corners<T> {
    pub(crate) const fn at(&self, corner: Corner) -> &T {
        match corner {
            Corner::FrontLeft => &self.front_left,
            Corner::FrontRight => &self.front_right,
            Corner::RearLeft => &self.rear_left,
            Corner::RearRight => &self.rear_right,
        }
    }

    pub(crate) const fn at_mut(&mut self, corner: Corner) -> &mut T {
        match corner {
            Corner::FrontLeft => &mut self.front_left,
            Corner::FrontRight => &mut self.front_right,
            Corner::RearLeft => &mut self.rear_left,
            Corner::RearRight => &mut self.rear_right,
        }
    }

    pub(crate) const fn all(&self) -> [&T; 4] {
        [&self.front_left, &self.front_right, &self.rear_left, &self.rear_right]
    }

    pub(crate) const fn all_mut(&mut self) -> [&mut T; 4] {
        [&mut self.front_left, &mut self.front_right, &mut self.rear_left, &mut self.rear_right]
    }
}

impl fmt::Display for Corner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FrontLeft => "front left",
            Self::FrontRight => "front right",
            Self::RearLeft => "rear left",
            Self::RearRight => "rear right",
        })
    }
}
