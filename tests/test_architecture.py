"""The table of DESIGN section 2, enforced: who may import whom, and who owns which package."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("prompts", "store", "training", "studio")

OWNED = {
    "duckdb": "store", "jinja2": "prompts", "torch": "training", "transformers": "training", "trl": "training",
    "peft": "training", "datasets": "training", "accelerate": "training", "streamlit": "studio", "fastapi": "studio",
    "typer": "studio",
}  # fmt: skip

# A name without a dot allows the whole package; with one, that module alone. Of training the studio may import only
# what loads no torch, which a test of its own asks.
ALLOWED = {
    "prompts": {"prompts"},
    "store": {"store"},
    "training": {"training", "prompts", "store.records", "store.errors", "store.identity"},
    "studio": {"studio", "store", "prompts", "training", "sample_data"},
}


def list_modules(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def list_imports(path: Path) -> Iterator[tuple[str, int]]:
    """Imported module names with their lines; relative imports are given as they stand, with dots."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            # `from pitchpipe import store` names the package only in its second half.
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "pitchpipe" else [module]
            yield from ((name, node.lineno) for name in names)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_package_imports_only_what_its_row_of_the_table_allows(folder: str) -> None:
    strays = []
    for path in list_modules(folder):
        for name, line in list_imports(path):
            if name.startswith("pitchpipe."):
                inner = name.removeprefix("pitchpipe.")
                allowed = ALLOWED[folder]
                if inner.split(".")[0] not in allowed and ".".join(inner.split(".")[:2]) not in allowed:
                    strays.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert strays == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_third_party_package_is_imported_only_by_its_owner(folder: str) -> None:
    strays = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in list_modules(folder)
        for name, line in list_imports(path)
        if OWNED.get(name.split(".")[0], folder) != folder
    ]
    assert strays == []


def test_our_folders_are_never_imported_by_their_bare_names() -> None:
    strays = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for folder in (*FOLDERS, "tests")
        for path in list_modules(folder)
        for name, line in list_imports(path)
        if name.split(".")[0] in FOLDERS
    ]
    assert strays == []
    assert "store" not in sys.modules


def test_what_the_studio_takes_from_training_loads_no_torch() -> None:
    taken = {
        name
        for path in list_modules("studio")
        for name, _ in list_imports(path)
        if name.startswith("pitchpipe.training")
    }
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    heavy = sorted({'torch', 'transformers', 'trl', 'datasets', 'peft'} & set(sys.modules))\n"
        "    if heavy: sys.exit(f'{name} loads {heavy}')"
    )
    done = subprocess.run([sys.executable, "-c", program, *sorted(taken)], check=False, capture_output=True, text=True)
    assert taken
    assert done.returncode == 0, done.stderr


def test_the_command_line_loads_neither_torch_nor_streamlit_nor_duckdb_before_it_must() -> None:
    program = (
        "import sys, pitchpipe.studio.cli\n"
        "heavy = [name for name in ('torch', 'streamlit', 'duckdb', 'polars', 'pandas') if name in sys.modules]\n"
        "print(heavy); sys.exit(bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_sql_stands_nowhere_but_in_the_store() -> None:
    strays = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("prompts", "training", "studio")
        for path in list_modules(folder)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.lstrip().startswith(("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE "))
    ]
    assert strays == []


def test_every_package_on_disk_is_in_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    on_disk = {
        "pitchpipe." + ".".join(path.parent.relative_to(ROOT).parts)
        for folder in (*FOLDERS, "sample_data")
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert on_disk == set(settings["packages"])


def test_no_query_counts_over_a_whole_result_with_a_window() -> None:
    """`count(*) OVER ()` fails at random in DuckDB 1.5.5 and takes the open database with it (duckdb#22846, #25713)."""
    files = [*(ROOT / "store").rglob("*.py"), *(ROOT / "store").rglob("*.sql")]
    assert [str(path.relative_to(ROOT)) for path in files if "OVER ()" in path.read_text(encoding="utf-8")] == []


def test_every_file_that_the_docs_name_is_there() -> None:
    named = re.compile(r"`((?:prompts|store|training|studio|tests|sample_data|docs)/[\w./-]+\.\w+)`")
    texts = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
    missing = [
        f"{text.name}: {path}"
        for text in texts
        for path in named.findall(text.read_text(encoding="utf-8"))
        if not (ROOT / path).exists()
    ]
    assert missing == []
