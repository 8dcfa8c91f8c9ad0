"""What comes before reading: items, the loaded judge, and the plan of where it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...data.errors import LagerError
from ...data.items.lazy_items import ItemSource
from ...data.items.survey import SurveyOf, survey_items
from ...data.progress import Say
from ...data.run.cache_writer import refuse_foreign
from ...data.scale import Scale
from ..model.judge import Judge, load_judge, require_extra
from ..prompts.chat import find_chat
from ..prompts.condition import choose_condition
from ..prompts.inputs import check_features, choose_scale, draw_items, read_items, read_template, size_text
from ..prompts.prompt_format import PromptFormat
from ..readout.batches import DEFAULT_BATCH_TOKENS, BatchBudget

if TYPE_CHECKING:
    from .planner import Planner


class Reading(NamedTuple):
    """All that a run needs but a place to write to.

    Attributes
    ----------
    items : ItemSource
        What is judged, with human scores on the judge's scale.
    judge : Judge
        The model.
    prompt_format : PromptFormat
        How items become prompts.
    planner : Planner
        How items are planned, and what is read after their prompts.
    budget : BatchBudget
        Padded tokens of a batch.
    poolings : tuple of str
        Of the hidden states that are stored too.
    """

    items: ItemSource
    judge: Judge
    prompt_format: PromptFormat
    planner: Planner
    budget: BatchBudget
    poolings: tuple[str, ...]


def prepare_reading(
    model: str | Path | Judge,
    items: str | Path | ItemSource,
    *,
    folder: Path,
    say: Say,
    template: str | Path | None = None,
    system: str | None = None,
    answer_prefix: str = "",
    chat_args: Mapping[str, Any] | None = None,
    scale: str | Scale | None = None,
    human_range: tuple[float, float] | None = None,
    group: Sequence[str] = (),
    cluster: str | None = None,
    truncate_field: str | None = None,
    max_field_tokens: int | None = None,
    condition: str = "direct",
    score_rule: str | None = None,
    max_new_tokens: int | None = None,
    features: Sequence[str] = ("logits",),
    pooling: Sequence[str] | None = None,
    limit: int | None = None,
    seed: int = 42,
    dtype: str = "auto",
    device: str | None = None,
    attn: str | None = None,
    quantize: str | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    layers_path: str | None = None,
    norm_path: str | None = None,
    batch_tokens: int = DEFAULT_BATCH_TOKENS,
    survey: SurveyOf = survey_items,
) -> Reading:
    """Check the options, open the items, load the judge and settle how it is read; nothing is written.

    Parameters
    ----------
    folder : Path
        The cache's folder, which may hold a run to go on with.
    say : callable
        Takes each line that the user should see.
    survey : callable
        How a large item file is looked through.

    All others are those of `lager.extract.extractor.extract_features`.

    Raises
    ------
    LagerError
        When the input, the model, an option or the cache's folder is not as it must be.
    """
    _check_options(folder, limit=limit, batch_tokens=batch_tokens)
    when = choose_condition(condition, score_rule=score_rule, max_new_tokens=max_new_tokens)
    poolings = check_features(features, pooling)
    loaded = read_items(items, group, cluster, survey=survey)
    scale = choose_scale(scale, loaded)
    loaded = draw_items(loaded, limit, seed).on_scale(scale, human_range=human_range)
    judging_template = read_template(template, loaded, condition=when.name)
    require_extra()
    if not isinstance(model, Judge):
        say(f"loading {model}")
    judge = model if isinstance(model, Judge) else load_judge(
        model, revision=revision, trust_remote_code=trust_remote_code, dtype=dtype, device=device, attn=attn,
        quantize=quantize, layers_path=layers_path, norm_path=norm_path,
    )  # fmt: skip
    prompt_format = PromptFormat(
        judge.tokenizer, scale, template=judging_template, chat=find_chat(judge.tokenizer, chat_args), system=system,
        answer_prefix=answer_prefix, truncate_field=truncate_field, max_field_tokens=max_field_tokens,
    )  # fmt: skip

    from ..readout.hidden_states import hidden_bytes
    from .planner import make_planner
    from .separator import stored_separator

    if size := hidden_bytes(judge, len(loaded), poolings):
        say(f"hidden states ({', '.join(poolings)}): {size_text(size)}")
    budget = BatchBudget(batch_tokens, say)
    sep = stored_separator(folder)
    planner = make_planner(judge, prompt_format, loaded, budget=budget, stored_sep=sep, say=say, condition=when)
    return Reading(loaded, judge, prompt_format, planner, budget, poolings)


def _check_options(folder: Path, *, limit: int | None, batch_tokens: int) -> None:
    """Refuse before a model is loaded what would be refused after."""
    if limit is not None and limit < 1:
        raise LagerError(f"--limit {limit}: expected at least 1")
    if batch_tokens < 1:
        raise LagerError(f"--batch-tokens {batch_tokens}: expected at least 1")
    refuse_foreign(folder)
