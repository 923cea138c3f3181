//! App code against a small Vehicle trait; the platform under it is replaceable in one line.
