(** Frequencies, sums and scores in the notation of the paper (v1). D = 2n is the head dimension, n the number of pairs;
    c is 2 PI where angles are turns, as printed, and 1 where they are radians. *)
From Coq Require Import Reals Lra Lia Psatz.
Open Scope R_scope.

(** theta_d = theta_0^(2d/D). *)
Definition freq (theta0 : R) (n d : nat) : R := Rpower theta0 (2 * INR d / (2 * INR n)).
(** The sum of f d over d < n. *)
Fixpoint total (f : nat -> R) (n : nat) : R :=
  match n with O => 0 | S m => total f m + f m end.
(** Gamma_lambda of eq 17. *)
Definition gamma (c mu nu theta0 : R) (n : nat) (lam : R) : R :=
  / (2 * INR n) * total (fun d => mu * cos (c * lam * freq theta0 n d) + nu * sin (c * lam * freq theta0 n d)) n.
(** C_D and S_D of eq 24. *)
Definition C_D (theta0 : R) (n : nat) (lam : R) : R :=
  / (2 * INR n) * total (fun d => cos (2 * PI * lam * freq theta0 n d)) n.
Definition S_D (theta0 : R) (n : nat) (lam : R) : R :=
  / (2 * INR n) * total (fun d => sin (2 * PI * lam * freq theta0 n d)) n.
(** L = |ln theta_0|. *)
Definition log_base (theta0 : R) : R := Rabs (ln theta0).

(** ** Expectations, Assumption 2.1 and the score.
    [mean f m] says that f has a mean and that it is m. Nothing is asked of it but what every integral has. *)
Record expectation {Omega : Type} (mean : (Omega -> R) -> R -> Prop) : Prop := {
  mean_zero : mean (fun _ => 0) 0;
  mean_plus : forall f g a b, mean f a -> mean g b -> mean (fun w => f w + g w) (a + b);
  mean_scal : forall f a x, mean f a -> mean (fun w => x * f w) (x * a);
  mean_unique : forall f a b, mean f a -> mean f b -> a = b
}.

Section Score.
Context {Omega : Type}.
(** Query and key: coordinate and outcome. *)
Definition token := nat -> Omega -> R.
(** A_d and B_d of eq 4. *)
Definition A_of (q k : token) (d : nat) (w : Omega) : R :=
  q (2 * d)%nat w * k (2 * d)%nat w + q (2 * d + 1)%nat w * k (2 * d + 1)%nat w.
Definition B_of (q k : token) (d : nat) (w : Omega) : R :=
  q (2 * d)%nat w * k (2 * d + 1)%nat w - q (2 * d + 1)%nat w * k (2 * d)%nat w.
(** Eq 3 at distance lam; c = 2 PI as printed. *)
Definition score (c theta0 : R) (n : nat) (lam : R) (q k : token) (w : Omega) : R :=
  / sqrt (2 * INR n) * total (fun d => A_of q k d w * cos (c * lam * freq theta0 n d)
    + B_of q k d w * sin (c * lam * freq theta0 n d)) n.
(** Eq 5 for one query and one key. *)
Definition assumption_2_1 (mean : (Omega -> R) -> R -> Prop) (n : nat) (q k : token) (mu nu sigma : R) : Prop :=
  (forall d, (d < n)%nat -> mean (A_of q k d) mu) /\ (forall d, (d < n)%nat -> mean (B_of q k d) nu) /\
  (forall d, (d < 2 * n)%nat -> mean (fun w => (q d w * k d w) ^ 2) (sigma ^ 2)).
End Score.

(** ** The same with theta_0 = e^-L. *)
Definition theta (L : R) (n d : nat) : R := exp (- (L * (INR d / INR n))).

Lemma freq_theta theta0 n d : (0 < n)%nat -> freq theta0 n d = theta (- ln theta0) n d.
Proof.
  intros Hn. unfold freq, theta, Rpower. assert (0 < INR n) by (apply lt_0_INR; exact Hn). f_equal. field. lra.
Qed.

Lemma log_base_pos theta0 : 0 < theta0 < 1 -> log_base theta0 = - ln theta0 /\ 0 < - ln theta0.
Proof.
  intros [H0 H1]. unfold log_base. assert (ln theta0 < 0) by (rewrite <- ln_1; apply ln_increasing; lra).
  rewrite Rabs_left; lra.
Qed.

