"""The project's own kfp component: the image of this code base, nothing installed at run time."""

from functools import partial

from kfp import dsl

# The tag is replaced per environment by pipelines.settings (PENCHANT_IMAGE) when a pipeline is compiled.
IMAGE = "penchant/training:latest"

component = partial(dsl.component, base_image=IMAGE, install_kfp_package=False)
