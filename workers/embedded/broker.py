"""The Redis of an installation: that of the settings, else an embedded one that starts here.

It stands apart from PostgreSQL, since beat and Flower need no more than the broker.
"""

from __future__ import annotations

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from syncline.errors import Unreachable
from syncline.settings import Settings
from workers.embedded.locks import alone
from workers.embedded.redis_server import RedisServer
from workers.embedded.server import ensure_running

_CONNECT_SECONDS = 5


def ensure_redis(settings: Settings) -> str:
    """Find Redis, starting the embedded one where no URL is given; returns its URL.

    Raises:
        Unreachable: the server of the settings does not answer.
        Refused: the embedded one does not start.
    """
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
        _check_redis(url)
        return url
    redis = RedisServer(settings.data)
    with alone(settings.data / "servers.lock"):
        return redis.url(ensure_running(redis))


def _check_redis(url: str) -> None:
    remedy = "Check SYNCLINE_REDIS_URL, or leave it out to use the embedded Redis."
    try:
        client = Redis.from_url(
            url,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_CONNECT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        raise Unreachable("SYNCLINE_REDIS_URL is not a Redis URL.", remedy=remedy) from None
    try:
        with client:
            client.ping()
    except RedisError as error:
        place = client.connection_pool.connection_kwargs.get("host", "the local socket")
        raise Unreachable(
            f"Redis at {place} does not let us in ({error}).", remedy=remedy
        ) from None
