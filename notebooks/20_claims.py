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
# # The claims, one by one
#
# What the paper (Wang et al. 2025, arXiv 2509.12635) asserts, in its order, each step followed by what
# checks it. Nothing is typed in: every verdict and number below is read from the record that `tapa figures
# claims` makes by running the ledger. `tapa verify --explain LABEL` shows all of a claim.
#
# **Verdicts.** *Proved*: a symbolic identity, or a written argument whose computations are checked by symbols.
# *Certified*: ball arithmetic on the whole of the stated domain. *Refuted*: an explicit counterexample that meets every
# hypothesis. *Unknown*: undecided, or resting on something refuted.
#
# **Notation.** $b=1/\theta_0>1$ is the base, $L=\ln b$, $\theta_d=b^{-2d/D}$ for $d=0,\dots,D/2-1$. An
# angle is $c\lambda\theta_d$ with $c=2\pi$ in the paper (turns) and $c=1$ in every deployed model
# (radians). $C_D(\lambda)=\frac1D\sum_d\cos c\lambda\theta_d$, $S_D$ the same with $\sin$,
# $\Gamma_\lambda=\mu_0C_D(\lambda)+\nu_0S_D(\lambda)$, $\Delta=\Gamma_\lambda-\Gamma_\Lambda$,
# $r=\sqrt{\mu_0^2+\nu_0^2}$, $\rho=\nu_0/\mu_0$. $\mathrm{Cin}(x)=\int_0^x\frac{1-\cos t}{t}\,dt$.

# %%
from figures import fig_05_claims
from figures.catalogue import read_any
from figures.claims_tables import Claims
from figures.style import RC

claims = Claims.read()

# %% [markdown]
# ## Section 2.1: the score, and what is assumed of the tokens
#
# The rotated score is $\frac1{\sqrt D}\,\mathrm{Re}\sum_d q^C_d\overline{k^C_d}\,e^{i(m-n)\theta_d}$ (eq
# 2), which is $\frac1{\sqrt D}\sum_d A_d\cos+B_d\sin$ with $A_d=q_{2d}k_{2d}+q_{2d+1}k_{2d+1}$ and
# $B_d=q_{2d}k_{2d+1}-q_{2d+1}k_{2d}$ (eqs 3, 4). The paper writes the angle in radians in eq 2 and in turns
# in eq 3.

# %%
claims.show("not-2.1", "eq-2", "eq-3", "eq-4")

# %% [markdown]
# **Assumption 2.1** (eq 5): $\mathrm EA_d=\mu_0$, $\mathrm EB_d=\nu_0$, $\mathrm E(q_dk_d)^2=\sigma_0^2$
# for all $m,n,d$. Every $(\mu_0,\nu_0)$ occurs, $\mu_0=0$ included, and then $\mathrm
# E\,\mathrm{score}/\sqrt D=\Gamma_\lambda$.

# %%
claims.show("asm-2.1", "eq-5")

# %% [markdown]
# ## Theorem 2.1: the values that the bias comes back to
#
# The printed proof goes by equidistribution of $(\lambda\theta_1,\dots,\lambda\theta_{D/2-1})$ mod 1, which
# needs $1$ among the independent numbers; $D=4$, $\theta_0=1/4$ shows it. Its phase and its target angle
# have slips too.

# %%
claims.show("eq-21", "eq-21.beta", "thm-2.1.weyl", "eq-22", "eq-23")

# %% [markdown]
# The conclusion is saved. For a real vector $x$ the points $\lambda x$ mod 1, $\lambda\in\mathbb Z$, are dense
# in the closed group that the integer relations of $x$ cut out (Kronecker), and under the printed
# hypothesis there is at most one relation.

# %%
claims.show("thm-2.1.orbit", "thm-2.1.rank", "eq-6", "rem-B")

# %% [markdown]
# ### Theorem 2.1, repaired and sharp
#
# Let Assumption 2.1 hold, $N=D/2-1\ge1$, $m,n$ integers, angles in turns.
#
# 1. If $\theta_1,\dots,\theta_N$ are linearly independent over $\mathbb Q$, every $\gamma\in[-r,r]$ has a
#    limit point of $\frac2{\sqrt D}\mathrm E\,\mathrm{score}$ within $8r/D$.
# 2. If $1,\theta_1,\dots,\theta_N$ are independent, the limit points are exactly
#    $\left[\frac{2\mu_0}D-(1-\frac2D)r,\ \frac{2\mu_0}D+(1-\frac2D)r\right]$; so the best constant is
#    $2(r+|\mu_0|)/D$.
# 3. In radians, if $\theta_0$ is algebraic and $1,\theta_1,\dots,\theta_N$ are independent, they are
#    exactly $[-r,r]$.
#
# **Proof.** At an integer distance pair 0 turns by whole turns and contributes $\mu_0$. With
# $\varphi=\mathrm{atan2}(\mu_0,\nu_0)$, $\mu_0\cos x+\nu_0\sin x=r\sin(x+\varphi)$, so $\frac2{\sqrt
# D}\mathrm E\,\mathrm{score}=f(\lambda\theta_1,\dots,\lambda\theta_N)$ with
# $f(y)=\frac2D\big(\mu_0+r\sum_{d=1}^N\sin(2\pi y_d+\varphi)\big)$, continuous on the torus $\mathbb T^N$.
# The limit points are the values of $f$ on the closure $H$ of the orbit, because an orbit in a compact
# group comes back to every neighbourhood of each of its points infinitely often.
#
# *(2)* By Weyl's criterion the orbit is uniformly distributed iff for each integer vector $k\ne0$ the mean
# of $z^\lambda$, $z=e^{2\pi ik\cdot\theta}$, tends to 0: that is so iff $z\ne1$, since the mean over $T$
# terms is then at most $2/(T|z-1|)$; and $z=1$ means $k\cdot\theta\in\mathbb Z$, a relation with 1. Hence
# $H=\mathbb T^N$, which is connected, and $f$ takes all values between its extremes $\frac2D(\mu_0\pm Nr)$.
#
# *(1)* The map $k\mapsto k\cdot\theta$ is injective on the integer vectors with integer image, so these
# form a group of rank at most 1. In rank 0 we are in (2). In rank 1 let $k$ generate it and $k_j\ne0$.
# Choose $\beta$ with $r\sin(2\pi\beta+\varphi)=\gamma$, put $y_d=\beta$ for $d\ne j$ and solve
# $k_jy_j\equiv-\sum_{d\ne j}k_dy_d$ mod 1: then $y\in H$ and $f(y)=\frac2D(\mu_0+(N-1)\gamma+v)$ with
# $|v|\le r$. As $N-1=D/2-2$, the error is $\frac2D|\mu_0+v-2\gamma|\le 8r/D$.
#
# *(3)* Pair 0 is now as free as the others: the numbers in turns are $\theta_d/2\pi$, $d\ge0$. A relation
# $2\pi p=\sum_dk_d\theta_d$ with $p\ne0$ would make $\pi$ algebraic (Lindemann 1882), and $p=0$ is
# excluded, so the orbit fills $\mathbb T^{D/2}$ and the mean over pairs fills $[-r,r]$. $\square$

