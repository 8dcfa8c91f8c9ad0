"""The script behind docs/reproduce.md: from published files to the paper's tables, on a tiny judge."""

import importlib
import json
import shutil

import pytest
from support.published import (
    biggen_records,
    eqbench_questions,
    flask_records,
    helpsteer_records,
    selfaware_document,
    write_json,
    write_jsonl,
)


@pytest.fixture(scope="module")
def reproduce(repository):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks" / "reproduce"))
        yield importlib.import_module("reproduce")


@pytest.fixture
def published(tmp_path):
    """A folder per benchmark, in the published formats."""
    folder = tmp_path / "data"
    write_json(folder / "flask" / "flask_eval.json", flask_records(8))
    write_jsonl(folder / "helpsteer" / "validation.jsonl", helpsteer_records(600))
    write_jsonl(folder / "biggen" / "human_eval.jsonl", biggen_records(12))
    write_json(folder / "eqbench" / "eq_bench_v2_questions_171.json", eqbench_questions(8))
    write_json(folder / "selfaware" / "SelfAware.json", selfaware_document(30))
    return folder


@pytest.fixture
def judge(tmp_path, repository):
    """The demo's judge, made to end its texts at a line break, so that it gives a score after some words."""
    folder = tmp_path / "judge"
    shutil.copytree(repository / "data" / "demo" / "judge", folder)
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    config = json.loads((folder / "generation_config.json").read_text())
    config["eos_token_id"] = [config["eos_token_id"], vocabulary["Ċ"]]
    (folder / "generation_config.json").write_text(json.dumps(config))
    return folder


def test_the_published_figures_are_the_papers(reproduce):
    from published import ABLATION, ABLATION_COLUMNS, MAIN

    # The ablation repeats cells of the main table.
    for place, (model, one) in enumerate(ABLATION_COLUMNS):
        at = 2 * ("flask", "helpsteer", "biggen").index(one)
        for method in ("vscore", "e-score", "lager", "lager-tuned"):
            assert ABLATION[method][place] == MAIN[model][method][at]
    # Means as printed, of the models whose six cells give them.
    printed = {"Mistral-7B": 0.352, "Llama-3.1-8B": 0.484, "Mistral-Small-24B": 0.540, "Llama-3.3-70B": 0.570}
    for model, mean in printed.items():
        assert sum(MAIN[model]["lager-tuned"]) / 6 == pytest.approx(mean, abs=6e-4)


def test_the_commands_cover_every_table_once(reproduce, tmp_path, capsys):
    assert reproduce.main(["commands", "--work", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(set(lines))
    # Six models: a tuning set and weights each; and 36 + 3 + 2 cells, each read and evaluated.
    assert len(lines) == 6 * 2 + 2 * (36 + 3 + 2)
    text = "\n".join(lines)
    assert "extract mistralai/Mistral-7B-Instruct-v0.3 'benchmark:helpsteer#tune'" in text
    assert "--condition generate --score-rule last" in text
    assert "--condition reasoning --score-rule last" in text
    assert text.count("--preset paper") == 6


def test_the_page_shows_the_commands_that_the_script_runs(reproduce, repository, capsys):
    page = (repository / "docs" / "reproduce.md").read_text()
    assert reproduce.main(["commands", "--work", "work", "--model", "Llama-3.1-8B", "--table", "distribution"]) == 0
    assert capsys.readouterr().out.strip() in page


@pytest.mark.slow
def test_from_published_files_to_the_papers_tables(reproduce, published, judge, tmp_path, capsys):
    common = [
        "--work", str(tmp_path / "work"), "--data", str(published), "--limit", "12", "--resamples", "20",
        "--model", f"Mistral-7B={judge}", "--extract=--max-invalid 1",
    ]  # fmt: skip
    assert reproduce.main(["run", *common]) == 0
    # Llama's FLASK alone is what the distances need.
    llama = [*common[:-2], f"Llama-3.1-8B={judge}", common[-1], "--table", "distribution"]
    assert reproduce.main(["run", *llama]) == 0
    capsys.readouterr()
    everything = [*common, "--model", f"Llama-3.1-8B={judge}"]
    assert reproduce.main(["tables", *everything, "--json"]) == 0
    tables = {
        table["title"]: {row["row"]: row for row in table["rows"]} for table in json.loads(capsys.readouterr().out)
    }
    main = tables["Spearman"]["Mistral-7B, LAGER w/ tuning"]
    assert all(-1 <= main[column]["ours"] <= 1 for column in main if column != "row")
    assert main["flask direct"]["paper"] == 0.347
    assert tables["Spearman"]["Llama-3.1-8B, VScore"]["flask reasoning"] == {"ours": None, "paper": 0.429}
    assert tables["Ablation, Spearman, direct"]["prob-tuned"]["Mistral-7B flask"]["ours"] is not None
    (distance,) = (table for title, table in tables.items() if title.startswith("Distance"))
    assert distance["E-Score"]["KL"]["ours"] >= 0
    assert tables["EQ-Bench, Spearman"]["Mistral-7B"]["LAGER w/ tuning"]["ours"] is not None
    assert 0 <= tables["SelfAware, F1 of unanswerable"]["Mistral-7B"]["E-Score"]["ours"] <= 1
    result = json.loads((tmp_path / "work" / "results" / "Mistral-7B" / "selfaware-direct.json").read_text())
    assert result["about"]["threshold_range"] == "train"
    assert reproduce.main(["tables", *everything]) == 0
    ours = importlib.import_module("paper_tables").as_text(main["flask direct"]["ours"])
    assert f"| Mistral-7B, LAGER w/ tuning | {ours} (.347) |" in capsys.readouterr().out
    # Columns of the source are kept, and figures can be grouped by them.
    biggen = tmp_path / "work" / "cache" / "Mistral-7B" / "biggen-direct"
    arguments = ["evaluate", str(biggen), "--by", "task", "--strategy", "lager", "--resamples", "0", "--json"]
    with pytest.raises(SystemExit):
        reproduce.lager(arguments)
    assert json.loads(capsys.readouterr().out)["results"][0]["groups"][0]["group"].startswith("task")
    # What is done is not done again.
    assert reproduce.main(["run", *common]) == 0
    assert "$ lager" not in capsys.readouterr().err
    assert reproduce.main(["cost", *common, "--table", "emotion"]) == 0
    costs = json.loads(capsys.readouterr().out)
    assert costs["Mistral-7B/eqbench-direct"]["items"] == 12


def test_a_command_that_fails_is_told_and_the_rest_goes_on(reproduce, tmp_path, capsys):
    common = ["--work", str(tmp_path / "work"), "--data", str(tmp_path), "--table", "emotion"]
    assert reproduce.main(["run", *common, "--model", f"Mistral-7B={tmp_path}"]) == 1
    err = capsys.readouterr().err
    assert err.count("failed: lager extract") == 2
    assert sum(line.startswith("failed: ") and "lager evaluate" in line for line in err.splitlines()) == 1
    with pytest.raises(SystemExit, match="unknown model 'Mistral'"):
        reproduce.main(["run", *common, "--model", "Mistral"])
