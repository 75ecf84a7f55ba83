"""The sizes at which a network closes, against the network resolved at every size."""

from __future__ import annotations

from pathlib import Path

import pytest

from convt_cli.arithmetic.questions import closing
from convt_cli.arithmetic.questions.closing import OpenNetwork, closing_base, closing_sizes
from convt_cli.errors import SpecError
from convt_cli.spec.load import load_spec
from convt_cli.spec.open_network import load_open_network
from tests.conftest import WriteSpec

CONFIGS = Path(__file__).parents[3] / "configs"
UP_TO = 70
"""The largest size at which every network below is resolved for comparison."""

NETS = {
    "stride 2, no join": "- {type: conv, out_channels: 1, kernel_size: 7, stride: 2}",
    "stride 3 and back": """
      - {name: a, type: conv, out_channels: 1, kernel_size: 3, padding: 1}
      - {type: max_pool, kernel_size: 3}
      - {name: up, type: conv_transpose, out_channels: 1, kernel_size: 3, stride: 3}
      - {type: add, from: [a, up]}""",
    "strides 2 and 5, cropped": """
      - {name: a, type: conv, out_channels: 1, kernel_size: 3}
      - {type: conv, out_channels: 1, kernel_size: 3, stride: 2}
      - {type: conv, out_channels: 1, kernel_size: 4, stride: 5, padding: 1}
      - {name: up, type: conv_transpose, out_channels: 1, kernel_size: 7, stride: 10}
      - {name: cut, type: crop, from: a, padding: [[3, 2]]}
      - {type: concat, from: [cut, up]}""",
    "half of all residues": """
      - {name: a, type: max_pool, kernel_size: 2, stride: 2}
      - {name: b, type: max_pool, from: input, kernel_size: 4, stride: 4, ceil_mode: true}
      - {name: c, type: conv_transpose, out_channels: 1, kernel_size: 2, stride: 2}
      - {type: add, from: [a, c]}""",
    "a join that only broadcasting closes": """
      - {name: a, type: conv, out_channels: 1, kernel_size: 3, stride: 2, padding: 1}
      - {name: b, type: conv, from: input, out_channels: 1, kernel_size: 4, stride: 2, padding: 3}
      - {type: add, from: [a, b]}""",
    "different slopes": """
      - {name: a, type: conv, out_channels: 1, kernel_size: 1, padding: 20}
      - {name: b, type: conv_transpose, from: input, out_channels: 1, kernel_size: 2, stride: 2}
      - {type: concat, from: [a, b]}""",
    "a fixed size reached": """
      - {type: conv_transpose, out_channels: 1, kernel_size: 3, stride: 4, output_size: 43}""",
    "a reshape that fixes the size": """
      - {type: conv, out_channels: 2, kernel_size: 3, stride: 2}
      - {type: reshape, shape: [4, 9]}""",
    "an open reshape": """
      - {type: conv, out_channels: 2, kernel_size: 3}
      - {type: reshape, shape: [6, -1]}
      - {type: conv, out_channels: 1, kernel_size: 2}""",
    "flatten and linear": """
      - {type: conv, out_channels: 2, kernel_size: 3, stride: 7, padding: 1}
      - {type: flatten}
      - {type: linear, out_features: 4}""",
    "a fold that needs more input than a window": """
      - {type: max_pool, kernel_size: 2}
      - {type: conv, out_channels: 1, kernel_size: 3, padding: 11, padding_mode: reflect}""",
    "a crop that takes much": """
      - {type: conv, out_channels: 1, kernel_size: 2, stride: 2}
      - {type: crop, padding: 31}""",
    "pool and unpool": """
      - {name: p, type: max_pool, kernel_size: 3, stride: 2}
      - {type: max_unpool, pool: p, output_size: 20}""",
    "concatenated in length": """
      - {name: a, type: conv, out_channels: 1, kernel_size: 4, stride: 3}
      - {name: b, type: concat, axis: 1, from: [a, a, input]}
      - {type: conv, out_channels: 1, kernel_size: 2, stride: 2}
      - {name: c, type: conv_transpose, out_channels: 1, kernel_size: 2, stride: 2}
      - {type: add, from: [b, c]}""",
    "every other element": """
      - {name: a, type: slice, axis: 1, begin: 0, step: 2}
      - {name: b, type: slice, axis: 1, begin: 1, step: 2, from: input}
      - {type: add, from: [a, b]}""",
    "a slice that leaves out ends": """
      - {name: a, type: slice, axis: 1, begin: 3, end: -2}
      - {name: b, type: conv, out_channels: 1, kernel_size: 6, from: input}
      - {type: concat, from: [a, b]}""",
    "slices of fixed lengths that once agree": """
      - {name: a, type: slice, axis: 1, begin: 0, end: 20}
      - {name: b, type: slice, axis: 1, begin: -5, from: input}
      - {type: concat, from: [a, b]}""",
    "a crop like another layer": """
      - {name: p, type: max_pool, kernel_size: 2, stride: 2}
      - {name: up, type: conv_transpose, out_channels: 1, kernel_size: 2, stride: 2}
      - {name: cut, type: crop, from: input, like: up, offset: 1}
      - {type: add, from: [up, cut]}""",
    "never": """
      - {name: a, type: conv, out_channels: 1, kernel_size: 3}
      - {type: concat, from: [a, input]}""",
}


