"""Devices, refused before anything is loaded, and what they compute slowly."""

from __future__ import annotations

import torch

from analysis.errors import InputError
from analysis.progress import remark
from analysis.settings import DEVICES, check_device_name


def check_device(name: str) -> None:
    """`InputError` unless torch can use a device of this name here.

    >>> check_device('cpu')
    """
    check_device_name(name)
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not here[name]:
        others = " or ".join(one for one in DEVICES if here[one])
        raise InputError(f"device={name}: torch finds none here; give --device {others}")


def emulated(device: str, precision: str) -> bool:
    """Does a device of this name have no instructions for products in this precision?

    >>> emulated('cpu', 'float32')
    False
    """
    # what torch asks itself before it leaves such products to oneDNN
    fast = {
        "bfloat16": torch.ops.mkldnn._is_mkldnn_bf16_supported,
        "float16": torch.ops.mkldnn._is_mkldnn_fp16_supported,
    }
    return device == "cpu" and precision in fast and not fast[precision]()


def say_if_emulated(device: str, precision: str, faster: str = "--precision float32") -> None:
    """One line on stderr where a precision saves memory and costs time; `faster` is what to give instead."""
    if emulated(device, precision):
        remark(
            f"this processor emulates {precision}, which takes many times as long; {faster} is faster here"
        )
