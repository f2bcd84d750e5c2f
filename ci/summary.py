#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Adds up what ci/test ran: lists skips, then failures with the end of what they printed, and
"N passed, N failed, N skipped" as the last line.

Usage: ci/summary.py RECORDS

RECORDS has one line per thing that ran, fields separated by tabs:
  check  NAME  EXIT-STATUS               counts as one
  build  NAME  EXIT-STATUS               counts only when it failed
  ctest  NAME  EXIT-STATUS  JUNIT-FILE   counts as the tests in the file

Exit status: 0 all is well, 1 something failed or no test ran.
"""

import re
import sys
import xml.etree.ElementTree as ET

# What ctest says about a test that asked to be skipped; every other way of not running is a failure.
ASKED_TO_SKIP = re.compile(r"SKIP_|Disabled")
# Of a failed test: whoever has only the end of a log must see why.
SHOWN_LINES = 40


def skip_reason(output):
    """GoogleTest's reason if there is one, else the last line of the output."""
    lines = [line.strip() for line in output.splitlines()]
    for number, line in enumerate(lines):
        if re.fullmatch(r"\S+: Skipped", line):
            reason = []
            for follower in lines[number + 1:]:
                if not follower or follower.startswith("["):
                    break
                reason.append(follower)
            if reason:
                return " ".join(reason)
    written = [line for line in lines if line]
    return written[-1] if written else "no reason given"


def failure_reason(why, output):
    """The reason, and below it the last lines of the output."""
    lines = [line for line in output.splitlines() if line.strip()]
    return "\n    | ".join([why, *lines[-SHOWN_LINES:]])


def read_tests(junit_file):
    """Yields (name, "passed" | "failed" | "skipped", reason) for every test."""
    with open(junit_file, "rb") as file:
        # A test may print anything; the parser takes only what XML allows.
        text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", file.read().decode("utf-8", "replace"))
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    for case in ET.fromstring(text).iter("testcase"):
        name, status = case.get("name"), case.get("status")
        skipped, failure = case.find("skipped"), case.find("failure")
        why = next((element.get("message", "") for element in (failure, skipped) if element is not None), "")
        if status == "run" and failure is None:
            yield name, "passed", ""
        elif status == "disabled":
            yield name, "skipped", "disabled"
        elif skipped is not None and ASKED_TO_SKIP.search(why):
            yield name, "skipped", skip_reason(case.findtext("system-out") or "")
        else:
            yield name, "failed", failure_reason(why or f"status {status}", case.findtext("system-out") or "")


def tests_of_run(status, junit_file):
    """The tests of one ctest run; a run that failed without naming a failed test is itself a failure."""
    try:
        tests = list(read_tests(junit_file))
    except (OSError, ET.ParseError) as error:
        return [("(run)", "failed", f"ctest ended with status {status}, no readable result: {error}")]
    if status != 0 and not any(state == "failed" for _, state, _ in tests):
        tests.append(("(run)", "failed", f"ctest ended with status {status}"))
    return tests


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    listed = {"passed": [], "failed": [], "skipped": []}
    tests_ran = 0
    with open(sys.argv[1], encoding="utf-8") as records:
        for record in records:
            kind, name, status, *junit = record.rstrip("\n").split("\t")
            if kind == "ctest":
                for test, state, reason in tests_of_run(int(status), junit[0]):
                    listed[state].append(f"{name}: {test}: {reason}")
                    tests_ran += state == "passed" or test != "(run)" and state == "failed"
            elif int(status) != 0:
                listed["failed"].append(f"{kind} {name}: status {status}")
            elif kind == "check":
                listed["passed"].append(name)

    for state in ("skipped", "failed"):
        for line in listed[state]:
            print(f"{state}: {line}")
    if tests_ran == 0:
        print("no test ran: that is a failure too")
    print(", ".join(f"{len(lines)} {state}" for state, lines in listed.items()), flush=True)
    sys.exit(1 if listed["failed"] or tests_ran == 0 else 0)


if __name__ == "__main__":
    main()
