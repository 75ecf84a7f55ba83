"""Write tests/data/dialects.jsonl.gz: what the real frameworks make of many layers.

    python -m tests.peers.make_cases

runs every framework that is installed and replaces its cases, so the file is made by running it
once in each environment.  Configurations are drawn from a seed, without regard to whether they
are legal; beside them stand the edges of the rules, one by one.  A line is a case:

    {"framework", "opset"?, "input", "layer", "results": {tool: result}}

where a result is [shape, sum, crc32] of the output as int64 (an average times the least common
multiple that makes it one), [shape] from a tool that knows no values, or why it was refused.
Input and weight come from `tests.peers.cases.numbers`.  Caffe's tool is `by_hand`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any

from tests import oracle
from tests.peers import caffe
from tests.peers.cases import Case, Shape, digest, source_of, weight_of, whole_numbers
from tests.peers.drawing import drawn
from tests.peers.edges import edges
from tests.peers.frameworks import TOOLS, Refused, Unsayable, run
from tests.records import DATA, Record, read, write

PATH = DATA / "dialects.jsonl.gz"

DRAWN = {"conv": 80, "conv_transpose": 130, "max_pool": 40, "avg_pool": 40}
"""How many configurations of each type are drawn for a framework."""

Result = list[Any] | str


def by_hand() -> Iterator[Record]:
    """The cases of Caffe: shapes from its sources, values of convolutions by the oracle."""
    for case, shape in caffe.convolutions():
        yield _record(case, {"by_hand": [list(shape), *digest(_caffe_values(case, shape))]})
    for case, pooled in caffe.pools():
        refused = "pad must be smaller than kernel"
        yield _record(case, {"by_hand": refused if pooled is None else [list(pooled)]})


def _caffe_values(case: Case, shape: Shape) -> oracle.Array:
    window: oracle.Window = {
        "stride": case.stride,
        "pads": case.pairs,
        "dilation": case.dilation,
        "groups": case.groups,
    }
    if case.type == "conv":
        values = oracle.direct(source_of(case), weight_of(case), **window)
    else:
        none = [0] * case.rank
        values = oracle.transposed(source_of(case), weight_of(case), output_padding=none, **window)
    if values.shape != shape:
        raise AssertionError(f"{case} gives {values.shape}, not {shape}")
    return values


def cases(framework: str) -> Iterator[Case]:
    """Every configuration of a framework, each once."""
    seen = set()
    drawing = (
        drawn(framework, kind, number) for kind, count in DRAWN.items() for number in range(count)
    )
    for case in chain(edges(framework), drawing):
        name = json.dumps([case.opset, case.input, case.layer], sort_keys=True)
        if name not in seen:
            seen.add(name)
            yield case


def result_of(tool: str, case: Case) -> Result | None:
    """What is kept of a tool's answer; None where the tool cannot be asked."""
    outcome = run(tool, case)
    if isinstance(outcome, Unsayable):
        return None
    if isinstance(outcome, Refused):
        return _plain(outcome.reason)
    shape = list(outcome.shape)
    return [shape, *digest(whole_numbers(case, outcome))] if TOOLS[tool].values else [shape]


def _plain(reason: str) -> str:
    """The gist of a message: no prefixes, escapes, places or addresses."""
    gist = re.sub(r"\x1b\[[0-9;]*m|\{\{.*?\}\}|/[\w/.+-]+(:\d+)?|0x[0-9a-f]+", "", reason)
    for noise in (
        r"^\w+: ",
        r"\[ONNXRuntimeError\] : \d+ : \w+ : ",
        r"Non-zero status code returned while running \w+ node\. Name:'' Status Message: ",
        r"Exception encountered when calling \w+\.call\(\)\. ",
    ):
        gist = re.sub(noise, "", gist)
    return gist.strip()[:48]


def _record(case: Case, results: dict[str, Result]) -> Record:
    opset = {} if case.opset is None else {"opset": case.opset}
    return {
        "framework": case.framework,
        **opset,
        "input": list(case.input),
        "layer": case.layer,
        "results": results,
    }


def records(framework: str) -> Iterator[Record]:
    """The cases of a framework that at least one of its tools can be asked."""
    tools = [name for name, tool in TOOLS.items() if tool.framework == framework]
    for case in cases(framework):
        answers = {tool: result_of(tool, case) for tool in tools}
        results = {tool: answer for tool, answer in answers.items() if answer is not None}
        if results:
            yield _record(case, results)


def main() -> None:
    """Replace the cases of every framework that is installed."""
    made: dict[str, list[Record]] = {}
    for record in read(PATH):
        made.setdefault(record["framework"], []).append(record)
    made["caffe"] = list(by_hand())
    for framework in ("pytorch", "tensorflow", "keras", "onnx", "jax"):
        if all(tool.installed for tool in TOOLS.values() if tool.framework == framework):
            made[framework] = list(records(framework))
    write(PATH, [record for framework in sorted(made) for record in made[framework]])
    for framework, of_it in sorted(made.items()):
        sys.stdout.write(f"{framework}: {len(of_it)}\n")


if __name__ == "__main__":
    main()
