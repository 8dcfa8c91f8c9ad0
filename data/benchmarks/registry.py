"""The benchmarks by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .alpaca import ALPACA
from .biggen import BIGGEN
from .eqbench import EQBENCH
from .flask import FLASK
from .hanna import HANNA
from .helpsteer import HELPSTEER
from .helpsteer2 import HELPSTEER2
from .judge_bench import JUDGE_BENCH
from .judgebench import JUDGEBENCH
from .llmbar import LLMBAR
from .recipe import RECIPE
from .rows import Benchmark
from .selfaware import SELFAWARE
from .summeval import SUMMEVAL

BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType(
    {
        "flask": FLASK,
        "helpsteer": HELPSTEER,
        "helpsteer2": HELPSTEER2,
        "biggen": BIGGEN,
        "summeval": SUMMEVAL,
        "hanna": HANNA,
        "recipe": RECIPE,
        "judge-bench": JUDGE_BENCH,
        "eqbench": EQBENCH,
        "selfaware": SELFAWARE,
        "judgebench": JUDGEBENCH,
        "llmbar": LLMBAR,
        "alpaca": ALPACA,
    }
)