def graph_of(path: str | Path) -> OpenNetwork:
    return load_open_network(str(path))


def closes(path: str | Path, inputs: dict[str, tuple[int, ...]]) -> bool:
    """Whether the spec resolves with these inputs."""
    try:
        load_spec(path, input=inputs)
    except SpecError:
        return False
    return True


def assert_as_resolved(path: str | Path, sizes: range, up_to: int = UP_TO) -> None:
    """Each axis of the first input closes at exactly the `sizes` at which the spec resolves."""
    graph = graph_of(path)
    base = closing_base(graph)
    for axis in range(len(graph.inputs[0][1]) - 1):
        found = closing_sizes(graph, base, axis, up_to)
        expected = [
            size
            for size in sizes
            if base is not None and closes(path, graph.varied((axis,), size, base))
        ]
        assert [size for size in sizes if size in found.sizes] == expected


@pytest.mark.parametrize("name", NETS)
class TestHandMadeNets:
    def test_close_at_the_sizes_at_which_they_resolve(self, spec: WriteSpec, name: str) -> None:
        path = spec(f"input: [1, 40]\nlayers:\n{NETS[name]}\n")
        assert_as_resolved(path, range(1, UP_TO + 1))

    def test_are_never_resolved_at_every_size(
        self, spec: WriteSpec, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The rule found with a low bound holds further up, where it was not tried."""
        monkeypatch.setattr(closing, "MOST_TRIED", 60)
        path = spec(f"input: [1, 40]\nlayers:\n{NETS[name]}\n")
        graph = graph_of(path)
        base = closing_base(graph) or {}
        found = closing_sizes(graph, base or None, 0, 60)
        for size in range(61, 160) if base else ():
            assert (size in found.sizes) == graph.shapes_on(graph.varied((0,), size, base)).closes


class TestAFactorThatIsRounded:
    """Joins 1.15 times a size, as doubles multiply it, with 23/20 of it: equal at most sizes."""

    TEXT = """input: [1, 40]
layers:
  - {name: a, type: upsample, scale_factor: 1.15}
  - {name: b, type: upsample, scale_factor: 23/20, from: input}
  - {type: concat, from: [a, b]}
"""

    def test_closes_at_the_sizes_at_which_it_resolves(self, spec: WriteSpec) -> None:
        path = spec(self.TEXT)
        assert_as_resolved(path, range(1, UP_TO + 1))
        assert not closes(path, {"input": (1, 100)})

    def test_is_said_to_be_tried_size_by_size(self, spec: WriteSpec) -> None:
        graph = graph_of(spec(self.TEXT))
        found = closing_sizes(graph, closing_base(graph), 0, 2 * closing.MOST_TRIED)
        assert found.tried == closing.MOST_TRIED


class TestConfigs:
    def test_the_unet_closes_where_it_resolves(self) -> None:
        assert_as_resolved(CONFIGS / "unet.yaml", range(184, 208))

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("unet", "188 + 16 j"),
            ("unet_same", "multiples of 16"),
            ("unet3d", "92 + 8 j"),
            ("fcn8s", "all"),
            ("vgg16", "all from 32"),
            ("dcgan_generator", "all"),
        ],
    )
    def test_have_their_rules(self, name: str, words: str) -> None:
        graph = graph_of(CONFIGS / f"{name}.yaml")
        found = closing_sizes(graph, closing_base(graph), 0, 1024)
        assert (str(found.sizes), found.tried) == (words, None)


TWO_INPUTS = """
    input: {image: [1, %s], mask: [1, %s]}
    layers:
      - {name: small, type: max_pool, from: image, kernel_size: 4, stride: 4}
      - {name: up, type: conv_transpose, out_channels: 1, kernel_size: 4, stride: 4}
      - {type: concat, from: [up, mask]}
    """


class TestSeveralInputs:
    def test_as_long_as_the_first_go_along(self, spec: WriteSpec) -> None:
        path = spec(TWO_INPUTS % ("32, 20", "32, 20"))
        assert_as_resolved(path, range(1, 70))
        graph = graph_of(path)
        assert str(closing_sizes(graph, closing_base(graph), 1, 99).sizes) == "multiples of 4"

    def test_of_another_length_stay(self, spec: WriteSpec) -> None:
        path = spec(TWO_INPUTS % ("35", "32"))
        assert_as_resolved(path, range(1, 70))
        graph = graph_of(path)
        assert str(closing_sizes(graph, closing_base(graph), 0, 99).sizes) == "32; 33; 34; 35"


class TestBase:
    def test_is_what_is_written_if_that_closes(self) -> None:
        graph = graph_of(CONFIGS / "unet.yaml")
        assert closing_base(graph) == {"input": (1, 572, 572)}

    def test_is_found_where_nothing_written_closes(self, spec: WriteSpec) -> None:
        text = (CONFIGS / "unet.yaml").read_text(encoding="utf-8")
        path = spec(text.replace("[1, 572, 572]", "[1, 512, 500]"))
        graph = graph_of(path)
        assert closing_base(graph) == {"input": (1, 524, 524)}
        assert str(closing_sizes(graph, closing_base(graph), 1, 600).sizes) == "188 + 16 j"

    def test_may_lie_below(self, spec: WriteSpec) -> None:
        path = spec(f"input: [1, 80]\nlayers: {NETS['a fixed size reached']}")
        assert closing_base(graph_of(path)) == {"input": (1, 11)}

    def test_need_not_be(self, spec: WriteSpec) -> None:
        graph = graph_of(spec(f"input: [1, 40]\nlayers: {NETS['never']}"))
        assert closing_base(graph) is None
        assert not closing_sizes(graph, None, 0, 99).sizes


class TestBounds:
    def test_sizes_without_a_rule_are_looked_for_as_far_as_is_said(self, spec: WriteSpec) -> None:
        graph = graph_of(spec(f"input: [1, 40]\nlayers: {NETS['different slopes']}"))
        near = closing_sizes(graph, closing_base(graph), 0, 100)
        far = closing_sizes(graph, closing_base(graph), 0, 10**15)
        assert (str(near.sizes), near.tried) == ("40", None)
        assert (str(far.sizes), far.tried) == ("40", closing.MOST_TRIED)

    def test_a_period_too_long_is_said_so(self, spec: WriteSpec) -> None:
        path = spec(
            """
            input: [1, 2000]
            layers:
              - {name: a, type: max_pool, kernel_size: 1, stride: 37}
              - {name: b, type: max_pool, kernel_size: 1, stride: 41}
            """
        )
        graph = graph_of(path)
        found = closing_sizes(graph, closing_base(graph), 0, 10**15)
        assert found.tried == closing.MOST_TRIED
        assert len(list(found.sizes.up_to(10**15))) == closing.MOST_TRIED
