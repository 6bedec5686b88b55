"""A dry run says what would be chosen and why, and an agent reaches all of it by the schemas."""

import asyncio
import json

import pytest

from support.operators import form_of

URI = "@alcore/active_learning/"
SELECTS = [
    ("select", {}),
    ("select", {"strategy": "uncertainty"}),
    ("select_uncertain", {"predictions": "predictions"}),
    ("select_informative", {"predictions": "predictions"}),
    ("select_diverse", {"embeddings": "embeddings"}),
    ("select_representative", {"embeddings": "embeddings"}),
    ("select_by_metadata", {"preferences": [{"field": "sharpness", "prefer": "high"}]}),
    ("select_by_similarity", {"embeddings": "embeddings", "example_ids": "first"}),
    ("select_balanced", {"by": "predictions"}),
    ("select_like_failures", {"embeddings": "embeddings", "failures": "night"}),
]


def run(operator, dataset, options):
    """The result of a call from Python, which must be plain JSON."""
    result = operator(dataset, **options).result
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    return result


@pytest.mark.parametrize(("name", "options"), SELECTS)
def test_a_dry_run_writes_nothing_and_chooses_what_is_chosen_then(
    dataset, operator, state, name, options
):
    options = {**options, "budget": 5, "label_field": "ground_truth"}
    if "example_ids" in options:
        options["example_ids"] = dataset.values("id")[:2]
    before = state(dataset)
    found = run(operator(name), dataset, {**options, "preview": True})
    assert state(dataset) == before and "run_key" not in found
    assert found["chosen"] == 5 == len(found["picks"]) == len(found["reasons"])
    assert all(reason for reason in found["reasons"])
    assert {"notes", "pool", "labeled", "stopped", "recipe"} <= set(found)
    written = run(operator(name), dataset, options)
    assert dataset.load_saved_view(written["saved_view"]).values("id") == found["picks"]
    same = ("chosen", "pool", "labeled", "stopped", "notes")
    assert {one: found[one] for one in same} == {one: written[one] for one in same}


def test_the_reasons_are_those_of_the_engine(dataset, operator, plugin):
    options = {"predictions": "predictions", "budget": 4, "label_field": "ground_truth"}
    found = run(operator("select_uncertain"), dataset, {**options, "preview": True})
    scores = plugin("alcore").scores
    for sample_id, reason in zip(found["picks"], found["reasons"], strict=True):
        p = scores_of(dataset[sample_id].predictions.logits)
        assert reason == {"uncertainty": pytest.approx(float(scores.margin(p)[0]))}


def scores_of(logits):
    from scipy.special import softmax

    return softmax(logits[None], axis=1)


def test_objects_are_picked_with_their_samples(street, operator, state):
    before = state(street)
    options = {"objects": "found", "budget": 5, "predictions": "found", "preview": True}
    found = run(operator("select_uncertain"), street, options)
    labels = dict(zip(*street.values(["id", "found.detections.id"]), strict=True))
    assert len(found["picks"]) == 5 and state(street) == before
    pairs = zip(found["picks"], found["samples"], strict=True)
    assert all(pick in labels[sample] for pick, sample in pairs)


def test_so_has_a_test_set(dataset, operator, state):
    options = {"size": 10, "label_field": "ground_truth"}
    before = state(dataset)
    found = run(operator("select_test_set"), dataset, {**options, "preview": True})
    assert state(dataset) == before and len(found["picks"]) == found["chosen"] == 10
    written = run(operator("select_test_set"), dataset, options)
    assert dataset.load_saved_view(written["saved_view"]).values("id") == found["picks"]


def test_a_dry_run_refuses_what_the_selection_would(dataset, operator, invalid):
    with pytest.raises(invalid, match="run_key"):
        operator("select")(dataset, budget=5, run_key="no key", preview=True)


def test_the_app_shows_what_a_dry_run_found(dataset, operator, state):
    from fiftyone.operators.executor import ExecutionContext

    select = operator("select")
    found = select(dataset, budget=3, label_field="ground_truth", preview=True).result
    ctx = ExecutionContext({"dataset_name": dataset.name, "results": found}, operator_uri=select.uri)
    shown = select.resolve_output(ctx).type.properties
    assert {"chosen", "picks"} <= set(shown) and "tag" not in shown


# As an agent does it


def defaults_of(form):
    """What an agent fills in that knows nothing but the schema; required inputs have no default."""
    return {
        name: one["default"]
        for name, one in form["type"]["properties"].items()
        if one.get("default") is not None and name not in ("in_app", "view_target")
    }


def test_by_the_schemas_alone(dataset, state):
    """List the operators, read a schema, fill in its defaults, run dry, and run."""
    import fiftyone.operators as foo
    from fiftyone.operators.executor import ExecutionContext, execute_or_delegate_operator

    def execute(params):
        request = {"dataset_name": dataset.name, "params": params}
        done = asyncio.run(execute_or_delegate_operator(uri, request, exhaust=True))
        done.raise_exceptions()
        return done.result

    uris = [one.uri for one in foo.list_operators(builtin=False)]
    uri = next(one for one in uris if one == f"{URI}select_diverse")
    ctx = ExecutionContext({"dataset_name": dataset.name, "params": {}}, operator_uri=uri)
    form = foo.get_operator(uri).resolve_input(ctx).to_json()
    params = {**json.loads(json.dumps(defaults_of(form))), "budget": 5}
    before = state(dataset)
    found = execute({**params, "preview": True})
    assert found["chosen"] == 5 and state(dataset) == before
    written = execute(params)
    assert dataset.load_saved_view(written["saved_view"]).values("id") == found["picks"]


def test_by_the_mcp_server(dataset, state):
    """The same by the tools of FiftyOne's MCP server, where it is installed."""
    server = pytest.importorskip("fiftyone_mcp.server", reason="fiftyone-mcp-server is not installed")
    registry = server.build_registry()

    def call(tool, **arguments):
        answer = asyncio.run(registry.call_tool(tool, arguments))
        found = json.loads(answer.content[0].text)
        assert found["success"], found
        return found["data"]

    listed = [one["uri"] for one in call("list_operators", builtin_only=False)["operators"]]
    uri = next(one for one in listed if one == f"{URI}select_diverse")
    schema = call("get_operator_schema", operator_uri=uri, dataset_name=dataset.name)
    params = {**defaults_of(schema["input_schema"]), "budget": 5}
    told = {"operator_uri": uri, "dataset_name": dataset.name}
    before = state(dataset)
    found = call("execute_operator", params={**params, "preview": True}, **told)["result"]
    assert found["chosen"] == 5 and state(dataset) == before
    written = call("execute_operator", params=params, **told)["result"]
    assert dataset.load_saved_view(written["saved_view"]).values("id") == found["picks"]


def test_the_schema_has_the_dry_run_in_every_select_operator(operator, unchanged):
    for name in {name for name, _ in SELECTS} | {"select_test_set"}:
        dry = form_of(operator(name), unchanged)["preview"]
        assert dry.default is False and "Nothing is written" in dry.view.description
