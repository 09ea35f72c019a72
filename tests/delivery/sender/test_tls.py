"""Certificates: checked where a webhook asks for it, and taken as they come where it does not."""

from __future__ import annotations

import pytest

from delivery.sender import Answered, Unreached
from tests.delivery.sender.conftest import HEAD
from tests.delivery.sender.receivers import Peer, Receiver

BAD = ("wrong_host", "unknown_authority", "expired")


async def test_a_good_certificate_is_accepted(sender, sound, certificates):
    """A receiver whose certificate holds is posted to, over a connection that is kept."""
    async with Receiver(tls=certificates.good) as receiver:
        assert await sound(sender, receiver, ssl=True) == [1, 1, 1, 1]


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_certificate_is_refused(sender, certificates, kind):
    """Wrong host, unknown authority, out of date: nothing is sent, and the reason says that it is the certificate."""
    async with Receiver(tls=getattr(certificates, kind)) as receiver:
        outcome = await sender.post(sender.target(receiver.url, True), HEAD, b"{}")
        assert isinstance(outcome, Unreached)
        assert outcome.reason.startswith("certificate: ")
        assert receiver.peers == []


@pytest.mark.parametrize("kind", ["good", *BAD])
async def test_any_certificate_will_do_where_none_is_asked_for(sender, sound, certificates, kind):
    """With SSL verification off, https is spoken with whoever answers."""
    async with Receiver(tls=getattr(certificates, kind)) as receiver:
        assert await sound(sender, receiver, ssl=False) == [1, 1, 1, 1]


async def test_an_unchecked_connection_is_not_used_where_checking_is_asked_for(sender, certificates):
    """Two webhooks of one receiver that differ in this share no connection."""
    async with Receiver(tls=certificates.unknown_authority) as receiver:
        assert isinstance(await sender.post(sender.target(receiver.url, False), HEAD, b"{}"), Answered)
        checked = await sender.post(sender.target(receiver.url, True), HEAD, b"{}")
        assert isinstance(checked, Unreached)
        assert checked.reason.startswith("certificate: ")


async def test_https_to_a_receiver_without_tls(sender, sound):
    """A receiver that speaks no TLS is not reached by https."""

    async def complaining(peer: Peer) -> None:
        peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.gone()

    async with Receiver(complaining) as receiver:
        outcome = await sender.post(sender.target(receiver.url.replace("http", "https"), True), HEAD, b"{}")
        assert isinstance(outcome, Unreached)
        assert outcome.reason.startswith(("TLS: ", "cannot connect: "))
        await sound(sender, receiver)


async def test_http_to_a_receiver_with_tls(sender, sound, certificates):
    """Nor is one that speaks TLS only reached by http."""
    async with Receiver(tls=certificates.good) as receiver:
        plain = receiver.url.replace("https", "http")
        assert isinstance(await sender.post(sender.target(plain, False), HEAD, b"{}"), Unreached)
        await sound(sender, receiver, ssl=True)
