"""Where processes of sweeps and chaos runs are forked from: one server for all, because a process has only one."""

import multiprocessing

fork = multiprocessing.get_context("forkserver")

# The first has the fault tests' clock, which whatever is imported after it keeps; nothing moves it elsewhere.
fork.set_forkserver_preload(["tests.faults.preload", "tests.chaos.worker", "tests.chaos.function.environment"])
