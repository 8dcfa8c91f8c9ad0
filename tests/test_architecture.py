"""The rooms are those of docs/architecture.md, and imports run one way: no circle, no stage that knows a later one."""

import ast
import re
from pathlib import Path

import pytest

STAGES = ("data", "extract", "train", "evaluate")

#: Which stages a stage may import.
KNOWN_STAGES = {
    "data": {"data"},
    "extract": {"data", "extract"},
    "train": {"data", "train"},
    "evaluate": {"data", "extract", "train", "evaluate"},
}

#: The rooms of each stage from the ground up: a room imports those before it, and itself.
LADDERS = {
    "data": ("files", "items", "templates", "benchmarks", "cache", "run", "tools", "remote", "commands"),
    "extract": ("options", "prompts", "model", "readout", "planning", "workers", "run", "engines"),
    "train": ("aggregator", "solvers", "strategies", "files", "estimators"),
    "evaluate": (
        "weighted", "metrics", "agreement", "evaluation", "decisions", "tables", "alt_test", "triage", "estimate",
        "check", "report", "compare", "pairs", "plan", "score", "select", "sensitivity", "sweep",
    ),
}  # fmt: skip

#: Rooms that import a later one, and why.
UPWARDS = {("data.cache", "data.remote"): "FeatureCache.open takes a URL"}

#: Rooms of stage 3 that run a model.
RUN_A_MODEL = {"evaluate.score", "evaluate.sensitivity"}


def modules(repository: Path) -> dict[str, Path]:
    """Every module of the package by its name below `lager`."""
    paths = [path for stage in STAGES for path in (repository / stage).rglob("*.py")] + [repository / "cli.py"]
    names = {path: ".".join(path.relative_to(repository).with_suffix("").parts) for path in paths}
    return {name.removesuffix(".__init__"): path for path, name in names.items()}


def imported(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """The modules that one imports, at its top, inside functions and for types alike."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = ".".join([*package[: len(package) - node.level + 1], *(node.module or "").split(".")]).rstrip(".")
        for alias in node.names:
            whole = f"{base}.{alias.name}".lstrip(".")
            found.add(whole if whole in known else base)
    return found & set(known) - {name}


def room(name: str, known: dict[str, Path]) -> str:
    """The folder of a module: ``data.cache``, or ``data`` for what lies beside the rooms."""
    return name if known[name].name == "__init__.py" else name.rpartition(".")[0]


@pytest.fixture(scope="module")
def graph(repository: Path) -> dict[str, set[str]]:
    known = modules(repository)
    return {name: imported(name, path, known) for name, path in known.items()}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Modules that reach themselves, peeled: what remains when all that can be ordered is taken away."""
    left = {name: set(found) for name, found in graph.items()}
    while free := [name for name, found in left.items() if not found & set(left)]:
        for name in free:
            del left[name]
    return [sorted(left)] if left else []


def test_no_module_imports_itself_in_a_circle(graph):
    assert circles(graph) == []


def test_a_circle_would_be_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == [["a", "b", "c"]]


def test_a_stage_knows_the_stages_before_it_alone(graph):
    wrong = [
        f"{name} imports {other}"
        for name, found in graph.items()
        if (stage := name.partition(".")[0]) in STAGES
        for other in found
        if other.partition(".")[0] not in KNOWN_STAGES[stage]
    ]
    assert wrong == []


def test_only_rooms_that_run_a_model_know_the_extraction(repository, graph):
    known = modules(repository)
    wrong = [
        f"{name} imports {other}"
        for name, found in graph.items()
        if name.startswith("evaluate") and room(name, known) not in RUN_A_MODEL
        for other in found
        if other.startswith("extract")
    ]
    assert wrong == []


def test_rooms_are_a_ladder(repository, graph):
    known, wrong = modules(repository), []
    for name, found in graph.items():
        stage, _, own = room(name, known).partition(".")
        for other in found:
            other_stage, _, theirs = room(other, known).partition(".")
            if not own or not theirs or stage != other_stage or (f"{stage}.{own}", f"{stage}.{theirs}") in UPWARDS:
                continue
            if LADDERS[stage].index(theirs) > LADDERS[stage].index(own):
                wrong.append(f"{name} imports {other}")
    assert wrong == []


def rooms(repository: Path) -> set[str]:
    return {
        ".".join(path.parent.relative_to(repository).parts)
        for stage in STAGES
        for path in (repository / stage).rglob("__init__.py")
        if path.parent.parent != repository
    }


def test_the_page_and_this_test_list_the_rooms_that_there_are(repository):
    page = (repository / "docs" / "architecture.md").read_text()
    listed = re.findall(r"^\| `(\w+)/(\w+)/` \|", page, re.MULTILINE)
    assert listed == [(stage, name) for stage in STAGES for name in LADDERS[stage]]
    assert {f"{stage}.{name}" for stage, name in listed} == rooms(repository)


def test_every_room_says_what_it_is_and_no_folder_is_crowded(repository):
    for name in [*STAGES, *rooms(repository)]:
        folder = repository / name.replace(".", "/")
        said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
        assert len(said.split()) >= 15, name
        assert len(list(folder.glob("*.py"))) <= 21, name


def test_files_that_the_page_names_are_there(repository):
    page = (repository / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`((?:data|extract|train|evaluate|tests|benchmarks|docs)/[\w./-]+\.\w+)`", page))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (repository / name).exists()] == []
