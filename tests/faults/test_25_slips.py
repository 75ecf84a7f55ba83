"""Misspelt keys, values, commands and options, and packages that are not installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.keys import FILLS, PaddingPerAxis, Word
from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.commands.main import COMMANDS
from convt_cli.render.diagnostics import diagnostic_text
from convt_cli.spec.layer_spec import COMMON_KEYS, fields_of
from convt_cli.spec.reader import TOP_KEYS
from tests.conftest import GUIDE, Found, Outcome, Run, WriteSpec, assert_refused, environment
from tests.faults.rows import trying
from tests.spec.texts import CONV, INPUT, layer, net, required


def slip(word: str) -> str:
    """`word` with its second, or its only, letter twice: closer to it than to any other word."""
    return word[:2] + (word[1:] or word)


@pytest.mark.parametrize("layer_type", LAYER_TYPES)
def test_25_every_key_of_a_layer_is_suggested_for_a_slip(found: Found, layer_type: str) -> None:
    for key in (*COMMON_KEYS, *fields_of(layer_type)):
        with trying(key):
            text = net(layer(layer_type, {slip(key): "1"}))
            (problem,) = [one for one in found(text) if one.code == "E101"]
            assert problem.message == f"unknown key in {layer_type}"
            assert problem.value == f"got '{slip(key)}'"
            assert problem.help == f"did you mean '{key}'?"


@pytest.mark.parametrize("key", TOP_KEYS)
def test_25_every_key_of_a_spec_is_suggested_for_a_slip(found: Found, key: str) -> None:
    (problem,) = found(net("type: relu", top=f"{INPUT}\n{slip(key)}: 1"))
    assert (problem.code, problem.help) == ("E101", f"did you mean '{key}'?")


def misspelt_words(layer_type: str) -> Iterator[tuple[str, str]]:
    """(word, spec with a slip in it) for a type of layers, and every word in a layer of it."""
    yield layer_type, net(f"type: {slip(layer_type)}")
    yield layer_type, net("type: relu", top=f"{INPUT}\ndefaults: {{{slip(layer_type)}: {{}}}}")
    for key, field in fields_of(layer_type).items():
        kind = field.kind
        words = kind.choices if isinstance(kind, Word) else ()
        for word in kind.words if isinstance(kind, PaddingPerAxis) else words:
            yield word, net(layer(layer_type, required(layer_type) | {key: slip(word)}))


def other_misspelt_words() -> Iterator[tuple[str, str]]:
    """The same for the words that are of no type of layers."""
    for name in FRAMEWORKS:
        yield name, net("type: relu", top=f"framework: {slip(name)}\n{INPUT}")
    for name in FILLS:
        yield name, net(f"{CONV}, weight: {{fill: {slip(name)}}}")


@pytest.mark.parametrize("layer_type", [None, *LAYER_TYPES])
def test_25_every_word_is_suggested_for_a_slip(found: Found, layer_type: str | None) -> None:
    for word, text in misspelt_words(layer_type) if layer_type else other_misspelt_words():
        with trying(word, text):
            (problem,) = [one for one in found(text) if one.code == "E104"]
            assert problem.help == f"did you mean '{word}'?"


@pytest.mark.parametrize(
    ("text", "help"),
    [
        (net(f"{CONV}, paddding: 1"), "did you mean 'padding'?"),
        (net(f"{CONV}, Stride: 1"), "did you mean 'stride'?"),
        (net("type: conv_transposed"), "did you mean 'conv_transpose'?"),
        (net("type: deconv"), "did you mean 'conv_transpose'?"),
        (net("type: conv, filters: 3, kernel_size: 3"), "did you mean 'out_channels'?"),
        (net("type: CONV"), "did you mean 'conv'?"),
        (net(f"{CONV}, padding: halve"), "did you mean 'half'?"),
        (net(f"{CONV}, padding_mode: reflekt"), "did you mean 'reflect'?"),
        (net("type: relu, form: input"), "did you mean 'from'?"),
        (net("type: relu, name: a", "type: relu, from: inptu"), "did you mean 'input'?"),
        (net(f"{CONV}, weight: {{fill: bilinea}}"), "did you mean 'bilinear'?"),
        (net(f"{CONV}, weight: {{fil: ones}}"), "did you mean 'fill'?"),
        (net("type: relu", top=f"{INPUT}\nlayer: []"), "did you mean 'layers'?"),
        (net("type: relu", top=f"{INPUT}\nframework: torch"), "did you mean 'pytorch'?"),
    ],
)
def test_25_a_misspelt_word_gets_a_suggestion(found: Found, text: str, help: str) -> None:
    assert [one.help for one in found(text)] == [help]


def test_25_where_nothing_is_close_all_known_words_are_listed(found: Found) -> None:
    (problem,) = found(net("type: relu, zzz: 1"))
    assert problem.help == f"known are {', '.join(COMMON_KEYS)}"


def test_25_a_suggestion_among_many_names_stays_short(found: Found) -> None:
    layers = [f"type: relu, name: layer{number}" for number in range(2000)]
    problem = found(net(*layers, "type: relu, from: zzz"))[-1]
    assert len(diagnostic_text(problem)) < 2000


@pytest.mark.parametrize("command", COMMANDS)
def test_25_every_command_is_suggested_for_a_slip(run: Run, command: str) -> None:
    outcome = run(slip(command))
    assert (outcome.status, outcome.out) == (2, "")
    assert f"did you mean '{command}'?" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("shapes", "net.yaml", "--fromat", "json"), "--format"),
        (("matrix", "net.yaml", "--dryrun"), "--dry-run"),
        (("table", "--kernal-size", "3"), "--kernel-size"),
        (("shapes", "net.yaml", "--format", "jsn"), "'json'"),
        (("table", "--type", "cnov"), "'conv'"),
        (("solve", "--framework", "torch"), "'pytorch'"),
        (("compare", "net.yaml", "--with", "tensorfow"), "did you mean 'tensorflow'?"),
        (("verify", "net.yaml", "--against", "troch"), "did you mean 'torch'?"),
        (("matrix", "net.yaml", "--layer", "cnov1", "--dry-run"), "conv1"),
        (("shapes", "net.yaml", "--input", "inptu=1,4,4"), "its inputs are input"),
    ],
)
def test_25_a_misspelt_option_or_value_is_answered_with_the_right_one(
    run: Run, spec: WriteSpec, arguments: tuple[str, ...], said: str
) -> None:
    spec(GUIDE)
    outcome = run(*arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert said in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.err


# --- packages that are not there --------------------------------------------------------------

WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1].split(",")))
from convt_cli.commands.main import run
sys.exit(max(run(command.split()) for command in sys.argv[2:]))
"""
"""Commands of convt where importing some packages fails as it does when they are not installed."""

