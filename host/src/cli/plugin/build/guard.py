"""What the host calls: the plugin's own classes, with a look at what they return before it leaves the language.

The runtime ends on a wrong type without a word on where it stands. `tidegate plugin build` writes this file.
"""

import linecache
import os
import sys
import traceback  # Loaded now: files, these of the standard library too, are there only while the component is built.

import app
from componentize_py_types import Err
from tidegate_shapes import SHAPES

INTEGERS = {f"u{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)}
INTEGERS |= {f"s{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)}
CLASSES = {
    "string": ("str", str),
    "bytes": ("bytes", bytes),
    "bool": ("bool", bool),
    "f32": ("float", (float, int)),
    "f64": ("float", (float, int)),
    "list": ("list", list),
    "tuple": ("tuple", tuple),
}


def camel(name):
    return "".join(word.capitalize() for word in name.split("-"))


def snake(name):
    return name.lower().replace("-", "_")


def is_unicode(text):
    try:
        return text.encode() is not None
    except UnicodeEncodeError:
        return False


def need(holds, where, what, value):
    if not holds:
        raise TypeError(f"{where} needs {what}, got {type(value).__name__} {repr(value)[:80]}")


def check(value, shape, where):
    """Raises a TypeError that names the field and what it needs."""
    kind, *parts = shape
    if kind in CLASSES:
        what, classes = CLASSES[kind]
        need(isinstance(value, classes), where, what, value)
    if kind in INTEGERS:
        least, most = INTEGERS[kind]
        need(isinstance(value, int) and least <= value <= most, where, f"int from {least} to {most}", value)
    elif kind == "string":
        need(is_unicode(value), where, "text without single surrogates", value)
    elif kind == "char":
        need(isinstance(value, str) and len(value) == 1, where, "str of one character", value)
    elif kind == "list":
        for index, element in enumerate(value):
            check(element, parts[0], f"{where}[{index}]")
    elif kind == "tuple":
        need(len(value) == len(parts), where, f"tuple of {len(parts)}", value)
        for index, (element, part) in enumerate(zip(value, parts)):
            check(element, part, f"{where}[{index}]")
    elif kind == "option" and value is not None:
        check(value, parts[0], where)
    elif kind == "record":
        name, fields = camel(parts[0]), parts[1]
        for field, part in fields:
            # A word of the language has an underscore behind it.
            found = [found for found in (snake(field), snake(field) + "_") if hasattr(value, found)]
            need(found, where, f"{name} ({', '.join(snake(field) for field, _ in fields)})", value)
            check(getattr(value, found[0]), part, f"{where} → {name}.{found[0]}")
    elif kind == "variant":
        names = {f"{camel(parts[0])}_{camel(case)}": part for case, part in parts[1]}
        name = type(value).__name__
        need(name in names, where, " or ".join(names), value)
        if names[name] != ["none"]:
            check(value.value, names[name], f"{where} → {name}.value")


def refuse_wrong_types(value, shape, where):
    try:
        check(value, shape, where)
    except TypeError as wrong:
        # The steps of the check say nothing to whoever wrote the plugin.
        raise wrong.with_traceback(None) from None


def checked(function, shape):
    name = function.__name__

    def call(*arguments):
        try:
            returned = function(*arguments)
        except Err as raised:
            refuse_wrong_types(raised.value, shape["error"], f"the error of {name}()")
            raise
        except SystemExit as ended:
            raise RuntimeError(f"{name}() ended with {ended!r}") from ended
        refuse_wrong_types(returned, shape["returns"], f"{name}()")
        return returned

    return call


def remember_sources():
    """A traceback shows lines of the plugin's files, which are gone once it is built."""
    above = os.path.dirname(app.__file__) + os.sep
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None) or ""
        if path.startswith(above):
            lines = linecache.getlines(path)
            # Without a time of change nobody looks whether the file is still there.
            linecache.cache[path] = (sum(map(len, lines)), None, lines, path)


for interface, functions in SHAPES.items():
    implementation = getattr(app, camel(interface), None)
    for name, shape in functions.items():
        function = getattr(implementation, snake(name), None)
        if function is None:
            raise AttributeError(f"app.py has no class {camel(interface)} with a method {snake(name)}")
        setattr(implementation, snake(name), checked(function, shape))
remember_sources()
globals().update({name: value for name, value in vars(app).items() if not name.startswith("__")})
