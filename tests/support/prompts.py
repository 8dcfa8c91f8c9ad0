"""One item's prompt, as text and as token ids."""

import polars as pl
from lager.data.items.items import Items
from lager.data.scale import Scale
from lager.extract.options.groups import PromptOptions
from lager.extract.prompts.chat import find_chat
from lager.extract.prompts.prompt_format import PromptFormat

SCALE = Scale.parse("1-5")


def items_of(kind, *fields):
    ids = tuple(str(i) for i in range(len(fields)))
    return Items(ids, fields, kind, pl.DataFrame({"item_id": ids}))


def render(tokenizer, kind, fields, *, chat_args=None, chat_template=None, template=None, **options):
    chat = find_chat(tokenizer, chat_args, chat_template)
    prompt_format = PromptFormat(tokenizer, SCALE, PromptOptions(**options), template=template, chat=chat)
    (text,) = prompt_format.render(items_of(kind, fields))
    return text, prompt_format.tokenize([text])[0]
