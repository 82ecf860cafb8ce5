"""The web servers in front of the proxy, each started from the example file that is shipped for it.

Only paths, ports and users are replaced, and a replacement that finds nothing fails.  What Debian itself configures stays
as Debian ships it: the main files of nginx and Apache are the system's own.
"""
import contextlib
import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from chapters import blocks, commands
from site_under_test import (ACCESS_KEY, BUILD, INSTALLED, INSTALLED_DATABASE, INSTALLED_SOCKET, ROOT, Site, free_port, program,
                             replace, wait_for)

DEPLOY = ROOT / "fcgi" / "deploy"

# The modules that Debian's apache2 enables by itself.
APACHE_MODULES = [
    "access_compat", "alias", "auth_basic", "authn_core", "authn_file", "authz_core", "authz_host", "authz_user", "autoindex",
    "deflate", "dir", "env", "filter", "mime", "mpm_event", "negotiation", "reqtimeout", "setenvif", "status",
]

# A host that lets its customers use .htaccess.
SHARED_HOST = """
<VirtualHost *:{port}>
    DocumentRoot {folder}/public_html
    <Directory {folder}/public_html>
        AllowOverride All
        Require all granted
    </Directory>
</VirtualHost>
"""


class Front(Site):
    """A site behind one of the web servers, in a folder of its own that the web server's user owns."""

    example = None          # the file that is shipped
    mounts = ("", "/cgi-bin/claude-proxy.fcgi")  # prefixes below which the proxy answers
    streams = 100           # at once
    tells_hang_up = False   # the web server tells the proxy at once that a client went away
    one_process = False     # serves all requests
    has_every_path = True   # below its mounts, every path is the proxy's
    beside = ()             # replacements in the example that put the proxy below /ai/, as its comment says
    takes_encoded_slashes = True

    def __init__(self, upstream, moved=False):
        # The web server's user must get in: pytest's own folders are closed to others.
        super().__init__(tempfile.mkdtemp(prefix="claude-proxy-front."))
        self.user = pwd.getpwnam("www-data") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self.group_name = subprocess.run(["id", "-gn", self.user.pw_name], capture_output=True, text=True).stdout.strip()
        if os.getuid() == 0:
            self.run_as = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        self.programs = self.folder / "programs"
        # One folder for both, as on shared hosting.
        self.database = self.programs / "claude-proxy.db"
        for path in (self.programs, self.folder / "log"):
            path.mkdir()
        for name in ("claude-proxy.fcgi", "claude-proxy-admin"):
            shutil.copy(BUILD / name, self.programs / name)
        self.port = free_port()
        self.moved = self.beside if moved else ()
        self.prefix = "/ai" if moved else self.mounts[0]
        # The settings are where README.md says: in .env beside the database.
        self.settings = {}
        self.write_settings()
        self.give_away()
        self.use(upstream)

    def give_away(self):
        """Everything in the folder to the web server's user."""
        if os.getuid() == 0:
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, self.user.pw_uid, self.user.pw_gid, follow_symlinks=False)

    def write_settings(self, **settings):
        path = self.database.parent / ".env"
        values = {"PROXY_ACCESS_KEY": ACCESS_KEY, "LOG_FILE": self.log, "LOG_LEVEL": "debug", "MAX_REQUEST_BYTES": 12_000_000,
                  "MAX_CONCURRENT_REQUESTS": 200, **settings}
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        path.chmod(0o600)

    def set(self, **settings):
        """Change settings in all processes."""
        self.write_settings(**settings)
        assert self.request("POST", "/admin/config/reload", b"", {"x-api-key": ACCESS_KEY}).status == 200

    # ---- the files ----

    def checked(self, text):
        """The example with our paths: nothing of the machine's own may be left in it."""
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        left = [line for line in lines if re.search(r"/(usr/local|var|run|home)/", line.replace(str(self.folder), ""))]
        assert not left, left
        return text

    def write_file(self, name, text, mode=0o644):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    # ---- running ----

    def configure(self):
        """Write what the web server reads."""

    def command(self):
        raise NotImplementedError

    def check_command(self):
        """What checks the configuration without serving."""
        raise NotImplementedError

    def server_environment(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def responder_running(self):
        """For those web servers that start none."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def served(self):
        try:
            self.configure()
            self.give_away()
            with self.responder_running(), self.running(self.command(), self.server_environment()):
                yield self
            wait_for(lambda: not self.process_ids(), "the responders to end")
        finally:
            for process in self.process_ids():
                self.send_signal(process, signal.SIGKILL)
            shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def send_signal(process, number):
        with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
            os.kill(process, number)

    def belongs_here(self, process):
        """Was it started with our folder in its words, or by one that was?  Its memory, and so /proc/*/exe, is closed to us."""
        while process > 1:
            if str(self.folder) in Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace"):
                return True
            process = int(re.search(r"PPid:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1])
        return False

    def process_ids(self):
        """Every responder that runs now, whoever started it."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "comm").read_text() == "claude-proxy.fc\n" and self.belongs_here(int(entry.name)):
                    found.append(int(entry.name))
        return found

    def resident_bytes(self):
        """The memory of each responder."""
        sizes = []
        for process in self.process_ids():
            with contextlib.suppress(OSError):
                sizes += [int(found) * 1024 for found in
                          re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())]
        return sizes

    def restart_responder(self):
        """Stop one, where one runs; the web server itself starts the next."""
        for process in self.process_ids()[:1]:
            self.send_signal(process, signal.SIGTERM)
            wait_for(lambda: process not in self.process_ids(), "the responder to stop", 40)

    # ---- the program without a web server ----

    def bare(self, method, path, body=b"", headers=None):
        """What the program itself writes: status, headers, body."""
        env = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path,
               "REQUEST_URI": path, "CONTENT_LENGTH": str(len(body)), "CLAUDE_PROXY_DB": str(self.database)}
        env.update({"HTTP_" + name.upper().replace("-", "_"): value for name, value in (headers or {}).items()})
        done = subprocess.run([self.programs / "claude-proxy.fcgi"], env=env, input=body, capture_output=True, timeout=60,
                              **self.run_as)
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return int(lines.pop("Status").split()[0]), {name.lower(): value for name, value in lines.items()}, rest


class Lighttpd(Front):
    example = ROOT / "lighttpd.conf.example"
    beside = [('fastcgi.server = ("/" =>', 'fastcgi.server = ("/ai/" =>')]
    tells_hang_up = True
    one_process = True

    def configure(self):
        self.write_file("lighttpd.conf", self.checked(self.lighttpd_example(
            ('server.username = "www-data"', f'server.username = "{self.user.pw_name}"'),
            ('server.groupname = "www-data"', f'server.groupname = "{self.group_name}"'), *self.moved)))

    def command(self):
        return [program("lighttpd"), "-D", "-f", str(self.folder / "lighttpd.conf")]

    def check_command(self):
        return [program("lighttpd"), "-tt", "-f", str(self.folder / "lighttpd.conf")]


class Spawned(Front):
    """The responder is started by spawn-fcgi, as claude-proxy.fcgi(8) tells."""

    one_process = True

    def spawn_command(self):
        command = commands(blocks(ROOT / "fcgi/claude-proxy.fcgi.8", "spawn-fcgi")[0])[-1]
        words = shlex.split(replace(command, (INSTALLED_SOCKET, self.folder / "fcgi.sock"),
                                    ("/run/claude-proxy/claude-proxy.pid", self.folder / "responder.pid"),
                                    (INSTALLED, self.programs), (INSTALLED_DATABASE, self.database),
                                    ("-u www-data -g www-data", f"-u {self.user.pw_name} -g {self.group_name}"
                                     if os.getuid() == 0 else "")))
        return [program(words[0]), *words[1:]]

    def start_responder(self):
        subprocess.run(self.spawn_command(), check=True, stdout=subprocess.DEVNULL, timeout=30)
        return int((self.folder / "responder.pid").read_text())

    def stop_responder(self):
        self.send_signal(self.responder, signal.SIGTERM)
        wait_for(lambda: self.responder not in self.process_ids(), "the responder to stop", 40)

    @contextlib.contextmanager
    def responder_running(self):
        self.responder = self.start_responder()
        try:
            yield
        finally:
            self.stop_responder()

    def restart_responder(self):
        self.stop_responder()
        assert self.request("GET", "/health").status in (502, 503)
        self.responder = self.start_responder()


class Nginx(Spawned):
    example = DEPLOY / "nginx.conf.example"
    beside = [("location / {", "location /ai/ {")]
    tells_hang_up = True

    def configure(self):
        self.write_file("sites-enabled/claude-proxy", self.checked(replace(self.nginx_example(), *self.moved)))
        self.write_file("conf.d/paths.conf", "".join(f"{what}_temp_path {self.folder}/{what};\n" for what in
                                                     ("client_body", "fastcgi", "proxy", "uwsgi", "scgi")))
        self.write_file("nginx.conf", replace(
            Path("/etc/nginx/nginx.conf").read_text(),
            ("user www-data;", f"user {self.user.pw_name} {self.group_name};" if os.getuid() == 0 else ""),
            ("/run/nginx.pid", self.folder / "nginx.pid"), ("/var/log/nginx", self.folder / "log"),
            ("/etc/nginx/conf.d/", f"{self.folder}/conf.d/"), ("/etc/nginx/sites-enabled/*", f"{self.folder}/sites-enabled/*")))

    def command(self):
        return [program("nginx"), "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "log" / "error.log"),
                "-g", "daemon off;"]

    def check_command(self):
        return [program("nginx"), "-t", "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "log" / "error.log")]


class Caddy(Spawned):
    """Debian's Caddy: it speaks HTTPS alone, here with a certificate that the test made."""

    example = DEPLOY / "Caddyfile.example"

    def configure(self):
        options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
        self.write_file("Caddyfile", options + self.checked(replace(
            self.example.read_text(), *self.moved, (INSTALLED_SOCKET, self.folder / "fcgi.sock"))))

    def server_environment(self):
        return {**super().server_environment(), "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)}

    def command(self):
        return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(self.folder / "Caddyfile")]

    def check_command(self):
        return [program("caddy"), "validate", "--adapter", "caddyfile", "--config", str(self.folder / "Caddyfile")]


class Apache(Front):
    """Debian's Apache: its own main file and default modules, and those that `a2enmod` adds."""

    modules = ()

    def site_file(self):
        return self.checked(replace(self.example.read_text(), *self.moved, *self.replacements()))

    def replacements(self):
        return [("<VirtualHost *:80>", f"<VirtualHost *:{self.port}>")]

    def configure(self):
        etc = Path("/etc/apache2")
        self.write_file("apache2/apache2.conf", (etc / "apache2.conf").read_text())
        self.write_file("apache2/ports.conf", f"Listen 127.0.0.1:{self.port}\nServerName localhost\n")
        self.write_file("apache2/sites-enabled/claude-proxy.conf", self.site_file())
        for name in ("mods-enabled", "conf-enabled"):
            (self.folder / "apache2" / name).mkdir(exist_ok=True)
        for module in (*APACHE_MODULES, *self.modules):
            for kind in ("load", "conf"):
                if (etc / "mods-available" / f"{module}.{kind}").exists():
                    (self.folder / "apache2" / "mods-enabled" / f"{module}.{kind}").symlink_to(etc / "mods-available" / f"{module}.{kind}")
        self.write_file("apache2/conf-enabled/paths.conf",
                        "<IfModule mod_fcgid.c>\n"
                        f"FcgidIPCDir {self.folder}/fcgid\nFcgidProcessTableFile {self.folder}/fcgid-table\n</IfModule>\n")
        for name in ("fcgid", "run", "run/socks", "lock"):
            (self.folder / name).mkdir(exist_ok=True)

    def server_environment(self):
        return {**super().server_environment(), "APACHE_RUN_USER": self.user.pw_name, "APACHE_RUN_GROUP": self.group_name,
                "APACHE_RUN_DIR": str(self.folder / "run"), "APACHE_LOCK_DIR": str(self.folder / "lock"),
                "APACHE_PID_FILE": str(self.folder / "run" / "apache2.pid"), "APACHE_LOG_DIR": str(self.folder / "log")}

    def command(self):
        return [program("apache2"), "-d", str(self.folder / "apache2"), "-f", "apache2.conf", "-D", "FOREGROUND"]

    def check_command(self):
        return [program("apache2"), "-t", "-d", str(self.folder / "apache2"), "-f", "apache2.conf"]


class ApacheProxyFcgi(Apache, Spawned):
    example = DEPLOY / "apache-proxy-fcgi.conf.example"
    beside = [('ProxyPass "/" ', 'ProxyPass "/ai/" '), ("|fcgi://localhost/", "|fcgi://localhost/ai/")]
    modules = ("proxy", "proxy_fcgi")

    def replacements(self):
        return [*super().replacements(), (INSTALLED_SOCKET, self.folder / "fcgi.sock")]


class ApacheFcgid(Apache):
    example = DEPLOY / "apache-fcgid.conf.example"
    beside = [('ScriptAlias "/" ', 'ScriptAlias "/ai/" ')]
    modules = ("fcgid",)

    def replacements(self):
        return [*super().replacements(), (INSTALLED, self.programs),
                (INSTALLED_DATABASE, self.database)]


class ApacheCgi(Apache):
    """Shared hosting: .htaccess and the program in a folder of the web site, as a CGI program."""

    example = DEPLOY / "htaccess.example"
    modules = ("cgid", "rewrite")
    mounts = ("/ai", "/ai/claude-proxy.fcgi")
    streams = 20
    has_every_path = False
    takes_encoded_slashes = False  # AllowEncodedSlashes is the host's

    def site_file(self):
        return SHARED_HOST.format(port=self.port, folder=self.folder)

    def configure(self):
        super().configure()
        self.write_file("public_html/ai/.htaccess", self.checked(self.htaccess(self.example.read_text())))
        self.place_program(self.folder / "public_html" / "ai" / "claude-proxy.fcgi")

    def htaccess(self, text):
        return replace(text, ("#SetEnv CLAUDE_PROXY_DB /home/you/claude-proxy/claude-proxy.db",
                              f"SetEnv CLAUDE_PROXY_DB {self.database}"))

    def place_program(self, path):
        shutil.copy(self.programs / "claude-proxy.fcgi", path)


class ApacheHtaccessFcgid(ApacheCgi):
    """The same with mod_fcgid and the starter, on a host that has raised the limits that htaccess.example names."""

    modules = ("fcgid", "rewrite")

    def site_file(self):
        return "FcgidOutputBufferSize 0\nFcgidMaxRequestLen 67108864\nFcgidSpawnScoreUpLimit 100\n" + super().site_file()

    def htaccess(self, text):
        return replace(text, ("SetHandler cgi-script", "SetHandler fcgid-script"))

    def place_program(self, path):
        starter = (DEPLOY / "starter.fcgi.example").read_text()
        self.write_file(path, self.checked(replace(starter, ("/home/you/claude-proxy", self.programs))), 0o755)


FRONTS = {
    "lighttpd": Lighttpd, "nginx": Nginx, "apache-proxy-fcgi": ApacheProxyFcgi, "apache-fcgid": ApacheFcgid,
    "apache-cgi": ApacheCgi, "apache-htaccess-fcgid": ApacheHtaccessFcgid,
}
