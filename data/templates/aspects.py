"""The aspects by which instruction data is selected (paper, data selection: seven aspects on 1-9, their mean)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: What each aspect asks of an instruction and its response. The definitions are ours.
ASPECTS: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": "what the response says is true and answers the instruction without errors.",
        "logical consistency": "the response follows from itself step by step and nowhere contradicts itself.",
        "relevance": "the response keeps to what the instruction asks and leaves nothing of it out.",
        "fluency and clarity": "the response is grammatical, natural and understood at first reading.",
        "length appropriateness": "the response is as long as the instruction calls for, neither cut short nor padded.",
        "diversity": "the instruction and the response are unlike what is usual, in subject, form or wording.",
        "instruction difficulty": "following the instruction takes knowledge, reasoning or several steps.",
    }
)
