"""Clients of the control socket that are not the program: they say and read what they like."""

import functools
import socket
import struct
import subprocess
import tempfile

from container import binary

HEAD = struct.Struct("=III4BI")
FIELDS = ("magic", "size", "command", "force", "no_wait", "all", "pools", "replica")


def connect(c):
    """A client of our own."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(str(c.run_dir / "control"))
    client.settimeout(15)
    return client


@functools.lru_cache
def request(*command):
    """What `twinit COMMAND...` sends, as bytes: asked of the program itself."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.settimeout(15)
        server.bind(folder + "/control")
        server.listen()
        with subprocess.Popen([binary(), *command], env={"TWINIT_RUN_DIR": folder}, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL):
            client, _ = server.accept()
            with client:
                return client.recv(65536)


def changed(base, name=None, directory=None, **head):
    """A request with some of it changed."""
    data = bytearray(request(*base.split()))
    fields = dict(zip(FIELDS, HEAD.unpack_from(data)))
    HEAD.pack_into(data, 0, *{**fields, **head}.values())
    if name is not None:
        at = request("restart", "www").index(b"www\0")
        data[at:at + 64] = name.ljust(64, b"\0")
    if directory is not None:
        at = request("deploy", "/x").index(b"/x\0")
        data[at:] = directory.ljust(len(data) - at, b"\0")
    return bytes(data)


def answers(client):
    """All replies until PID 1 hangs up."""
    found = []
    try:
        while reply := client.recv(65536):
            found.append(reply)
    except ConnectionResetError:
        pass
    return found


def is_well(c):
    """It answers, serves and rolls."""
    assert c.tell("health") == (0, "healthy\n")
    assert c.release()
    c.roll()