EXTRAS = [
    ("onnx", "import m.onnx -o m.yaml", "'convt-cli[onnx]'"),
    ("onnx", "matrix onnx.yaml -o C.npz", "'convt-cli[onnx]'"),
    ("PIL", "reconstruct net.yaml x.png --layer conv1", "'convt-cli[plot]'"),
    ("matplotlib", "reconstruct net.yaml x.csv --layer conv1 --sheet s.png", "'convt-cli[plot]'"),
    ("torch", "verify net.yaml --against torch", "'convt-cli[peers]'"),
    ("onnxruntime", "verify net.yaml --against onnxruntime", "'convt-cli[peers]'"),
    ("onnx", "verify net.yaml --against onnxruntime", "'convt-cli[peers]'"),
    ("jax", "verify net.yaml --against jax", "'convt-cli[peers]'"),
    ("tensorflow", "verify net.yaml --against tensorflow", "'tensorflow'"),
]
"""(package, arguments that need it, what to install)."""

ALL = "onnx,PIL,matplotlib,torch,onnxruntime,jax,tensorflow,safetensors,zarr,dask"


@pytest.fixture
def ready(spec: WriteSpec) -> None:
    """Specs, and files that are not opened before the packages that read them are there."""
    spec(GUIDE)
    spec(net(f"{CONV}, weight: m.onnx#w"), "onnx.yaml")
    spec("1,2\n3,4\n", "x.csv")
    spec("", "x.png")
    spec("", "m.onnx")


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(("package", "arguments", "install"), EXTRAS)
def test_25_a_missing_package_is_named_with_how_to_get_it(
    run: Run, package: str, arguments: str, install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    outcome = run(*arguments.split())
    assert_refused(outcome, "E504")
    assert f"install it with: pip install {install}" in " ".join(outcome.err.split())


def without(packages: str, *commands: str) -> Outcome:
    """What commands come to in one process in the working folder, where packages are missing."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, packages, *commands],
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.usefixtures("ready")
def test_25_a_process_without_a_package_says_so() -> None:
    assert_refused(without("onnx", "import m.onnx -o m.yaml"), "E504")


@pytest.mark.usefixtures("ready")
def test_25_what_needs_no_package_works_without_any(spec: WriteSpec) -> None:
    spec("1,2,3,4\n" * 4, "image.csv")
    outcome = without(
        ALL,
        "shapes net.yaml",
        "apply net.yaml x.csv -o y.csv",
        "matrix net.yaml -o C.npz",
        "reconstruct net.yaml image.csv --layer conv1",
    )
    assert (outcome.status, outcome.codes) == (0, []), outcome.err


@pytest.mark.parametrize(
    ("twice", "quoted"),
    [
        (("4,5,5", "4,6,6"), "the shape of the input is given twice"),
        (("x=4,5,5", "x=4,6,6"), "the shape of x is given twice"),
        (("4,5,5", "x=4,5,5"), "the shape of the input 'x' is given twice"),
        (("x=4,5,5", "4,5,5"), "the shape of the input 'x' is given twice"),
    ],
)
def test_25_an_input_is_not_given_twice(
    run: Run, spec: WriteSpec, twice: tuple[str, str], quoted: str
) -> None:
    path = spec("input: {x: [4, 4, 4]}\nlayers: [{type: relu}]\n")
    outcome = run("shapes", path, "--input", twice[0], "--input", twice[1])
    assert outcome.status == 2
    assert quoted in outcome.err


def test_25_a_weight_of_unknown_format_is_told_all_formats(run: Run, spec: WriteSpec) -> None:
    path = spec(
        "input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 2, weight: w.foo}]\n"
    )
    for command in ("verify", "analyze"):
        outcome = run(command, path)
        assert_refused(outcome, "E401")
        assert outcome.out == ""
        assert ".npy, .npz, .csv, .txt, .safetensors, .onnx" in outcome.err
