"""Reading of a FiftyOne dataset into the columns of an ``alcore`` pool."""
