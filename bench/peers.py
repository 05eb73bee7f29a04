"""What a user would pick instead of twinit: each peer is a whole site at one address that can take up a release.

All serve the sample site with the same php-fpm, the same FPM and PHP files and eight workers in all. update() does
what the users of that peer do when code has changed: it moves the symlink, asks for the new code in the peer's own
way, as gracefully as it can, and returns when the peer has nothing more to do.
"""

import contextlib
import csv
import http.client
import io
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.parse

import stack
from common import BENCH, fpm_program, package
from cpu_group import CpuGroup

WORKERS = 8  # in all; with two masters each has half
FPM_CONFIG = "/srv/php-fpm/php-fpm.conf"
GRACE = "30s"  # process_control_timeout: how long a master that ends waits for its requests
PATIENCE = 60
PARTS = 5190  # files of which mixed.php includes some


def install_app(site, parts=PARTS):
    """Adds the benchmark's own pages to both releases of the sample app, and so many files for mixed.php."""
    for number in (1, 2):
        release = site.directory / "app" / "releases" / str(number)
        for page in (BENCH / "app").glob("*.php"):
            (release / "public" / page.name).write_text(page.read_text().replace("@RELEASE@", str(number)))
        (release / "parts").mkdir()
        for part in range(parts):
            (release / "parts" / ("%d.php" % part)).write_text("<?php\nreturn '%d';\n" % number)


