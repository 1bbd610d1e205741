"""What may be imported by typing a path: what lies in the named folders, and nothing that a link in them leads to."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchpipe.store.errors import UsageError
from pitchpipe.studio.import_folders import check_path, keep_upload


def test_a_folder_that_holds_a_link_out_is_refused(tmp_path: Path) -> None:
    secret, folder = tmp_path / "secret.jsonl", tmp_path / "workspace" / "incoming" / "set"
    secret.write_text('{"prompt": "secret"}\n')
    folder.mkdir(parents=True)
    (folder / "b.jsonl").write_text('{"prompt": "mine"}\n')
    (folder / "c.jsonl").symlink_to(folder / "b.jsonl")
    assert check_path(tmp_path / "workspace", "set") == folder
    (folder / "a.jsonl").symlink_to(secret)
    for typed in ("set", "set/a.jsonl", "../../secret.jsonl", str(secret)):
        with pytest.raises(UsageError):
            check_path(tmp_path / "workspace", typed)


def test_an_upload_of_an_endless_name_is_kept_with_its_ending(tmp_path: Path) -> None:
    kept = keep_upload(tmp_path, "../../" + "ü" * 4000 + ".jsonl", memoryview(b"{}"))
    assert (kept.suffix, kept.read_bytes()) == (".jsonl", b"{}")
    assert kept.is_relative_to(tmp_path / "uploads")
