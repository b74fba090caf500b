"""Clients that send traffic all at once, and the book of what they were answered."""

from __future__ import annotations

import hashlib
import socket
import sqlite3
import statistics
import threading
import time
from collections import Counter, defaultdict
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any

from chalicelib.store import SqliteStore
from tests.load.service import Answer, Service
from tests.load.traffic import SHARES, Call, Traffic, strip


@dataclass
class Book:
    """What was answered; safe to share between threads.

    Attributes:
        counts: answers by kind.
        wrong: what should not have been, a sentence each.
        checks: checks by id, as they must be read again.
        ids: by the bytes of a picture, the id and whether it was scored for that answer, of every answer.
        seconds: what each check of a picture that was scored took.
    """

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    ids: defaultdict[str, list[tuple[str, bool]]] = field(default_factory=lambda: defaultdict(list))
    seconds: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def scored(self) -> int:
        """Pictures and clips that were scored."""
        return sum(new for answers in self.ids.values() for _, new in answers)

    def judge(self, call: Call, answer: Answer, expected: dict[str, Any] | None, seconds: float) -> None:
        """Write down an answer, and what is wrong with it."""
        with self.lock:
            self.counts[call.kind] += 1
            if (answer.status, answer.code) != (call.status, call.code):
                self.wrong.append(f"{call.kind}: {answer.status} {answer.code} instead of {call.status} {call.code}")
            elif call.status >= 400 and set(answer.told) != {"error"}:
                self.wrong.append(f"{call.kind}: more than a refusal in the answer")
            elif call.like is not None:
                if strip(answer.told) != expected:
                    self.wrong.append(f"{call.kind}: another verdict than before")
                self._remember(call.body or b"", answer.told, seconds)

    def _remember(self, body: bytes, check: dict[str, Any], seconds: float) -> None:
        new = not check["cached"]
        self.ids[hashlib.sha256(body).hexdigest()].append((check["id"], new))
        self.checks[check["id"]] = {**check, "cached": True}
        if new:
            self.seconds.append(seconds)

    def audit(self, store: Path) -> None:
        """Hold the book against itself and against the store that the service has left behind."""
        for answers in self.ids.values():
            if len({check_id for check_id, _ in answers}) != 1:
                self.wrong.append("equal bytes have more than one id")
            if sum(new for _, new in answers) != 1:
                self.wrong.append(f"equal bytes were scored {sum(new for _, new in answers)} times")
        with closing(sqlite3.connect(store)) as direct:
            if direct.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                self.wrong.append("the store is damaged")
            (rows,) = direct.execute("SELECT count(*) FROM checks").fetchone()
        kept = SqliteStore(store)
        for check_id, check in self.checks.items():
            if {**kept.get(check_id), "cached": True} != check:
                self.wrong.append("a check reads differently from the store")
        kept.close()
        # A client that hangs up is not waited for, so its check may be there or not.
        if not len(self.checks) <= rows <= len(self.checks) + self.counts["leaves"]:
            self.wrong.append(f"{rows} checks are stored, {len(self.checks)} were answered")


