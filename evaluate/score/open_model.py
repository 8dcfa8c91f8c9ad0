"""A model made ready to score by an aggregator: loaded as far as that needs it, prompts read as in training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...data.errors import LagerError
from ...data.progress import Say
from ...data.scale import Scale
from ...data.templates.template import Template, load_template
from ...train.files.aggregator_file import AggregatorRecord
from ...train.files.applies import ReadFrom, check_applies_to, other_reading
from ...train.files.prompt_settings import GIVEN, prompt_settings_of

if TYPE_CHECKING:
    from ...extract.model.judge import Judge as LoadedJudge
    from ...extract.options.groups import LoadOptions, PromptOptions, ReadOptions
    from ...extract.prompts.chat import Chat
    from ...extract.prompts.condition import Condition
    from ...extract.run.live_reader import LiveReader


def open_live(
    model: str | Path,
    record: AggregatorRecord,
    options: ReadOptions,
    *,
    say: Say,
    sep: str | None = None,
    force: bool = False,
    advance: Callable[[int], None] | None = None,
    template: str | None = None,
) -> tuple[LiveReader, list[str]]:
    """Load a model and check that the aggregator applies to it."""
    from ...extract.model.judge import require_extra
    from ...extract.prompts.condition import choose_condition

    require_extra()
    prompts = as_in_training(options.prompts, record)
    scale, condition = scale_of(options.prompts, record), choose_condition(prompts)
    same_labels = scale.labels == record.aggregator.scale.labels
    if sep is None and same_labels and record.reading is not None:
        sep = record.reading.separator
    chat_template = _chat_template(options.prompts, record)
    load = options.load
    if load.dtype is None and record.reading is not None:
        load = replace(load, dtype=record.reading.dtype)
    judge = _load(model, record, load, whole=condition.generates or sep is None, say=say)

    from ...extract.prompts.prompt_format import PromptFormat
    from ...extract.run.live_reader import LiveReader

    judging = _template(options.prompts, record, condition, template)
    chat = _chat(judge, prompts, options.prompts, chat_template)
    reader = LiveReader(
        judge,
        PromptFormat(judge.tokenizer, scale, prompts, template=judging, chat=chat),
        batches=options.batches,
        say=say,
        sep=sep,
        poolings=record.aggregator.poolings,
        advance=advance,
    )
    source = ReadFrom(f"model {judge.checkpoint.public_name}", reader.n_layers, reader.readout_inputs, None, scale)
    notes = check_applies_to(record, source, force=force)
    if not judge.parts.whole:
        notes.append(f"only the first {judge.n_layers} of {reader.n_layers} blocks are loaded: no score mass is known")
    return reader, notes


def as_in_training(asked: PromptOptions, record: AggregatorRecord) -> PromptOptions:
    """Return the options asked for, with those of the aggregator's training where they leave something open.

    Templates and scale stay open: what they were in training is more than a name.
    """
    trained = vars(record.reading) if record.reading is not None else {}
    apart = {"template", "chat_template", "scale"}
    if asked.condition not in {None, trained.get("condition")}:
        apart |= {"score_rule", "max_new_tokens"}  # rules of another condition
    if asked.truncate_field is not None:
        apart |= {"max_field_tokens"}
    open_ones = [name for name, value in vars(asked).items() if value is None and name not in apart]
    return replace(asked, **{name: trained.get(name) for name in open_ones})


def reading_note(record: AggregatorRecord, reader: LiveReader) -> list[str]:
    """Return a line where prompts are read in another way than in training; known once something was read."""
    if reader.inputs is None or record.fingerprint in (None, reader.fingerprint):
        return []
    how = other_reading(record.reading, prompt_settings_of(reader.inputs))
    return [f"prompts are read in another way than those the aggregator was fitted on: {how}"]


def _load(model: str | Path, record: AggregatorRecord, options: LoadOptions, *, whole: bool, say: Say) -> LoadedJudge:
    """Load the blocks that the aggregator looks at, all where they cannot be had alone."""
    from ...extract.model.first_blocks import BlocksDifferError
    from ...extract.model.judge import load_judge

    say(f"loading {model}")
    depth = record.aggregator.last_entry
    if not whole and depth < record.aggregator.n_layers:
        try:
            return load_judge(model, options, first_blocks=max(depth, 1))
        except BlocksDifferError as error:
            say(f"all blocks are loaded: {error}")
    return load_judge(model, options)


def scale_of(options: PromptOptions, record: AggregatorRecord) -> Scale:
    """Return the scale that was asked for, else the one of the training data."""
    if options.scale is None:
        return record.aggregator.scale
    return options.scale if isinstance(options.scale, Scale) else Scale.parse(options.scale)


def _template(asked: PromptOptions, record: AggregatorRecord, condition: Condition, of_source: str | None) -> Template:
    """Return the template that was asked for, else that of training, else that of the items or the condition."""
    from ...extract.prompts.inputs import default_template

    if asked.template is not None:
        return load_template(asked.template)
    if record.reading is not None and record.reading.template is not None:
        return Template("of the aggregator", record.reading.template)
    return load_template(default_template(of_source, condition.name))


def _chat_template(asked: PromptOptions, record: AggregatorRecord) -> str | None:
    """Return what stands for the tokenizer's own chat template, None where nothing does.

    An aggregator's file brings none: its reader's process renders chat templates.
    """
    from ...extract.prompts.chat import load_chat_template

    trained = None if record.reading is None else record.reading.chat_template
    if asked.chat_template is None and trained == GIVEN:
        raise LagerError(
            "the aggregator was fitted on prompts of another chat template than the model's: give it, "
            "--chat-template FILE"
        )
    return load_chat_template(asked.chat_template or trained)


def _chat(judge: LoadedJudge, prompts: PromptOptions, asked: PromptOptions, template: str | None) -> Chat | None:
    """Return how prompts become conversations; a model without a chat template leaves the arguments of training out."""
    from ...extract.prompts.chat import find_chat, own_template

    used = own_template(judge.tokenizer) if template is None else template
    return find_chat(judge.tokenizer, prompts.chat_args if used else asked.chat_args, template)
