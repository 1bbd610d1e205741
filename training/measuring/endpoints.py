"""Endpoints: asks a server that speaks the chat completions of OpenAI (vLLM, llama.cpp, a vendor's). Free of torch.

A server may be slow, busy, broken or gone. What can pass is tried again with growing pauses (a busy server names its
own); what cannot pass (a wrong key, no such model, an address that moved) ends everything at once; what concerns one
prompt alone fails that prompt. The key comes from an environment variable that the plan names, is sent to that address
alone (redirections are refused), and stands in no file and no message.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from pitchpipe.store.errors import RunError, UsageError

_LARGEST = 16 << 20
"""Bytes of a reply beyond which it is no answer."""
_LONGEST_PAUSE = 60.0
"""Seconds."""
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_FINAL = {
    401: "the key was refused",
    403: "the key may not use it",
    404: "it knows no such address or model",
    405: "it takes no chat completions there",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is served, and how patiently it is asked."""

    url: str
    """The address up to `/v1`, or the whole address of chat completions."""
    model: str
    """What the server calls the model."""
    key_variable: str = ""
    """The environment variable that holds the key; empty: no key is sent."""
    timeout_seconds: float = 120.0
    """For one reply, from the question to its last byte."""
    tries: int = 6
    pause_seconds: float = 0.5
    """Before the second try; doubled before each further one, up to a minute."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise UsageError(
                f"The endpoint {_without_secrets(self.url)!r} is no address that models are served at.",
                "Give one that begins with http:// or https://, such as http://127.0.0.1:8000/v1.",
            )
        if parts.username is not None or parts.password is not None:
            raise UsageError(
                "The address of the endpoint holds a name or password, which would be stored with the plan.",
                "Put the key into an environment variable and name it with --key-variable.",
            )
        if not self.model:
            raise UsageError(f"No model is named for the endpoint {self.url}.", "Name it with --model.")
        if self.key_variable and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.key_variable):
            raise UsageError(
                "What was given as the name of the key's environment variable cannot be a name.",
                "Put the key into a variable (export MY_KEY=...) and give its name: --key-variable MY_KEY.",
            )

    @property
    def address(self) -> str:
        """Where chat completions are asked for.

        >>> Endpoint("http://127.0.0.1:8000", "m").address
        'http://127.0.0.1:8000/v1/chat/completions'
        """
        plain = self.url.rstrip("/")
        if plain.endswith("/chat/completions"):
            return plain
        return f"{plain if urlsplit(plain).path else plain + '/v1'}/chat/completions"

    def read_key(self) -> str:
        """The key, or an empty text where none is asked for.

        Raises:
            RunError: the variable is not set.
        """
        if not self.key_variable:
            return ""
        key = os.environ.get(self.key_variable, "")
        if not key:
            raise RunError(
                f"The environment variable {self.key_variable} is not set, so the endpoint cannot be asked.",
                f"Set it where the command is typed: export {self.key_variable}=...",
            )
        return key


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint answered."""

    text: str
    finished: bool
    """The model ended its turn by itself."""
    tokens: int
    """Generated, by the server's own count; 0 where it does not tell."""
    prompt_tokens: int
    """Of the rendered prompt, by the server's own count; 0 where it does not tell."""


class UnansweredError(RunError):
    """One prompt got no answer; others may."""


class _PassingError(Exception):
    """A trouble that may be gone at the next try."""

    def __init__(self, why: str, pause: float = 0.0) -> None:
        super().__init__(why)
        self.pause = pause


