"""New items scored by a fitted aggregator: `lager score`, `lager calibrate` and `lager.Judge`.

The one room of this stage, beside `sensitivity`, that runs a model; it does so through `extract.run.live_reader`.
"""
