"""Faults of the machine that tests make: a disk that is full, a clock that is wrong, a network without an answer."""
import contextlib
import glob
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from hostile import SANITIZED
from site_under_test import wait_for


def may(*command):
    return subprocess.run(command, capture_output=True).returncode == 0


# ---- the disk ----

@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of so many bytes on the folder; False where we may not make one."""
    folder.mkdir(exist_ok=True)
    mounted = os.geteuid() == 0 and may("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder)
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)


@contextlib.contextmanager
def full(folder, process_ids, mounted):
    """Nothing more can be written there while the block runs; for want of a disk of its own, no file of these processes may grow."""
    if mounted:
        filler = folder / "filler"
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        try:
            yield
        finally:
            filler.unlink()
        return
    size = max(entry.stat().st_size for entry in folder.iterdir())
    for process in process_ids:
        limit_files(process, size)
    try:
        yield
    finally:
        for process in process_ids:
            with contextlib.suppress(ProcessLookupError):
                limit_files(process, resource.RLIM_INFINITY)


def limit_files(process, size):
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.prlimit(process, resource.RLIMIT_FSIZE)[1]))


# ---- the clock ----

class Clock:
    """The clock of processes with this environment: `set` moves it, as "+3d" or "-1h".  Durations are measured by another one."""

    library = None if SANITIZED else next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)

    def __init__(self, folder):
        self.file = folder / "clock"
        self.environment = {"LD_PRELOAD": self.library, "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1"} if self.library else {}
        self.set("+0")

    def set(self, offset):
        # At once: a process may read it at any moment.
        fresh = self.file.with_suffix(".new")
        fresh.write_text(offset + "\n")
        os.replace(fresh, self.file)


# ---- the network ----

USER = () if os.geteuid() == 0 else ("--map-root-user",)
ENTER = """ip link set lo up && mount --bind "$0" /etc/resolv.conf && exec "$@" """
LISTEN = ("import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.77', 53)); "
          "print(flush=True); sys.stdin.read()")


def may_make_networks():
    return shutil.which("ip") and may("unshare", *USER, "--net", "--mount", "true")


def in_network_with(resolv_conf):
    """The words before a command that runs in a network of its own, where names are looked up as this file says."""
    return ["unshare", *USER, "--net", "--mount", "sh", "-c", ENTER, str(resolv_conf)]


def beside(process):
    """The words before a command that runs in the network of that process, which must have entered it by now."""
    comm = Path(f"/proc/{process.pid}/comm")
    wait_for(lambda: comm.read_text().startswith("claude-proxy"), "the responder to run in its network")
    return ["nsenter", f"--target={process.pid}", "--net", *(["--user", "--preserve-credentials"] if USER else [])]


@contextlib.contextmanager
def silent_name_server(process):
    """In that process's network, at 127.0.0.77."""
    server = subprocess.Popen([*beside(process), sys.executable, "-c", LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        server.stdout.readline()
        yield
    finally:
        server.stdin.close()
        server.stdout.close()
        server.wait()