class Client:
    """One of a crowd: sends call after call and judges the answers."""

    def __init__(self, service: Service, traffic: Traffic, book: Book, expected: dict[str, Any], seed: int) -> None:
        """Take part.

        Args:
            service: who is asked.
            traffic: makes the calls.
            book: shared by the crowd.
            expected: verdicts by name, as `strip` leaves them.
            seed: of the order of calls.
        """
        self._service, self._traffic, self._book, self._expected = service, traffic, book, expected
        self._chance = Random(seed)
        # Checks of pictures that nobody else sends.
        self._own: list[str] = []

    def work(self, until: float) -> None:
        """Send calls until a moment of the monotonic clock."""
        while time.monotonic() < until:
            (kind,) = self._chance.choices(list(SHARES), list(SHARES.values()))
            try:
                self._do(kind)
            except (OSError, HTTPException) as error:
                with self._book.lock:
                    self._book.wrong.append(f"{kind}: no answer, {type(error).__name__}")

    def _do(self, kind: str) -> None:
        if kind == "leaves":
            self._leave()
        elif kind == "read":
            self._read()
        elif kind == "forget":
            self._forget()
        else:
            answer = self._send(self._traffic.make(kind, self._chance))
            if kind in ("face", "no face", "clip") and answer.status == 200:
                self._own.append(answer.told["id"])

    def _send(self, call: Call) -> Answer:
        started = time.monotonic()
        answer = self._service.ask(call.method, call.path, call.body, call.content_type)
        expected = self._expected[call.like] if call.like else None
        self._book.judge(call, answer, expected, time.monotonic() - started)
        return answer

    def _read(self) -> None:
        if self._own:
            check_id = self._chance.choice(self._own)
            answer = self._send(Call("read", "GET", f"/v2/checks/{check_id}"))
            with self._book.lock:
                if answer.told != self._book.checks[check_id]:
                    self._book.wrong.append("read: another check than was answered")

    def _forget(self) -> None:
        if self._own:
            check_id = self._own.pop(self._chance.randrange(len(self._own)))
            path = f"/v2/checks/{check_id}"
            self._send(Call("forget", "DELETE", path, status=204))
            for method in ("GET", "DELETE"):
                self._send(Call("forget", method, path, status=404, code="not_found"))
            with self._book.lock:
                del self._book.checks[check_id]

    def _leave(self) -> None:
        """Hang up before the picture is through, or before its answer."""
        body = self._traffic.fresh("no face")
        sent = body if self._chance.random() < 0.3 else body[: len(body) // 2]
        head = (
            f"POST /v2/checks/image HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n"
        )
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._service.port), 10) as connection:
            connection.sendall(head.encode() + b"\r\n" + sent)
        with self._book.lock:
            self._book.counts["leaves"] += 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        seconds: how long the crowd was at work.
        cpu: processor time of the service meanwhile, s.
        memory: what the service held, MB, twice a second.
        peak: the most it held, MB.
        alone: median of a check without a crowd, s, and its processor time.
        status: with which the service ended.
    """

    seconds: float
    cpu: float
    memory: list[float]
    peak: float
    alone: tuple[float, float]
    status: int

    def growth(self) -> tuple[float, float]:
        """Return what was held after the first quarter and at the end, MB: medians of a fifth of the run each."""
        count = len(self.memory)
        fifth = max(count // 5, 1)
        return (
            statistics.median(self.memory[count // 4 : count // 4 + fifth]),
            statistics.median(self.memory[-fifth:]),
        )


def learn(service: Service, traffic: Traffic, book: Book, runs: int) -> tuple[dict[str, Any], tuple[float, float]]:
    """Ask alone, one call after the other.

    Returns:
        The verdicts by name; and the median of a check of a face, s, and its mean processor time.
    """
    calls = {name: Call(name, "POST", "/v2/checks/image", traffic.fresh(name), like=name) for name in traffic.pictures}
    calls["clip"] = Call("clip", "POST", "/v2/checks/frames", traffic.clip(), "application/json", like="clip")
    expected = {}
    for name, call in calls.items():
        answer = service.ask(call.method, call.path, call.body, call.content_type)
        expected[name] = strip(answer.told)
        book.judge(call, answer, expected[name], 0)
    before, times = service.cpu(), []
    for _ in range(runs):
        call = Call("face", "POST", "/v2/checks/image", traffic.fresh("face"), like="face")
        started = time.monotonic()
        answer = service.ask(call.method, call.path, call.body)
        times.append(time.monotonic() - started)
        book.judge(call, answer, expected["face"], times[-1])
    return expected, (statistics.median(times), (service.cpu() - before) / runs)


def press(service: Service, clients: int, seconds: float, alone_runs: int = 20) -> tuple[Book, Outcome]:
    """Let a crowd loose on a service, tell that to end, and hand over the book, not audited yet.

    Args:
        service: fresh, with an empty store.
        clients: how many send at once.
        seconds: how long.
        alone_runs: checks that are timed without a crowd before.
    """
    traffic, book = Traffic(), Book()
    expected, alone = learn(service, traffic, book, alone_runs)
    book.seconds.clear()
    until = time.monotonic() + seconds
    crowd = [Client(service, traffic, book, expected, seed) for seed in range(1, clients + 1)]
    threads = [threading.Thread(target=client.work, args=(until,)) for client in crowd]
    started, cpu, memory = time.monotonic(), service.cpu(), []
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        memory.append(service.memory())
        time.sleep(0.5)
    used, took, peak = service.cpu() - cpu, time.monotonic() - started, service.peak()
    return book, Outcome(took, used, memory, peak, alone, service.stop())
