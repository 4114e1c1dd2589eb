"""Checks pools of workers with workers of another make: pyzmq, and C and Rust over the system's libzmq.

usage: workers TIDEGATE PLUGINS DOCS [CASE…]
TIDEGATE is the binary, PLUGINS the directory with the components, DOCS the one with workers.md. Each case is a function that
starts hosts of its own on free ports; without a name all of them run. Takes a C compiler and cargo, with libzmq. The cases
`killed_…` send TIDEGATE_KILLED_REQUESTS requests (10000). Prints one line per case.
"""

import inspect
import sys
import time
import traceback

import hostile
import killed
import losses
import machines
import programs
import sequences


def main():
    modules = (programs, sequences, losses, hostile, killed, machines)
    cases = {name: case for module in modules for name, case in inspect.getmembers(module, inspect.isfunction)
             if case.__module__ == module.__name__ and not inspect.signature(case).parameters and not name.startswith("_")}
    chosen = sys.argv[4:] or list(cases)
    failed = 0
    for name in chosen:
        begun = time.monotonic()
        try:
            told = cases[name]()
            print(f"ok      {name} ({time.monotonic() - begun:.1f} s){f': {told}' if told else ''}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    sys.exit(failed != 0)


main()
