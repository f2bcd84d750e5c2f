# SPDX-License-Identifier: BSD-2-Clause
"""A virtual machine that boots one kernel with one initial file system, and ends. Leaves nothing: QEMU dies with this
process, and its files have no names."""

import collections
import io
import json
import os
import re
import selectors
import shutil
import subprocess
import tarfile
import tempfile
import time
import typing
import zlib

from image import write_image
from lab_error import LabError

QEMU = "qemu-system-x86_64"
# Until the first process speaks. An emulated boot takes half a minute, on a busy machine minutes.
BOOT_SECONDS = {"kvm": 60, "tcg": 300}
KVM_TRIAL_SECONDS = 20
# Boots that die in the firmware or before the first process are tried again: some do, under emulation.
BOOT_ATTEMPTS = 3
END_SECONDS = 60
LAST_LINES = 15
ACCELERATION = {
    "kvm": ["-accel", "kvm", "-cpu", "host"],
    # With a thread for each CPU QEMU 7.2 breaks cmpxchg16b, which kernels use, and later CPU models crash in 6.12.
    "tcg": ["-accel", "tcg,thread=single", "-cpu", "Nehalem"],
}

# To a guest that waits for its turn on a busy host its clock seems to jump, and it takes another than it began with.
# Mitigations make every system call flush what the emulator has translated; where times mean nothing they are a waste.
PARAMETERS = {"kvm": "", "tcg": "tsc=reliable mitigations=off"}


class Machine(typing.NamedTuple):
    acceleration: str  # a key of ACCELERATION
    cpus: int
    memory_mib: int
    parameters: str  # further ones of the kernel


class Outcome(typing.NamedTuple):
    started: bool  # its first process spoke
    done: bool     # and had sent all results
    ended_by: str  # "itself", "time", or what QEMU ended with
    lines: list[str]


def printable(line):
    """Without the sequences that firmware and kernel write for terminals."""
    return re.sub(r"\x1b(\[[0-9;?=]*[a-zA-Z]|c)|[^\x20-\x7e]", "", line)


def qemu_command(kernel, machine, image, results):
    parameters = f"console=ttyS0 panic=-1 {PARAMETERS[machine.acceleration]} {machine.parameters}".rstrip()
    return ["setpriv", "--pdeathsig", "KILL", QEMU, "-nodefaults", "-no-user-config", "-no-reboot",
            "-display", "none", "-machine", "pc", *ACCELERATION[machine.acceleration],
            "-smp", str(machine.cpus), "-m", f"{machine.memory_mib}M",
            "-kernel", str(kernel.image), "-initrd", f"/proc/self/fd/{image.fileno()}", "-append", parameters,
            "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
            "-chardev", f"file,id=results,path=/proc/self/fd/{results.fileno()}", "-serial", "chardev:results"]


def watch(process, boot_seconds, run_seconds, limits, listen):
    """Reads the console until the guest ends or its time is up; `listen` gets every line. A job that does not end in its
    seconds (`limits`, by name) although the guest itself should have ended it has taken the guest with it."""
    started, done, unfinished = False, False, b""
    last = collections.deque(maxlen=LAST_LINES)
    deadline = end = time.monotonic() + boot_seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return Outcome(started, done, "time", list(last))
            if not selector.select(left):
                continue
            data = os.read(process.stdout.fileno(), 1 << 16)
            *lines, unfinished = (unfinished + data).split(b"\n")
            if not data:
                lines = [unfinished]
            for line in (printable(line.decode("utf-8", "replace")) for line in lines):
                if line:
                    last.append(line)
                    listen(line)
                if "lab: started" in line and not started:
                    started = True
                    deadline = end = time.monotonic() + run_seconds
                if (begun := begun_job(line)) in limits:
                    deadline = min(end, time.monotonic() + limits[begun] + END_SECONDS)
                if "lab: done" in line:
                    done = True
                    deadline = time.monotonic() + END_SECONDS
            if not data:
                status = process.wait()
                return Outcome(started, done, "itself" if status == 0 else f"status {status}", list(last))


def begun_job(line):
    """The name of the job that this line of the console announces, or None."""
    found = re.search(r"lab: (\S+) begins", line)
    return found and found[1]


