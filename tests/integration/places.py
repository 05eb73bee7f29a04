"""Where twinit's tasks live for tests about names and networks: their /etc/hosts, name server and network."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from support import stack

MOUNT = 'mount -n --bind "$1/hosts" /etc/hosts; mount -n --bind "$1/resolv.conf" /etc/resolv.conf; shift; exec "$@"'


class Place(stack.Namespaces):
    """To be a Site's `namespaces`: its processes see these hosts, and no name server but the one that is given.

    networks: {host name of a task: how a command gets into its network}; none is ours.
    renamed: {host name of a task: the one it has instead}.
    """

    def __init__(self, hosts, name_server=None, networks=None):
        super().__init__()
        self._networks = networks or {}
        self.renamed = {}
        self._folder = Path(tempfile.mkdtemp(prefix="twinit-place-", dir="/tmp"))
        self._folder.chmod(0o755)
        self.set_hosts(hosts)
        (self._folder / "resolv.conf").write_text("nameserver %s\n" % (name_server or "127.0.0.254"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self._folder)

    def set_hosts(self, hosts):
        """{name: addresses}, also for what runs already; nobody sees a half of it who reads it at once."""
        lines = ["%s %s\n" % (address, name) for name, addresses in hosts.items() for address in addresses]
        # The file itself must stay: it is what is mounted.
        (self._folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(lines))

    def pid1(self, hostname, root, binds, command):
        argv = super().pid1(self.renamed.get(hostname, hostname), root, binds, command)
        return [*self._networks.get(hostname, []), "unshare", "--mount", "sh", "-ec", MOUNT, "sh", self._folder, *argv]


@contextlib.contextmanager
def silent_name_server(address):
    """Takes questions and keeps them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        yield


@contextlib.contextmanager
def two_networks(first, second):
    """Two networks with one cable: yields how a command gets into each, which has that address."""
    with contextlib.ExitStack() as opened:
        holders = []
        for _ in range(2):
            holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo here; exec sleep infinity"],
                                      stdout=subprocess.PIPE)
            opened.callback(holder.wait)
            opened.callback(holder.kill)
            opened.enter_context(holder.stdout)
            holder.stdout.readline()
            holders.append(holder)
        enter = [["nsenter", "--net=/proc/%d/ns/net" % holder.pid] for holder in holders]
        subprocess.run([*enter[0], "ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns",
                        str(holders[1].pid)], check=True)
        for inside, address in zip(enter, (first, second)):
            for words in (["address", "add", address + "/24", "dev", "cable"], ["link", "set", "lo", "up"],
                          ["link", "set", "cable", "up"]):
                subprocess.run([*inside, "ip", *words], check=True)
        yield enter
