"""A name server on 127.0.0.1, over UDP and TCP, that answers as the test says; or lies, or says nothing."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from ipaddress import ip_address
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Answer = list[str] | str
"""Addresses, and `=other.name` for an alias; or a word: `nothing` (no answer), `garbage`, or a code like `SERVFAIL`."""


class NameServer(asyncio.DatagramProtocol):
    """Knows the names it was told, and answers NXDOMAIN for all others."""

    def __init__(self, port: int = 0) -> None:
        self.names: dict[str, Answer] = {}
        self.in_turn: dict[str, list[Answer]] = {}
        """What a name is answered from one question to the next; the last one stays."""
        self.asked: Counter[str] = Counter()
        """Questions for IPv4 addresses, by name."""
        self.port = port
        self.address = ""
        self._tcp: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._udp: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> NameServer:
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        host, self.port = self._tcp.sockets[0].getsockname()
        await loop.create_datagram_endpoint(lambda: self, local_addr=(host, self.port))
        self.address = f"{host}:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        await asyncio.gather(*[writer.wait_closed() for writer in self._writers], return_exceptions=True)
        await self._tcp.wait_closed()

    def close(self) -> None:
        """Answer nobody any more, and let the port refuse."""
        self._tcp.close()
        self._udp.close()
        for writer in self._writers:
            writer.close()

    def connection_made(self, transport: Any) -> None:
        self._udp = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        answer = self._answer(data, 1_232)
        if answer is not None:
            self._udp.sendto(answer, addr)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = self._answer(await reader.readexactly(length), 65_535)
                if answer is not None:
                    writer.write(struct.pack("!H", len(answer)) + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, data: bytes, bytes_max: int) -> bytes | None:
        question = dns.message.from_wire(data)
        name = question.question[0].name.to_text(omit_final_dot=True).lower()
        is_ipv4 = question.question[0].rdtype == dns.rdatatype.A
        self.asked[name] += is_ipv4
        if is_ipv4 and name in self.in_turn:
            self.names[name] = self.in_turn[name].pop(0)
            if not self.in_turn[name]:
                del self.in_turn[name]
        said = self.names.get(name, "NXDOMAIN")
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        if said == "nothing":
            return None
        if said == "garbage":
            return data[:2] + b"\xff" * 20
        if isinstance(said, str):
            answer.set_rcode(dns.rcode.from_text(said))
        else:
            self._fill(answer, name, said, 4 if is_ipv4 else 6)
        wire = answer.to_wire(max_size=65_535)
        if len(wire) > bytes_max:
            answer.answer.clear()
            answer.flags |= dns.flags.TC
            wire = answer.to_wire()
        return wire

    def _fill(self, answer: dns.message.Message, name: str, said: list[str], version: int) -> None:
        aliases = [entry[1:] for entry in said if entry.startswith("=")]
        addresses = [entry for entry in said if not entry.startswith("=") and ip_address(entry).version == version]
        if addresses:
            kind = "A" if version == 4 else "AAAA"
            answer.answer.append(dns.rrset.from_text(f"{name}.", 1, "IN", kind, *addresses))
        for alias in aliases:
            answer.answer.append(dns.rrset.from_text(f"{name}.", 1, "IN", "CNAME", f"{alias}."))
            seen = {rrset.name.to_text(omit_final_dot=True) for rrset in answer.answer[:-1]}
            known = self.names.get(alias, [])
            if alias not in seen and isinstance(known, list):
                self._fill(answer, alias, known, version)
