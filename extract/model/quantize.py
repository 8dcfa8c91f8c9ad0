"""Weights in 4 or 8 bits, by transformers' own quantisation with bitsandbytes."""

from __future__ import annotations

import importlib.util
from typing import Any

from ...data.errors import LagerError

QUANTIZATIONS = ("4bit", "8bit")


def describe_quantization(quantize: str | None, dtype: str) -> dict[str, Any] | None:
    """Return what the fingerprint holds of a quantisation, None for none."""
    if quantize is None:
        return None
    if quantize not in QUANTIZATIONS:
        raise LagerError(f"--quantize {quantize!r}: expected one of {', '.join(QUANTIZATIONS)}")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise LagerError(
            f"--quantize {quantize} needs bitsandbytes, which this environment lacks: "
            "python -m pip install 'lager[quantize]'"
        )
    compute = {"bnb_4bit_compute_dtype": compute_dtype(dtype)} if quantize == "4bit" else {}
    kind = {"bnb_4bit_quant_type": "nf4"} if quantize == "4bit" else {}
    return {"method": "bitsandbytes", f"load_in_{quantize}": True, **kind, **compute}


def compute_dtype(dtype: str) -> str:
    """Return the dtype of what is not quantised: the one asked for, bfloat16 where the choice was left open."""
    return "bfloat16" if dtype == "auto" else dtype


def quantization_config(description: dict[str, Any]) -> Any:
    """Return transformers' configuration of a quantisation."""
    import transformers

    config_class: Any = transformers.BitsAndBytesConfig
    return config_class(**{key: value for key, value in description.items() if key != "method"})
