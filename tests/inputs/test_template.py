"""What a template makes of a row, what it cannot reach, and that it ends."""

import json
from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.inputs.budget import MOST, TURNS
from batchrunner.inputs.grammar import LONGEST, BadTemplateError
from batchrunner.inputs.strict import RefusedError
from batchrunner.inputs.template import compile_messages, compile_prompt

ROW = {
    "title": "Lamp",
    "meta": {"color": "red", "items": 3, "nested": {"name": "n"}},
    "tags": ["a", "b"],
    "Unit price": 1.5,
    "count": 7,
    "sold": True,
    "note": None,
    "long": "x" * 100_000,
    "empty": "",
}


def rendered(prompt, row: Mapping = ROW):
    (message,) = compile_prompt(prompt).messages(row)
    assert message["role"] == "user"
    return message["content"]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Translate: {{ title }}\n", "Translate: Lamp\n"),
        ("{{ meta.color }} {{ meta['color'] }} {{ meta.items }}", "red red 3"),
        ("{{ tags | join(', ') }} {{ tags[1] }} {{ tags | length }}", "a, b b 2"),
        ('{{ row["Unit price"] }} {{ row.title }}', "1.5 Lamp"),
        ("[{{ note }}] {{ sold }} {{ count }} {{ 1.0 }}", "[] true 7 1.0"),
        ("{{ tags }} {{ meta }}", '["a","b"] {"color":"red","items":3,"nested":{"name":"n"}}'),
        ("{{ tags | tojson }} {{ note | tojson }} {{ '<&>' }}", '["a","b"] null <&>'),
        (
            "{% for t in tags %}{{ loop.index }}{{ t }}{{ '' if loop.last else ',' }}{% endfor %}",
            "1a,2b",
        ),
        ("{% for k, v in meta | items if v is string %}{{ k }}={{ v }}{% endfor %}", "color=red"),
        ("{% if x is defined %}{{ x }}{% else %}none{% endif %} {{ x | default('d') }}", "none d"),
        ("{{ row['no such'] | default('-') }} {{ meta.a.b | default('?') }}", "- ?"),
        ("{% set t = title ~ '!' ~ count %}{{ t }} {{ t + '?' }}", "Lamp!7 Lamp!7?"),
        (
            "{{ count + 1 }} {{ count * 2 }} {{ count % 4 }} {{ -count }} {{ 2 ** 10 }}",
            "8 14 3 -7 1024",
        ),
        (
            "{{ title | upper | replace('A', 'aa') | lower }} {{ long | truncate(3) }}",
            "laamp xxx…",
        ),
        ("{{ title[:2] }} {{ title[-1] }} {{ title[::-1] }}", "La p pmaL"),
        ("{% raw %}{{ title }}{% endraw %} {# no #}{ }", "{{ title }} { }"),
        (
            "{{ 'Lamp' in title }} {{ title in ['Lamp', 'Oven'] }} {{ count > 3 }}",
            "true true true",
        ),
        (
            "{{ tags | map('x') | list | length if false else tags | sort(reverse=true) }}",
            '["b","a"]',
        ),
        ("{{ '7' | int + 1 }} {{ '1.5' | float }} {{ 2.567 | round(1) }}", "8 1.5 2.6"),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
    ],
)
def test_what_a_prompt_says(prompt, text):
    assert rendered(prompt) == text


def test_row_is_the_whole_row_even_where_a_column_has_this_name():
    assert rendered("{{ row.row }} {{ row.a }}", {"row": "r", "a": 1}) == "r 1"


