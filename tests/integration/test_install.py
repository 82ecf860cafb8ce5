"""What comes with the programs: manual pages, completion, installation, service files, tarballs."""
import os
import re
import shlex
import shutil
import signal
import subprocess
import tarfile
import time

import pytest

from site_under_test import ACCESS_KEY, BUILD, ROOT, program, wait_for
from upstream import models, parts

ADMIN = BUILD / "claude-proxy-admin"
PAGES = [ROOT / "cli/claude-proxy-admin.1", ROOT / "fcgi/claude-proxy.fcgi.8", ROOT / "fcgi/claude-proxy.env.5",
         ROOT / "fcgi/claude-proxy.7"]
COMPLETION = ROOT / "cli/claude-proxy-admin.bash"

# What is not about the programs' own work is tested once, with the programs that are installed.
plain_build = pytest.mark.skipif("-address" in BUILD.name or "-thread" in BUILD.name, reason="only in the plain build")
has_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="a system without systemd")


def output(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


# ---- what there is to document ----

def commands():
    """The commands by name, with their arguments, as --help lists them."""
    found = dict(re.findall(r"^  ([a-z]+) *(.*)\n {12}\S", output(ADMIN, "--help"), re.M))
    assert len(found) >= 15
    return found


def settings():
    found = re.findall(r'(?:\{|_ROW\()"([A-Z_]{4,})"', (ROOT / "fcgi/base/settings/settings.c").read_text())
    assert len(found) >= 23
    return found


def service_types():
    found = re.findall(r'\.name = "([a-z-]+)"', (ROOT / "fcgi/upstream/service.c").read_text())
    assert len(found) >= 5
    return found


def options_of_upstreams():
    found = re.findall(r"^  ([a-z][a-z.<>N-]+) ", output(ADMIN, "set", "--help").replace("<Name>", "").replace("<member>", ""), re.M)
    assert len(found) >= 6
    return found


def read_page(page):
    """The page as it is read: a line for each heading and item, words as they are printed."""
    return re.sub(".\b", "", output("mandoc", "-T", "utf8", "-O", "width=200", page))


# ---- manual pages ----

@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_manual_page_is_well_formed(page):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_page_of_the_admin_command_is_complete():
    text = read_page(PAGES[0])
    for name, arguments in commands().items():
        assert re.search(rf"^ +{name}\b", text, re.M), name
        details = output(ADMIN, name, "--help")
        for option in re.findall(r"--[a-z]+", arguments + details):
            assert option in text, (name, option)
    for word in options_of_upstreams() + service_types() + re.findall(r"[a-z-]+", commands()["balance"]):
        assert word in text, word
    for action in re.findall(r"[a-z]+", commands()["key"].split("> <")[1]):
        assert re.search(rf"^ +key name \| index {action}\b", text, re.M), action


def test_the_page_of_the_responder_has_every_path():
    text = read_page(PAGES[1])
    paths = re.findall(r'^\t\{ENDPOINT_.*"(/[a-z0-9/_]+)"', (ROOT / "fcgi/http/router.c").read_text(), re.M)
    assert len(paths) >= 6
    for path in paths:
        assert path in text, path


def test_the_page_of_the_settings_has_every_setting():
    text = read_page(PAGES[2])
    for name in settings() + ["CLAUDE_PROXY_ENV", "HOST"]:
        assert re.search(rf"\b{name}\b", text), name


def test_the_pages_name_each_other():
    for page in PAGES:
        for name, section in re.findall(r"^\.Xr (\S+) ([0-9])", page.read_text(), re.M):
            assert f"{name}.{section}" in {p.name for p in PAGES}, (page, name)


# ---- completion ----

class Shell:
    """A bash with the completion, whose words are divided as readline divides them."""

    def __init__(self, site):
        self.site = site

    def complete(self, line, **env):
        words = re.findall(r"(?:\\.|[^\s:=\\])+|[:=]+", line) + ([""] if line.endswith(" ") else [])
        script = f"source {COMPLETION}\n" + """
            COMP_LINE=$1 COMP_POINT=${#1}; shift
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _claude_proxy_admin
            [[ ${#COMPREPLY[@]} = 0 ]] || printf '%s\\n' "${COMPREPLY[@]}"
        """
        env = {**self.site.environment(LC_ALL="C.UTF-8"), **env}
        env["PATH"] = f"{BUILD}:{env['PATH']}"
        return output("bash", "-u", "-c", script, "bash", line, *words, env=env, cwd=self.site.folder).splitlines()


@pytest.fixture
def shell(site):
    return Shell(site)


def test_bash_completes_commands_and_words(shell):
    assert set(shell.complete("claude-proxy-admin ")) == set(commands()) | {"--help", "--version"}
    assert shell.complete("claude-proxy-admin tr") == ["translate"]
    assert set(shell.complete("claude-proxy-admin add x https://a.example/v1?a=b ")) == set(service_types())
    assert shell.complete("claude-proxy-admin add x http://a openai-") == ["openai-responses"]
    assert set(shell.complete("claude-proxy-admin balance ")) == {"round-robin", "random", "failover"}
    assert shell.complete("claude-proxy-admin key main e") == ["enable"]
    assert set(shell.complete("claude-proxy-admin set main ")) == set(options_of_upstreams())
    assert set(shell.complete("claude-proxy-admin set main reasoning ")) == {"auto", "off"}
    assert set(shell.complete("claude-proxy-admin usage --by ")) == {"upstream", "key", "model", "day"}
    assert shell.complete("claude-proxy-admin usage --since 24h --by m") == ["model"]
    assert set(shell.complete("claude-proxy-admin translate --to ")) == set(service_types())
    assert shell.complete("claude-proxy-admin add main ") == []
    assert len(shell.complete("claude-proxy-admin add ")) >= 20
    assert shell.complete("claude-proxy-admin nonsense ") == []


def test_bash_completes_the_options_of_each_command(shell):
    listing = {"show", "key", "route", "usage", "test", "doctor", "learned", "search"}
    for name, arguments in commands().items():
        wanted = set(re.findall(r"--[a-z]+", arguments)) | {"--help"} | ({"--json"} if name in listing else set())
        wanted |= {"--upstream", "--first", "--before"} if name == "route" else {"--command"} if name == "key" else set()
        assert set(shell.complete(f"claude-proxy-admin {name} --")) == wanted, name


def test_bash_completes_names_and_never_makes_a_database(shell, site):
    assert shell.complete("claude-proxy-admin use ") == []
    assert not site.database.parent.exists()
    for name in ("main", "my \"own\" $(touch bad)", "größte"):
        site.admin("add", name, "https://a.example", "openai")
    site.admin("key", "main", "add", "sk-0123456789abcdef", "sk-1123456789abcdef")
    site.admin("route", "add", "claude-*", "gpt-4o")
    quoted = "my\\ \\\"own\\\"\\ \\$\\(touch\\ bad\\)"
    assert shell.complete("claude-proxy-admin use ") == ["main", quoted, "größte"]
    assert shell.complete("claude-proxy-admin use my\\ ") == [quoted]
    assert set(shell.complete("claude-proxy-admin add ol")) == {"ollama"}
    for line in ("remove m", "key m", "set m", "test m", "route add a b --upstream m", "set main fallback m"):
        assert shell.complete("claude-proxy-admin " + line) == ["main", quoted], line
    assert shell.complete("claude-proxy-admin key main remove ") == ["0", "1"]
    assert shell.complete("claude-proxy-admin key --json main disable 1") == ["1"]
    assert shell.complete("claude-proxy-admin key main add ") == []
    for line in ("remove ", "move ", "add x y --before ", "move 0 --before "):
        assert shell.complete(f"claude-proxy-admin route {line}") == ["0"], line
    assert not (site.folder / "bad").exists()


ZSH = """
    compadd() { [[ $1 == -a ]] && { shift; set -- ${(P)1} }; [[ $1 == -- ]] && shift; print -rl -- "$@" }
    _describe() { local each; for each in ${(P)2}; do print -r -- ${each%%:*}; done }
    _files() { print FILES }
    words=("$@") CURRENT=$# service=$1
    set --
    source $COMPLETION_FILE
"""


def once(words):
    """The words, each of which was offered once."""
    assert len(words) == len(set(words)), words
    return set(words)


@pytest.fixture(params=["zsh", "fish"])
def other_shell(request, site):
    """Completes a line; a list of words."""
    if not shutil.which(request.param):
        pytest.skip(f"no {request.param} here")
    env = {**site.environment(LC_ALL="C.UTF-8", HOME=site.folder), "COMPLETION_FILE": str(COMPLETION.with_suffix(f".{request.param}"))}
    env["PATH"] = f"{BUILD}:{env['PATH']}"

    def complete(line):
        if request.param == "fish":
            found = output("fish", "--no-config", "-c", "source $COMPLETION_FILE; complete -C $argv[1]", line, env=env).splitlines()
            return once([word.split("\t")[0] for word in found])
        words = line.split(" ")
        return once([word for word in output("zsh", "-f", "-c", ZSH, "zsh", *words, env=env).splitlines() if word.startswith(words[-1])])

    return complete


def test_zsh_and_fish_complete_as_bash_does(other_shell, shell, site):
    for name in ("main", "other"):
        site.admin("add", name, "https://a.example", "openai")
    site.admin("key", "main", "add", "sk-0123456789abcdef", "sk-1123456789abcdef")
    site.admin("route", "add", "claude-*", "gpt-6-luna")
    assert other_shell("claude-proxy-admin ") - {"--help", "--version"} == set(commands())
    for line in ("use ", "use m", "key main ", "key main remove ", "key main add ", "add ol", "add x http://a ", "balance ",
                 "route ", "route move ", "route add x ", "route add x y --before ", "set main ", "set main reasoning ", "set main auth ", "set main images ",
                 "set main fallback ", "set main search ", "search ", "search t", "usage --by ", "translate --to ", "test "):
        wanted = set(shell.complete(f"claude-proxy-admin {line}"))
        assert other_shell(f"claude-proxy-admin {line}") - {"FILES"} == wanted, line
    for name in commands():
        wanted = set(shell.complete(f"claude-proxy-admin {name} --"))
        assert other_shell(f"claude-proxy-admin {name} --") - {"--version"} == wanted, name


# ---- make install ----

def make(*arguments, folder=ROOT, **options):
    """Run make as a user does, with the programs that were built already."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", "-s", *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=500, **options)


def made(*arguments, **options):
    done = make(f"BUILD={os.path.relpath(BUILD, ROOT)}", *arguments, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture
def installed(tmp_path):
    prefix = tmp_path / "opt"
    made("install", f"PREFIX={prefix}")
    return prefix


@plain_build
def test_install_and_uninstall_leave_what_others_put_there(tmp_path):
    root = tmp_path / "a root"
    others = {"usr/bin/other", "usr/share/doc/other/README", "usr/lib/systemd/system/other.service", "usr/share/man/man1/other.1"}
    for name in others:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    folders = {path for path in root.rglob("*") if path.is_dir()}
    made("install", f"DESTDIR={root}", "PREFIX=/usr", umask=0o077)
    ours = {path: path.stat().st_mode & 0o777 for path in root.rglob("*") if str(path.relative_to(root)) not in others
            and not path.is_dir()}
    assert {str(path.relative_to(root)) for path, mode in ours.items() if mode == 0o755} == {
        "usr/bin/claude-proxy-admin", "usr/lib/claude-proxy/claude-proxy.fcgi"}
    texts = {str(path.relative_to(root / "usr")) for path, mode in ours.items() if mode == 0o644}
    assert texts >= {"share/man/man1/claude-proxy-admin.1", "share/man/man8/claude-proxy.fcgi.8",
                     "share/man/man5/claude-proxy.env.5", "share/man/man7/claude-proxy.7",
                     "share/bash-completion/completions/claude-proxy-admin", "share/zsh/site-functions/_claude-proxy-admin",
                     "share/fish/vendor_completions.d/claude-proxy-admin.fish", "share/doc/claude-proxy/LICENSE",
                     "share/doc/claude-proxy/README.md", "share/doc/claude-proxy/examples/lighttpd.conf.example",
                     "lib/systemd/system/claude-proxy.service", "lib/systemd/system/claude-proxy.socket",
                     "lib/sysusers.d/claude-proxy.conf"}
    assert len(texts) + 2 == len(ours)
    assert texts >= {f"share/doc/claude-proxy/examples/{path.name}" for path in (ROOT / "fcgi/deploy").glob("*.example")}
    for path in root.rglob("*"):
        assert not path.is_dir() or path in folders or path.stat().st_mode & 0o777 == 0o755, path
    made("uninstall", f"DESTDIR={root}", "PREFIX=/usr")
    assert files_below(root) == others
    assert not [path for path in root.rglob("*") if "claude-proxy" in path.name]


@plain_build
def test_what_is_installed_knows_where(installed):
    assert output(installed / "bin/claude-proxy-admin", "--version").startswith("claude-proxy-admin ")
    for name in ("lib/systemd/system/claude-proxy.service", "share/doc/claude-proxy/examples/lighttpd.conf.example",
                 "share/man/man8/claude-proxy.fcgi.8"):
        assert f"{installed}/lib/claude-proxy/claude-proxy.fcgi" in (installed / name).read_text(), name
        assert "/usr/local/" not in (installed / name).read_text(), name


@plain_build
@pytest.mark.parametrize("prefix", ["usr", "/opt/a b", "/opt/a|b", ""])
def test_a_prefix_that_cannot_be_written_into_files_is_refused(tmp_path, prefix):
    done = make(f"BUILD={os.path.relpath(BUILD, ROOT)}", "install", f"PREFIX={prefix}", f"DESTDIR={tmp_path}/root")
    assert done.returncode != 0 and "PREFIX" in done.stderr
    assert list(tmp_path.iterdir()) == []


# ---- systemd ----

@plain_build
@has_systemd
def test_systemd_finds_no_fault_in_the_units(installed):
    units = installed / "lib/systemd/system"
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "claude-proxy.service", "claude-proxy.socket"],
                          env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"}, capture_output=True, text=True)
    assert done.returncode == 0 and "claude-proxy" not in done.stderr, done.stderr
    for page in re.findall(r"man:([a-z.-]+)\(([0-9])\)", (units / "claude-proxy.service").read_text()):
        assert (installed / f"share/man/man{page[1]}/{page[0]}.{page[1]}").exists()
    socket_path = re.search(r"ListenStream=(.*)", (units / "claude-proxy.socket").read_text())[1]
    assert socket_path == "/run/claude-proxy/claude-proxy.sock"


@plain_build
@has_systemd
def test_the_service_may_do_little(installed):
    report = output("systemd-analyze", "security", "--offline=true", "--no-pager",
                    installed / "lib/systemd/system/claude-proxy.service")
    exposure = float(re.search(r"Overall exposure level for claude-proxy.service: ([0-9.]+)", report)[1])
    assert exposure < 2.0, report


@plain_build
@has_systemd
def test_the_user_of_the_service_can_be_made(installed, tmp_path):
    (tmp_path / "root/etc").mkdir(parents=True)
    output("systemd-sysusers", f"--root={tmp_path}/root", installed / "lib/sysusers.d/claude-proxy.conf")
    user = (tmp_path / "root/etc/passwd").read_text()
    assert re.search(r"^claude-proxy:.*:/var/lib/claude-proxy:/usr/sbin/nologin$", user, re.M)
    service = (installed / "lib/systemd/system/claude-proxy.service").read_text()
    assert "User=claude-proxy\n" in service and "StateDirectory=claude-proxy\n" in service


def behind_nginx(site, command, env, **options):
    """The site behind nginx, its responder started by ${command}."""
    site.fastcgi = lambda: site.running(command, env, wait_path=None, **options)
    return site.nginx()


@plain_build
@has_systemd
def test_systemd_may_hold_the_socket(site, upstream):
    site.use(upstream)
    command = ["systemd-socket-activate", "--inetd", "-l", site.folder / "fcgi.sock"]
    for name, value in site.environment().items():
        command.append(f"--setenv={name}={value}")
    with behind_nginx(site, [*command, BUILD / "claude-proxy.fcgi"], os.environ) as responder:
        assert site.ask()["content"][0]["text"] == "Hello there"
        assert site.stream()[-1]["type"] == "message_stop"
        responder.terminate()
        assert responder.wait(20) == 0


def calls_in(group):
    """The system calls of a group of systemd's, such as @system-service."""
    found = set()
    for line in output("systemd-analyze", "syscall-filter", group).splitlines():
        word = line.split("#")[0].strip()
        if word.startswith("@") and word != group:
            found |= calls_in(word)
        elif word and word != group:
            found.add(word)
    return found


def calls_allowed(unit):
    allowed = set()
    for sign, groups in re.findall(r"^SystemCallFilter=(~?)(.*)$", unit, re.M):
        for group in groups.split():
            allowed = allowed - calls_in(group) if sign else allowed | calls_in(group)
    assert len(allowed) > 100
    return allowed


@plain_build
@has_systemd
def test_the_service_is_allowed_every_system_call_that_it_makes(site, upstream, tmp_path):
    """All that a plain run makes: start, FastCGI, SQLite, TLS-less transfers, threads, reload, stop."""
    trace = tmp_path / "trace"
    if not shutil.which("strace") or subprocess.run(["strace", "-o", trace, "true"], capture_output=True).returncode != 0:
        pytest.skip("nothing may be traced here")
    site.use(upstream)
    command = ["strace", "-f", "-qq", "-e", "signal=none", "-o", trace, BUILD / "claude-proxy.fcgi"]
    with site.listener() as listener, behind_nginx(site, command, site.environment(), stdin=listener) as tracer:
        assert site.ask()["content"][0]["text"] == "Hello there"
        assert site.stream()[-1]["type"] == "message_stop"
        responder = site.responders(tracer)[0]
        os.kill(responder, signal.SIGHUP)
        wait_for(lambda: "settings read again" in site.log_text(), "the reload")
        os.kill(responder, signal.SIGTERM)
        assert tracer.wait(20) == 0
    made_calls = set(re.findall(r"^\d+ +([a-z0-9_]+)\(", trace.read_text(), re.M))
    assert {"accept4", "accept"} & made_calls and "execve" in made_calls
    # Root alone gives files away, and the service is not root.
    root_only = {"fchown"} if os.geteuid() == 0 else set()
    unit = (ROOT / "fcgi/deploy/claude-proxy.service").read_text()
    assert made_calls - root_only - calls_allowed(unit) == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_database_that_root_makes_belongs_to_whom_its_folder_belongs(site):
    site.database.parent.mkdir()
    os.chown(site.database.parent, 65534, 65533)
    site.admin("add", "main", "https://api.example.com", "openai")
    owners = {(info.st_uid, info.st_gid) for info in map(os.stat, site.database.parent.iterdir())}
    assert owners == {(65534, 65533)}
    # What a link names stays root's: the folder's owner may have put it there.
    other = site.folder / "of-root"
    other.touch()
    site.database = site.database.parent / "link.db"
    site.database.symlink_to(other)
    site.admin("show")
    assert other.stat().st_uid == 0


# ---- tarballs ----

@pytest.mark.slow
@plain_build
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the tarball is made from the repository")
def test_the_source_tarball_is_reproducible_and_builds_by_itself(tmp_path):
    tarball = BUILD / f"claude-proxy-{version()}.tar.gz"
    made("dist")
    first = tarball.read_bytes()
    made("dist")
    assert tarball.read_bytes() == first
    with tarfile.open(tarball) as tar:
        assert {member.name.split("/")[0] for member in tar} == {f"claude-proxy-{version()}"}
        assert {member.mode & 0o777 for member in tar if member.isfile()} == {0o644, 0o755}
    output("tar", "xzf", tarball, "-C", tmp_path)
    tree = tmp_path / f"claude-proxy-{version()}"
    assert files_below(tree) == set(output("git", "ls-tree", "-r", "--name-only", "HEAD", cwd=ROOT).splitlines())
    done = make("-j2", "HARDENING=-O0", folder=tree)
    assert done.returncode == 0, done.stderr
    assert output(tree / "build/claude-proxy-admin", "--version") == f"claude-proxy-admin {version()}\n"
    assert output(tree / "build/claude-proxy.fcgi", "--version") == f"claude-proxy {version()}\n"


def version():
    return output(ADMIN, "--version").split()[1]


# Of glibc, and so of the host.
C_LIBRARY = re.compile(r"(ld-linux.*|lib(c|m|mvec|pthread|dl|rt|resolv))\.so\..*")
HOME = "home/user"
SPACE = f"{HOME}/public_html/ai"


def libraries(text):
    """What the loader found, by name: the path, or None."""
    found = {}
    for name, path in re.findall(r"^\s+(\S+) => (not found|\S+)", text, re.M):
        found[name] = None if path == "not found" else path
    return found


class BareHost:
    """A root with nothing but a C library and a shell; the bundle is in a user's home."""

    def __init__(self, folder):
        self.root = folder / "bare"
        for name in ("proc", "bin", "tmp", "etc/pki/tls/certs", SPACE):
            (self.root / name).mkdir(parents=True)
        for path in [*libraries(output("ldd", BUILD / "bundle/claude-proxy.fcgi")).values(),
                     re.search(r"^\s+(/\S*ld-linux\S+)", output("ldd", "/bin/sh"), re.M)[1]]:
            if C_LIBRARY.fullmatch(os.path.basename(path)):
                self.copy(path)
        shutil.copy(os.path.realpath("/bin/sh"), self.root / "bin/sh")
        (self.root / "etc/passwd").write_text(f"root:x:0:0::/{HOME}:/bin/sh\nuser:x:1000:1000::/{HOME}:/bin/sh\n")
        self.give_to_user(self.root / HOME)

    def copy(self, path):
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(path), target)

    def give_to_user(self, folder):
        if os.geteuid() == 0:
            for path in [folder, *folder.rglob("*")]:
                os.chown(path, 1000, 1000, follow_symlinks=False)

    def write(self, name, text):
        """A file in the user's home that is nobody else's."""
        path = self.root / HOME / name
        path.parent.mkdir(0o700, parents=True)
        path.write_text(text)
        path.chmod(0o600)
        self.give_to_user(self.root / HOME)

    @staticmethod
    def enter(script):
        """The command that runs ${script} in a namespace of its own."""
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        return ["unshare", *user, "--mount", "--pid", "--fork", "sh", "-c", script]

    def run(self, script, input="", **env):
        """Run a script of the host's shell in the bundle's folder, with these variables alone."""
        as_user = ["--userspec=1000:1000"] if os.geteuid() == 0 else []
        command = ["env", "-i", *(f"{name}={value}" for name, value in env.items()), program("chroot"), *as_user, self.root,
                   "/bin/sh", "-c", f"cd /{SPACE} && {script}"]
        command = self.enter(f"mount -t proc proc {shlex.quote(str(self.root))}/proc && exec {shlex.join(map(str, command))}")
        return subprocess.run(command, input=input, capture_output=True, text=True, timeout=60)


