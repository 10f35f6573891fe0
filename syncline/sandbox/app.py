"""The sandbox as one ASGI application: both services and the admin API over one state."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount

from syncline.sandbox.admin.routes import Admin
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.highlevel.events.signing import SigningKeys
from syncline.sandbox.restart import restarted
from syncline.sandbox.services import Sandbox


def create_app(
    config: SandboxConfig | None = None, keys: SigningKeys | None = None, *, anew: bool = False
) -> Starlette:
    """The sandbox's application: `/highlevel`, `/halo` and `/admin`.

    Args:
        config: what it is set to; its state, where it names one, goes on as it was.
        keys: what HighLevel's events are signed with.
        anew: forget the state that was kept.

    Raises:
        StateError: the state cannot be taken up.
    """
    config = config or SandboxConfig()
    if config.state is None:
        sandbox = Sandbox(config, keys=keys)
    else:
        sandbox = restarted(config, Path(config.state), keys, anew=anew)
    app = Starlette(
        routes=[
            # On the real side this is another host than the API's.
            Mount("/highlevel/v2", app=sandbox.marketplace),
            Mount("/highlevel", app=sandbox.side("highlevel")),
            Mount("/halo", app=sandbox.halo_door),
            Mount("/admin", app=Admin(sandbox)),
        ]
    )
    app.state.sandbox = sandbox
    return app
