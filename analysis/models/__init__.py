"""Models that are read: small Llamas of `tapa train`, checkpoints of Hugging Face, and attention by tiles.

Import from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import lazy

if TYPE_CHECKING:
    from analysis.models.attention import Streaming as Streaming
    from analysis.models.attention import encoded_attention as encoded_attention
    from analysis.models.attention import explicit as explicit
    from analysis.models.capture import read_layers as read_layers
    from analysis.models.checkpoint import load_model as load_model
    from analysis.models.config import MethodConfig as MethodConfig
    from analysis.models.config import ModelConfig as ModelConfig
    from analysis.models.fused import Fused as Fused
    from analysis.models.llama import Llama as Llama
    from analysis.models.load import open_model as open_model

__getattr__, __dir__, __all__ = lazy.exports(__name__)
