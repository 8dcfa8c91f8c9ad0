"""A model made ready to score by an aggregator: loaded as far as that needs it, prompts read as in training."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.errors import LagerError
from ...data.progress import Say
from ...data.scale import Scale
from ...data.templates.template import REASONING, Template, load_template
from ...train.aggregator.aggregator import last_entry
from ...train.aggregator.aggregator_file import AggregatorRecord, ReadFrom, check_applies_to
from ...train.aggregator.prompt_settings import Reading

if TYPE_CHECKING:
    from ...extract.model.judge import Judge as LoadedJudge
    from ...extract.prompts.condition import Condition
    from ...extract.prompts.prompt_format import PromptFormat
    from ...extract.run.live_reader import LiveReader


@dataclass(frozen=True)
class LiveOptions:
    """How a model is loaded and prompts are made; what is None is as in the aggregator's training, else a default.

    The names are those of `lager.extract.extractor.extract_features`.
    """

    template: str | Path | None = None
    system: str | None = None
    answer_prefix: str | None = None
    chat_args: Mapping[str, Any] | None = None
    scale: str | Scale | None = None
    truncate_field: str | None = None
    max_field_tokens: int | None = None
    condition: str | None = None
    score_rule: str | None = None
    max_new_tokens: int | None = None
    dtype: str | None = None
    device: str | None = None
    attn: str | None = None
    quantize: str | None = None
    revision: str | None = None
    trust_remote_code: bool = False
    layers_path: str | None = None
    norm_path: str | None = None
    batch_tokens: int | None = None
    share_prefixes: bool = True

    def as_json(self) -> dict[str, Any]:
        """Return the options that decide a score, for comparison."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return json.loads(json.dumps(given, default=str))


def open_live(
    model: str | Path,
    record: AggregatorRecord,
    options: LiveOptions,
    *,
    say: Say,
    sep: str | None = None,
    force: bool = False,
    advance: Callable[[int], None] | None = None,
    template: str | None = None,
) -> tuple[LiveReader, list[str]]:
    """Load a model and check that the aggregator applies to it.

    Parameters
    ----------
    model : str or Path
        Local folder or hub id.
    record : AggregatorRecord
        With an aggregator that looks at the first layers only, only these are loaded and run.
    options : LiveOptions
        How.
    say : callable
        Takes each line that the user should see.
    sep : str, optional
        What stands between prompt and label, where an earlier run settled it.
    force : bool
        Apply an aggregator of other read-outs anyway.
    advance : callable, optional
        Told the number of items after each batch.
    template : str, optional
        The bundled template that suits the items' source, where neither the options nor the training name one.

    Returns
    -------
    LiveReader
    list of str
        What the user should know, one line each.

    Raises
    ------
    LagerError
        When the model cannot be loaded, or the aggregator is of other read-outs.
    """
    from ...extract.model.judge import require_extra
    from ...extract.readout.batches import DEFAULT_BATCH_TOKENS

    require_extra()
    reading = record.reading or Reading()
    scale = scale_of(options, record)
    condition = _condition(options, reading)
    same_labels = scale.labels == record.aggregator.scale.labels
    sep = sep if sep is not None else reading.separator if same_labels else None
    judge = _load(model, record, options, reading, whole=condition.generates or sep is None, say=say)

    from ...extract.run.live_reader import LiveReader

    reader = LiveReader(
        judge,
        _prompt_format(judge, scale, _template(options, reading, condition, template), options, reading),
        batch_tokens=options.batch_tokens or DEFAULT_BATCH_TOKENS,
        say=say,
        condition=condition,
        sep=sep,
        poolings=_poolings(record),
        share_prefixes=options.share_prefixes,
        advance=advance,
    )
    source = ReadFrom(f"model {judge.checkpoint.public_name}", reader.n_layers, reader.readout_id(), None, scale)
    notes = check_applies_to(record, source, force=force)
    if not judge.parts.whole:
        notes.append(f"only the first {judge.n_layers} of {reader.n_layers} blocks are loaded: no score mass is known")
    return reader, notes


