"""A workspace with comparisons to judge, a server of the real pages over it, and a real Chromium to drive them."""

from __future__ import annotations

import json
import runpy
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.freezing import snapshots
from pitchpipe.store.freezing.snapshots import Snapshot
from pitchpipe.store.identity import new_id
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.judging import annotating
from pitchpipe.store.projects import create_project
from pitchpipe.store.queue import queueing
from pitchpipe.store.queue.tasking import create_tasks
from pitchpipe.studio import session
from tests.studio.pages.driving import READY

PROJECT = "Help desk"
MODELS = ("hidden-model-north", "hidden-model-south")
_COMPARE_MAP = """kind = "compare"
prompt = "{question}"
answer_a = "{north}"
answer_b = "{south}"
model_a = "{north_model}"
model_b = "{south_model}"
"""
_RATE_MAP = 'kind = "rate"\nprompt = "{question}"\nanswer = "{north}"\nmodel = "{north_model}"\n'
_MAPS = {"compare": _COMPARE_MAP, "rate": _RATE_MAP, "edit": _RATE_MAP.replace('"rate"', '"write"')}
_SERVE = """import sys, pathlib
from pitchpipe.studio.server import serve
serve(pathlib.Path(sys.argv[1]), port=int(sys.argv[2]))
"""
_CHROMIUM_ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser that did not answer within 30 seconds is asked once more; the summary counts it as a rerun.

    On a shared machine a headless Chromium stalls at times. Only that: a wrong answer fails at once.
    """
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=["TimeoutError"]))


def write_rows(folder: Path, count: int) -> Path:
    """Questions 1 to `count` with two answers each; the second carries markup that must stay text."""
    rows = [
        {
            "question": f"Question {number}: where is my parcel?",
            "north": f"Look next door first ({number}).\n\nNext step: reply resend.",
            "south": f"Parcels can be late ({number}). <img src=x onerror=alert(1)> **wait**",
            "north_model": MODELS[0],
            "south_model": MODELS[1],
        }
        for number in range(1, count + 1)
    ]
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def _fill_workspace(
    workspace: Path,
    *,
    kind: str = "compare",
    count: int = 5,
    dwell_ms: int = 300,
    overlap: int = 2,
    prepare: Callable[[Store], None] | None = None,
    **settings: Any,
) -> Store:
    """An open store with one project of `count` tasks of that kind, none of them sealed.

    With the kind `mixed` there is one task of each kind that is made, in the order of `MIXED`. `prepare` does more.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    store = open_store(workspace)
    create_project(store, PROJECT, holdout_share=0.0, overlap=overlap, minimum_dwell_ms=dwell_ms, **settings)
    if kind == "mixed":
        _make_mixed(store, workspace)
        return store
    mapping = workspace / "map.toml"
    mapping.write_text(_MAPS[kind], encoding="utf-8")
    import_file(store, write_rows(workspace, count), PROJECT, mapping=mapping)
    if kind == "edit":
        create_tasks(store, PROJECT, kind)
    assert queueing.count_progress(store, PROJECT, "anybody").available == count
    if prepare is not None:
        prepare(store)
    return store


MIXED = ("screen", "rate", "rank", "edit", "write", "tag", "span", "turns")
"""The kinds of task in a mixed workspace, in the order in which they come."""
_MIXED_RUBRICS = {
    "screen": {"rubric": "compare_rate_correct", "parts": ("compare", "rate", "edit")},
    "rate": {"rubric": "checks"}, "tag": {"rubric": "topics"}, "span": {"rubric": "errors"},
    "turns": {"rubric": "turns"},
}  # fmt: skip


def _make_mixed(store: Store, folder: Path) -> None:
    """One task of each kind, out of a pair, three answers to one request, a request without one, and a conversation."""
    texts = {"three": ("The red box.", "The blue box.", "Any box."), "open": ("",)}
    files = {
        "three": [{"id": "three", "q": "Question 2: which box?", "a": answer} for answer in texts["three"]],
        "open": [{"q": "Question 3: write to me!"}],
    }
    maps = {
        "three": 'kind = "rate"\nid = "{id}"\nprompt = "{q}"\nanswer = "{a}"\n',
        "open": 'kind = "write"\nprompt = "{q}"\n',
        "pair": _COMPARE_MAP,
    }
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    for name in ("pair", "three", "open"):
        mapping = folder / f"{name}.toml"
        mapping.write_text(maps[name], encoding="utf-8")
        file = write_rows(folder, 1) if name == "pair" else folder / f"{name}.jsonl"
        import_file(store, file, PROJECT, mapping=mapping)
    talk = [("user", "Hello!"), ("assistant", "Hi, what can I do?"), ("user", "Question 4: where is it?")]
    messages = [{"role": role, "content": words} for role, words in [*talk, ("assistant", "It is late.")]]
    (folder / "talk.jsonl").write_text(json.dumps({"messages": messages}), encoding="utf-8")
    import_file(store, folder / "talk.jsonl", PROJECT)
    store.write(lambda t: t.run("DELETE FROM tasks"))
    for place, kind in enumerate(MIXED):
        made = create_tasks(store, PROJECT, kind, limit=1, priority=50 - place, **_MIXED_RUBRICS.get(kind, {}))
        assert made["made"] == 1, f"no task of the kind {kind} could be made: {made}"
    # Of the conversations the one with an earlier turn is rated.
    store.write(
        lambda t: t.run(
            "UPDATE tasks SET example_id = (SELECT id FROM examples WHERE contains(messages, 'Question 4')), "
            "candidate_ids = (SELECT to_json(list(c.id))::VARCHAR FROM candidates AS c JOIN examples AS e "
            "ON e.id = c.example_id WHERE contains(e.messages, 'Question 4')) WHERE kind = 'turns'"
        )
    )


