#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stops single threads of a process, and at exact places, by ptrace(2): what signals cannot do.

One JSON object per line on stdin is a request, one on stdout its answer ("error" says why it failed).

  {"op": "stop", "tid": n}                    stop this thread alone
  {"op": "watch", "tid": n, "address": a}     stopped: let it run until it has written the 8 bytes there
  {"op": "wait", "tid": n, "timeout_ms": t}   {"hit": bool}; when hit, the thread stands behind the write
  {"op": "release", "tid": n}                 let it go
  {"op": "kill", "pid": p, "tid": n}          SIGKILL the process of a stopped thread
"""
import ctypes
import json
import os
import signal
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long
POKEUSER, CONT, DETACH, SEIZE, INTERRUPT = 6, 7, 17, 0x4206, 0x4207
WALL = 0x40000000
DEBUG_REGISTERS = 848  # offsetof(struct user, u_debugreg) on x86-64
# DR7: breakpoint 0 enabled for this thread, on writes (01), of 8 bytes (10)
WATCH_WRITE_8 = 1 | 0b01 << 16 | 0b10 << 18


def ptrace(request, tid, address=0, data=0):
    if LIBC.ptrace(request, tid, address, data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace({request:#x}): {os.strerror(number)}")


def stop(tid):
    ptrace(SEIZE, tid)
    ptrace(INTERRUPT, tid)
    os.waitpid(tid, WALL)
    return {}


def watch(tid, address):
    ptrace(POKEUSER, tid, DEBUG_REGISTERS, address)
    ptrace(POKEUSER, tid, DEBUG_REGISTERS + 7 * 8, WATCH_WRITE_8)
    ptrace(CONT, tid)
    return {}


def wait(tid, timeout_ms):
    end = time.monotonic() + timeout_ms / 1000
    while time.monotonic() < end:
        got, status = os.waitpid(tid, WALL | os.WNOHANG)
        if got == tid:
            return {"hit": os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTRAP}
        time.sleep(0.0005)
    return {"hit": False}


def release(tid):
    ptrace(DETACH, tid)
    return {}


def kill(pid, tid):
    os.kill(pid, signal.SIGKILL)
    while True:  # a traced thread is gone, and with it the process, when its tracer has heard of it
        _, status = os.waitpid(tid, WALL)
        if os.WIFSIGNALED(status) or os.WIFEXITED(status):
            return {}


def main():
    LIBC.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG; the threads traced run on when this ends
    operations = {"stop": stop, "watch": watch, "wait": wait, "release": release, "kill": kill}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = operations[request.pop("op")](**request)
        except Exception as error:  # pylint: disable=broad-except
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