Lemma total_ext f g n : (forall d, (d < n)%nat -> f d = g d) -> total f n = total g n.
Proof. intros H. induction n; simpl; [reflexivity|]. rewrite IHn, H; auto. Qed.

Lemma total_scal x f n : total (fun d => x * f d) n = x * total f n.
Proof. induction n; simpl; lra. Qed.

Lemma total_plus f g n : total (fun d => f d + g d) n = total f n + total g n.
Proof. induction n; simpl; lra. Qed.

Lemma total_minus f g n : total f n - total g n = total (fun d => f d - g d) n.
Proof. induction n; simpl; lra. Qed.

Lemma total_abs f g n : (forall d, (d < n)%nat -> Rabs (f d) <= g d) -> Rabs (total f n) <= total g n.
Proof.
  intros H. induction n; simpl; [rewrite Rabs_R0; lra|].
  eapply Rle_trans; [apply Rabs_triang|]. specialize (H n ltac:(lia)) as H1. specialize (IHn ltac:(intros; apply H; lia)). lra.
Qed.

Lemma total_const x n : total (fun _ => x) n = INR n * x.
Proof. induction n; [simpl; lra|]. rewrite S_INR. cbn [total]. rewrite IHn. lra. Qed.

Lemma gamma_parts mu nu theta0 n lam : gamma (2 * PI) mu nu theta0 n lam = mu * C_D theta0 n lam + nu * S_D theta0 n lam.
Proof. unfold gamma, C_D, S_D. rewrite total_plus, !total_scal. ring. Qed.

Lemma gamma_neg c mu nu theta0 n lam : gamma c mu nu theta0 n (- lam) = gamma c mu (- nu) theta0 n lam.
Proof.
  unfold gamma. f_equal. apply total_ext. intros d _.
  replace (c * - lam * freq theta0 n d) with (- (c * lam * freq theta0 n d)) by ring. rewrite cos_neg, sin_neg. ring.
Qed.

(** Appendix A, below eq 17: under Assumption 2.1 the mean score is sqrt D Gamma. *)
Lemma mean_score {Omega} (mean : (Omega -> R) -> R -> Prop) c theta0 n lam q k mu nu sigma :
  expectation mean -> (0 < n)%nat -> assumption_2_1 mean n q k mu nu sigma ->
  mean (score c theta0 n lam q k) (sqrt (2 * INR n) * gamma c mu nu theta0 n lam).
Proof.
  intros [Hz Hp Hs Hu] Hn [HA [HB _]]. unfold score, gamma.
  assert (N : 0 < 2 * INR n) by (apply lt_0_INR in Hn; lra).
  replace (sqrt (2 * INR n) * (/ (2 * INR n) * total (fun d => mu * cos (c * lam * freq theta0 n d) + nu * sin (c * lam * freq theta0 n d)) n))
    with (/ sqrt (2 * INR n) * total (fun d => mu * cos (c * lam * freq theta0 n d) + nu * sin (c * lam * freq theta0 n d)) n).
  2:{ assert (0 < sqrt (2 * INR n)) by (apply sqrt_lt_R0; exact N). rewrite <- (sqrt_sqrt (2 * INR n)) at 3 by lra. field. lra. }
  apply Hs. assert (M : forall m, (m <= n)%nat ->
    mean (fun w => total (fun d => A_of q k d w * cos (c * lam * freq theta0 n d) + B_of q k d w * sin (c * lam * freq theta0 n d)) m)
         (total (fun d => mu * cos (c * lam * freq theta0 n d) + nu * sin (c * lam * freq theta0 n d)) m)).
  2:{ apply M. lia. }
  induction m as [|m IH]; intros Hm; [exact Hz|]. cbn [total]. apply Hp; [apply IH; lia|].
  assert (X : forall x f a, mean f a -> mean (fun w => f w * x) (a * x)).
  { intros x f a Hf. apply (Hs _ _ x) in Hf. rewrite (Rmult_comm a).
    replace (fun w => f w * x) with (fun w => x * f w); [exact Hf|].
    apply FunctionalExtensionality.functional_extensionality. intros w. ring. }
  apply Hp; apply X; [apply HA|apply HB]; lia.
Qed.

