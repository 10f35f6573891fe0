"""`python -m syncline.sandbox`: both APIs on one local port."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError
from starlette.applications import Starlette

from syncline.sandbox.app import create_app
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.highlevel.events.signing import SigningKeys
from syncline.sandbox.keeping.journal import StateError
from syncline.sandbox.server.http import serve


class Make(Protocol):
    """Makes the application that is served."""

    def __call__(self, config: SandboxConfig, keys: SigningKeys | None, *, anew: bool) -> Starlette:
        """As `create_app`."""


def main(make: Make = create_app) -> int:
    """Serve what `make` makes; print one line of JSON with the URL once calls are answered."""
    parser = argparse.ArgumentParser(prog="python -m syncline.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--config", default="{}", help="the sandbox's config as JSON")
    parser.add_argument(
        "--signing-secret", type=Path, metavar="FILE", help="what webhooks' signing follows from"
    )
    parser.add_argument(
        "--anew", action="store_true", help="forget the state that the config's file keeps"
    )
    parser.add_argument(
        "--end-with-stdin", action="store_true", help="stop when standard input is closed"
    )
    options = parser.parse_args()
    try:
        config = SandboxConfig.model_validate_json(options.config)
    except ValidationError as error:
        parser.error(f"--config: {error}")
    secret: Path | None = options.signing_secret
    keys = None if secret is None else SigningKeys(secret.read_text(encoding="utf-8").strip())
    try:
        app = make(config, keys, anew=options.anew)
    except StateError as error:
        parser.exit(1, f"{error} To begin afresh: --anew.\n")
    serve(
        app,
        host=options.host,
        port=options.port,
        on_listening=_announce,
        end_with_stdin=options.end_with_stdin,
    )
    app.state.sandbox.close()
    return 0


def _announce(url: str) -> None:
    sys.stdout.write(json.dumps({"url": url}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
