(** Theorem 2.1: the limit points of the expected score at integer distances, with and without a relation to 1. *)
From Coq Require Import Reals Lra Lia Psatz Classical QArith Qreals ConstructiveEpsilon Wf_nat.
Close Scope Q_scope.
Open Scope R_scope.
Require Import rope_sums recurrence kronecker.

(** x_0, ..., x_{N-1} are linearly independent over Q. *)
Definition independent (N : nat) (x : nat -> R) : Prop :=
  forall q : nat -> Q, total (fun d => Q2R (q d) * x d) N = 0 -> forall d, (d < N)%nat -> (q d == 0)%Q.
(** a, x_0, x_1, ... *)
Definition before (a : R) (x : nat -> R) (d : nat) : R := match d with O => a | S d' => x d' end.
(** theta_1, theta_2, ... *)
Definition later (theta0 : R) (n d : nat) : R := freq theta0 n (S d).
(** e i j is the expected score of a query at i and a key at j, under Assumption 2.1. *)
Definition expected_scores {Omega : Type} (mean : (Omega -> R) -> R -> Prop) (c theta0 : R) (n : nat) (mu nu : R)
  (e : nat -> nat -> R) : Prop :=
  expectation mean /\ exists sigma (q k : nat -> token),
  forall i j, assumption_2_1 mean n (q i) (k j) mu nu sigma /\ mean (score c theta0 n (INR i - INR j) (q i) (k j)) (e i j).
(** f (m_k, n_k) tends to v for some positions; the same with m_k - n_k to infinity. *)
Definition limit_point (f : nat -> nat -> R) (v : R) : Prop :=
  exists m l : nat -> nat, Un_cv (fun i => f (m i) (l i)) v.
Definition far_limit_point (f : nat -> nat -> R) (v : R) : Prop :=
  exists m l : nat -> nat, (forall i, (l i + i <= m i)%nat) /\ Un_cv (fun i => f (m i) (l i)) v.
(** (2/sqrt D) E Attn. *)
Definition bias (n : nat) (e : nat -> nat -> R) (i j : nat) : R := 2 / sqrt (2 * INR n) * e i j.

Lemma bias_gamma {Omega} (mean : (Omega -> R) -> R -> Prop) c theta0 n mu nu e i j : (0 < n)%nat ->
  expected_scores mean c theta0 n mu nu e -> bias n e i j = 2 * gamma c mu nu theta0 n (INR i - INR j).
Proof.
  intros Hn [X [sigma [q [k H]]]]. destruct (H i j) as [A E]. unfold bias.
  rewrite (mean_unique _ X _ _ _ E (mean_score mean c theta0 n _ (q i) (k j) mu nu sigma X Hn A)).
  assert (0 < sqrt (2 * INR n)) by (apply sqrt_lt_R0; apply lt_0_INR in Hn; lra). field. lra.
Qed.

(** ** Relations with integers. *)
Lemma independent_integers N x k : independent N x -> comb k x N = 0 -> forall d, (d < N)%nat -> k d = 0%Z.
Proof.
  intros H E d D. specialize (H (fun d => inject_Z (k d))). assert (Q : (inject_Z (k d) == 0)%Q).
  { apply H; [|exact D]. rewrite <- E. apply total_ext. intros i _. unfold Q2R, inject_Z. simpl. field. }
  unfold Qeq in Q. simpl in Q. lia.
Qed.

Lemma comb_before k a x N : comb k (before a x) (S N) = IZR (k 0%nat) * a + comb (fun d => k (S d)) x N.
Proof. unfold comb. rewrite total_first. reflexivity. Qed.

Lemma comb_zero k x N : (forall d, (d < N)%nat -> k d = 0%Z) -> comb k x N = 0.
Proof.
  intros H. unfold comb. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; ring|]. intros d D. rewrite H by exact D. ring.
Qed.

