"""compute_zero_shot_predictions: by FiftyOne's own CLIP with small weights made here, and by colors."""

import gzip
import warnings

import fiftyone as fo
import fiftyone.core.models as fom
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import softmax

from support.operators import form_of

NAME = "compute_zero_shot_predictions"
COLORS = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}


class ColorModel(fom.Model, fom.EmbeddingsMixin, fom.PromptMixin):
    """Embeds an image as its mean color, and a text as the color that its last word names."""

    media_type = "image"
    has_embeddings = True
    can_embed_prompts = True
    ragged_batches = True
    preprocess = False
    transforms = None

    def predict(self, arg):
        raise NotImplementedError

    def embed(self, arg):
        return np.asarray(arg, dtype=np.float64)[..., :3].mean((0, 1))

    def embed_all(self, args):
        return np.stack([self.embed(arg) for arg in args])

    def embed_prompts(self, prompts):
        return np.array([COLORS[one.split()[-1]] for one in prompts], dtype=np.float64)

    def embed_prompt(self, prompt):
        return self.embed_prompts([prompt])[0]


@pytest.fixture
def painted(mongod, tmp_path):
    """Six images, two of each color."""
    dataset = fo.Dataset()
    for i, color in enumerate([*COLORS.values(), *COLORS.values()]):
        path = tmp_path / f"{i}.png"
        Image.new("RGB", (16, 16), color).save(path)
        dataset.add_sample(fo.Sample(str(path)))
    yield dataset
    dataset.delete()


@pytest.fixture
def predict(operator, painted):
    def run(view=None, classes=tuple(COLORS), model=None, **options):
        given = painted if view is None else view
        return operator(NAME)(given, list(classes), model or ColorModel(), **options).result

    return run


@pytest.fixture
def local_clip(tmp_path, monkeypatch):
    """A small CLIP of random weights, where FiftyOne's zoo looks for the real one."""
    from fiftyone.utils.clip.model import CLIP

    torch.manual_seed(0)
    # The image is of 7 x 7 patches; 514 tokens are those of an alphabet without merges.
    model = CLIP(16, 224, 1, 64, 32, 77, 514, 64, 1, 1).eval()
    text = torch.zeros(1, 77, dtype=torch.int)
    with warnings.catch_warnings():  # torch would have another format, and FiftyOne reads this one
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(model, (torch.zeros(1, 3, 224, 224), text), check_trace=False)
        torch.jit.save(traced, str(tmp_path / "CLIP-ViT-B-32.pt"))
    with gzip.open(tmp_path / "clip_bpe_simple_vocab_16e6.txt.gz", "wt") as file:
        file.write("#version: none")
    monkeypatch.setattr(fo.config, "model_zoo_dir", str(tmp_path))
    return model


def test_colors_are_named(painted, predict):
    result = predict()
    assert (result["predicted"], result["classes"], result["notes"]) == (6, 3, [])
    painted.reload()
    assert painted.values("zero_shot.label") == [*COLORS, *COLORS]
    pixels = np.array([*COLORS.values()] * 2, dtype=float)
    unit = pixels / np.linalg.norm(pixels, axis=1, keepdims=True)
    logits = 100 * unit @ unit[:3].T
    np.testing.assert_allclose(np.stack(painted.values("zero_shot.logits")), logits, rtol=1e-5)
    sure = softmax(logits, axis=1).max(1)
    np.testing.assert_allclose(painted.values("zero_shot.confidence"), sure, rtol=1e-5)
    assert painted.classes["zero_shot"] == list(COLORS)


