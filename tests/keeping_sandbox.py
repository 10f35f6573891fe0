"""The sandbox of the tests: it can also be set back to what it was at a moment.

`python -m tests.keeping_sandbox` takes the options of `python -m syncline.sandbox`. Besides what
that serves, `POST /kept/NAME` keeps its state under a name, and `PUT /kept/NAME` puts it back.
"""

from __future__ import annotations

import copy
import sys
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from syncline.sandbox.__main__ import main
from syncline.sandbox.app import create_app
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.highlevel.events.signing import SigningKeys
from syncline.sandbox.services import Sandbox

_STATE = (
    *("config", "generator", "store", "faults", "calls"),
    *("limits", "highlevel", "events", "halo"),
)


class Keeper:
    """Keeps what a sandbox consists of; what sends webhooks is one for all and stays."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._kept: dict[str, dict[str, Any]] = {}

    async def keep(self, request: Request) -> Response:
        state = {name: getattr(self._sandbox, name) for name in _STATE}
        self._kept[request.path_params["name"]] = self._copied(state)
        return Response()

    async def put_back(self, request: Request) -> Response:
        sandbox = self._sandbox
        for name, value in self._copied(self._kept[request.path_params["name"]]).items():
            setattr(sandbox, name, value)
        sandbox.outbox.reset(seed=sandbox.config.seed)
        sandbox.halo_sender.start_over(sandbox.halo.tenant)
        for side, gateway in sandbox.gateways.items():
            gateway.close()
            gateway.service = getattr(sandbox, side)
            gateway.limits = sandbox.limits[side]
            gateway.faults, gateway.calls = sandbox.faults, sandbox.calls
        sandbox.gateways["highlevel"].rate_headers = sandbox.highlevel.rate_headers
        return Response()

    def _copied(self, state: dict[str, Any]) -> dict[str, Any]:
        """A copy; the database of its reports, which cannot be copied, is made anew."""
        sandbox = self._sandbox
        reports = vars(state["halo"]).get("_reports")
        shared = (sandbox, sandbox.halo_sender, sandbox.outbox, sandbox.keys, reports)
        copied = copy.deepcopy(state, {id(one): one for one in shared})
        vars(copied["halo"]).pop("_reports", None)
        return copied


def create_keeping_app(
    config: SandboxConfig | None = None, keys: SigningKeys | None = None
) -> Starlette:
    app = create_app(config, keys)
    keeper = Keeper(app.state.sandbox)
    app.routes.append(Route("/kept/{name}", keeper.keep, methods=["POST"]))
    app.routes.append(Route("/kept/{name}", keeper.put_back, methods=["PUT"]))
    return app


if __name__ == "__main__":
    sys.exit(main(create_keeping_app))
