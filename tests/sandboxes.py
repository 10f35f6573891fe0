"""The sandbox that all tests of a session share, as new for each of them."""

from __future__ import annotations

from typing import Any

from syncline.sandbox.process import SandboxProcess


class SharedSandbox(SandboxProcess):
    """Starts over when the next test first uses it, not before.

    Most tests choose a config of their own first: making the default data, which is large, only to
    throw it away took most of the time of setting a test up.
    """

    _module = "tests.keeping_sandbox"
    _is_used = False

    def start_over(self) -> None:
        """Forget what the last test left, as soon as anybody looks."""
        self._is_used = True

    @property
    def url(self) -> str:
        if self._is_used:
            self.reset()
        return self._url

    @url.setter
    def url(self, url: str) -> None:
        self._url = url

    def reset(self, **config: Any) -> dict[str, Any]:
        self._is_used = False
        return super().reset(**config)

    def keep(self, name: str) -> None:
        """Keep everything as it is now, for `put_back`."""
        self._client.post(f"{self._url}/kept/{name}").raise_for_status()

    def put_back(self, name: str) -> None:
        """Be as at `keep`, whatever happened since."""
        self._client.put(f"{self._url}/kept/{name}").raise_for_status()
        self._is_used = False

    def get(self, path: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        if self._is_used:
            self.reset()
        return super().get(path, params)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self._is_used:
            self.reset()
        return super().post(path, body)
