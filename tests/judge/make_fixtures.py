#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes significance_fixtures.inc: what scipy says about the samples that significance_test.cpp tries.

The C++ tests read the written file and need no scipy. A test of its own runs this script with --check, so
that the file is what the installed scipy says.
  /usr/bin/python3 tests/judge/make_fixtures.py > tests/judge/significance_fixtures.inc
  /usr/bin/python3 tests/judge/make_fixtures.py --check tests/judge/significance_fixtures.inc

Exit status of --check: 0 the same, 1 different, 77 there is no scipy.
"""
import collections
import contextlib
import io
import math
import pathlib
import random
import re
import sys

try:
    import numpy
    import scipy
    from scipy import stats
except ImportError as error:
    print(f"skipped: {error} (Debian: python3-scipy)")
    sys.exit(77)

SEED = 20240501


def exact_with_integers(old, new):
    """The permutation distribution of the rank sum, by counting choices from each group of ties."""
    ranks = [round(2 * rank) for rank in stats.rankdata(old + new)]
    ways = collections.Counter({(0, 0): 1})
    for rank, size in collections.Counter(ranks).items():
        grown = collections.Counter()
        for (chosen, total), count in ways.items():
            for k in range(min(size, len(new) - chosen) + 1):
                grown[chosen + k, total + k * rank] += count * math.comb(size, k)
        ways = grown
    sums = {total: count for (chosen, total), count in ways.items() if chosen == len(new)}
    observed = sum(ranks[len(old):])
    every = math.comb(len(ranks), len(new))
    below = sum(count for total, count in sums.items() if total <= observed)
    above = sum(count for total, count in sums.items() if total >= observed)
    return min(1.0, 2 * min(below, above) / every)


def permutation(old, new):
    def rank_sum(x, y):
        return numpy.sum(stats.rankdata(numpy.concatenate((x, y)))[:len(x)])

    return stats.permutation_test((new, old), rank_sum, n_resamples=numpy.inf, vectorized=False).pvalue


def mann_whitney(old, new, oracle):
    u = stats.mannwhitneyu(new, old, method="asymptotic").statistic
    if oracle == "scipy mannwhitneyu exact":
        p = stats.mannwhitneyu(new, old, method="exact").pvalue
    elif oracle == "scipy mannwhitneyu asymptotic":
        p = stats.mannwhitneyu(new, old, method="asymptotic", use_continuity=True).pvalue
    elif oracle == "scipy permutation_test":
        p = permutation(old, new)
        assert math.isclose(p, exact_with_integers(old, new), rel_tol=1e-12)
    else:
        p = exact_with_integers(old, new)
    return u, p


def numbers(values):
    return "{" + ", ".join(repr(float(value)) for value in values) + "}"


def main():
    draw = random.Random(SEED)

    def untied(n, shift):
        return [round(draw.gauss(10 + shift, 1), 6) for _ in range(n)]

    def tied(n, shift):
        return [float(draw.randint(1, 4)) + shift for _ in range(n)]

    print("// SPDX-License-Identifier: BSD-2-Clause")
    print(f"// Written by make_fixtures.py with scipy {scipy.__version__}, numpy {numpy.__version__}.")
    print("const std::vector<MannWhitneyFixture> kMannWhitneyFixtures = {")
    plan = [("scipy mannwhitneyu exact", untied, [(1, 1, 0), (1, 5, 2), (4, 4, 9), (4, 4, 0), (5, 7, 1),
                                                  (10, 10, 0), (10, 10, 1), (20, 20, 0.7), (20, 3, 1), (20, 20, 9)]),
            ("scipy permutation_test", tied, [(3, 3, 0), (4, 4, 0), (5, 6, 1), (8, 8, 0), (4, 9, 1), (8, 8, 4)]),
            ("exact counts", tied, [(10, 10, 1), (15, 20, 0), (20, 20, 1), (20, 20, 4), (20, 7, 2)]),
            ("scipy mannwhitneyu asymptotic", untied, [(25, 30, 0), (21, 4, 1), (100, 100, 0.3)]),
            ("scipy mannwhitneyu asymptotic", tied, [(25, 30, 0), (21, 21, 1), (60, 40, 0)])]
    for oracle, sample, sizes in plan:
        for n_old, n_new, shift in sizes:
            old, new = sample(n_old, 0), sample(n_new, shift)
            u, p = mann_whitney(old, new, oracle)
            print(f'    {{"{oracle}", {numbers(old)}, {numbers(new)}, {u!r}, {float(p)!r}}},')
    print("};")
    print("const std::vector<BootstrapFixture> kBootstrapFixtures = {")
    for n_old, n_new, shift in [(4, 4, 0), (10, 10, 0), (10, 10, 1), (9, 11, -2), (20, 20, 0.5), (50, 50, 0)]:
        old, new = untied(n_old, 0), untied(n_new, shift)
        ends = []
        for statistic in (lambda x, y, axis: numpy.median(y, axis=axis) / numpy.median(x, axis=axis),
                          lambda x, y, axis: numpy.median(y, axis=axis) - numpy.median(x, axis=axis)):
            interval = stats.bootstrap((old, new), statistic, n_resamples=199_999, method="percentile",
                                       batch=20_000, random_state=SEED).confidence_interval
            ends += [repr(float(interval.low)), repr(float(interval.high))]
        print(f"    {{{numbers(old)}, {numbers(new)}, {{{ends[0]}, {ends[1]}}}, {{{ends[2]}, {ends[3]}}}}},")
    print("};")
    print("const std::vector<NormalQuantileFixture> kNormalQuantileFixtures = {")
    for q in (1e-9, 0.0005, 0.025, 0.2, 0.5, 0.8, 0.975, 0.9999):
        print(f"    {{{q!r}, {float(stats.norm.ppf(q))!r}}},")
    print("};")
    print("const std::vector<DetectableFixture> kDetectableFixtures = {")
    for n_old, n_new, floor, alpha in [(4, 4, 0.02, 0.05), (10, 10, 0.02, 0.05), (10, 20, 0.5, 0.0005),
                                       (2, 3, 0, 0.05)]:
        old, new = untied(n_old, 0), untied(n_new, 0)
        freedom = n_old + n_new - 2
        pooled = math.sqrt(((n_old - 1) * numpy.var(old, ddof=1) + (n_new - 1) * numpy.var(new, ddof=1)) / freedom)
        z = stats.norm.ppf
        factor = max((z(1 - alpha / 2) + z(0.8)) * math.sqrt(math.pi / 3),
                     (z(0.975) + z(0.8)) * math.sqrt(math.pi / 2))
        shift = floor + factor * pooled * math.sqrt(1 / n_old + 1 / n_new)
        print(f"    {{{numbers(old)}, {numbers(new)}, {floor!r}, {alpha!r}, {float(shift)!r}}},")
    print("};")
    print("const std::vector<TTestFixture> kTTestFixtures = {")
    for n_old, n_new, shift in [(2, 2, 3), (3, 3, 0), (3, 47, 2), (25, 25, 0), (25, 25, 1), (50, 50, 5),
                                (4, 9, -40)]:
        old, new = untied(n_old, 0), untied(n_new, shift)
        print(f"    {{{numbers(old)}, {numbers(new)}, {float(stats.ttest_ind(old, new).pvalue)!r}}},")
    print("};")


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def same(fresh, kept, is_bootstrap):
    """Numbers agree to 1e-9; the ends of a bootstrap, whose draws differ between versions of scipy, to a
    quarter of the width."""
    if NUMBER.sub("#", fresh) != NUMBER.sub("#", kept):
        return False
    ours, theirs = ([float(number) for number in NUMBER.findall(line)] for line in (fresh, kept))
    tolerances = [1e-9 * abs(number) for number in theirs]
    if is_bootstrap:
        tolerances[-4:] = [(theirs[-3] - theirs[-4]) / 4] * 2 + [(theirs[-1] - theirs[-2]) / 4] * 2
    return all(abs(a - b) <= tolerance for a, b, tolerance in zip(ours, theirs, tolerances))


def check(path):
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        main()
    fresh, kept = written.getvalue().splitlines(), pathlib.Path(path).read_text().splitlines()
    if len(fresh) != len(kept):
        print(f"{path}: {len(kept)} lines, and this scipy writes {len(fresh)}")
        return 1
    # A comparison that cannot fail would prove nothing.
    altered = NUMBER.sub(lambda number: repr(float(number.group()) * 1.000001), fresh[-2], count=1)
    assert not same(fresh[-2], altered, False)
    wrong, section = 0, ""
    for number, (a, b) in enumerate(zip(fresh, kept), 1):
        section = b if b.startswith("const") else section
        # The second line names the versions.
        if number != 2 and not same(a, b, "Bootstrap" in section and b.startswith("    {")):
            print(f"{path}:{number}: {b}\n  this scipy: {a}")
            wrong += 1
    print(f"{len(kept)} lines compared with scipy {scipy.__version__}: {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(check(sys.argv[2]) if sys.argv[1:2] == ["--check"] else main())
