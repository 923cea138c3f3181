//! What a car is to an app: paths, values, datapoints, a catalogue and the Vehicle trait that every backend implements.