class EndpointClient:
    """Asks one endpoint; safe to use from several threads."""

    def __init__(self, endpoint: Endpoint, stop_if_asked: Callable[[], None] = lambda: None) -> None:
        self.endpoint = endpoint
        self._stop_if_asked = stop_if_asked
        self._key = endpoint.read_key()
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        limits = httpx.Timeout(endpoint.timeout_seconds, connect=min(10.0, endpoint.timeout_seconds))
        # With a redirection the key would go wherever the server says.
        self._client = httpx.Client(headers=headers, timeout=limits, follow_redirects=False)

    def __enter__(self) -> EndpointClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, messages: list[dict[str, str]], max_tokens: int) -> Reply:
        """The greedy answer to a conversation.

        Raises:
            UnansweredError: this prompt got no answer, however often it was asked.
            RunError: the endpoint will answer nothing.
        """
        body = {"model": self.endpoint.model, "messages": messages, "max_tokens": max_tokens, "temperature": 0}
        why = ""
        for attempt in range(self.endpoint.tries):
            self._stop_if_asked()
            try:
                return self._ask_once(body)
            except _PassingError as error:
                why = str(error)
                if attempt + 1 < self.endpoint.tries:
                    grown = self.endpoint.pause_seconds * 2**attempt * random.uniform(0.8, 1.2)
                    self._wait(min(_LONGEST_PAUSE, max(grown, error.pause)))
        raise UnansweredError(
            f"{self.endpoint.url} gave no answer in {self.endpoint.tries} tries: {why}.",
            "Look at the server, then start the run again; answers that came are kept.",
        )

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._stop_if_asked()
            time.sleep(min(0.1, left))

    def _ask_once(self, body: dict[str, Any]) -> Reply:
        deadline = time.monotonic() + self.endpoint.timeout_seconds
        try:
            with self._client.stream("POST", self.endpoint.address, json=body) as response:
                return self._read(response.status_code, response.headers, self._collect(response, deadline))
        except httpx.TimeoutException as error:
            raise _PassingError(f"no reply within {self.endpoint.timeout_seconds:g} s") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _PassingError(f"{type(error).__name__}: {self._hide(str(error))}") from error

    def _collect(self, response: httpx.Response, deadline: float) -> bytes:
        """The whole body; a server that drips bytes or never ends runs into the limits."""
        data = bytearray()
        for piece in response.iter_bytes():
            data += piece
            self._stop_if_asked()
            if time.monotonic() > deadline:
                raise _PassingError(f"no whole reply within {self.endpoint.timeout_seconds:g} s")
            if len(data) > _LARGEST:
                raise _PassingError(f"a reply of more than {_LARGEST >> 20} MB")
        return bytes(data)

    def _read(self, status: int, headers: httpx.Headers, data: bytes) -> Reply:
        if status in _PASSING:
            raise _PassingError(f"status {status}", _read_pause(headers))
        if 300 <= status < 400:
            raise RunError(
                f"{self.endpoint.url} sends elsewhere (status {status}), and the key is sent to no other address.",
                "Give the address that the models are really served at.",
            )
        told = self._hide(data[:300].decode("utf-8", "replace").strip())
        if status in _FINAL:
            raise RunError(
                f"{self.endpoint.url} refuses: {_FINAL[status]} (status {status}). {told}",
                "Correct the address, the model's name or the key's variable.",
            )
        if status != 200:
            raise UnansweredError(
                f"{self.endpoint.url} refuses this prompt (status {status}). {told}", "Look at what it says."
            )
        return _read_reply(data)

    def _hide(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def _read_reply(data: bytes) -> Reply:
    try:
        document = json.loads(data)
        choice = document["choices"][0]
        text = choice["message"]["content"]
        if not isinstance(text, str):
            raise TypeError("the content is no text")
        usage = document.get("usage") or {}
        counts = [int(usage.get(name) or 0) for name in ("completion_tokens", "prompt_tokens")]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise _PassingError(f"a reply that is no chat completion ({type(error).__name__})") from error
    text = text.encode("utf-8", "replace").decode()  # half a surrogate pair can stand in JSON, but in no file
    return Reply(text.strip(), choice.get("finish_reason") == "stop", *counts)


def _read_pause(headers: httpx.Headers) -> float:
    """Seconds that a busy server asks to wait; 0 where it does not say so in seconds."""
    told = headers.get("retry-after", "")
    return float(told) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", told) else 0.0


def _without_secrets(url: str) -> str:
    """An address for a message, without what stands before its @."""
    return re.sub(r"//[^/@]*@", "//", url)[:200]