# %%
claims.show("thm-2.1", "thm-2.1.sharp", "thm-2.1.radians")

# %% [markdown]
# **In practice.** The degree of $\theta_0^{2/D}$, by factoring over $\mathbb Q$: base $10^4$ is a
# fourth power, so the hypothesis fails at every deployed $D$, and the values that the bias can reach are
# fewer.

# %%
claims.practice(
    "thm-2.1",
    (
        "base",
        "head_dim",
        "degree of theta_0^(2/D)",
        "hypothesis met (degree >= D/2-1)",
        "limit points in turns, from",
        "to",
        "limit points in radians, from",
        "up to",
        "bound 8r/D",
    ),
)

# %%
claims.show("thm-2.1.reach", "thm-2.1.degree")

# %% [markdown]
# ## Theorem 2.2: nearer is larger
#
# For $1<|\lambda|<b^{1/4}/8$, $|\Lambda|>b$ and $D$ large, $\mathrm{sgn}(\mu_0)\Delta>|\mu_0|/8$ (eq 7).
# The printed threshold on the base is $e^{64(1+|\rho|)}$. The steps of appendix C:
#
# - eqs 25, 26, 27 are lemmas C.1 and C.2, below;
# - near, $C_D>\frac14-\frac2L-\epsilon$ (28); far, $C_D<\frac2L+\epsilon$ (29); both ranges,
#   $S_D<\frac2L+\epsilon$ (30);
# - together (31); $4(|\mu_0|+|\nu_0|)/L<|\mu_0|/16$ beyond the threshold (32); $D$ makes the $\epsilon$
#   small (33); (34).

# %%
claims.show(
    "eq-24", "eq-28", "eq-29", "eq-30", "eq-31", "eq-32", "eq-33", "eq-33.uniform", "eq-34", "eq-7", facts=2
)

# %% [markdown]
# As a statement it fails at $\mu_0=0$, which Assumption 2.1 admits; and no $D$ serves all far distances.

# %%
claims.show("thm-2.2.uniform", "thm-2.2.first")

