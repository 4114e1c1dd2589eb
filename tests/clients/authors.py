"""Checks what an author sees: builds that change nothing, types for the editor, and what is told of each kind of error.

usage: authors.py TIDEGATE [LANGUAGE…]
TIDEGATE is the binary. Makes a new plugin in each language, prints one line per check, and closes with `N passed, N failed`.
Python's types are checked where mypy is installed beside the Python that runs this.
"""

import importlib.util
import re
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

BINARY = Path(sys.argv[1]).resolve()
LANGUAGES = sys.argv[2:] or ["python", "javascript", "typescript"]
SOURCES = {"python": "app.py", "javascript": "app.js", "typescript": "app.ts"}
# Dependencies are installed in the first build of each language.
BUILD_S = 600

PYTHON = '''\
from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import Error_Rejected, Message


def deeper(word):
    return {}[word]


class Processor(exports.Processor):
    def process(self, input):
        match input.frames[-1].decode():
CASES
'''
# What the plugin does, and what has to be told of it; LINE is where that stands.
PYTHON_CASES = {
    "exception": ("return input.frames.nope", ["/0/app.py\", line LINE", "input.frames.nope", "no attribute 'nope'"]),
    "called": ("return deeper('x')", ["/0/app.py\", line LINE", "in deeper", "KeyError: 'x'"]),
    "exit": ("raise SystemExit(3)", ["/0/app.py\", line LINE", "ended with SystemExit(3)"]),
    "text": ("return [Message([], [b'', 'text'])]", ["process()[0] → Message.frames[1] needs bytes, got str 'text'"]),
    "second": ("return [Message([], [b'']), Message([], ['x'])]", ["process()[1] → Message.frames[0] needs bytes"]),
    "frames": ("return [Message([], b'text')]", ["Message.frames needs list, got bytes b'text'"]),
    "pairs": ("return [Message({'a': 'b'}, [b''])]", ["Message.metadata needs list, got dict"]),
    "pair": ("return [Message([['a', 'b']], [b''])]", ["Message.metadata[0] needs tuple, got list"]),
    "value": ("return [Message([('a', 1)], [b''])]", ["Message.metadata[0][1] needs str, got int 1"]),
    "half": ("return [Message([('a', '\\ud800')], [b''])]", ["Message.metadata[0][1] needs text without single surrogates"]),
    "single": ("return Message([], [b''])", ["process() needs list, got Message"]),
    "none": ("return None", ["process() needs list, got NoneType None"]),
    "record": ("return ['text']", ["process()[0] needs Message (metadata, frames), got str 'text'"]),
    "error": ("raise Err('text')", ["error of process() needs Error_Rejected or Error_Failed, got str 'text'"]),
    "reason": ("raise Err(Error_Rejected(5))", ["Error_Rejected.value needs str, got int 5"]),
}

JAVASCRIPT = """\
const written = (text) => new TextEncoder().encode(text);

function deeper(word) {
  return word.nope.further;
}

export const processor = {
  process({ frames }) {
    switch (new TextDecoder().decode(frames.at(-1))) {
CASES
    }
  },
};
"""
JAVASCRIPT_CASES = {
    "exception": ("throw new RangeError('too far')", ["RangeError: too far", "process@FILE:LINE"]),
    "called": ("return deeper('x')", ["TypeError: ", "deeper@FILE:4", "process@FILE:LINE"]),
    "later": ("return Promise.reject(new Error('later'))", ["Error: later", "process@FILE:LINE"]),
    "cause": (
        "throw new Error('outer', { cause: new Error('inner') })",
        ["Error: outer", "process@FILE:LINE", "caused by Error: inner"],
    ),
    "thrown": ("throw 'a text'", ['thrown: "a text", which is no Error']),
    "nothing": ("throw undefined", ["thrown: undefined, which is no Error"]),
    "text": (
        "return [{ metadata: [], frames: [written(''), 'text'] }]",
        ['process()[0] → Message.frames[1] needs Uint8Array, got "text"'],
    ),
    "second": (
        "return [{ metadata: [], frames }, { metadata: [], frames: ['x'] }]",
        ["process()[1] → Message.frames[0] needs Uint8Array"],
    ),
    "frames": ("return [{ metadata: [], frames: written('text') }]", ["Message.frames needs Array, got Uint8Array"]),
    "missing": ("return [{ metadata: [] }]", ["Message.frames needs Array, got undefined"]),
    "pairs": ("return [{ metadata: { a: 1 }, frames }]", ["Message.metadata needs Array, got Object"]),
    "pair": ("return [{ metadata: ['a'], frames }]", ["Message.metadata[0] needs Array of 2"]),
    "value": ("return [{ metadata: [['a', 1]], frames }]", ["Message.metadata[0][1] needs string, got 1"]),
    "byte": ("return [{ metadata: [], frames: [[256]] }]", ["Message.frames[0][0] needs whole number from 0 to 255"]),
    "single": ("return { metadata: [], frames }", ["process() needs Array, got Object"]),
    "undefined": ("return undefined", ["process() needs Array, got undefined"]),
    "record": ("return ['text']", ["process()[0] needs Message { metadata, frames }, got \"text\""]),
    "error": ("throw { tag: 'nope' }", ["Error.tag needs 'rejected' or 'failed', got \"nope\""]),
    "reason": ("throw { tag: 'rejected', val: 5 }", ["Error.val needs string, got 5"]),
}
# What is right, and stays so.
RIGHT = {
    "python": ("return [Message([], [b'right'])]", "right"),
    "javascript": ("return [{ metadata: [], frames: [written('right')] }]", "right"),
}


