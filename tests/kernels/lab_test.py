#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""ci/kernels/run in bad worlds. QEMU is played by a few lines that die, hang, panic or answer as a guest would: what is
tested is that every way out takes bounded time, says what happened in one line, and leaves no process and no file.

Usage: lab_test.py   (as unittest.main)
"""

import json
import lzma
import os
import pathlib
import re
import resource
import signal
import struct
import subprocess
import tempfile
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
RUN = TOP / "ci/kernels/run"
ENOUGH_SECONDS = 60
RELEASE = "6.99.0-made-up"

# The command line ends with -chardev file,id=results,path=/proc/self/fd/N -serial chardev:results.
QEMU = r'''#!/usr/bin/env python3
import io, json, os, re, sys, tarfile, time
if "--version" in sys.argv:
    print("QEMU emulator version 0")
    sys.exit()
open(os.environ["PLAY_PID"], "w").write(str(os.getpid()))
with open(os.environ["PLAY_CALLS"], "a") as calls:
    print(*sys.argv, file=calls)
image = open(sys.argv[sys.argv.index("-initrd") + 1], "rb").read()
open(os.environ["PLAY_IMAGE"], "wb").write(image)
play = os.environ["PLAY"]
if play == "refused":
    print("qemu: no such machine")
    sys.exit(1)
if play == "dead" or (play == "dead once" and open(os.environ["PLAY_CALLS"]).read().count("-nodefaults") == 1):
    print("SeaBIOS")
    sys.exit()
if play == "silent":
    time.sleep(1000)
if play == "together":
    end = time.monotonic() + 30
    while open(os.environ["PLAY_CALLS"]).read().count("-nodefaults") < 2 and time.monotonic() < end:
        time.sleep(0.02)
print("\x1b[2JLinux version\r\nlab: started 6.99", flush=True)
if play == "panic":
    print("Kernel panic - not syncing: Attempted to kill init!")
    sys.exit()
files = json.load(open(os.environ["PLAY_FILES"]))
path = re.search(r"id=results,path=(\S+)", " ".join(sys.argv))[1]
for job in (name.decode() for name in re.findall(rb"lab/jobs/\d+-([a-z0-9_-]+)", image)):
    print(f"lab: {job} begins", flush=True)
    if play == f"panic in {job}":
        print("Kernel panic - not syncing: stack protector")
        sys.exit()
    if play == f"hang in {job}":
        time.sleep(1000)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name in filter(lambda name: name.rpartition(".")[0] == job, files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            tar.addfile(member, io.BytesIO(files[name].encode()))
    data = archive.getvalue()
    with open(path, "ab") as results:
        results.write(data[:len(data) // 2] if play == "cut" else data)
    print(f"lab: {job} ended", flush=True)
print("lab: done", flush=True)
'''


def result(emulated=True, skips=(), numbers=()):
    bpfmark = {"schema_version": 1, "kernel": {"release": RELEASE}}
    if emulated:
        bpfmark["emulated"] = True
    return json.dumps({"context": {"bpfmark": bpfmark}, "benchmarks": [{"name": name} for name in numbers],
                       "skips": list(skips), "failures": []})


def skip(remedy="needs Linux 7.0 or newer"):
    return {"name": "a/b:c", "capability": "attach_x", "support": "absent", "cause": "attach_x: no", "remedy": remedy}


class Lab(unittest.TestCase):
    """A lab of which all tools but the script itself are made up."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.place = pathlib.Path(scratch.name)
        for name in ("tools", "build/tests", "tmp"):
            (self.place / name).mkdir(parents=True)
        self.tool("qemu-system-x86_64", QEMU)
        self.tool("busybox", "#!/bin/sh\n")
        for name, program in (("build/bench", "#!/bin/sh\n"), ("build/tests/bpf_tests", "#!/bin/sh\n")):
            self.write(name, program)
        self.kernel = self.place / "bzImage"
        self.kernel.write_bytes(self.bz_image(RELEASE))
        self.files = {"probe.status": "0\n", "probe.log": "[]", "bench.status": "0\n", "bench.log": "fine\n",
                      "bench.json": result()}
        self.calls = self.place / "calls"
        self.calls.touch()

    def tearDown(self):
        self.assertEqual([], self.left_behind())

    def tool(self, name, text):
        self.write(f"tools/{name}", text)

    def write(self, name, text):
        (self.place / name).write_text(text)
        (self.place / name).chmod(0o755)

    @staticmethod
    def bz_image(release):
        head = bytearray(0x400)
        head[0x202:0x206] = b"HdrS"
        head[0x236] = 1
        struct.pack_into("<H", head, 0x20E, 0x100)
        return bytes(head[:0x300]) + f"{release} (someone)".encode() + bytes(64)

    def environment(self, play):
        (self.place / "files.json").write_text(json.dumps(self.files))
        return {**os.environ, "PATH": f"{self.place / 'tools'}:/usr/bin:/bin", "TMPDIR": str(self.place / "tmp"),
                "PLAY": play, "PLAY_FILES": str(self.place / "files.json"), "PLAY_PID": str(self.place / "pid"),
                "PLAY_CALLS": str(self.calls), "PLAY_IMAGE": str(self.place / "image")}

    def command(self, *arguments, minutes=1.0):
        return [str(RUN), f"--kernel={self.kernel}", f"--build={self.place / 'build'}", f"--out={self.place / 'out'}",
                "--accel=tcg", f"--minutes={minutes}", *arguments]

    def by_version(self, version):
        return [str(RUN), version, f"--build={self.place / 'build'}", f"--cache={self.place / 'cache'}",
                f"--out={self.place / 'out'}", "--accel=tcg", "--", "--benchmark_filter=x"]

    def run_lab(self, play, *arguments, minutes=1.0, **options):
        return self.run_command(self.command(*arguments, minutes=minutes), play, **options)

    def run_command(self, command, play, **options):
        return subprocess.run(command, env=self.environment(play), capture_output=True, text=True,
                              timeout=ENOUGH_SECONDS, check=False, **options)

    def left_behind(self):
        """Files of the lab, and the made-up QEMU if it lives."""
        left = [str(path) for path in (self.place / "tmp").iterdir()]
        left += [str(path) for path in self.place.glob("out/**/*.part")]
        if (self.place / "pid").exists():
            pid = (self.place / "pid").read_text()
            for _ in range(100):  # the kernel kills it a little later than its parent ends
                try:
                    if pathlib.Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z":
                        break
                except OSError:
                    break
                time.sleep(0.05)
            else:
                left.append(f"process {pid}")
        return left

    def assert_refused(self, done, *texts):
        self.assertEqual(2, done.returncode, done.stderr)
        last = done.stderr.splitlines()[-1]
        self.assertTrue(last.startswith("ci/kernels/run: "), done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual([], list(self.place.glob("out/*/*.json")))

    # --- the guest

    def test_a_guest_that_answers_gives_its_files(self):
        done = self.run_lab("good", "--", "--benchmark_filter=x")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        out = self.place / "out" / RELEASE
        self.assertEqual(result(), (out / "bench.json").read_text())
        self.assertIn("lab: started 6.99", (out / "console-1.log").read_text())
        self.assertIn("thread=single", self.calls.read_text())

    def test_modules_are_unpacked_and_come_after_what_they_depend_on(self):
        modules = self.place / "modules/kernel"
        modules.mkdir(parents=True)
        (modules / "zz-base.ko.xz").write_bytes(lzma.compress(b"code of the base\0depends=\0"))
        (modules / "veth.ko").write_bytes(b"code\0depends=zz_base,builtin\0")
        (modules / "floppy.ko").write_bytes(b"code that nobody needs\0depends=\0")
        done = self.run_lab("good", f"--modules={modules.parent}", "--", "--benchmark_filter=x")
        self.assertEqual(0, done.returncode, done.stderr)
        image = (self.place / "image").read_bytes()
        self.assertTrue(image.startswith(b"070701") and b"TRAILER!!!" in image)
        self.assertIn(b"/lib/modules/zz_base.ko\n/lib/modules/veth.ko\n", image)
        self.assertIn(b"code of the base", image)
        self.assertNotIn(b"nobody needs", image)

    def test_a_job_that_fails_is_exit_1_with_its_last_lines(self):
        self.files |= {"bench.status": "1\n", "bench.log": "7 hits of 8\n"}
        done = self.run_lab("good", "--", "--benchmark_filter=x")
        self.assertEqual(1, done.returncode)
        self.assertIn("bench: FAILED", done.stdout)
        self.assertIn("7 hits of 8", done.stdout)

    def test_a_job_without_a_status_has_failed(self):
        del self.files["bench.status"]
        self.assertEqual(1, self.run_lab("good", "--", "--benchmark_filter=x").returncode)

    def test_tests_that_failed_are_exit_1(self):
        self.files |= {"bpf_tests.status": "1\n", "bpf_tests.log": "[  FAILED  ] A.B\n",
                       "bpf_tests.xml": '<testsuites tests="2" failures="1"><testsuite><testcase name="a"/>'
                                        '<testcase name="b"><skipped/></testcase></testsuite></testsuites>'}
        done = self.run_lab("good", "--", "bpf_tests", "--gtest_filter=A.*")
        self.assertEqual(1, done.returncode)
        self.assertIn("bpf_tests: FAILED 2 tests, 1 failed, 1 skipped", done.stdout)

    def test_a_result_without_the_stamp_is_refused(self):
        self.files["bench.json"] = result(emulated=False)
        done = self.run_lab("good", "--", "--benchmark_filter=x")
        self.assertEqual(1, done.returncode)
        self.assertIn("not stamped as emulated", done.stdout)

    def test_results_that_cannot_be_read_have_failed(self):
        self.files |= {"bench.json": "{", "probe.log": "no JSON"}
        done = self.run_lab("good", "--", "--benchmark_filter=x")
        self.assertEqual(1, done.returncode, done.stderr)
        self.assertIn("bench.json is no JSON", done.stdout)
        self.assertIn("the output of 'bench probe --json' is no JSON", done.stdout)

    def test_a_skip_without_remedy_is_refused(self):
        self.files["bench.json"] = result(skips=[skip(), skip(remedy="")])
        done = self.run_lab("good", "--", "--benchmark_filter=x")
        self.assertEqual(1, done.returncode)
        self.assertEqual(1, done.stdout.count("skipped without"))

    def test_a_skip_for_want_of_what_is_there_is_refused(self):
        self.files["bench.json"] = result(skips=[skip()])
        self.files["probe.log"] = json.dumps([{"name": "attach_x", "support": "supported", "cause": ""}])
        done = self.run_lab("good", "--", "--benchmark_filter=x")
        self.assertEqual(1, done.returncode)
        self.assertIn("skipped for want of attach_x, which 'bench probe' has", done.stdout)

    def test_a_kernel_that_lost_what_is_known_of_it_is_exit_1(self):
        self.kernel.write_bytes(self.bz_image("6.12.9-other"))
        done = self.run_lab("good", "--", "--benchmark_filter=x")
        self.assertEqual(1, done.returncode)
        self.assertIn("'bench probe' has no attach_fentry", done.stdout)
        self.files["probe.log"] = json.dumps(
            [{"name": "attach_fentry", "support": "absent", "cause": "attach_fentry: gone", "remedy": ""}])
        again = self.run_lab("good", f"--out={self.place / 'again'}", "--", "--benchmark_filter=x")
        self.assertIn("attach_fentry is absent, expected supported: attach_fentry: gone", again.stdout)

    def test_a_guest_that_panics_shows_its_last_lines(self):
        self.assert_refused(self.run_lab("panic", "--", "--benchmark_filter=x"), "panicked", "Attempted to kill init")
        self.assertEqual(1, self.calls.read_text().count("-nodefaults"))

    def test_a_guest_that_hangs_is_ended_in_time(self):
        self.assert_refused(self.run_lab("hang in bench", "--", "--benchmark_filter=x", minutes=0.03), "hung",
                            "lab: bench begins")

    def test_a_boot_that_dies_early_is_tried_again_and_said(self):
        done = self.run_lab("dead once", "--", "--benchmark_filter=x")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("died in firmware or early boot; attempt 2 of 3", done.stdout)

    def test_boots_that_all_die_early_are_given_up(self):
        self.assert_refused(self.run_lab("dead", "--", "--benchmark_filter=x"), "SeaBIOS",
                            "died in firmware or early boot")
        self.assertEqual(3, self.calls.read_text().count("-nodefaults"))

    def test_boots_that_never_speak_are_given_up_in_time(self):
        self.assert_refused(self.run_lab("silent", "--", "--benchmark_filter=x", minutes=0.02),
                            "did not come up in time")

    def test_what_qemu_refuses_is_not_tried_again(self):
        self.assert_refused(self.run_lab("refused", "--", "--benchmark_filter=x"), "status 1", "no such machine")
        self.assertEqual(1, self.calls.read_text().count("-nodefaults"))

    def test_half_an_archive_is_no_result(self):
        self.assert_refused(self.run_lab("cut", "--", "--benchmark_filter=x"), "not whole")

    # --- the whole, in pieces

    def set_up_pieces(self):
        self.write("build/bench", "#!/bin/sh\nprintf 'b/x/entries:1048576\\na/x\\nb/y\\n'\n")
        names = ["bpf", "smoke", "harness", "unit", "bytecode", "machine", "judge", "export"]
        for name in names:
            self.write(f"build/tests/{name}_tests", "#!/bin/sh\n")
        self.files = {"probe.log": "[]", "bench-a.json": result(numbers=["a/x"]), "bench-b.json": result(numbers=["b/y"]),
                      "bench-large-b.json": result(numbers=["b/x/entries:1048576"])}
        self.jobs = ["probe", "bench-a", "bench-b", *(f"{name}_tests" for name in names), "bench-large-b"]
        self.files |= {f"{job}.status": "0\n" for job in self.jobs}

    def boots(self):
        return self.calls.read_text().count("-nodefaults")

    def whole(self):
        document = json.loads((self.place / "out" / RELEASE / "bench.json").read_text())
        return [case["name"] for case in document["benchmarks"]], document["context"]["bpfmark"].get("incomplete", False)

    def test_the_whole_is_one_result(self):
        self.set_up_pieces()
        done = self.run_lab("good")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual((["a/x", "b/y", "b/x/entries:1048576"], False), self.whole())
        self.assertIn("all benchmarks: 3 numbers, 0 skips, 0 failures", done.stdout)
        self.assertEqual([f"lab: {job} begins" for job in self.jobs],
                         re.findall("lab: .* begins", (self.place / "out" / RELEASE / "console-1.log").read_text()))
        # Every case is in one piece.
        filters = re.findall(rb"--benchmark_filter=(\S+)", (self.place / "image").read_bytes())
        self.assertEqual([b"^(a/x)$'", b"^(b/y)$'", b"^(b/x/entries:1048576)$'"], filters)

    def test_a_piece_that_takes_the_guest_with_it_spoils_no_other(self):
        self.set_up_pieces()
        done = self.run_lab("panic in bench-b")
        self.assertEqual(2, done.returncode, done.stdout + done.stderr)
        self.assertIn("stack protector", done.stderr)
        self.assertIn("bench-b: FAILED", done.stdout)
        self.assertIn("the guest did not survive it", done.stdout)
        self.assertEqual(2, self.boots())
        self.assertEqual((["a/x", "b/x/entries:1048576"], True), self.whole())

    def test_what_was_interrupted_goes_on_where_it_was(self):
        self.set_up_pieces()
        self.assertEqual(-signal.SIGKILL, self.ended_by(signal.SIGKILL, "bench-b"))
        self.assertEqual("0\n", (self.place / "out" / RELEASE / "bench-a.status").read_text())
        self.assertIn("holds results already", self.run_lab("good").stderr)
        done = self.run_lab("good", "--resume")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertNotIn("bench-a begins", done.stdout)
        self.assertEqual((["a/x", "b/y", "b/x/entries:1048576"], False), self.whole())

    def test_emulated_guests_run_side_by_side(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("one CPU: guests run in turn")
        for version in ("6.98", "6.99"):
            boot = self.place / f"cache/linux-image-{version}.0-1-cloud-amd64/boot"
            boot.mkdir(parents=True)
            (boot / f"vmlinuz-{version}.0").write_bytes(self.bz_image(f"{version}.0"))
        command = self.by_version("6.98")
        done = self.run_command([command[0], "6.99", *command[1:]], "together")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertLess(done.stdout.rindex(": booting"), done.stdout.index(": started"))

    # --- the host

    def test_without_qemu_it_says_what_to_install(self):
        (self.place / "tools/qemu-system-x86_64").unlink()
        command = self.command("--", "--benchmark_filter=x")
        environment = self.environment("good") | {"PATH": str(self.place / "tools")}
        for tool in ("setpriv", "ldd", "python3", "env"):
            (self.place / "tools" / tool).symlink_to(f"/usr/bin/{tool}")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=ENOUGH_SECONDS,
                              check=False)
        self.assert_refused(done, "qemu-system-x86_64 is missing", "apt-get install")

    def test_a_kernel_for_something_else_is_refused(self):
        self.kernel.write_bytes(b"\x7fELF" + bytes(0x10000))
        self.assert_refused(self.run_lab("good", "--", "--benchmark_filter=x"), "no kernel image for x86-64")
        self.kernel.unlink()
        self.assert_refused(self.run_lab("good", "--", "--benchmark_filter=x"), "No such file")

    def test_a_machine_of_another_architecture_is_refused(self):
        done = self.run_command(["/usr/bin/setarch", "linux32", *self.command()], "good")
        self.assert_refused(done, "x86-64")

    def test_a_package_that_is_not_to_be_had_is_refused(self):
        self.tool("apt-cache", "#!/bin/sh\necho linux-image-6.1.0-49-cloud-amd64 linux-image-6.3.0-1-amd64\n")
        self.tool("apt-get", "#!/bin/sh\necho 'E: no network'; exit 100\n")
        done = self.run_command(self.by_version("6.99"), "good")
        self.assert_refused(done, "apt-get update failed", "E: no network")
        self.assertIn("no package linux-image-6.99*-cloud-amd64 is known (versions: 6.1)", done.stdout)
        self.assertEqual(["lock"], [path.name for path in (self.place / "cache").iterdir()])

    def test_the_newest_package_is_fetched_once_and_unpacked(self):
        name = "linux-image-6.99.0-49-cloud-amd64"
        tree = self.place / "package"
        for path, content in (("DEBIAN/control", f"Package: {name}\nVersion: 1\nArchitecture: amd64\n"
                                                 "Maintainer: nobody <nobody@invalid>\nDescription: made up\n"),
                              (f"lib/modules/{RELEASE}/kernel/veth.ko", "\0depends=\0")):
            (tree / path).parent.mkdir(parents=True)
            (tree / path).write_text(content)
        (tree / "boot").mkdir()
        (tree / f"boot/vmlinuz-{RELEASE}").write_bytes(self.bz_image(RELEASE))
        package = self.place / f"{name}_1_amd64.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, package], check=True, capture_output=True)
        self.tool("apt-cache", f"#!/bin/sh\necho linux-image-6.99.0-9-cloud-amd64 {name} {name}-unsigned\n")
        self.tool("apt-get", f'#!/bin/sh\necho "$@" >>{self.calls}\n'
                             f'case "$*" in *"download {name}") cp {package} . ;; esac\n')
        done = self.run_command(self.by_version("6.99"), "good")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        again = self.run_command([*self.by_version("6.99")[:4], "--out=" + str(self.place / "again"),
                                  *self.by_version("6.99")[5:]], "good")
        self.assertEqual(0, again.returncode, again.stdout + again.stderr)
        self.assertEqual(1, self.calls.read_text().count("download"))
        self.assertEqual(["linux-image-6.99.0-49-cloud-amd64", "lock"],
                         sorted(path.name for path in (self.place / "cache").iterdir()))

    def test_a_disk_that_is_full_is_said(self):
        def one_mebibyte():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        (self.place / "build/bench").write_bytes(bytes(2 << 20))
        done = self.run_lab("good", "--", "--benchmark_filter=x", preexec_fn=one_mebibyte)
        self.assert_refused(done, "File too large")

    def test_what_was_not_built_is_said(self):
        (self.place / "build/bench").unlink()
        self.assert_refused(self.run_lab("good"), "build/bench: not there; build first")

    def test_results_are_not_written_over_older_ones(self):
        self.assertEqual(0, self.run_lab("good", "--", "--benchmark_filter=x").returncode)
        again = self.run_lab("good", "--", "--benchmark_filter=x")
        self.assertEqual(2, again.returncode)
        self.assertIn("holds results already", again.stderr)

    def test_wrong_usage_is_exit_2(self):
        for arguments in (["6"], ["6.1;x"], [], ["6.1", "--modules=/"], ["6.1", "--launches=0"], ["6.1", "--minutes=x"],
                          ["6.1", "--subset", "--", "bench"], ["6.1", "--unknown"], ["../6.1"]):
            done = self.run_command([str(RUN), *arguments], "good")
            self.assertEqual(2, done.returncode, arguments)
            self.assertNotIn("Traceback", done.stderr)

    # --- the way out

    def ended_by(self, number, job, *arguments):
        """Its exit status, if it is sent this signal while the guest hangs in this job."""
        with subprocess.Popen(self.command(*arguments), env=self.environment(f"hang in {job}"),
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as lab:
            next(line for line in lab.stdout if f"{job} begins" in line)
            lab.send_signal(number)
            return lab.wait(ENOUGH_SECONDS)

    def test_a_signal_ends_it_and_the_guest(self):
        self.assertEqual(143, self.ended_by(signal.SIGTERM, "bench", "--", "--benchmark_filter=x"))

    def test_kill_9_ends_the_guest_too(self):
        self.assertEqual(-signal.SIGKILL, self.ended_by(signal.SIGKILL, "bench", "--", "--benchmark_filter=x"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
