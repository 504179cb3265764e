"""Handles: objects of the library that threads share, and that are freed once, never during a call.

Whoever calls leaves a token in `_inside` before it looks at the state; whoever ends the handle
changes the state before it looks at the tokens. So one of both sees the other, without a lock that
an interrupt (Ctrl-C) between two instructions could leave locked. Tokens go in and out by single
operations of a dict.

Nothing is left to the order in which the garbage collector finds objects: a disk's handle keeps the
handles of its mirrors, and frees them first.
"""
from __future__ import annotations

import atexit
import ctypes
import os
import sys
import threading
import weakref
from typing import Any, Callable

from ._native import VdiskError, library, taken

Pointer = ctypes.c_void_p
_LOOK_AGAIN = 0.1  # seconds


class Handle:
    """One pointer of the library, and the calls that are inside it."""

    def __init__(self, pointer: Pointer, name: str, free: Callable[[Pointer], object],
                 cancel: Callable[[Pointer], object] | None = None,
                 keeper: Handle | None = None) -> None:
        self.dependents: set[Handle] = set()  # freed before this one
        self._pointer: Pointer | None = pointer
        self._name = name
        self._free = free
        self._cancel = cancel
        self._keeper = keeper
        self._process = os.getpid()
        self._inside: dict[object, int] = {}
        self._left = threading.Event()
        self._ending = False
        self._lock = threading.RLock()  # of whoever ends the handle
        _living.add(self)
        if keeper is not None:
            keeper.dependents.add(self)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """function(pointer, *arguments). Raises ValueError when the handle has ended."""
        while True:
            token = object()
            try:
                self._inside[token] = threading.get_ident()
                pointer = self._pointer
                if pointer is not None and not self._ending:
                    return function(pointer, *arguments)
            finally:
                self._inside.pop(token, None)
                if self._ending:
                    self._left.set()
            with self._lock:  # whether it really ends is known then: a mirrored disk stays open
                if self._pointer is None or self._ending:
                    raise ValueError(f"the {self._name} is closed")

    def checked_call(self, function: Callable[..., int], *arguments: Any) -> None:
        """The same for a function that ends with a vdisk_error **; raises what it reports."""
        error = ctypes.c_void_p()
        status = self.call(function, *arguments, ctypes.byref(error))
        if status != 0:
            raise taken(status, error)

    def free(self) -> None:
        """Cancels, waits until all calls have returned, and frees. A second time: nothing."""
        self.end(self._free_all, self._cancel)

    def end(self, finish: Callable[[Pointer], None],
            prepare: Callable[[Pointer], object] | None = None) -> None:
        """Runs `finish` when no call is inside any more; refused as operation_in_progress, the
        handle stays."""
        if self._process != os.getpid():
            self._pointer = None  # after a fork: the threads and the file belong to the parent
            return
        with self._lock:
            pointer = self._pointer
            if pointer is None or self._ending:
                return
            self._ending = True
            try:
                if prepare is not None:
                    prepare(pointer)
                if not self._wait_until_left():
                    return
                self._pointer = None  # before: an interrupt may lose it, never free it twice
                finish(pointer)
            except VdiskError as error:
                if error.code == "operation_in_progress":
                    self._pointer = pointer
                raise
            finally:
                self._ending = False

    def _wait_until_left(self) -> bool:
        """False where nobody can leave any more: the interpreter ends, and its threads stand."""
        while True:
            self._left.clear()
            inside = list(self._inside.values())
            if not inside:
                return True
            if sys.is_finalizing():
                return False
            if threading.get_ident() in inside:  # a signal handler
                raise RuntimeError(f"the {self._name} is in use by the thread that ends it")
            self._left.wait(_LOOK_AGAIN)

    def _free_all(self, pointer: Pointer) -> None:
        for dependent in list(self.dependents):
            dependent.free()
        self._free(pointer)
        if self._keeper is not None:
            self._keeper.dependents.discard(self)


def disk_handle(pointer: Pointer) -> Handle:
    return Handle(pointer, "disk", library.vdisk_disk_free)


def job_handle(pointer: Pointer, keeper: Handle | None = None) -> Handle:
    return Handle(pointer, "job", library.vdisk_job_free, library.vdisk_job_cancel, keeper)


_living: weakref.WeakSet[Handle] = weakref.WeakSet()


@atexit.register
def _free_living() -> None:
    """While threads that are inside can still leave."""
    for handle in list(_living):
        handle.free()


class NoCopies:
    """Base of what owns a handle: a copy would free it a second time."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} can be neither copied nor pickled")
