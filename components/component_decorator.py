"""The kfp component decorator of this project: the project's image, nothing installed at run time."""

from functools import partial

from kfp import dsl

# Compiling a pipeline replaces it by the image in pipelines.settings (PENCHANT_IMAGE).
IMAGE = "penchant/training:latest"

component = partial(dsl.component, base_image=IMAGE, install_kfp_package=False)
