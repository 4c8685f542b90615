"""How many deliberate mistakes in the losses' mathematics the tests of the losses notice.

Every mutant is one change of one place: a sign flipped, a term dropped, real and fake swapped, a mean made a sum, a
norm taken over the whole batch, a mean taken over one process's part, a constant changed, a function replaced, a result
halved. The tests run against each until one fails. A mutant that no test notices is printed with its line; the exit
status is 1 unless all of those are listed in EQUIVALENT, with the reason why they compute the same.

    uv run python scripts/mutate_losses.py               # all, on as many processes as there are cores
    uv run python scripts/mutate_losses.py --list        # print the mutants with their numbers, run nothing
    uv run python scripts/mutate_losses.py --only 3 14   # those numbers alone
"""

import argparse
import ast
import importlib.abc
import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).parent.parent
TESTS = {  # of each file of gan_lab, those of tests/losses, or of another folder, likeliest to notice first
    "losses/objectives.py": ["objectives", "dirac", "penalties"],
    "losses/relativistic.py": ["objectives", "dirac", "distributed"],
    "losses/penalties.py": ["penalties", "dirac", "distributed"],
    "losses/weighted.py": ["terms", "penalties", "training/schedules"],
    "losses/terms.py": ["terms", "features"],
    "losses/comparisons.py": ["comparisons"],
    "losses/features.py": ["features", "distributed"],
    "losses/orthogonal.py": ["orthogonal"],
    "losses/top_k.py": ["algorithms/top_k"],
    "losses/classification.py": ["classification"],
    "losses/consistency.py": ["consistency"],
    "models/layers/heads.py": ["classification"],
    "losses/constraints.py": ["recipe"],
    "distributed/collectives.py": ["distributed"],
    "augmentations/flip.py": ["augmentations/flip"],
    "augmentations/moves.py": ["augmentations/diff_augment", "augmentations/flip_shift", "augmentations/ada"],
    "augmentations/diff_augment.py": ["augmentations/diff_augment"],
    "augmentations/geometry.py": ["augmentations/ada"],
    "augmentations/colour.py": ["augmentations/ada"],
    "augmentations/disturbance.py": ["augmentations/ada"],
    "augmentations/resampling.py": ["augmentations/resampling"],
    "augmentations/probability.py": ["augmentations/probability"],
    "augmentations/apa.py": ["augmentations/apa"],
    "algorithms/history.py": ["algorithms/history"],
    "algorithms/pix2pix.py": ["algorithms/pix2pix_gradients"],
    "algorithms/vae_gan.py": ["algorithms/vae_gan_gradients"],
    "algorithms/cyclegan.py": ["algorithms/cyclegan_gradients"],
}

