"""Starts a PostgreSQL cluster for the contract tests: its own folder, its own free port, loopback only."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from socket import socket


class PostgresMissingError(Exception):
    """No PostgreSQL can be started here; the text says what to install."""


@dataclass(frozen=True)
class PostgresServer:
    """A running cluster."""

    programs: Path
    folder: Path
    port: int

    def create_database(self) -> str:
        """The connection string of a new database."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        _run_as_owner([str(self.programs / "createdb"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "tester", name])
        return f"dbname={name} host=127.0.0.1 port={self.port} user=tester"

    def stop(self) -> None:
        """Stops the cluster and removes its folder."""
        _run_as_owner([str(self.programs / "pg_ctl"), "-D", str(self.folder), "-m", "immediate", "-w", "stop"])
        shutil.rmtree(self.folder.parent)


def start_server() -> PostgresServer:
    """A new cluster in a folder of its own. Raises PostgresMissingError where its programs are not installed."""
    programs = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
    if programs is None and (found := shutil.which("initdb")):
        programs = Path(found).parent
    if programs is None or not (programs / "initdb").exists():
        raise PostgresMissingError("PostgreSQL is not installed; apt-get install postgresql runs these tests")
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Not among pytest's folders: those are closed to others, and the server refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="pitchpipe-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    cluster = folder / "cluster"
    _run_as_owner([str(programs / "initdb"), "-D", str(cluster), "-A", "trust", "-U", "tester", "--no-sync"])
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    log = str(folder / "log")
    _run_as_owner([str(programs / "pg_ctl"), "-D", str(cluster), "-l", log, "-o", options, "-w", "start"])
    return PostgresServer(programs, cluster, port)


def _run_as_owner(command: list[str]) -> None:
    prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*prefix, *command], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/"
    )
    if done.returncode != 0:
        raise PostgresMissingError(f"{Path(command[0]).name} failed: {(done.stderr or '').strip()[-300:]}")
