"""PHP's test suite, and a PHP with every extension that it can test, from Debian's packages.

Nothing is installed: a private apt gets what the machine has not, and all of it lands in one folder.
    source/   the suite: run-tests.php and every tests folder of the source package
    php/      bin/php, bin/php-cgi, sbin/php-fpm, php.ini, ext/*.so, lib/ for what the extensions need
"""

import functools
import glob
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

# What is in no package of its own (pcntl, posix, session, sockets, sysv*, ...) comes with php-cli and php-common.
PACKAGES = ("cli cgi opcache readline bcmath bz2 curl dba gd gmp intl mbstring soap sqlite3 tidy xml zip").split()

# Other extensions, or tests, rely on these without saying so.
ALWAYS = ("posix", "pdo", "dom")


def say(*words):
    print("phpt:", *words, flush=True)


def output(*command):
    """What it prints; ends the run when it fails."""
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("phpt: '%s' failed:\n%s" % (" ".join(map(str, command)), done.stdout + done.stderr))
    return done.stdout


def fpm_version():
    """8.2, of the newest php-fpm of this machine."""
    found = [re.fullmatch(r".*/php-fpm(\d+)\.(\d+)", name) for name in glob.glob("/usr/sbin/php-fpm*")]
    versions = [tuple(map(int, match.groups())) for match in found if match]
    if not versions:
        sys.exit("phpt: there is no /usr/sbin/php-fpm with a version in its name; `make deps` installs one")
    return "%d.%d" % max(versions)


class Apt:
    """An apt with lists and a cache of its own, that also knows sources; it looks the machine's packages up."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("sources", "lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.options = [word for option in (
            "Dir::Etc::sourcelist=/dev/null", "Dir::Etc::sourceparts=%s" % (folder / "sources"),
            "Dir::State::lists=%s" % (folder / "lists"), "Dir::Cache=%s" % (folder / "cache"),
            "APT::Sandbox::User=root", "Debug::NoLocking=true") for word in ("-o", option)]
        self.copy_sources()
        self.get("update")

    def copy_sources(self):
        """The machine's own, with the sources beside the packages."""
        for name in ["/etc/apt/sources.list", *glob.glob("/etc/apt/sources.list.d/*")]:
            if name.endswith((".list", ".sources")) and Path(name).exists():
                text = Path(name).read_text()
                text = re.sub(r"(?m)^Types:.*", "Types: deb deb-src", text)
                text = re.sub(r"(?m)^deb( .*)", r"deb\1\ndeb-src\1", text)
                (self.folder / "sources" / Path(name).name).write_text(text)

    def get(self, *words):
        return output("apt-get", "-q", *self.options, *words)

    def packages(self, names):
        """Those of them that are missing, and what they need: downloaded packages."""
        self.get("install", "--download-only", "--no-install-recommends", "-y", *names)
        return sorted((self.folder / "cache" / "archives").glob("*.deb"))

    def versions(self, source):
        """What there is of a source package, newest first."""
        shown = output("apt-cache", *self.options, "showsrc", "--only-source", source)
        order = functools.cmp_to_key(lambda a, b: subprocess.run(
            ["dpkg", "--compare-versions", a, "lt", b]).returncode * 2 - 1)
        return sorted(set(re.findall(r"(?m)^Version: (.*)", shown)), key=order, reverse=True)

    def source(self, source, version, folder):
        """The tarball of this version; None when the mirror does not have it."""
        folder.mkdir(parents=True, exist_ok=True)
        got = subprocess.run(["apt-get", "-q", *self.options, "source", "--download-only", "%s=%s" % (source, version)],
                             cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return next(folder.glob("*.orig.tar.*z"), None) if got.returncode == 0 else None


def installed(php):
    """[source package, its version] of this machine's PHP."""
    return output("dpkg-query", "-W", "-f", "${source:Package} ${source:Version}", "php%s-fpm" % php).split()


def suite_tarball(apt, php, folder):
    """The source of the installed PHP; of the newest there is, where a mirror no longer has that."""
    source, wanted = installed(php)
    for version in [wanted] + [version for version in apt.versions(source) if version != wanted]:
        tarball = apt.source(source, version, folder / version)
        if tarball:
            if version != wanted:
                say("the source of %s %s cannot be had: the suite is that of %s" % (source, wanted, version))
            return tarball
    sys.exit("phpt: no source package of %s can be had" % source)


def unpack_suite(tarball, target):
    """Of the source package what tests read; the first part of a name is the package's own."""
    with tarfile.open(tarball) as tar:
        for member in tar:
            name = member.name.partition("/")[2]
            if name == "run-tests.php" or "tests" in name.split("/")[:-1]:
                member.name = name
                tar.extract(member, target)


def place(target, *candidates):
    """The first of these files that exists becomes @target."""
    found = next((Path(name) for name in candidates if Path(name).exists()), None)
    if not found:
        sys.exit("phpt: there is none of " + ", ".join(map(str, candidates)))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(found, target)


def copy_files(target, *folders):
    """What is in these folders, those that exist, into one."""
    target.mkdir()
    for folder in folders:
        if folder.is_dir():
            shutil.copytree(folder, target, symlinks=True, dirs_exist_ok=True)


def place_php(php, debs, root, target):
    """Binaries, extensions and libraries: the downloaded ones, unpacked to @root, before the machine's."""
    for deb in debs:
        output("dpkg-deb", "-x", deb, root)
    for binary in ("bin/php", "bin/php-cgi", "sbin/php-fpm"):
        name = "usr/%s%s" % (binary, php)
        place(target / binary, root / name, "/" + name)
    extensions = Path(output(target / "bin" / "php", "-n", "-r", "echo ini_get('extension_dir');"))
    copy_files(target / "ext", extensions, root / extensions.relative_to("/"))
    copy_files(target / "lib", root / "usr" / "lib", *root.glob("usr/lib/*-linux-gnu*"))
    (target / "php.ini").write_text("".join("extension=%s\n" % name for name in ALWAYS))


def prepare(folder):
    """Fills @folder, unless that was done for this PHP before."""
    php = fpm_version()
    ready, this = folder / "ready", " ".join(installed(php)) + "\n"
    if ready.exists() and ready.read_text() == this:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say("getting PHP %s's test suite and extensions" % php)
    apt = Apt(folder / "apt")
    debs = apt.packages(["php%s-%s" % (php, name) for name in PACKAGES])
    unpack_suite(suite_tarball(apt, php, folder / "download"), folder / "source")
    place_php(php, debs, folder / "root", folder / "php")
    ready.write_text(this)
