"""The master key beside a backup is the ledger's own, or nobody is told that it is there."""

from __future__ import annotations


async def test_a_key_is_never_said_to_be_copied_where_another_one_lies(place, tmp_path):
    """Whoever reads that the key is beside the copy would find out at the restore that it opens nothing."""
    await place.webhook("https://example.com/")
    beside = tmp_path / "copy.key"
    beside.write_text("22" * 32)
    beside.chmod(0o600)
    refused = await place.run("backup", str(tmp_path / "copy"), "--with-key")
    assert (refused.code, f"{beside} is another key" in refused.err, beside.read_text()) == (1, True, "22" * 32)
    assert not (tmp_path / "copy").exists()
    beside.write_bytes((place.data / "master.key").read_bytes())
    assert (await place.run("backup", str(tmp_path / "copy"), "--with-key")).code == 0
