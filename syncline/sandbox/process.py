"""The sandbox as a process of its own, started and steered from Python."""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Literal, Self

import httpx

_STOP_SECONDS = 5.0


class SandboxProcess:
    """Starts `python -m syncline.sandbox` and speaks with its admin API.

    The process ends with this one, whatever ends this one: its standard input is a pipe from here.

    Args:
        port: the port; 0 takes a free one.
        config: the sandbox's config, fields as in `SandboxConfig`.

    Raises:
        RuntimeError: if the process ends before it listens.
    """

    def __init__(self, port: int = 0, **config: Any) -> None:
        command = [sys.executable, "-m", "syncline.sandbox", "--end-with-stdin"]
        command += ["--port", str(port), "--config", json.dumps(config)]
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self.stop()
            raise RuntimeError("the sandbox ended before it listened; its reason is on stderr")
        self.url: str = json.loads(line)["url"]
        self._client = httpx.Client(base_url=f"{self.url}/admin", timeout=60, trust_env=False)

    @property
    def highlevel_url(self) -> str:
        """Base URL of the emulated HighLevel."""
        return f"{self.url}/highlevel"

    @property
    def halo_url(self) -> str:
        """Base URL of the emulated Halo tenant."""
        return f"{self.url}/halo"

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def reset(self, **config: Any) -> dict[str, Any]:
        """Start over with another config: fresh data, empty log, full limits, no faults."""
        return self.post("/reset", config)

    def faults(self, *rules: dict[str, Any], **rule: Any) -> dict[str, Any]:
        """Put these fault rules in place of all others; keywords are one rule, none is no fault.

        Fields as in `syncline.sandbox.faults.Rule`.
        """
        every = [*rules, rule] if rule else list(rules)
        return self.post("/faults", {"rules": every})

    def change_orders(
        self,
        count: int = 0,
        *,
        ids: list[str] | None = None,
        fields: Literal["status", "amount"] = "status",
    ) -> list[str]:
        """Change orders in HighLevel: `count` of those that are owed, or the named ones.

        Returns:
            The ids of the changed orders.
        """
        form = {"count": count, "ids": ids or [], "fields": fields}
        changed: list[str] = self.post("/orders/change", form)["ids"]
        return changed

    def add_orders(self, count: int) -> list[str]:
        """Make new orders, created now; returns their ids."""
        made: list[str] = self.post("/orders/add", {"count": count})["ids"]
        return made

    def change_transactions(
        self,
        count: int = 0,
        *,
        ids: list[str] | None = None,
        what: Literal["refund", "settle", "fail"] = "refund",
    ) -> list[str]:
        """Change transactions in HighLevel: give back, let pending ones succeed, let some fail.

        Returns:
            The ids of the changed ones: those named, else up to `count` that it can be done to.
        """
        form = {"count": count, "ids": ids or [], "what": what}
        changed: list[str] = self.post("/transactions/change", form)["ids"]
        return changed

    def add_transactions(self, count: int, *, orders: list[str] | None = None) -> list[str]:
        """Make new transactions, created now; returns their ids.

        Args:
            count: how many.
            orders: the orders they pay, each once before any a second time; None is all orders.
        """
        form = {"count": count, "orders": orders or []}
        made: list[str] = self.post("/transactions/add", form)["ids"]
        return made

    def change_subscriptions(
        self,
        count: int = 0,
        *,
        ids: list[str] | None = None,
        what: Literal["cancel", "amount", "expire"] = "cancel",
    ) -> list[str]:
        """Change subscriptions in HighLevel: end them, or make them dearer.

        Returns:
            The ids of the changed ones: those named, else up to `count` that it can be done to.
        """
        form = {"count": count, "ids": ids or [], "what": what}
        changed: list[str] = self.post("/subscriptions/change", form)["ids"]
        return changed

    def replay_old(self, ids: list[str], *, reads: int = 1) -> list[str]:
        """Let HighLevel's lists show these as they were before their last change, `reads` times.

        Returns:
            The ids that have an earlier version.
        """
        replayed: list[str] = self.post("/replay", {"ids": ids, "reads": reads})["ids"]
        return replayed

    def audit(self) -> dict[str, Any]:
        """The sandbox's verdict on both stores."""
        return self.get("/audit")

    def calls(self, side: str | None = None, after: int = 0) -> list[dict[str, Any]]:
        """The log of calls with an id above `after`."""
        params = {"side": side or "", "after": str(after)}
        calls: list[dict[str, Any]] = self.get("/calls", params)["calls"]
        return calls

    def counters(self) -> dict[str, Any]:
        """Calls, refusals and the fullest window of each side."""
        return self.get("/counters")

    def get(self, path: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        """Read from the admin API.

        Raises:
            httpx.HTTPStatusError: if it refuses.
        """
        return _document(self._client.get(path, params=params))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Write to the admin API.

        Raises:
            httpx.HTTPStatusError: if it refuses.
        """
        return _document(self._client.post(path, json=body))

    def stop(self) -> None:
        """End the process; stopping twice is harmless."""
        if hasattr(self, "_client"):
            self._client.close()
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _document(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        response.read()
        raise httpx.HTTPStatusError(
            f"the sandbox refused: {response.text[:500]}",
            request=response.request,
            response=response,
        )
    document: dict[str, Any] = response.json()
    return document