def reading_note(record: AggregatorRecord, reader: LiveReader) -> list[str]:
    """Return a line where prompts are read in another way than in training; known once something was read."""
    if reader.fingerprint in (None, record.fingerprint) or record.fingerprint is None:
        return []
    return ["prompts are read in another way than those the aggregator was fitted on: another template or condition"]


def _load(
    model: str | Path, record: AggregatorRecord, options: LiveOptions, reading: Reading, *, whole: bool, say: Say
) -> LoadedJudge:
    """Load the blocks that the aggregator looks at, all where they cannot be had alone."""
    from ...extract.model.first_blocks import BlocksDifferError
    from ...extract.model.judge import load_judge

    loading: dict[str, Any] = {
        "dtype": options.dtype or reading.dtype or "auto",
        **{name: getattr(options, name) for name in
           ("device", "attn", "quantize", "revision", "trust_remote_code", "layers_path", "norm_path")},
    }  # fmt: skip
    say(f"loading {model}")
    depth = last_entry(record.aggregator)
    if not whole and depth < record.aggregator.n_layers:
        try:
            return load_judge(model, first_blocks=max(depth, 1), **loading)
        except BlocksDifferError as error:
            say(f"all blocks are loaded: {error}")
    return load_judge(model, **loading)


def scale_of(options: LiveOptions, record: AggregatorRecord) -> Scale:
    """Return the scale that was asked for, else the one of the training data."""
    if options.scale is None:
        return record.aggregator.scale
    return options.scale if isinstance(options.scale, Scale) else Scale.parse(options.scale)


def _condition(options: LiveOptions, reading: Reading) -> Condition:
    """Return the condition asked for, with the rules of training where it is that one."""
    from ...extract.prompts.condition import choose_condition

    name = options.condition or reading.condition or "direct"
    rule, length = options.score_rule, options.max_new_tokens
    if name == reading.condition:
        rule, length = rule or reading.score_rule, length or reading.max_new_tokens
    return choose_condition(name, score_rule=rule, max_new_tokens=length)


def _template(options: LiveOptions, reading: Reading, condition: Condition, of_source: str | None) -> Template:
    """Return the template that was asked for, else that of training, else that of the items or the condition."""
    from ...extract.prompts.inputs import DEFAULT_TEMPLATE

    if options.template is not None:
        return load_template(options.template)
    if reading.template is not None:
        return Template("of the aggregator", reading.template)
    if of_source is not None:
        return load_template(of_source + (REASONING if condition.name == "reasoning" else ""))
    return load_template(DEFAULT_TEMPLATE.get(condition.name, "direct"))


def _prompt_format(
    judge: LoadedJudge, scale: Scale, template: Template, options: LiveOptions, reading: Reading
) -> PromptFormat:
    from ...extract.prompts.chat import find_chat
    from ...extract.prompts.prompt_format import PromptFormat

    cut = options if options.truncate_field is not None else reading
    has_chat = getattr(judge.tokenizer, "chat_template", None) is not None
    chat_args = options.chat_args if options.chat_args is not None or not has_chat else reading.chat_args
    prefix = options.answer_prefix if options.answer_prefix is not None else reading.answer_prefix
    return PromptFormat(
        judge.tokenizer,
        scale,
        template=template,
        chat=find_chat(judge.tokenizer, chat_args),
        system=options.system if options.system is not None else reading.system,
        answer_prefix=prefix or "",
        truncate_field=cut.truncate_field,
        max_field_tokens=cut.max_field_tokens,
    )


def _poolings(record: AggregatorRecord) -> tuple[str, ...]:
    """Return the poolings of hidden states that the aggregator reads."""
    features = record.aggregator.parameters.get("features", ())
    if record.aggregator.definition.reads != "hidden":
        return ()
    poolings = tuple(dict.fromkeys(pooling for pooling, _ in features))
    if not poolings:
        raise LagerError(f"the aggregator ({record.aggregator.strategy}) names no hidden states: train it again")
    return poolings
