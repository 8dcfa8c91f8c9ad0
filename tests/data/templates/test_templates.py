import pickle

import pytest
from lager.data.errors import LagerError
from lager.data.scale import Scale
from lager.data.templates import process
from lager.data.templates.aspects import ASPECTS
from lager.data.templates.template import BUNDLED, GENERAL, Template, load_template

SCALE = Scale.parse("1-5")
FIELDS = {
    "instruction": "INSTRUCTION",
    "source": "SOURCE",
    "response": "RESPONSE",
    "criterion": "CRITERION",
    "rubric": "RUBRIC",
}


@pytest.mark.parametrize("name", GENERAL)
def test_prompts_put_what_is_shared_first(name):
    prompt = load_template(name).render(FIELDS, scale=SCALE)
    places = [
        prompt.index(part)
        for part in ("INSTRUCTION", "SOURCE", "RESPONSE", "CRITERION", "RUBRIC", "1 (worst)", "5 (best)")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_mark_at_the_beginning_of_a_file_is_no_part_of_the_template(tmp_path, encoding):
    path = tmp_path / "mine[1].jinja"
    path.write_bytes("Rate é: {{ response }}\n".encode(encoding))
    assert load_template(path) == Template("mine[1].jinja", "Rate é: {{ response }}\n")


@pytest.mark.parametrize("name", GENERAL)
def test_fields_that_an_item_lacks_leave_no_trace(name):
    prompt = load_template(name).render({"response": "RESPONSE", "source": None}, scale=SCALE)
    assert "[Source]" not in prompt
    assert "[Task]" not in prompt
    assert "\n\n\n" not in prompt


@pytest.mark.parametrize("name", [name for name in BUNDLED if name not in GENERAL])
def test_templates_of_a_task_put_the_question_last_and_say_what_the_ends_of_the_scale_mean(name):
    fields = {**FIELDS, "question": "QUESTION", "emotion": "EMOTION", "first": "FIRST", "second": "SECOND"}
    template = load_template(name)
    scale = Scale.parse("A=1,B=0" if "pairwise" in name else "1-9")
    prompt = template.render(fields, scale=scale)
    assert max(prompt.index(fields[one]) for one in template.variables) < prompt.index("? ")
    assert ("A or B" if "pairwise" in name else "from 1 (") in prompt.rpartition("? ")[2]
    assert prompt.endswith("\nReasons:" if name.endswith("-reasoning") else "\nScore:")
    assert "\n\n\n" not in prompt


def test_each_aspect_is_a_template_for_plain_instruction_data():
    for aspect, meaning in ASPECTS.items():
        prompt = load_template(aspect.replace(" ", "-")).render(
            {"instruction": "I", "response": "R"}, scale=Scale.parse("1-9")
        )
        assert f"[Aspect]\n{aspect}: {meaning}\n" in prompt
        assert "[Input]" not in prompt
    assert len(ASPECTS) == 7


def test_descending_scales_name_the_worst_and_the_best_label():
    assert "from C (worst) to A (best)" in load_template("direct").render(FIELDS, scale=Scale.parse("A=4,B=3,C=2"))


def test_a_missing_field_is_named_with_those_that_are_there():
    with pytest.raises(LagerError, match=r"needs response.*it has text"):
        load_template("direct").render({"text": "hello"}, scale=SCALE)


def test_own_templates_are_read_from_a_file(tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_text("{{ question }} Answer {{ scale.labels | join('/') }}:")
    assert load_template(path).render({"question": "Good?"}, scale=Scale.parse("yes=1,no=0")) == "Good? Answer yes/no:"


def test_an_unknown_template_lists_the_bundled_ones():
    with pytest.raises(LagerError, match="direct, reasoning"):
        load_template("nonesuch")


def test_a_syntax_error_names_its_line(tmp_path):
    path = tmp_path / "broken.jinja"
    path.write_text("one\n{% if %}\n")
    with pytest.raises(LagerError, match="line 2"):
        load_template(path)


@pytest.mark.parametrize(
    "text",
    ["{{ ''.__class__.__mro__ }}", "{{ response.__init__.__globals__ }}", "{% include '/etc/passwd' %}", "{{ 1 / 0 }}"],
)
def test_a_hostile_template_cannot_leave_the_sandbox(text):
    with pytest.raises(LagerError) as caught:
        Template("hostile", text).render({"response": "SECRET"}, scale=SCALE)
    assert "SECRET" not in str(caught.value)


NESTED = "{% set a = [1] %}{% set b = [1] %}" + "{% set a = [a, a] %}{% set b = [b, b] %}" * 60


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 10**11 }}",
        "{{ 9 ** (9 ** 9) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ '%99999999999d' | format(1) }}",
        "{% set x = response %}" + "{% set x = x ~ x %}" * 60 + "{{ x }}",
        NESTED + "{{ a == b }}",
    ],
)
def test_a_hostile_template_neither_runs_for_ever_nor_fills_the_memory(monkeypatch, text):
    monkeypatch.setattr(process, "_SECONDS", 1)
    monkeypatch.setattr(process, "_SECONDS_TO_START", 3)
    with pytest.raises(LagerError, match=r"took more than|MemoryError|RecursionError|OverflowError|ValueError"):
        Template("hostile", text).render({"response": "text"}, scale=SCALE)


