"""Processes that look into images, one image after the other.

Reading layers keeps a processor busy: in a thread it would hold up the other targets, and the
clock of what is measured on running containers. So that the containers have processors too, there
is one process for every two of them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from tasks.core import errors, waiting
from tasks.core.command import SIGNALS, translated
from tasks.core.errors import Interrupted, OutOfReach, SlipwayError
from tasks.core.verifying import looking
from tasks.core.verifying.looking import Job, Looked

SLICE_SECONDS = 0.2
#: How long a process may take to notice SIGTERM: while it starts, it may still be deaf to it.
END_SECONDS = 2
#: The containers come first, whose start and answers are timed; reading takes what they leave.
NICENESS = 10
_AUTOGROUP = Path("/proc/self/autogroup")
#: How often the kernel is told that, as long as it does not hear, and after which time again.
ATTEMPTS, ATTEMPT_SECONDS = 200, 0.15


def size() -> int:
    """How many images are read at the same time."""
    return max(1, (os.cpu_count() or 1) // 2)


class Crew:
    """The processes of one run; none is left when it ends."""

    def __init__(self) -> None:
        self._ended = False
        self._idle: list[_Worker] = []
        self._workers: list[_Worker] = []
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(size())

    def begin(self, images: int) -> None:
        """Start them, while there is no other thread that a fork would lose; else when needed."""
        while _can_fork() and len(self._workers) < min(size(), images):
            self._workers.append(_worker())
            self._idle.append(self._workers[-1])

    def start(self, job: Job) -> Work:
        """Have it done when one of the processes is free; ask for the result when it is needed."""
        with self._lock:
            if self._ended:
                raise Interrupted("interrupted")
            return Work(self._pool.submit(self._do, job))

    def end(self) -> None:
        """End what still runs."""
        with self._lock:
            self._ended = True
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(END_SECONDS)
            worker.process.kill()
            worker.process.join()
        self._pool.shutdown(cancel_futures=True)

    def _do(self, job: Job) -> Looked:
        worker = self._free()
        looked = worker.ask(job)
        self._idle.append(worker)  # one that failed may have ended: the next job gets another
        return looked

    def _free(self) -> _Worker:
        with self._lock:
            if self._ended:
                raise Interrupted("interrupted")
            if self._idle:
                return self._idle.pop()
            worker = _worker()
            self._workers.append(worker)
            return worker


@dataclass(frozen=True)
class Work:
    """One image that is being looked into."""

    looked: Future[Looked]

    def result(self) -> Looked:
        """Wait for the end. Raises what looking raised."""
        try:
            return waiting.result(self.looked)
        except CancelledError:
            raise Interrupted("interrupted") from None


@dataclass(frozen=True)
class _Worker:
    """One process, and the pipe to it."""

    connection: Connection
    process: BaseProcess

    def ask(self, job: Job) -> Looked:
        """Give it a job, and wait for the answer. Raises what the process raised."""
        try:
            # Not as an argument: those of a process that is spawned lie in a file for a moment.
            self.connection.send(job)
            while not self.connection.poll(SLICE_SECONDS):
                pass
            answer: Looked | tuple[str, str] = self.connection.recv()
        except (EOFError, OSError):
            raise self._gone(job) from None
        if isinstance(answer, Looked):
            return answer
        kind, message = answer
        raise _error(kind, message)

    def _gone(self, job: Job) -> SlipwayError:
        self.process.join()
        code = self.process.exitcode
        if code is not None and code < 0 and -code == signal.SIGTERM:
            return Interrupted("interrupted")
        return OutOfReach(
            f"{job.target}: reading the image ended early ({_ending(code)}); is there enough "
            "memory?"
        )


@contextmanager
def crew(images: int) -> Iterator[Crew]:
    """A crew for so many images; whatever happens inside, none of its processes is left."""
    current = Crew()
    try:
        current.begin(images)
        yield current
    finally:
        current.end()


def _can_fork() -> bool:
    """Whether a process can be a copy of this one: it has all modules, which takes half a second.

    Libraries of macOS do not bear that, nor does a lock that another thread holds.
    """
    return sys.platform == "linux" and threading.active_count() == 1


def _worker() -> _Worker:
    fork = _can_fork()
    context = get_context("fork") if fork else get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)
    if not fork:
        resource_tracker.ensure_running()  # when it is started, it lifts what `_start` blocks
    _start(process, SIGNALS if fork else (signal.SIGINT,))
    theirs.close()
    return _Worker(ours, process)


def _start(process: BaseProcess, deaf: Iterable[signal.Signals]) -> None:
    """Start it ``deaf`` to signals, until it knows what to do with them.

    Ctrl-C, which a terminal sends to all, would print a traceback; and a copy has the handlers of
    a task at first, who would not let it go.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, deaf)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection) -> None:
    """What the process does. Ctrl-C is its parent's business, who then ends it."""
    _stand_back()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(BrokenPipeError, EOFError):  # nobody asks any more
        while True:
            connection.send(_answer(connection.recv()))


def _stand_back() -> None:
    """Leave the processors to others.

    Linux may share them out among sessions first (see autogroup in sched(7)), and niceness counts
    within one alone: so this process gets its own, as nice as itself. A terminal's Ctrl-Z does not
    reach it there: it goes on with its image, and waits.
    """
    nice = os.nice(NICENESS)
    if _AUTOGROUP.exists():
        os.setsid()
        threading.Thread(target=_tell, args=(nice,), daemon=True).start()


def _tell(nice: int) -> None:
    """Tell the kernel how nice the session is. Of who is not root it hears one in 0.1 s.

    Where it never listens, or something forbids that, only time is lost: reading takes as large a
    share as another session then, and what is timed beside it may take longer.
    """
    for _ in range(ATTEMPTS):
        try:
            _AUTOGROUP.write_text(str(nice))
            return
        except BlockingIOError:
            time.sleep(ATTEMPT_SECONDS)
        except OSError:
            return


def _answer(job: Job) -> Looked | tuple[str, str]:
    """What was found, or the kind and the text of the error."""
    try:
        with translated():
            return looking.look(job)
    except SlipwayError as error:
        return type(error).__name__, str(error)


def _end_with_parent() -> None:
    """A parent that was killed ends nobody: its children would read on to the end."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _error(kind: str, message: str) -> SlipwayError:
    known: Iterable[type[SlipwayError]] = SlipwayError.__subclasses__()
    made = next((each for each in known if each.__name__ == kind), errors.SlipwayError)
    return made(message)


def _ending(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit {code}"
