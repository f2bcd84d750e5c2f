# SPDX-License-Identifier: BSD-2-Clause
"""The one exception of the kernel lab."""


class LabError(Exception):
    """Something that a person must put right. The text is for them; `lines` are the last words of what failed, `begun` is
    the last job that a guest began."""

    def __init__(self, text, lines=()):
        super().__init__(text)
        self.lines = list(lines)
        self.begun = None
