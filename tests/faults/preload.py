"""What a process of the fault tests is forked from: their clock first, which everything after it keeps."""

from tests.faults import clock

clock.install()

import tests.faults.program  # noqa: E402, F401