# %% [markdown]
# ### Theorem 2.2, repaired
#
# Let Assumption 2.1 hold, $\mu_0\ne0$, $b>4096$ (else the near range is empty), and $L>1.03+3.66|\rho|$ in
# turns, or $L>4.96|\rho|-2.2$ in radians. For all $1<|\lambda|<b^{1/4}/8$, $|\Lambda|>b$ and even $D$,
#
# $$\mathrm{sgn}(\mu_0)\,\Delta\ \ge\
# |\mu_0|\Big(\frac38-\frac{0.2575+0.9138|\rho|}L\Big)-\frac{c\,r\,(|\lambda|+|\Lambda|)}D$$
#
# in turns; in radians the fraction is $(1.2386|\rho|-0.552)/L$. So (7) holds once
# $D>c\sqrt{1+\rho^2}\,(|\lambda|+|\Lambda|)\big/\big(\frac14-\frac{0.2575+0.9138|\rho|}L\big)$, uniformly
# for $|\Lambda|$ up to any fixed bound. $\frac38$ is the best constant, and no $D$ serves all $\Lambda$.
#
# **Proof.** *Step 1, finitely many pairs against their limit.* Let
# $f(x)=\mu_0\cos(c\lambda\theta_0^x)+\nu_0\sin(c\lambda\theta_0^x)$, $h=2/D$, $x_k=kh$. Then
# $\Gamma_\lambda=\frac12\sum_khf(x_k)$, its limit is $\frac12\int_0^1f$, and on a cell $|f(x_k)-f(x)|\le
# rc|\lambda|(\theta_0^{x_k}-\theta_0^{x_{k+1}})$ since $\mu_0\cos+\nu_0\sin$ has Lipschitz constant $r$.
# The sum telescopes: $|\Gamma_\lambda-\lim\Gamma_\lambda|\le\frac h2rc|\lambda|(1-\theta_0)<rc|\lambda|/D$.
#
# *Step 2, the limit.* With $y=c\lambda\theta_0^x$, $2L\lim
# C_D=\mathrm{Ci}(c|\lambda|)-\mathrm{Ci}(c|\lambda|/b)$ and $2L\lim
# S_D=\mathrm{Si}(c\lambda)-\mathrm{Si}(c\lambda/b)$. So $2L\lim\mathrm{sgn}(\mu_0)\Delta/|\mu_0|$ is
# $[\mathrm{Ci}(c|\lambda|)-\mathrm{Ci}(c|\lambda|/b)]-[\mathrm{Ci}(c|\Lambda|)-\mathrm{Ci}(c|\Lambda|/b)]$,
# plus $\rho$ times the same with $\mathrm{Si}$.
#
# *Step 3, three facts.* (i) $\mathrm{Ci}(x)^2+(\mathrm{Si}(x)-\frac\pi2)^2<x^{-2}$ for $x>0$. (ii)
# $\mathrm{Ci}(x)=\gamma+\ln x-\mathrm{Cin}(x)\le\gamma+\ln x$. (iii) For $x\ge2\pi$,
# $\mathrm{Ci}(x)>-0.0896$ and $1.4181<\mathrm{Si}(x)<1.6748$; for $x\ge1$, $\mathrm{Ci}(x)>-0.1985$ and
# $0.946<\mathrm{Si}(x)<1.852$: balls over $[c,12]$, (i) beyond.
#
# *Step 4, cosines (turns).* $\mathrm{Ci}(c|\lambda|)>-0.0896$ by (iii). As $|\lambda|<b^{1/4}/8$, (ii)
# gives $-\mathrm{Ci}(c|\lambda|/b)>\frac34L+\ln\frac8c-\gamma$. Far, $c|\Lambda|>4096c$ and
# $c|\Lambda|/b>c$: $-\mathrm{Ci}(c|\Lambda|)>-\frac1{4096c}$ and $\mathrm{Ci}(c|\Lambda|/b)>-0.0896$. The
# sum exceeds $\frac34L+\ln\frac8{2\pi}-\gamma-0.1793>\frac34L-0.515$; halved and divided by $L$,
# $\frac38-0.2575/L$.
#
# *Step 5, sines.* Near, $0<\pm[\mathrm{Si}(c\lambda)-\mathrm{Si}(c\lambda/b)]<1.6748$. Far,
# $\mathrm{Si}(c|\Lambda|)$ is within $\frac1{4096c}$ of $\frac\pi2$ and
# $\mathrm{Si}(c|\Lambda|/b)\in(1.4181,1.6748)$, so the difference is below $0.1528$. Whatever the signs,
# their difference is below $1.8276=2\cdot0.9138$.
#
# *Step 6.* Steps 1, 4 and 5 give the bound. It exceeds $|\mu_0|/8$ for large $D$ when
# $L>4(0.2575+0.9138|\rho|)=1.03+3.6552|\rho|$. In radians put $c=1$ and the second line of (iii). $\square$
#
# *Sharpness.* With $\lambda\to b^{1/4}/8$, $|\Lambda|\to\infty$, $\nu_0=0$ the limit gap tends to
# $\frac38|\mu_0|$. *Non-uniformity.* Of the multiples $0,\dots,N^{D/2-1}$ of $\lceil b\rceil$,
# $N=\lceil8\pi\sqrt{1+\rho^2}\rceil$, two agree mod 1 within $1/N$ in every $\theta_d$, $d\ge1$
# (pigeonhole); if $T$ is their difference, $\Lambda=\lambda+T$ has $|\Delta|\le\frac{\pi r}N\le|\mu_0|/8$.

# %%
claims.show("thm-2.2", "thm-2.2.limit", "thm-2.2.ci", "thm-2.2.riemann", "thm-2.2.sharp")

# %% [markdown]
# ### The sign of $\nu_0$
#
# Over distances of both signs that of $\nu_0$ cannot matter: $(\lambda,\nu_0)$ and $(-\lambda,-\nu_0)$ have the
# same score. In a causal model keys come first, $\lambda,\Lambda>0$, and it does. **Theorem.** Let $\mu_0\ne0$,
# $b>4096$, $1<\lambda<b^{1/4}/8$, $\Lambda>b$. In turns
#
# $$\lim_{D\to\infty}\mathrm{sgn}(\mu_0)\,\Delta\ \ge\ |\mu_0|\Big(\frac38+\frac{0.63\rho-0.2575}L\Big)\quad
# (\rho\ge0),\qquad\ge\ |\mu_0|\Big(\frac38-\frac{0.2575+0.8895|\rho|}L\Big)\quad(\rho<0);$$
#
# in radians the fractions are $(0.16\rho+0.552)/L$ and $-(1.0668|\rho|-0.552)/L$. So for $\rho\ge0$ the limit gap
# exceeds $|\mu_0|/8$ at every base above 4096, without a threshold; for $\rho<0$ once $L>1.03+3.56|\rho|$
# (radians: $4.27|\rho|-2.2$).
#
# **Proof.** Cosines as in step 4. Near, $0<\mathrm{Si}(c\lambda/b)\le c\lambda/b<c/4096$, so by (iii) the sine
# difference lies between $1.4181-c/4096$ and $1.6748$. Far, it is within $\frac1{4096c}$ of
# $\frac\pi2-\mathrm{Si}(c\Lambda/b)$, so between $\frac\pi2-1.6748-\frac1{4096c}$ and
# $\frac\pi2-1.4181+\frac1{4096c}$. Near less far is therefore between $1.2638$ and $1.7789$: positive, so it helps
# where $\rho>0$ and costs at most $1.7789|\rho|$ where $\rho<0$. $\square$

# %%
claims.show("thm-2.2.causal")

# %%
claims.practice("thm-2.2.causal")

# %% [markdown]
# **Three regimes at real sizes** ($\nu_0=0$, $\mu_0=1$, turns): what is proved in the limit and the $D$
# that the proof asks for; what balls certify at every integer at that very $(b,D)$; what is seen at 400 far
# distances.

# %%
regimes = (
    "base",
    "head_dim",
    "near integers",
    "proved: gap as D -> oo at least",
    "proved: D needed for Lambda up to 2^20",
    "certified",
    "certified: least C_D on the whole near interval",
    "seen: least gap",
)
claims.practice("thm-2.2", regimes, where={"angle": "turns"})