Lemma free_with_1 N x k : independent (S N) (before 1 x) -> integer (comb k x N) -> forall d, (d < N)%nat -> k d = 0%Z.
Proof.
  intros H [z E] d D. set (k' := fun d => match d with O => (- z)%Z | S d' => k d' end).
  apply (independent_integers _ _ k' H) with (d := S d); [|lia]. rewrite comb_before. unfold k' at 1. rewrite opp_IZR.
  change (comb (fun d => k' (S d)) x N) with (comb k x N). rewrite E. ring.
Qed.

(** claim: eq-22*, whole, proved
    Distances mod 1: for every beta and epsilon, at arbitrarily large integer distances, where 1, theta_1, ... are independent. *)
Theorem eq_22_repaired : forall theta0 n beta, independent n (before 1 (later theta0 n)) ->
  forall eps (M : nat), 0 < eps -> exists lam : nat, (M <= lam)%nat /\
  forall d, (1 <= d < n)%nat -> near eps (INR lam * freq theta0 n d) beta.
Proof.
  intros theta0 n beta H eps M He. destruct n as [|N]; [exists M; split; [lia|intros; lia]|].
  destruct (kronecker N (later theta0 (S N)) (fun _ => beta)) with (eps := eps) (M := M) as [lam [L1 L2]]; [|exact He|].
  - intros k Q. exists 0%Z. apply comb_zero, (free_with_1 _ _ _ H Q).
  - exists lam. split; [exact L1|]. intros d D. specialize (L2 (d - 1)%nat ltac:(lia)). unfold later in L2.
    replace (S (d - 1)) with d in L2 by lia. exact L2.
Qed.

Lemma comb_sub k g (q : Z) x N : comb (fun d => k d - q * g d)%Z x N = comb k x N - IZR q * comb g x N.
Proof.
  unfold comb. rewrite <- total_scal, total_minus. apply total_ext. intros d _. rewrite minus_IZR, mult_IZR. ring.
Qed.

(** The relations of independent numbers with the integers are the multiples of one. *)
Lemma one_relation N x : independent N x -> exists g, integer (comb g x N) /\
  forall k, integer (comb k x N) -> exists q : Z, forall d, (d < N)%nat -> k d = (q * g d)%Z.
Proof.
  intros H. set (P := fun n : nat => (0 < n)%nat /\ exists k, comb k x N = INR n).
  destruct (classic (exists n, P n)) as [Y|NO].
  - destruct (dec_inh_nat_subset_has_unique_least_element P (fun n => classic (P n)) Y) as [n [[[N0 [g G]] Min] _]].
    exists g. split; [exists (Z.of_nat n); rewrite G; apply INR_IZR_INZ|]. intros k [z Hz].
    exists (z / Z.of_nat n)%Z. set (q := (z / Z.of_nat n)%Z).
    assert (D : (z = Z.of_nat n * q + z mod Z.of_nat n)%Z) by (apply Z.div_mod; lia).
    assert (R0 : (0 <= z mod Z.of_nat n < Z.of_nat n)%Z) by (apply Z.mod_pos_bound; lia).
    set (rest := (z mod Z.of_nat n)%Z) in *.
    assert (E : comb (fun d => k d - q * g d)%Z x N = IZR rest).
    { rewrite comb_sub, Hz, G, INR_IZR_INZ, <- mult_IZR, <- minus_IZR. f_equal. lia. }
    assert (Z0 : rest = 0%Z).
    { destruct (Z.eq_dec rest 0) as [Q|Q]; [exact Q|]. exfalso.
      assert (L : (n <= Z.to_nat rest)%nat); [|lia]. apply Min. split; [lia|]. exists (fun d => k d - q * g d)%Z.
      rewrite E, INR_IZR_INZ, Z2Nat.id by lia. reflexivity. }
    rewrite Z0 in E. intros d D'. pose proof (independent_integers _ _ _ H E d D'). simpl in *. lia.
  - exists (fun _ => 0%Z). split; [exists 0%Z; apply comb_zero; reflexivity|]. intros k [z Hz]. exists 0%Z.
    assert (Z0 : z = 0%Z).
    { destruct (Z.eq_dec z 0) as [Q|Q]; [exact Q|]. exfalso. apply NO. exists (Z.abs_nat z). split; [lia|].
      destruct (Z_le_dec 0 z) as [S|S].
      - exists k. rewrite Hz, INR_IZR_INZ. f_equal. lia.
      - exists (fun d => 0 - 1 * k d)%Z. rewrite (comb_sub (fun _ => 0%Z)), Hz, comb_zero by reflexivity.
        rewrite INR_IZR_INZ. replace (Z.of_nat (Z.abs_nat z)) with (- z)%Z by lia. rewrite opp_IZR. ring. }
    rewrite Z0 in Hz. intros d D. rewrite (independent_integers _ _ _ H Hz d D). reflexivity.
Qed.

Lemma comb_change k y v j N : (j < N)%nat ->
  comb k (fun d => if Nat.eq_dec d j then v else y d) N = comb k y N + IZR (k j) * (v - y j).
Proof.
  intros J. rewrite <- (total_one (fun d => IZR (k d) * (v - y d)) j N J). unfold comb. rewrite <- total_plus.
  apply total_ext. intros d _. destruct (Nat.eq_dec d j); ring.
Qed.

(** claim: thm-2.1.rank, whole, proved
    For any N independent numbers: the relations with the integers are the multiples of one vector, and whatever the other
    coordinates are, one coordinate can be chosen so that the point is in the closure of the orbit. *)
Theorem rank_at_most_one : forall N x, independent N x ->
  (exists g, integer (comb g x N) /\
    forall k, integer (comb k x N) -> exists q : Z, forall d, (d < N)%nat -> k d = (q * g d)%Z) /\
  exists j, forall y, exists y', (forall d, d <> j -> y' d = y d) /\
    forall eps, 0 < eps -> exists lam : Z, forall d, (d < N)%nat -> near eps (IZR lam * x d) (y' d).
Proof.
  intros N x H. split; [apply one_relation, H|].
  enough (X : exists j, forall y, exists y', (forall d, d <> j -> y' d = y d) /\
    forall k, integer (comb k x N) -> integer (comb k y' N)).
  { destruct X as [j X]. exists j. intros y. destruct (X y) as [y' [Y1 Y2]]. exists y'. split; [exact Y1|]. apply orbit_closure, Y2. }
  destruct (one_relation N x H) as [g [_ G]].
  destruct (classic (exists j, (j < N)%nat /\ g j <> 0%Z)) as [[j [J Gj]]|NO].
  - exists j. intros y. exists (fun d => if Nat.eq_dec d j then y j - comb g y N / IZR (g j) else y d). split.
    + intros d D. destruct (Nat.eq_dec d j); [contradiction|reflexivity].
    + intros k Q. destruct (G k Q) as [q Hq]. exists 0%Z. rewrite comb_change by exact J. rewrite Hq by exact J.
      assert (E : comb k y N = IZR q * comb g y N).
      { unfold comb. rewrite <- total_scal. apply total_ext. intros d D. rewrite Hq, mult_IZR by exact D. ring. }
      rewrite E, mult_IZR. apply not_0_IZR in Gj. field. exact Gj.
  - exists 0%nat. intros y. exists y. split; [reflexivity|]. intros k Q. destruct (G k Q) as [q Hq]. exists 0%Z.
    apply comb_zero. intros d D. rewrite Hq by exact D. destruct (Z.eq_dec (g d) 0) as [->|S]; [ring|]. exfalso. apply NO. exists d. auto.
Qed.

(** ** One pair. *)
Lemma angle a b : a * a + b * b = 1 -> exists t, - PI < t <= PI /\ cos t = a /\ sin t = b.
Proof.
  intros H. assert (A : -1 <= a <= 1) by nra. pose proof (acos_bound a) as B. pose proof PI_RGT_0 as P.
  pose proof (sin_acos a A) as S. unfold Rsqr in S. replace (1 - a * a) with (b * b) in S by lra.
  change (b * b) with (Rsqr b) in S. rewrite sqrt_Rsqr_abs in S. destruct (Rle_dec 0 b) as [Q|Q].
  - exists (acos a). rewrite cos_acos, S, Rabs_pos_eq by assumption. repeat split; lra.
  - exists (- acos a). rewrite cos_neg, sin_neg, cos_acos, S, Rabs_left by lra. repeat split; try lra.
    destruct (Req_dec (acos a) PI) as [E|E]; [|lra]. pose proof (cos_acos a A) as C. rewrite E, cos_PI in C. nra.
Qed.

(** claim: eq-21*, whole, proved
    For any law of the tokens and every distance: phi the angle of nu_0 + i mu_0, in (-pi, pi] or any other. *)
Theorem eq_21_repaired : forall mu nu, 0 < mu * mu + nu * nu -> let r := sqrt (mu * mu + nu * nu) in
  (exists phi, - PI < phi <= PI /\ nu = r * cos phi /\ mu = r * sin phi) /\
  forall phi, nu = r * cos phi -> mu = r * sin phi -> (forall x, mu * cos x + nu * sin x = r * sin (phi + x)) /\
  forall Omega (mean : (Omega -> R) -> R -> Prop) theta0 n e, (0 < n)%nat -> expected_scores mean (2 * PI) theta0 n mu nu e ->
  forall i j, let x := fun d => 2 * PI * (INR i - INR j) * freq theta0 n d in
  bias n e i j = 2 / (2 * INR n) * total (fun d => mu * cos (x d) + nu * sin (x d)) n /\
  bias n e i j = 2 * r / (2 * INR n) * total (fun d => sin (x d + phi)) n.
Proof.
  intros mu nu H r. assert (R0 : 0 < r) by (apply sqrt_lt_R0; exact H). assert (RR : r * r = mu * mu + nu * nu) by (apply sqrt_sqrt; lra).
  split.
  - destruct (angle (nu / r) (mu / r)) as [t [T [C S]]].
    { replace (nu / r * (nu / r) + mu / r * (mu / r)) with ((mu * mu + nu * nu) / (r * r)) by (field; lra). rewrite RR. field. lra. }
    exists t. split; [exact T|]. rewrite C, S. split; field; lra.
  - intros phi N M. assert (W : forall x, mu * cos x + nu * sin x = r * sin (phi + x)).
    { intros x. rewrite sin_plus. rewrite M at 1. rewrite N at 1. ring. }
    split; [exact W|]. intros Omega mean theta0 n e Hn X i j x.
    assert (I : 0 < INR n) by (apply lt_0_INR; exact Hn).
    rewrite (bias_gamma mean _ _ _ _ _ e i j Hn X). unfold gamma. split; [unfold x; field; lra|].
    rewrite (total_ext _ (fun d => r * sin (x d + phi))); [rewrite total_scal; field; lra|].
    intros d _. rewrite W, Rplus_comm. reflexivity.
Qed.

(** claim: eq-21.beta*, whole, proved
    Exactly as repaired; where r = 0, gamma is 0 and every angle will do. *)
Theorem eq_21_beta_repaired : forall r gam phi, - r <= gam <= r ->
  (0 < r -> r * sin (2 * PI * ((- phi + asin (gam / r)) / (2 * PI)) + phi) = gam) /\
  (r = 0 -> forall beta, r * sin (2 * PI * beta + phi) = gam).
Proof.
  intros r gam phi G. split; [intros R0|intros -> beta; lra]. pose proof PI_RGT_0 as P.
  replace (2 * PI * ((- phi + asin (gam / r)) / (2 * PI)) + phi) with (asin (gam / r)) by (field; lra).
  rewrite sin_asin; [field; lra|]. split; apply (Rmult_le_reg_r r); try exact R0; unfold Rdiv; rewrite Rmult_assoc, Rinv_l by lra; lra.
Qed.

Lemma abs_between x a : Rabs x <= a -> - a <= x <= a.
Proof. intros H. unfold Rabs in H. destruct (Rcase_abs x); lra. Qed.

(** A pair takes every value in [-r, r]. *)
Lemma pair_takes mu nu gam : Rabs gam <= sqrt (mu * mu + nu * nu) ->
  exists beta, mu * cos (2 * PI * beta) + nu * sin (2 * PI * beta) = gam.
Proof.
  intros H. set (r := sqrt (mu * mu + nu * nu)) in *. pose proof PI_RGT_0 as P. pose proof (sqrt_pos (mu * mu + nu * nu)) as R0. fold r in R0.
  assert (RR : r * r = mu * mu + nu * nu) by (apply sqrt_sqrt; nra).
  destruct (Req_dec r 0) as [E|E].
  - exists 0. rewrite E in *. assert (mu = 0) by nra. assert (nu = 0) by nra. subst. pose proof (Rabs_pos gam).
    destruct (Req_dec gam 0) as [G|G]; [lra|]. apply Rabs_pos_lt in G. lra.
  - destruct (eq_21_repaired mu nu) as [[phi [_ [N M]]] W]; [nra|]. fold r in N, M, W. destruct (W phi N M) as [X _].
    destruct (eq_21_beta_repaired r gam phi) as [B _]; [apply abs_between, H|].
    exists ((- phi + asin (gam / r)) / (2 * PI)). rewrite X, Rplus_comm. apply B. lra.
Qed.

(** ** Steering. *)
Definition pair (mu nu y : R) : R := mu * cos (2 * PI * y) + nu * sin (2 * PI * y).

(** Where y has the relations of the angles in turns, the bias at y is a limit point. *)
Lemma steer {Omega} (mean : (Omega -> R) -> R -> Prop) c theta0 n mu nu e x y : (0 < n)%nat ->
  expected_scores mean c theta0 n mu nu e -> (forall d, (d < n)%nat -> c * freq theta0 n d = 2 * PI * x d) ->
  (forall k, integer (comb k x n) -> integer (comb k y n)) ->
  far_limit_point (bias n e) (/ INR n * total (fun d => pair mu nu (y d)) n).
Proof.
  intros Hn X F H. set (v := / INR n * total (fun d => pair mu nu (y d)) n).
  assert (I : 0 < INR n) by (apply lt_0_INR; exact Hn). pose proof PI_RGT_0 as P.
  assert (S0 : forall i, exists lam : nat, (i <= lam)%nat /\ Rabs (bias n e lam 0 - v) < / INR (S i)).
  { intros i. set (r := sqrt (mu * mu + nu * nu)). assert (R0 : 0 <= r) by apply sqrt_pos.
    assert (E0 : 0 < / INR (S i)) by (apply Rinv_0_lt_compat, lt_0_INR; lia). set (eps := / INR (S i)) in *.
    assert (K : 0 < r * (2 * PI) + 1) by nra. assert (Q : 0 < eps / (r * (2 * PI) + 1)) by (apply Rdiv_lt_0_compat; lra).
    set (e1 := eps / (r * (2 * PI) + 1)) in *. destruct (kronecker n x y H e1 i Q) as [lam [L1 L2]].
    exists lam. split; [exact L1|]. rewrite (bias_gamma mean _ _ _ _ _ e lam 0%nat Hn X). replace (INR lam - INR 0) with (INR lam) by (simpl; ring).
    unfold gamma, v.
    replace (2 * (/ (2 * INR n) * total (fun d => mu * cos (c * INR lam * freq theta0 n d) + nu * sin (c * INR lam * freq theta0 n d)) n))
      with (/ INR n * total (fun d => mu * cos (c * INR lam * freq theta0 n d) + nu * sin (c * INR lam * freq theta0 n d)) n) by (field; lra).
    rewrite <- Rmult_minus_distr_l, total_minus, Rabs_mult, (Rabs_pos_eq (/ INR n)) by (left; apply Rinv_0_lt_compat; exact I).
    apply Rle_lt_trans with (/ INR n * (INR n * (r * (2 * PI * e1)))).
    - apply Rmult_le_compat_l; [left; apply Rinv_0_lt_compat; exact I|]. rewrite <- total_const. apply total_abs. intros d D.
      destruct (L2 d D) as [p Hp]. unfold pair.
      replace (c * INR lam * freq theta0 n d) with (2 * PI * (INR lam * x d - IZR p) + 2 * PI * IZR p).
      2:{ replace (c * INR lam * freq theta0 n d) with (INR lam * (c * freq theta0 n d)) by ring. rewrite F by exact D. ring. }
      rewrite turn_cos, turn_sin. eapply Rle_trans; [apply pair_lipschitz|]. fold r. apply Rmult_le_compat_l; [exact R0|].
      replace (2 * PI * (INR lam * x d - IZR p) - 2 * PI * y d) with (2 * PI * (INR lam * x d - y d - IZR p)) by ring.
      rewrite Rabs_mult, (Rabs_pos_eq (2 * PI)) by lra. apply Rmult_le_compat_l; lra.
    - replace (/ INR n * (INR n * (r * (2 * PI * e1)))) with (r * (2 * PI) * e1) by (field; lra).
      replace eps with ((r * (2 * PI) + 1) * e1) by (unfold e1; field; lra). nra. }
  assert (C : forall i, {lam : nat | (i <= lam)%nat /\ Rabs (bias n e lam 0 - v) < / INR (S i)}).
  { intros i. apply constructive_indefinite_ground_description_nat; [|apply S0]. intros lam.
    destruct (Compare_dec.le_dec i lam) as [A|A]; [|right; tauto].
    destruct (Rlt_dec (Rabs (bias n e lam 0 - v)) (/ INR (S i))) as [B|B]; [left|right]; tauto. }
  exists (fun i => proj1_sig (C i)), (fun _ => 0%nat). split.
  - intros i. destruct (C i) as [lam [L1 L2]]. simpl. exact L1.
  - intros eps He. destruct (nat_above (/ eps)) as [K HK]. exists K. intros i Hi. destruct (C i) as [lam [L1 L2]]. cbn [proj1_sig].
    unfold R_dist. apply Rlt_trans with (1 := L2). rewrite <- (Rinv_inv eps). apply Rinv_lt_contravar.
    + apply Rmult_lt_0_compat; [apply Rinv_0_lt_compat; exact He|apply lt_0_INR; lia].
    + apply Rlt_le_trans with (1 := HK). apply le_INR. lia.
Qed.

Lemma freq_0 theta0 n : freq theta0 n 0 = 1.
Proof. unfold freq, Rpower. replace (2 * INR 0 / (2 * INR n) * ln theta0) with 0 by (simpl; unfold Rdiv; ring). apply exp_0. Qed.

Lemma freq_before theta0 n d : freq theta0 n d = before 1 (later theta0 n) d.
Proof. destruct d; [apply freq_0|reflexivity]. Qed.

Lemma pair_turns mu nu (z : Z) : pair mu nu (IZR z) = mu.
Proof.
  unfold pair. rewrite <- (Rplus_0_l (2 * PI * IZR z)), turn_cos, turn_sin, cos_0, sin_0. ring.
Qed.

Lemma pair_bound mu nu y : Rabs (pair mu nu y) <= sqrt (mu * mu + nu * nu).
Proof. apply wave_le. Qed.

(** In turns: pair 0 stands still and the others go where theta_1, ... let them. *)
Lemma steer_turns {Omega} (mean : (Omega -> R) -> R -> Prop) theta0 N mu nu e y :
  expected_scores mean (2 * PI) theta0 (S N) mu nu e ->
  (forall k, integer (comb k (later theta0 (S N)) N) -> integer (comb k y N)) ->
  far_limit_point (bias (S N) e) (/ INR (S N) * (mu + total (fun d => pair mu nu (y d)) N)).
Proof.
  intros X H. pose proof (steer mean (2 * PI) theta0 (S N) mu nu e (before 1 (later theta0 (S N))) (before 0 y) (Nat.lt_0_succ N) X) as S0.
  rewrite (total_first (fun d => pair mu nu (before 0 y d))) in S0. cbn [before] in S0. rewrite (pair_turns mu nu 0) in S0.
  apply S0.
  - intros d _. rewrite freq_before. reflexivity.
  - intros k [z Z]. rewrite comb_before in *. destruct (H (fun d => k (S d))) as [w W].
    + exists (z - k 0%nat)%Z. rewrite minus_IZR. lra.
    + exists w. lra.
Qed.

(** claim: thm-2.1, whole, proved
    For every law of the tokens, even D and theta_0: the limit point is approached while m_k - n_k grows without bound, and
    the constant is 8 r over D for all of them and for every gamma. *)
Theorem theorem_2_1 : forall Omega (mean : (Omega -> R) -> R -> Prop) theta0 n mu nu e gam, (0 < n)%nat ->
  expected_scores mean (2 * PI) theta0 n mu nu e -> independent (n - 1) (later theta0 n) ->
  let r := sqrt (mu * mu + nu * nu) in - r <= gam <= r ->
  exists v, far_limit_point (bias n e) v /\ Rabs (v - gam) <= 8 * r / (2 * INR n).
Proof.
  intros Omega mean theta0 n mu nu e gam Hn X H r G. destruct n as [|N]; [lia|]. replace (S N - 1)%nat with N in H by lia.
  destruct (pair_takes mu nu gam) as [beta B]; [fold r; apply Rabs_le; exact G|].
  destruct (rank_at_most_one N _ H) as [_ [j J]]. destruct (J (fun _ => beta)) as [y [Y1 Y2]].
  exists (/ INR (S N) * (mu + total (fun d => pair mu nu (y d)) N)). split.
  - apply (steer_turns mean _ _ _ _ _ _ X). apply orbit_closure. exact Y2.
  - assert (I : 0 < INR (S N)) by (apply lt_0_INR; lia). assert (R0 : 0 <= r) by apply sqrt_pos.
    assert (M : Rabs mu <= r) by (rewrite <- (pair_turns mu nu 0); apply pair_bound).
    assert (T : Rabs (total (fun d => pair mu nu (y d) - gam) N) <= 2 * r).
    { apply Rle_trans with (total (fun d => if Nat.eq_dec d j then 2 * r else 0) N).
      - apply total_abs. intros d D. destruct (Nat.eq_dec d j) as [E|E].
        + pose proof (pair_bound mu nu (y d)) as Q. fold r in Q. apply abs_between in Q. apply Rabs_le. lra.
        + rewrite Y1 by exact E. unfold pair. rewrite B, Rminus_diag_eq, Rabs_R0 by reflexivity. lra.
      - destruct (Compare_dec.le_lt_dec N j) as [Q|Q]; [|rewrite (total_one (fun _ => 2 * r)) by exact Q; lra].
        rewrite (total_ext _ (fun _ => 0)), total_const; [lra|]. intros d D. destruct (Nat.eq_dec d j); [lia|reflexivity]. }
    rewrite <- (total_minus (fun d => pair mu nu (y d)) (fun _ => gam)), total_const in T. set (S0 := total _ N) in *.
    replace (/ INR (S N) * (mu + S0) - gam) with (/ INR (S N) * ((mu - gam) + (S0 - INR N * gam))).
    2:{ rewrite S_INR in *. field. lra. }
    rewrite Rabs_mult, (Rabs_pos_eq (/ INR (S N))) by (left; apply Rinv_0_lt_compat; exact I).
    replace (8 * r / (2 * INR (S N))) with (/ INR (S N) * (4 * r)) by (field; lra).
    apply Rmult_le_compat_l; [left; apply Rinv_0_lt_compat; exact I|]. apply abs_between in M. apply abs_between in T.
    apply Rabs_le. lra.
Qed.

(** ** The limit points exactly. *)
Lemma limit_between f v a b : limit_point f v -> (forall i j, a <= f i j <= b) -> a <= v <= b.
Proof.
  intros [m [l H]] B. split; apply Rnot_lt_le; intros Q.
  - destruct (H (a - v) ltac:(lra)) as [K HK]. specialize (HK K (le_n _)). unfold R_dist in HK. apply Rabs_def2 in HK.
    pose proof (B (m K) (l K)). lra.
  - destruct (H (v - b) ltac:(lra)) as [K HK]. specialize (HK K (le_n _)). unfold R_dist in HK. apply Rabs_def2 in HK.
    pose proof (B (m K) (l K)). lra.
Qed.

Lemma bias_between {Omega} (mean : (Omega -> R) -> R -> Prop) c theta0 n mu nu e i j : (0 < n)%nat ->
  expected_scores mean c theta0 n mu nu e -> Rabs (bias n e i j) <= sqrt (mu * mu + nu * nu).
Proof.
  intros Hn X. rewrite (bias_gamma mean _ _ _ _ _ e i j Hn X). unfold gamma. set (r := sqrt _).
  assert (I : 0 < INR n) by (apply lt_0_INR; exact Hn). set (T := total _ n).
  assert (B : Rabs T <= INR n * r) by (rewrite <- total_const; apply total_abs; intros; apply wave_le).
  replace (2 * (/ (2 * INR n) * T)) with (/ INR n * T) by (field; lra).
  assert (J : 0 < / INR n) by (apply Rinv_0_lt_compat; exact I). rewrite Rabs_mult, (Rabs_pos_eq (/ INR n)) by lra.
  apply (Rmult_le_reg_l (INR n)); [exact I|]. rewrite <- Rmult_assoc, Rinv_r, Rmult_1_l by lra. exact B.
Qed.

Lemma bias_turns {Omega} (mean : (Omega -> R) -> R -> Prop) theta0 N mu nu e i j :
  expected_scores mean (2 * PI) theta0 (S N) mu nu e ->
  bias (S N) e i j = / INR (S N) * (mu + total (fun d => pair mu nu ((INR i - INR j) * later theta0 (S N) d)) N).
Proof.
  intros X. rewrite (bias_gamma mean _ _ _ _ _ e i j (Nat.lt_0_succ N) X). unfold gamma. rewrite total_first, freq_0, Rmult_1_r.
  assert (E : mu * cos (2 * PI * (INR i - INR j)) + nu * sin (2 * PI * (INR i - INR j)) = mu).
  { rewrite !INR_IZR_INZ, <- minus_IZR. apply (pair_turns mu nu). }
  rewrite E. rewrite (total_ext _ (fun d => pair mu nu ((INR i - INR j) * later theta0 (S N) d))).
  - field. apply not_0_INR. lia.
  - intros d _. unfold pair, later. rewrite !Rmult_assoc. reflexivity.
Qed.

(** claim: thm-2.1.sharp, whole, proved
    For every law of the tokens, even D and theta_0, in turns: the limit points are the stated interval, each approached while
    m_k - n_k grows without bound; none other is approached at any integer distances; the constant and a gamma at which it is
    needed. In radians, exactly [-r, r]. *)
Theorem limit_points : forall Omega (mean : (Omega -> R) -> R -> Prop) theta0 n mu nu e, (0 < n)%nat ->
  let r := sqrt (mu * mu + nu * nu) in let D := 2 * INR n in
  (expected_scores mean (2 * PI) theta0 n mu nu e -> independent n (before 1 (later theta0 n)) ->
    (forall v, 2 * mu / D - (1 - 2 / D) * r <= v <= 2 * mu / D + (1 - 2 / D) * r -> far_limit_point (bias n e) v) /\
    (forall v, limit_point (bias n e) v -> 2 * mu / D - (1 - 2 / D) * r <= v <= 2 * mu / D + (1 - 2 / D) * r) /\
    (forall gam, - r <= gam <= r -> exists v, far_limit_point (bias n e) v /\ Rabs (v - gam) <= 2 * (r + Rabs mu) / D) /\
    (exists gam, - r <= gam <= r /\ forall v, limit_point (bias n e) v -> 2 * (r + Rabs mu) / D <= Rabs (v - gam))) /\
  (expected_scores mean 1 theta0 n mu nu e -> independent (S n) (before (2 * PI) (before 1 (later theta0 n))) ->
    (forall v, - r <= v <= r -> far_limit_point (bias n e) v) /\ (forall v, limit_point (bias n e) v -> - r <= v <= r)).
Proof.
  intros Omega mean theta0 n mu nu e Hn r D. assert (R0 : 0 <= r) by apply sqrt_pos. pose proof PI_RGT_0 as P.
  assert (M : Rabs mu <= r) by (rewrite <- (pair_turns mu nu 0); apply pair_bound). apply abs_between in M.
  split; intros X H.
  - destruct n as [|N]; [lia|]. assert (I : 0 < INR (S N)) by (apply lt_0_INR; lia).
    assert (J : 0 < / INR (S N)) by (apply Rinv_0_lt_compat; exact I).
    assert (E1 : 2 * mu / D = / INR (S N) * mu) by (unfold D; field; lra).
    assert (E2 : (1 - 2 / D) * r = / INR (S N) * (INR N * r)) by (unfold D; rewrite S_INR in *; field; lra).
    assert (E3 : 2 * (r + Rabs mu) / D = / INR (S N) * (r + Rabs mu)) by (unfold D; field; lra).
    assert (E4 : r = / INR (S N) * (INR N * r) + / INR (S N) * r) by (rewrite S_INR in *; field; lra).
    rewrite E1, E2, E3. pose proof (pos_INR N) as N0.
    assert (IN : forall v, / INR (S N) * mu - / INR (S N) * (INR N * r) <= v <= / INR (S N) * mu + / INR (S N) * (INR N * r) ->
      far_limit_point (bias (S N) e) v).
    { intros v V. assert (G : exists gam, - r <= gam <= r /\ v = / INR (S N) * (mu + INR N * gam)).
      { destruct N as [|N'].
        - exists 0. split; [lra|]. simpl INR in *. rewrite Rinv_1 in *. lra.
        - assert (I' : 0 < INR (S N')) by (apply lt_0_INR; lia).
          exists ((INR (S (S N')) * v - mu) / INR (S N')). split; [|field; lra].
          assert (V' : - (INR (S N') * r) <= INR (S (S N')) * v - mu <= INR (S N') * r).
          { destruct V as [V1 V2]. apply (Rmult_le_compat_l (INR (S (S N')))) in V1, V2; try lra.
            rewrite Rmult_minus_distr_l, <- !Rmult_assoc, Rinv_r, !Rmult_1_l in V1 by lra.
            rewrite Rmult_plus_distr_l, <- !Rmult_assoc, Rinv_r, !Rmult_1_l in V2 by lra. lra. }
          split; apply (Rmult_le_reg_l (INR (S N'))); try exact I'; unfold Rdiv;
            rewrite (Rmult_comm (_ - _)), <- (Rmult_assoc _ (/ _)), Rinv_r, Rmult_1_l by lra; lra. }
      destruct G as [gam [G1 G2]]. destruct (pair_takes mu nu gam) as [beta B]; [fold r; apply Rabs_le; exact G1|].
      pose proof (steer_turns mean theta0 N mu nu e (fun _ => beta) X) as S0. unfold pair at 1 in S0. rewrite total_const, B, <- G2 in S0.
      apply S0. intros k Q. exists 0%Z. apply comb_zero, (free_with_1 _ _ _ H Q). }
    assert (OUT : forall v, limit_point (bias (S N) e) v ->
      / INR (S N) * mu - / INR (S N) * (INR N * r) <= v <= / INR (S N) * mu + / INR (S N) * (INR N * r)).
    { intros v V. apply (limit_between _ _ _ _ V). intros i j. rewrite (bias_turns mean _ _ _ _ _ i j X).
      set (T := total _ N). assert (B : Rabs T <= INR N * r) by (rewrite <- total_const; apply total_abs; intros; apply pair_bound).
      apply abs_between in B. rewrite <- Rmult_minus_distr_l, <- Rmult_plus_distr_l. split; apply Rmult_le_compat_l; lra. }
    split; [exact IN|split; [exact OUT|]].
    set (a := / INR (S N)) in *. set (h := a * (INR N * r)) in *. assert (H0 : 0 <= h) by (unfold h; apply Rmult_le_pos; nra).
    rewrite Rmult_plus_distr_l.
    assert (A1 : a * mu <= a * Rabs mu) by (apply Rmult_le_compat_l; [lra|apply Rle_abs]).
    assert (A2 : - (a * mu) <= a * Rabs mu).
    { rewrite Ropp_mult_distr_r. apply Rmult_le_compat_l; [lra|]. rewrite <- Rabs_Ropp. apply Rle_abs. }
    assert (A3 : 0 <= a * r) by (apply Rmult_le_pos; lra).
    split.
    + intros gam G. destruct (Rle_dec gam (a * mu - h)) as [Q|Q]; [|destruct (Rle_dec gam (a * mu + h)) as [Q'|Q']].
      * exists (a * mu - h). split; [apply IN; lra|]. apply Rabs_le. lra.
      * exists gam. split; [apply IN; lra|]. apply Rabs_le. lra.
      * exists (a * mu + h). split; [apply IN; lra|]. apply Rabs_le. lra.
    + destruct (Rle_dec 0 mu) as [Q|Q].
      * exists (- r). split; [lra|]. intros v V. apply OUT in V. rewrite (Rabs_pos_eq mu) by exact Q.
        pose proof (Rle_abs (v - - r)). lra.
      * exists r. split; [lra|]. intros v V. apply OUT in V. rewrite (Rabs_left mu) by lra.
        pose proof (Rle_abs (- (v - r))) as A. rewrite Rabs_Ropp in A. lra.
  - split.
    + intros v V. destruct (pair_takes mu nu v) as [beta B]; [fold r; apply Rabs_le; exact V|].
      pose proof (steer mean 1 theta0 n mu nu e (fun d => freq theta0 n d / (2 * PI)) (fun _ => beta) Hn X) as S0.
      unfold pair at 1 in S0. rewrite total_const, B in S0. assert (I : 0 < INR n) by (apply lt_0_INR; exact Hn).
      replace (/ INR n * (INR n * v)) with v in S0 by (field; lra). apply S0.
      * intros. field. lra.
      * intros k [z Z]. exists 0%Z. apply comb_zero. intros d D'. set (k' := fun d => match d with O => (- z)%Z | S d' => k d' end).
        apply (independent_integers _ _ k' H) with (d := S d); [|lia]. rewrite comb_before. unfold k' at 1. rewrite opp_IZR, <- Z.
        change (fun d => k' (S d)) with k. unfold comb.
        replace (- total (fun d => IZR (k d) * (freq theta0 n d / (2 * PI))) n * (2 * PI))
          with (- (2 * PI) * total (fun d => IZR (k d) * (freq theta0 n d / (2 * PI))) n) by ring.
        rewrite <- total_scal, <- total_plus, (total_ext _ (fun _ => 0)), total_const; [ring|].
        intros d0 _. rewrite <- freq_before. field. lra.
    + intros v V. apply (limit_between _ _ _ _ V). intros i j. apply abs_between, (bias_between mean 1 theta0 n mu nu e i j Hn X).
Qed.
