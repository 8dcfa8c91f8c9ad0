"""Loading by transformers: tokenizer, configuration and weights of a checkpoint, with errors in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...data.errors import LagerError
from .checkpoint import Checkpoint
from .gguf_file import as_plain, gguf_options, gguf_source
from .quantize import quantization_config


def choose_device(device: str | None) -> str:
    """Return the device asked for if it works here, else the best one."""
    import torch

    if device is None:
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if device == "auto":
        return device
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise LagerError(f"device {device!r} cannot be used here: expected cpu, cuda, cuda:N, mps or auto") from None
    return device


def _source(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the arguments by which transformers finds a checkpoint."""
    if checkpoint.gguf is not None:
        return gguf_source(checkpoint)
    folder = Path(checkpoint.name).expanduser()
    local = folder.is_dir()
    return {
        "pretrained_model_name_or_path": str(folder) if local else checkpoint.name,
        "revision": checkpoint.revision or "main",
    }


def load_tokenizer(checkpoint: Checkpoint, other: str | None, *, trust_remote_code: bool) -> Any:
    """Return the tokenizer, the checkpoint's own or that of another place, with errors as one line."""
    from transformers import AutoTokenizer

    source = _source(checkpoint)
    if other is not None:
        folder = Path(other).expanduser()
        source = {"pretrained_model_name_or_path": str(folder) if folder.is_dir() else other}
    try:
        return AutoTokenizer.from_pretrained(**source, trust_remote_code=trust_remote_code)
    except Exception as error:  # whatever a library raises over the files of a stranger
        raise LagerError(f"cannot load the tokenizer of {other or checkpoint.name}: {_first_line(error)}") from None


def configurations(
    checkpoint: Checkpoint, first_blocks: int | None, *, trust_remote_code: bool
) -> tuple[Any, Any | None]:
    """Return the model's configuration, and that of its first blocks; None for the second where all are loaded."""
    if first_blocks is None:
        return None, None
    from transformers import AutoConfig

    from .first_blocks import number_of_blocks, shortened_config

    try:
        config = AutoConfig.from_pretrained(**_source(checkpoint), trust_remote_code=trust_remote_code)
    except Exception as error:  # whatever a library raises over the files of a stranger
        raise LagerError(f"cannot read the configuration of {checkpoint.name}: {_first_line(error)}") from None
    total = number_of_blocks(config)
    if total is not None and first_blocks >= total:
        return config, None
    return config, shortened_config(config, first_blocks)


def load_model(
    checkpoint: Checkpoint,
    *,
    config: Any | None,
    dtype: str,
    device: str,
    attn: str | None,
    quantization: dict[str, Any] | None,
    trust_remote_code: bool,
) -> Any:
    """Return the model in evaluation mode, on its device; refused where weights are missing."""
    import transformers

    auto_model: Any = transformers.AutoModelForCausalLM
    options: dict[str, Any] = {"dtype": dtype, "use_safetensors": True, "trust_remote_code": trust_remote_code}
    if config is not None:
        options["config"] = config
    if attn is not None:
        options["attn_implementation"] = attn
    if quantization is not None:
        # Quantised weights are made on their device and cannot be moved.
        options |= {"quantization_config": quantization_config(quantization), "device_map": {"": device}}
    if device == "auto":
        options["device_map"] = "auto"
    source = _source(checkpoint)
    if checkpoint.gguf is not None:
        source = gguf_options(checkpoint)
        options["dtype"] = "float32" if dtype == "auto" else dtype  # what dequantising gives
    try:
        model, info = auto_model.from_pretrained(**source, **options, output_loading_info=True)
    except Exception as error:  # of the weights' reader, too, which has a kind of its own for files that are cut off
        raise LagerError(f"cannot load {checkpoint.name} as a causal LM: {_first_line(error)}") from None
    # Weights that a checkpoint lacks are filled with random numbers: never read those.
    if wrong := sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]])):
        raise LagerError(
            f"{checkpoint.name}: its files lack {len(wrong)} weights of {type(model).__name__}, or have another shape "
            f"for them; the first is {wrong[0]}; choose a checkpoint with a language-model head, or download it again"
        )
    if config is not None:
        from .first_blocks import BlocksDifferError, number_of_blocks, unused_before

        if unused := unused_before(info["unexpected_keys"], number_of_blocks(config) or 0):
            raise BlocksDifferError(f"{checkpoint.name}: without its later blocks {unused[0]} is not used")
    if checkpoint.gguf is not None:
        model = as_plain(model)
    model.eval().requires_grad_(False)
    return model if "device_map" in options else model.to(device)


def _first_line(error: Exception) -> str:
    """Return an error as one line."""
    return f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}"


@contextmanager
def quiet_libraries(*, bars: bool) -> Iterator[None]:
    """Keep the warnings and retry notices of the libraries off the terminal, and their progress bars unless wanted."""
    import huggingface_hub
    import transformers

    logging: Any = transformers.utils.logging
    hub: Any = huggingface_hub.utils.logging
    level, hub_level, shown = logging.get_verbosity(), hub.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    hub.set_verbosity_error()
    if not bars:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        hub.set_verbosity(hub_level)
        if shown:
            logging.enable_progress_bar()
