r"""The classical theorems that the ledger's written proofs rest on: each with its exact statement and a reference.

They are cited and not proved here. Which form rests on which is found in its argument and its proof, where the
theorem is called by its name; a name that is cited and stands in no entry here fails a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Classical:
    """One theorem of kind *classical*: its name, its exact statement, a reference, and how arguments call it."""

    label: str
    name: str
    says: str
    reference: str
    called: str  # a regular expression

    def cited_in(self, text: str) -> bool:
        """Does the text call the theorem by its name?"""
        return re.search(self.called, text) is not None


CLASSICAL: tuple[Classical, ...] = (
    Classical(
        "cla-weyl",
        "Weyl's criterion",
        r"a sequence $x_1,x_2,\dots$ in $\mathbb T^N$ is uniformly distributed if and only if "
        r"$\frac1T\sum_{t\le T}e^{2\pi ik\cdot x_t}\to0$ as $T\to\infty$ for every integer vector $k\ne0$; the same in "
        "a compact abelian group with its nontrivial characters",
        "H. Weyl, Math. Ann. 77 (1916) 313-352, Satz 3",
        r"Weyl",
    ),
    Classical(
        "cla-dirichlet",
        "Dirichlet's approximation theorem",
        r"for $x\in\mathbb R^N$ and an integer $Q\ge1$ there is an integer $1\le t\le Q^N$ with every $tx_i$ within "
        r"$1/Q$ of an integer (pigeonhole)",
        "P. G. L. Dirichlet, Berl. Ber. (1842) 93-95",
        r"Dirichlet|pigeonhole",
    ),
    Classical(
        "cla-lindemann",
        "Lindemann's theorem",
        r"$\pi$ is transcendental over $\mathbb Q$",
        "F. Lindemann, Math. Ann. 20 (1882) 213-225",
        r"Lindemann",
    ),
    Classical(
        "cla-capelli",
        "The theorem of Vahlen and Capelli",
        r"$a\in\mathbb Q$, $n\ge1$: $x^n-a$ is irreducible over $\mathbb Q$ if and only if $a$ is no $p$-th power in "
        r"$\mathbb Q$ for any prime $p\mid n$ and, where $4\mid n$, $a\notin-4\mathbb Q^4$",
        "K. Th. Vahlen, Acta Math. 19 (1895) 195-198; A. Capelli, Napoli Rend. (1897), Math. Ann. 54 (1901) 602-603",
        r"Capelli",
    ),
    Classical(
        "cla-fubini",
        "Fubini's theorem",
        r"$f\in L^1(X\times Y)$, both $\sigma$-finite: $\int f=\int(\int f\,dy)\,dx=\int(\int f\,dx)\,dy$",
        "G. Fubini, Rend. Acc. Lincei 16 (1907) 608-614",
        r"Fubini",
    ),
    Classical(
        "cla-dominated",
        "Dominated convergence",
        r"$f_j\to f$ almost everywhere, $|f_j|\le g$ with $\int g<\infty$: $\int f_j\to\int f$",
        "H. Lebesgue, Ann. Fac. Sci. Toulouse 1 (1909) 25-117",
        r"[Dd]ominated",
    ),
    Classical(
        "cla-inversion",
        "Fourier inversion",
        r"$f\in L^1(\mathbb R^n)$ continuous at $x$, $\hat f\in L^1$: "
        r"$f(x)=\int\hat f(\zeta)e^{2\pi ix\cdot\zeta}d\zeta$",
        "E. M. Stein, G. Weiss, Introduction to Fourier Analysis on Euclidean Spaces (1971), cor. I.1.21",
        r"[Ii]nversion",
    ),
    Classical(
        "cla-lebesgue",
        "The Riemann-Lebesgue lemma",
        r"$f\in L^1(\mathbb R^n)$: $\hat f(\zeta)\to0$ as $|\zeta|\to\infty$",
        "H. Lebesgue, Bull. Soc. Math. France 38 (1910) 184-210",
        r"Lebesgue",
    ),
    Classical(
        "cla-archimedes",
        "Archimedes' theorem on the sphere",
        r"$u$ uniform on the unit sphere of $\mathbb R^3$: $u\cdot e$ is uniform on $[-1,1]$ for every unit vector $e$",
        "Archimedes, On the sphere and cylinder I, prop. 42-43",
        r"Archimedes",
    ),
    Classical(
        "cla-taylor",
        "Taylor's theorem with remainder",
        r"$g\in C^n[0,u]$: $g(u)=\sum_{j<n}g^{(j)}(0)u^j/j!+\int_0^ug^{(n)}(t)\frac{(u-t)^{n-1}}{(n-1)!}dt$",
        "B. Taylor, Methodus incrementorum (1715); J.-L. Lagrange, Fonctions analytiques (1797)",
        r"Taylor",
    ),
    Classical(
        "cla-cauchy",
        "The inequality of Cauchy and Schwarz",
        r"$|\langle u,v\rangle|^2\le\langle u,u\rangle\langle v,v\rangle$",
        "A.-L. Cauchy, Analyse algébrique (1821), note II",
        r"Cauchy",
    ),
    Classical(
        "cla-chernoff",
        "Markov's inequality for exponentials",
        r"$P(X\ge\eta)\le e^{-t\eta}\,\mathrm Ee^{tX}$ for every $t\ge0$",
        "H. Chernoff, Ann. Math. Statist. 23 (1952) 493-507",
        r"Chernoff|Markov",
    ),
    Classical(
        "cla-hoelder",
        "Hölder's inequality",
        r"$\mathrm E\prod_{i\le m}X_i\le\prod(\mathrm EX_i^m)^{1/m}$ for $X_i\ge0$",
        "O. Hölder, Gött. Nachr. (1889) 38-47",
        r"H(ö|oe|o)lder",
    ),
    Classical(
        "cla-jensen",
        "Jensen's inequality",
        r"$f(\mathrm EX)\le\mathrm Ef(X)$ for convex $f$ and $X$ with a mean",
        "J. L. W. V. Jensen, Acta Math. 30 (1906) 175-193",
        r"Jensen",
    ),
)


def cited(*texts: str) -> tuple[str, ...]:
    """Labels of the classical theorems that the texts call by their names, in the order of `CLASSICAL`."""
    return tuple(entry.label for entry in CLASSICAL if any(entry.cited_in(text) for text in texts))


def unknown_names(texts: Iterable[str], names: Iterable[str]) -> set[str]:
    """Names of mathematicians in the texts, out of those given, that no entry is called by."""
    joined = " ".join(texts)
    return {
        name
        for name in names
        if re.search(rf"\b{name}\b", joined) and not any(entry.cited_in(name) for entry in CLASSICAL)
    }
