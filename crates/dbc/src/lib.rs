//! CAN frames to signals and back: a DBC file becomes a compiled codec.
