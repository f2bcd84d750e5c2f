# SPDX-License-Identifier: BSD-2-Clause
"""The initial file system of a guest: programs under their own paths, their libraries, modules, what is to be run."""

import lzma
import pathlib
import re
import shlex
import shutil
import stat
import subprocess
import typing

from lab_error import LabError

# What the benchmarks and tests use and distributions build as modules; each comes with what it depends on, and
# what is built in or not there at all is left out.
MODULES = (
    "veth", "dummy",                                                    # devices
    "sch_ingress", "cls_bpf", "act_bpf", "sch_fq", "sch_fq_codel",      # clsact and queueing
    "nf_tables", "nfnetlink", "nf_conntrack", "nf_defrag_ipv4",         # netfilter
    "tls", "kcm", "lz4", "lz4hc", "zstd", "zsmalloc", "zram",
)


# Between the signal that asks a job to end and the one that ends it.
KILL_SECONDS = 20


class Job(typing.NamedTuple):
    name: str  # of its files in the results
    command: list[str]
    seconds: int  # then it is ended


class Cpio:
    """Writes the archive that the kernel unpacks (Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self, file):
        self.file = file
        self.names = set()

    def directory(self, path, permissions=0o755):
        self.add(path, stat.S_IFDIR | permissions, b"")

    def link(self, path, target):
        self.add(path, stat.S_IFLNK | 0o777, str(target).encode())

    def write(self, path, content, permissions=0o644):
        self.add(path, stat.S_IFREG | permissions, content)

    def copy(self, path):
        """A file of the host, under the same path."""
        path = pathlib.Path(path)
        try:
            self.write(path, path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        except OSError as error:
            raise LabError(f"{path}: {error.strerror}") from error

    def close(self):
        self.entry("TRAILER!!!", 0, b"")

    def add(self, path, mode, content):
        path = pathlib.PurePosixPath("/", path)
        if path in self.names or path == path.parent:
            return
        self.directory(path.parent)
        self.names.add(path)
        self.entry(str(path)[1:], mode, content)

    def entry(self, name, mode, content):
        name = name.encode() + b"\0"
        number, links, nobody = len(self.names) + 1, 1, 0
        fields = (number, mode, nobody, nobody, links, 0, len(content), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self.file.write(header + name + bytes(-(len(header) + len(name)) % 4))
        self.file.write(content)
        self.file.write(bytes(-len(content) % 4))


def libraries(program):
    """Paths of the shared libraries and the loader of a program."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    if missing := re.findall(r"(\S+) => not found", done.stdout):
        raise LabError(f"{program} needs {', '.join(missing)}, which is not there")
    return re.findall(r"(/\S+) \(0x", done.stdout)


def without_compression(path):
    content = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(content)
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dc"], input=content, stdout=subprocess.PIPE, check=True).stdout
    return content


def add_modules(archive, directory):
    """Packs the modules, and lists them in the order in which they can be loaded."""
    paths = {}
    if directory is not None:
        for path in directory.rglob("*.ko*"):
            paths[path.name.split(".ko")[0].replace("-", "_")] = path
    order = []

    def add(name):
        name = name.replace("-", "_")
        target = f"/lib/modules/{name}.ko"
        if name not in paths or target in order:
            return
        content = without_compression(paths[name])
        for needed in re.findall(rb"\0depends=([^\0]*)\0", content):
            for other in filter(None, needed.decode().split(",")):
                add(other)
        archive.write(target, content)
        order.append(target)

    for name in MODULES:
        add(name)
    archive.write("/lab/modules", "".join(f"{path}\n" for path in order).encode())


def write_image(file, kernel, programs, data, jobs):
    """`programs` and the directories `data` keep their paths; `jobs` are run one after another."""
    archive = Cpio(file)
    busybox = shutil.which("busybox")
    if busybox is None:
        raise LabError("busybox is missing; run: apt-get install busybox-static")
    archive.write("/init", (pathlib.Path(__file__).parent / "init").read_bytes(), 0o755)
    archive.write("/bin/busybox", pathlib.Path(busybox).read_bytes(), 0o755)
    archive.link("/bin/sh", "busybox")
    for name in ("/proc", "/sys", "/dev", "/out", "/root", "/run", "/lab/jobs"):
        archive.directory(name)
    archive.directory("/tmp", 0o1777)
    archive.write("/etc/passwd", b"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    archive.write("/etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    archive.write("/etc/hosts", b"127.0.0.1 localhost\n")
    if kernel.config is not None:
        archive.write(f"/boot/config-{kernel.release}", kernel.config.read_bytes())
    for program in (pathlib.Path(busybox), *programs):
        for library in libraries(program):
            archive.copy(library)
    for program in programs:
        archive.copy(program)
    for directory in data:
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                archive.copy(path)
    add_modules(archive, kernel.modules)
    for number, job in enumerate(jobs):
        limit = ["exec", "timeout", "-k", str(KILL_SECONDS), str(job.seconds)]
        archive.write(f"/lab/jobs/{number:03}-{job.name}", (shlex.join([*limit, *job.command]) + "\n").encode())
    archive.close()
    file.flush()