# %%
claims.practice("thm-2.2", regimes, where={"angle": "radians"})

# %% [markdown]
# The printed threshold against the same bases:

# %%
claims.practice("eq-7")

# %% [markdown]
# Where (7) first fails beyond the base:

# %%
claims.practice("thm-2.2.uniform")

# %% [markdown]
# ## Theorem 2.3: the gap of a given pair closes
#
# The printed proof (appendix D): $C_D<\frac12$ (35), lemma C.2 under (36) gives (37), and (38), (39) bring
# it below $\epsilon$ (40); eq 41 is the limit $\theta_0\to0$ at fixed $D$. Eqs 35, 37 and 40 fail; the
# theorem does not.

# %%
claims.show("eq-35", "eq-36", "eq-37", "eq-38", "eq-39", "eq-40", "eq-41", "eq-41.a", facts=2)

# %% [markdown]
# ### Theorem 2.3, made explicit
#
# For all even $D$, $b>1$, $\lambda,\Lambda$ with $\delta=|\lambda-\Lambda|$ and $c\delta\ge2$,
#
# $$|\Delta|\le r\Big(\frac2D+\frac{1+\ln(c\delta/2)}L\Big),\qquad\text{and always}\quad |\Delta|\le
# rc\delta\Big(\frac1D+\frac1{2L}\Big).$$
#
# So the gap over $\sqrt D$ is below $\epsilon$ for $D>4r/\epsilon$ and $b>(ec\delta/2)^{2r/\epsilon}$, two
# bounds that do not depend on each other. Interpolation by $s$ puts $\delta/s$ for $\delta$. And the rate
# is exact: for $0<\lambda<\Lambda$
#
# $$2L\lim_{D\to\infty}\Delta=\mu_0\big(\mathrm{Cin}(c\Lambda)-\mathrm{Cin}(c\lambda)\big)
# +\nu_0\big(\mathrm{Si}(c\lambda)-\mathrm{Si}(c\Lambda)\big)+R,\quad
# |R|\le\tfrac14|\mu_0|(c\Lambda\theta_0)^2+|\nu_0|c\Lambda\theta_0:$$
#
# the gap closes like $1/\ln b$ and no faster.
#
# **Proof.** In pair $d$ two angles differ by $c\delta\theta_d$, so the pair's share of $\Delta$ is at most
# $\frac rD|e^{ix}-e^{iy}|\le\frac rDg(2d/D)$, $g(x)=\min(2,c\delta\theta_0^x)$. As $g$ falls,
# $\frac1D\sum_dg(2d/D)\le\frac{g(0)}D+\frac12\int_0^1g$. With $g\le c\delta\theta_0^x$ the integral is at
# most $c\delta/L$: second bound. With $x_*=\ln(c\delta/2)/L$, where the two branches meet,
# $\int_0^1g\le2x_*+\int_{x_*}^\infty c\delta e^{-Lx}dx=\frac2L(1+\ln\frac{c\delta}2)$: first bound. The
# rate: $\mathrm{Ci}(cx)-\mathrm{Ci}(cx/b)=L-\mathrm{Cin}(cx)+\mathrm{Cin}(cx/b)$, $0\le\mathrm{Cin}(y)\le
# y^2/4$ and $0\le\mathrm{Si}(y)\le y$ for the small arguments. $\square$

# %%
claims.show("thm-2.3", "eq-8", "thm-2.3.rate", "thm-2.3.slow")

# %%
claims.practice("thm-2.3")

# %% [markdown]
# "Raising the base, or interpolating, reduces the bias" is true of a fixed pair once the base exceeds the
# far distance; not before, and not over theorem 2.2's own ranges, which move with the base. The two are not
# equivalent either.

# %%
claims.show(
    "rem-base",
    "rem-base.monotone",
    "rem-base.range",
    "rem-PI",
    "rem-PI.gap",
    "rem-PI.monotone",
    "rem-extensions",
    facts=2,
)

# %%
claims.practice("rem-PI")

# %% [markdown]
# ## Section 3: TAPA
#
# $q=(q_A,q_P)$, $k=(k_A,k_P)$ with $a=\theta D$ and $n=(1-\theta)D$ coordinates (eq 11); the score is
# $\frac{q_A\cdot k_A}{\sqrt a}\cos(2\pi s\,q_P\cdot k_P)$, $s=|m-n|^\alpha/\sqrt n$ (eq 12), a case of eqs
# 9, 10 by eq 13.

# %%
claims.show(
    "def-3.1",
    "eq-9",
    "eq-10",
    "eq-11",
    "eq-12",
    "eq-13",
    "eq-16",
    "rem-3.reduces",
    "rem-3.reduces.scaled",
    "rem-3.stationary",
    "rem-4.5",
    "rem-4.5.linear",
    facts=2,
)

# %%
claims.practice("eq-12")

# %% [markdown]
# Parameters and operations:

# %%
claims.show("rem-3.parameters", "rem-3.flops", facts=2)

