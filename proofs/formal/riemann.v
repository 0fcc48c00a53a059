(** A wave of exponentially falling phase: its Riemann sums and its integrals. Everything in appendices C and E rests on
    f(x) = u cos phi(x) + v sin phi(x), phi(x) = A e^-Lx. *)
From Coq Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
Open Scope R_scope.
Require Import rope_sums.

Section Wave.
Variables A L u v : R.
Hypothesis HA : 0 < A.
Hypothesis HL : 0 < L.
Definition phi x := A * exp (- (L * x)).
Definition f x := u * cos (phi x) + v * sin (phi x).
Let r := sqrt (u * u + v * v).

Lemma phi_pos x : 0 < phi x.
Proof. unfold phi. pose proof (exp_pos (- (L * x))). nra. Qed.
Lemma phi_down x y : x <= y -> phi y <= phi x.
Proof.
  intros H. unfold phi. apply Rmult_le_compat_l; [lra|].
  destruct (Req_dec x y) as [E|E]; [subst; lra|left; apply exp_increasing; nra].
Qed.
Lemma phi_derive x : is_derive phi x (- L * phi x).
Proof. unfold phi. auto_derive; [trivial|ring]. Qed.
Lemma phi_at y : 0 < y -> phi (ln (A / y) / L) = y.
Proof.
  intros Hy. unfold phi. replace (L * (ln (A / y) / L)) with (ln (A / y)) by (field; lra).
  rewrite exp_Ropp, exp_ln by (apply Rdiv_lt_0_compat; lra). field. lra.
Qed.
Lemma phi_lt x y : phi x < phi y -> y < x.
Proof. intros H. destruct (Rle_or_lt x y) as [Q|Q]; [|exact Q]. apply phi_down in Q. lra. Qed.

Lemma f_cont x : continuous f x.
Proof. apply (ex_derive_continuous f). unfold f, phi. auto_derive. trivial. Qed.
Lemma f_int a b : ex_RInt f a b.
Proof. apply (@ex_RInt_continuous R_CompleteNormedModule). intros; apply f_cont. Qed.
Lemma f_chasles a b d : RInt f a d = RInt f a b + RInt f b d.
Proof. symmetry. apply (RInt_Chasles f a b d (f_int _ _) (f_int _ _)). Qed.
Lemma r_pos : 0 <= r.
Proof. apply sqrt_pos. Qed.
Lemma f_le x : Rabs (f x) <= r.
Proof. apply wave_le. Qed.

(** ** One cell, and all of them. *)
Lemma one_step b h : 0 <= h -> Rabs (h * f b - RInt f b (b + h)) <= h * (r * (phi b - phi (b + h))).
Proof.
  intros Hh.
  replace (h * f b - RInt f b (b + h)) with (RInt (fun x => f b - f x) b (b + h)).
  - replace (h * (r * (phi b - phi (b + h)))) with ((b + h - b) * (r * (phi b - phi (b + h)))) by ring.
    apply abs_RInt_le_const; [lra| |].
    + apply (@ex_RInt_minus R_NormedModule); [apply ex_RInt_const|apply f_int].
    + intros t [T1 T2]. eapply Rle_trans; [apply pair_lipschitz|]. apply Rmult_le_compat_l; [apply r_pos|].
      pose proof (phi_down _ _ T1). pose proof (phi_down _ _ T2). rewrite Rabs_pos_eq; lra.
  - rewrite (@RInt_minus R_CompleteNormedModule) by (try apply ex_RInt_const; apply f_int).
    rewrite RInt_const. unfold minus, plus, opp, scal; simpl. unfold mult; simpl. ring.
Qed.

(** The sum of g d over k <= d < k + m. *)
Fixpoint from (g : nat -> R) k m := match m with O => 0 | S j => from g k j + g (k + j)%nat end.

Lemma split g k m : total g (k + m) = total g k + from g k m.
Proof. induction m; simpl; [rewrite Nat.add_0_r; ring|]. rewrite <- plus_n_Sm; simpl. rewrite IHm; ring. Qed.

Lemma riemann_from h k m : 0 <= h ->
  Rabs (h * from (fun d => f (INR d * h)) k m - RInt f (INR k * h) (INR (k + m) * h))
  <= h * (r * (phi (INR k * h) - phi (INR (k + m) * h))).
