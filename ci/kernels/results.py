# SPDX-License-Identifier: BSD-2-Clause
"""What the guests of one launch of a kernel left: its files, and whether all is well."""

import contextlib
import json
import pathlib
import re
import xml.etree.ElementTree as ET

HERE = pathlib.Path(__file__).resolve().parent
LAST_LOG_LINES = 40
# What a result of bench has a list of.
OUTCOMES = ("benchmarks", "skips", "failures")


class Results:
    """The files, by the names that the guest gives them."""

    def __init__(self, place, suffix):
        self.place = place
        self.suffix = suffix

    def path(self, name):
        stem, dot, ending = pathlib.PurePath(name).name.rpartition(".")
        return self.place / f"{stem}{self.suffix}{dot}{ending}"

    def read(self, name):
        """Nothing where it is not there."""
        path = self.path(name)
        return path.read_bytes() if path.exists() else b""

    def status(self, job):
        """As the guest said it; nothing where the job did not come to its end."""
        return self.read(f"{job.name}.status").decode().strip()

    def write(self, files):
        """Each file is whole or not there."""
        self.place.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = self.path(name)
            part = path.with_name(path.name + ".part")
            try:
                part.write_bytes(content)
                part.rename(path)
            finally:
                part.unlink(missing_ok=True)


def named_capabilities():
    """What any of expected/ names."""
    return sorted({name for path in (HERE / "expected").glob("*.txt") for name in capabilities_in(path)})


def expected_capabilities(release):
    """Name and support of what is known of kernels of this version."""
    path = HERE / "expected" / ("{}.{}.txt".format(*re.findall(r"\d+", release)[:2]))
    return capabilities_in(path) if path.exists() else {}


def capabilities_in(path):
    lines = (line.split("#")[0].split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines())
    return {name: support.strip() for name, support in filter(None, lines)}


def complaints_about_probe(text, release):
    try:
        found = {entry["name"]: entry for entry in json.loads(text)}
    except ValueError as error:
        return [f"the output of 'bench probe --json' is no JSON: {error}"]
    complaints = []
    for name, support in expected_capabilities(release).items():
        if name not in found:
            complaints.append(f"'bench probe' has no {name}, which expected/ names")
        elif found[name]["support"] != support:
            cause = found[name]["cause"]
            complaints.append(f"{name} is {found[name]['support']}, expected {support}{': ' if cause else ''}{cause}")
    return complaints


def supported_by(probe):
    """Names of the capabilities that the output of `bench probe --json` has as supported."""
    with contextlib.suppress(ValueError):
        return {entry["name"] for entry in json.loads(probe) if entry["support"] == "supported"}
    return set()


def complaints_about_result(text, acceleration, supported):
    try:
        result = json.loads(text)
    except ValueError as error:
        return [f"bench.json is no JSON: {error}"]
    complaints = []
    emulated = result["context"]["bpfmark"].get("emulated", False)
    if emulated != (acceleration == "tcg"):
        complaints.append(f"bench.json is {'' if emulated else 'not '}stamped as emulated, and QEMU ran with "
                          f"{acceleration}")
    for skip in result["skips"]:
        if not (skip["capability"] and skip["cause"] and skip["remedy"]):
            complaints.append(f"{skip['name']}: skipped without capability, cause and remedy")
        if skip["capability"] in supported:
            complaints.append(f"{skip['name']}: skipped for want of {skip['capability']}, which 'bench probe' has")
    return complaints


def summary_of(name, results):
    """What its result says in numbers; nothing where there is none that can be read."""
    try:
        return numbers_of(name, results)
    except (ValueError, ET.ParseError):
        return ""


def numbers_of(name, results):
    if result := results.read(f"{name}.json"):
        result = json.loads(result)
        counts = [len(result[key]) for key in OUTCOMES]
        return "{} numbers, {} skips, {} failures".format(*counts)
    if result := results.read(f"{name}.xml"):
        suites = ET.fromstring(result)
        skipped = sum(case.find("skipped") is not None for case in suites.iter("testcase"))
        return f"{suites.get('tests')} tests, {suites.get('failures')} failed, {skipped} skipped"
    return ""


def judge(jobs, results, release, acceleration, say):
    """Prints what became of every job; whether all is well."""
    good = True
    supported = supported_by(results.read("probe.log"))
    for job in jobs:
        status = results.status(job) or "none"
        log = results.read(f"{job.name}.log").decode("utf-8", "replace")
        complaints = [] if status == "0" else [f"exit status {status}"]
        if status == "0" and job.name == "probe":
            complaints += complaints_about_probe(log, release)
        if result := results.read(f"{job.name}.json"):
            complaints += complaints_about_result(result, acceleration, supported)
        say(f"{release}: {job.name}: {'FAILED' if complaints else 'passed'} {summary_of(job.name, results)}".rstrip())
        if complaints and job.name != "probe":
            print("\n".join(f"    {line}" for line in log.splitlines()[-LAST_LOG_LINES:]))
        for complaint in complaints:
            say(f"    {complaint}")
        good = good and not complaints
    return good


def write_whole(jobs, results, arguments):
    """bench.json: the pieces ("bench-...") of what is `arguments` in one, as far as they can be read. False if none can."""
    names = [job.name for job in jobs if job.name.startswith("bench-")]
    pieces = []
    for name in names:
        with contextlib.suppress(ValueError):  # judge() says so
            pieces.append(json.loads(results.read(f"{name}.json")))
    if not pieces:
        return False
    whole = pieces[0]
    for piece in pieces[1:]:
        for key in OUTCOMES:
            whole[key] += piece[key]
    identity = whole["context"]["bpfmark"]
    identity["arguments"] = arguments
    if len(pieces) < len(names) or any(piece["context"]["bpfmark"].get("incomplete") for piece in pieces):
        identity["incomplete"] = True
    results.write({"bench.json": json.dumps(whole, indent=1).encode()})
    return True