# Nothing of Python, nothing that is no prompt: refused when the template is read.
FORBIDDEN = [
    ("{{ title.upper() }}", "nothing can be called"),
    ("{{ range(10) }}", "nothing can be called"),
    ("{{ title.format(title) }}", "nothing can be called"),
    ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "nothing can be called"),
    ("{{ cycler.__init__.__globals__.os.popen('id').read() }}", "nothing can be called"),
    ("{{ self.__init__ }}", "self means nothing here"),
    ("{{ '%s' | format(title) }}", 'there is no filter "format"'),
    ("{{ title | center(999999999) }}", 'there is no filter "center"'),
    ("{{ title | indent(999999999) }}", 'there is no filter "indent"'),
    ("{{ title | wordwrap(1, true, title) }}", 'there is no filter "wordwrap"'),
    ("{{ title | attr('__class__') }}", 'there is no filter "attr"'),
    ("{{ tags | map('upper') | batch(9) }}", 'there is no filter "batch"'),
    ("{% if '%99999999999d' is odd %}{% endif %}", 'there is no test "odd"'),
    ("{% if '%99999999999d' is divisibleby 3 %}{% endif %}", 'there is no test "divisibleby"'),
    ("{% macro m() %}{{ m() }}{% endmacro %}", "is nothing that a prompt can use"),
    ("{% call title() %}{% endcall %}", "is nothing that a prompt can use"),
    ("{% filter upper %}a{% endfilter %}", "is nothing that a prompt can use"),
    ("{% include '/etc/passwd' %}", "no other template can be used"),
    ("{% import 'a' as b %}", "no other template can be used"),
    ("{% from 'a' import b %}", "no other template can be used"),
    ("{% extends '/etc/passwd' %}", "no other template can be used"),
    ("{% block a %}{% endblock %}", "no other template can be used"),
    ("{% for t in tags recursive %}{{ t }}{% endfor %}", "a loop cannot be recursive"),
    ("{% set x %}{{ title }}{% endset %}", "{% set %} needs a value"),
    ("{% set a = [title, title] %}{% set a = [a, a] %}{{ a }}", "holds constants only"),
    ("{% set a = {'b': title} %}", "holds constants only"),
    ("{{ title, title }}", "holds constants only"),
    ("{{ tags | join(*tags) }}", "* and ** cannot be used"),
    ("{{ tags | join(**meta) }}", "* and ** cannot be used"),
    ("{% autoescape true %}{% endautoescape %}", "is nothing that a prompt can use"),
    ("{{ 1" + "0" * 5000 + " }}", "holds a number that is too large"),
    ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "is nested too deeply"),
    ("{{ " + "not " * 5000 + "1 }}", "is nested too deeply"),
    ("{{ title" + " ~ (title" * 3000 + ")" * 3000 + " }}", "is nested too deeply"),
    ("{% for t in tags %}" * 30 + "{% endfor %}" * 30, "is nested too deeply"),
    ("a{" * (LONGEST // 2) + "a", "characters at most"),
    ("{{ title", "is no template"),
    ("{% if %}", "is no template"),
    ("{% endfor %}", "is no template"),
    ("{% set loop = 1 %}{% for t in tags %}{{ loop.x }", "is no template"),
]


@pytest.mark.parametrize(("prompt", "reason"), FORBIDDEN, ids=range(len(FORBIDDEN)))
def test_what_no_prompt_needs_is_refused_before_there_is_a_row(prompt, reason):
    with pytest.raises(BadTemplateError, match=r"^prompt, line \d+: ") as refused:
        compile_prompt(prompt)

    assert reason in str(refused.value)
    assert len(str(refused.value)) < 500


def doubled(times):
    return "{% set a = long %}" + "{% set a = a ~ a %}" * times + "{{ a }}"


def loops(depth, over="long"):
    return f"{{% for c in {over} %}}" * depth + "{% endfor %}" * depth


TEXT, LOOP = "of text: make less", f"takes more than {TURNS:,} turns"
ENDLESS = [
    (doubled(40), TEXT),
    (doubled(40).replace("~", "+"), TEXT),
    ("{% for i in long %}{{ long }}{% endfor %}", TEXT),
    ("{% for i in long %}" + "a" * 1000 + "{% endfor %}", TEXT),
    ("{% for i in long %}{% set b = long[1:] %}{% endfor %}", TEXT),
    ("{% for i in tags | join(long) %}{% set b = long | upper %}{% endfor %}", LOOP),
    ("{% for i in long[:999] %}{% set b = long | upper %}{% endfor %}", TEXT),
    ("{% for i in long %}{% set b = long | truncate(99999) %}{% endfor %}", TEXT),
    ("{% for i in long %}{% set b = long ~ i %}{% endfor %}", TEXT),
    ("{{ long | replace('x', long) }}", TEXT),
    ("{{ long | join(long) }}", TEXT),
    ("{{ [1, 2, 3] | join(long) | list | join(long) }}", "takes more than"),
    ("{{ long | replace('x', 'xxxxxxxxxx') | replace('x', 'xxxxxxxxxxxxxxxxxx') }}", TEXT),
    (loops(2), LOOP),
    (loops(9), LOOP),
    (loops(19, "tags"), LOOP),
    (loops(1, "long * 2"), "* needs numbers; here is a text"),
    ("{% for i in long %}{% if long in long %}{% endif %}{% endfor %}", LOOP),
    ("{% for i in long %}{% if long == long ~ 'x' %}{% endif %}{% endfor %}", LOOP),
    ("{% for i in long %}{% if row == row %}{% endif %}{% endfor %}", LOOP),
    ("{% for i in long %}{% set s = long | sort %}{% endfor %}", LOOP),
    ("{% for i in long %}{% set s = long | reverse %}{% endfor %}", LOOP),
    ("{{ title * 999999999 }}", "* needs numbers; here is a text"),
    ("{{ 999999999 * title }}", "* needs numbers; here is a text"),
    ("{{ tags * 999999999 }}", "* needs numbers; here is a list"),
    ("{{ tags + tags }}", "+ needs numbers; here is a list"),
    ("{{ '%999999999d' % 1 }}", "% needs numbers; here is a text"),
    ("{{ 9 ** 9 ** 9 ** 9 }}", "** makes a number beyond 64 bits"),
    ("{{ 2 ** 65 }}", "takes the power 65: 64 is the most"),
    ("{{ 9999999999 ** 64 }}", "makes a number beyond 64 bits"),
    ("{{ 2 ** 63 * 2 }}", "makes a number beyond 64 bits"),
    ("{{ 1e308 * 10 }}", "makes a number beyond 64 bits"),
    ("{{ (0 - 8) ** 0.5 }}", "needs numbers"),
    (
        "{{ 2.5 | round(99999999999) | round(-99999999) }} {{ note | round }}",
        "round needs numbers",
    ),
    ("{{ long | int }}", "a number is needed; here is a long text"),
    ("{{ 'nan' | float }}", "beyond 64 bits"),
    ("{{ long | replace('', long) }}", "replace needs a text to look for"),
    ("{{ 1 / 0 }}", "division by zero"),
]


@pytest.mark.parametrize(("prompt", "reason"), ENDLESS, ids=range(len(ENDLESS)))
def test_no_rendering_is_without_end(prompt, reason):
    template = compile_prompt("\n" + prompt)

    with pytest.raises(RefusedError, match=r"^prompt, line 2: ") as refused:
        template.messages(ROW)

    assert reason in str(refused.value)
    assert len(str(refused.value)) < 300


# What looks like a way out of the row leads nowhere.
NOTHING = [
    "{{ title.__class__ }}",
    "{{ title['__class__'] }}",
    "{{ title.upper }}",
    "{{ tags.append }}",
    "{{ meta.keys }}",
    "{{ meta.__class__ }}",
    "{% set r = row %}{{ r.__init__ }}",
    "{% set r = row %}{{ r.get }}",
    "{{ count.real }}",
    "{% for t in tags %}{{ loop.__init__ }}{% endfor %}",
    "{% for t in tags %}{{ loop._iterable }}{% endfor %}",
    "{% for t in tags %}{{ loop.cycle }}{% endfor %}",
    "{{ tags | map('__class__') | join }}",
    "{{ tags | join(attribute='__class__') }}",
    "{{ missing.__class__ | default(meta.__class__) }}",
    "{{ tags[9] }}",
    "{{ note.color }}",
    "{{ title['\0budget'] }}",
]


@pytest.mark.parametrize("prompt", NOTHING)
def test_what_is_no_value_of_the_row_cannot_be_reached(prompt):
    with pytest.raises(
        RefusedError, match=r"line 1: .*(has no attribute|has no element|is undefined|None)"
    ):
        rendered(prompt, {**ROW, "missing": {}})


def test_a_loop_itself_is_no_value():
    with pytest.raises(RefusedError, match="writes something that is no value"):
        rendered("{% for t in tags %}{{ loop }}{% endfor %}")


def test_as_much_as_the_budget_allows_is_made():
    assert len(rendered("{{ a }}", {"a": "x" * MOST})) == MOST
    with pytest.raises(RefusedError, match="16 MiB of text"):
        rendered("{{ a }}!", {"a": "x" * MOST})
    assert rendered("{% for i in a %}.{% endfor %}", {"a": [0] * TURNS}) == "." * TURNS


SYNTAX = st.sampled_from(["{{", "}}", "{%", "%}", "{#", "#}", " title ", "7*7", "__class__", '"'])
HOSTILE = st.lists(SYNTAX | st.text(max_size=5), min_size=1).map("".join)


@given(HOSTILE)
def test_what_a_row_holds_comes_out_as_it_is(value):
    prompt = "<{{ title }}|{{ row['title'] }}|{{ title ~ '' }}|{{ tags[0] }}|{{ title[:] }}>"
    expected = "<" + "|".join([value] * 5) + ">"

    assert rendered(prompt, {"title": value, "tags": [value]}) == expected


@given(HOSTILE)
def test_no_value_breaks_the_messages(value):
    template = compile_messages(
        [{"role": "user", "content": [{"type": "text", "text": "{{ a }}."}]}], "{{ a }}"
    )

    system, user = orjson.loads(json.dumps(template.messages({"a": value}))) if value else (0, 0)

    if value:
        assert user["content"] == [{"type": "text", "text": value + "."}]
        assert system["content"] == value


@given(st.text(st.sampled_from("{}%#- a|.()[]'\n*~1"), max_size=30))
def test_any_text_is_a_template_or_one_sentence(source):
    try:
        said = rendered(source, {"a": "x"})
    except (BadTemplateError, RefusedError) as refused:
        said = str(refused) if str(refused).isprintable() else ""

    assert said


class TestColumns:
    @pytest.mark.parametrize(
        ("prompt", "columns"),
        [
            ("Hello", set()),
            ("{{ title }} {{ meta.color }}", {"title", "meta"}),
            (
                "{% for t in tags %}{{ t }}{{ other }}{{ loop.index }}{% endfor %}",
                {"tags", "other"},
            ),
            ("{% set a = title %}{{ a }}", {"title"}),
            ('{{ row["Unit price"] }}{{ row.title }}{{ row }}', {"Unit price", "title"}),
            ("{% if a is defined %}{{ a }}{% endif %}{{ b | default('') }}{{ c }}", {"c"}),
            ("{% for row in rows %}{{ row.x }}{% endfor %}", {"rows"}),
            ("{{ row['a'] is defined }}", set()),
        ],
    )
    def test_those_that_a_row_must_have(self, prompt, columns):
        assert compile_prompt(prompt).columns == columns

    def test_the_system_message_has_columns_too(self):
        assert compile_prompt("{{ a }}", "{{ b }}").columns == {"a", "b"}

    def test_one_that_is_not_there_is_named_with_those_that_are(self):
        template = compile_prompt("{{ titel }}")

        assert template.missing(["titel"]) is None
        assert template.missing(["title", "a b"]) == (
            'has no column "titel", which the prompt names; there are: "title", "a b"'
        )
        with pytest.raises(RefusedError, match='has no column "titel"'):
            template.messages({"title": "a"})

    def test_many_and_strange_names_stay_on_one_line(self):
        reason = compile_prompt("{{ x }}").missing([f"col\n{i}" for i in range(1000)])

        assert reason.isprintable()
        assert len(reason) < 600


class TestMessages:
    def test_texts_are_templates_and_the_rest_is_as_it_is(self):
        messages = [
            {"role": "system", "content": "Be {{ tone }}."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is {{ title }}?"},
                    {"type": "image_url", "image_url": {"url": "{{ url }}", "detail": "low"}},
                    {"n": 1, "x": None, "y": [True, 2.5]},
                ],
            },
        ]
        template = compile_messages(messages, "unused")

        made = template.messages({"tone": "brief", "title": 'a "quote"\n', "url": "https://x/1"})

        assert made == [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": 'What is a "quote"\n?'},
                    {"type": "image_url", "image_url": {"url": "https://x/1", "detail": "low"}},
                    {"n": 1, "x": None, "y": [True, 2.5]},
                ],
            },
        ]

    def test_an_error_names_the_message_and_the_line(self):
        with pytest.raises(
            BadTemplateError, match=r"^messages\[1\]\.content\[0\]\.text, line 2: "
        ):
            compile_messages(
                [{"role": "user"}, {"content": [{"text": "a\n{{ b() }}"}]}],
                None,
            )

    def test_the_system_message_comes_first_and_is_left_out_where_it_is_empty(self):
        template = compile_prompt("{{ a }}", "{{ b }}")

        assert template.messages({"a": "1", "b": "2"}) == [
            {"role": "system", "content": "2"},
            {"role": "user", "content": "1"},
        ]
        assert template.messages({"a": "1", "b": ""}) == [{"role": "user", "content": "1"}]

    @pytest.mark.parametrize("value", ["", " \n", None])
    def test_an_empty_prompt_is_no_prompt(self, value):
        with pytest.raises(RefusedError, match="makes an empty prompt"):
            compile_prompt("{{ a }}", "Be brief.").messages({"a": value})

    def test_a_picture_without_words_is_a_prompt(self):
        part = {"type": "image_url", "image_url": {"url": "{{ a }}"}}
        template = compile_messages([{"role": "user", "content": [part]}], None)

        assert template.messages({"a": "u"})[0]["content"][0]["image_url"] == {"url": "u"}