# %% [markdown]
# ### Theorem 3.2, with a proof and its exact form
#
# If $\rho$, the density of $(q_A,k_A,q_P,k_P)$, is a Schwartz function, $|\mathrm
# E\,\mathrm{Attn}|<C(\rho,D)\,|m-n|^{-\alpha n}$ for $m\ne n$, with $C$ free of $\alpha$. More exactly: let
# $F_{x_A}(q,\zeta)$ be the Fourier transform of $\rho(x_A,q,\cdot)$ and $K=\int|q_A\cdot
# k_A|\int\sup_q|F_{x_A}(q,\zeta)|\,d\zeta\,dx_A$. If $K<\infty$,
#
# $$|\mathrm E\,\mathrm{Attn}|\le\frac{n^{n/2}}{\sqrt a}\,K\,|m-n|^{-\alpha n},$$
#
# and if $F$ is continuous in $q$ at 0, $|m-n|^{\alpha n}\,\mathrm E\,\mathrm{Attn}\to\frac{n^{n/2}}{\sqrt
# a}\int q_A\cdot k_A\,\rho(x_A,0,0)\,dx_A$: the exponent is exact unless that integral is 0.
#
# **Proof.** *Kernel.* For integrable $f$ on $\mathbb R^{2n}$, integrate over $k$ first (Fubini): $\int
# e^{-2\pi isq\cdot k}f\,dq\,dk=\int F(q,sq)\,dq=s^{-n}\int F(\zeta/s,\zeta)\,d\zeta$, so it is at most
# $s^{-n}\int\sup_q|F(q,\zeta)|\,d\zeta$. Apply it to $f=\rho(x_A,\cdot)$, take the real part, multiply by
# $|q_A\cdot k_A|/\sqrt a$, integrate over $x_A$; $s^{-n}=n^{n/2}|m-n|^{-\alpha n}$.
#
# *$K$ is finite for Schwartz $\rho$.* $M=\prod_{j\le n}(1-\partial_{k_j}^2)$ acts on $e^{-2\pi i\zeta\cdot
# k}$ as $\prod(1+4\pi^2\zeta_j^2)$, and integration by parts moves it to $f$:
# $|F(q,\zeta)|\le\prod(1+4\pi^2\zeta_j^2)^{-1}\int|Mf|\,dk$. Each
# $\int\frac{d\zeta_j}{1+4\pi^2\zeta_j^2}=\frac12$ and $\int\frac{dk_j}{1+k_j^2}=\pi$, so
# $\int\sup_q|F|\,d\zeta\le(\frac\pi2)^n\sup\prod_j(1+k_j^2)|Mf|$. With $|q_A\cdot
# k_A|\le\frac12\prod_{i\le2a}(1+x_i^2)$, the integral over $x_A$ is at most $\frac{\pi^{2a}}2$ times the
# supremum of $\prod(1+x_i^2)^2$ times that: a finite sum of Schwartz seminorms of $\rho$. Any larger $C$
# makes the inequality strict.
#
# *Limit.* In $\int F(\zeta/s,\zeta)\,d\zeta$ let $s\to\infty$: dominated by $\sup_q|F|$, it tends to $\int
# F(0,\zeta)\,d\zeta=\rho(x_A,0,0)$ by Fourier inversion; the integral over $x_A$ is dominated by the
# integrand of $K$. $\square$

# %%
claims.show(
    "thm-3.2", "thm-3.2.kernel", "thm-3.2.majorant", "thm-3.2.weights", "thm-3.2.gaussian", "eq-14", facts=2
)

# %% [markdown]
# The printed proof (appendix G): coordinates (74), the mean with $J=\begin{pmatrix}0&I\\I&0\end{pmatrix}$
# (75), the cosine as a real part (76), stationary phase (77), decay of suprema (78), integrability (79), a
# uniform bound (80), and (81).

# %%
claims.show(
    "eq-74",
    "eq-75",
    "eq-75.lambda",
    "eq-76",
    "eq-77",
    "eq-78",
    "eq-79",
    "eq-80",
    "eq-81",
    "thm-3.2.printed",
    facts=2,
)

# %% [markdown]
# The hypothesis cannot be dropped: bounded densities, laws on a sphere (normalised queries and keys), laws
# of low rank and finitely many tokens all decay more slowly, or not at all.

# %%
claims.show("thm-3.2.ball", "thm-3.2.sphere", "thm-3.2.rank", "thm-3.2.equal", "thm-3.2.tokens", facts=2)

# %% [markdown]
# **In practice**, for normal phases: the mean cosine itself, and the bound (14) with its best constant,
# which says nothing before the distance in the last column.

# %%
claims.practice("thm-3.2")

# %%
claims.show("rem-3.eliminates", "rem-3.limits", "rem-3.pointwise", facts=2)

# %% [markdown]
# ### Theorem 3.3, repaired
#
# Eq 15, $\liminf\mathrm{Var}\,\mathrm{Attn}\ge\sigma_0^2/2$, fails as printed: for fixed tokens (variance
# 0) and, with a Schwartz density, for $D=4$, $a=2$, centred normal coordinates of variance 1, $q$ and $k$
# independent, $\mathrm{corr}(q_0,q_1)=-t$, $\mathrm{corr}(k_0,k_1)=t$: the limit is $(1-t^2)/2$. Step (83)
# is silent about the cross terms $\mathrm E\,q_ik_iq_jk_j$.
#
# **Theorem.** Let $(q,k)$ have any joint density, the same for all $m,n$, and $\mathrm
# E(q_dk_d)^2=\sigma_0^2$ for all $d$. Then
#
# $$\mathrm{Var}\,\mathrm{Attn}\ \longrightarrow\ \frac{\mathrm E(q_A\cdot k_A)^2}{2\theta D}
# =\frac{\sigma_0^2}2+\frac1{2\theta D}\sum_{i\ne j\le\theta D}\mathrm E\,q_ik_iq_jk_j\ >\ 0 .$$
#
# So (15) holds if and only if the sum of cross terms is $\ge0$: always for $\theta D=1$; for coordinates of
# $q$ that are centred, uncorrelated and independent of $k$; and whenever $\theta D$ is even and
# $\mu_0^2\theta D\ge4\sigma_0^2$.
#
# **Proof.** Let $A=q_A\cdot k_A/\sqrt{\theta D}$ and $x=2\pi s\,q_P\cdot k_P$. Then
# $\mathrm{Var}=\frac12\mathrm EA^2+\frac12\mathrm E[A^2\cos2x]-(\mathrm E[A\cos x])^2$. *Both oscillating
# means tend to 0*: $k_1$ of $k_P$ is almost surely not 0; with $k$ and the other coordinates of $q$ fixed,
# $u=q_P\cdot k_P$ replaces $q_1$, $du=|k_1|\,dq_1$, so for integrable $G(q,k)$ the measure $G\,dP$ has an
# integrable density in $u$ (Fubini), and $\mathrm E[G\cos2\pi su]\to0$ by the lemma of Riemann and
# Lebesgue. Expanding the square of $q_A\cdot k_A=\sum_iq_ik_i$ gives $\theta D$ squares and the cross
# terms. The limit is 0 only if $q_A\cdot k_A=0$ almost surely, which a density forbids. Last, for $\theta
# D$ even $q_A\cdot k_A$ is the sum of $\theta D/2$ of the $A_d$, with mean $\theta D\mu_0/2$, so by Jensen
# the limit is at least $\theta D\mu_0^2/8$, which is $\ge\sigma_0^2/2$ when $\mu_0^2\theta
# D\ge4\sigma_0^2$. $\square$