Proof.
  intros Hh. induction m as [|m IH]; simpl from.
  - rewrite Nat.add_0_r, RInt_point. unfold zero; simpl. rewrite Rmult_0_r, Rminus_0_r, Rabs_R0. right; ring.
  - replace (INR (k + S m) * h) with (INR (k + m) * h + h) by (rewrite <- plus_n_Sm, S_INR; ring).
    rewrite (f_chasles (INR k * h) (INR (k + m) * h) (INR (k + m) * h + h)).
    pose proof (one_step (INR (k + m) * h) h Hh) as P.
    match goal with |- Rabs ?x <= _ => replace x with
      ((h * from (fun d => f (INR d * h)) k m - RInt f (INR k * h) (INR (k + m) * h))
       + (h * f (INR (k + m) * h) - RInt f (INR (k + m) * h) (INR (k + m) * h + h))) by ring end.
    eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

Lemma RInt_abs a b : a <= b -> Rabs (RInt f a b) <= (b - a) * r.
Proof. intros H. apply abs_RInt_le_const; [exact H|apply f_int|]. intros; apply f_le. Qed.

Lemma total_f h n : Rabs (total (fun d => f (INR d * h)) n) <= INR n * r.
Proof. rewrite <- total_const. apply total_abs. intros; apply f_le. Qed.

(** Half the sum against half the integral, any number of terms. *)
Lemma riemann_plain n : (0 < n)%nat ->
  Rabs (/ (2 * INR n) * total (fun d => f (INR d * / INR n)) n - / 2 * RInt f 0 1) <= r * A / (2 * INR n).
Proof.
  intros Hn. assert (N : 0 < INR n) by (apply lt_0_INR; exact Hn).
  assert (I : 0 < / INR n) by (apply Rinv_0_lt_compat; lra).
  pose proof (riemann_from (/ INR n) 0 n ltac:(lra)) as P. simpl (0 + n)%nat in P.
  pose proof (split (fun d => f (INR d * / INR n)) 0 n) as Q. simpl (0 + n)%nat in Q. cbn [total] in Q. rewrite Rplus_0_l in Q.
  rewrite <- Q in P. rewrite Rinv_r in P by lra. simpl (INR 0) in P. rewrite Rmult_0_l in P.
  assert (Z : phi 0 = A) by (unfold phi; rewrite Rmult_0_r, Ropp_0, exp_0; ring). rewrite Z in P.
  pose proof (phi_pos 1). pose proof r_pos.
  match goal with |- Rabs ?x <= _ => replace x with (/ 2 * (/ INR n * total (fun d => f (INR d * / INR n)) n - RInt f 0 1)) by (field; lra) end.
  rewrite Rabs_mult, (Rabs_pos_eq (/ 2)) by lra.
  replace (r * A / (2 * INR n)) with (/ 2 * (/ INR n * (r * A))) by (field; lra).
  apply Rmult_le_compat_l; [lra|]. eapply Rle_trans; [exact P|]. apply Rmult_le_compat_l; [lra|].
  apply Rmult_le_compat_l; lra.
Qed.

Lemma exp_half : exp (/ 2) <= 2.
Proof.
  assert (E : exp (/ 2) * exp (/ 2) = exp 1) by (rewrite <- exp_plus; f_equal; lra).
  pose proof exp_le_3. pose proof (exp_pos (/ 2)). nra.
Qed.

(** Eqs 42 to 51: the same with epsilon of eq 26, for D > 4L and every alpha > 0. *)
Lemma riemann_alpha n alpha : (0 < n)%nat -> 0 < alpha -> 4 * L < 2 * INR n ->
  Rabs (/ (2 * INR n) * total (fun d => f (INR d * / INR n)) n - / 2 * RInt f 0 1)
  <= r * (alpha + 2 * A * exp (- (L * alpha)) / (2 * INR n)).