def test_by_fiftyones_own_clip(painted, local_clip, operator):
    result = operator(NAME)(painted, ["cat", "dog"]).result
    assert result["predicted"] == 6 and result["model"] == "clip-vit-base32-torch"
    painted.reload()
    logits = np.stack(painted.values("zero_shot.logits"))
    assert logits.shape == (6, 2) and np.isfinite(logits).all() and np.abs(logits).max() <= 100
    np.testing.assert_allclose(logits[:3], logits[3:], rtol=1e-4)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    red = (torch.tensor(COLORS["red"])[:, None, None] / 255 - mean) / std
    with torch.no_grad():
        image = local_clip.encode_image(red.expand(1, 3, 224, 224))[0].double()
    letters = [chr(one) for one in (*range(33, 127), *range(161, 173), *range(174, 256))]

    def vector(text):
        # Without merges each letter is a token; the last of a word is one of the second alphabet.
        tokens = [512]
        for word in text.lower().split():
            tokens += [letters.index(one) for one in word[:-1]]
            tokens.append(256 + letters.index(word[-1]))
        tokens = torch.tensor([[*tokens, 513] + [0] * (77 - len(tokens) - 1)], dtype=torch.int)
        with torch.no_grad():
            return local_clip.encode_text(tokens)[0].double()

    for column, name in enumerate(("cat", "dog")):
        text = vector(f"A photo of {name}")
        cosine = float(image @ text / image.norm() / text.norm())
        assert logits[0, column] == pytest.approx(100 * cosine, abs=0.05)


def test_the_first_uncertainty_and_balance(painted, predict, operator):
    predict()
    recipe = '{"budget": 3, "strategies": [{"strategy": "balance", "column": "zero_shot"}]}'
    chosen = operator("select")(painted, recipe=recipe).result
    labels = painted.load_saved_view(chosen["saved_view"]).values("zero_shot.label")
    assert sorted(labels) == sorted(COLORS)


def test_it_goes_on_where_it_was_and_replaces_only_when_told(painted, predict, plugin):
    assert predict(painted[:2])["predicted"] == 2
    again = predict()
    assert (again["predicted"], again["skipped"]) == (4, 2)
    invalid = plugin("alcore").InvalidInput
    with pytest.raises(invalid, match="holds predictions of another texts and classes"):
        predict(classes=["red", "blue"])
    assert predict(classes=["red", "blue"], overwrite=True)["predicted"] == 6


def test_images_that_cannot_be_opened_are_left_out(painted, predict, plugin):
    first = painted.first()
    with open(first.filepath, "wb") as file:
        file.write(b"no image")
    result = predict()
    assert (
        result["predicted"] == 5 and "1 sample" in result["notes"][0] and first.id in result["notes"][0]
    )
    for path in painted.values("filepath"):
        with open(path, "wb") as file:
            file.write(b"no image")
    with pytest.raises(plugin("alcore").InvalidInput, match="none of 6 images can be embedded"):
        predict(field="other")
    assert painted.get_field("other") is None


BAD = [
    ({"classes": ["red"]}, "classes: name at least two"),
    ({"classes": ["red", "red"]}, "classes: 'red' is named twice"),
    ({"prompt": "a photo"}, "prompt: 'a photo' must hold {} once"),
    ({"field": "ground truth"}, "field: 'ground truth' must start with a letter"),
    ({"field": "filepath"}, "field: 'filepath' exists"),
    ({"batch_size": 0}, "batch_size: 0 is not a size"),
    ({"model": object()}, "model: object does not embed both images and texts"),
    ({"model": "resnet18-imagenet-torch"}, "model: 'resnet18-imagenet-torch'"),
    ({"delegate": True}, "delegate: a worker cannot be given a model"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_input_is_one_sentence(predict, painted, plugin, state, number):
    options, told = BAD[number]
    before = state(painted)
    with pytest.raises(plugin("alcore").InvalidInput) as error:
        predict(**options)
    assert told in str(error.value) and "\n" not in str(error.value)
    assert state(painted) == before


def test_the_form(operator, painted):
    painted.default_classes = ["a, b", "c"]
    form = form_of(operator(NAME), painted)
    assert {"classes", "model", "prompt", "field"} <= set(form)