class Peer:
    """A site behind nginx with one master, and what is common to all."""

    name = ""
    needs = ()  # programs beyond those of the sample stack
    packages = ()  # whose version is told
    masters = 1
    grace = GRACE
    retries = False  # whether the web server may try another master, where that is what the peer is
    site_class = stack.Stack

    def __init__(self, bench, **options):
        self.bench = bench
        self.release = 1
        self.groups = []
        pool = {"pm": "static", "pm.max_children": str(WORKERS // self.masters), **options.pop("pool", {})}
        self.site = bench.site(**{"pool": pool, "autostart": False, "tasks": self.masters, "retries": self.retries,
                                  "command": self.command(), "fpm_global": {"process_control_timeout": self.grace},
                                  "site_class": self.site_class, **options})

    def __enter__(self):
        self.site.__enter__()
        try:
            install_app(self.site)
            self.prepare()
            self.site.start()
            for task in self.site.tasks:
                self.groups.append(CpuGroup(self.name))
                self.groups[-1].add(task)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *error):
        self.site.__exit__(*error)
        for group in self.groups:
            group.remove()

    @classmethod
    def missing(cls):
        """Programs that it needs and that are not there."""
        return [program for program in cls.needs if not shutil.which(program, path=stack.PATH)]

    @classmethod
    def version(cls):
        """Its packages with their versions."""
        return ", ".join("%s %s" % (name, package(name)) for name in cls.packages)

    def command(self):
        """argv inside the container."""
        return [fpm_program(), "-F", "-y", FPM_CONFIG]

    def prepare(self):
        """Files that it needs, once the site's folders are there and before anything runs."""

    def url(self, path="/ping.php"):
        """The address of a page."""
        return self.site.url(path)

    def workers(self):
        """Pids of the workers that serve visitors."""
        return [pid for task in self.site.tasks for pid in task.descendants()
                if stack.title(pid) == "php-fpm: pool www"]

    def update(self):
        """Takes up the other release; returns when the peer is done with it."""
        self.release = 3 - self.release
        self.site.current(self.release)
        self.renew()

    def renew(self):
        """Asks for the new code, in the peer's own way."""
        raise NotImplementedError

    def restart_task(self, task):
        """Ends a container as gracefully as FPM can, and starts it again."""
        task.stop(signal.SIGQUIT, PATIENCE)
        task.start()
        self.groups[task.number - 1].add(task)
        task.wait_ready(PATIENCE)


class Twinit(Peer):
    """As it comes, but for the second of quiet at the end."""

    name = "twinit"
    packages = ()

    def __init__(self, bench, **options):
        env = {"TWINIT_APP_QUIET": "0ms", **options.pop("env", {})}
        super().__init__(bench, env=env, pool={**options.pop("pool", {}), "pm.max_children": str(WORKERS)}, **options)

    def command(self):
        return [stack.Stack.TWINIT]

    def renew(self):
        self.site.restart()


class Reload(Peer):
    """FPM's own reload: the master executes itself again."""

    name = "FPM USR2, 30 s"

    def renew(self):
        mark = self.site.task.mark()
        self.site.task.send(signal.SIGUSR2)
        self.site.task.wait_line(r"ready to handle connections", mark, PATIENCE)


class ReloadAtOnce(Reload):
    """The same with FPM's default."""

    name = "FPM USR2, 0"
    grace = "0"


class Tini(Peer):
    """The usual container: stopped by QUIT as the official image asks, and started again."""

    name = "tini, restart"
    needs = ("tini-static",)
    packages = ("tini",)

    def command(self):
        return ["tini-static", "--", *super().command()]

    def renew(self):
        self.restart_task(self.site.task)


class S6(Peer):
    """s6-svscan as PID 1, with php-fpm as a service that ends by QUIT."""

    name = "s6, restart"
    needs = ("s6-svscan", "s6-svc")
    packages = ("s6",)

    def command(self):
        return ["s6-svscan", "/srv/run/services"]

    @property
    def service(self):
        """The service's folder, from outside."""
        return self.site.task.run_dir / "services" / "php-fpm"

    def prepare(self):
        self.service.mkdir(parents=True)
        run = self.service / "run"
        run.write_text("#!/bin/sh\nexec %s 2>&1\n" % " ".join(Peer.command(self)))
        run.chmod(0o755)
        (self.service / "down-signal").write_text("QUIT\n")

    def renew(self):
        subprocess.run(["s6-svc", "-wr", "-T", str(PATIENCE * 1000), "-r", str(self.service)], check=True,
                       env={"PATH": stack.PATH})
        self.site.task.wait_ready(PATIENCE)


SUPERVISORD = """\
[supervisord]
nodaemon = true
user = root
logfile = /dev/null
logfile_maxbytes = 0
pidfile = /srv/run/supervisord.pid
[unix_http_server]
file = /srv/run/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[program:php-fpm]
command = %s
stopsignal = QUIT
stopwaitsecs = %d
startsecs = 0
stdout_logfile = /dev/fd/1
stdout_logfile_maxbytes = 0
redirect_stderr = true
"""


class Supervisord(Peer):
    """supervisord as PID 1."""

    name = "supervisord, restart"
    needs = ("supervisord", "supervisorctl")
    packages = ("supervisor",)

    def command(self):
        return ["supervisord", "-c", "/srv/run/supervisord.conf"]

    def prepare(self):
        (self.site.task.run_dir / "supervisord.conf").write_text(
            SUPERVISORD % (" ".join(Peer.command(self)), PATIENCE))

    def renew(self):
        subprocess.run(["supervisorctl", "-s", "unix://%s/supervisor.sock" % self.site.task.run_dir,
                        "restart", "php-fpm"], check=True, stdout=subprocess.DEVNULL, env={"PATH": stack.PATH})
        self.site.task.wait_ready(PATIENCE)


class NextUpstream(Peer):
    """Two masters behind nginx, which goes to the other one when it cannot connect."""

    name = "nginx, two masters"
    masters = 2
    retries = True

    def renew(self):
        for task in self.site.tasks:
            self.restart_task(task)


class BalancedStack(stack.Stack):
    """A Stack with another web server in nginx's place; its Peer writes the configuration."""

    balancer = ()

    def start_nginx(self):
        self.nginx.start(self.balancer, {"PATH": stack.PATH})
        stack.wait_for("balancer", lambda: stack.can_connect((stack.HOST, self.port)), 30, self.nginx.check)

    def stop(self):
        self.nginx.stop(signal.SIGTERM)
        super().stop()


class Balanced(Peer):
    """Two masters behind a balancer: each in turn is taken out, waited for, restarted and taken in again."""

    masters = 2
    site_class = BalancedStack

    def renew(self):
        for task in self.site.tasks:
            self.take_out(task)
            stack.wait_for("%s is idle" % task.name, lambda task=task: self.in_use(task) == 0, PATIENCE)
            self.restart_task(task)
            self.take_in(task)

    def take_out(self, task):
        """No new requests for this master."""
        raise NotImplementedError

    def take_in(self, task):
        """It may have requests again."""
        raise NotImplementedError

    def in_use(self, task):
        """How many requests the balancer has there."""
        raise NotImplementedError


HAPROXY = """\
global
	stats socket %(folder)s/haproxy.sock mode 600 level admin
	maxconn 4096
defaults
	mode http
	retries 0
	timeout connect 5s
	timeout client 120s
	timeout server 120s
frontend site
	bind 127.0.0.1:%(port)d
	default_backend php
backend php
	balance leastconn
	use-fcgi-app php
%(servers)s
fcgi-app php
	docroot /srv/app/current/public
	no option keep-conn
"""


class Haproxy(Balanced):
    """HAProxy speaks FastCGI itself, there is no nginx."""

    name = "HAProxy, two masters"
    needs = ("haproxy",)
    packages = ("haproxy",)

    def prepare(self):
        folder = self.site.directory / "nginx"
        servers = "".join("\tserver %s %s proto fcgi\n" % (task.name, task.listen) for task in self.site.tasks)
        (folder / "haproxy.cfg").write_text(HAPROXY % {"folder": folder, "port": self.site.port, "servers": servers})
        self.site.balancer = ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]

    def ask(self, command):
        """An answer of the runtime API."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.site.directory / "nginx" / "haproxy.sock"))
            client.sendall(command.encode() + b"\n")
            with client.makefile() as answer:
                return answer.read()

    def take_out(self, task):
        self.ask("set server php/%s state drain" % task.name)

    def take_in(self, task):
        self.ask("set server php/%s state ready" % task.name)

    def in_use(self, task):
        rows = csv.DictReader(io.StringIO(self.ask("show stat").lstrip("# ")))
        return next(int(row["scur"]) for row in rows if row["pxname"] == "php" and row["svname"] == task.name)


APACHE = """\
ServerRoot %(modules)s
%(loaded)s
ServerName 127.0.0.1
Listen 127.0.0.1:%(port)d
PidFile %(folder)s/apache.pid
ErrorLog /dev/stderr
LogLevel error
DefaultRuntimeDir %(folder)s
User www-data
Group www-data
Timeout 120
MaxKeepAliveRequests 0
<Proxy "balancer://php">
%(members)s
</Proxy>
<Location "/balancer-manager">
	SetHandler balancer-manager
