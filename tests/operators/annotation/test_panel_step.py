"""The third step of the panel: where a selection stands, and what its buttons do."""

import json

import pytest

from support.datasets import CLASSES

KEY = "next"
PANEL = "@alcore/active_learning/active_learning"


class Panel:
    """The panel without a browser: it keeps the state that the App would send back."""

    def __init__(self, dataset):
        self.dataset, self.state, self.requests = dataset, {}, []

    def do(self, method, **params):
        import fiftyone.operators as foo

        sent = {"panel_id": "p", "__method__": method, "panel_state": self.state, **params}
        done = foo.execute_operator(PANEL, {"dataset": self.dataset}, params=sent)
        self.requests = done.executor.to_json()["requests"]
        for one in self.requests:
            if one["operator_uri"].endswith("patch_panel_state"):
                self._merge(self.state, one["params"]["state"])
        return self

    def _merge(self, into, changes):
        for name, value in changes.items():
            if isinstance(value, dict) and isinstance(into.get(name), dict):
                self._merge(into[name], value)
            else:
                into[name] = value

    @property
    def stands(self):
        return [row["stands"] for row in self.state["facts"]["rows"] if row["stands"]]

    def asked(self, name):
        """The parameters of what the App was asked to do."""
        return [one["params"] for one in self.requests if one["operator_uri"].endswith(name)]


@pytest.fixture(autouse=True)
def no_backend(mongod, monkeypatch):
    import fiftyone as fo

    monkeypatch.setattr(fo, "annotation_config", type(fo.annotation_config)())


@pytest.fixture
def panel(dataset, operator):
    select = operator("select_uncertain")
    select(dataset, predictions="predictions", label_field="ground_truth", budget=5, tag=KEY)
    return Panel(dataset).do("on_load").do("on_step", step="annotate")


def test_it_tells_where_the_latest_selection_stands(panel, dataset):
    import fiftyone as fo

    assert panel.stands == ["chosen 5, 0 of 5 labeled in ground_truth"]
    panel.do("on_annotate_in_app")
    assert panel.stands == ["chosen 5, offered in the App, 0 of 5 labeled in ground_truth"]
    assert dataset.active_label_schemas == ["ground_truth"]
    assert panel.asked("set_view") and panel.asked("notify")
    for sample in dataset.exists(f"{KEY}_rank").limit(2):
        sample["ground_truth"] = fo.Classification(label=CLASSES[0])
        sample.save()
    panel.do("on_annotation_done")
    assert panel.stands == ["chosen 5, offered in the App, 2 of 5 labeled in ground_truth"]


def test_its_buttons_open_filled_forms(panel):
    (sent,) = panel.do("on_send").asked("prompt_user_for_operation")
    assert sent["operator_uri"].endswith("/send_to_annotation")
    assert sent["params"] == {"run_key": KEY, "label_field": "ground_truth"}
    (files,) = panel.do("on_files").asked("prompt_user_for_operation")
    assert files["params"]["to"] == "files"
    (back,) = panel.do("on_import").asked("prompt_user_for_operation")
    assert (back["operator_uri"].rpartition("/")[2], back["params"]) == (
        "import_annotations",
        {"run_key": KEY},
    )


def test_what_lacks_is_asked_for_in_the_form(panel, dataset):
    dataset.delete_sample_field("ground_truth")
    (asked,) = panel.do("on_annotate_in_app").asked("prompt_user_for_operation")
    assert asked["params"]["to"] == "app"


def test_another_selection_can_be_chosen(panel, dataset, operator):
    select = operator("select_uncertain")
    select(dataset, predictions="sure", label_field="ground_truth", budget=3, tag="later")
    panel.do("on_annotation_done")
    assert panel.stands == ["chosen 3, 0 of 3 labeled in ground_truth"]
    panel.do("on_choose_selection", value=KEY)
    assert panel.stands == ["chosen 5, 0 of 5 labeled in ground_truth"]
    assert "Annotate in the App" in json.dumps(panel.asked("show_panel_output"))
