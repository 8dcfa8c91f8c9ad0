"""`lager sweep`: strategies by numbers of labels and by folds, in parallel, to be stopped and taken up again.

A cell's content depends on its name alone, never on the order of work.
"""
