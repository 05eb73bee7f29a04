"""Certificates for tests: an authority of our own, and what it signs. Made with the openssl command."""

import subprocess
from collections import namedtuple
from pathlib import Path

Certificate = namedtuple("Certificate", "cert key")


class Authority:
    """Signs certificates; `cert` is the file that clients are to trust."""

    def __init__(self, folder):
        self._folder = Path(folder)
        self._serial = 0
        self.cert, self._key = self._folder / "ca.crt", self._folder / "ca.key"
        self._openssl("req", "-x509", *self._new_key(self._key), "-out", self.cert, "-subj", "/CN=test authority",
                      "-days", "30")

    def issue(self, name, names=(), addresses=(), expired=False):
        """A certificate for host names and addresses, valid for a month, or until yesterday."""
        cert, key, request = (self._folder / (name + end) for end in (".crt", ".key", ".csr"))
        extensions = self._folder / (name + ".ext")
        alternatives = ["DNS:%s" % one for one in names] + ["IP:%s" % one for one in addresses]
        extensions.write_text("subjectAltName=%s\n" % ",".join(alternatives))
        self._openssl("req", *self._new_key(key), "-out", request, "-subj", "/CN=" + name)
        self._serial += 1
        days = "-1" if expired else "30"
        self._openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self._key, "-set_serial",
                      str(self._serial), "-extfile", extensions, "-out", cert, "-days", days)
        return Certificate(cert, key)

    @staticmethod
    def _new_key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]

    @staticmethod
    def _openssl(*words):
        done = subprocess.run(["openssl", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, "openssl %s: %s" % (words[0], done.stdout)
