"""The judge: a frozen causal LM with its tokenizer, ready to be read."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.errors import LagerError
from ...data.files.known_hashes import known_sha256
from ..options.groups import LoadOptions
from .checkpoint import Checkpoint, find_checkpoint, find_tokenizer
from .gguf_file import find_gguf
from .loading import choose_device, configurations, load_model, load_tokenizer, quiet_libraries
from .quantize import compute_dtype, describe_quantization

if TYPE_CHECKING:
    from .parts import Parts

DTYPES = ("auto", "float32", "bfloat16", "float16")
_AS_IT_IS = LoadOptions()


@dataclass(frozen=True)
class Judge:
    """A loaded model.

    Parameters
    ----------
    model, tokenizer : object
        The Hugging Face model, in evaluation mode, and its tokenizer.
    parts : Parts
        Blocks, final norm and unembedding.
    checkpoint : Checkpoint
        The files it was loaded from.
    quantization : dict or None
        How the weights were quantised on loading.
    total_blocks : int or None
        How many blocks the model has where only the first ones were loaded; None where all were.
    """

    model: Any
    tokenizer: Any
    parts: Parts
    checkpoint: Checkpoint
    quantization: dict[str, Any] | None = None
    total_blocks: int | None = None

    @property
    def dtype(self) -> str:
        """The dtype of the weights, such as ``bfloat16``."""
        return str(self.model.dtype).removeprefix("torch.")

    @property
    def stored(self) -> dict[str, Any] | None:
        """How the weights were quantised, on loading or in a GGUF file; None where they were not."""
        return self.quantization or getattr(self.checkpoint, "gguf", None)

    @property
    def attention(self) -> str:
        """The attention implementation in use, such as ``sdpa``."""
        return str(getattr(self.model.config, "_attn_implementation", None) or "eager")

    @property
    def n_layers(self) -> int:
        """The number of decoder blocks that are loaded, L; a read-out has L + 1 entries."""
        return len(self.parts.blocks)

    @property
    def context_length(self) -> int | None:
        """The longest prompt in tokens, None where the architecture sets no limit."""
        length = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return length if isinstance(length, int) and length > 0 else None

    @property
    def pad_id(self) -> int:
        """The token that fills the right of shorter prompts: the tokenizer's, where the embedding has it."""
        pad = self.tokenizer.pad_token_id
        return pad if isinstance(pad, int) and 0 <= pad < self.n_embedded else 0

    @property
    def n_embedded(self) -> int:
        """How many token ids the embedding has; a tokenizer may know more."""
        return int(self.model.get_input_embeddings().weight.shape[0])

    @property
    def n_scored(self) -> int:
        """How many token ids have a logit."""
        return int(self.parts.head.weight.shape[0])

    @property
    def devices(self) -> list[str]:
        """The names of the devices that hold weights."""
        import torch

        used = sorted({str(parameter.device) for parameter in self.model.parameters()})
        return [torch.cuda.get_device_name(name) if name.startswith("cuda") else name for name in used]


def require_extra() -> None:
    """Raise `LagerError` when torch or transformers is not installed."""
    missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if missing:
        raise LagerError(
            f"reading a model needs {' and '.join(missing)}, which this environment lacks: "
            "python -m pip install 'lager[extract]'"
        )


def load_judge(name: str | Path, options: LoadOptions = _AS_IT_IS, *, first_blocks: int | None = None) -> Judge:
    """Load a causal LM and its tokenizer, and find the parts that a read-out needs.

    Parameters
    ----------
    name : str or Path
        A local folder, a hub id, or a GGUF file (``OWNER/REPOSITORY:FILE.gguf`` on the hub), whose weights are
        dequantised to the dtype. Of folders and ids only safetensors weights are read.
    options : LoadOptions
        How it is loaded. ``device``: "auto" spreads the weights over all devices; the best single one when None.
        ``attn``: transformers' choice when None. ``tokenizer``: another folder or hub id whose tokenizer is used.
        ``verify_weights``: whether hashes of weights are taken anew. ``trust_remote_code``: whether Python code that
        comes with the checkpoint may run. ``layers_path``, ``norm_path``: where blocks and final norm are, when they
        cannot be found.
    first_blocks : int, optional
        Load so many blocks alone, and read the layer entries up to the last of them; all where the model has no more.

    Raises
    ------
    BlocksDifferError
        When the first blocks are others where the rest is missing; see `lager.extract.model.first_blocks`.
    LagerError
        When torch or transformers is missing, the checkpoint is not complete, or its parts cannot be found.
    """
    require_extra()
    dtype, trust_remote_code = "auto" if options.dtype is None else options.dtype, options.trust_remote_code
    if dtype not in DTYPES:
        raise LagerError(f"dtype {dtype!r}: expected one of {', '.join(DTYPES)}")
    with quiet_libraries(bars=True):  # the bars of a download are wanted
        checkpoint = locate_checkpoint(name, options)
    if checkpoint.gguf is not None:
        _check_gguf_options(checkpoint, options, first_blocks)
    quantization = describe_quantization(options.quantize, dtype)
    with quiet_libraries(bars=False):
        tokenizer = load_tokenizer(checkpoint, options.tokenizer, trust_remote_code=trust_remote_code)
        config, shortened = configurations(checkpoint, first_blocks, trust_remote_code=trust_remote_code)
        model = load_model(
            checkpoint,
            config=shortened,
            dtype=dtype if quantization is None else compute_dtype(dtype),
            device=choose_device(options.device),
            attn=options.attn,
            quantization=quantization,
            trust_remote_code=trust_remote_code,
        )
        from .parts import find_parts

        parts = find_parts(model, layers_path=options.layers_path, norm_path=options.norm_path)
        if shortened is None:
            return Judge(model, tokenizer, parts, checkpoint, quantization)
        from .first_blocks import BlocksDifferError, check_same_blocks, number_of_blocks

        if len(parts.blocks) != first_blocks:
            raise BlocksDifferError(f"{checkpoint.name}: its num_hidden_layers is not the number of its blocks")
        check_same_blocks(model, config, parts.paths["layers"], trust_remote_code=trust_remote_code)
    parts = parts._replace(whole=False)
    return Judge(model, tokenizer, parts, checkpoint, quantization, number_of_blocks(config))


def locate_checkpoint(name: str | Path, options: LoadOptions) -> Checkpoint:
    """Return the files that `load_judge` would load; what the hub's cache lacks is downloaded.

    Raises
    ------
    LagerError
        When they are not there.
    """
    checkpoint = find_gguf(name, revision=options.revision) or find_checkpoint(
        name, revision=options.revision, code=options.trust_remote_code
    )
    if options.verify_weights:
        for path in checkpoint.weights.values():
            known_sha256(path, anew=True)
    if options.tokenizer is not None:
        return replace(checkpoint, tokenizer=find_tokenizer(options.tokenizer))
    return checkpoint


def _check_gguf_options(checkpoint: Checkpoint, options: LoadOptions, first_blocks: int | None) -> None:
    """Refuse what a GGUF file cannot have."""
    if options.quantize is not None:
        raise LagerError(f"--quantize {options.quantize}: {checkpoint.name} is a GGUF file, quantised already")
    if options.trust_remote_code:
        raise LagerError(f"--trust-remote-code: {checkpoint.name} is a GGUF file, which brings no code")
    if first_blocks is not None:
        from .first_blocks import BlocksDifferError

        raise BlocksDifferError(f"{checkpoint.name}: a GGUF file is read whole")