# %%
claims.show("thm-3.3", "thm-3.3.lebesgue", "thm-3.3.infimum", "eq-15", "rem-3.nondegenerate", facts=4)

# %% [markdown]
# The printed proof (appendix H), step by step:

# %%
claims.show("eq-82", "eq-83", "eq-84", "thm-3.3.printed", facts=3)

# %%
claims.practice("thm-3.3")

# %%
claims.practice("eq-15")

# %% [markdown]
# ## Section 4: what the paper says of its own numbers
#
# The perplexities are of 7B models and cannot be measured again here. Whether the text follows from the tables can be
# judged, and so can its counts of tokens: 500 steps of 128 sequences of 32k are 0.5 %, not "less than 0.25 %", of
# 200,000 steps of 256 sequences of 8k.

# %%
claims.show("tab-1", "tab-2", "tab-3", "rem-4.tokens", "rem-4.bases", facts=2)

# %%
claims.practice("tab-1")

# %% [markdown]
# ## Appendix A: concentration
#
# $\mathrm{Attn}/\sqrt D=\Gamma_\lambda+Z_\lambda$ (17), the left side of (7) is $\mathrm{sgn}(\mu_0)\Delta$
# (18); if the tails of $A_d,B_d$ are Gaussian (19), $Z$ is said to concentrate (20), so that the gap of
# means is the gap of scores.

# %%
claims.show("eq-17", "eq-18", "eq-19", "eq-20", "rem-A", facts=2)

# %% [markdown]
# ### The remark of appendix A, repaired
#
# One random sign shared by all pairs meets (19) and makes $|Z_\lambda-Z_\Lambda|=|\Delta|/|\mu_0|$ for
# every $D$: independence is missing. **Theorem.** Let (19) hold with $C_1\ge1$ and let the pairs fall into
# blocks of at most $M$, independent of each other. Then for all $\lambda,\Lambda$ and $\eta,\delta>0$
#
# $$P(|Z_\lambda-Z_\Lambda|>\eta)<3\exp\Big(-\frac{C_2D\eta^2}{32\,C_1M}\Big),\qquad
# P(|Z_\lambda-Z_\Lambda|>\delta|\Delta|)<3\exp\Big(-\frac{C_2D\delta^2\Delta^2}{32\,C_1M}\Big),$$
#
# and the second bound tends to 0 as $D\to\infty$ wherever $|\Delta|$ stays above a positive number.
#
# **Proof.** Let $U$ be an $A_d-\mu_0$ or $B_d-\nu_0$ and $K=2C_1/C_2$. *$\mathrm Ee^{sU}\le e^{Ks^2}$:*
# from $e^x\le x+e^{x^2}$ and $\mathrm EU=0$, $\mathrm Ee^{sU}\le\mathrm
# Ee^{s^2U^2}=1+\int_0^\infty2s^2te^{s^2t^2}P(|U|>t)\,dt\le1+\frac{C_1s^2}{C_2-s^2}\le1+Ks^2$ for $s^2\le
# C_2/2$. For $s^2>C_2/2$ use $sU\le\frac{s^2}{2C_2}+\frac{C_2U^2}2$: $\mathrm Ee^{sU}\le
# e^{s^2/2C_2}(1+C_1)$, and $\ln(1+C_1)\le C_1-\frac14\le(2C_1-\frac12)\frac{s^2}{C_2}$.
#
# *One pair.* $D(Z_\lambda-Z_\Lambda)=\sum_dX_d$, $X_d=a_dU_d+b_dV_d$ with
# $a_d^2+b_d^2=|e^{ix}-e^{iy}|^2\le4$. By Cauchy and Schwarz $\mathrm
# Ee^{tX_d}\le(e^{4Kt^2a_d^2}e^{4Kt^2b_d^2})^{1/2}\le e^{8Kt^2}$. *A block* of $M'\le M$ pairs, by Hölder:
# $\prod(\mathrm Ee^{M'tX_d})^{1/M'}\le e^{8KM'^2t^2}$. *All blocks* are independent and hold $D/2$ pairs:
# $\mathrm Ee^{s(Z_\lambda-Z_\Lambda)}\le e^{4KMs^2/D}$ at $t=s/D$. *Chernoff* at $s=D\eta/(8KM)$: each tail
# is at most $e^{-D\eta^2/(16KM)}$; there are two. The second statement is $\eta=\delta|\Delta|$. $\square$

# %%
claims.practice("rem-A")

