r"""The statements of arXiv 2509.12635v1, a module for each of its headings, and in which order it makes them.

As printed: `section_2_*`, `section_3_*`, `section_4`, `appendix_a` to `appendix_i`. What is true instead, with a proof:
`theorem_2_1` to `theorem_3_3`, `lemma_c1` and the `classical_lemmas` that the others use.
"""

from __future__ import annotations

NOTATION = r"""
$b=1/\theta_0>1$ is the base, $L=\ln b$, $\theta_d=b^{-2d/D}$ for $d=0,\dots,D/2-1$. An angle is $c\lambda\theta_d$
with $c=2\pi$ in v1 (turns) and $c=1$ in every deployed model (radians).
$C_D(\lambda)=\frac1D\sum_d\cos c\lambda\theta_d$, $S_D$ the same with $\sin$; where a statement shows units or
bases, $C_D(\lambda;c)$ has the unit $c$, $C_D(\lambda)$ is in turns, and $C_D^B$ is of the base $B$;
$\Gamma_\lambda=\mu_0C_D(\lambda)+\nu_0S_D(\lambda)$, $\Delta=\Gamma_\lambda-\Gamma_\Lambda$,
$r=\sqrt{\mu_0^2+\nu_0^2}$, $\rho=\nu_0/\mu_0$, $\mathrm{Cin}(x)=\int_0^x\frac{1-\cos t}{t}\,dt$. Of TAPA: $a=\theta D$
amplitude and $n=(1-\theta)D$ phase coordinates, $q=(q_A,q_P)$, $k=(k_A,k_P)$, $s=|m-n|^\alpha/\sqrt n$.
"""

# The part of v1, and its labels as a reader meets them there. What v1 lacks stands where it is needed.
READING_ORDER: dict[str, tuple[str, ...]] = {
    "Introduction": ("rem-3.eliminates", "rem-PI.monotone", "rem-extensions"),
    "Section 2": (
        *("not-2.1", "eq-2", "eq-3", "eq-4", "asm-2.1", "eq-5"),
        *("thm-2.1", "eq-6", "thm-2.1.sharp", "thm-2.1.radians", "thm-2.1.reach", "rem-B", "thm-2.1.degree"),
        *("thm-2.2", "eq-7", "thm-2.2.limit", "thm-2.2.sharp", "thm-2.2.causal"),
        *("thm-2.2.uniform", "thm-2.2.first"),
        *("rem-base.range", "rem-base", "rem-base.monotone", "rem-PI.gap"),
        *("thm-2.3", "eq-8", "thm-2.3.rate", "thm-2.3.slow"),
    ),
    "Section 3": (
        *("def-3.1", "eq-9", "rem-3.reduces", "rem-3.reduces.scaled", "eq-10", "rem-3.stationary"),
        *("eq-11", "eq-12", "eq-13", "rem-3.parameters", "rem-3.flops"),
        *("rem-3.limits", "thm-3.2", "eq-14", "thm-3.2.gaussian", "thm-3.2.ball", "thm-3.2.sphere"),
        *("thm-3.2.rank", "thm-3.2.equal", "thm-3.2.tokens", "rem-3.pointwise"),
        *("rem-3.nondegenerate", "thm-3.3", "eq-15", "thm-3.3.infimum"),
    ),
    "Section 4": (
        *("rem-4.tokens", "rem-4.bases", "tab-1", "tab-2"),
        *("eq-16", "rem-4.5", "rem-4.5.linear", "tab-3"),
    ),
    "Section 5": ("rem-PI",),
    "Appendix A": ("eq-17", "eq-18", "eq-19", "eq-20", "rem-A"),
    "Appendix B": (
        *("eq-21", "eq-21.beta", "thm-2.1.weyl", "thm-2.1.orbit", "thm-2.1.rank", "eq-22", "eq-23"),
    ),
    "Appendix C": (
        *("eq-24", "lem-C.1", "eq-25", "eq-26", "lem-C.1.empty", "lem-C.2", "eq-27", "eq-28", "eq-29"),
        *("eq-30", "eq-31", "eq-32", "eq-33", "eq-33.uniform", "eq-34", "thm-2.2.ci", "thm-2.2.riemann"),
    ),
    "Appendix D": (*("eq-35", "eq-36", "eq-37", "eq-38", "eq-39", "eq-40", "eq-41", "eq-41.a"),),
    "Appendix E": (
        *("lem-ci", "lem-hump", "lem-riemann.kappa", "lem-riemann", "lem-riemann.b"),
        *(
            "eq-42",
            "eq-43",
            "eq-44",
            "eq-45",
            "eq-46",
            "eq-47",
            "eq-47.a",
            "eq-48",
            "eq-49",
            "eq-50",
            "eq-51",
        ),
        *("eq-52", "eq-53", "eq-54", "eq-55", "eq-56", "eq-57", "eq-58", "eq-58.a", "eq-59", "eq-60"),
        *("eq-60.a", "eq-61", "eq-62", "eq-63", "eq-64", "eq-65", "eq-66", "eq-67", "eq-68", "eq-69"),
    ),
    "Appendix F": ("lem-cin", "eq-70", "eq-71", "eq-72", "eq-73"),
    "Appendix G": (
        *("eq-74", "eq-75", "eq-75.lambda", "eq-76", "eq-77", "thm-3.2.kernel", "thm-3.2.majorant"),
        *("eq-78", "eq-79", "eq-80", "thm-3.2.weights", "thm-3.2.printed", "eq-81"),
    ),
    "Appendix H": ("eq-82", "eq-83", "eq-84", "thm-3.3.lebesgue", "thm-3.3.printed"),
    "Appendix I": ("fig-1", "fig-1.protocol", "fig-1.symmetric", "fig-1.zero"),
}
LABELS = tuple(label for labels in READING_ORDER.values() for label in labels)