_SAME_KIND = "real and fake batches have the same shape, device and type"
_EPSILON = (
    "penalties.py: interpolate: epsilon = uniform(real, len(real), *[1] * (real.ndim - 1)) -> epsilon = uniform({}, "
    "len({}), *[1] * ({}.ndim - 1))"
)
_AROUND = (
    "penalties.py: DRAGAN.__call__: around = real + reach * 0.5 * deviation(real) * uniform(real, *real.shape) -> "
    "around = real + reach * 0.5 * deviation(real) * uniform({}, *{}.shape)"
)
_REACH = (
    "penalties.py: DRAGAN.__call__: reach = uniform(real, len(real), *[1] * (real.ndim - 1)) -> "
    "reach = uniform({}, len({}), *[1] * ({}.ndim - 1))"
)
_ROOT = "return torch.where(zero, 0.0, torch.where(zero, {}, squares).sqrt())"
_COPY = "torch._foreach_copy_(list(tensors), [part.view_as(to) for part, to in zip(parts, tensors, strict={})])"
_SIDES = "for side, real, fake in zip(self.sides, self.real(batch), fakes, strict={}):"
_SIDES_OF_GENERATOR = "for side, real_one, fake in zip(self.sides, real, fakes, strict={}):"
_SHOWN = (
    "fakes = [self.histories[side.name].shown(fake, self.noise) for side, fake in zip(self.sides, "
    "self.translations(batch), strict={})]"
)
_TWO = "there are two of each, one of either domain"
EQUIVALENT: dict[str, str] = {
    _EPSILON.format("fake", "real", "real"): _SAME_KIND,
    _EPSILON.format("real", "fake", "real"): _SAME_KIND,
    _EPSILON.format("real", "real", "fake"): _SAME_KIND,
    _REACH.format("fake", "real", "real"): _SAME_KIND,
    _REACH.format("real", "fake", "real"): _SAME_KIND,
    _REACH.format("real", "real", "fake"): _SAME_KIND,
    _AROUND.format("fake", "real"): _SAME_KIND,
    _AROUND.format("real", "fake"): _SAME_KIND,
    f"penalties.py: roots: {_ROOT.format(1.0)} -> {_ROOT.format(2.0)}": (
        "any positive number keeps the root's slope finite there; the outer choice discards its value"
    ),
    f"collectives.py: average: {_COPY.format(True)} -> {_COPY.format(False)}": (
        "`split` by the sizes of the tensors makes as many parts as there are tensors"
    ),
    f"cyclegan.py: CycleGAN.update_discriminator: {_SIDES.format(True)} -> {_SIDES.format(False)}": _TWO,
    f"cyclegan.py: CycleGAN.update_discriminator: {_SHOWN.format(True)} -> {_SHOWN.format(False)}": _TWO,
    f"cyclegan.py: CycleGAN.update_generator: {_SIDES_OF_GENERATOR.format(True)} -> "
    f"{_SIDES_OF_GENERATOR.format(False)}": _TWO,
}
"""Mutants, as printed, that compute the same: why."""

OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
NAMES = {  # each read as the other
    "real": "fake", "fake": "real", "better": "worse", "worse": "better", "softplus": "relu", "relu": "softplus",
    "above": "below", "below": "above", "first_real": "first_fake", "first_fake": "first_real",
    "attention_real": "attention_fake", "attention_fake": "attention_real",
    "real_classes": "fake_classes", "fake_classes": "real_classes",
    "gradient_norms": "squared_gradient_norms", "squared_gradient_norms": "gradient_norms",
}  # fmt: skip
METHODS = {"mean": "sum", "sum": "mean", "square": "abs", "sqrt": "square", "relu": "abs"}


@dataclass(frozen=True)
class Mutant:
    """One changed place of one file."""

    file: Path
    line: int
    change: str
    source: str

    def __str__(self) -> str:
        return f"{self.file.name}: {self.change}"


def mutants(file: Path) -> Iterator[Mutant]:
    """All mutants of a file: each node of its functions' mathematics, changed in each way that fits it."""
    tree = ast.parse(file.read_text())
    places = _places(tree)
    parts = [ast.unparse(statement) for statement in tree.body]
    for node in list(_mathematics(tree)):
        around = next(number for number, one in enumerate(tree.body) if one.lineno <= node.lineno <= _end(one))
        for changed in _changes(node):
            _put(places[node], changed)
            mutated = ast.unparse(tree.body[around])
            _put(places[node], node)
            pairs = zip(parts[around].splitlines(), mutated.splitlines(), strict=True)
            before, after = next(pair for pair in pairs if pair[0] != pair[1])
            what = f"{_owner(tree, node)}: {before.strip()} -> {after.strip()}"
            yield Mutant(file, node.lineno, what, "\n".join([*parts[:around], mutated, *parts[around + 1 :]]))


def _places(tree: ast.AST) -> dict[ast.AST, tuple[ast.AST, str, int | None]]:
    """Where each node is: in which, as what, and at which place of a list."""
    places: dict[ast.AST, tuple[ast.AST, str, int | None]] = {}
    for parent in ast.walk(tree):
        for name, child in ast.iter_fields(parent):
            if isinstance(child, ast.AST):
                places[child] = (parent, name, None)
            elif isinstance(child, list):
                places |= {one: (parent, name, at) for at, one in enumerate(child) if isinstance(one, ast.AST)}
    return places


def _put(place: tuple[ast.AST, str, int | None], node: ast.AST) -> None:
    """Put a node there."""
    parent, name, at = place
    if at is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[at] = node


