"""Files, functions and constructors of gan_lab have a largest size, so that each can be read at once."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINES_OF_A_FILE, LINES_OF_A_FUNCTION, ARGUMENTS = 300, 50, 10
SCHEMA = "gan_lab/config/schema.py"  # its dataclasses have an argument for each key of the configuration

CODE = {str(file.relative_to(ROOT)): file.read_text() for file in sorted((ROOT / "gan_lab").rglob("*.py"))}
Classes = dict[str, ast.ClassDef]


def found(kind):
    """Every definition of a kind in gan_lab, nested ones too, each with the path of its file."""
    parsed = ((path, ast.parse(text)) for path, text in CODE.items())
    return [(path, node) for path, tree in parsed for node in ast.walk(tree) if isinstance(node, kind)]


def fields(node: ast.ClassDef, classes: Classes) -> set[str]:
    """What a dataclass or a named tuple is made of, its bases' fields too; nothing of another class."""
    bases = [ast.unparse(base) for base in node.bases]
    if "NamedTuple" not in bases and not any("dataclass" in ast.unparse(one) for one in node.decorator_list):
        return set()
    own = [one for one in node.body if isinstance(one, ast.AnnAssign)]
    no_argument = ("ClassVar", "KW_ONLY", "init=False")
    names = {ast.unparse(one.target) for one in own if not any(word in ast.unparse(one) for word in no_argument)}
    return names.union(*(fields(classes[base], classes) for base in bases if base in classes))


def arguments(node: ast.ClassDef, classes: Classes) -> set[str]:
    """The names of what a class's constructor takes, without ``self``, ``*args`` and ``**kwargs``."""
    written = [one.args for one in node.body if getattr(one, "name", "") in ("__init__", "__new__")]
    names = {one.arg for given in written for one in [*given.posonlyargs, *given.args][1:] + given.kwonlyargs}
    return names if written else fields(node, classes)


def test_no_file_has_more_than_300_lines():
    sizes = {path: len(text.splitlines()) for path, text in CODE.items()}
    large = [f"{path}: {size}" for path, size in sizes.items() if size > LINES_OF_A_FILE]
    assert not large, f"files of more than {LINES_OF_A_FILE} lines: {large}"


def test_no_function_has_more_than_50_lines():
    functions = found(ast.FunctionDef | ast.AsyncFunctionDef)
    sizes = [(path, node, node.end_lineno - node.lineno + 1) for path, node in functions]
    large = [f"{path}:{node.lineno} {node.name}: {size}" for path, node, size in sizes if size > LINES_OF_A_FUNCTION]
    assert not large, f"functions of more than {LINES_OF_A_FUNCTION} lines: {large}"


def test_no_class_has_more_than_ten_constructor_arguments():
    """Those of a configuration aside. A base is known by its name alone, wherever it is imported from."""
    definitions = found(ast.ClassDef)
    classes = {node.name: node for _, node in definitions}
    sizes = [(path, node, len(arguments(node, classes))) for path, node in definitions if path != SCHEMA]
    large = [f"{path}:{node.lineno} {node.name}: {size}" for path, node, size in sizes if size > ARGUMENTS]
    assert not large, f"classes of more than {ARGUMENTS} constructor arguments: {large}"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("class A:\n def __init__(self, a, /, b, *args, c=1, **kwargs): ...", "abc"),
        ("class A(tuple):\n def __new__(cls, a, b): ...", "ab"),
        ("class A(NamedTuple):\n a: int\n b: int = 0", "ab"),
        ("@dataclass(frozen=True)\nclass A:\n a: int\n b: ClassVar[int] = 0\n c: int = field(init=False)", "a"),
        ("@dataclass\nclass B:\n b: int\n@dataclass\nclass A(B):\n _: KW_ONLY\n a: int\n b: int = 0", "ab"),
        ("@dataclass\nclass A:\n b: int\n def __init__(self, a): ...", "a"),
        ("class A:\n a: int\n b: int = 0", ""),
    ],
)
def test_what_counts_as_an_argument(code, names):
    classes = {node.name: node for node in ast.parse(code).body}
    assert arguments(classes["A"], classes) == set(names)
