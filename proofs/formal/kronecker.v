(** Kronecker's theorem: the closure of an orbit (lambda x_1, ..., lambda x_N) mod 1, lambda an integer. *)
From Coq Require Import Reals Lra Lia Psatz Classical.
Open Scope R_scope.
Require Import rope_sums recurrence.

(** k.x over N coordinates. *)
Definition comb (k : nat -> Z) (x : nat -> R) (N : nat) : R := total (fun d => IZR (k d) * x d) N.
Definition integer (x : R) : Prop := exists z : Z, x = IZR z.
(** s and t are closer than eps, mod 1. *)
Definition near (eps s t : R) : Prop := exists p : Z, Rabs (s - t - IZR p) < eps.

Lemma total_le f g n : (forall d, (d < n)%nat -> f d <= g d) -> total f n <= total g n.
Proof. intros H. induction n; simpl; [lra|]. pose proof (H n ltac:(lia)). assert (total f n <= total g n) by (apply IHn; intros; apply H; lia). lra. Qed.

Lemma total_first f n : total f (S n) = f 0%nat + total (fun d => f (S d)) n.
Proof. induction n; [simpl; lra|]. change (total f (S (S n))) with (total f (S n) + f (S n)). rewrite IHn. simpl. lra. Qed.

Lemma total_one (v : nat -> R) j n : (j < n)%nat -> total (fun i => if Nat.eq_dec i j then v i else 0) n = v j.
Proof.
  assert (Z0 : forall n, (n <= j)%nat -> total (fun i => if Nat.eq_dec i j then v i else 0) n = 0).
  { clear n. induction n as [|n IH]; intros H; simpl; [reflexivity|]. destruct (Nat.eq_dec n j); [lia|]. rewrite IH by lia. lra. }
  induction n as [|n IH]; intros H; [lia|]. simpl. destruct (Nat.eq_dec n j) as [->|E]; [rewrite Z0 by lia; lra|].
  rewrite IH by lia. lra.
Qed.

Lemma total_reaches f v n : (0 < n)%nat -> INR n * v <= total f n -> exists d, (d < n)%nat /\ v <= f d.
Proof.
  induction n as [|[|n] IH]; intros H T; [lia|exists 0%nat; split; [lia|simpl in T; lra]|].
  destruct (Rle_dec v (f (S n))) as [Q|Q]; [exists (S n); split; [lia|exact Q]|].
  destruct IH as [d [D V]]; [lia| |exists d; split; [lia|exact V]].
  change (total f (S (S n))) with (total f (S n) + f (S n)) in T. rewrite (S_INR (S n)) in T. lra.
Qed.

Lemma nat_above x : exists n : nat, x < INR n.
Proof.
  exists (Z.to_nat (up x)). destruct (archimed x) as [A _]. apply Rlt_le_trans with (1 := A). rewrite INR_IZR_INZ. apply IZR_le. lia.
Qed.

(** ** Lower bounds of the mean over lambda = 0, 1, 2, ... *)
Definition low (f : nat -> R) (b : R) : Prop :=
  forall eps, 0 < eps -> exists L0, forall L, (L0 <= L)%nat -> INR L * (b - eps) <= total f L.

Lemma low_ext f g b : (forall l, f l = g l) -> low f b -> low g b.
Proof.
  intros E H eps He. destruct (H eps He) as [L0 HL]. exists L0. intros L Q. rewrite <- (total_ext f g); [apply HL, Q|intros; apply E].
Qed.

Lemma low_const x : low (fun _ => x) x.
Proof. intros eps He. exists 0%nat. intros L _. rewrite total_const. pose proof (pos_INR L). nra. Qed.

Lemma low_plus f g a b : low f a -> low g b -> low (fun l => f l + g l) (a + b).
Proof.
  intros F G eps He. destruct (F (eps / 2) ltac:(lra)) as [L0 H0]. destruct (G (eps / 2) ltac:(lra)) as [L1 H1].
  exists (Nat.max L0 L1). intros L Q. rewrite total_plus. pose proof (H0 L ltac:(lia)). pose proof (H1 L ltac:(lia)). nra.
Qed.

Lemma low_scal f b x : 0 <= x -> low f b -> low (fun l => x * f l) (x * b).
Proof.
  intros Hx H eps He. assert (P : 0 < eps / (x + 1)) by (apply Rdiv_lt_0_compat; lra).
  destruct (H _ P) as [L0 HL]. exists L0. intros L Q. rewrite total_scal. specialize (HL L Q).
  apply (Rmult_le_compat_l x) in HL; [|exact Hx]. apply Rle_trans with (2 := HL).
  assert (x * (eps / (x + 1)) <= eps).
  { replace eps with ((x + 1) * (eps / (x + 1))) at 2 by (field; lra). apply Rmult_le_compat_r; lra. }
  pose proof (pos_INR L). nra.
Qed.

Lemma low_total (f : nat -> nat -> R) b n : (forall i, low (f i) (b i)) -> low (fun l => total (fun i => f i l) n) (total b n).
Proof. intros H. induction n; simpl; [apply low_const|]. apply low_plus; [exact IHn|apply H]. Qed.

(** A cosine whose frequency is no integer has mean 0. *)
Lemma wave_sum f c L : 2 * sin (PI * f) * total (fun l => cos (2 * PI * (INR l * f + c))) L
  = sin (2 * PI * (INR L * f + c) - PI * f) - sin (2 * PI * c - PI * f).
Proof.
  induction L as [|L IH].
  - simpl. rewrite Rmult_0_l, Rplus_0_l. ring.
  - cbn [total]. rewrite Rmult_plus_distr_l, IH, S_INR. set (b := 2 * PI * (INR L * f + c)).
    replace (2 * PI * ((INR L + 1) * f + c) - PI * f) with (b + PI * f) by (unfold b; ring).
    rewrite sin_plus, (sin_minus b). ring.
Qed.

Lemma wave_low f c : ~ integer f -> low (fun l => cos (2 * PI * (INR l * f + c))) 0.
Proof.
  intros H eps He. assert (S0 : sin (PI * f) <> 0).
  { intros E. apply sin_eq_0_0 in E. destruct E as [z Z]. apply H. exists z. pose proof PI_RGT_0. nra. }
  assert (A : 0 < Rabs (sin (PI * f))) by (apply Rabs_pos_lt; exact S0).
  destruct (nat_above (/ Rabs (sin (PI * f)) / eps)) as [L0 HL]. exists L0. intros L Q.
  pose proof (wave_sum f c L) as W. set (T := total _ L) in *.
  pose proof (SIN_bound (2 * PI * (INR L * f + c) - PI * f)). pose proof (SIN_bound (2 * PI * c - PI * f)).
  assert (B : Rabs (sin (PI * f)) * Rabs T <= 1).
  { rewrite <- Rabs_mult. apply Rabs_le. lra. }
  apply le_INR in Q. assert (C : / Rabs (sin (PI * f)) <= INR L * eps).
  { apply Rlt_le, (Rmult_le_compat_r eps) in HL; [|lra]. unfold Rdiv in HL. rewrite Rmult_assoc, Rinv_l, Rmult_1_r in HL by lra. nra. }
  assert (D : Rabs T <= / Rabs (sin (PI * f))).
  { apply (Rmult_le_reg_l (Rabs (sin (PI * f)))); [exact A|]. rewrite Rinv_r by lra. exact B. }
  pose proof (Rle_abs (- T)) as N. rewrite Rabs_Ropp in N. lra.
Qed.

(** ** The kernel cos^(2p)(t/2): a sum of c_i c_j cos((i - j) t) with c >= 0. *)
Lemma binomial p : exists c : nat -> R, (forall i, 0 <= c i) /\ total c (S p) = 1 /\
  forall g t, total (fun m => c m * cos (g + INR m * t)) (S p) = cos (t / 2) ^ p * cos (g + INR p * (t / 2)).
Proof.
  induction p as [|p [c [C0 [C1 C2]]]].
  - exists (fun _ => 1). split; [intros; lra|]. split; [simpl; lra|]. intros g t. simpl. rewrite !Rmult_0_l. ring.
  - set (c' := fun m => / 2 * ((if le_dec m p then c m else 0) + match m with O => 0 | S m' => c m' end)).
    assert (H : forall h : nat -> R, total (fun m => c' m * h m) (S (S p)) = total (fun m => c m * (/ 2 * (h m + h (S m)))) (S p)).
    { intros h. rewrite (total_ext _ (fun m => (if le_dec m p then c m else 0) * (/ 2 * h m) + match m with O => 0 | S m' => c m' end * (/ 2 * h m))).
      2:{ intros d _. unfold c'. ring. }
      rewrite total_plus, (total_first (fun m => match m with O => 0 | S m' => c m' end * (/ 2 * h m))).
      change (total (fun m => (if le_dec m p then c m else 0) * (/ 2 * h m)) (S (S p)))
        with (total (fun m => (if le_dec m p then c m else 0) * (/ 2 * h m)) (S p) + (if le_dec (S p) p then c (S p) else 0) * (/ 2 * h (S p))).
      destruct (le_dec (S p) p) as [Q|_]; [lia|]. rewrite Rmult_0_l, Rmult_0_l, Rplus_0_l, Rplus_0_r, <- total_plus.
      apply total_ext. intros d D. destruct (le_dec d p); [ring|lia]. }
    exists c'. split; [|split].
    + intros i. unfold c'. pose proof (C0 i). assert (0 <= match i with O => 0 | S m' => c m' end) by (destruct i; [lra|apply C0]).
      destruct (le_dec i p); lra.
    + rewrite (total_ext c' (fun m => c' m * 1)) by (intros; ring). rewrite (H (fun _ => 1)).
      apply eq_trans with (2 := C1), total_ext. intros. field.
    + intros g t. rewrite H. rewrite (total_ext _ (fun m => cos (t / 2) * (c m * cos ((g + t / 2) + INR m * t)))).
      2:{ intros d _. rewrite S_INR. set (u := g + t / 2 + INR d * t).
          replace (g + INR d * t) with (u - t / 2) by (unfold u; field).
          replace (g + (INR d + 1) * t) with (u + t / 2) by (unfold u; field).
          rewrite cos_plus, cos_minus. field. }
      rewrite total_scal, C2, (S_INR p). simpl. rewrite Rmult_assoc. do 3 f_equal. field.
Qed.

Lemma kernel p : exists c : nat -> R, (forall i, 0 <= c i) /\ / INR (S p) <= total (fun i => c i * c i) (S p) /\
  forall g t, total (fun j => total (fun i => c j * c i * cos (g + (INR i - INR j) * t)) (S p)) (S p) = (cos (t / 2) ^ 2) ^ p * cos g.
Proof.
  destruct (binomial p) as [c [C0 [C1 C2]]]. exists c. split; [exact C0|]. split.
  - assert (P : 0 < INR (S p)) by (apply lt_0_INR; lia). set (a := / INR (S p)).
    apply Rle_trans with (total (fun i => 2 * a * c i + - (a * a)) (S p)).
    + rewrite total_plus, total_scal, C1, total_const. unfold a. right. field. lra.
    + apply total_le. intros d _. pose proof (Rle_0_sqr (c d - a)) as Q. unfold Rsqr in Q. lra.
  - intros g t. rewrite (total_ext _ (fun j => cos (t / 2) ^ p * (c j * cos ((g + INR p * (t / 2)) + INR j * - t)))).
    + rewrite total_scal, C2. replace (- t / 2) with (- (t / 2)) by field. rewrite cos_neg, <- Rmult_assoc, <- Rpow_mult_distr.
      f_equal; [f_equal; ring|f_equal; ring].
    + intros j _. rewrite (total_ext _ (fun i => c j * (c i * cos ((g - INR j * t) + INR i * t)))).
      2:{ intros i _. replace (g + (INR i - INR j) * t) with (g - INR j * t + INR i * t) by ring. ring. }
      rewrite total_scal, C2. replace (g - INR j * t + INR p * (t / 2)) with (g + INR p * (t / 2) + INR j * - t) by field. ring.
Qed.

(** The product of the kernels at lambda x - y. *)
Fixpoint weight (p : nat) (x y : nat -> R) (N : nat) (l : nat) : R :=
  match N with O => 1 | S m => weight p x y m l * (cos (PI * (INR l * x m - y m)) ^ 2) ^ p end.

Lemma cos2_unit t : 0 <= cos t ^ 2 <= 1.
Proof. pose proof (sin2_cos2 t) as E. unfold Rsqr in E. nra. Qed.

Lemma pow_unit a p : 0 <= a <= 1 -> 0 <= a ^ p <= 1.
Proof. intros H. induction p; simpl; [lra|nra]. Qed.

Lemma weight_le p x y N l : 0 <= weight p x y N l <= 1 /\
  forall d, (d < N)%nat -> weight p x y N l <= (cos (PI * (INR l * x d - y d)) ^ 2) ^ p.
Proof.
  induction N as [|N [IH1 IH2]]; simpl; [split; [lra|intros; lia]|].
  pose proof (pow_unit _ p (cos2_unit (PI * (INR l * x N - y N)))) as U. simpl in U. set (u := (_ * _) ^ p) in *. split; [nra|].
  intros d D. destruct (Nat.eq_dec d N) as [->|E]; [fold u; nra|]. specialize (IH2 d ltac:(lia)). simpl in IH2. nra.
Qed.

(** Every wave whose relations to x are those of its phase to y has a mean of at least 0 under the weight. *)
Definition fits (x y : nat -> R) (N : nat) (f g : R) : Prop :=
  forall k, integer (f + comb k x N) -> integer (g - comb k y N).

Lemma weight_low p x y N f g : fits x y N f g ->
  let F := fun l => weight p x y N l * cos (2 * PI * (INR l * f + g)) in
  low F 0 /\ (f = 0 -> g = 0 -> low F ((/ INR (S p)) ^ N)).
Proof.
  destruct (kernel p) as [c [C0 [C1 C2]]]. revert f g. induction N as [|N IH]; intros f g H F.
  - assert (E : forall l, cos (2 * PI * (INR l * f + g)) = F l) by (intros; unfold F; simpl; ring). split.
    + destruct (classic (integer f)) as [Q|Q]; [|apply (low_ext _ _ _ E), wave_low, Q].
      destruct (H (fun _ => 0%Z)) as [z Z]; [destruct Q as [z ->]; exists z; unfold comb; simpl; ring|].
      unfold comb in Z. simpl in Z. rewrite Rminus_0_r in Z. destruct Q as [w W].
      apply (low_ext (fun _ => 1)).
      * intros l. rewrite <- E, W, Z, (INR_IZR_INZ l), <- mult_IZR, <- plus_IZR.
        rewrite <- (Rplus_0_l (2 * PI * _)), turn_cos. symmetry. apply cos_0.
      * intros eps He. exists 0%nat. intros L _. rewrite total_const. pose proof (pos_INR L). nra.
    + intros -> ->. apply (low_ext (fun _ => 1)); [|apply low_const].
      intros l. rewrite <- E, Rmult_0_r, Rplus_0_l, Rmult_0_r, cos_0. reflexivity.
  - set (m := fun i j : nat => (Z.of_nat i - Z.of_nat j)%Z).
    set (G := fun j i l => weight p x y N l * cos (2 * PI * (INR l * (f + IZR (m i j) * x N) + (g - IZR (m i j) * y N)))).
    assert (E : forall l, total (fun j => total (fun i => c j * c i * G j i l) (S p)) (S p) = F l).
    { intros l. unfold F. cbn [weight]. replace (PI * (INR l * x N - y N)) with (2 * PI * (INR l * x N - y N) / 2) by field.
      rewrite Rmult_assoc, <- C2, <- total_scal. apply total_ext. intros j _. rewrite <- total_scal. apply total_ext. intros i _.
      unfold G, m. rewrite minus_IZR, <- !INR_IZR_INZ.
      replace (2 * PI * (INR l * (f + (INR i - INR j) * x N) + (g - (INR i - INR j) * y N)))
        with (2 * PI * (INR l * f + g) + (INR i - INR j) * (2 * PI * (INR l * x N - y N))) by ring. ring. }
    assert (K : forall i j, fits x y N (f + IZR (m i j) * x N) (g - IZR (m i j) * y N)).
    { intros i j k Q. set (k' := fun d => if Nat.eq_dec d N then m i j else k d).
      assert (S0 : forall w, comb k' w (S N) = comb k w N + IZR (m i j) * w N).
      { intros w. unfold comb, k'. cbn [total]. destruct (Nat.eq_dec N N) as [_|X]; [|contradiction]. f_equal.
        apply total_ext. intros d D. destruct (Nat.eq_dec d N); [lia|reflexivity]. }
      specialize (H k'). rewrite !S0 in H.
      replace (g - IZR (m i j) * y N - comb k y N) with (g - (comb k y N + IZR (m i j) * y N)) by ring. apply H.
      replace (f + (comb k x N + IZR (m i j) * x N)) with (f + IZR (m i j) * x N + comb k x N) by ring. exact Q. }
    split.
    + apply (low_ext _ _ _ E). replace 0 with (total (fun _ : nat => total (fun _ : nat => 0) (S p)) (S p)).
      2:{ rewrite !total_const. ring. }
      apply low_total. intros j. apply low_total. intros i. rewrite <- (Rmult_0_r (c j * c i)).
      apply low_scal; [apply Rmult_le_pos; apply C0|]. apply IH, K.
    + intros Hf Hg. apply (low_ext _ _ _ E). set (a := (/ INR (S p)) ^ N).
      assert (A : 0 <= a) by (apply pow_le; left; apply Rinv_0_lt_compat, lt_0_INR; lia).
      assert (B : low (fun l => total (fun j => total (fun i => c j * c i * G j i l) (S p)) (S p))
        (total (fun j => total (fun i => if Nat.eq_dec i j then c j * c i * a else 0) (S p)) (S p))).
      { apply low_total. intros j. apply low_total. intros i. destruct (Nat.eq_dec i j) as [->|_].
        - apply low_scal; [apply Rmult_le_pos; apply C0|]. apply IH; [apply K| |]; unfold m; rewrite Z.sub_diag; lra.
        - rewrite <- (Rmult_0_r (c j * c i)). apply low_scal; [apply Rmult_le_pos; apply C0|]. apply IH, K. }
      rewrite (total_ext _ (fun j => a * (c j * c j))) in B.
      2:{ intros j D. rewrite (total_one (fun i => c j * c i * a)) by exact D. ring. }
      rewrite total_scal in B. intros eps He. destruct (B eps He) as [L0 HL]. exists L0. intros L Q. specialize (HL L Q).
      apply Rle_trans with (2 := HL). apply Rmult_le_compat_l; [apply pos_INR|]. change ((/ INR (S p)) ^ S N) with (/ INR (S p) * a).
      apply (Rmult_le_compat_l a) in C1; [|exact A]. lra.
Qed.

(** ** A geometric sequence beats every power of p. *)
Lemma geometric_bound N : forall s, 0 < s < 1 -> exists B, forall p, s ^ p * INR (S p) ^ N <= B.
Proof.
  assert (ONE : forall s, 0 < s < 1 -> exists B, forall p, s ^ p * INR (S p) <= B).
  { intros s H. set (h := / s - 1). assert (I : 1 < / s) by (rewrite <- Rinv_1; apply Rinv_lt_contravar; lra).
    assert (Hh : 0 < h) by (unfold h; lra). exists (1 + / h). intros p. pose proof (poly p h Hh) as P.
    assert (E : s ^ p * (1 + h) ^ p = 1).
    { rewrite <- Rpow_mult_distr. replace (s * (1 + h)) with 1 by (unfold h; field; lra). apply pow1. }
    assert (Q : 0 < s ^ p) by (apply pow_lt; lra). apply (Rmult_le_compat_l (s ^ p)) in P; [|lra]. rewrite E in P.
    pose proof (pow_unit s p ltac:(lra)). rewrite S_INR, Rmult_plus_distr_l, Rmult_1_r.
    cut (s ^ p * INR p <= / h); [lra|]. apply (Rmult_le_reg_r h); [exact Hh|]. rewrite Rinv_l by lra. nra. }
  induction N as [|N IH]; intros s H.
  - exists 1. intros p. rewrite pow_O, Rmult_1_r. pose proof (pow_unit s p ltac:(lra)). lra.
  - set (q := sqrt s). assert (Q : q * q = s) by (apply sqrt_sqrt; lra). assert (0 < q) by (apply sqrt_lt_R0; lra).
    assert (Q1 : 0 < q < 1) by (split; [assumption|nra]). destruct (IH q Q1) as [B HB]. destruct (ONE q Q1) as [C HC].
    exists (B * C). intros p. rewrite <- Q, Rpow_mult_distr. change (INR (S p) ^ S N) with (INR (S p) * INR (S p) ^ N).
    replace (q ^ p * q ^ p * (INR (S p) * INR (S p) ^ N)) with (q ^ p * INR (S p) ^ N * (q ^ p * INR (S p))) by ring.
    assert (P : 0 <= INR (S p)) by apply pos_INR. assert (0 <= q ^ p) by (apply pow_le; lra).
    assert (0 <= INR (S p) ^ N) by (apply pow_le; exact P).
    apply Rmult_le_compat; [apply Rmult_le_pos; assumption|apply Rmult_le_pos; assumption|apply HB|apply HC].
Qed.

Lemma geometric_beats s N : 0 < s < 1 -> exists p, s ^ p < (/ INR (S p)) ^ N / 2.
Proof.
  intros H. destruct (geometric_bound (S N) s H) as [B HB]. destruct (nat_above (2 * B)) as [p P]. exists p.
  specialize (HB p). assert (Q : 0 < INR (S p)) by (apply lt_0_INR; lia). change (INR (S p) ^ S N) with (INR (S p) * INR (S p) ^ N) in HB.
  assert (X : 0 < INR (S p) ^ N) by (apply pow_lt; exact Q).
  rewrite pow_inv. apply (Rmult_lt_reg_r (INR (S p) ^ N)); [exact X|].
  replace (/ INR (S p) ^ N / 2 * INR (S p) ^ N) with (/ 2) by (field; lra).
  apply (Rmult_lt_reg_l (INR (S p))); [exact Q|].
  replace (INR (S p) * (s ^ p * INR (S p) ^ N)) with (s ^ p * (INR (S p) * INR (S p) ^ N)) by ring.
  apply Rle_lt_trans with (1 := HB). rewrite S_INR. lra.
Qed.

(** A cosine near 1 belongs to an angle near a whole turn. *)
Lemma near_turn eps : 0 < eps -> exists s, 0 < s < 1 /\ forall t, s < cos (PI * t) ^ 2 -> exists p : Z, Rabs (t - IZR p) < eps.
Proof.
  intros He. set (e := Rmin eps (1 / 4)). assert (E0 : 0 < e) by (apply Rmin_glb_lt; lra).
  pose proof (Rmin_l eps (1 / 4)) as E1. pose proof (Rmin_r eps (1 / 4)) as E2. fold e in E1, E2. pose proof PI_RGT_0 as P.
  assert (C0 : 0 < cos (PI * e)) by (apply cos_gt_0; nra).
  assert (C1 : cos (PI * e) < 1) by (rewrite <- cos_0; apply cos_decreasing_1; nra).
  exists (cos (PI * e) ^ 2). split; [nra|]. intros t H.
  destruct (archimed (t - 1 / 2)) as [A1 A2]. set (p := up (t - 1 / 2)) in *. exists p. set (u := t - IZR p).
  assert (U : Rabs u <= 1 / 2) by (apply Rabs_le; unfold u; lra).
  assert (X : cos (PI * t) ^ 2 = cos (PI * Rabs u) ^ 2).
  { assert (D : forall v, cos v ^ 2 = (1 + cos (2 * v)) / 2) by (intros v; rewrite cos_2a_cos; field). rewrite !D. do 2 f_equal.
    replace (2 * (PI * t)) with (2 * (PI * u) + 2 * PI * IZR p) by (unfold u; ring). rewrite turn_cos.
    unfold Rabs. destruct (Rcase_abs u); [|reflexivity]. rewrite <- cos_neg. f_equal. ring. }
  destruct (Rlt_dec (Rabs u) e) as [Q|Q]; [lra|]. exfalso. apply Rnot_lt_le in Q. rewrite X in H.
  assert (cos (PI * Rabs u) <= cos (PI * e)) by (apply cos_decr_1; nra).
  assert (0 <= cos (PI * Rabs u)) by (apply cos_ge_0; nra). nra.
Qed.

(** Kronecker's theorem: where y has the relations of x, lambda x comes near y at arbitrarily large lambda. *)
Theorem kronecker N x y : (forall k, integer (comb k x N) -> integer (comb k y N)) ->
  forall eps (M : nat), 0 < eps -> exists lam : nat, (M <= lam)%nat /\ forall d, (d < N)%nat -> near eps (INR lam * x d) (y d).
Proof.
  intros H eps M He. destruct (near_turn eps He) as [s [S0 HS]]. destruct (geometric_beats s N S0) as [p P].
  set (y' := fun d => y d - INR M * x d).
  assert (F : fits x y' N 0 0).
  { intros k Q. rewrite Rplus_0_l in Q. destruct (H k Q) as [w W]. destruct Q as [z Z]. exists (Z.of_nat M * z - w)%Z.
    rewrite minus_IZR, mult_IZR, <- INR_IZR_INZ, <- Z, <- W. unfold comb, y'. rewrite <- total_scal, total_minus.
    replace (0 - total (fun d => IZR (k d) * (y d - INR M * x d)) N) with (-1 * total (fun d => IZR (k d) * (y d - INR M * x d)) N) by ring.
    rewrite <- total_scal. apply total_ext. intros. ring. }
  destruct (weight_low p x y' N 0 0 F) as [_ L]. specialize (L eq_refl eq_refl). set (a := (/ INR (S p)) ^ N) in *.
  assert (A : 0 < a) by (apply pow_lt, Rinv_0_lt_compat, lt_0_INR; lia).
  destruct (L (a / 2) ltac:(lra)) as [L0 HL]. specialize (HL (S L0) ltac:(lia)).
  destruct (total_reaches _ _ _ (Nat.lt_0_succ L0) HL) as [l [_ V]]. exists (M + l)%nat. split; [lia|]. intros d D.
  destruct (weight_le p x y' N l) as [_ B]. specialize (B d D). cbn beta in V.
  rewrite Rmult_0_r, Rplus_0_l, Rmult_0_r, cos_0, Rmult_1_r in V.
  destruct (HS (INR l * x d - y' d)) as [q Q].
  - destruct (Rlt_dec s (cos (PI * (INR l * x d - y' d)) ^ 2)) as [Q|Q]; [exact Q|]. exfalso. apply Rnot_lt_le in Q.
    pose proof (pow_incr _ _ p (conj (proj1 (cos2_unit _)) Q)). lra.
  - exists q. rewrite plus_INR. replace ((INR M + INR l) * x d - y d) with (INR l * x d - y' d) by (unfold y'; ring). exact Q.
Qed.

(** What comes arbitrarily near an integer is one. *)
Lemma integer_near v : (forall eps, 0 < eps -> exists z : Z, Rabs (v - IZR z) < eps) -> integer v.
Proof.
  intros H. destruct (H (1 / 4) ltac:(lra)) as [z Z]. destruct (Req_dec v (IZR z)) as [E|E]; [exists z; exact E|].
  assert (P : 0 < Rabs (v - IZR z)) by (apply Rabs_pos_lt; lra). destruct (H _ P) as [w W].
  assert (w = z); [|subst; lra]. apply Rabs_def2 in Z. assert (Rabs (v - IZR w) < 1 / 4) by (unfold Rabs in *; repeat destruct Rcase_abs; lra).
  apply Rabs_def2 in H0. assert (IZR w < IZR z + 1) by lra. assert (IZR z < IZR w + 1) by lra.
  rewrite <- plus_IZR in *. apply lt_IZR in H1, H2. lia.
Qed.

(** claim: thm-2.1.orbit, whole, proved
    y is in the closure of the orbit, mod 1, if and only if it has every integer relation that x has; for any N real numbers. *)
Theorem orbit_closure : forall N x y,
  (forall eps, 0 < eps -> exists lam : Z, forall d, (d < N)%nat -> near eps (IZR lam * x d) (y d)) <->
  (forall k, integer (comb k x N) -> integer (comb k y N)).
Proof.
  intros N x y. split.
  - intros H k [z Hz]. apply integer_near. intros eps He.
    set (K := total (fun d => Rabs (IZR (k d))) N). assert (K0 : 0 <= K).
    { rewrite <- (Rmult_0_r (INR N)), <- total_const. apply total_le. intros. apply Rabs_pos. }
    assert (E : 0 < eps / (K + 1)) by (apply Rdiv_lt_0_compat; lra). destruct (H _ E) as [lam L].
    assert (X : forall n, (n <= N)%nat -> exists q : Z,
      Rabs (IZR lam * comb k x n - comb k y n - IZR q) <= total (fun d => Rabs (IZR (k d))) n * (eps / (K + 1))).
    { induction n as [|n IH]; intros Hn; [exists 0%Z; unfold comb; simpl; rewrite Rmult_0_r, !Rminus_0_r, Rabs_R0; lra|].
      destruct (IH ltac:(lia)) as [q Q]. destruct (L n ltac:(lia)) as [p P]. exists (q + k n * p)%Z.
      unfold comb in *. cbn [total]. rewrite plus_IZR, mult_IZR, Rmult_plus_distr_r.
      set (cx := total (fun d => IZR (k d) * x d) n) in *. set (cy := total (fun d => IZR (k d) * y d) n) in *.
      replace (IZR lam * (cx + IZR (k n) * x n) - (cy + IZR (k n) * y n) - (IZR q + IZR (k n) * IZR p))
        with ((IZR lam * cx - cy - IZR q) + IZR (k n) * (IZR lam * x n - y n - IZR p)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat; [exact Q|]. rewrite Rabs_mult.
      apply Rmult_le_compat_l; [apply Rabs_pos|left; exact P]. }
    destruct (X N (le_n _)) as [q Q]. rewrite Hz in Q. fold K in Q. exists (lam * z - q)%Z.
    rewrite minus_IZR, mult_IZR, <- Rabs_Ropp.
    replace (- (comb k y N - (IZR lam * IZR z - IZR q))) with (IZR lam * IZR z - comb k y N - IZR q) by ring.
    apply Rle_lt_trans with (1 := Q). apply (Rmult_lt_reg_r (K + 1)); [lra|].
    replace (K * (eps / (K + 1)) * (K + 1)) with (K * eps) by (field; lra). nra.
  - intros H eps He. destruct (kronecker N x y H eps 0%nat He) as [lam [_ L]]. exists (Z.of_nat lam).
    intros d D. rewrite <- INR_IZR_INZ. apply L, D.
Qed.