@pytest.fixture
def bare_host(tmp_path):
    if subprocess.run(BareHost.enter("mount -t tmpfs tmpfs /mnt"), capture_output=True).returncode != 0:
        pytest.skip("no namespaces here")
    made("bundle")
    host = BareHost(tmp_path)
    tarball, = BUILD.glob(f"claude-proxy-{version()}-linux-{os.uname().machine}.tar.gz")
    output("tar", "xzf", tarball, "--strip-components=1", "-C", host.root / SPACE)
    host.give_to_user(host.root / HOME)
    return host


def check_texts(folder):
    """What the bundle needs, the terms of its parts, and what goes into the web site."""
    readme = (folder / "README").read_text()
    assert re.search(r"glibc 2\.[0-9]+ or\s+newer", readme) and not re.search("@[A-Z]+@", readme)
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    if shutil.which("dpkg"):
        assert len(list((folder / "licenses").iterdir())) > 10
    example = ROOT / "fcgi/deploy/htaccess.example"
    assert (folder / ".htaccess").exists() == example.exists()
    assert not example.exists() or (folder / ".htaccess").read_bytes() == example.read_bytes()


@pytest.mark.slow
@pytest.mark.xdist_group("packages")
@plain_build
def test_the_bundle_serves_on_a_host_that_has_only_a_c_library(bare_host, secure_upstream, certificate):
    host, folder = bare_host, bare_host.root / SPACE
    check_texts(folder)
    # Where Red Hat keeps them; our libcurl was built for Debian.
    shutil.copy(certificate[0], host.root / "etc/pki/tls/certs/ca-bundle.crt")

    for name in ("claude-proxy.fcgi", "claude-proxy-admin"):
        for found in (host.run(f"LD_TRACE_LOADED_OBJECTS=1 ./{name}").stdout, output("ldd", folder / name)):
            assert len(libraries(found)) > 10
            for library, path in libraries(found).items():
                assert path and (path.startswith((f"/{SPACE}/lib/", f"{folder}/lib/")) or C_LIBRARY.fullmatch(library)), found

    secure_upstream.answer = models(["m"])
    # What setup asks for, without a terminal (test_chapters.py follows the README itself).
    host.write(".local/share/claude-proxy/.env", f"PROXY_ACCESS_KEY={ACCESS_KEY}\n")
    for command in (f"add main {secure_upstream.url} openai", "key main add -", "doctor"):
        done = host.run(f"./claude-proxy-admin {command}", input="sk-test-0123456789abcdef\n")
        assert done.returncode == 0, done.stdout + done.stderr
    assert "/etc/pki/tls/certs/ca-bundle.crt" in done.stdout
    shown = host.run("./claude-proxy-admin show").stdout
    assert f"/{HOME}/.local/share/claude-proxy/claude-proxy.db" in shown and "sk-t…cdef" in shown

    secure_upstream.answer = parts("Hello there")
    for streamed in ("false", "true"):
        body = '{"model":"m","max_tokens":5,"stream":%s,"messages":[{"role":"user","content":"hi"}]}' % streamed
        done = host.run("exec ./claude-proxy.fcgi", input=body, GATEWAY_INTERFACE="CGI/1.1", REQUEST_METHOD="POST",
                        SCRIPT_NAME="/ai/claude-proxy.fcgi", PATH_INFO="/v1/messages", CONTENT_LENGTH=len(body),
                        HTTP_X_API_KEY=ACCESS_KEY)
        assert done.returncode == 0 and done.stdout.startswith("Status: 200"), done.stdout + done.stderr
        assert ("message_stop" if streamed == "true" else "Hello there") in done.stdout
    assert secure_upstream.refused == [] and secure_upstream.keys_seen()["sk-test-0123456789abcdef"] >= 2


