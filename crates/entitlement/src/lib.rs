//! Signed grants open a car's paid features, checked offline; a wrapper gates any Vehicle.
