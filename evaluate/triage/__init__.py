"""Which items a judge may decide alone: a threshold on doubt under which large errors are as rare as was asked for.

From outside: `triage` on plain arrays, and what the command and the report are made of. It knows judges as columns of
scores and doubts; what is stored in an aggregator file, and applied to new items, lives in `train.aggregator`.
"""
