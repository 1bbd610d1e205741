"""What all tests share: real stores in temporary folders, and builders that state only what matters."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project
from tests.postgres import PostgresMissingError, PostgresServer, start_server
from tests.tiny_model import build_tiny_model

PROJECT_ROOT = Path(__file__).resolve().parents[1]


def pytest_report_header() -> str:
    names = ("duckdb", "streamlit", "torch", "transformers", "trl", "polars")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


@pytest.fixture
def home() -> str:
    """Where the tables of `store` live; the contract tests ask for both homes by overriding this."""
    return "file"


@pytest.fixture
def store(tmp_path: Path, home: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store, closed at the end."""
    database = request.getfixturevalue("postgres_database") if home == "postgres" else None
    opened = open_store(tmp_path / "workspace", database)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL cluster of our own on a free port, stopped at the end; skips where there is none."""
    try:
        server = start_server()
    except PostgresMissingError as missing:
        pytest.skip(reason=str(missing))
    yield server
    server.stop()


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> str:
    """The connection string of a new, empty database."""
    return postgres_server.create_database()


@pytest.fixture
def write_lines(tmp_path: Path) -> Callable[[str, list[str]], Path]:
    """Writes lines to a file of that name and returns its path."""

    def write(name: str, lines: list[str]) -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def compare_store(store: Store, tmp_path: Path) -> Store:
    """A project `p` with ten compare tasks at overlap 2, no dwell, nothing judged, nothing sealed."""
    create_project(store, "p", overlap=2, holdout_share=0.0, minimum_dwell_ms=0)
    mapping = tmp_path / "compare.toml"
    mapping.write_text('kind = "compare"\nprompt = "{q}"\nanswer_a = "{a}"\nanswer_b = "{b}"\n', encoding="utf-8")
    rows = tmp_path / "compare.jsonl"
    lines = [f'{{"q": "Question number {n}?", "a": "left {n}", "b": "right {n}"}}' for n in range(10)]
    rows.write_text("\n".join(lines) + "\n", encoding="utf-8")
    import_file(store, rows, "p", mapping=mapping)
    return store


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public data; the test is skipped where it is not there."""
    folder = Path(os.environ.get("PITCHPIPE_TEST_DATA", PROJECT_ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(reason=f"public data not found at {folder}; set PITCHPIPE_TEST_DATA to run this test")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random two-layer model that TRL trains in seconds."""
    folder = tmp_path_factory.mktemp("tiny-model")
    build_tiny_model(folder)
    return folder
