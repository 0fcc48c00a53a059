"""A language model ready to be read, and the facts of its configuration that measurements need."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from analysis.errors import InputError
from analysis.heads.families import Family, Heads, family_of


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A causal language model ready to be read, and the facts of its configuration.

    Attributes:
        model: in evaluation mode; its attention layers are in `model.base_model`.
        tokenizer: None if the checkpoint came without one.
        name: of the folder or file, for records and messages.
        architecture: `model_type` of the configuration.
        layers, query_heads, key_heads, head_dim: sizes.
        context_length: the longest window the configuration declares, in tokens.
        parameters: number of weights, shared ones counted once.
        sha256: of the weight files; empty for a model that was never a file.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase | None
    name: str
    architecture: str
    layers: int
    query_heads: int
    key_heads: int
    head_dim: int
    context_length: int
    parameters: int
    sha256: str

    @classmethod
    def of(
        cls,
        model: PreTrainedModel,
        *,
        name: str,
        tokenizer: PreTrainedTokenizerBase | None = None,
        sha256: str = "",
    ) -> Checkpoint:
        """The facts read off a model's own configuration; puts the model in evaluation mode.

        Raises:
            InputError: for an architecture that is not in the table of families.
        """
        config = model.config
        family_of(config.model_type)
        query = config.num_attention_heads
        key = getattr(config, "num_key_value_heads", None) or query
        return cls(
            model=model.eval(),
            tokenizer=tokenizer,
            name=name,
            architecture=config.model_type,
            layers=config.num_hidden_layers,
            query_heads=query,
            key_heads=key,
            head_dim=getattr(config, "head_dim", None) or config.hidden_size // query,
            context_length=config.max_position_embeddings,
            parameters=sum(p.numel() for p in model.parameters()),
            sha256=sha256,
        )

    def __post_init__(self) -> None:
        family_of(self.architecture)
        if self.heads.dim % 2:
            raise InputError(f"{self.name}: head_dim={self.head_dim} is odd; RoPE rotates pairs")
        if self.context_length < 1 or self.layers < 1:
            raise InputError(f"{self.name}: context of {self.context_length} tokens, {self.layers} layers")

    @property
    def heads(self) -> Heads:
        """The sizes that every attention layer has."""
        return Heads(self.query_heads, self.key_heads, self.head_dim)

    @property
    def family(self) -> Family:
        """The architecture's line in the adapter table."""
        return family_of(self.architecture)

    def encode(self, text: str) -> Int[Tensor, " length"]:
        """Token ids of a text, with what the tokenizer adds at its start; `InputError` without one."""
        if self.tokenizer is None:
            raise InputError(f"{self.name} has no tokenizer; put its tokenizer.json beside the weights")
        return self.tokenizer(text, return_tensors="pt", verbose=False)["input_ids"][0]
