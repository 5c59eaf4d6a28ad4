"""Which cases of a test are quick: of a product every value, though not every combination."""

from types import SimpleNamespace

from tests.conftest import once_each


class Case:
    def __init__(self, **params):
        self.callspec = SimpleNamespace(params=params)

    def __repr__(self):
        return str(self.callspec.params)


def values_of(cases, name):
    return [case.callspec.params[name] for case in cases]


def test_every_value_of_a_product_stands_in_as_few_cases_as_that_takes():
    cases = [Case(form=form, ties=ties) for form in ("a", "b", "c") for ties in (True, False)]
    chosen = once_each(cases)
    assert len(chosen) == 3
    assert sorted(values_of(chosen, "form")) == ["a", "b", "c"]
    assert set(values_of(chosen, "ties")) == {True, False}


def test_values_that_stand_in_one_combination_alone_keep_it():
    cases = [Case(a=1, b=1), Case(a=1, b=2), Case(a=2, b=2), Case(a=2, b=3)]
    chosen = once_each(cases)
    assert {1, 2} == set(values_of(chosen, "a"))
    assert {1, 2, 3} == set(values_of(chosen, "b"))
    assert all(case in cases for case in chosen)
