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
with open(sys.argv[sys.argv.index("-initrd") + 1], "rb") as image, open(os.environ["PLAY_IMAGE"], "wb") as copy:
    copy.write(image.read())
play = os.environ["PLAY"]
if play == "refused":
    print("qemu: no such machine")
    sys.exit(1)
if play == "dead" or (play == "dead once" and open(os.environ["PLAY_CALLS"]).read().count("-nodefaults") == 1):
    print("SeaBIOS")
    sys.exit()
if play == "silent":
    time.sleep(1000)
print("\x1b[2JLinux version\r\nlab: started 6.99", flush=True)
if play == "hang":
    print("lab: bench begins", flush=True)
    time.sleep(1000)
if play == "panic":
    print("Kernel panic - not syncing: Attempted to kill init!")
    sys.exit()
archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w:gz") as tar:
    for name, content in json.load(open(os.environ["PLAY_FILES"])).items():
        member = tarfile.TarInfo("./" + name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content.encode()))
data = archive.getvalue()
path = re.search(r"id=results,path=(\S+)", " ".join(sys.argv))[1]
open(path, "wb").write(data[:len(data) // 2] if play == "cut" else data)
print("lab: done", flush=True)
'''


def result(emulated=True, skips=()):
    bpfmark = {"schema_version": 1, "kernel": {"release": RELEASE}}
    if emulated:
        bpfmark["emulated"] = True
    return json.dumps({"context": {"bpfmark": bpfmark}, "benchmarks": [], "skips": list(skips), "failures": []})


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
        self.assertIn("lab: started 6.99", (out / "console.log").read_text())
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
        self.assert_refused(self.run_lab("hang", "--", "--benchmark_filter=x", minutes=0.03), "hung",
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

    def ended_by(self, number):
        with subprocess.Popen(self.command("--", "--benchmark_filter=x"), env=self.environment("hang"),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as lab:
            end = time.monotonic() + ENOUGH_SECONDS
            while not (self.place / "pid").exists() and time.monotonic() < end:
                time.sleep(0.02)
            lab.send_signal(number)
            return lab.wait(ENOUGH_SECONDS)

    def test_a_signal_ends_it_and_the_guest(self):
        self.assertEqual(143, self.ended_by(signal.SIGTERM))

    def test_kill_9_ends_the_guest_too(self):
        self.assertEqual(-signal.SIGKILL, self.ended_by(signal.SIGKILL))


if __name__ == "__main__":
    unittest.main(verbosity=2)
