# SPDX-License-Identifier: BSD-2-Clause
"""Kernels for the lab: Debian's packages, fetched and unpacked without installing them, or the user's own."""

import contextlib
import fcntl
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import typing

from lab_error import LabError

FETCH_SECONDS = 900
# What `apt-cache` names: the packages that hold a kernel, and not those that only depend on the newest one.
HOLDS_KERNEL = re.compile(r"linux-image-(\d+\.\d+)\.\d\S*-cloud-amd64")


class Kernel(typing.NamedTuple):
    release: str
    image: pathlib.Path
    modules: pathlib.Path | None  # the directory that /lib/modules/RELEASE would be
    config: pathlib.Path | None


def image_release(path):
    """What `uname -r` will say, from the header of a bzImage (the kernel's Documentation/arch/x86/boot.rst)."""
    try:
        with open(path, "rb") as file:
            head = file.read(0x10200)
    except OSError as error:
        raise LabError(f"{path}: {error.strerror}") from error
    is_64_bit = 1
    if head[0x202:0x206] != b"HdrS" or not head[0x236] & is_64_bit:
        raise LabError(f"{path}: no kernel image for x86-64 (a bzImage is expected)")
    start = struct.unpack_from("<H", head, 0x20E)[0] + 0x200
    return head[start:head.find(b"\0", start)].decode("ascii", "replace").split(" ")[0]


def own_kernel(image, modules):
    """A kernel of the user's own; `modules` may be None."""
    if modules is not None and not modules.is_dir():
        raise LabError(f"{modules}: no such directory of modules")
    return Kernel(image_release(image), image, modules, None)


def unpacked_kernel(tree):
    """The kernel in an unpacked package, or None if it is not whole."""
    for image in tree.glob("boot/vmlinuz-*"):
        release = image_release(image)
        # Debian 13 has no /lib of its own in packages.
        modules = next(tree.glob(f"**/lib/modules/{release}"), None)
        config = tree / f"boot/config-{release}"
        return Kernel(release, image, modules, config if config.exists() else None)
    return None


def by_version(name):
    return [int(number) for number in re.findall(r"\d+", name)]


def run(command, what, **options):
    """Its standard output. The child does not outlive us."""
    try:
        done = subprocess.run(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=FETCH_SECONDS, **options)
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{what}: not done after {FETCH_SECONDS} s") from error
    if done.returncode != 0:
        raise LabError(f"{what} failed", done.stdout.splitlines()[-15:])
    return done.stdout


class Packages:
    """The packages of the configured mirror. The lists and settings of the system stay as they are."""

    def __init__(self, scratch, say):
        self.scratch = scratch
        self.say = say
        self.options = ["-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"]

    def download(self, wanted):
        """The file of the newest package for `wanted` ("6.12", or a package's name)."""
        try:
            return self.download_as_listed(wanted)
        except LabError as error:
            # Lists may be missing, as in a fresh container, or older than the mirror.
            self.say(f"{error}; asking the mirror for current lists")
        self.use_own_lists()
        return self.download_as_listed(wanted)

    def download_as_listed(self, wanted):
        package = wanted if wanted.startswith("linux-image-") else self.newest(wanted)
        self.say(f"fetching {package}")
        run(["apt-get", *self.options, "download", package], f"apt-get download {package}", cwd=self.scratch)
        return next(self.scratch.glob("*.deb"))

    def newest(self, version):
        names = run(["apt-cache", *self.options, "pkgnames", "linux-image-"], "apt-cache pkgnames").split()
        kernels = {name: match[1] for name in names if (match := HOLDS_KERNEL.fullmatch(name))}
        fitting = [name for name in kernels if kernels[name] == version]
        if not fitting:
            known = ", ".join(sorted(set(kernels.values()), key=by_version)) or "none"
            raise LabError(f"no package linux-image-{version}*-cloud-amd64 is known (versions: {known})")
        return max(fitting, key=by_version)

    def use_own_lists(self):
        lists = self.scratch / "lists"
        (lists / "partial").mkdir(parents=True)
        self.options += ["-o", f"Dir::State::lists={lists}", "-o", "Dir::Cache::pkgcache=",
                         "-o", "Dir::Cache::srcpkgcache="]
        run(["apt-get", *self.options, "update"], "apt-get update")


@contextlib.contextmanager
def locked(directory):
    """One at a time; what one that was killed left behind is removed."""
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in directory.glob("fetch-*"):
            shutil.rmtree(left)
        yield


def cached_kernel(cache, wanted):
    """The newest one that was unpacked before, or None."""
    def fits(tree):
        match = HOLDS_KERNEL.fullmatch(tree.name)
        return tree.name == wanted or (match and match[1] == wanted)
    for tree in sorted(filter(fits, cache.glob("linux-image-*")), key=lambda tree: by_version(tree.name), reverse=True):
        if kernel := unpacked_kernel(tree):
            return kernel
    return None


def debian_kernel(cache, wanted, say):
    """Fetches and unpacks it, unless the cache has one."""
    with locked(cache):
        if kernel := cached_kernel(cache, wanted):
            return kernel
        for tool in ("apt-get", "dpkg-deb"):
            if not shutil.which(tool):
                raise LabError(f"{tool} is missing: kernels are fetched on Debian; use --kernel and --modules")
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache) as name:
            scratch = pathlib.Path(name)
            package = Packages(scratch, say).download(wanted)
            tree = scratch / package.name.split("_")[0]
            run(["dpkg-deb", "-x", str(package), str(tree)], f"unpacking {package.name}")
            if unpacked_kernel(tree) is None:
                raise LabError(f"{package.name}: no kernel in this package")
            tree.rename(cache / tree.name)
        return cached_kernel(cache, wanted)