def _owner(tree: ast.AST, node: ast.expr) -> str:
    """The class and function that a node is in."""
    kinds = ast.ClassDef | ast.FunctionDef
    around = [one for one in ast.walk(tree) if isinstance(one, kinds) and one.lineno <= node.lineno <= _end(one)]
    return ".".join(one.name for one in around) or "module"


def _end(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno


def _mathematics(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions inside functions, but for checks of arguments, error messages, decorators and annotations."""

    def walk(node: ast.AST) -> Iterator[ast.expr]:
        if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr) or _checks(node):
            return
        if isinstance(node, ast.expr):
            yield node
        for name, child in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "args") and not isinstance(node, ast.Call):
                continue
            for item in child if isinstance(child, list) else [child]:
                if isinstance(item, ast.AST):
                    yield from walk(item)

    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name not in ("__post_init__", "check_logits"):
            for statement in node.body:
                yield from walk(statement)
        elif isinstance(node, ast.ClassDef):
            for statement in node.body:
                if isinstance(statement, ast.AnnAssign) and isinstance(statement.value, ast.Constant):
                    yield from walk(statement.value)
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_CRITERIA":
            for value in node.value.values:  # type: ignore[attr-defined]
                yield from walk(value.body)


def _checks(node: ast.AST) -> bool:
    """Whether the statement only refuses bad arguments, or is a docstring."""
    if isinstance(node, ast.If):
        return len(node.body) == 1 and isinstance(node.body[0], ast.Raise)
    if isinstance(node, ast.For):
        return all(_checks(statement) for statement in node.body)
    if isinstance(node, ast.Expr):
        call = node.value
        return isinstance(call, ast.Constant) or (
            isinstance(call, ast.Call) and getattr(call.func, "id", "") == "check_logits"
        )
    return False


def _changes(node: ast.expr) -> Iterator[ast.expr]:
    """The node, mistaken."""
    match node:
        case ast.BinOp(left, op, right) if type(op) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(op)](), right)
            yield left
            yield right
            yield ast.BinOp(ast.Constant(0.5), ast.Mult(), node)
        case ast.UnaryOp(ast.USub(), operand):
            yield operand
        case ast.Name(name) if name in NAMES and isinstance(node.ctx, ast.Load):
            yield ast.Name(NAMES[name], ast.Load())
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(float() | int() as value):
            yield ast.Constant(value + 1)
        case ast.BinOp(left, ast.BitOr(), right):
            yield left
            yield right
        case ast.Call(ast.Attribute(value, "detach"), []):
            yield value
        case ast.Call(ast.Attribute(value, method), arguments) if method in METHODS:
            yield ast.Call(ast.Attribute(value, METHODS[method], ast.Load()), arguments, node.keywords)
            if method in ("mean", "sum"):
                yield ast.BinOp(ast.Constant(0.5), ast.Mult(), node)
            if arguments:  # over the whole batch instead of each sample
                yield ast.Call(ast.Attribute(value, method, ast.Load()), [], node.keywords)
            if method in ("square", "relu", "sqrt"):
                yield value
        case ast.Call(ast.Attribute(value, "flatten"), [ast.Constant(1)]):
            yield value
        case ast.Call(ast.Name("process_count"), []):  # as if there were one
            yield ast.Constant(1)
        case ast.Call(ast.Name("global_mean"), [values, *_]):  # over this process alone
            yield ast.Call(ast.Attribute(values, "mean", ast.Load()), [], [])
        case ast.Call(ast.Name("batch_mean"), [values]):
            yield ast.Call(ast.Attribute(values, "sum", ast.Load()), [], [])
        case ast.Call(ast.Name("own_part") | ast.Attribute(ast.Name("_Sum"), "apply"), [values]):
            yield values
        case ast.Compare(left, [ast.Eq()], right):
            yield ast.Compare(left, [ast.NotEq()], right)


class _Import(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Imports the mutated source in the place of the file's own."""

    def __init__(self, mutant: Mutant) -> None:
        self.name = ".".join(mutant.file.relative_to(ROOT).with_suffix("").parts)
        self.mutant = mutant

    def find_spec(self, fullname, path=None, target=None):
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def get_filename(self, fullname: str) -> str:
        return str(self.mutant.file)

    def get_data(self, path: str) -> bytes:
        return self.mutant.source.encode()

    def get_code(self, fullname: str):
        return compile(self.mutant.source, str(self.mutant.file), "exec")


def test_file(name: str) -> Path:
    """The file of a name in `TESTS`."""
    folder, _, own = name.rpartition("/")
    return ROOT / "tests" / (folder or "losses") / f"test_{own}.py"


def start(mutant: Mutant) -> int:
    """Run the tests with the mutant in a child process, which has torch already; returns the child's number."""
    child = os.fork()
    if child:
        return child
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    sys.meta_path.insert(0, _Import(mutant))
    import pytest

    files = [str(test_file(name)) for name in TESTS[str(mutant.file.relative_to(ROOT / "gan_lab"))]]
    signal.alarm(300)  # a mutant that hangs is noticed too
    status = pytest.main([*files, "-x", "-q", "-n", "0", "-p", "no:cacheprovider"])
    os._exit(0 if status == 0 else 1)


def surviving(every: list[Mutant], jobs: int) -> Iterator[Mutant]:
    """Those that no test notices."""
    running: dict[int, Mutant] = {}
    waiting = list(every)
    with tqdm(total=len(every), unit="mutant") as bar:
        while waiting or running:
            while waiting and len(running) < jobs:
                mutant = waiting.pop()
                running[start(mutant)] = mutant
            child, status = os.wait()
            bar.update()
            mutant = running.pop(child)
            if os.waitstatus_to_exitcode(status) == 0:
                yield mutant


@cache
def mutants_of_all() -> list[Mutant]:
    """The mutants of all files; two changes may make the same mistake."""
    found = [mutant for name in TESTS for mutant in mutants(ROOT / "gan_lab" / name)]
    return list({mutant.source: mutant for mutant in found}.values())


def numbered() -> dict[int, Mutant]:
    """Every mutant, by the number that ``--only`` takes."""
    every = mutants_of_all()
    if gone := EQUIVALENT.keys() - set(map(str, every)):
        sys.exit("mutate_losses: in EQUIVALENT, but no mutant any more:\n" + "\n".join(sorted(gone)))
    return dict(enumerate(every))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the mutants, run nothing")
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="the mutants of these numbers")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at a time")
    arguments = parser.parse_args()
    every = numbered()
    if arguments.list:
        print("\n".join(f"{number} {mutant}" for number, mutant in every.items()))
        print(len(every), "mutants")
        return
    if unknown := set(arguments.only or ()) - every.keys():
        parser.error(f"--only {min(unknown)}: expected numbers from 0 to {len(every) - 1}")
    chosen = [every[number] for number in arguments.only or every]
    os.chdir(ROOT)
    os.environ["OMP_NUM_THREADS"] = "1"
    import hydra  # noqa: F401  (children then need not)
    import pytest  # noqa: F401
    import torch
    import torch.distributed.nn.functional

    torch.set_num_threads(1)
    files = {mutant.file for mutant in chosen}
    untouched = [Mutant(file, 0, "nothing changed", file.read_text()) for file in files]
    if len(list(surviving(untouched, arguments.jobs))) != len(untouched):
        sys.exit("mutate_losses: the tests fail without any mutant; mend that first")
    sys.exit(tell(chosen, list(surviving(chosen, arguments.jobs))))


def tell(chosen: list[Mutant], survivors: list[Mutant]) -> int:
    """Print the survivors and the figure; returns the exit status, 1 if a survivor is not explained."""
    for mutant in survivors:
        print(f"survived, line {mutant.line}: {mutant}\n    {EQUIVALENT.get(str(mutant), 'NOT EXPLAINED')}")
    explained = sum(str(mutant) in EQUIVALENT for mutant in survivors)
    print(
        f"{len(chosen) - len(survivors)} of {len(chosen) - explained} mutants killed that compute something else; "
        f"{explained} compute the same"
    )
    return int(explained != len(survivors))


if __name__ == "__main__":
    main()
