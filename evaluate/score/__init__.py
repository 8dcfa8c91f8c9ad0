"""New items scored by a fitted aggregator: the command `lager score`, and `lager.Judge`."""
