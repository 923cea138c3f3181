//! A deterministic car with a manual clock, for everybody without a car.
