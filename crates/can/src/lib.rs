//! CAN buses and logs as frames; with a database and a mapping, a bus or a log is a Vehicle.
