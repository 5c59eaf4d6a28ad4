"""Adds two things to the standard build; everything else is declared in pyproject.toml.

- The .pth file at the root of site-packages. Released versions of lm-eval do not discover entry
  points, so the package has to be found when the interpreter starts (see
  `ultrarm_eval/_startup.py`).
- The README as the long description. A package index shows it outside the repository, where
  relative links lead nowhere, so they become links into the repository at the release's tag.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PTH = Path("ultrarm_eval_bridge.pth")
# What is code in Markdown: fenced blocks and spans. Nothing in it is a link.
_CODE = re.compile(r"(^ *```.*?^ *```|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
# The target of a relative link stands after the part that names it: neither a scheme nor an anchor.
_RELATIVE = r"(?![a-z][a-z+.-]*:|#|/)(?:\./)?(?P<target>[^)\s\"'>]+)"
_PICTURE = re.compile(rf"(?P<before>!\[[^\]]*\]\(|\bsrc(?:set)?=[\"']){_RELATIVE}")
_LINK = re.compile(rf"(?P<before>\]\(|^\[[^\]]+\]: +|\bhref=[\"']){_RELATIVE}", re.MULTILINE)


class BuildWithPth(build_py):
    """Puts the .pth file beside the package, where a wheel's root is."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            shutil.copyfile(PTH, Path(self.build_lib) / PTH.name)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        outputs: list[str] = super().get_outputs(include_bytecode)
        if not self.editable_mode:
            outputs.append(str(Path(self.build_lib) / PTH.name))
        return outputs


class EditableWheelWithPth(editable_wheel):
    """Adds the .pth file to the finished editable wheel, which takes no files from build_py."""

    def run(self) -> None:
        super().run()
        wheels = list(Path(self.dist_dir).glob("*editable*.whl"))
        if not wheels:
            raise RuntimeError(f"No editable wheel was made in {self.dist_dir}.")
        for wheel in wheels:
            _add_to_wheel(wheel, PTH)


def _add_to_wheel(wheel: Path, added: Path) -> None:
    """Writes a wheel again with one more file at its root, and its line in RECORD."""
    with zipfile.ZipFile(wheel) as source:
        entries = [(info, source.read(info)) for info in source.infolist()]
    if any(info.filename == added.name for info, _ in entries):
        return
    content = added.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr(added.name, content)
        for info, data in entries:
            if info.filename.endswith(".dist-info/RECORD"):
                rows = [*csv.reader(io.StringIO(data.decode()))]
                rows.append([added.name, f"sha256={digest}", str(len(content))])
                text = io.StringIO()
                csv.writer(text, lineterminator="\n").writerows(rows)
                data = text.getvalue().encode()
            target.writestr(info, data)


def long_description(readme: str, project: dict[str, Any]) -> str:
    """The README for a package index.

    Args:
        readme: The README, in Markdown.
        project: The table `project` of pyproject.toml.

    Returns:
        The same with absolute targets of relative links: pictures as files, everything else, with
        its anchor, as the repository shows it.
    """
    repository, tag = project["urls"]["Repository"], f"v{project['version']}"
    pieces = _CODE.split(readme)
    for place in range(0, len(pieces), 2):  # the code stands between them
        text = _PICTURE.sub(rf"\g<before>{repository}/raw/{tag}/\g<target>", pieces[place])
        pieces[place] = _LINK.sub(rf"\g<before>{repository}/blob/{tag}/\g<target>", text)
    return "".join(pieces)


if __name__ == "__main__":
    declared = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    setup(
        long_description=long_description(Path("README.md").read_text(encoding="utf-8"), declared),
        long_description_content_type="text/markdown",
        cmdclass={"build_py": BuildWithPth, "editable_wheel": EditableWheelWithPth},
    )
