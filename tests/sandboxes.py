"""The sandbox that all tests of a session share, as new for each of them."""

from __future__ import annotations

from typing import Any

from syncline.sandbox.process import SandboxProcess

_NEW = "as-new"


class SharedSandbox(SandboxProcess):
    """Starts over when the next test first uses it, not before.

    Most tests choose a config of their own first: making the default data, which is large, only to
    throw it away took most of the time of setting a test up.
    """

    _program = ("-m", "tests.keeping_sandbox")
    _is_used = False
    _is_kept_as_new = False

    def start_over(self) -> None:
        """Forget what the last test left, as soon as anybody looks."""
        self._is_used = True

    @property
    def url(self) -> str:
        if self._is_used:
            self._be_as_new()
        return self._url

    @url.setter
    def url(self, url: str) -> None:
        self._url = url

    def reset(self, **config: Any) -> dict[str, Any]:
        self._is_used = False
        return super().reset(**config)

    def _be_as_new(self) -> None:
        """With the default data, which are made once: to make them takes a quarter of a second."""
        if self._is_kept_as_new:
            self.put_back(_NEW)
            return
        self.reset()
        self.keep(_NEW)
        self._is_kept_as_new = True

    def keep(self, name: str) -> None:
        """Keep everything as it is now, for `put_back`."""
        self._client.post(f"{self._url}/kept/{name}").raise_for_status()

    def put_back(self, name: str) -> None:
        """Be as at `keep`, whatever happened since."""
        self._client.put(f"{self._url}/kept/{name}").raise_for_status()
        self._is_used = False

    def get(self, path: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        if self._is_used:
            self._be_as_new()
        return super().get(path, params)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self._is_used:
            self._be_as_new()
        return super().post(path, body)
