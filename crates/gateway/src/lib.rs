//! Serves any Vehicle over any transport and admits who may come in.
