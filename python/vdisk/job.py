"""Jobs: long operations on threads of the library."""
from __future__ import annotations

import ctypes
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Generic, Iterator, TypeVar

from ._handle import Handle, NoCopies, job_handle
from ._native import PENDING, Options, VdiskError, call_with_error, library, taken
from .outputs import Created, output_of, status_name

if TYPE_CHECKING:
    from types import TracebackType

Output = TypeVar("Output")

_PENDING = "pending"
_SLICE = 0.1  # seconds of waiting after which signal handlers get their turn


@dataclass(frozen=True)
class Status:
    """`operation_status` alone tells completion; the values are a quotient while it is pending."""
    operation_status: str
    current_value: int
    completion_value: int

    @property
    def fraction(self) -> float:
        return self.current_value / max(self.completion_value, 1)


def _seconds(timeout: float | None) -> float:
    seconds = math.inf if timeout is None else float(timeout)
    if math.isnan(seconds):
        raise ValueError("timeout: not a number")
    return max(seconds, 0.0)


class Job(NoCopies, Generic[Output]):
    """A running operation. Every method may be called from several threads.

    As a context manager it ends with the block: canceled if it still runs. Iterating gives a Status
    now and then until the operation has ended.

        with vdisk.convert("a.vhd", "b.vhdx") as job:
            for status in job:
                print(f"{status.fraction:.0%}")
            result = job.wait()
    """

    _handle: Handle

    def __init__(self, start: Callable[..., int], *arguments: Any) -> None:
        pointer = ctypes.c_void_p()
        call_with_error(start, *arguments, ctypes.byref(pointer))
        self._handle = job_handle(pointer)

    def __enter__(self) -> Job[Output]:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()

    def release(self) -> None:
        """Cancels the operation if it still runs, and waits for its thread.

        Threads inside wait() and the like leave first: with VdiskError (canceled), or ValueError
        as every use has afterwards. A signal handler that interrupts such a call cannot wait for
        it: RuntimeError; cancel() always works.
        """
        if hasattr(self, "_handle"):
            self._handle.free()

    @property
    def status(self) -> Status:
        progress = self._handle.call(library.vdisk_job_progress)
        return Status(status_name(progress.operation_status), progress.current_value,
                      progress.completion_value)

    def __iter__(self) -> Iterator[Status]:
        return self.progress()

    def progress(self, interval: float = 0.1) -> Iterator[Status]:
        """A status every `interval` seconds, and the final one. Raises nothing: wait() does."""
        if not interval > 0:
            raise ValueError(f"interval: {interval}, expected more than 0")
        return self._statuses(interval)

    def _statuses(self, interval: float) -> Iterator[Status]:
        while True:
            status = self.status
            yield status
            if status.operation_status != _PENDING:
                return
            end = time.monotonic() + interval
            while self.status.operation_status == _PENDING and time.monotonic() < end:
                self._look(end - time.monotonic())

    def _look(self, seconds: float) -> VdiskError | None:
        """Waits for the end, but no longer than a slice; what was said then, None: success."""
        seconds = min(max(seconds, 0.0), _SLICE)
        error = ctypes.c_void_p()
        status = self._handle.call(library.vdisk_job_wait_for, math.ceil(seconds * 1000),
                                   ctypes.byref(error))
        if status == 0:
            return None
        return taken(status, error)

    def wait(self, timeout: float | None = None) -> Output:
        """The output. Raises VdiskError when the operation failed, TimeoutError in time.

        `timeout` in seconds: None and infinity wait as long as it takes, 0 and less only look.
        Signal handlers run meanwhile, within a tenth of a second; so Ctrl-C ends the waiting.
        """
        end = time.monotonic() + _seconds(timeout)
        while True:
            left = end - time.monotonic()
            failure = self._look(left)
            status, output = self._handle.call(output_of)
            if status == 0:
                result: Output = output
                return result
            if status != PENDING:
                raise self._reason(status, failure)
            if left <= 0:
                raise TimeoutError("the operation has not ended in time")

    def _reason(self, status: int, failure: VdiskError | None) -> VdiskError:
        """The failure with its text; it ended just now where the last look did not see it."""
        code = status_name(status)
        if failure is None or failure.code != code:
            failure = self._look(0)
        if failure is None or failure.code != code:
            return VdiskError(status, f"the operation failed: {code}")
        return failure

    def cancel(self) -> str:
        """"canceled", "already_canceled", or "too_late"."""
        return status_name(self._handle.call(library.vdisk_job_cancel))

    def fileno(self) -> int:
        """Readable when the operation has ended, open until release(): for select and event loops.
        """
        error = ctypes.c_void_p()
        descriptor: int = self._handle.call(library.vdisk_job_event_fd, ctypes.byref(error))
        if descriptor < 0:
            raise taken(library.vdisk_error_status(error), error)
        return descriptor


class Mirror(Job[Created]):
    """A copy that follows a disk; it ends with break_off() or a cancel.

        with vdisk.Disk("disk.vhdx", writable=True) as disk:
            with disk.mirror("copy.vhdx") as mirror:
                disk.write(0, data)
                mirror.break_off()
                mirror.wait()
    """

    def __init__(self, disk: object, handle: Handle, wanted: Options) -> None:
        self._disk = disk  # it must outlive the operation
        self._handle = handle.call(_start_mirror, wanted, handle)

    @property
    def in_step(self) -> bool:
        status = self.status
        return (status.operation_status == _PENDING
                and status.current_value == status.completion_value)

    def break_off(self) -> None:
        """The copy is completed, with every change that returned before, and gets its name."""
        self._handle.call(library.vdisk_mirror_break)


def _start_mirror(disk: ctypes.c_void_p, wanted: Options, keeper: Handle) -> Handle:
    """Inside a call of the disk, so that whoever ends the disk knows the mirror."""
    pointer = ctypes.c_void_p()
    call_with_error(library.vdisk_mirror_start, disk, ctypes.byref(wanted), None,
                    ctypes.byref(pointer))
    return job_handle(pointer, keeper)
