//! How a vehicle travels: transport traits, COVESA VISS messages and pure sessions for both ends.