def tidegate(*arguments):
    """Exit code, stdout and stderr."""
    done = subprocess.run([BINARY, "plugin", *arguments], capture_output=True, text=True, timeout=BUILD_S)
    return done.returncode, done.stdout, done.stderr


def succeeds(*arguments):
    code, stdout, stderr = tidegate(*arguments)
    assert code == 0, (arguments, stdout, stderr)
    return stdout, stderr


class Plugin:
    """A new plugin's folder, and its component beside it."""

    def __init__(self, directory, language):
        self.language, self.folder = language, directory / language
        self.component = directory / f"{language}.wasm"
        succeeds("new", language, "--lang", language, "--dir", str(self.folder))
        self.source = self.folder / SOURCES[language]
        self.template = self.source.read_text()

    def build(self):
        return succeeds("build", str(self.folder))


def builds_once(plugin):
    """What is built of the same sources has the same bytes, without its tools; and it passes its own examples."""
    _, told = plugin.build()
    assert f"building {plugin.language} with " in told, told
    first = plugin.component.read_bytes()
    assert "0 failed" in succeeds("test", str(plugin.component))[0]
    plugin.component.unlink()
    _, told = plugin.build()
    assert "is built of these sources and tools already" in told and "componentize" not in told, told
    assert plugin.component.read_bytes() == first
    # A new example is no reason to run them either, and goes in.
    examples = plugin.folder / "examples.toml"
    examples.write_text(examples.read_text() + '\n[[processor]]\nname = "one more"\ninput.frames = ["x"]\n[processor.expect]\n')
    assert "already" in plugin.build()[1]
    assert "ok      one more" in succeeds("test", str(plugin.component))[0]


def half_a_build_is_not_taken(plugin):
    """What somebody else wrote where the tools write is built again."""
    made = plugin.folder / "build/plugin.wasm"
    made.write_bytes(made.read_bytes()[:1000])
    assert "already" not in plugin.build()[1]
    assert "0 failed" in succeeds("test", str(plugin.component))[0]


def checks_types(plugin):
    """The exit code and the words of the language's type checker."""
    if plugin.language == "python":
        checker = [sys.executable, "-m", "mypy", "--no-error-summary"]
    else:
        configuration = "jsconfig.json" if plugin.language == "javascript" else "tsconfig.json"
        checker = ["node", TSC[0], "--noEmit", "--pretty", "false", "--project", configuration]
    done = subprocess.run(checker, cwd=plugin.folder, capture_output=True, text=True, timeout=BUILD_S)
    return done.returncode, done.stdout + done.stderr


# Where the TypeScript compiler is, from the first plugin that has installed it.
TSC = []


def types_are_those_of_the_world(plugin):
    """The template has the types that the editor sees, and a wrong one is found before anything runs."""
    if plugin.language == "python" and not importlib.util.find_spec("mypy"):
        print("skipped: no mypy here")
        return
    if plugin.language != "python" and not TSC:
        print("skipped: no plugin in TypeScript came first, whose compiler checks this")
        return
    assert checks_types(plugin) == (0, ""), checks_types(plugin)
    wrong = {"python": ('b"you said "', '"you said "'), "javascript": ("metadata: []", "metadata: 1")}
    before, after = wrong.get(plugin.language, wrong["javascript"])
    plugin.source.write_text(plugin.template.replace(before, after))
    code, told = checks_types(plugin)
    line = next(number for number, line in enumerate(plugin.source.read_text().splitlines(), 1) if after in line)
    # In JavaScript the type belongs to the whole object, and so the error to the function.
    line = r"\d+" if plugin.language == "javascript" else line
    assert code != 0 and re.search(rf"{plugin.source.name}[:(]{line}\b", told), told
    plugin.source.write_text(plugin.template)


