"""Runs the programs of docs/clients.md against a host, each as it stands there.

usage: documented.py TIDEGATE PLUGINS DOCS
Takes a C compiler with libzmq and libcurl, cargo, and this interpreter with pyzmq. Prints one line per program.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATIENCE_SECONDS = 20
BLOCK = re.compile(r"^```(python|c|rust) (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAID = "lower case of HeLLo is hello"


def build(language: str, programs: dict[str, str], folder: Path) -> dict[str, list[str]]:
    """The command of each program, by its name."""
    if language == "rust":
        (folder / "src/bin").mkdir(parents=True)
        (folder / "Cargo.toml").write_text(
            '[package]\nname = "clients"\nversion = "0.1.0"\nedition = "2024"\n[workspace]\n'
            '[dependencies]\nzmq = "0.10"\nureq = { version = "3", default-features = false }\n'
        )
        for name, text in programs.items():
            (folder / f"src/bin/{name}.rs").write_text(text)
        subprocess.run(["cargo", "build", "--quiet"], cwd=folder, check=True)
        return {name: [folder / "target/debug" / name] for name in programs}
    if language == "c":
        for name, text in programs.items():
            (folder / f"{name}.c").write_text(text)
            command = ["cc", "-Wall", "-Wextra", "-Werror", "-o", name, f"{name}.c", "-lzmq", "-lcurl"]
            subprocess.run(command, cwd=folder, check=True)
        return {name: [folder / name] for name in programs}
    for name, text in programs.items():
        (folder / f"{name}.py").write_text(text)
    return {name: [sys.executable, folder / f"{name}.py"] for name in programs}


def host(binary: str, plugins: Path) -> tuple[subprocess.Popen, dict[str, str]]:
    """A host on free ports that is ready, and where its surfaces are."""
    flags = [f"--plugin={plugins}/{name}.wasm" for name in ("downcase", "random-replies")]
    places = ["--http=127.0.0.1:0", "--admin=none", "--publish=tcp://127.0.0.1:*", "--frontend=tcp://127.0.0.1:*"]
    log = subprocess.DEVNULL
    process = subprocess.Popen([binary, *flags, *places], stdout=subprocess.PIPE, stderr=log, text=True)
    surfaces = {}
    for line in process.stdout:
        if line == "ready\n":
            return process, surfaces
        name, place = line.split()
        surfaces[name] = place
    raise SystemExit("the host did not get ready")


def check(commands: dict[str, list[str]], surfaces: dict[str, str]) -> None:
    """Has the publisher publish until the subscriber tells of it, and the requester ask until it is answered."""
    heard = tempfile.TemporaryFile("w+")
    subscriber = subprocess.Popen([*commands["subscriber"], surfaces["publish"]], stdout=heard)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            publisher = [*commands["publisher"], surfaces["http"]]
            answer = subprocess.run(publisher, check=True, capture_output=True, text=True).stdout
            assert SAID in answer, answer
            heard.seek(0)
            if SAID in heard.read():
                break
            assert time.monotonic() < deadline, "the subscriber hears nothing"
    finally:
        subscriber.terminate()
        subscriber.wait()
    # A request has none to four replies, by chance.
    for _ in range(20):
        requester = [*commands["requester"], surfaces["frontend"]]
        replies = subprocess.run(requester, check=True, capture_output=True, text=True).stdout
        if "request" in replies:
            return
    raise AssertionError("the requester is never answered")


def main() -> None:
    binary, plugins, docs = (Path(argument).resolve() for argument in sys.argv[1:])
    languages: dict[str, dict[str, str]] = {}
    for language, name, text in BLOCK.findall((docs / "clients.md").read_text()):
        languages.setdefault(language, {})[name] = text
    assert sorted(languages) == ["c", "python", "rust"], sorted(languages)
    process, surfaces = host(str(binary), plugins)
    try:
        for language, programs in languages.items():
            with tempfile.TemporaryDirectory() as folder:
                check(build(language, programs, Path(folder)), surfaces)
            print(f"{language}: {', '.join(programs)}", flush=True)
    finally:
        process.terminate()
        process.wait()


main()
