import logging
from dataclasses import replace
from fractions import Fraction

import pytest

from ultrarm_eval.benchmarks.benchmark import Benchmark, BenchmarkDocuments
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.records import PromptRecord, RatedCompletion
from ultrarm_eval.data.rows import ListedRows, Location
from ultrarm_eval.documents.document import Document
from ultrarm_eval.errors import ConfigurationError, DataError, PluginError
from ultrarm_eval.hookspecs import hookimpl
from ultrarm_eval.messages import as_messages
from ultrarm_eval.plugins import PluginRegistry, make_plugin_manager
from ultrarm_eval.sources.preference_data import PreferenceData, open_named_or_local, recognise
from ultrarm_eval.sources.source import PairSource
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.template_lookup import get_template

KNOWN = {"ultrarm", "auto", "critique", "dpo", "eurus", "likelihood", "sequence-classification"}
OURS = set(PluginRegistry(make_plugin_manager(load_entry_points=False)).judges)


@pytest.fixture
def manager():
    return make_plugin_manager(load_entry_points=False)


def a_source(name):
    return PairSource(name, "x, y", lambda columns: "x" in columns, lambda *_: None)


def test_our_own_judges_and_sources_come_through_the_hooks(manager):
    registry = PluginRegistry(manager)
    assert set(registry.judges) > KNOWN
    assert set(registry.pair_sources) == {"pairs", "binarized", "ultrafeedback", "demo"}
    assert {"rewardbench", "rm_bench", "llmbar", "ultrarm_paper_shp"} <= set(registry.benchmarks)
    assert {"ultrarm", "rewardbench", "raw"} <= set(registry.templates)
    for kind in (registry.judges, registry.benchmarks, registry.templates):
        assert {one.plugin for one in kind.values()} == {"ultrarm_eval"}


def test_a_plugin_adds_a_judge_and_a_source_that_is_asked_first(manager):
    class Plugin:
        @hookimpl
        def register_judges(self, register):
            register("length", dict)

        @hookimpl
        def register_pair_sources(self, register):
            register(a_source("mine"))

    manager.register(Plugin(), name="third-party")
    registry = PluginRegistry(manager)
    assert registry.judge("length") is dict
    assert registry.judges["length"].plugin == "third-party"
    assert registry.sources()[0].name == "mine"


def test_a_name_that_is_taken_is_refused_by_name(manager, caplog):
    class Plugin:
        @hookimpl
        def register_judges(self, register):
            register("ultrarm", dict)

    manager.register(Plugin(), name="imposter")
    with caplog.at_level(logging.WARNING):
        registry = PluginRegistry(manager)
    assert registry.judges["ultrarm"].plugin == "ultrarm_eval"
    assert "'imposter' registers the judge 'ultrarm', which plugin 'ultrarm_eval'" in caplog.text


def test_a_plugin_that_fails_is_reported_and_harms_no_other(manager, caplog):
    class Broken:
        @hookimpl
        def register_judges(self, register):
            raise RuntimeError("out of order")

    class Fine:
        @hookimpl
        def register_judges(self, register):
            register("fine", dict)

    manager.register(Broken(), name="broken")
    manager.register(Fine(), name="fine")
    with caplog.at_level(logging.WARNING):
        assert set(PluginRegistry(manager).judges) == {*OURS, "fine"}
    assert "Plugin 'broken' is skipped" in caplog.text
    assert "out of order" in caplog.text


def test_an_unknown_judge_names_those_there_are(manager):
    with pytest.raises(ConfigurationError, match="Choose one of: armorm.*, ultrarm"):
        PluginRegistry(manager).judge("nobody")


def test_a_factory_that_is_none_is_refused(manager, monkeypatch):
    from ultrarm_eval import builtin_plugin

    manager.unregister(builtin_plugin)

    class Own:
        @hookimpl
        def register_judges(self, register):
            register("nothing", None)

    manager.register(Own(), name="ultrarm_eval")
    with pytest.raises(PluginError, match="needs a factory"):
        PluginRegistry(manager)


@pytest.mark.parametrize("name", [None, 3, ""])
def test_a_judge_needs_a_name(manager, caplog, name):
    register_one(manager, "register_judges", name, dict)
    assert set(PluginRegistry(manager).judges) == OURS
    assert (
        f"Plugin 'third-party': a judge's name must be a non-empty string, not {name!r}"
        in caplog.text
    )


