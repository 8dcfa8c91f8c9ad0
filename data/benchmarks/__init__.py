"""Published benchmarks as items, one file each; docs/benchmark-sets.md says where each comes from.

From outside: `load_benchmark` and the names in `BENCHMARKS`. An adapter knows the published files and the item's
columns, and no model. Not to be taken for the top folder `benchmarks/`, which times and attacks the library.
"""

from .load import load_benchmark
from .registry import BENCHMARKS

__all__ = ["BENCHMARKS", "load_benchmark"]