# ---- releases ----

def versions_of_the_changelog():
    """Semantic, each with its date, newest first."""
    headings = re.findall(r"^## .*$", (ROOT / "fcgi/deploy/CHANGELOG.md").read_text(), re.M)
    found = [re.fullmatch(r"## (\d+\.\d+\.\d+) \d{4}-\d\d-\d\d", heading)[1] for heading in headings]
    assert found == sorted(found, key=lambda name: list(map(int, name.split("."))), reverse=True)
    return found


@plain_build
def test_everything_has_the_version_that_the_changelog_begins_with():
    assert versions_of_the_changelog()[0] == version()
    for readme in (ROOT / "README.md", ROOT / "fcgi/deploy/README.zh-CN.md"):
        assert re.findall(r"claude-proxy_([0-9.]+)_", readme.read_text()) == [version()], readme


@plain_build
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="tags are the repository's")
def test_a_tag_is_a_version_of_the_changelog_and_of_what_it_names():
    for tag in output("git", "tag", "-l", "v*", cwd=ROOT).split():
        assert tag[1:] in versions_of_the_changelog()
        assert f"VERSION  := {tag[1:]}\n" in output("git", "show", f"{tag}:Makefile", cwd=ROOT)


@pytest.fixture
def clone(tmp_path):
    """A clone whose changelog begins today; give a function that runs the script of `make release`."""
    folder = tmp_path / "clone"
    output("git", "clone", "-q", ROOT, folder)
    for name in ("fcgi/deploy/release.sh", "fcgi/deploy/CHANGELOG.md", "Makefile"):
        shutil.copy(ROOT / name, folder / name)
    changelog = folder / "fcgi/deploy/CHANGELOG.md"
    changelog.write_text(re.sub(r"^(## [0-9.]+) .*", rf"\1 {time.strftime('%Y-%m-%d', time.gmtime())}", changelog.read_text(), count=1, flags=re.M))
    for name in output("git", "tag", cwd=folder).split():
        output("git", "tag", "-d", name, cwd=folder)
    output("git", "config", "user.name", "A Name", cwd=folder)
    output("git", "config", "user.email", "name@example.com", cwd=folder)
    output("git", "add", "-A", cwd=folder)
    output("git", "commit", "-q", "--allow-empty", "-m", "A release", cwd=folder)

    def run(*arguments):
        return subprocess.run([folder / "fcgi/deploy/release.sh", *arguments], cwd=folder, capture_output=True, text=True)

    run.folder = folder
    return run


@plain_build
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a release is made in the repository")
def test_a_release_is_of_what_is_committed_and_has_its_tag_once(clone):
    assert clone("check", version()).returncode == 0
    assert "does not begin with version 9.9.9" in clone("check", "9.9.9").stderr
    (clone.folder / "README.md").write_text("changed")
    assert "not committed" in clone("check", version()).stderr
    output("git", "checkout", "-q", "README.md", cwd=clone.folder)
    build = clone.folder / "build"
    build.mkdir()
    for name in (f"claude-proxy-{version()}.tar.gz", f"claude-proxy_{version()}_amd64.deb"):
        (build / name).write_text(name)
    assert clone("tag", "build", version()).returncode == 0
    output("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=build / "release")
    told = output("git", "tag", "-l", "-n99", f"v{version()}", cwd=clone.folder)
    assert "- `make deb` builds a Debian package" in told and "First version" not in told
    assert "tagged already" in clone("check", version()).stderr
