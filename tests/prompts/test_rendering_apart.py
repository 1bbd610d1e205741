"""A chat template runs in a process that can harm nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pitchpipe.prompts.library import PromptError
from pitchpipe.prompts.rendering_apart import Wanted, render_apart

HI = [Wanted([{"role": "user", "content": "hi"}], True)]


def test_a_template_renders_as_it_would_here() -> None:
    template = "{{ bos_token }}{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}!"
    both = [*HI, Wanted([{"role": "user", "content": "\U0001f600 \x00é"}], False)]
    assert render_apart(template, {"bos_token": "<s>"}, both) == ["<s>hi!", "<s>\U0001f600 \x00é!"]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ raise_exception('no such turn') }}", "of the turns user: no such turn"),
        ("{{ namespace(__class__=1) }}", "it may not name '__class__'"),
        ("{% set n = namespace(a=1) %}{% set n.__init__ = 1 %}", "it may not name '__init__'|Encountered|invalid"),
        ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "uses more depth than it may"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{% for", "does not take a conversation"),
    ],
)
def test_what_a_template_may_not_do_is_told_in_words(template: str, words: str) -> None:
    with pytest.raises(PromptError, match=words):
        render_apart(template, {}, HI)


def test_the_child_can_open_no_file_and_start_no_program(tmp_path: Path) -> None:
    """As if a template had broken out of the sandbox."""
    import subprocess
    import sys

    program = (
        "from pitchpipe.prompts.rendering_apart import _limit\n_limit()\n"
        f"for act in (lambda: open({str(tmp_path / 'marker')!r}, 'w'), lambda: __import__('socket').socket()):\n"
        "    try:\n        act()\n        print('done')\n    except OSError as error:\n        print(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["24", "24"]
    assert not (tmp_path / "marker").exists()


def test_a_template_without_end_is_stopped() -> None:
    began = time.monotonic()
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(PromptError, match="more than 2 seconds of the processor"):
        render_apart(loop, {}, HI)
    assert time.monotonic() - began < 110