Proof.
  intros Hn Ha HD. assert (N : 0 < INR n) by (apply lt_0_INR; exact Hn).
  set (h := / INR n). assert (Hh : 0 < h) by (apply Rinv_0_lt_compat; lra).
  assert (nh : INR n * h = 1) by (unfold h; apply Rinv_r; lra).
  pose proof (exp_pos (- (L * alpha))) as E1. pose proof r_pos as Hr.
  replace (/ (2 * INR n)) with (/ 2 * h) by (unfold h; field; lra).
  replace (2 * A * exp (- (L * alpha)) / (2 * INR n)) with (h * (A * exp (- (L * alpha)))) by (unfold h; field; lra).
  assert (X2 : 0 < h * (A * exp (- (L * alpha)))) by (apply Rmult_lt_0_compat; [lra|apply Rmult_lt_0_compat; lra]).
  match goal with |- Rabs ?x <= _ => replace x with (/ 2 * (h * total (fun d => f (INR d * h)) n - RInt f 0 1)) by ring end.
  rewrite Rabs_mult, (Rabs_pos_eq (/ 2)) by lra.
  destruct (Rle_or_lt 1 alpha) as [Big|Small].
  { pose proof (total_f h n) as T. pose proof (RInt_abs 0 1 ltac:(lra)) as I.
    assert (Rabs (h * total (fun d => f (INR d * h)) n - RInt f 0 1) <= 2 * r); [|nra].
    unfold Rminus. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp, Rabs_mult, (Rabs_pos_eq h) by lra.
    apply (Rmult_le_compat_l h) in T; [|lra]. replace (h * (INR n * r)) with (INR n * h * r) in T by ring. rewrite nh in T. lra. }
  (* k = floor (alpha n) *)
  destruct (archimed (alpha * INR n)) as [U1 U2]. set (z := (up (alpha * INR n) - 1)%Z).
  assert (Z1 : IZR z <= alpha * INR n) by (unfold z; rewrite minus_IZR; lra).
  assert (Z2 : alpha * INR n < IZR z + 1) by (unfold z; rewrite minus_IZR; lra).
  assert (Z0 : (0 <= z)%Z). { assert (-1 < z)%Z by (apply lt_IZR; nra). lia. }
  set (k := Z.to_nat z). assert (Kz : INR k = IZR z) by (unfold k; rewrite INR_IZR_INZ, Z2Nat.id; auto).
  assert (Kn : (k <= n)%nat). { apply INR_le. rewrite Kz. nra. }
  rewrite <- Kz in Z1, Z2.
  set (F := fun d => f (INR d * h)).
  assert (SP : total F n = total F k + from F k (n - k)) by (rewrite <- split; f_equal; lia).
  pose proof (riemann_from h k (n - k) ltac:(lra)) as RS. fold F in RS.
  replace (k + (n - k))%nat with n in RS by lia. rewrite nh in RS.
  pose proof (total_f h k) as T. fold F in T.
  assert (kh : 0 <= INR k * h) by (apply Rmult_le_pos; [apply pos_INR|lra]).
  assert (kha : INR k * h <= alpha).
  { apply (Rmult_le_compat_r h) in Z1; [|lra]. rewrite Rmult_assoc, nh in Z1. lra. }
  assert (akh : alpha - h <= INR k * h).
  { apply Rlt_le in Z2. apply (Rmult_le_compat_r h) in Z2; [|lra]. rewrite Rmult_assoc, nh in Z2. lra. }
  pose proof (RInt_abs 0 (INR k * h) kh) as I.
  rewrite SP, (f_chasles 0 (INR k * h) 1).
  set (S2 := from F k (n - k)) in *. set (I2 := RInt f (INR k * h) 1) in *. set (I1 := RInt f 0 (INR k * h)) in *.
  replace (h * (total F k + S2) - (I1 + I2)) with (h * total F k + (- I1) + (h * S2 - I2)) by ring.
  assert (EK : phi (INR k * h) <= 2 * (A * exp (- (L * alpha)))).
  { unfold phi. assert (exp (- (L * (INR k * h))) <= 2 * exp (- (L * alpha))); [|nra].
    assert (L * h <= / 2).
    { apply (Rmult_lt_compat_r h) in HD; [|lra]. rewrite (Rmult_assoc 2), nh in HD. lra. }
    apply Rle_trans with (exp (/ 2 + - (L * alpha))).
    - destruct (Rle_lt_or_eq_dec (- (L * (INR k * h))) (/ 2 + - (L * alpha))) as [Q|Q];
        [apply (Rmult_le_compat_l L) in akh; [|lra]; lra|left; apply exp_increasing; exact Q|rewrite Q; lra].
    - rewrite exp_plus. pose proof exp_half. nra. }
  assert (B : Rabs (h * S2 - I2) <= h * (r * (2 * (A * exp (- (L * alpha)))))).
  { eapply Rle_trans; [exact RS|]. apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat_l; [lra|]. pose proof (phi_pos 1). lra. }
  assert (B1 : Rabs (h * total F k) <= alpha * r).
  { rewrite Rabs_mult, (Rabs_pos_eq h) by lra. apply (Rmult_le_compat_l h) in T; [|lra].
    apply (Rmult_le_compat_r r) in kha; [|lra]. lra. }
  assert (B2 : Rabs (- I1) <= alpha * r).
  { rewrite Rabs_Ropp. apply (Rmult_le_compat_r r) in kha; [|lra]. lra. }
  pose proof (Rabs_triang (h * total F k + - I1) (h * S2 - I2)). pose proof (Rabs_triang (h * total F k) (- I1)).
  nra.
