"""RoPE extended at reading time: by name, from the trained rotation's own numbers."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.errors import InputError
from analysis.theory import frequencies as fr
from analysis.theory.rotation import check_at_least

NAMES = ("none", "pi", "ntk", "dynamic", "yarn", "llama3")


@dataclass(frozen=True, slots=True)
class Extension:
    """A way to read beyond the trained length without training; checks itself on construction.

    Attributes:
        name: "none", "pi" (position interpolation), "ntk", "dynamic" (NTK that grows with the text), "yarn" or
            "llama3".
        factor: length to read over trained length, >= 1; 1 leaves the rotation as it is.
        trained_length: tokens, >= 1.
    """

    name: str
    factor: float
    trained_length: int

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise InputError(f"extension {self.name!r} is unknown; known: {', '.join(NAMES)}")
        check_at_least("factor", self.factor, 1)
        check_at_least("trained_length", self.trained_length, 1)

    def frequencies(
        self, base: float, head_dim: int, rotary_dim: int, *, length: int, pairing: fr.Pairing = "halves"
    ) -> fr.Frequencies:
        """Frequencies for a text of `length` tokens; only "dynamic" looks at it.

        Raises:
            InputError: the sizes are out of their range, or fit no ramp of YaRN.
        """
        shape, factor, trained = (base, head_dim, rotary_dim), self.factor, self.trained_length
        match self.name:
            case "pi":
                return fr.linear(*shape, factor=factor, pairing=pairing)
            case "ntk":
                return fr.ntk(*shape, factor=factor, pairing=pairing)
            case "dynamic":
                return fr.dynamic_ntk(
                    *shape, factor=factor, trained_length=trained, length=length, pairing=pairing
                )
            case "yarn":
                return fr.yarn(*shape, factor=factor, trained_length=trained, pairing=pairing)
            case "llama3":
                return fr.llama3(*shape, factor=factor, trained_length=trained, pairing=pairing)
        return fr.plain(*shape, pairing=pairing)
