"""The README.md of a pushed cache: what it is, where it comes from, how to load it, what it cost."""

from __future__ import annotations

import json
import re
from typing import Any

from ..tools.describe import described
from .derived_copy import left_out

CARD = "README.md"
#: A tag by which a card of ours is told from a page that someone wrote.
TAG = "lager-cache"
_LICENCES = {"apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0",
             "cc-by-nc-sa-4.0", "odc-by", "openrail", "gpl-3.0"}  # fmt: skip
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card(manifest: dict[str, Any], *, url: str) -> str:
    """Return the dataset card of a cache, Markdown with YAML front matter as the Hugging Face hub reads it."""
    recorded, provenance = manifest.get("recorded", {}), manifest.get("provenance", {})
    source = _object(provenance.get("source"))
    said = described(manifest)
    licence = str(said.get("licence") or source.get("licence") or source.get("license") or "unknown")
    missing = left_out(manifest)
    facts = {
        "model": recorded.get("model"),
        "base model": said.get("base_model"),
        "revision": recorded.get("revision"),
        "items": manifest["items"]["rows"],
        "layers": f"{manifest['n_entries'] - 1} ({manifest['n_entries']} entries with the embedding)",
        "scale": ", ".join(map(str, manifest["scale"]["labels"])),
        "condition": _object(manifest["fingerprint_inputs"].get("condition")).get("name"),
        "data source": ", ".join(f"{key}: {value}" for key, value in source.items() if isinstance(value, str | int)),
        "where the items come from": said.get("source"),
        "licence of the data": licence,
        "cite": said.get("citation"),
        "left out": ", ".join(missing) or "nothing",
        "fingerprint": manifest["fingerprint"],
        "items hash": manifest["items_hash"],
        "content hash": manifest["content_hash"],
        **_cost([_object(run) for run in _listed(provenance.get("runs"))]),
    }
    rows = "\n".join(f"| {name} | {_cell(value)} |" for name, value in facts.items() if value not in (None, ""))
    return "\n".join(
        [
            _front_matter(manifest, licence),
            f"# Feature cache of {_cell(recorded.get('model') or 'a judge')}",
            "",
            "What a frozen LLM judge said at every layer about a set of items: enough to train and evaluate how its "
            "layers are mixed, without running it again. Written by [lager](https://arxiv.org/abs/2508.03550).",
            "",
            "| | |\n|---|---|",
            rows,
            "",
            "## Load it",
            "",
            f"```python\nfrom lager import FeatureCache\n\ncache = FeatureCache.open({json.dumps(url)})\n"
            "cache.logits        # (items, layers + 1, labels)\ncache.mean_scores   # (items,)\n```",
            "",
            f"```sh\nlager cache pull {_shell(url)} cache\nlager train cache --out aggregator.json\n```",
            "",
            *_about_left_out(missing),
        ]
    )


def _front_matter(manifest: dict[str, Any], licence: str) -> str:
    known = licence.lower() in _LICENCES
    fields: dict[str, Any] = {"license": licence.lower() if known else "other"}
    if not known:
        fields["license_name"] = re.sub(r"[^a-z0-9.-]+", "-", licence.lower()).strip("-") or "unknown"
    fields["tags"] = ["lager", TAG, "llm-as-a-judge", "evaluation"]
    n = manifest["items"]["rows"]
    fields["size_categories"] = [next((name for bound, name in _SIZES if n < bound), "n>1M")]
    # JSON is YAML: values from others are quoted by it.
    return "\n".join(["---", *(f"{name}: {json.dumps(value)}" for name, value in fields.items()), "---", ""])


def _cost(runs: list[dict[str, Any]]) -> dict[str, Any]:
    seconds, tokens, computed = (_sum(runs, name) for name in ("device_seconds", "tokens", "computed_tokens"))
    devices = sorted({str(device) for run in runs for device in _listed(run.get("devices"))})
    return {
        "cost, device-seconds": f"{seconds:.1f}" if seconds else None,
        "cost, tokens": f"{tokens:.0f}" + (f" ({computed:.0f} computed)" if computed else "") if tokens else None,
        "devices": ", ".join(devices),
    }


def _sum(runs: list[dict[str, Any]], name: str) -> float:
    return float(sum(run[name] for run in runs if isinstance(run.get(name), int | float)))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _about_left_out(missing: list[str]) -> list[str]:
    said = {
        "scores": "Each item has the mean of its human scores; single annotators' scores were not shared.",
        "text": "Prompts and generated texts were not shared.",
        "hidden": "Hidden states, where there were any, were not shared.",
    }
    lines = [f"- {said[name]}" for name in missing if name in said]
    return ["## What is not here", "", *lines, ""] if lines else []


def _cell(value: Any) -> str:
    """Return a value as one cell of a table, with nothing in it that Markdown or HTML would act on."""
    text = " ".join(str(value).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|!~])", r"\\\1", text)


def _shell(text: str) -> str:
    import shlex

    return shlex.quote(text)
