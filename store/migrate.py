"""Brings the schema up to date: numbered SQL files, each applied whole or not at all, with its checksum on record.

The only place, with `migrations/`, where tables are made or changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

import duckdb

from pitchpipe.store.errors import MigrationError

_CREATE_REGISTER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name VARCHAR PRIMARY KEY, sha256 VARCHAR NOT NULL, applied_at TIMESTAMP NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered SQL file."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The checksum put on record when it is applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations() -> list[Migration]:
    """The migrations that come with the package, in order."""
    folder = files("pitchpipe.store") / "migrations"
    found = [Migration(path.name, path.read_text(encoding="utf-8")) for path in folder.iterdir()]
    return sorted((m for m in found if m.name.endswith(".sql")), key=lambda migration: migration.name)


def apply_migrations(connection: duckdb.DuckDBPyConnection, migrations: list[Migration] | None = None) -> list[str]:
    """The names of the migrations applied now; a second call returns an empty list.

    Each runs in one transaction with its row in `schema_migrations`; when it fails, nothing of it remains.

    Raises:
        MigrationError: a migration fails, an applied file was changed since, or the store is newer than this program.
    """
    connection.execute(_CREATE_REGISTER).fetchall()
    rows = connection.execute("SELECT name, sha256 FROM schema_migrations").fetchall()
    applied = {str(name): str(sha256) for name, sha256 in rows}
    wanted = load_migrations() if migrations is None else migrations
    _check_register(applied, wanted)
    done = []
    for migration in wanted:
        if migration.name not in applied:
            _apply_one(connection, migration)
            done.append(migration.name)
    return done


def _check_register(applied: dict[str, str], wanted: list[Migration]) -> None:
    known = {migration.name: migration.sha256 for migration in wanted}
    newer = sorted(set(applied) - set(known))
    if newer:
        raise MigrationError(
            f"The store was made by a newer version of Pitchpipe: it has the migration '{newer[-1]}'.",
            "Install that version or a later one, or open another workspace with --workspace.",
        )
    changed = [name for name, sha256 in applied.items() if known[name] != sha256]
    if changed:
        raise MigrationError(
            f"The migration '{changed[0]}' differs from the one that made this store.",
            "Restore the released file: an applied migration is never edited, a change gets a new number.",
        )


def _apply_one(connection: duckdb.DuckDBPyConnection, migration: Migration) -> None:
    connection.begin()
    try:
        connection.execute(migration.sql).fetchall()
        connection.execute(
            "INSERT INTO schema_migrations VALUES (?, ?, ?)",
            [migration.name, migration.sha256, datetime.now(UTC).replace(tzinfo=None)],
        ).fetchall()
        connection.commit()
    except duckdb.Error as error:
        connection.rollback()
        raise MigrationError(
            f"The migration '{migration.name}' failed: {error}",
            "The store is as it was before. Report this with the message; your data was not touched.",
        ) from error