(** The left side of (7) and (8), for any two pairs of tokens, is a difference of two Gammas (eq 18). *)
Lemma mean_gap {Omega} (mean : (Omega -> R) -> R -> Prop) c theta0 n lam Lam q k q' k' mu nu sigma e e' :
  expectation mean -> (0 < n)%nat -> assumption_2_1 mean n q k mu nu sigma -> assumption_2_1 mean n q' k' mu nu sigma ->
  mean (score c theta0 n lam q k) e -> mean (score c theta0 n Lam q' k') e' ->
  / sqrt (2 * INR n) * (e - e') = gamma c mu nu theta0 n lam - gamma c mu nu theta0 n Lam.
Proof.
  intros X Hn H H' E E'.
  rewrite (mean_unique _ X _ _ _ E (mean_score mean c theta0 n lam q k mu nu sigma X Hn H)).
  rewrite (mean_unique _ X _ _ _ E' (mean_score mean c theta0 n Lam q' k' mu nu sigma X Hn H')).
  assert (0 < sqrt (2 * INR n)) by (apply sqrt_lt_R0; apply lt_0_INR in Hn; lra). field. lra.
Qed.

(** ** A pair at two angles. *)
Lemma sin_abs_le h : Rabs (sin h) <= Rabs h.
Proof.
  assert (P : forall h, 0 < h -> Rabs (sin h) <= h).
  { clear h. intros h H. destruct (Rle_dec h 1) as [H1|H1].
    - assert (0 < sin h) by (apply sin_gt_0; [lra | pose proof PI2_1; lra]).
      rewrite Rabs_pos_eq by lra. left; apply sin_lt_x; assumption.
    - pose proof (SIN_bound h). apply Rabs_le; lra. }
  destruct (Rtotal_order h 0) as [H|[H|H]].
  - rewrite <- (Ropp_involutive h) at 1. rewrite sin_neg, Rabs_Ropp, (Rabs_left h H). apply P; lra.
  - subst; rewrite sin_0; lra.
  - rewrite (Rabs_pos_eq h) by lra. apply P; assumption.
Qed.

Lemma rotate_le mu nu s : Rabs (- mu * sin s + nu * cos s) <= sqrt (mu * mu + nu * nu).
Proof.
  rewrite <- sqrt_Rsqr_abs. apply sqrt_le_1_alt. unfold Rsqr.
  pose proof (sin2_cos2 s) as E; unfold Rsqr in E.
  pose proof (Rle_0_sqr (mu * cos s + nu * sin s)) as P; unfold Rsqr in P. nra.
Qed.

Lemma wave_le mu nu s : Rabs (mu * cos s + nu * sin s) <= sqrt (mu * mu + nu * nu).
Proof.
  replace (mu * cos s + nu * sin s) with (- (- nu) * sin s + mu * cos s) by ring.
  eapply Rle_trans; [apply rotate_le|]. right. f_equal. ring.
Qed.

Lemma pair_le mu nu x y :
  Rabs ((mu * cos x + nu * sin x) - (mu * cos y + nu * sin y))
  <= sqrt (mu * mu + nu * nu) * Rmin 2 (Rabs (x - y)).
Proof.
  set (h := (x - y) / 2). set (s := (x + y) / 2).
  replace ((mu * cos x + nu * sin x) - (mu * cos y + nu * sin y))
    with ((- mu * sin s + nu * cos s) * (2 * sin h)).
  2:{ replace ((mu * cos x + nu * sin x) - (mu * cos y + nu * sin y))
        with (mu * (cos x - cos y) + nu * (sin x - sin y)) by ring.
      rewrite form2, form4. fold h s. ring. }
  rewrite Rabs_mult. apply Rmult_le_compat; try apply Rabs_pos; [apply rotate_le|].
  rewrite Rabs_mult, (Rabs_pos_eq 2) by lra.
  assert (Rabs (x - y) = 2 * Rabs h).
  { unfold h. unfold Rdiv at 1. rewrite Rabs_mult, (Rabs_pos_eq (/2)) by lra. lra. }
  apply Rmin_glb.
  - pose proof (SIN_bound h). assert (Rabs (sin h) <= 1) by (apply Rabs_le; lra). lra.
  - rewrite H. pose proof (sin_abs_le h). lra.
Qed.

Lemma pair_lipschitz mu nu x y :
  Rabs ((mu * cos x + nu * sin x) - (mu * cos y + nu * sin y)) <= sqrt (mu * mu + nu * nu) * Rabs (x - y).
Proof.
  eapply Rle_trans; [apply pair_le|]. apply Rmult_le_compat_l; [apply sqrt_pos|apply Rmin_r].
Qed.
