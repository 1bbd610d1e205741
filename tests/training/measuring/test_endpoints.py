"""A served model is asked patiently, never twice for one answer, and never tells the key to anyone else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.errors import RunError, UsageError
from pitchpipe.training.measuring import endpoints
from pitchpipe.training.measuring.endpoint_arm import ANSWERS, ask_all, read_answers
from pitchpipe.training.measuring.endpoints import Endpoint, EndpointClient, Reply, UnansweredError
from pitchpipe.training.plans.measure_plans import GeneratePlan
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import create_run_folder, read_json, verify_run
from tests.training.measuring.served import Handler, Served, serve

KEY = "k-very-secret-77"
HI = [{"role": "user", "content": "hi"}]


def patient(server: Served, **more: Any) -> Endpoint:
    return Endpoint(server.url, "served-model", **{"pause_seconds": 0.01, "tries": 3, "timeout_seconds": 5, **more})


def prompts(count: int) -> list[dict[str, Any]]:
    return [{"example_id": f"ex_{n}", "messages": [{"role": "user", "content": f"prompt {n}"}]} for n in range(count)]


def ask(folder: Path, endpoint: Endpoint, asked: list[dict[str, Any]]) -> tuple[dict[str, Reply], dict[str, str]]:
    return ask_all(folder, endpoint, asked, 8, 2, lambda _: None, lambda: None)


def test_an_answer_comes_with_its_end_and_its_counts() -> None:
    with serve(lambda it, body, n: it.reply(" Hello there. ", "length")) as server:
        with EndpointClient(patient(server)) as client:
            assert client.ask(HI, 8) == Reply("Hello there.", False, 2, 7)
        path, headers, body = server.seen[0]
    assert path == "/v1/chat/completions" and "Authorization" not in headers
    assert body == {"model": "served-model", "messages": HI, "max_tokens": 8, "temperature": 0}


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    with serve(lambda it, body, n: it.reply("yes") if n == 3 else it.send(status, b"{}")) as server:
        with EndpointClient(patient(server)) as client:
            assert client.ask(HI, 8).text == "yes"
        assert len(server.seen) == 3


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>", b"{", b"[]", b'{"choices": []}', b'{"choices": [{"message": {"content": null}}]}', b"[" * 99_999],
)
def test_a_reply_that_is_no_completion_is_asked_for_again(data: bytes) -> None:
    def answer(it: Handler, body: dict[str, Any], n: int) -> None:
        it.reply("yes") if n == 2 else it.send(200, data)

    with serve(answer) as server, EndpointClient(patient(server)) as client:
        assert client.ask(HI, 8).text == "yes"


def test_a_connection_that_breaks_in_the_middle_is_tried_again() -> None:
    def break_off(it: Handler, body: dict[str, Any], n: int) -> None:
        if n == 2:
            return it.reply("yes")
        it.send_response(200)
        it.send_header("Content-Length", "1000")
        it.end_headers()
        it.wfile.write(b'{"choi')
        return None

    with serve(break_off) as server, EndpointClient(patient(server)) as client:
        assert client.ask(HI, 8).text == "yes"


def test_a_server_that_drips_or_hangs_runs_into_the_time_limit() -> None:
    def stall(it: Handler, body: dict[str, Any], n: int) -> None:
        it.drip(5.0) if body["messages"] == HI else time.sleep(1.5)

    for messages in (HI, [{"role": "user", "content": "hang"}]):
        with serve(stall) as server, EndpointClient(patient(server, tries=2, timeout_seconds=0.3)) as client:
            began = time.monotonic()
            with pytest.raises(UnansweredError, match=r"in 2 tries: no .*within 0\.3 s"):
                client.ask(messages, 8)
            assert time.monotonic() - began < 4


def test_pauses_grow_and_a_busy_servers_own_wish_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(EndpointClient, "_wait", lambda self, seconds: pauses.append(seconds))
    monkeypatch.setattr(endpoints.random, "uniform", lambda low, high: 1.0)
    asked = {3: {"Retry_After": "7"}, 4: {"Retry_After": "9999"}, 5: {"Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"}}
    with (
        serve(lambda it, body, n: it.send(429, b"", **asked.get(n, {}))) as server,
        EndpointClient(patient(server, tries=6, pause_seconds=0.5)) as client,
        pytest.raises(UnansweredError, match="status 429"),
    ):
        client.ask(HI, 8)
    assert pauses == [0.5, 1.0, 7.0, 60.0, 8.0]


def test_a_wrong_key_or_model_ends_everything_at_the_first_try_and_the_key_stands_nowhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    with serve(lambda it, body, n: it.send(401, f"bad key {KEY}".encode())) as server:
        with pytest.raises(RunError, match=r"the key was refused .*bad key \[key\]") as caught:
            ask(tmp_path, patient(server, key_variable="SOME_KEY"), prompts(1))
        assert server.seen[0][1]["Authorization"] == f"Bearer {KEY}"
        assert len(server.seen) == 1 and KEY not in str(caught.value)
    assert KEY not in "".join(path.read_text() for path in tmp_path.iterdir())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_follows_no_redirection(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    with serve(lambda it, body, n: it.reply("caught one")) as thief:
        place = thief.url + "/chat/completions"
        with (
            serve(lambda it, body, n: it.send(status, b"", Location=place)) as server,
            EndpointClient(patient(server, key_variable="SOME_KEY")) as client,
            pytest.raises(RunError, match="sends elsewhere"),
        ):
            client.ask(HI, 8)
        assert thief.seen == []


@pytest.mark.parametrize(
    ("url", "variable", "told"),
    [
        ("ftp://h/v1", "", "no address"),
        ("file:///etc/passwd", "", "no address"),
        ("h:8000", "", "no address"),
        ("http://h/v1?key=1", "", "no address"),
        (f"https://u:{KEY}@h/v1", "", "name or password"),
        (f"ftp://u:{KEY}@h/v1", "", "no address"),
        ("http://h/v1", KEY, "cannot be a name"),
    ],
)
def test_an_address_that_is_none_or_holds_a_key_is_refused_without_repeating_it(
    url: str, variable: str, told: str
) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        Endpoint(url, "m", variable)
    assert KEY not in str(caught.value)


def test_a_key_that_is_named_but_not_set_is_missed_before_anything_is_sent(tmp_path: Path) -> None:
    with serve(lambda it, body, n: it.reply("yes")) as server:
        with pytest.raises(RunError, match="NO_SUCH_KEY is not set"):
            ask(tmp_path, patient(server, key_variable="NO_SUCH_KEY"), prompts(1))
        assert server.seen == []


def test_one_prompt_that_fails_is_listed_and_the_others_are_answered(tmp_path: Path) -> None:
    def refuse_third(it: Handler, body: dict[str, Any], n: int) -> None:
        text = body["messages"][0]["content"]
        it.send(400, b"too long") if text == "prompt 2" else it.reply(f"re: {text}")

    with serve(refuse_third) as server:
        answers, failed = ask(tmp_path, patient(server), prompts(5))
    assert sorted(answers) == ["ex_0", "ex_1", "ex_3", "ex_4"] and answers["ex_4"].text == "re: prompt 4"
    assert list(failed) == ["ex_2"] and "status 400" in failed["ex_2"] and "too long" in failed["ex_2"]


def test_what_was_answered_is_not_asked_again_and_a_prompt_that_occurs_twice_is_asked_once(tmp_path: Path) -> None:
    with serve(lambda it, body, n: it.reply(f"{n}: {body['messages'][0]['content']}")) as server:
        twice = [*prompts(3), {"example_id": "ex_again", "messages": prompts(1)[0]["messages"]}]
        first, _ = ask(tmp_path, patient(server), twice)
        assert first["ex_again"] == first["ex_0"] and len(server.seen) == 3
        with (tmp_path / ANSWERS).open("ab") as file:
            file.write(b'{"key": "torn')
        again, _ = ask(tmp_path, patient(server), prompts(4))
        assert again == {**prompt_answers(first), "ex_3": again["ex_3"]}
        assert len(server.seen) == 4
        other = Endpoint(server.url, "another-model")
        ask(tmp_path, other, prompts(1))
        assert len(server.seen) == 5 and len(read_answers(tmp_path)) == 5


def prompt_answers(answers: dict[str, Reply]) -> dict[str, Reply]:
    return {example: reply for example, reply in answers.items() if example != "ex_again"}


def test_a_server_that_is_gone_ends_the_run_instead_of_being_asked_for_ever(tmp_path: Path) -> None:
    with serve(lambda it, body, n: it.send(500, b"")) as server:
        with pytest.raises(RunError, match="8 prompts in a row"):
            ask(tmp_path, patient(server, tries=1), prompts(60))
        assert len(server.seen) < 20


CarryOut = Callable[..., Path]


def endpoint_plan(server: Served, snapshot: Path, **more: Any) -> GeneratePlan:
    described = {"served": {"url": server.url, "model": "served-model", "key_variable": ""}}
    given = {"snapshot": str(snapshot), "endpoints": described, "arms": ["served"], "endpoint_tries": 1, **more}
    return with_dials(GeneratePlan(), **given)


def test_candidates_of_an_endpoint_stand_beside_those_of_the_tuned_model(
    sft_plan: TrainPlan, snapshot: Path, carry_out: CarryOut
) -> None:
    run = carry_out(with_dials(sft_plan, max_steps=1, samples=0))

    def refuse_one(it: Handler, body: dict[str, Any], n: int) -> None:
        it.send(422, b"") if len(server.seen) == 2 else it.reply("from elsewhere")

    with serve(refuse_one) as server:
        plan = endpoint_plan(server, snapshot, run=str(run), arms=["tuned", "served"], max_new_tokens=4)
        folder = carry_out(plan)
    lines = [json.loads(line) for line in (folder / "candidates.jsonl").read_text().splitlines()]
    assert [line["arm"] for line in lines] == ["tuned"] * 6 + ["served"] * 5
    assert {line["model"] for line in lines} == {run.name, "served-model"}
    (failure,) = (folder / "failures.jsonl").read_text().splitlines()
    summary = read_json(folder / "summary.json")
    assert json.loads(failure)["arm"] == "served" and summary["unanswered"] == 1
    assert "1 of 12 answers never came" in summary["warning"]["happened"] and verify_run(folder) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"arms": ["served", "tuned", "base"]}, "one or two of"),
        ({"arms": ["elsewhere"]}, "one or two of: base, tuned, served"),
        ({"endpoints": {"served": {"url": "http://h"}}}, "not described"),
        ({"endpoints": {"served": {"url": "http://h", "model": "m", "key": "x"}}}, "not described"),
        ({"endpoints": {"tuned": {"url": "http://h", "model": "m"}}, "arms": ["tuned"]}, "not described"),
        (
            {
                "endpoints": {"a": {"url": "http://h", "model": "m"}, "b": {"url": "http://i", "model": "m"}},
                "arms": ["a", "b"],
            },
            "Both arms are called 'm'",
        ),
    ],
)
def test_arms_that_could_not_be_told_apart_or_are_not_there_are_refused(
    change: dict[str, Any], told: str, snapshot: Path, tmp_path: Path
) -> None:
    from pitchpipe.training.measuring.generating import generate

    described = {"served": {"url": "http://h", "model": "m"}}
    plan = with_dials(GeneratePlan(), **{"snapshot": str(snapshot), "endpoints": described, **change})
    with pytest.raises(UsageError, match=told):
        generate(create_run_folder(tmp_path, plan), plan)


def test_a_killed_run_goes_on_and_asks_only_for_what_is_missing(snapshot: Path, tmp_path: Path) -> None:
    def answer_slowly(it: Handler, body: dict[str, Any], n: int) -> None:
        if len(server.seen) > 3 and not is_patient:
            time.sleep(60)
        it.reply("yes")

    is_patient = False
    with serve(answer_slowly) as server:
        plan = endpoint_plan(server, snapshot, endpoint_parallel=1)
        folder = create_run_folder(tmp_path / "runs", plan)
        command = [sys.executable, "-m", "pitchpipe.training", "run", str(folder)]
        child = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 120
            while len(server.seen) < 4 and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        # The third answer may still have been on its way to the disk when the fourth was asked for.
        kept = len(read_answers(folder))
        assert kept in (2, 3) and not (folder / "candidates.jsonl").exists()
        is_patient = True
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        asked = [json.dumps(body["messages"]) for _, _, body in server.seen]
    assert len(set(asked)) == 6 and len(asked) == 4 + 6 - kept  # only what was not kept is asked for again
    assert len((folder / "candidates.jsonl").read_text().splitlines()) == 6
