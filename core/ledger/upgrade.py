"""Brings a SQLite ledger of an older form to the one that this version reads. What was recorded stays as it is."""

from __future__ import annotations

import sqlite3

from core.ledger.unit import CATALOGUE, ZERO_VERSION, chain
from core.model.catalogue import Changed as CatalogueChanged
from core.model.topics import DIRECTORY_EVENTS, Codec


def to_form_2(connection: sqlite3.Connection) -> None:
    """The directories' versions are hashed otherwise than before, as PostgreSQL can; snapshots hold the old ones."""
    decode = Codec().decode
    versions: dict[str, bytes] = {}
    rows = connection.execute(
        "SELECT e.stream, e.version, e.topic, e.state FROM landmarks l JOIN events e ON e.position=l.position"
        " ORDER BY l.position"
    )
    for stream, version, topic, state in rows:
        event = decode(topic, state)
        if type(event) in DIRECTORY_EVENTS or type(event) is CatalogueChanged:
            tenant = CATALOGUE if type(event) is CatalogueChanged else event.tenant
            versions[tenant] = chain(versions.get(tenant, ZERO_VERSION), stream, version, event)
    connection.execute("DELETE FROM snapshots")
    connection.executemany("REPLACE INTO directories VALUES (?,?)", versions.items())


UPGRADES = {1: to_form_2}
"""Form → what makes the next one of it."""