def test_prompts_that_grow_over_every_bound_are_refused_in_their_sum():
    large = Template("large", "{{ 'x' * 15000000 }}")
    for _ in range(2):
        large.render({"response": "text"}, scale=SCALE)
    with pytest.raises(LagerError, match=r"template large makes prompts of 15,000,000 characters from .*over and over"):
        large.render({"response": "text"}, scale=SCALE)
    common = Template("common", "y" * 100_000 + "{{ response }}")
    for _ in range(500):
        common.render({"response": "text"}, scale=SCALE)


def test_a_template_that_was_stopped_stays_so_and_others_go_on(monkeypatch):
    monkeypatch.setattr(process, "_SECONDS", 0.5)
    endless = Template("endless", "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}")
    for _ in range(2):
        with pytest.raises(LagerError, match="took more than"):
            endless.render({}, scale=SCALE)
    assert Template("good", "{{ response }}!").render({"response": "fine"}, scale=SCALE) == "fine!"


def test_a_template_goes_to_another_process_as_its_text():
    template = Template("mine", "{{ response }} and {{ other.name | tojson }}")
    before = template.render({"response": "ä", "other": {"name": [1, None, 0.5]}}, scale=SCALE)
    assert before == "ä and [1, null, 0.5]"
    again = pickle.loads(pickle.dumps(template))
    assert again == template
    assert again.variables == {"response", "other"}


NO_TEXT = [(["It has", "roses."], "a list"), ({"a": "x"}, "an object"), (True, "true or false")]


@pytest.mark.parametrize("template", [load_template("direct"), Template("mine", "{{ source }}, {{ response }}")])
@pytest.mark.parametrize(("value", "told"), NO_TEXT)
def test_what_is_no_text_does_not_reach_the_judge_as_python_writes_it(template, value, told):
    with pytest.raises(LagerError, match=rf"prints {told} \(response\), expected text .*join\(' '\)") as caught:
        template.render({"source": "one", "response": value}, scale=SCALE)
    assert "roses" not in str(caught.value)
    assert "one" in template.render({"source": "one", "response": 4.5}, scale=SCALE)


@pytest.mark.parametrize("text", ["{{ [1, 2] }}", "{{ a.b }}", "{{ a.n * a.n }}", "{{ scale }}", "{{ range(3) }}"])
def test_parts_of_fields_and_what_a_template_makes_are_no_text_either(text):
    with pytest.raises(LagerError, match="in a field, or made by the template"):
        Template("mine", text).render({"a": {"b": [1], "n": 1e300}}, scale=SCALE)


def test_templates_make_text_of_lists_objects_and_truths():
    text = (
        "{% for turn in turns %}{{ turn.who }}: {{ turn.n }};{% endfor %} {{ words | join(' ') }} {{ words | tojson }}"
        "{% if good %} yes{% endif %} {{ none }}{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(words[0]) }}"
    )
    fields = {"turns": [{"who": "A", "n": 1}, {"who": "B", "n": 2.5}], "words": ["It has", "roses."], "good": True}
    prompt = Template("mine", text).render(fields, scale=SCALE)
    assert prompt == 'A: 1;B: 2.5; It has roses. ["It has", "roses."] yes None<It has>'
