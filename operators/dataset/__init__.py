"""Fields, labels, brain runs and records of a FiftyOne dataset."""