# %% [markdown]
# ## Appendices C, E and F: the two lemmas
#
# Four facts carry everything; each replaces pages of cutting at zeros.
#
# 1. $\mathrm{Ci}(X)^2+(\mathrm{Si}(X)-\frac\pi2)^2<X^{-2}$ for $X>0$. *Proof:*
#    $(\mathrm{Ci},\mathrm{Si}-\frac\pi2)$ is a rotation of $(f,g)$,
#    $f=\int_0^\infty\frac{e^{-Xs}}{1+s^2}ds$, $g=\int_0^\infty\frac{se^{-Xs}}{1+s^2}ds$, and
#    $|(f,g)|\le\int\frac{e^{-Xs}}{\sqrt{1+s^2}}ds<\frac1X$.
# 2. If $z>0$ is a zero of $w=\pm\sin,\pm\cos$, then $\int_z^X\frac{w}{y}dy$ has the sign of $w$ just after
#    $z$ and is at most $2/z$ in modulus. *Proof:* humps alternate and shrink.
# 3. $0\le\mathrm{Cin}(X)=\gamma+\ln X-\mathrm{Ci}(X)\le X^2/4$.
# 4. With $\Delta_d=\int_{2d/D}^{2(d+1)/D}(\cos c\lambda\theta_0^{2d/D}-\cos c\lambda\theta_0^x)dx$ (or
#    $\sin$), $P=c\lambda\theta_0^{2k/D}$, $F=c\lambda\theta_0$, $u=2L/D$: $\frac12\big|\sum_{d\ge
#    k}\Delta_d\big|\le\kappa(u)\frac{P-F}D$, $\kappa(u)=\frac1{1-e^{-u}}-\frac1u<\min(1,\frac12+\frac
#    u{12})$. *Proof:* $\Delta_d=-\int_0^h(h-s)f'(\tfrac{2d}D+s)ds$, $h=2/D$, $|f'(x)|\le c\lambda
#    L\theta_0^x$; so $|\Delta_d|\le c\lambda\theta_0^{2d/D}\frac{u-1+e^{-u}}L$, and $\sum_{d\ge
#    k}c\lambda\theta_0^{2d/D}=\frac{P-F}{1-e^{-u}}$.

# %%
claims.show("lem-ci", "lem-hump", "lem-cin", "lem-riemann", "lem-riemann.b")

# %% [markdown]
# ### Lemma C.1, repaired
#
# As printed, for $\theta_0<\frac1{10}$, $D>4L$, $\lambda>1$ (eqs 25, 26):
# $|C_D|\le\frac2{\pi\lambda\theta_0L}+\epsilon$ and $|S_D|\le\frac2L+\epsilon$ with
# $\epsilon=\alpha+\frac{4\pi\lambda\theta_0^\alpha}D$ for all $\alpha>0$. True, though ten steps of its
# proof are not. **Stronger**: for all $c,\lambda>0$, $0<\theta_0<1$, even $D$ and $0\le k\le D/2$, with
# $P,F,u,\kappa$ as above,
#
# $$|C_D|\le\frac kD+\frac{|\mathrm{Ci}(P)-\mathrm{Ci}(F)|}{2L}+\kappa\frac{P-F}D,\qquad |S_D|\le\frac
# kD+\frac{|\mathrm{Si}(P)-\mathrm{Si}(F)|}{2L}+\kappa\frac{P-F}D,$$
#
# where $|\mathrm{Ci}(P)-\mathrm{Ci}(F)|<\frac1P+\frac1F$ and
# $|\mathrm{Si}(P)-\mathrm{Si}(F)|<\mathrm{Si}(\pi)$; and in the printed shape, for $D>4L$ and all
# $\alpha\ge0$, $|C_D|\le\frac{1+\theta_0}{2FL}+\epsilon_c$,
# $|S_D|\le\frac{\mathrm{Si}(\pi)}{2L}+\epsilon_c$, $\epsilon_c=\alpha+\frac{2c\lambda\theta_0^\alpha}D$.
#
# **Proof.** The first $k$ terms are at most $\frac kD$. For the rest $\frac1D\sum_{d\ge
# k}f(\tfrac{2d}D)=\frac12\int_{2k/D}^1f+\frac12\sum_{d\ge k}\Delta_d$. With $y=c\lambda\theta_0^x$,
# $dx=-\frac{dy}{Ly}$, the integral is $(\mathrm{Ci}(P)-\mathrm{Ci}(F))/2L$, or the same with $\mathrm{Si}$;
# fact 4 bounds the sum. Fact 1 bounds the cosine integrals. $\mathrm{Si}$ rises to $\mathrm{Si}(\pi)$, and
# stays in $[\mathrm{Si}(\pi)-\frac2\pi,\mathrm{Si}(\pi)]$ from there by fact 2, where
# $\mathrm{Si}(\pi)>\int_0^\pi\frac{\sin y}\pi dy=\frac2\pi$; so both values lie in $(0,\mathrm{Si}(\pi)]$.
#
# *The printed shape.* The integrals are those of $k=0$, $P=c\lambda$. It remains to see
# $|\frac12\sum_{d\ge0}\Delta_d|\le\epsilon_c$. For $\alpha\ge1$ it is at most 1, as $|\Delta_d|\le\frac4D$.
# For $\alpha<1$ let $k=\lfloor\frac{\alpha D}2\rfloor+1$, $p=c\lambda\theta_0^\alpha$: the first $k$ terms
# give at most $\alpha+\frac2D$, the others at most $\kappa\frac pD<\frac pD$ by fact 4. Where $p\ge2$,
# $\alpha+\frac{2+p}D\le\alpha+\frac{2p}D=\epsilon_c$. Where $p<2$,
# $\frac{d\epsilon_c}{d\alpha}=1-\frac{2Lp}D>1-\frac{4L}D>0$, so $\epsilon_c$ at $\alpha$ is above its value
# at the smaller $\alpha'$ with $p=2$, where the bound is known; and if there is none, above its value
# $\frac{2c\lambda}D$ at 0, which exceeds the bound of fact 4 at $k=0$. $\square$

