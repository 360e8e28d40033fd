# SPDX-License-Identifier: MIT
"""The clocks of asyncio's event loops. Their timers count on the monotonic clock, which went on while a copy lay in its
image: without help every timer would be due at once. A loop has a clock of its own, loop.time(), so it is that clock that
stands still until the copy begins: timers, and times that the program has noted, keep their distance."""

import gc
import sys


class Loops:
    """Made before the freeze. Between stop() and go_on() no loop's time passes: one that runs in another thread may
    wake in a copy before the hook has returned."""

    def __init__(self):
        self.own = _running()
        self.stopped = []

    def stop(self):
        for loop in _find(self.own):
            real = loop.time
            now = real()
            try:
                loop.time = lambda now=now: now
            except AttributeError:
                continue
            self.stopped.append((loop, real, now))

    def go_on(self, restored):
        """In the original the time that the hook took counts, but for loops that have looked at their clock meanwhile:
        what they have started since then would end early."""
        for loop, real, now in self.stopped:
            if restored or (loop is not self.own and loop.is_running()):
                loop.time = lambda real=real, lost=real() - now: real() - lost
            else:
                loop.time = real


def _running():
    events = sys.modules.get("asyncio.events")
    return events._get_running_loop() if events else None


def _find(own):
    """Objects that the program has given to gc.freeze() cannot be listed: then it is the hook's own loop."""
    base = sys.modules.get("asyncio.base_events")
    if base is None:
        return []
    loops = [thing for thing in gc.get_objects() if issubclass(type(thing), base.BaseEventLoop)]
    if own is not None and isinstance(own, base.BaseEventLoop) and not any(loop is own for loop in loops):
        loops.append(own)
    return [loop for loop in loops if not loop.is_closed()]
