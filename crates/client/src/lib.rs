//! A remote car as a local Vehicle, over any transport.
