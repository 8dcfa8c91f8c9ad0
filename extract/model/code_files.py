"""The Python files of a checkpoint that may run: those that its configuration names, and what these import of it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from .config_settings import read_config

#: Returns where a file lies, given its name and the repository, None for the checkpoint's own; None where it is not.
Find = Callable[[str, str | None], Path | None]


def code_files(config: Path, find: Find) -> dict[str, Path]:
    """Return the code that the ``auto_map`` of a JSON file names, directly or by imports; other repositories' names
    before ``--``.
    """
    found: dict[str, Path] = {}
    for repository, module in dict.fromkeys(_named_modules(read_config(config).get("auto_map"))):
        todo = [f"{module}.py"]
        while todo:
            file = todo.pop()
            name = file if repository is None else f"{repository}--{file}"
            path = None if name in found else find(file, repository)
            if path is not None:
                found[name] = path
                todo += [one for module, names in _imported(path) for one in _candidates(file, module, names)]
    return dict(sorted(found.items()))


def _named_modules(named: Any) -> Iterator[tuple[str | None, str]]:
    """Yield repository and module of each ``[repository--]module.Class``, alone or in lists."""
    if isinstance(named, dict | list):
        for value in named.values() if isinstance(named, dict) else named:
            yield from _named_modules(value)
    elif isinstance(named, str):
        repository, dashes, reference = named.rpartition("--")
        yield (repository if dashes else None), reference.split(".")[0]


def _imported(path: Path) -> list[tuple[str, list[str]]]:
    """Return the relative imports of a file: the module with its leading dots, and the names taken from it."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError):  # loading it tells why
        return []
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    return [("." * node.level + (node.module or ""), [alias.name for alias in node.names]) for node in nodes]


def _candidates(file: str, module: str, names: list[str]) -> list[str]:
    """Return the files that a relative import may mean: a module, a package, or modules in one."""
    dotted = module.lstrip(".")
    folder = PurePosixPath(file).parent
    for _ in range(len(module) - len(dotted) - 1):
        folder = folder.parent
    inside = folder.joinpath(*dotted.split(".")) if dotted else folder
    modules = [inside / "__init__", *(inside / name for name in names if name.isidentifier())]
    return [f"{one}.py" for one in ([inside, *modules] if dotted else modules)]
