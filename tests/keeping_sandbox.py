"""The sandbox of the tests: it can also be set back to what it was at a moment.

`python -m tests.keeping_sandbox` takes the options of `python -m syncline.sandbox`. Besides what
that serves, `POST /kept/NAME` keeps its state under a name, and `PUT /kept/NAME` puts it back.
"""

from __future__ import annotations

import sys

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from syncline.sandbox.__main__ import main
from syncline.sandbox.app import create_app
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.highlevel.events.signing import SigningKeys
from syncline.sandbox.keeping.journal import packed, unpacked
from syncline.sandbox.services import Sandbox


class Keeper:
    """Keeps what a sandbox consists of; where its events go is of those who start it again."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._kept: dict[str, bytes] = {}

    async def keep(self, request: Request) -> Response:
        self._kept[request.path_params["name"]] = packed(self._sandbox.state)
        return Response()

    async def put_back(self, request: Request) -> Response:
        sandbox = self._sandbox
        sandbox.take(unpacked(self._kept[request.path_params["name"]]))
        sandbox.outbox.reset(seed=sandbox.config.seed)
        return Response()


def create_keeping_app(
    config: SandboxConfig, keys: SigningKeys | None, *, anew: bool = False
) -> Starlette:
    app = create_app(config, keys, anew=anew)
    keeper = Keeper(app.state.sandbox)
    app.routes.append(Route("/kept/{name}", keeper.keep, methods=["POST"]))
    app.routes.append(Route("/kept/{name}", keeper.put_back, methods=["PUT"]))
    return app


if __name__ == "__main__":
    sys.exit(main(create_keeping_app))
