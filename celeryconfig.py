"""Every Celery setting, and why. `broker_url` and the schedule are added in `workers/app.py`.

The rule behind them: a message only says "look here", and what is owed stands in PostgreSQL. So a
lost message costs one sweep and a doubled one costs nothing; these settings make work prompt, and
the ledger makes it safe.
"""

from __future__ import annotations

from typing import Any

from kombu import Exchange, Queue

from syncline.queues import Lane

# --- Queues: named, and none made by accident -----------------------------------------------------

_EXCHANGE = Exchange("syncline", type="direct")

task_queues = tuple(Queue(lane.queue, _EXCHANGE, routing_key=lane.queue) for lane in Lane)

# Never Celery's own "celery": another program on the same Redis would take our messages.
task_default_queue = Lane.UPKEEP.queue
task_default_exchange = "syncline"
task_default_exchange_type = "direct"
task_default_routing_key = Lane.UPKEEP.queue

# A misspelt queue fails where it is published, instead of filling a list that nobody reads.
task_create_missing_queues = False

# --- Acknowledgement: after the work, never before ------------------------------------------------

# A message stays in Redis' list of unacknowledged ones while its task runs.
task_acks_late = True

# Without it, a message whose worker was killed counts as done. No poison task can loop for ever:
# claims in the ledger decide whether there is anything left to do.
task_reject_on_worker_lost = True

# One waiting message a thread: nothing is hoarded while another worker is idle. 0 is no limit.
worker_prefetch_multiplier = 1

# Messages with a countdown pass by the prefetch limit and wait in the worker's memory.
worker_eta_task_limit = 1000

# --- Results: in PostgreSQL -----------------------------------------------------------------------

result_backend = None
task_ignore_result = True
task_track_started = False

# --- Messages: JSON and nothing else --------------------------------------------------------------

# Pickle would let everybody who can write to Redis run code here.
accept_content = ["json"]
task_serializer = "json"
result_serializer = "json"
event_serializer = "json"

# --- Publishing: short, because the sweep repeats what could not be published ---------------------

task_publish_retry = True
task_publish_retry_policy = {
    "max_retries": 3,
    "interval_start": 0.1,
    "interval_step": 0.3,
    "interval_max": 1.0,
}

# --- The broker -----------------------------------------------------------------------------------

broker_connection_retry = True
broker_connection_retry_on_startup = True

# Workers try for ever: Redis may be away for an hour, and nobody should have to restart them.
broker_connection_max_retries = None

VISIBILITY_TIMEOUT_SECONDS = 60

broker_transport_options: dict[str, Any] = {
    # Keeps our keys apart from whatever else lives in the same Redis.
    "global_keyprefix": "syncline:",
    # A dead worker's messages come back after this time. A task that lasts longer is delivered a
    # second time, which is harmless: claims in the ledger decide. Countdowns must stay below it.
    "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
    # Look every 5 s, every time. By default a scan happens only once in about 100 s. The sweep has
    # repeated the nudge long before.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    # No message has a priority, so a worker waits at one list for each queue and not at four.
    "priority_steps": [0],
    # An idle worker asks again after this many seconds, and has what comes meanwhile at once.
    "polling_interval": 5,
    # Without a time-out, a publish or an acknowledgement on a half-open connection blocks for ever.
    # It must be well above the 5 s for which the server holds each BRPOP.
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    # A repeated LPUSH would double a message, and it turns off publishing in batches.
    "retry_on_timeout": False,
}

# --- Workers --------------------------------------------------------------------------------------

# Calls to an API are waiting, so threads: one HTTP pool and one database pool a process. Threads
# know no time limits; the deadline of every call and PostgreSQL's statement_timeout are the limits.
worker_pool = "threads"

# On SIGTERM (mapped to SIGQUIT by REMAP_SIGTERM): this long for tasks to end by themselves, then
# what has not begun goes back to its queue.
worker_soft_shutdown_timeout = 3.0

# An idle worker may hold messages with a countdown; losing one costs a sweep, waiting costs 3 s at
# every stop.
worker_enable_soft_shutdown_on_idle = False

# Has no effect on threads; said because Celery warns where it is left open.
worker_cancel_long_running_tasks_on_connection_loss = True

# Flower asks workers for their state, and listens to their events. Arguments are ids, never data.
# Ticks send none: see `workers/app.py`.
worker_enable_remote_control = True
worker_send_task_events = True
task_send_sent_event = True

# --- Logs: ours -----------------------------------------------------------------------------------

worker_hijack_root_logger = False
worker_redirect_stdouts = False

# --- Time -----------------------------------------------------------------------------------------

enable_utc = True
timezone = "UTC"

# --- Beat -----------------------------------------------------------------------------------------

# Write down when an entry last ran after each one, so that a crash forgets nothing.
beat_sync_every = 1

# Ticks come every few seconds, so beat may not sleep for longer.
beat_max_loop_interval = 1
