"""A machine to install on: a bare root of a Debian suite, booted by its own systemd in namespaces, without any network but loopback.

The root is made once and kept in build-roots/; a machine writes to a layer in memory, which goes with it.
"""
import contextlib
import fcntl
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from site_under_test import ROOT, wait_for
from terminal import Terminal

ROOTS = ROOT / "build-roots"
TYPED_KEY = "sk-typed-0123456789abcdef"
# What a newcomer answers to `setup`, whose service is a stand-in; Terminal.answer takes these.
ANSWERS_OF_SETUP = [(r"A name for it \[main\]: ", ""), (r"Service type: .*: ", "openai"), (r"API key for .* \(not shown\): ", TYPED_KEY),
                    ("For small tasks.*: ", "tiny"), ("For everything else.*: ", "large")]

# The first process inside: mounts what a machine has, and becomes systemd.
BOOT = r"""
set -e
lower=$1 layer=$2 root=$2/root
mount -t tmpfs -o mode=755 tmpfs "$layer"
mkdir "$layer/upper" "$layer/work" "$root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$layer/upper,workdir=$layer/work" "$root"
rm "$root/usr/sbin/policy-rc.d"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for device in null zero full random urandom tty; do
	touch "$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -p "$root/mnt/host"
ip link set lo up
cd "$root"
pivot_root . mnt/host
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /bin/sh -c 'umount -l /mnt/host; exec /lib/systemd/systemd'
"""


def bare_root(suite, name, *packages, fetched=()):
    """The folder of a root of that suite with these packages, made if it is not there yet; it can install those that were
    fetched without a network."""
    ROOTS.mkdir(exist_ok=True)
    folder = ROOTS / f"{suite}-{name}"
    with open(ROOTS / f"{suite}-{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(["bash", ROOT / "tests/roots.sh", suite, folder, *packages, *(["--", *fetched] if fetched else [])],
                              capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return folder


class Machine:
    def __init__(self, process, first):
        self.process = process
        self.first = first  # its systemd, as the host numbers processes
        self.root = Path(f"/proc/{first}/root")

    def enter(self, *command, namespaces="--all"):
        return ["nsenter", f"--target={self.first}", *namespaces.split(), "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME=/root", "LANG=C.UTF-8", *map(str, command)]

    def run(self, script, input=None, check=True):
        """Run a script as root would type it; its output."""
        done = subprocess.run(self.enter("sh", "-e", "-c", "cd /root; " + script), input=input, capture_output=True, text=True,
                              timeout=120)
        assert not check or done.returncode == 0, (script, done.stdout, done.stderr, self.journal())
        return done.stdout + done.stderr

    def terminal(self, script, user="root", folder="~"):
        """A terminal on which that user has just entered a script."""
        home, path = ("/root", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") if user == "root" else \
            (f"/home/{user}", "/usr/local/bin:/usr/bin:/bin")
        command = self.enter("runuser", "-u", user, "--", "env", f"HOME={home}", f"USER={user}", f"PATH={path}", "TERM=xterm",
                             "bash", "-ec", f"cd {folder}; {script}")
        return Terminal(command, {})

    def journal(self):
        return subprocess.run(self.enter("journalctl", "--no-pager", "-n", "40"), capture_output=True, text=True).stdout

    def copy(self, path, target):
        subprocess.run(self.enter("sh", "-c", f"cat >{shlex.quote(target)}"), input=Path(path).read_bytes(), check=True)

    @contextlib.contextmanager
    def beside(self, *command):
        """A program of the host on the machine's loopback; gives its standard output."""
        process = subprocess.Popen(["nsenter", f"--target={self.first}", "--net", *map(str, command)], stdout=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL, text=True)
        try:
            yield process.stdout
        finally:
            process.terminate()
            process.wait(10)


def child_of(process):
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(found[0]) if found else None


@contextlib.contextmanager
def booted(root):
    """The root as a running machine."""
    layer = tempfile.mkdtemp(prefix="claude-proxy-machine.")
    log = open(layer + ".log", "w")
    command = ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child=KILL",
               "bash", "-c", BOOT, "boot", root, layer]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        def is_up():
            assert process.poll() is None, Path(log.name).read_text()
            first = child_of(process)
            if not first or (Path(f"/proc/{first}/comm").read_text()) != "systemd\n":
                return False
            state = subprocess.run(Machine(process, first).enter("systemctl", "is-system-running"), capture_output=True, text=True)
            return state.stdout.strip() in ("running", "degraded")

        wait_for(is_up, "the machine to boot", 60)
        yield Machine(process, child_of(process))
    finally:
        process.kill()
        process.wait(20)
        log.close()
        os.unlink(log.name)
        with contextlib.suppress(OSError):
            os.rmdir(layer)
