"""The wheel, not the tree: what is installed elsewhere has its commands, SQL, prompts, samples, recipes and pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

_LOOK_ROUND = """
import json, pathlib, sys
import pitchpipe.store, pitchpipe.studio, pitchpipe.prompts.library as library
from pitchpipe.store.migrate import load_migrations
from pitchpipe.training.plans.plan_files import load_recipe
from importlib.resources import files
studio = pathlib.Path(pitchpipe.studio.__path__[0])
print(json.dumps({
    "home": pitchpipe.store.__path__[0],
    "migrations": [m.name for m in load_migrations()],
    "prompts": library.list_prompts(),
    "recipes": [load_recipe(method).method for method in ("sft", "dpo")],
    "samples": sorted(p.name for p in files("pitchpipe.sample_data").iterdir()),
    "pages": sorted(p.name for p in (studio / "app_pages").glob("*.py")),
    "form": sorted(p.name for p in (studio / "answer_form").iterdir()),
    "theme": (studio / ".streamlit" / "config.toml").exists(),
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # built from a copy, so that no build folder is left in the tree
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in tracked.decode().split("\0"):
        if name and not name.startswith(("tests/", ".dev/")) and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    return next(folder.glob("pitchpipe-*.whl"))


def test_an_installed_wheel_finds_everything_it_needs(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    # Ahead of the tree on the path, and run elsewhere, so that only the wheel's own files can be found.
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    told = subprocess.run(
        [sys.executable, "-c", _LOOK_ROUND], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    found = json.loads(told.stdout)
    assert found["home"] == str(tmp_path / "site" / "pitchpipe" / "store")
    assert found["migrations"][0] == "0001_initial.sql"
    assert {"helpfulness", "preference"} <= set(found["prompts"]["rubrics"])
    assert found["recipes"] == ["sft", "dpo"]
    assert {"helpdesk.jsonl", "helpdesk.map.toml", "style.toml"} <= set(found["samples"])
    assert {"home.py", "annotate.py", "people.py"} <= set(found["pages"])
    assert {"form.js", "form.css", "form.html"} <= set(found["form"])
    assert found["theme"]


def test_the_command_of_an_installed_wheel_answers(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        names = archive.namelist()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-m", "pitchpipe.studio", "--help"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "snapshot" in done.stdout
    assert not [name for name in names if name.startswith(("tests", "store/", "studio/"))]


def test_every_file_of_a_package_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    wanted = {
        f"pitchpipe/{name}" for name in tracked if name.startswith(("store/", "studio/", "training/", "prompts/"))
    }
    assert wanted - inside == set()