# %%
claims.show("lem-C.1", "lem-C.1.empty", "eq-25", "eq-26", facts=2)

# %% [markdown]
# **Bounds against the trivial $\frac12$**, base $5\cdot10^5$, $D=128$:

# %%
claims.practice(
    "lem-C.1",
    (
        "distance",
        "turns",
        "cosine bound",
        "cosine bound, repaired",
        "|C_D|",
        "sine bound",
        "sine bound, repaired",
        "|S_D|",
        "trivial bound",
    ),
    where={"base": 500000, "head_dim": 128},
)

# %% [markdown]
# The printed steps of appendix E. **The Riemann sum** (42 to 51): $C_D=\frac\Delta2+\frac I2$ (42, one term
# too many), the sum of the $\Delta_d$ cut at $d\le\frac{\alpha D}2$ (43), $|\Delta_d|\le\frac4D$ (44), the
# Lipschitz bound (45, 46), both inserted (47), two expansions of $1-\theta_0^{2/D}$ and of its reciprocal
# (48, 49), hence (50) and $|\frac\Delta2|\le\epsilon$ (51).

# %%
claims.show(
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
    facts=2,
)

# %% [markdown]
# **The cosine integral** (52 to 60): substitution (52), the first and last whole period (53), the cut (54),
# its ends (55), a whole period (56) by its halves (57, 58), all periods (59), and $\frac
# I2\le\frac2{\pi\lambda\theta_0L}$ (60).

# %%
claims.show(
    "eq-52",
    "eq-53",
    "eq-54",
    "eq-55",
    "eq-56",
    "eq-57",
    "eq-58",
    "eq-58.a",
    "eq-59",
    "eq-60",
    "eq-60.a",
    facts=2,
)

# %% [markdown]
# **The sine sum** (61 to 69), the same way: (61) as (51), substitution (62), cut (63, 64), a whole period
# (65), all periods (66), the first part (67), the last (68), and $|\frac I2|<\frac2L$ (69).

# %%
claims.show("eq-61", "eq-62", "eq-63", "eq-64", "eq-65", "eq-66", "eq-67", "eq-68", "eq-69", facts=2)

# %% [markdown]
# ### Lemma C.2, repaired
#
# As printed, under the hypotheses of lemma C.1 and $\lambda\theta_0^{\epsilon_0}<\frac14$ (eq 27):
# $C_D>\frac{1-\epsilon_0}2\cos2\pi\lambda\theta_0^{\epsilon_0}-\frac1L-\epsilon$. True. **Stronger**: for
# all $c,\lambda>0$, $0<\theta_0<1$, even $D$, $0\le k\le\frac D2$, with
# $M=\frac12-\frac{\mathrm{Cin}(P)-\mathrm{Cin}(F)}{2L}$,
#
# $$M-\frac{2k}D-\kappa\frac{P-F}D\ \le\ C_D\ \le\ M+\kappa\frac{P-F}D ,$$
#
# where $0\le\mathrm{Cin}(F)\le\frac{F^2}4$ and $\mathrm{Cin}(P)<\gamma+\ln P+\frac1P$; and (27) holds with
# $\frac2{\pi L}$ for $\frac1L$.
#
# **Proof.** The first $k$ terms lie between $-\frac kD$ and $\frac kD$. Since $\ln\frac
# PF=L(1-\frac{2k}D)$, fact 3 turns the integral over $[\frac{2k}D,1]$ into
# $\frac{\mathrm{Ci}(P)-\mathrm{Ci}(F)}{2L}=\frac12-\frac
# kD-\frac{\mathrm{Cin}(P)-\mathrm{Cin}(F)}{2L}=M-\frac kD$; fact 4 bounds what is left. The bounds of
# $\mathrm{Cin}$ are facts 3 and 1.
#
# *The printed shape*, $0<\epsilon_0<1$. Cut $\frac12\int_0^1\cos$, in $y=\lambda\theta_0^x$, at
# $y=\frac14$: above, $\frac1{2L}\int_{1/4}^\lambda\frac{\cos2\pi y}ydy\ge-\frac1{2L}\cdot\frac4\pi$ by fact
# 2, as $\frac\pi2$ is a zero of the cosine; below, the cosine is positive, and on
# $[\lambda\theta_0,\lambda\theta_0^{\epsilon_0}]$ at least $\cos2\pi\lambda\theta_0^{\epsilon_0}$, whose
# weight is $\frac1{2L}\ln\theta_0^{\epsilon_0-1}=\frac{1-\epsilon_0}2$. The Riemann sum costs $\epsilon$,
# as in lemma C.1. For $\epsilon_0\ge1$ the first term is not positive, and $\frac I2\ge-\frac2{\pi L}$, a
# difference of two values of $\frac1{2L}\int_{\pi/2}^X\frac{\cos y}ydy$, which lie in $[-\frac2{\pi L},0]$,
# or more. $\square$

# %%
claims.show("lem-C.2", "eq-27", "eq-70", "eq-71", "eq-72", "eq-73", facts=2)

# %%
claims.practice(
    "lem-C.2",
    (
        "distance",
        "turns",
        "best e_0",
        "lower bound",
        "lower bound, repaired",
        "C_D",
        "upper bound, repaired",
        "trivial bound",
    ),
    where={"base": 500000, "head_dim": 128},
)

# %% [markdown]
# ## Figure 1 of the paper (appendix I)

# %%
claims.show("fig-1", "fig-1.protocol", "fig-1.symmetric", "fig-1.zero", facts=2)

# %% [markdown]
# ## Every claim, and what rests on what

# %%
claims.verdicts()

# %%
import matplotlib as mpl

with mpl.rc_context(RC):
    figure = fig_05_claims.draw({"claims": read_any("claims")})
