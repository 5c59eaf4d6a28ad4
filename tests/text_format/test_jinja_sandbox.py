"""Templates that would run for ever or fill the memory, and ordinary ones as transformers' own."""

import pytest

from tests.chatml import (
    CHATML,
    REASONING_REWRITTEN,
    USER_AND_ASSISTANT_IN_TURN,
    WITHOUT_REASONING,
    chatml_tokenizer,
)
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.text_format import template_budget
from ultrarm_eval.text_format.jinja_sandbox import chat_environment, file_environment
from ultrarm_eval.text_format.template_budget import TemplateLimitError
from ultrarm_eval.text_format.template_lookup import get_template

TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
GROWING = "{% set ns = namespace(x=START) %}{% for i in range(99) %}GROW{% endfor %}{{ ns.x }}"


def growing(start, grow):
    return GROWING.replace("START", start).replace("GROW", grow)


ENDLESS = {
    "nested loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}"
    "{% endfor %}",
    "turns that a condition leaves out": "{% for i in range(99999) %}"
    "{% for j in range(99999) if false %}{% endfor %}{% endfor %}",
    "lists in loops": "{% for i in range(99999) %}{{ range(99999) | sum }}{% endfor %}",
    "a macro that calls itself twice": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}"
    "{% endif %}{% endmacro %}{{ f(90) }}",
    "a loop that calls itself": "{% for i in [1, 2] recursive %}"
    "{{ loop([1, 2]) if loop.depth < 60 }}{% endfor %}",
    "a long text, often": "{% set a = 'a' * 1000000 %}{% for i in range(99999) %}{{ a }}"
    "{% endfor %}",
    "a doubled text": growing("'a'", "{% set ns.x = ns.x + ns.x %}"),
    "a doubled text by ~": growing("'a'", "{% set ns.x = ns.x ~ ns.x %}"),
    "a doubled text in a block": growing("'a'", "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"),
    "a doubled list": growing("[1]", "{% set ns.x = ns.x + ns.x %}"),
    "lists in a list": growing("[1]", "{% set ns.x = [ns.x, ns.x] %}"),
    "dictionaries in a dictionary": growing("1", "{% set ns.x = {'a': [ns.x, ns.x]} %}"),
    "a squared number": growing("3", "{% set ns.x = ns.x * ns.x %}"),
    "a repeated text": "{{ 'a' * 10 ** 10 }}",
    "a repeated list": "{% set n = 10 ** 10 %}{{ ([0] * n) | length }}",
    "a power": "{% set n = 10 ** 9 %}{{ 10 ** n }}",
    "a wide filter": "{{ 'a' | center(10 ** 10) }}",
    "a wide method": "{{ 'a'.ljust(10 ** 10) }}",
    "a wide format": "{{ '%10000000000d' % 1 }}",
    "a wide format method": "{{ '{:{}}'.format(1, 10 ** 10) }}",
    "many words": "{{ lipsum(n=10 ** 8) }}",
    "a replaced text": "{% set a = 'a' * 1000000 %}{{ a.replace('a', a) }}",
    "a joined text": "{% set a = 'a' * 1000000 %}{{ a.join(['b'] * 9999) }}",
}


@pytest.fixture(params=["a tenth", pytest.param("all", marks=pytest.mark.slow)])
def _work(request, monkeypatch):
    """How much of the work that a template may do it may do here."""
    if request.param == "a tenth":
        monkeypatch.setattr(template_budget, "_STEPS", template_budget._STEPS // 10)
        monkeypatch.setattr(template_budget, "_SECONDS", template_budget._SECONDS / 10)


@pytest.mark.usefixtures("_work")
@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS.keys())
def test_a_template_that_does_too_much_is_an_error(source):
    for environment in (file_environment(), chat_environment()):
        with pytest.raises(TemplateLimitError, match="too much work for one conversation"):
            environment.template(source)({"messages": TURNS})


