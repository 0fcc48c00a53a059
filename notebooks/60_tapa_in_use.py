# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # TAPA in use
#
# TAPA (eq 12 of arXiv 2509.12635v1) inside transformers, for any rotary family that this toolkit opens. A small model
# stands in for yours here: it was trained with RoPE on windows of 128 bytes, and everything below takes seconds. For a
# model of your own give `open_model("my-llama/").checkpoint.model` in its place, or use `tapa convert` and
# `tapa finetune` on the command line.

# %%
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from analysis.models.checkpoint import load_model
from analysis.models.convert import converted, to_transformers
from analysis.models.huggingface import quiet_transformers
from analysis.models.tapa_llama import tapa_encoding, with_tapa
from analysis.text.corpus import corpus
from analysis.text.windows import Batches
from analysis.training.finetune import Finetuning
from analysis.training.recipe import FinetuneSettings
from figures.catalogue import checkpoints
from figures.widgets import losses_plot

model = to_transformers(load_model(checkpoints("rope")["rope"]))
text = corpus("texts")
window = Batches(text.test, 128, 8, seed=0).at(0)
print(type(model).__name__, f"{model.num_parameters():,} weights, windows of", tuple(window.shape))

# %% [markdown]
# ## 1 The drop-in
#
# A second model over the same weights, whose layers score by TAPA and rotate nothing.

# %%
twin = with_tapa(model)
print(type(twin).__name__, twin.config.tapa_alpha, twin.config.tapa_amplitude_share)
print("same weights:", twin.model.embed_tokens.weight is model.model.embed_tokens.weight)

# %% [markdown]
# ## 2 A cache changes nothing
#
# Distances come from the mask, which is told where queries and keys begin: a growing cache gives the same logits.

# %%
with torch.inference_mode():
    whole = twin(window[:1]).logits[:, 64:]
    past = twin(window[:1, :64], use_cache=True).past_key_values
    pieces = twin(window[:1, 64:], past_key_values=past).logits
print(f"largest difference of a logit: {float((whole - pieces).abs().max()):.1e}")

# %% [markdown]
# ## 3 Generation

# %%
found = twin.generate(window[:1, :32], max_new_tokens=32, do_sample=False)
print(bytes(found[0].tolist()).decode("utf-8", "replace"))

# %% [markdown]
# ## 4 A better start
#
# A trained model needs its rotation. `converted` puts the dimensions that rotated slowest into the amplitude and makes
# the phase's rows small, so that the cosine begins near 1. Dropping the rotation and YaRN are the other conversions.

# %%
models = {"rope": model, "TAPA, raw weights": twin}
models |= {to: converted(model, to) for to in ("tapa", "nope", "yarn")}
with torch.inference_mode():
    for name, one in models.items():
        print(f"{name:18s} {float(one(window, labels=window).loss):.2f} nats a byte, untrained")

# %% [markdown]
# ## 5 And back, exactly

# %%
back = converted(models["tapa"], "rope")
same = all(torch.equal(a, b) for a, b in zip(back.parameters(), model.parameters(), strict=True))
print(type(back).__name__, "with the very same weights:", same)

# %% [markdown]
# ## 6 Saved, and opened by the Auto classes

# %%
with tempfile.TemporaryDirectory() as folder, quiet_transformers():
    models["tapa"].save_pretrained(folder)
    again = AutoModelForCausalLM.from_pretrained(folder)
    equal = torch.equal(again(window[:1]).logits, models["tapa"](window[:1]).logits)
print(type(again).__name__, "gives the same logits:", equal)

# %% [markdown]
# ## 7 Training brings it back, in part
#
# Every encoding at the same windows and the same rate, RoPE trained on as the control. One seed, one rate and a few
# thousand bytes: this shows how it is done and decides nothing. `tapa recovery` compares them at equal tokens, on texts
# that chose nothing.

# %%
losses = {}
with tempfile.TemporaryDirectory() as folder:
    for to in ("rope", "tapa", "nope", "yarn"):
        settings = FinetuneSettings(to, length=128, batch=8, lr=1e-3, precision="float32")
        run = Finetuning.begun(converted(model, to), text.train, settings, Path(folder, to), start={})
        run.train_to(30, save_every=30)
        losses[to] = run.log.loss
figure = losses_plot(losses, tokens_per_step=settings.step_tokens)

# %% [markdown]
# ## 8 As the authors' released kernel
#
# Its cosine has no $2\pi$, and it rounds the amplitude's share of a head down
# ([tapa-code.score](../proofs/RIVALS.md)). Two options make ours the same.

# %%
options = tapa_encoding(converted(model, "tapa", amplitude_share=0.7, turns=False, rounding="down").config)
print(
    options.amplitude_dim,
    "of",
    options.head_dim,
    "dimensions in the amplitude; phase in turns:",
    options.turns,
)

# %% [markdown]
# ## 9 What cannot be
#
# Attention without a place for the phase is refused, and so is a model that rotates.

# %%
from analysis import InputError

for implementation, one in (("sdpa", twin), ("tapa", model)):
    try:
        one.set_attn_implementation(implementation)
        one(window[:1])
    except InputError as error:
        print(error)
    finally:
        model.set_attn_implementation("sdpa")
