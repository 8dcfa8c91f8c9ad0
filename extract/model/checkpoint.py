"""Checkpoints: which files of a model are loaded, where they lie, and their hashes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data.errors import LagerError
from ...data.files.json_text import parse_json
from ...data.files.known_hashes import known_sha256
from .code_files import code_files

_CONFIG = ("config.json",)
_WEIGHTS = "model.safetensors"
_WEIGHTS_INDEX = "model.safetensors.index.json"
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_TOKENIZER = "tokenizer.json"
# Used beside tokenizer.json; and what a tokenizer without that file is made from.
_TOKENIZER_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja")
_TOKENIZER_SOURCES = (
    "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "merges.txt", "vocab.txt",
    "tekken.json",
)  # fmt: skip
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?\Z")


@dataclass(frozen=True)
class Checkpoint:
    """The files of one model, by the name they have in its folder.

    Parameters
    ----------
    name : str
        Local folder or hub id, as it was asked for.
    revision : str or None
        The hub revision that was asked for.
    weights, config, tokenizer : dict
        File name to path, for the files that are loaded.
    runs_code : bool
        Whether Python code of the checkpoint may run.
    gguf : dict or None
        How the weights of a GGUF file are stored; None for any other checkpoint.
    """

    name: str
    revision: str | None
    weights: dict[str, Path]
    config: dict[str, Path]
    tokenizer: dict[str, Path]
    runs_code: bool = False
    gguf: dict[str, Any] | None = None

    @property
    def public_name(self) -> str:
        """The hub id, or the name of the local folder without the path to it: what may be told to others."""
        folder = Path(self.name).expanduser()
        return folder.resolve().name if folder.exists() else self.name

    def hashes(self) -> dict[str, dict[str, str]]:
        """Return sha256 by file name for weights, config and tokenizer.

        Only names and contents enter, so a model has the same hashes in the hub's cache and in a folder. Those of large
        files are remembered; see `lager.data.files.known_hashes`.
        """
        parts = {"weights": self.weights, "config": self.config, "tokenizer": self.tokenizer}
        return {
            part: {name: known_sha256(path) for name, path in sorted(files.items())} for part, files in parts.items()
        }


def find_checkpoint(name: str | Path, *, revision: str | None = None, code: bool = False) -> Checkpoint:
    """Locate a model's files in a folder, or on the hub (downloading what its cache lacks)."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise LagerError(f"--revision {revision} names a version on the hub, but {folder} is a local folder")
        finder = _Finder(str(folder), None, folder)
    elif folder.exists() or not _HUB_ID.match(str(name)):
        raise LagerError(
            f"model {str(name)!r} is neither a folder nor a hub id: expected a folder with config.json, or a GGUF file"
        )
    else:
        finder = _Finder(str(name), revision, None)
    config = finder.some(_CONFIG)
    if not config and finder.folder is None:
        raise LagerError(
            f"model {str(name)!r} is no local folder, and neither the hub nor its cache has a config.json under that "
            "id: check the spelling, or download the model first"
        )
    if not config:
        raise LagerError(f"model {finder.where} has no config.json: give the folder or hub id of a causal LM")
    tokenizer = finder.some((_TOKENIZER, *_TOKENIZER_SETTINGS))
    if code:
        config |= code_files(config["config.json"], finder.code)
        if settings := tokenizer.get("tokenizer_config.json"):
            tokenizer |= code_files(settings, finder.code)
    if _TOKENIZER not in tokenizer:
        sources = finder.some(_TOKENIZER_SOURCES)
        if not sources:
            raise LagerError(
                f"model {finder.where} has no tokenizer: looked for {', '.join((_TOKENIZER, *_TOKENIZER_SOURCES))}; "
                "save the tokenizer beside the weights"
            )
        tokenizer |= sources
    return Checkpoint(str(name), revision, _weights(finder), config, tokenizer, runs_code=code)


@dataclass(frozen=True)
class _Finder:
    """Looks up single files of a local folder or a hub repository."""

    where: str
    revision: str | None
    folder: Path | None

    def path(self, file: str) -> Path | None:
        """Return where a file lies, None where the model has none of that name; what the hub has is downloaded."""
        if Path(file).is_absolute() or ".." in Path(file).parts:  # a checkpoint names its own files only
            return None
        if self.folder is not None:
            path = self.folder / file
            return path if path.is_file() else None
        from transformers.utils.hub import cached_file

        try:
            found = cached_file(
                self.where,
                file,
                revision=self.revision,
                _raise_exceptions_for_missing_entries=False,
            )
        except (OSError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise LagerError(f"model {self.where!r}: no such folder, and the hub says: {first}") from None
        return None if found is None else Path(found)

    def code(self, file: str, repository: str | None) -> Path | None:
        """Return where a file of code lies, in another repository of the hub where one is named."""
        if repository in {None, self.where}:
            return self.path(file)
        return _Finder(repository, None, None).path(file) if _HUB_ID.match(str(repository)) else None

    def some(self, files: tuple[str, ...]) -> dict[str, Path]:
        """Return those of some files that there are."""
        found = {file: self.path(file) for file in files}
        return {file: path for file, path in found.items() if path is not None}


def find_tokenizer(name: str | Path) -> dict[str, Path]:
    """Return the files of a tokenizer in a folder or on the hub, by name.

    Raises
    ------
    LagerError
        When there are none.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir() and not _HUB_ID.match(str(name)):
        raise LagerError(f"--tokenizer {name} is neither a folder nor a hub id")
    finder = _Finder(str(name), None, folder if folder.is_dir() else None)
    found = finder.some((_TOKENIZER, *_TOKENIZER_SETTINGS, *_TOKENIZER_SOURCES))
    if not set(found) & {_TOKENIZER, *_TOKENIZER_SOURCES}:
        raise LagerError(f"--tokenizer {name}: found none of {', '.join((_TOKENIZER, *_TOKENIZER_SOURCES))} there")
    return found


def _weights(finder: _Finder) -> dict[str, Path]:
    """Return the safetensors files: the single one, else those that the index lists."""
    if single := finder.some((_WEIGHTS,)):
        return single
    if index := finder.path(_WEIGHTS_INDEX):
        try:
            names = sorted(set(parse_json(index.read_bytes())["weight_map"].values()))
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            raise LagerError(f"{index} is not the index of a sharded checkpoint; download the model again") from None
        found = finder.some(tuple(names))
        if missing := [name for name in names if name not in found]:
            raise LagerError(
                f"model {finder.where} lacks {len(missing)} of {len(names)} weight files, the first is {missing[0]}; "
                "download the model again"
            )
        return found
    if pickled := finder.some(_PICKLED):
        raise LagerError(
            f"model {finder.where} has only {next(iter(pickled))}, a pickle that runs code when loaded; expected "
            f"{_WEIGHTS}: convert it with transformers' save_pretrained, or choose a revision with safetensors"
        )
    raise LagerError(
        f"model {finder.where} has no weights: looked for {_WEIGHTS} and {_WEIGHTS_INDEX}; download them, or name "
        "another model"
    )
