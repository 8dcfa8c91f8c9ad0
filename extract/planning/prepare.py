"""What comes before reading: items, the loaded judge, and the plan of where it is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ...data.items.lazy_items import ItemSource
from ...data.items.survey import SurveyOf, survey_items
from ...data.progress import Say
from ...data.run.cache_writer import refuse_foreign
from ..model.judge import Judge, load_judge, require_extra
from ..options.groups import ExtractOptions
from ..prompts.chat import find_chat, load_chat_template
from ..prompts.condition import choose_condition
from ..prompts.inputs import (
    check_features,
    choose_scale,
    draw_items,
    read_items,
    read_template,
    size_text,
    unused_columns,
)  # fmt: skip
from ..prompts.prompt_format import PromptFormat
from ..prompts.repeated_texts import repeated_texts
from ..readout.batches import BatchBudget
from .other_items import check_other_items

if TYPE_CHECKING:
    from .planner import Planner


class PreparedRun(NamedTuple):
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


def prepare_run(
    model: str | Path | Judge, items: str | Path | ItemSource, *, folder: Path, options: ExtractOptions, say: Say,
    survey: SurveyOf = survey_items,
) -> PreparedRun:  # fmt: skip
    """Check the options, open the items, load the judge and settle how it is read; nothing is written."""
    refuse_foreign(folder)  # before a model is loaded
    prompts, chosen = options.prompts, options.items
    condition = choose_condition(prompts)
    poolings = check_features(options.run.features, options.run.pooling)
    loaded = read_items(items, chosen.group, chosen.cluster, raters=chosen.raters, survey=survey)
    scale = choose_scale(prompts.scale, loaded)
    loaded = draw_items(loaded, chosen.limit, chosen.seed).on_scale(scale, human_range=chosen.human_range)
    check_other_items(folder, loaded, options.run)
    template = read_template(prompts.template, loaded, condition=condition.name)
    for line in (*unused_columns(template, loaded), *repeated_texts(template, loaded)):
        say(line)
    chat_template = load_chat_template(prompts.chat_template)
    require_extra()
    if isinstance(model, Judge):
        judge = model
    else:
        say(f"loading {model}")
        judge = load_judge(model, options.load)
    chat = find_chat(judge.tokenizer, prompts.chat_args, chat_template)
    prompt_format = PromptFormat(judge.tokenizer, scale, prompts, template=template, chat=chat)

    from ..readout.hidden_states import hidden_bytes
    from .planner import make_planner
    from .separator import stored_separator

    if size := hidden_bytes(judge, len(loaded), poolings):
        say(f"hidden states ({', '.join(poolings)}): {size_text(size)}")
    budget = BatchBudget(options.batches.batch_tokens, say)
    sep = stored_separator(folder)
    planner = make_planner(judge, prompt_format, loaded, budget=budget, stored_sep=sep, say=say, condition=condition)
    return PreparedRun(loaded, judge, prompt_format, planner, budget, poolings)
