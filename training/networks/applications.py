"""Published backbones of `keras.applications`, each with its own preprocessing inside and a head of ours."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import applications

from training.networks.head import add_head
from training.networks.preprocessing import Preprocessing

# Deviations of ImageNet's channels, which EfficientNet's files hold in the place of variances.
IMAGENET_DEVIATIONS = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Application:
    """What has to be known of one of Keras' backbones.

    Attributes:
        function: its name in `keras.applications`.
        convention: of its inputs; one of `preprocessing.CONVENTIONS`.
        side: at which it was trained on ImageNet, px.
        least_side: px.
        about: one line.
    """

    function: str
    convention: str
    side: int
    least_side: int
    about: str


APPLICATIONS = {
    "xception": Application("Xception", "tf", 299, 71, "Xception (Chollet 2017)"),
    "vgg16": Application("VGG16", "caffe", 224, 32, "VGG-16 (Simonyan & Zisserman 2015)"),
    "vgg19": Application("VGG19", "caffe", 224, 32, "VGG-19 (Simonyan & Zisserman 2015)"),
    "resnet152-v2": Application("ResNet152V2", "tf", 224, 32, "ResNet-152 v2 (He et al. 2016)"),
    "inception-v3": Application("InceptionV3", "tf", 299, 75, "Inception v3 (Szegedy et al. 2016)"),
    "inception-resnet-v2": Application("InceptionResNetV2", "tf", 299, 75, "Inception-ResNet v2 (Szegedy et al. 2017)"),
    "mobilenet-v2": Application("MobileNetV2", "tf", 224, 32, "MobileNetV2 1.0 (Sandler et al. 2018)"),
    "densenet201": Application("DenseNet201", "torch", 224, 32, "DenseNet-201 (Huang et al. 2017)"),
    "nasnet-mobile": Application("NASNetMobile", "tf", 224, 32, "NASNet mobile (Zoph et al. 2018)"),
    "efficientnet-b3": Application("EfficientNetB3", "pixels", 300, 32, "EfficientNet-B3 (Tan & Le 2019)"),
    "efficientnet-b4": Application("EfficientNetB4", "pixels", 380, 32, "EfficientNet-B4 (Tan & Le 2019)"),
    "efficientnet-b7": Application("EfficientNetB7", "pixels", 600, 32, "EfficientNet-B7 (Tan & Le 2019)"),
    "efficientnetv2-m": Application("EfficientNetV2M", "pixels", 480, 32, "EfficientNetV2-M (Tan & Le 2021)"),
}


def build_application(name: str, side: int, weights: str | None) -> keras.Model:
    """Build a backbone with the head of `head.add_head`.

    Args:
        name: a key of `APPLICATIONS`.
        side: of the input, px.
        weights: "imagenet", None, or a file of the backbone's weights without top.

    Returns:
        float32 [N, side, side, 3] in [-1, 1] to a logit [N, 1]. All layers lie in one flat graph.

    Raises:
        Exception: the weights cannot be downloaded (Keras has no narrower one for it).
        ValueError, OSError: the file does not fit or cannot be read.
    """
    application = APPLICATIONS[name]
    inputs = keras.Input((side, side, 3))
    prepared = Preprocessing(application.convention, name="preprocessing")(inputs)
    make = getattr(applications, application.function)
    backbone = make(
        include_top=False,
        weights="imagenet" if weights == "imagenet" and not _scales_twice(application) else None,
        input_tensor=prepared,
        input_shape=(side, side, 3),
    )
    if weights == "imagenet" and _scales_twice(application):
        published = make(include_top=False, weights="imagenet", input_shape=(side, side, 3))
        backbone.set_weights(published.get_weights())
    elif weights not in ("imagenet", None):
        backbone.load_weights(weights)
    if _scales_twice(application):
        _mend_normalisation(backbone)
    return add_head(inputs, backbone.output, name)


def _scales_twice(application: Application) -> bool:
    """Tell whether Keras builds another graph for weights="imagenet" than for none; see `_mend_normalisation`."""
    return application.function.startswith("EfficientNetB")


def _mend_normalisation(backbone: keras.Model) -> None:
    """Let the first EfficientNets normalise by deviations where their weights were published.

    The published files hold ImageNet's deviations where the layer expects variances. Keras makes up for it by a
    second scaling, which it adds for weights="imagenet" alone; ours have one graph, whatever they start from.
    """
    normalisation = next(layer for layer in backbone.layers if isinstance(layer, keras.layers.Normalization))
    mean, variance, *rest = normalisation.get_weights()
    if np.allclose(variance, IMAGENET_DEVIATIONS, atol=2e-3):
        normalisation.set_weights([mean, variance**2, *rest])
        normalisation.finalize_state()
