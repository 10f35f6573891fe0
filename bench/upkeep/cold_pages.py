"""What it costs to touch memory that has rested: on some virtual machines most of an idle program.

Hosts that take rested memory back from their guests hand each page over again when it is touched.
The guest counts that as its own CPU. An idle installation wakes every second or two, so there all
of its memory has rested, and `idle_cpu_percent` says more about the machine than about syncline.
"""

from __future__ import annotations

import time

PAGES = 10_000
PAGE_BYTES = 4096
REST_SECONDS = 2.0


def cold_page_microseconds() -> float:
    """CPU of touching one page that rested for two seconds; about 0.1 where memory stays."""
    memory = bytearray(PAGES * PAGE_BYTES)
    _touch(memory)
    time.sleep(REST_SECONDS)
    return round(_touch(memory) / PAGES * 1e6, 2)


def _touch(memory: bytearray) -> float:
    began = time.process_time()
    for at in range(0, len(memory), PAGE_BYTES):
        memory[at] = 1
    return time.process_time() - began