@pytest.mark.parametrize("path", ["module", ":object", "module:", "a b:c", "a:b:c", "a..b:c"])
def test_a_path_to_a_factory_has_two_parts(manager, caplog, path):
    register_one(manager, "register_judges", "mine", path)
    assert set(PluginRegistry(manager).judges) == OURS
    assert f"judge 'mine' needs a factory or its path 'module:object', not {path!r}" in caplog.text


def register_one(manager, hook, *given):
    plugin = type("Plugin", (), {hook: hookimpl(lambda self, register: register(*given))})
    getattr(plugin, hook).__name__ = hook
    manager.register(plugin(), name="third-party")


QUESTION = as_messages("q")


def a_record(ratings=(Fraction(1), Fraction(0)), texts=("a", "b"), prompt=QUESTION):
    return PromptRecord(
        prompt,
        tuple(RatedCompletion(text, {"score": r}) for text, r in zip(texts, ratings, strict=True)),
    )


def gives(value):
    return lambda row, where, counts: value


def raises(error):
    def fail(*_):
        raise error

    return fail


WHERE = Location("data.jsonl", 4, 5)
WHO = r"Pair source 'mine' \(plugin 'third-party'\)"


@pytest.mark.parametrize(
    ("read_row", "message"),
    [
        (raises(IndexError("no completions")), f"{WHO} fails on this row: IndexError: no comp"),
        (raises(KeyError("x")), f"{WHO} fails on this row: KeyError: 'x'"),
        (gives("text"), f"{WHO} returned a str for this row"),
        (gives(a_record(texts=("a", None))), "whose text is of type NoneType"),
        (gives(a_record(ratings=(Fraction(1), float("nan")))), "the rating score=nan for this row"),
        (gives(a_record(ratings=("5", "1"))), "the rating score='5' for this row"),
        (gives(a_record(ratings=(True, False))), "the rating score=True"),
        (gives(a_record(prompt=({"role": "user"},))), "without role and content"),
        (gives(PromptRecord((), ("a", "b"))), "a completion of type str"),
        (
            gives(PromptRecord((), (RatedCompletion("a", {"votes": Fraction(1)}),))),
            "a rating 'votes' for this row, but its preferences are score",
        ),
    ],
)
def test_a_source_that_makes_no_record_of_a_row_is_named_with_the_row(manager, read_row, message):
    source = PairSource("mine", "x, y", lambda columns: "x" in columns, read_row)
    register_one(manager, "register_pair_sources", source)
    found = PluginRegistry(manager).pair_sources["mine"].item
    data = PreferenceData(ListedRows([{"x": 1}] * 5, "data.jsonl"), found)
    with pytest.raises(DataError, match=rf"data.jsonl, row 4: .*{message}"):
        data.record(4, {"x": 1}, DataCounts())


def test_a_field_that_a_row_lacks_is_still_said_so(manager):
    source = PairSource("mine", "x, y", lambda columns: "x" in columns, raises(KeyError("y")))
    register_one(manager, "register_pair_sources", source)
    data = PreferenceData(
        ListedRows([{"x": 1}], "d"), PluginRegistry(manager).pair_sources["mine"].item
    )
    with pytest.raises(DataError, match="field 'y' is missing. Rows of this schema have x, y"):
        data.record(0, {"x": 1}, DataCounts())


def test_a_sound_record_goes_through_and_whole_numbers_are_ratings(manager):
    record = a_record(ratings=(2, 1))
    source = PairSource("mine", "x", lambda columns: True, gives(record))
    register_one(manager, "register_pair_sources", source)
    found = PluginRegistry(manager).pair_sources["mine"].item
    assert found.read_row({}, WHERE, DataCounts()) == record
    assert replace(found, recognises=source.recognises, read_row=source.read_row) == source


def test_a_source_that_fails_at_the_columns_or_its_data_is_named(manager):
    source = PairSource(
        "mine", "x", raises(TypeError("bad")), gives(None), open_rows=raises(OSError("gone"))
    )
    register_one(manager, "register_pair_sources", source)
    sources = PluginRegistry(manager).sources()
    with pytest.raises(
        DataError, match=rf"{WHO}: recognises\(\) fails on the columns x: TypeError: bad"
    ):
        recognise(ListedRows([{"x": 1}], "data"), sources)
    with pytest.raises(DataError, match=rf"{WHO} cannot open its data: OSError: gone"):
        open_named_or_local("mine", "test", sources)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("text", "a pair source must be an ultrarm_eval.PairSource, not a value of type str"),
        (PairSource(3, "x", bool, gives(None)), "its name must be a non-empty string"),
        (PairSource("mine", "x", None, gives(None)), "recognises must be a function"),
        (PairSource("mine", "x", bool, "read"), "read_row must be a function"),
        (PairSource("mine", "x", bool, gives(None), open_rows=[1]), "open_rows must be"),
        (PairSource("mine", "x", bool, gives(None), preferences=()), "preferences is empty"),
    ],
)
def test_what_is_no_pair_source_is_left_out_and_named(manager, caplog, source, message):
    register_one(manager, "register_pair_sources", source)
    assert "mine" not in PluginRegistry(manager).pair_sources
    assert message in caplog.text


