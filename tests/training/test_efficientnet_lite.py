"""EfficientNet-Lite0: it takes the published weights, keeps what it computes when folded, and answers by its map."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from training.networks.catalogue import build, find_head
from training.networks.efficientnet_lite import _published_name, build_backbone, build_efficientnet_lite
from training.networks.folding import fold_normalisation

VIEWS = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_efficientnet_lite(64)


def test_the_logit_is_the_mean_of_a_map_at_a_sixteenth(network: keras.Model) -> None:
    both = keras.Model(network.input, [network.output, network.get_layer("evidence").output])
    logits, maps = (np.asarray(values) for values in both(VIEWS))
    assert maps.shape == (2, 4, 4, 1)
    assert np.allclose(logits[:, 0], maps.mean((1, 2, 3)), atol=1e-5)
    assert logits.std() > 0


def test_it_has_the_parameters_of_the_paper(network: keras.Model) -> None:
    # 4.65 M with the 1,281,000 of the classifier, which is not built; normalisations fold to one bias a channel.
    backbone = build_backbone(64)
    trained = sum(int(np.prod(weight.shape)) for weight in backbone.trainable_weights)
    assert trained == 4_652_008 - 1_281_000
    assert network.layers[find_head(network)].name.startswith("head")


def test_folding_changes_nothing() -> None:
    keras.utils.set_random_seed(1)
    backbone = build_backbone(64)
    chance = np.random.default_rng(1)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([chance.uniform(0.5, 1.5, weight.shape) for weight in layer.weights])
    folded = fold_normalisation(backbone)
    assert np.allclose(np.asarray(backbone(VIEWS)), np.asarray(folded(VIEWS)), atol=1e-4)


@pytest.mark.parametrize("old", [False, True], ids=["archive", "row of pickles"])
def test_the_published_file_is_read_in_both_formats(tmp_path: Path, old: bool) -> None:
    torch = pytest.importorskip("torch")
    backbone, path = build_backbone(64), tmp_path / "lite0.pth"
    tensors, chance = {"_fc.weight": torch.zeros(1000, 1280)}, np.random.default_rng(0)
    for layer in backbone.layers:
        source = _published_name(layer.name) if layer.weights else ""
        if isinstance(layer, keras.layers.BatchNormalization):
            for name in ("weight", "bias", "running_mean", "running_var"):
                tensors[f"{source}.{name}"] = torch.from_numpy(chance.uniform(0.8, 1.2, layer.weights[0].shape)).float()
            tensors[f"{source}.num_batches_tracked"] = torch.tensor(3)
        elif source:
            shape = layer.weights[0].shape
            # Depthwise kernels are height, width, channels, 1 here and channels, 1, height, width there.
            order = (2, 3, 0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else (3, 2, 0, 1)
            values = chance.normal(size=[shape[i] for i in order]) * 0.1
            tensors[f"{source}.weight"] = torch.from_numpy(values).float()
    torch.save(tensors, path, _use_new_zipfile_serialization=not old)
    network = build("efficientnet-lite", side=64, weights=path)
    stem = tensors["_conv_stem.weight"].numpy().transpose(2, 3, 1, 0)
    scale = (tensors["_bn0.weight"] / torch.sqrt(tensors["_bn0.running_var"] + 1e-3)).numpy()
    assert np.allclose(network.get_layer("stem").get_weights()[0], stem * scale, atol=1e-6)
    del tensors["_blocks.15._bn1.bias"]
    torch.save(tensors, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(ValueError, match="block_15_depthwise_normalisation"):
        build("efficientnet-lite", side=64, weights=path)


def test_a_torn_file_of_the_old_format_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "torn.pth"
    torch.save({"a": torch.zeros(1000)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    for length in (10, 300, len(content) - 8):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="no state dict"):
            build("efficientnet-lite", side=64, weights=path)


def test_a_side_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        build_efficientnet_lite(80)