def types_follow_the_world(plugin):
    """A role that is added to wit/ is in the types after the next build, even of one that fails for the lack of it."""
    world = plugin.folder / "wit/world.wit"
    before = world.read_text()
    types = lambda: [path for path in (plugin.folder / "bindings").rglob("*") if re.search("reply.policy", path.name)]
    assert not types()
    world.write_text(before.replace("}", "    include tidegate:plugin/reply-policy-plugin@0.2.0;\n}"))
    code, _, told = tidegate("build", str(plugin.folder))
    assert code != 0 and re.search("ReplyPolicy|replyPolicy|reply-policy", told), told
    assert types()
    world.write_text(before)
    plugin.build()
    assert not types()


def guest(plugin):
    """The source of a plugin that does what is in the table, and where each of that stands."""
    if plugin.language == "python":
        text, cases = PYTHON, PYTHON_CASES
        case = '            case "{}":\n                {}'
    else:
        text, cases = JAVASCRIPT, JAVASCRIPT_CASES
        case = "      case '{}':\n        {};"
    right = RIGHT["python" if plugin.language == "python" else "javascript"][0]
    written = [case.format(name, statement) for name, (statement, _) in cases.items()] + [case.format("right", right)]
    text = text.replace("CASES", "\n".join(written))
    if plugin.language == "typescript":
        # The compiler leaves such lines out, so that its lines are others.
        text = "interface Unused {\n  a: string;\n}\n\n" + text.replace("(word)", "(word: any)")
        text = text.replace("{ frames }) {", "{ frames }: { frames: Uint8Array[] }): any {").replace("(text) =>", "(text: string) =>")
        text = text.replace("throw undefined", "throw undefined as any")
    return text, cases


def errors_are_told(plugin):
    """Of each exception the lines of the author's own source come first, and of a wrong type its field."""
    text, cases = guest(plugin)
    plugin.source.write_text(text)
    plugin.build()
    examples = plugin.folder.parent / "errors.toml"
    names = [*cases, "right"]
    examples.write_text("".join(f'[[processor]]\nname = "{name}"\ninput.frames = ["{name}"]\nexpect.messages = [{{ frames = ["right"] }}]\n' for name in names))
    code, told, _ = tidegate("test", str(plugin.component), "--examples", str(examples))
    assert code == 1 and told.endswith(f"1 passed, {len(cases)} failed\n"), told
    blocks = dict(re.findall(r"FAILED  (\S+)\n((?: .*\n|\n)+)", told))
    lines = text.splitlines()
    shift = 4 if plugin.language == "typescript" else 0
    for name, (statement, expected) in cases.items():
        line = next(number for number, line in enumerate(lines, 1) if statement in line)
        above = blocks[name].split("wasm backtrace")[0]
        for part in expected:
            part = part.replace("LINE", str(line)).replace("FILE:4", f"FILE:{4 + shift}").replace("FILE", plugin.source.name)
            assert part in above, (name, part, above)
        # Each line stands below its example.
        assert all(not text or text.startswith("   ") for text in blocks[name].splitlines()), blocks[name]


def slips_have_their_place(plugin):
    """A syntax error, and an exception while the component is built, are told with file, line and column."""
    lines = plugin.template.count("\n")
    slips = {
        "python": [("x = (1 +;", r'app\.py", line {}\n.*\n +\^\nSyntaxError'), ("{}['no']", r'app\.py", line {}\b')],
        "javascript": [("const x = (1 +;", r"app\.js:{}:15 SyntaxError"), ("[].no.where;", r"app\.js:{}:1 TypeError")],
        "typescript": [("const x = (1 +;", r"app\.ts\({},15\): error"), ("([] as any).no.where;", r"app\.ts:{} TypeError")],
    }
    for slip, told in slips[plugin.language]:
        plugin.source.write_text(f"{plugin.template}{slip}\n")
        code, _, stderr = tidegate("build", str(plugin.folder))
        assert code != 0 and re.search(told.replace("{}", str(lines + 1)), stderr), (slip, stderr)
    plugin.source.write_text(plugin.template)


CHECKS = [
    builds_once,
    half_a_build_is_not_taken,
    types_are_those_of_the_world,
    types_follow_the_world,
    errors_are_told,
    slips_have_their_place,
]


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as directory:
        # TypeScript's first: the compiler that it installs checks the types of JavaScript too.
        plugins = [Plugin(Path(directory), language) for language in sorted(LANGUAGES, reverse=True)]
        for plugin in plugins:
            for check in CHECKS:
                try:
                    check(plugin)
                    passed += 1
                    print(f"ok      {plugin.language} {check.__name__}", flush=True)
                except Exception:
                    failed += 1
                    print(f"FAILED  {plugin.language} {check.__name__}\n{traceback.format_exc()}", flush=True)
                compiler = plugin.folder / "node_modules/typescript/lib/tsc.js"
                if not TSC and compiler.is_file():
                    TSC.append(compiler)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