class PageServer:
    """The pages served over a workspace by a process of their own."""

    hidden_names = MODELS

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server and returns when it answers."""
        log = (self.workspace / "server.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(self.workspace), str(self.port)], stdout=log, stderr=log
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self._process.poll() is None, (self.workspace / "server.log").read_text()
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise AssertionError("the server did not answer within 60 seconds")

    def stop(self) -> None:
        """Ends the server in good order, so that the store can be opened here."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def read_judgements(self) -> list[dict[str, Any]]:
        """Stops the server and returns every judgement row in the order of acceptance."""
        self.stop()
        store = open_store(self.workspace)
        try:
            rows = store.read(
                "SELECT j.id, j.annotator, e.messages, j.status, j.value, j.reason, j.shown, t.candidate_ids, "
                "j.seconds, j.kind, j.detail "
                "FROM judgements AS j JOIN tasks AS t ON t.id = j.task_id JOIN examples AS e ON e.id = j.example_id "
                "ORDER BY j.entry"
            )
        finally:
            store.close()
        names = (
            "id",
            "annotator",
            "messages",
            "status",
            "value",
            "reason",
            "shown",
            "candidate_ids",
            "seconds",
            "kind",
            "detail",
        )
        found = [dict(zip(names, row, strict=True)) for row in rows]
        for judgement in found:
            judgement["value"] = json.loads(judgement["value"])
            judgement["question"] = json.loads(judgement["messages"])[-1]["content"]
            judgement["is_swapped"] = json.loads(judgement["shown"]) != json.loads(judgement["candidate_ids"])
        return found

    def kill(self) -> None:
        """Ends the server as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None


@pytest.fixture
def fill_workspace() -> Callable[..., Store]:
    """Fills a new workspace and returns its open store."""
    return _fill_workspace


@pytest.fixture
def project_name() -> str:
    return PROJECT


@pytest.fixture
def desk(fill_workspace: Callable[..., Store], tmp_path: Path) -> Iterator[Store]:
    """The store that pages see in a test without a server: three comparisons to judge."""
    store = fill_workspace(tmp_path / "workspace", count=3, dwell_ms=0)
    session.set_store(store)
    yield store
    session.set_store(None)
    store.close()


@pytest.fixture
def snapshot(desk: Store, project_name: str) -> Snapshot:
    """A frozen dataset of the desk, after one judgement."""
    task = queueing.claim_next_task(desk, project_name, "ben")
    assert task is not None
    annotating.submit_judgement(
        desk, judgement_id=new_id("jdg"), task_id=task.task_id, annotator="ben", token=task.token,
        value={"verdict": "first", "strength": -1},
    )  # fmt: skip
    return snapshots.create_snapshot(desk, project_name, "first")


@pytest.fixture
def hidden_names() -> tuple[str, ...]:
    """The names of the models whose answers are compared; no page for annotators may contain one."""
    return MODELS


@pytest.fixture
def serve_pages(tmp_path: Path) -> Iterator[Callable[..., PageServer]]:
    """Starts a server over a freshly filled workspace; stopped at the end of the test."""
    started: list[PageServer] = []

    def start(**contents: Any) -> PageServer:
        workspace = tmp_path / f"workspace{len(started)}"
        _fill_workspace(workspace, **contents).close()
        server = PageServer(workspace)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def page_server() -> Iterator[Callable[[Path], PageServer]]:
    """Starts a server over a workspace that is there; stopped at the end of the test."""
    started: list[PageServer] = []

    def start(workspace: Path) -> PageServer:
        started.append(PageServer(workspace))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium of the system."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    finder = runpy.run_path(str(Path(__file__).parents[2] / "find_chromium.py"))
    path = finder["find_chromium"]()
    if path is None:
        pytest.skip(f"There is no Chromium. {finder['ADVICE']}")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=_CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens the Annotate page as somebody; with `context` of an open page it is a further tab of the same person."""
    contexts = []

    def open_as(
        server: Any,
        name: str = "ana",
        context: Any = None,
        watch: Callable[[Any], object] | None = None,
        url: str | None = None,
    ) -> Any:
        url = url or server.url
        if context is not None:
            page = context.new_page()
            page.goto(f"{url}/annotate")
        else:
            context = chromium.new_context(viewport={"width": 1440, "height": 900})
            contexts.append(context)
            page = context.new_page()
            if watch is not None:
                watch(page)
            page.goto(f"{url}/login?next=annotate")
            # A page is loaded before its first field has the focus; a letter typed in between is lost.
            page.wait_for_selector("#name:focus")
            page.keyboard.type(name)
            assert page.input_value("#name") == name
            page.keyboard.press("Enter")
            page.wait_for_url(f"{url}/annotate")
        page.wait_for_selector(READY)
        return page

    yield open_as
    for context in contexts:
        context.close()
