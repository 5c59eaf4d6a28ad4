"""Adds one thing to the standard build: the .pth file at the root of site-packages.

Released lm-eval discovers no entry points, so the package has to be found at interpreter start
(see `ultrarm_eval/_startup.py`). Everything else stands in pyproject.toml.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import shutil
import zipfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

PTH = Path("ultrarm_eval_bridge.pth")


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


setup(cmdclass={"build_py": BuildWithPth, "editable_wheel": EditableWheelWithPth})
