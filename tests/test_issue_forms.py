"""The forms for issues have what GitHub asks of them, and ask for what a report needs."""

from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[1] / ".github" / "ISSUE_TEMPLATE"
if not FOLDER.is_dir():
    pytest.skip("an sdist has no forms for issues", allow_module_level=True)
FORMS = sorted(path for path in FOLDER.glob("*.yml") if path.name != "config.yml")
TYPES = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_is_one_that_github_shows(path):
    form = read(path)
    fields = [one for one in form["body"] if one["type"] != "markdown"]

    assert set(form) == {"name", "description", "labels", "body"}
    assert {one["type"] for one in form["body"]} <= TYPES
    assert all(one["attributes"]["label"] for one in fields)
    assert len({one["id"] for one in fields}) == len(fields)
    # Without a field that is required, GitHub takes an empty report.
    assert any(one.get("validations", {}).get("required") for one in fields)


@pytest.mark.parametrize("name", ["bug", "wrong-number"])
def test_a_report_has_versions_and_the_command(name):
    fields = {one["id"]: one for one in read(FOLDER / f"{name}.yml")["body"] if "id" in one}

    for field in ("command", "versions"):
        assert fields[field]["validations"] == {"required": True}
    assert "`ultrarm-eval plugins`" in fields["versions"]["attributes"]["description"]


def test_every_form_has_a_name_of_its_own():
    assert len({read(path)["name"] for path in FORMS}) == len(FORMS) == 3


def test_the_documentation_is_where_the_metadata_say():
    (pages, _) = read(FOLDER / "config.yml")["contact_links"]
    description = (FOLDER.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert f'Documentation = "{pages["url"]}"' in description