def boot_once(kernel, machine, image, results, seconds, limits, listen):
    results.seek(0)
    results.truncate()
    fds = (image.fileno(), results.fileno())
    with subprocess.Popen(qemu_command(kernel, machine, image, results), pass_fds=fds, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            return watch(process, min(seconds, BOOT_SECONDS[machine.acceleration]), seconds, limits, listen)
        finally:
            process.kill()


def what_happened(outcome):
    """Why the guest did not send its results."""
    if outcome.ended_by == "time":
        return "hung, and was ended" if outcome.started else "did not come up in time, and was ended"
    if outcome.ended_by != "itself":
        return f"was ended by QEMU with {outcome.ended_by}"
    if any("Kernel panic" in line or "Oops" in line for line in outcome.lines):
        return "panicked"
    return "ended before it had sent its results" if outcome.started else "died in firmware or early boot"


def boot(kernel, machine, image, results, seconds, limits, listen, say):
    """Runs the guest to its end; `results` then holds what it sent."""
    for attempt in range(1, BOOT_ATTEMPTS + 1):
        outcome = boot_once(kernel, machine, image, results, seconds, limits, listen)
        if outcome.done:
            return
        text = f"{kernel.release}: the guest {what_happened(outcome)}"
        if outcome.started or outcome.ended_by.startswith("status") or attempt == BOOT_ATTEMPTS:
            raise LabError(text, outcome.lines)
        say(f"{text}; attempt {attempt + 1} of {BOOT_ATTEMPTS}")


def received(results):
    """The files that the guest sent, by name, and whether they end where its last word ended. It sends an archive after
    every job; one that is not whole counts for nothing."""
    results.seek(0)
    data, files = results.read(), {}
    while data:
        unpacker = zlib.decompressobj(wbits=31)  # of gzip
        try:
            archive = unpacker.decompress(data)
        except zlib.error:
            break
        if not unpacker.eof:
            break
        data = unpacker.unused_data
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            files |= {member.name: members.extractfile(member).read() for member in members if member.isfile()}
    return files, not data


def run_guest(kernel, machine, programs, data, jobs, seconds, results, listen, say):
    """Boots, and runs the jobs; received() has from the file `results` what they left in /out, whatever the end."""
    with tempfile.TemporaryFile() as image:
        try:
            write_image(image, kernel, programs, data, jobs)
        except OSError as error:
            raise LabError(f"the guest's file system could not be written to {tempfile.gettempdir()}: {error.strerror}"
                           ) from error
        boot(kernel, machine, image, results, seconds, {job.name: job.seconds for job in jobs}, listen, say)


def qemu_version():
    if not shutil.which(QEMU):
        raise LabError(f"{QEMU} is missing; run: apt-get install --no-install-recommends qemu-system-x86")
    done = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.split("\n")[0]


def guest_boots_under_kvm(kernel):
    with tempfile.TemporaryFile() as image, tempfile.TemporaryFile() as results:
        write_image(image, kernel, [], [], [])
        machine = Machine("kvm", 1, 512, "")
        return boot_once(kernel, machine, image, results, KVM_TRIAL_SECONDS, {}, lambda line: None).done


def choose_acceleration(cache, kernel, say):
    """KVM if a guest really boots with it: a device proves nothing. The answer holds until the host boots again."""
    version = qemu_version()
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        say("no /dev/kvm that may be used: the guest is emulated")
        return "tcg"
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot_id:
        host = f"{boot_id.read().strip()}, {version}"
    memory = cache / "acceleration.json"
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if known.get("host") != host:
        say(f"trying whether a guest boots under KVM, for {KVM_TRIAL_SECONDS} s at most")
        known = {"host": host, "acceleration": "kvm" if guest_boots_under_kvm(kernel) else "tcg"}
        part = memory.with_suffix(".part")
        part.write_text(json.dumps(known) + "\n", encoding="utf-8")
        part.rename(memory)
    say("KVM works" if known["acceleration"] == "kvm" else
        f"there is a /dev/kvm, but no guest boots with it (remembered in {memory}): the guest is emulated")
    return known["acceleration"]
