"""Published benchmarks as items, one file each; docs/benchmark-sets.md says where each comes from."""

from .load import load_benchmark
from .registry import BENCHMARKS

__all__ = ["BENCHMARKS", "load_benchmark"]
