"""Judges in one GGUF file, as llama.cpp keeps them: read by transformers, their weights dequantised on loading."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

from ...data.errors import LagerError
from .checkpoint import Checkpoint

SUFFIX = ".gguf"
_ON_HUB = re.compile(r"([\w.-]+/[\w.-]+):([^:\\]+\.gguf)\Z")


def find_gguf(name: str | Path, *, revision: str | None = None) -> Checkpoint | None:
    """Return the checkpoint that a GGUF file is, None where the name is of none.

    Parameters
    ----------
    name : str or Path
        A file, or ``OWNER/REPOSITORY:FILE.gguf`` on the hub.
    revision : str, optional
        Of the repository.

    Raises
    ------
    LagerError
        When the file is not there, is cut off, or is one of several that belong together.
    """
    on_hub = _ON_HUB.match(str(name))
    path = Path(name).expanduser()
    if path.suffix.lower() != SUFFIX or path.is_dir():
        return None
    if importlib.util.find_spec("gguf") is None:
        raise LagerError(
            f"{name} is a GGUF file; reading it needs gguf, which this environment lacks: "
            "python -m pip install 'lager[gguf]'"
        )
    if on_hub is not None and not path.exists():
        path = _from_hub(on_hub[1], on_hub[2], revision)
    elif not path.is_file():
        raise LagerError(f"model {name} does not exist: expected a GGUF file, or OWNER/REPOSITORY:FILE.gguf on the hub")
    elif revision is not None:
        raise LagerError(f"--revision {revision} names a version on the hub, but {name} is a file")
    return Checkpoint(str(name), revision, {path.name: path}, {}, {}, gguf=_description(path))


def _from_hub(repository: str, file: str, revision: str | None) -> Path:
    """Return where a file of the hub lies after it was fetched."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repository, file, revision=revision))
    except Exception as error:  # of the client, the network or the hub
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LagerError(f"model {repository}:{file}: no such file here, and the hub says: {first}") from None


def _description(path: Path) -> dict[str, Any]:
    """Return how a file's weights are stored, after a look at its header and its length."""
    from gguf import GGUFReader, LlamaFileType

    try:
        reader = GGUFReader(path)
        fields = {name: field.contents() for name, field in reader.fields.items() if name in _READ}
        end = max((int(tensor.data_offset + tensor.n_bytes) for tensor in reader.tensors), default=0)
        kinds = sorted({tensor.tensor_type.name for tensor in reader.tensors})
    except Exception as error:  # whatever the reader raises over the file of a stranger
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LagerError(f"{path} cannot be read as a GGUF file ({first}): download it again") from None
    if not kinds or end > path.stat().st_size:
        raise LagerError(f"{path} is cut off: it has {path.stat().st_size} bytes of {end}; download it again")
    if int(fields.get("split.count", 1)) > 1:
        raise LagerError(
            f"{path} is one of {fields['split.count']} files of a model: join them with llama.cpp's "
            "`llama-gguf-split --merge`, and give the file that it writes"
        )
    number = fields.get("general.file_type")
    known = {kind.value: kind.name for kind in LlamaFileType}
    named = known.get(int(number), str(number)).removeprefix("MOSTLY_") if number is not None else None
    return {"method": "gguf", "file_type": named, "tensor_types": kinds, "dequantized": True}


_READ = frozenset({"general.file_type", "split.count"})


def gguf_options(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the arguments by which transformers loads the weights of a GGUF file as plain ones."""
    import transformers

    config_class: Any = transformers.GgufConfig
    return {**gguf_source(checkpoint), "quantization_config": config_class(dequantize=True)}


def gguf_source(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the arguments by which transformers finds a GGUF file."""
    (path,) = checkpoint.weights.values()
    return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}


def as_plain(model: Any) -> Any:
    """Return a model whose weights were dequantised as one that was never quantised: it may be moved and cast."""
    model.hf_quantizer, model.is_quantized = None, False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model
