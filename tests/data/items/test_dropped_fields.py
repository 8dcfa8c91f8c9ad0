"""A file whose items could be read in two ways is refused: no field is left out of a prompt in silence."""

import json

import pytest
from lager.data import open_items as opening
from lager.data.errors import LagerError
from lager.data.items.items import TEMPLATE_FIELDS
from lager.data.open_items import open_items
from lager.data.templates.template import BUNDLED, load_template

PROMPT = {"id": "i0", "prompt": "Tell me about the bell.", "score": 5}
MESSAGES = {"messages": [{"role": "user", "content": "Tell me."}]}


@pytest.fixture(params=["small", "large"], autouse=True)
def size(request, monkeypatch):
    if request.param == "large":
        monkeypatch.setattr(opening, "EAGER_BYTES", 0)


def write(tmp_path, *rows):
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("row", [PROMPT, MESSAGES])
@pytest.mark.parametrize("name", ["response", "rubric", "Response", "first"])
def test_fields_beside_a_prompt_are_refused_by_name(tmp_path, row, name):
    path = write(tmp_path, row, {**row, "id": "i1", name: "no"})
    with pytest.raises(LagerError, match=f"and {name}: .* would not reach the judge. Remove or rename"):
        open_items(path)


def test_a_prompt_beside_messages_is_refused(tmp_path):
    with pytest.raises(LagerError, match="has messages and prompt"):
        open_items(write(tmp_path, {**PROMPT, **MESSAGES}))


def test_other_columns_and_those_that_name_groups_may_stand_beside_a_prompt(tmp_path):
    path = write(tmp_path, {**PROMPT, "model": "m", "criterion": "style", "source": "text 1"})
    items = open_items(path, group=["criterion"], cluster="source")
    assert items.part(range(1)).fields == ({"prompt": PROMPT["prompt"]},)


def test_the_fields_are_those_of_the_bundled_templates():
    assert frozenset().union(*(load_template(name).variables for name in BUNDLED)) == TEMPLATE_FIELDS