def test_a_budget_is_of_one_rendering(monkeypatch):
    monkeypatch.setattr(template_budget, "_STEPS", template_budget._STEPS // 10)
    render = file_environment().template("{% for i in range(9000) %}{{ i }}{% endfor %}")
    assert len({render({"messages": TURNS}) for _ in range(12)}) == 1


@pytest.mark.slow
def test_a_long_conversation_has_a_larger_budget():
    """Templates that look at all turns for each turn are slow and not endless."""
    source = (
        "{% for m in messages %}{% for n in messages %}{% if n is string %}x{% endif %}"
        "{% endfor %}{{ m.content | trim }}{% endfor %}"
    )
    turns = [{"role": "user", "content": "word " * 200} for _ in range(900)]
    written = chat_environment().template(source)({"messages": turns})
    assert written == ("word " * 200).strip() * 900


@pytest.mark.few(1)
@pytest.mark.parametrize("template", ["chat", "file"])
def test_the_error_of_an_endless_template_says_which_it_is(tmp_path, template):
    source = ENDLESS["nested loops"] + "{{ messages[-1].content }}"
    if template == "chat":
        used, name = get_template("chat", chatml_tokenizer(source)), "The tokenizer's chat template"
    else:
        file = tmp_path / "mine.jinja"
        file.write_text(source)
        used, name = get_template(str(file), chatml_tokenizer()), "mine.jinja"
    with pytest.raises(ConfigurationError, match=f"{name} cannot be used.*nested loops"):
        used.render(TURNS[:1], "a")


@pytest.mark.parametrize(
    "source", ["{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "{% for %}", "{{ f( }}"]
)
def test_what_is_no_template_is_our_error(tmp_path, source):
    file = tmp_path / "mine.jinja"
    file.write_text(source)
    with pytest.raises(ConfigurationError, match=r"mine\.jinja cannot be read"):
        get_template(str(file), chatml_tokenizer())


CHATS = {
    "chatml": CHATML,
    "without reasoning": WITHOUT_REASONING,
    "reasoning rewritten": REASONING_REWRITTEN,
    "in turn": USER_AND_ASSISTANT_IN_TURN,
    "generation": "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}\n"
    "{% if loop.index > 1 %}{% break %}{% endif %}{% endfor %}",
    "json": "{{ messages | tojson }}{{ messages | tojson(indent=2) }}",
    "tokens": "{{ eos_token }}{{ pad_token }}{{ bos_token }}{{ tools is none }}"
    "{{ documents is none }}{{ add_generation_prompt }}",
    "loops": "{% for m in messages %}{{ loop.index }}{{ loop.last }}{{ loop.length }}"
    "{{ loop.revindex0 }}{{ loop.cycle('a', 'b') }}{{ loop.changed(m.role) }}{% else %}none"
    "{% endfor %}",
    "conditions": "{% for m in messages if m.role == 'user' %}{{ loop.length }}{{ m.content }}"
    "{% endfor %}{{ messages | selectattr('role', 'equalto', 'user') | list | length }}",
    "macros": "{% macro turn(m, end='') %}[{{ m.content }}]{{ caller() if caller }}{{ end }}"
    "{% endmacro %}{% call turn(messages[0]) %}<b>{% endcall %}{{ turn(messages[-1], '!') }}",
    "blocks": "{% set x %}{{ messages[0].content }}{% endset %}{% set y | upper %}a{{ x }}"
    "{% endset %}{% filter upper %}b{{ x }}{% endfilter %}{{ x ~ y }}",
    "namespaces": "{% set ns = namespace(n=0, self='s') %}{% for m in messages %}"
    "{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}{{ ns.self }}{{ dict(a=1).a }}",
    "formats": "{{ '%s: %5d' % ('a', 7) }}{{ '{:>5}'.format('b') }}{{ '%s' | format(99999999) }}"
    "{{ '100% **{}**: 1234567'.format('b') }}{{ '100%% **%s**: 1234567' % 'b' }}"
    "{{ 'a' * 3 }}{{ [1] + [2] }}{{ 2 ** 10 }}{{ 'x' | center(9) }}{{ ['a', 'b'] | join(', ') }}",
    "texts": "{{ messages[0].content.replace('q', 'r') | trim | indent(2) }}"
    "{{ messages[0]['content'].split('x')[-1] }}{{ not_there }}{{ messages[::-1][0].role }}",
}


@pytest.mark.parametrize("source", CHATS.values(), ids=CHATS.keys())
def test_a_chat_template_is_rendered_as_transformers_does(source):
    tokenizer = chatml_tokenizer(source)
    render = get_template("chat", tokenizer).render
    for content in ("q", " {% not a tag %} 'é' <b>\n", "<think>\nx\n</think>\n\ny"):
        turns = [{"role": "user", "content": content}]
        conversation = [*turns, {"role": "assistant", "content": content}]
        expected = tokenizer.apply_chat_template(conversation, tokenize=False)
        assert render(turns, content) == expected


def test_of_several_chat_templates_the_default_is_taken():
    tokenizer = chatml_tokenizer({"default": CHATML, "tool_use": "x"})
    assert get_template("chat", tokenizer).render(TURNS[:1], "a").endswith("\na<|im_end|>\n")
    with pytest.raises(ConfigurationError, match="cannot be used: .*no default"):
        get_template("chat", chatml_tokenizer({"rag": "x", "tool_use": "x"}))
