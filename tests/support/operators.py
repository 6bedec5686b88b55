"""What tests of operators ask of them: the inputs of a form, the last line of an error."""


def form_of(operator, dataset, request=None, **params):
    """The inputs of an operator's form, as the App gets them; `request` holds more that it sends."""
    from fiftyone.operators.executor import ExecutionContext

    sent = {
        "dataset_name": dataset.name,
        "params": {"view_target": "DATASET", **params},
        **(request or {}),
    }
    ctx = ExecutionContext(sent, operator_uri=operator.uri)
    return operator.resolve_input(ctx).type.properties


def offered(one):
    """The values that an input offers, be it a dropdown or a text with suggestions."""
    return [choice.value for choice in one.view.choices]


def last_line(error):
    return str(error.value).strip().splitlines()[-1]