Qed.

(** ** Integrals, by comparison with a primitive. *)
Lemma compare s F e a b : a <= b -> (forall x, is_derive F x (e x)) -> (forall x, continuous e x) ->
  (forall x, a <= x <= b -> s * f x <= e x) -> s * RInt f a b <= F b - F a.
Proof.
  intros Hab DF Ce Le.
  assert (I : is_RInt e a b (F b - F a)) by (apply (is_RInt_derive F e); intros; [apply DF|apply Ce]).
  rewrite <- (is_RInt_unique _ _ _ _ I).
  replace (s * RInt f a b) with (RInt (fun x => s * f x) a b) by (apply (@RInt_scal R_CompleteNormedModule); apply f_int).
  apply RInt_le; [exact Hab| |exists (F b - F a); exact I|intros; apply Le; lra].
  apply (@ex_RInt_scal R_NormedModule). apply f_int.
Qed.

(** Integration by parts: E' lies on one side of f. *)
Lemma bound_one s a b : s = 1 \/ s = -1 -> a <= b -> s * RInt f a b <= 2 * r / (L * phi b).
Proof.
  intros Hs Hab. set (g := fun y => u * sin y - v * cos y).
  set (E := fun x => (r - s * g (phi x)) / (L * phi x)).
  set (e := fun x => s * f x + (r - s * g (phi x)) / phi x).
  assert (Hg : forall y, 0 <= r - s * g y <= 2 * r).
  { intros y. pose proof (wave_le (- v) u y) as W. replace (- v * - v + u * u) with (u * u + v * v) in W by ring. fold r in W.
    unfold g. pose proof (Rabs_def2 (- v * cos y + u * sin y) (r + 1)) as Q. apply Rabs_le_between in W. destruct Hs; subst; lra. }
  assert (C : s * RInt f a b <= E b - E a).
  { apply (compare s E e a b Hab).
    - intros x. unfold E, e, g, f. pose proof (phi_pos x) as PP. unfold phi in *. auto_derive.
      + pose proof (exp_pos (- (L * x))). apply Rgt_not_eq. apply Rmult_lt_0_compat; lra.
      + field. split; [|lra]. pose proof (exp_pos (- (L * x))); lra.
    - intros x. apply (ex_derive_continuous e). pose proof (phi_pos x) as PP. unfold e, g, f, phi in *. auto_derive. lra.
    - intros x _. unfold e. assert (0 <= (r - s * g (phi x)) / phi x); [|lra].
      apply Rmult_le_pos; [apply Hg|left; apply Rinv_0_lt_compat, phi_pos]. }
  assert (P : forall x, 0 < / (L * phi x)) by (intros; apply Rinv_0_lt_compat; pose proof (phi_pos x); nra).
  pose proof (Hg (phi a)) as [Ga _]. pose proof (Hg (phi b)) as [_ Gb]. pose proof (P a). pose proof (P b).
  assert (0 <= E a) by (unfold E; apply Rmult_le_pos; lra).
  assert (E b <= 2 * r / (L * phi b)); [|lra]. unfold E. apply Rmult_le_compat_r; lra.
Qed.

Lemma int_le a b : a <= b -> Rabs (RInt f a b) <= 2 * r / (L * phi b).
Proof.
  intros H. pose proof (bound_one 1 a b (or_introl eq_refl) H).
  pose proof (bound_one (-1) a b (or_intror eq_refl) H). apply Rabs_le; lra.
Qed.
End Wave.

(** ** The cosine: u = 1, v = 0. *)
Section Cosine.
Variables A L : R.
Hypothesis HA : 0 < A.
Hypothesis HL : 0 < L.

Lemma r_cos : sqrt (1 * 1 + 0 * 0) = 1.
Proof. replace (1 * 1 + 0 * 0) with 1 by ring. apply sqrt_1. Qed.
Lemma r_sin : sqrt (0 * 0 + 1 * 1) = 1.
Proof. replace (0 * 0 + 1 * 1) with 1 by ring. apply sqrt_1. Qed.
Lemma f_cos x : f A L 1 0 x = cos (phi A L x).
Proof. unfold f. ring. Qed.
Lemma f_sin x : f A L 0 1 x = sin (phi A L x).
Proof. unfold f. ring. Qed.

Lemma derive_const k x : is_derive (fun x => k * x) x k.
Proof. auto_derive; [trivial|ring]. Qed.
Lemma cont_const (k x : R) : continuous (fun _ : R => k) x.
Proof. apply continuous_const. Qed.

(** Where the phase is at most y < pi/2 the cosine is at least cos y. *)
Lemma cos_int_low a b y : a <= b -> phi A L a <= y -> y <= PI / 2 -> (b - a) * cos y <= RInt (f A L 1 0) a b.
Proof.
  intros Hab Hp Hy. assert (C : -1 * RInt (f A L 1 0) a b <= - cos y * b - - cos y * a).
  { apply (compare A L 1 0 (-1) (fun x => - cos y * x) (fun _ => - cos y) a b Hab).
    - intros x. apply derive_const.
    - intros x. apply cont_const.
    - intros x [Xa Xb]. rewrite f_cos. pose proof (phi_down A L HA HL a x Xa). pose proof (phi_pos A L HA x).
      assert (cos y <= cos (phi A L x)); [|lra]. apply cos_decr_1; pose proof PI_RGT_0; lra. }
  lra.
Qed.

(** From any phase beyond pi/2 on, the integral of the cosine never falls below -4/(pi L). *)
Lemma cos_int_all b : 0 <= b -> PI / 2 <= A -> - (4 / (PI * L)) <= RInt (f A L 1 0) 0 b.
Proof.
  intros Hb HP. pose proof PI_RGT_0 as P.
  assert (K : forall x, 0 <= x -> PI / 2 <= phi A L x -> - (4 / (PI * L)) <= RInt (f A L 1 0) 0 x).
  { intros x Hx Q. pose proof (int_le A L 1 0 HA HL 0 x Hx) as I. rewrite r_cos in I. apply Rabs_le_between in I.
    assert (2 * 1 / (L * phi A L x) <= 4 / (PI * L)); [|lra].
    replace (4 / (PI * L)) with (2 * 1 / (L * (PI / 2))) by (field; lra).
    apply Rmult_le_compat_l; [lra|]. apply Rinv_le_contravar; [nra|]. apply Rmult_le_compat_l; lra. }
  destruct (Rle_or_lt (PI / 2) (phi A L b)) as [Q|Q]; [apply K; assumption|].
  set (x1 := ln (A / (PI / 2)) / L). pose proof (phi_at A L HA HL (PI / 2) ltac:(lra)) as E. fold x1 in E.
  assert (X0 : 0 <= x1).
  { unfold x1. apply Rmult_le_pos; [|left; apply Rinv_0_lt_compat; lra]. rewrite <- ln_1.
    destruct (Req_dec A (PI / 2)) as [W|W]; [rewrite W; right; f_equal; field; lra|].
    left. apply ln_increasing; [lra|]. apply (Rmult_lt_reg_r (PI / 2)); [lra|]. replace (A / (PI / 2) * (PI / 2)) with A by (field; lra). lra. }
  assert (X1 : x1 <= b) by (left; apply (phi_lt A L HA HL); lra).
  rewrite (f_chasles A L 1 0 0 x1 b). pose proof (K x1 X0 ltac:(lra)).
  pose proof (cos_int_low x1 b (PI / 2) X1 ltac:(lra) ltac:(lra)) as Z. rewrite cos_PI2 in Z. lra.
Qed.

Lemma cos_square y : 1 - y * y / 2 <= cos y.
Proof.
  pose proof (cos_2a_sin (y / 2)) as E. replace (2 * (y / 2)) with y in E by lra.
  pose proof (sin_abs_le (y / 2)) as Q. apply Rsqr_le_abs_1 in Q. unfold Rsqr in Q. nra.
Qed.

(** Small phases: the cosine is nearly 1. *)
Lemma cos_int_small a b : a <= b -> (b - a) - phi A L a * phi A L a / (4 * L) <= RInt (f A L 1 0) a b.
Proof.
  intros Hab. set (F := fun x => - (phi A L x * phi A L x) / (4 * L) - x).
  set (e := fun x => phi A L x * phi A L x / 2 - 1).
  assert (C : -1 * RInt (f A L 1 0) a b <= F b - F a).
  { apply (compare A L 1 0 (-1) F e a b Hab).
    - intros x. unfold F, e, phi. auto_derive; [trivial|]. field. lra.
    - intros x. apply (ex_derive_continuous e). unfold e, phi. auto_derive. trivial.
    - intros x _. rewrite f_cos. pose proof (cos_square (phi A L x)). unfold e. lra. }
  unfold F in C. assert (0 <= phi A L b * phi A L b / (4 * L)); [|lra].
  apply Rmult_le_pos; [apply Rle_0_sqr|left; apply Rinv_0_lt_compat; lra].
Qed.

(** ** The sine: u = 0, v = 1. *)
Lemma sin_int_small a b : a <= b -> Rabs (RInt (f A L 0 1) a b) <= phi A L a / L.
Proof.
  intros Hab. assert (C : forall s, s = 1 \/ s = -1 -> s * RInt (f A L 0 1) a b <= phi A L a / L).
  { intros s Hs. set (F := fun x => - phi A L x / L).
    assert (s * RInt (f A L 0 1) a b <= F b - F a).
    { apply (compare A L 0 1 s F (phi A L) a b Hab).
      - intros x. unfold F, phi. auto_derive; [trivial|]. field. lra.
      - intros x. apply (ex_derive_continuous (phi A L)). unfold phi. auto_derive. trivial.
      - intros x _. rewrite f_sin. pose proof (sin_abs_le (phi A L x)) as Q. pose proof (phi_pos A L HA x) as P.
        rewrite (Rabs_pos_eq (phi A L x)) in Q by lra. apply Rabs_le_between in Q. destruct Hs; subst; lra. }
    unfold F in H. assert (0 < phi A L b / L) by (apply Rdiv_lt_0_compat; [apply phi_pos; exact HA|lra]). lra. }
  pose proof (C 1 (or_introl eq_refl)). pose proof (C (-1) (or_intror eq_refl)). apply Rabs_le. lra.
Qed.

Lemma sin_int a b : a <= b -> Rabs (RInt (f A L 0 1) a b) <= 3 / L.
Proof.
  intros Hab. assert (I : 0 < / L) by (apply Rinv_0_lt_compat; lra).
  assert (K : forall x y, x <= y -> 1 <= phi A L y -> Rabs (RInt (f A L 0 1) x y) <= 2 / L).
  { intros x y Hxy Q. pose proof (int_le A L 0 1 HA HL x y Hxy) as B. rewrite r_sin in B.
    eapply Rle_trans; [exact B|]. unfold Rdiv. rewrite Rmult_1_r. apply Rmult_le_compat_l; [lra|].
    apply Rinv_le_contravar; nra. }
  destruct (Rle_or_lt 1 (phi A L b)) as [Q|Q]; [pose proof (K a b Hab Q); lra|].
  destruct (Rle_or_lt (phi A L a) 1) as [W|W].
  { pose proof (sin_int_small a b Hab). assert (phi A L a / L <= 1 / L) by (apply Rmult_le_compat_r; lra). lra. }
  set (x1 := ln (A / 1) / L). pose proof (phi_at A L HA HL 1 ltac:(lra)) as E. fold x1 in E.
  assert (a < x1) by (apply (phi_lt A L HA HL); lra). assert (x1 < b) by (apply (phi_lt A L HA HL); lra).
  rewrite (f_chasles A L 0 1 a x1 b). eapply Rle_trans; [apply Rabs_triang|].
  pose proof (K a x1 ltac:(lra) ltac:(lra)). pose proof (sin_int_small x1 b ltac:(lra)) as Z. rewrite E in Z. lra.
Qed.
End Cosine.

(** ** Sums of the paper as Riemann sums. *)
Lemma sum_is_wave c u v theta0 n lam : (0 < n)%nat ->
  gamma c u v theta0 n lam = / (2 * INR n) * total (fun d => f (c * lam) (- ln theta0) u v (INR d * / INR n)) n.
Proof.
  intros Hn. unfold gamma. f_equal. apply total_ext. intros d _. rewrite freq_theta by exact Hn. reflexivity.
Qed.

Lemma C_D_gamma theta0 n lam : C_D theta0 n lam = gamma (2 * PI) 1 0 theta0 n lam.
Proof. rewrite gamma_parts. ring. Qed.
Lemma S_D_gamma theta0 n lam : S_D theta0 n lam = gamma (2 * PI) 0 1 theta0 n lam.
Proof. rewrite gamma_parts. ring. Qed.