def test_the_table_of_plugins_says_which_factory_cannot_be_imported(monkeypatch):
    from ultrarm_eval.cli import plugin_table

    manager = make_plugin_manager(load_entry_points=False)
    register_one(manager, "register_judges", "mine", "no_such_module_here:Judge")
    registry = PluginRegistry(manager)
    monkeypatch.setattr(plugin_table, "registry", lambda: registry)
    rows = {row[1]: row[-1] for row in plugin_table.registered_here()}
    assert rows["mine"].startswith("broken: its factory 'no_such_module_here:Judge' cannot be")
    assert {rows[name] for name in OURS} == {"ok"}


@pytest.mark.parametrize("kind", ["benchmark", "template"])
def test_what_is_no_benchmark_or_template_is_left_out_and_named(manager, caplog, kind):
    register_one(manager, f"register_{kind}s", PairSource("mine", "x", bool, gives(None)))
    assert "mine" not in getattr(PluginRegistry(manager), f"{kind}s")
    assert f"plugin 'third-party': a {kind} must be an ultrarm_eval." in caplog.text
    assert "not a value of type PairSource" in caplog.text


@pytest.mark.parametrize("name", [3, ""])
def test_a_benchmark_needs_a_name(manager, caplog, name):
    benchmark = Benchmark(name, "x", gives(None), None, "half")
    register_one(manager, "register_benchmarks", benchmark)
    assert name not in PluginRegistry(manager).benchmarks
    said = f"Benchmark {name!r} (plugin 'third-party'): its name must be a non-empty string."
    assert said in caplog.text


@pytest.mark.parametrize(
    ("read_row", "message"),
    [
        (raises(KeyError("sum")), "fails on this row: KeyError: 'sum'"),
        (gives({"prompt": "x"}), "returned no Document with correct and incorrect completions"),
        (
            gives(Document((), ("a", "b"), correct=2)),
            "returned no Document with correct and incorrect",
        ),
    ],
)
def test_a_benchmark_that_makes_no_document_of_a_row_is_named_with_the_row(
    manager, read_row, message
):
    register_one(manager, "register_benchmarks", Benchmark("mine", "x", read_row, None, "half"))
    rows = ListedRows([{"x": 1}], "data.jsonl")
    found = PluginRegistry(manager).benchmark("mine")
    named = rf"data.jsonl, row 0: Benchmark 'mine' \(plugin 'third-party'\) {message}"
    with pytest.raises(DataError, match=named):
        BenchmarkDocuments(rows, found)


@pytest.mark.parametrize(
    ("render", "message"),
    [
        (raises(KeyError("sum")), "failed: KeyError: 'sum'"),
        (raises(ConfigurationError("No tools here.")), "No tools here"),
        (lambda *_: None, "returned a value of type NoneType"),
    ],
)
def test_a_template_that_writes_no_text_is_named(manager, render, message):
    register_one(manager, "register_templates", Template("mine", render))
    found = PluginRegistry(manager).templates["mine"].item
    by = "" if message.startswith("No") else r"The template 'mine' \(plugin 'third-party'\) "
    with pytest.raises(ConfigurationError, match=f"^{by}{message}"):
        found.render(as_messages("x"), "y")


def test_the_tokenizers_template_is_nobody_elses(manager, caplog):
    register_one(manager, "register_templates", Template("chat", gives("x")))
    assert "chat" not in PluginRegistry(manager).templates
    assert "template=chat is reserved" in caplog.text


def test_a_template_of_another_package_is_used_by_its_name(manager, monkeypatch):
    register_one(manager, "register_templates", Template("qa", lambda *_: "Q and A"))
    registry = PluginRegistry(manager)
    monkeypatch.setattr("ultrarm_eval.text_format.template_lookup.registry", lambda: registry)
    assert get_template("qa").render(as_messages("x"), "y") == "Q and A"
    with pytest.raises(ConfigurationError, match="qa"):
        get_template("nobody's")
