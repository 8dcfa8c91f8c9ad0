"""A dry run tells what an extraction costs, and writes nothing."""

import json
import types

import pytest
import torch
import typer
from lager.data.errors import LagerError
from lager.extract.command import extract
from lager.extract.dry_run import dry_run
from lager.extract.model.judge import Judge, load_judge
from lager.extract.options.groups import ExtractOptions, LoadOptions
from lager.extract.options.option import make
from lager.extract.run.shard_reader import ShardReader
from support.extraction import run, write_items
from support.schemas import check_output
from support.tiny_models import save_judge, tiny_tokenizer
from tokenizers import processors
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_judge(tmp_path_factory.mktemp("judge"))


@pytest.fixture(scope="module")
def judge(folder):
    return load_judge(folder, LoadOptions(device="cpu"))


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 11, long={3})


def estimate(judge, items, tmp_path, **options):
    made = make(ExtractOptions, {"shard_size": 4, **options})
    return dry_run(judge, items, cache=tmp_path / "cache", options=made, quiet=True)


def test_it_counts_what_the_run_then_does(judge, items, tmp_path, monkeypatch):
    cost = estimate(judge, items, tmp_path, batch_tokens=60)
    assert not (tmp_path / "cache").exists()
    passes = []
    original = ShardReader._passes

    def counted(self, *args, **options):
        for batch in original(self, *args, **options):
            passes.append(len(batch[0]))
            yield batch

    monkeypatch.setattr(ShardReader, "_passes", counted)
    cache = run(judge, items, tmp_path / "cache", batch_tokens=60)
    assert cost.batches == len(passes) < 10
    assert (cost.items, cost.unreadable) == (11, 1)
    assert cost.tokens == int(cache.n_tokens[cache.valid].sum())
    assert cost.weight_bytes == 4 * sum(p.numel() for p in judge.model.parameters())
    stored = sum(array.nbytes for array in (cache.logits, cache.logits_normed, cache.logsumexp, cache.position))
    assert stored < cost.cache_bytes < 1.5 * stored
    assert cost.seconds > 0


@pytest.fixture
def token_clock(judge, monkeypatch):
    """A clock that goes a second with every token that is computed, however busy the machine is."""
    tokens = [0]

    def count(module, args, kwargs):
        tokens[0] += kwargs["input_ids"].numel()

    hook = judge.parts.decoder.register_forward_pre_hook(count, with_kwargs=True)
    monkeypatch.setattr("lager.extract.dry_run.time", types.SimpleNamespace(perf_counter=lambda: float(tokens[0])))
    yield tokens
    hook.remove()


def test_what_is_written_and_stored_beside_costs_more(judge, items, tmp_path, token_clock):
    plain = estimate(judge, items, tmp_path)
    written = estimate(judge, items, tmp_path, condition="generate", max_new_tokens=20)
    assert (written.new_tokens, written.batches) == (20 * 10, plain.batches)
    assert written.seconds > 1.5 * plain.seconds > plain.tokens
    hidden = estimate(judge, items, tmp_path, features=["logits", "hidden"], pooling=["mean", "last"])
    assert hidden.cache_bytes - plain.cache_bytes == 11 * 2 * 4 * (32 * 2 + 4)


def test_the_command_prints_it_and_writes_nothing(folder, items, tmp_path):
    app = typer.Typer()
    app.command()(extract)
    args = [folder, items, "--cache", tmp_path / "cache", "--device", "cpu", "--dry-run"]
    text = CliRunner().invoke(app, list(map(str, args)))
    assert text.exit_code == 0, text.output
    names = [line.split()[0] for line in text.stdout.splitlines()]
    assert names == ["items", "tokens", "batches", "memory", "cache", "time"]
    assert "11, 1 of them too long or empty" in text.stdout
    as_json = CliRunner().invoke(app, [*map(str, args), "--json"])
    assert check_output("extract-dry-run", as_json.stdout)["items"] == 11
    assert not (tmp_path / "cache").exists()


def test_a_batch_that_does_not_fit_is_told(judge, items, tmp_path):
    class Full(torch.nn.Module):
        def __init__(self, decoder):
            super().__init__()
            self.decoder = decoder

        def forward(self, input_ids, **options):
            if len(input_ids) > 3:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return self.decoder(input_ids=input_ids, **options)

    full = Judge(
        judge.model, judge.tokenizer, judge.parts._replace(decoder=Full(judge.parts.decoder)), judge.checkpoint
    )
    # The separators' sample makes the budget smaller, as in the run itself.
    assert estimate(full, items, tmp_path).batches > estimate(judge, items, tmp_path).batches


def test_without_a_readable_prompt_there_is_nothing_to_time(tmp_path):
    tokenizer = tiny_tokenizer(fresh=True)
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel()
    judge = load_judge(save_judge(tmp_path / "judge", tokenizer=tokenizer), LoadOptions(device="cpu"))
    items = write_items(tmp_path / "items.jsonl", 2)
    with pytest.raises(LagerError, match=r"none of the 2 prompts can be read \(the prompt is empty\)"):
        estimate(judge, items, tmp_path, truncate_field="prompt", max_field_tokens=0)


def test_what_the_run_would_refuse_is_refused(judge, items, tmp_path):
    with pytest.raises(LagerError, match="'10' is"):
        estimate(judge, items, tmp_path, scale="1-10")


def test_what_prompts_share_is_counted_once(tmp_path):
    judge = load_judge(save_judge(tmp_path / "judge", max_position_embeddings=1024), LoadOptions(device="cpu"))
    beginning = " ".join(["the quick brown fox jumps over the lazy dog"] * 5)
    items = tmp_path / "items.jsonl"
    items.write_text("".join(json.dumps({"prompt": f"{beginning} {'fox ' * n}"}) + "\n" for n in range(1, 13)))
    shared = estimate(judge, items, tmp_path, shard_size=12)
    whole = estimate(judge, items, tmp_path, shard_size=12, share_prefixes=False)
    alone = estimate(judge, items, tmp_path, shard_size=12, deterministic=True)
    assert shared.computed_tokens < shared.tokens == whole.computed_tokens == alone.computed_tokens
    assert (whole.batches, alone.batches) == (1, 12)