</Location>
ProxyPass "/balancer-manager" "!"
ProxyPass "/" "balancer://php/srv/app/current/public/"
"""
APACHE_MODULES = ("mpm_event", "authz_core", "proxy", "proxy_fcgi", "proxy_balancer", "slotmem_shm", "lbmethod_bybusyness")


class Apache(Balanced):
    """mod_proxy_balancer with mod_proxy_fcgi; members are toggled by the balancer manager's form."""

    name = "Apache, two masters"
    needs = ("apache2",)
    packages = ("apache2-bin",)

    def prepare(self):
        folder = self.site.directory / "nginx"
        loaded = "".join("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n" % (name, name)
                         for name in APACHE_MODULES)
        # retry=0: a member that failed is asked again at once, as in the other peers.
        members = "".join("\tBalancerMember \"fcgi://%s\" retry=0\n" % task.listen for task in self.site.tasks)
        (folder / "apache.conf").write_text(APACHE % {
            "modules": folder, "folder": folder, "loaded": loaded, "port": self.site.port,
            "members": members + "\tProxySet lbmethod=bybusyness"})
        self.site.balancer = ["apache2", "-DFOREGROUND", "-f", str(folder / "apache.conf")]

    def manager(self, form=None):
        """The balancer manager's page; a form changes a member first."""
        page = self.site.url("/balancer-manager")
        connection = http.client.HTTPConnection(stack.HOST, self.site.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            body = urllib.parse.urlencode(form) if form else None
            connection.request("POST" if form else "GET", "/balancer-manager", body,
                               {"Referer": page, "Content-Type": "application/x-www-form-urlencoded"})
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status != 200:
            raise stack.StackError("apache: the balancer manager answered %d" % answer.status)
        return text

    def set_drain(self, task, drain):
        """Drain mode on or off."""
        nonce = re.search(r"nonce=([-0-9a-f]+)", self.manager())[1]
        text = self.manager({"b": "php", "w": "fcgi://" + task.listen, "nonce": nonce, "w_status_N": int(drain)})
        if ("Drn" in self.row(text, task)) != drain:
            raise stack.StackError("apache: the balancer manager did not take %s" % task.listen)

    def row(self, text, task):
        """What the page says of a member."""
        return next(row for row in re.findall(r"<tr>.*?</tr>", text, re.S) if "fcgi://%s<" % task.listen in row)

    def take_out(self, task):
        self.set_drain(task, True)

    def take_in(self, task):
        self.set_drain(task, False)

    def in_use(self, task):
        cells = re.findall(r"<td>(.*?)</td>", self.row(self.manager(), task), re.S)
        return int(cells[7])


PEERS = (Twinit, Reload, ReloadAtOnce, Tini, S6, Supervisord, NextUpstream, Haproxy, Apache)
