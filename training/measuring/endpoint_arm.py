"""An arm that is served elsewhere: its answers arrive one by one and are kept one by one.

Each answer is appended to `answers.jsonl` in the run folder and flushed to the disk before it counts, under the hash of
address, model, prompt and settings. A run that was killed asks only for what is missing, and a prompt that occurs twice
is asked once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError
from pitchpipe.store.identity import hash_value
from pitchpipe.training.measuring.endpoints import Endpoint, EndpointClient, Reply, UnansweredError

ANSWERS = "answers.jsonl"
_TROUBLES = 8
"""Prompts in a row without an answer, after which the server counts as gone."""


def ask_all(
    folder: Path,
    endpoint: Endpoint,
    prompts: list[dict[str, Any]],
    max_new_tokens: int,
    parallel: int,
    tell: Callable[[int], None],
    stop_if_asked: Callable[[], None],
) -> tuple[dict[str, Reply], dict[str, str]]:
    """The answers and the failures to prompts of {example_id, messages}, each by example id.

    Args:
        folder: the run folder, which keeps `answers.jsonl`.
        parallel: prompts that wait for an answer at the same time.

    Raises:
        RunError: the endpoint answers nothing; what was answered before is kept.
    """
    keys = {prompt["example_id"]: _key(endpoint, prompt["messages"], max_new_tokens) for prompt in prompts}
    known = read_answers(folder)
    waiting = {keys[prompt["example_id"]]: prompt["messages"] for prompt in prompts}
    waiting = {key: messages for key, messages in waiting.items() if key not in known}
    failed: dict[str, str] = {}
    tell(len(prompts) - len(waiting))
    if waiting:
        with EndpointClient(endpoint, stop_if_asked) as client, (folder / ANSWERS).open("ab") as file:
            _ask_waiting(client, waiting, max_new_tokens, parallel, file, known, failed, tell)
    answers = {example: known[key] for example, key in keys.items() if key in known}
    return answers, {example: failed[key] for example, key in keys.items() if key in failed}


def _ask_waiting(
    client: EndpointClient,
    waiting: dict[str, list[dict[str, str]]],
    max_new_tokens: int,
    parallel: int,
    file: Any,
    known: dict[str, Reply],
    failed: dict[str, str],
    tell: Callable[[int], None],
) -> None:
    before, in_a_row = len(known), 0
    with ThreadPoolExecutor(parallel, thread_name_prefix="endpoint") as threads:
        asked: dict[Future[Reply], str] = {
            threads.submit(client.ask, messages, max_new_tokens): key for key, messages in waiting.items()
        }
        try:
            for future in as_completed(asked):
                key = asked[future]
                try:
                    known[key] = _keep(file, key, future.result())
                    in_a_row = 0
                except UnansweredError as error:
                    failed[key], in_a_row = error.happened, in_a_row + 1
                    if in_a_row >= min(_TROUBLES, len(waiting)):
                        raise RunError(
                            f"{in_a_row} prompts in a row got no answer. {error.happened}",
                            "Look at the server, then start the run again; answers that came are kept.",
                        ) from error
                tell(len(known) - before)
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def _keep(file: Any, key: str, reply: Reply) -> Reply:
    """Appends an answer and has it on the disk before it counts."""
    file.write((json.dumps({"key": key, **asdict(reply)}, ensure_ascii=False) + "\n").encode())
    file.flush()
    os.fsync(file.fileno())
    return reply


def read_answers(folder: Path) -> dict[str, Reply]:
    """The answers kept so far, by key; a line that a crash tore is cut off and asked for again."""
    path = folder / ANSWERS
    if not path.is_file():
        return {}
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    found = {}
    for line in whole.splitlines():
        try:
            entry = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError):
            continue
        key = entry.pop("key")
        found[key] = Reply(**entry)
    return found


def _key(endpoint: Endpoint, messages: list[dict[str, str]], max_new_tokens: int) -> str:
    """Names what decides an answer."""
    return hash_value([endpoint.address, endpoint.model, messages, {"max_tokens": max_new_tokens, "temperature": 0}])
