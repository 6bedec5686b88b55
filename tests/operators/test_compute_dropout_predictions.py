"""Dropout predictions on a real dataset: models of every source, resuming, and what goes wrong."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from support.networks import SIZE, Prepare
from support.operators import form_of, last_line, offered

NAME = "compute_dropout_predictions"


class Tiny(nn.Module):
    def __init__(self, seed=0, classes=3):
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU())
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(6, classes)

    def forward(self, x):
        return self.last(self.drop(self.body(x).mean((2, 3))))


@pytest.fixture
def compute(dataset, operator):
    """Runs the operator with a small network from Python."""

    def run(view=None, model=None, **options):
        options = {"transform": Prepare(), "members": 4, **options}
        given = dataset if view is None else view
        return operator(NAME)(given, model or Tiny(), **options).result

    return run


@pytest.fixture
def state_file(tmp_path):
    """Numbers for a real torchvision architecture with three classes."""
    import torchvision

    torch.manual_seed(0)
    module = torchvision.models.squeezenet1_1(weights=None, num_classes=3)
    torch.save(module.state_dict(), tmp_path / "squeezed.pt")
    return str(tmp_path / "squeezed.pt")


def expected_members(dataset, plugin, model, members=4, seed=0):
    prepare = Prepare()
    x = torch.stack([prepare(Image.open(path).convert("RGB")) for path in dataset.values("filepath")])
    predict = plugin("alcore.networks.dropout").predict_members
    return next(predict(model, [x], members, seed)).numpy().transpose(1, 0, 2)


def test_what_is_written(dataset, compute, plugin):
    result = compute(classes=["a", "b", "c"])
    assert result["predicted"] == 48 and result["skipped"] == 0 and result["notes"] == []
    assert (result["field"], result["members"], result["classes"]) == ("dropout", 4, 3)
    dataset.reload()
    stored = np.stack(dataset.values("dropout.members"))
    assert stored.shape == (48, 4, 3) and stored.dtype == np.float32
    np.testing.assert_allclose(stored, expected_members(dataset, plugin, Tiny()), atol=1e-5)
    mean = torch.softmax(torch.tensor(stored, dtype=torch.float64), 2).mean(1).numpy()
    logits = np.stack(dataset.values("dropout.logits"))
    np.testing.assert_allclose(np.exp(logits), mean, atol=1e-6)
    assert dataset.values("dropout.label") == ["abc"[i] for i in mean.argmax(1)]
    np.testing.assert_allclose(dataset.values("dropout.confidence"), mean.max(1), atol=1e-6)
    assert dataset.classes["dropout"] == ["a", "b", "c"]
    assert "log of the mean probability" in dataset.get_field("dropout").description


def test_the_batch_size_does_not_matter(dataset, compute):
    compute(field="one", batch_size=48)
    compute(field="two", batch_size=5)
    one, two = (np.stack(dataset.values(f"{name}.members")) for name in ("one", "two"))
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_the_other_operators_read_it(dataset, compute, operator):
    compute()
    found = operator("select_uncertain")(dataset, predictions="dropout", budget=5, tag="unsure").result
    assert found["chosen"] == 5


@pytest.mark.parametrize("strategy", ["batch_bald", "disagreement"])
def test_members_are_selected_by(dataset, compute, operator, strategy):
    compute(classes=["a", "b", "c"], members=6)
    entry = {"strategy": strategy, "column": "dropout.members"}
    recipe = {"budget": 4, "strategies": [entry]}
    found = operator("select")(dataset, recipe=recipe, tag="told_apart").result
    members = np.stack(dataset.values("dropout.members"), axis=1).astype(np.float64)
    p = np.exp(members) / np.exp(members).sum(2, keepdims=True)
    mean = p.mean(0)
    bald = (p * np.log(p)).sum(2).mean(0) - (mean * np.log(mean)).sum(1)
    first = dataset.load_saved_view(found["saved_view"]).first()
    assert first.id == dataset.values("id")[int(bald.argmax())]


def test_the_network_is_left_as_it_was(compute):
    model = Tiny().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    compute(model=model)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_class_names(dataset, compute, invalid):
    compute(field="numbered")
    assert set(dataset.values("numbered.label")) <= {"0", "1", "2"}
    dataset.default_classes = ["x", "y", "z"]
    compute(field="declared")
    assert set(dataset.values("declared.label")) <= {"x", "y", "z"}
    with pytest.raises(invalid, match="2 names for the 3 outputs"):
        compute(field="short", classes=["x", "y"])
    dataset.default_classes = ["x", "y"]
    with pytest.raises(invalid, match="3 outputs, but the dataset's default classes are 2"):
        compute(field="short")
    assert dataset.get_field("short") is None


def test_images_that_cannot_be_opened(dataset, compute, tmp_path):
    import fiftyone as fo

    (tmp_path / "text.jpg").write_text("no image at all")
    whole = Image.effect_noise((64, 64), 50)
    whole.save(tmp_path / "cut.png")
    data = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    paths = [tmp_path / "text.jpg", tmp_path / "cut.png", tmp_path / "nowhere.png"]
    ids = dataset.add_samples([fo.Sample(filepath=str(path)) for path in paths], progress=False)
    result = compute()
    assert result["predicted"] == 48 and result["left_out"] == 3
    assert "3 samples" in result["notes"][0] and ids[0] in result["notes"][0]
    assert "cannot be opened" in result["notes"][0]
    assert dataset.select(ids).values("dropout") == [None] * 3


def test_nothing_but_images_that_cannot_be_opened(dataset, compute, invalid, state, tmp_path):
    import fiftyone as fo

    (tmp_path / "text.jpg").write_text("no image at all")
    one = dataset.add_sample(fo.Sample(filepath=str(tmp_path / "text.jpg")))
    before = state(dataset)
    with pytest.raises(invalid, match=r"of 1 samples 1 cannot be opened as images .*text\.jpg"):
        compute(dataset.select(one))
    assert state(dataset) == before


def test_images_of_different_shapes_after_the_transform(dataset, compute):
    class Ragged(Prepare):
        def __call__(self, image):
            self.count += 1
            return super().__call__(image)[:, : SIZE - self.count % 3]

    assert compute(transform=Ragged(), batch_size=16)["predicted"] == 48


def test_logits_that_are_no_numbers(dataset, compute, invalid):
    class Shy(Tiny):
        def forward(self, x):
            dark = x.mean((1, 2, 3)) < 0.5
            return super().forward(x).masked_fill(dark[:, None], float("nan"))

    result = compute(model=Shy())
    assert result["predicted"] + result["left_out"] == 48 and 0 < result["left_out"] < 48
    assert "NaN or infinite logits: left out" in result["notes"][0]

    class Broken(Tiny):
        def forward(self, x):
            return super().forward(x) * float("inf")

    with pytest.raises(invalid, match="for 48 the model gives NaN or infinite logits"):
        compute(model=Broken(), field="other")
    assert dataset.get_field("other") is None


def test_going_on_with_the_same_settings(dataset, compute):
    first = compute(dataset.limit(20))
    before = dataset.limit(20).values("dropout.id")
    second = compute()
    assert (first["predicted"], second["predicted"], second["skipped"]) == (20, 28, 20)
    assert "20 samples held predictions of the same settings" in second["notes"][0]
    assert dataset.limit(20).values("dropout.id") == before
    third = compute()
    assert (third["predicted"], third["skipped"]) == (0, 48)
    compute(field="at_once")
    one, two = (np.stack(dataset.values(f"{name}.members")) for name in ("dropout", "at_once"))
    np.testing.assert_allclose(one, two, atol=1e-5)


@pytest.mark.parametrize(
    "change, what",
    [
        ({"seed": 1}, "another seed;"),
        ({"members": 5}, "another members;"),
        ({"model": Tiny(seed=7)}, "another model;"),
        ({"transform": lambda image: Prepare()(image)}, "another transform;"),
        ({"classes": ["x", "y", "z"]}, "other class names"),
    ],
)
def test_other_settings_need_overwrite(dataset, compute, invalid, change, what):
    compute(dataset.limit(20))
    before = dataset.values("dropout.id")
    with pytest.raises(invalid, match=what):
        compute(**change)
    assert dataset.values("dropout.id") == before
    with pytest.raises(invalid, match="of other settings, 20 of them outside this view"):
        compute(dataset.skip(30), overwrite=True, **change)
    assert dataset.values("dropout.id") == before
    result = compute(dataset.limit(25), overwrite=True, **change)
    dataset.reload()
    assert (result["predicted"], result["skipped"]) == (25, 0)
    assert dataset.exists("dropout").values("id") == dataset.limit(25).values("id")


def test_a_run_that_breaks_off_before_anything_is_written(dataset, compute, state):
    before = state(dataset)
    with pytest.raises(ZeroDivisionError):
        compute(transform=Prepare(fails_at=5))
    with pytest.raises(ZeroDivisionError):
        compute(transform=Prepare(fails_at=40))  # less than one part
    assert state(dataset) == before and "dropout" not in dataset.classes


def test_a_run_that_breaks_off_later_can_be_taken_up(dataset, compute, plugin, parts):
    unfinished = plugin("operators.dataset.resumable_field").Unfinished
    with pytest.raises(unfinished, match=r"a fault .* 24 samples are predicted and stay") as error:
        compute(transform=Prepare(fails_at=30), batch_size=8)
    assert "the same call goes on" in str(error.value)
    dataset.reload()
    assert len(dataset.exists("dropout.members")) == 24
    result = compute(batch_size=8)
    assert (result["predicted"], result["skipped"]) == (24, 24)
    compute(field="at_once")
    one, two = (np.stack(dataset.values(f"{name}.members")) for name in ("dropout", "at_once"))
    np.testing.assert_allclose(one, two, atol=1e-5)


@pytest.mark.parametrize("repeated, members", [(300_000, 2), (34_000, 60)])
def test_a_write_that_fails_leaves_no_field(dataset, compute, state, repeated, members):
    """More class names than the dataset's document can hold, or more logits than a sample's."""
    from pymongo.errors import DocumentTooLarge, OperationFailure

    class Long(Tiny):
        def forward(self, x):
            return super().forward(x).repeat(1, repeated) * torch.rand(3 * repeated)

    before = state(dataset)
    with pytest.raises((DocumentTooLarge, OperationFailure)):
        compute(dataset.limit(1), model=Long(), members=members)
    assert state(dataset) == before and "dropout" not in dataset.classes


def test_refusals(dataset, compute, operator, invalid, state):
    before = state(dataset)
    with pytest.raises(invalid, match="'predictions' exists and holds no dropout predictions"):
        compute(field="predictions")
    with pytest.raises(invalid, match="'predictions' exists and holds no dropout predictions"):
        compute(field="predictions", overwrite=True)
    with pytest.raises(invalid, match=r"'a\.b' must start with a letter"):
        compute(field="a.b")
    with pytest.raises(invalid, match="members: 1 cannot disagree"):
        compute(members=1)
    with pytest.raises(invalid, match="batch_size: 0 is not a size"):
        compute(batch_size=0)
    with pytest.raises(invalid, match="seed: -1 is negative"):
        compute(seed=-1)
    with pytest.raises(invalid, match="Linear has no dropout layer"):
        compute(model=nn.Linear(2, 2))
    with pytest.raises(invalid, match="the view is empty"):
        compute(dataset.match_tags("nobody"))
    with pytest.raises(invalid, match="a worker cannot be given a model"):
        compute(delegate=True)
    with pytest.raises(invalid, match="model: int is not a model"):
        operator(NAME)(dataset, 3)
    with pytest.raises(invalid, match="gave str; it must give a torch module"):
        operator(NAME)(dataset, lambda: "net")
    assert state(dataset) == before


def test_other_media(mongod, operator, invalid):
    import fiftyone as fo

    dataset = fo.Dataset()
    dataset.add_sample(fo.Sample(filepath="/nowhere/film.mp4"))
    with pytest.raises(invalid, match="media type 'video'; this takes images"):
        operator(NAME)(dataset, Tiny(), transform=Prepare())
    dataset.delete()


def test_factories_from_python(dataset, operator):
    made = operator(NAME)(dataset, lambda: (Tiny(), Prepare()), members=2).result
    assert made["predicted"] == 48
    made = operator(NAME)(dataset, Tiny, members=2, image_size=SIZE, field="usual").result
    assert made["predicted"] == 48


def test_a_torch_model_of_fiftyones_own(dataset, operator):
    import fiftyone.utils.torch as fout

    config = fout.TorchImageModelConfig(
        {
            "model": Tiny(),
            "output_processor_cls": "fiftyone.utils.torch.ClassifierOutputProcessor",
            "labels_string": "a,b,c",
            "image_size": [SIZE, SIZE],
        }
    )
    result = operator(NAME)(dataset, fout.TorchImageModel(config), members=3).result
    assert result["predicted"] == 48 and result["model"] == "TorchImageModel"
    assert set(dataset.values("dropout.label")) <= {"a", "b", "c"}


# By name, as a form and a worker have it


def test_an_architecture_with_a_state_file(dataset, operator, state_file):
    options = {"weights": state_file, "members": 3, "image_size": 32, "classes": ["a", "b", "c"]}
    result = operator(NAME)(dataset.limit(10), "squeezenet1_1", **options).result
    assert result["predicted"] == 10 and result["model"] == "squeezenet1_1 (squeezed.pt)"
    result = operator(NAME)(dataset.limit(12), "squeezenet1_1", **options).result
    assert (result["predicted"], result["skipped"]) == (2, 10)
    dataset.reload()
    assert dataset.first().dropout.members.shape == (3, 3)


def test_delegated(dataset, operator, state_file):
    import fiftyone.operators.delegated as food

    dataset.persistent = True
    options = {"weights": state_file, "members": 2, "image_size": 32}
    queued = operator(NAME)(dataset.limit(6), "squeezenet1_1", delegate=True, **options)
    service = food.DelegatedOperationService()
    service.execute_queued_operations(dataset_name=dataset.name)
    done = service.get(queued.result["id"])
    assert str(done.run_state) == "completed", done.result
    dataset.reload()
    assert len(dataset.exists("dropout.members")) == 6


class Trap:
    """What a pickle may carry: a call that is made while it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_files_that_are_no_state_files(dataset, plugin, invalid, tmp_path, state_file):
    load = plugin("operators.compute.models").load
    sprung = tmp_path / "sprung"
    torch.save(Tiny(), tmp_path / "whole.pt")
    torch.save({"a": Trap(str(sprung))}, tmp_path / "trap.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"epoch": torch.tensor(3)}, tmp_path / "number.pt")
    torch.save(Tiny().state_dict(), tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("hello")
    (tmp_path / "empty.pt").write_text("")
    (tmp_path / "zip.pt").write_bytes(b"PK\x03\x04" + b"0" * 100)
    cannot = r"cannot be read as a state file \(\w+\); write it with torch\.save\(module\.state_dict"
    cases = {
        "whole": cannot,
        "trap": cannot,
        "text": cannot,
        "empty": cannot,
        "zip": cannot,
        "list": "does not hold a network's tensors by name",
        "number": "does not hold a network's tensors by name",
        "other": r"are not those of squeezenet1_1: it lacks \d+ \(features\.0\.weight, .* alone has",
        "nowhere": "there is no file",
    }
    for name, sentence in cases.items():
        with pytest.raises(invalid, match=sentence):
            load("squeezenet1_1", str(tmp_path / f"{name}.pt"))
    assert not sprung.exists()
    with pytest.raises(invalid, match="4 names for the 3 outputs of the last layer in 'squeezed"):
        load("squeezenet1_1", state_file, list("abcd"))
    with pytest.raises(invalid, match="of another shape are"):
        load("squeezenet1_0", state_file)
    with pytest.raises(invalid, match="torchvision has no classifier 'squeezenet9'"):
        load("squeezenet9", state_file)
    with pytest.raises(invalid, match="may rescale its input"):
        load("googlenet", state_file)


def test_checkpoints_as_others_write_them(plugin, tmp_path, state_file):
    state = torch.load(state_file, weights_only=True)
    torch.save({"state_dict": {f"module.{key}": one for key, one in state.items()}}, tmp_path / "w.pt")
    found = plugin("operators.compute.models").load("squeezenet1_1", str(tmp_path / "w.pt"))
    digest = plugin("alcore.networks.networks").fingerprint
    same = plugin("operators.compute.models").load("squeezenet1_1", state_file)
    assert digest(found.module) == digest(same.module)
    assert digest(Tiny()) == digest(Tiny()) != digest(Tiny(seed=1))


def test_every_architecture_offered_has_dropout_and_ends_in_its_classes(plugin):
    import torchvision

    layers = plugin("alcore.networks.dropout").dropout_layers
    for name in plugin("operators.compute.models").architectures():
        with torch.device("meta"):
            module = torchvision.models.get_model(name, weights=None, num_classes=7)
        assert layers(module)
        assert [one for one in module.state_dict().values() if one.ndim][-1].shape[0] == 7


FACTORY = """
from torch import nn
def make():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(3, 2))
"""


def test_a_factory_is_imported_only_where_the_server_allows_it(
    dataset, operator, tmp_path, monkeypatch, invalid
):
    (tmp_path / "their_models.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("ALCORE_MODEL_FACTORIES", "some.other:one, their_models:gone")
    torch.manual_seed(0)
    for name in ("their_models:make", "os:getcwd", "https://example.org/model.zip"):
        with pytest.raises(invalid) as error:
            operator(NAME)(dataset, name)
        assert f"{name!r} is not a factory that this server allows" in last_line(error)
    assert "their_models" not in sys.modules
    with pytest.raises(invalid) as error:
        operator(NAME)(dataset, "their_models:gone")
    assert "is allowed but could not be imported" in last_line(error)
    monkeypatch.setenv("ALCORE_MODEL_FACTORIES", "their_models:make")
    assert operator(NAME)(dataset, "their_models:make", image_size=8).result["predicted"] == 48
    sys.modules.pop("their_models")


def test_the_zoo_is_asked_for_names_alone(dataset, operator, plugin, state, invalid):
    before = state(dataset)
    for name in ("nobody/nothing", "no-such-model"):
        with pytest.raises(invalid) as error:
            operator(NAME)(dataset, name)
        assert f"{name!r} is not a torch model of FiftyOne's zoo" in last_line(error)
    assert "mobilenet-v2-imagenet-torch" in plugin("operators.compute.models").zoo_names()
    assert state(dataset) == before


# Forms


def test_the_form(dataset, operator, monkeypatch):
    form = form_of(operator(NAME), dataset)
    assert "vgg16-imagenet-torch" in offered(form["zoo"])
    assert form["source"].type.values == ["zoo", "torchvision"]
    assert "48 images" in form["counts"].view.label and "weights" not in form
    form = form_of(operator(NAME), dataset, source="torchvision")
    assert "vgg16" in offered(form["torchvision"]) and "weights" in form
    assert "googlenet" not in offered(form["torchvision"])
    monkeypatch.setenv("ALCORE_MODEL_FACTORIES", "package.module:function")
    form = form_of(operator(NAME), dataset, source="factory")
    assert form["factory"].type.values == ["package.module:function"]


def test_the_form_refuses(dataset, operator):
    form = form_of(operator(NAME), dataset, field="predictions")
    assert form["field"].invalid and "holds no dropout predictions" in form["field"].error_message
