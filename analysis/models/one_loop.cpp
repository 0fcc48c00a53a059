// Causal attention in one loop over tiles that stay in the cache, in the order of FlashAttention-2 (Dao 2023).
//
// The score of query i and key j <= i, d = i - j, is factor[d] (a_i.b_j) cos(2 pi turn[d] x_i.y_j) + bias[d]; each of
// phase, factor and bias may be missing. What is kept of a row is its result and the logarithm of its summed
// exponentials. Products are torch's own on tiles; everything between them is one pass over a row of a tile that
// was just written. `one_loop.py` compiles this for the machine and checks it before it is used.
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/cpu/vec/functional.h>
#include <ATen/cpu/vec/vec.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace {

using V = at::vec::Vectorized<float>;
constexpr int64_t WIDTH = V::size();
constexpr float INF = std::numeric_limits<float>::infinity();
constexpr float NOTHING = -80.f;  // nats below the largest score: a subnormal weight slows a product a hundredfold

// cos(2 pi z) = -sin(2 pi u) with u = |z - round(z)| - 1/4; the odd polynomial is within 3.4e-9 of the sine
inline V cos_in_turns(V z) {
  const V u = (z - z.round()).abs() - V(0.25f);
  const V square = u * u;
  V p = at::vec::fmadd(square, V(-39.536706762f), V(76.5497823876f));
  p = at::vec::fmadd(square, p, V(-81.6010040774f));
  p = at::vec::fmadd(square, p, V(41.3416550315f));
  p = at::vec::fmadd(square, p, V(-6.28318516009f));
  return u * p;
}

// Scores of one row of a tile, in the place of its inner products; the largest of them.
template <bool PHASE, bool FACTOR, bool BIAS>
float row_scores(float* s, const float* phase, const float* turn, const float* factor, const float* bias, int64_t seen) {
  V largest(-INF);
  for (int64_t j = 0; j < seen; j += WIDTH) {
    const int64_t n = std::min(WIDTH, seen - j);
    const auto load = [n, j](const float* from) { return n == WIDTH ? V::loadu(from + j) : V::loadu(from + j, n); };
    V x = load(s);
    if constexpr (PHASE) x = x * cos_in_turns(load(phase) * load(turn));
    if constexpr (FACTOR) x = x * load(factor);
    if constexpr (BIAS) x = x + load(bias);
    if (n == WIDTH) {
      x.store(s + j);
      largest = at::vec::maximum(largest, x);
    } else {
      x.store(s + j, n);
      largest = at::vec::maximum(largest, V::set(V(-INF), x, n));
    }
  }
  return at::vec::vec_reduce_all<float>([](V a, V b) { return at::vec::maximum(a, b); }, largest);
}

using RowScores = float (*)(float*, const float*, const float*, const float*, const float*, int64_t);

RowScores chosen_row_scores(bool phase, bool factor, bool bias) {
  static constexpr RowScores table[] = {
      row_scores<false, false, false>, row_scores<false, false, true>, row_scores<false, true, false>,
      row_scores<false, true, true>,   row_scores<true, false, false>, row_scores<true, false, true>,
      row_scores<true, true, false>,   row_scores<true, true, true>};
  return table[4 * phase + 2 * factor + bias];
}

// exp(score - best) in the place of the first `seen` scores of a row, 0 in that of the others; their sum.
float row_weights(float* s, float best, int64_t seen, int64_t width) {
  V total(0.f);
  const V shift(best), least(NOTHING), none(0.f);
  for (int64_t j = 0; j < seen; j += WIDTH) {
    const int64_t n = std::min(WIDTH, seen - j);
    const V below = (n == WIDTH ? V::loadu(s + j) : V::set(V(-INF), V::loadu(s + j, n), n)) - shift;
    const V weight = V::blendv(below.exp_u20(), none, below < least);
    if (n == WIDTH) weight.store(s + j);
    else weight.store(s + j, n);
    total = total + weight;
  }
  std::fill(s + seen, s + width, 0.f);
  return at::vec::vec_reduce_all<float>([](V a, V b) { return a + b; }, total);
}

// Adds a band of pairs to the sums of its columns, `columns` at most WIDTH at a time; see `phase_sums`.
template <bool WHOLE>
void column_sums(const float* amplitude, const float* phase, int64_t rows, int64_t step, V turn, float* sums,
                 int64_t apart, int64_t n) {
  V total[4] = {V(0.f), V(0.f), V(0.f), V(0.f)};
  for (int64_t i = 0; i < rows; i++, amplitude += step, phase += step) {
    const V a = WHOLE ? V::loadu(amplitude) : V::loadu(amplitude, n);
    const V wave = cos_in_turns((WHOLE ? V::loadu(phase) : V::loadu(phase, n)) * turn);
    total[0] = total[0] + a;
    total[1] = total[1] + wave;
    total[2] = at::vec::fmadd(wave, wave, total[2]);
    total[3] = at::vec::fmadd(wave, a, total[3]);
  }
  for (int64_t k = 0; k < 4; k++) total[k].store(sums + k * apart, n);
}

// Tables of one call, each turned round: entry length - 1 - d belongs to distance d, so that a row's keys ascend.
std::vector<float> turned_round(const float* table, int64_t rows, int64_t length) {
  std::vector<float> found;
  if (table == nullptr) return found;
  found.resize(rows * length);
  for (int64_t r = 0; r < rows; r++) std::reverse_copy(table + r * length, table + (r + 1) * length, found.begin() + r * length);
  return found;
}

at::Tensor matrix(const float* data, int64_t rows, int64_t columns, int64_t stride) {
  return at::from_blob(const_cast<float*>(data), {rows, columns}, {stride, 1}, at::TensorOptions().dtype(at::kFloat));
}

}  // namespace

extern "C" {

struct Sizes {
  int64_t batch, heads, kv_heads, length, amplitude, phase, value;  // of a and b, x and y (0: none), v
  int64_t factor_rows, bias_rows;                                   // 1 for all heads, or one each
  int64_t reach;                                                    // distance from which on no key is seen
  int64_t row_tile, column_tile;
};

// Sums down the columns of a band of pairs, one distance a column: of the amplitude, of the cosine of 2 pi turn[j]
// phase, of its square, and of the cosine times the amplitude. Row i begins `step` numbers after row i - 1; the four
// sums begin `apart` numbers after each other.
void phase_sums(const float* amplitude, const float* phase, int64_t rows, int64_t span, int64_t step, const float* turn,
                float* sums, int64_t apart) {
  int64_t j = 0;
  for (; j + WIDTH <= span; j += WIDTH)
    column_sums<true>(amplitude + j, phase + j, rows, step, V::loadu(turn + j), sums + j, apart, WIDTH);
  if (j < span) column_sums<false>(amplitude + j, phase + j, rows, step, V::loadu(turn + j, span - j), sums + j, apart, span - j);
}

// All arrays are contiguous float32: a, x are (batch, heads, length, .), b, y, v (batch, kv_heads, length, .).
// 0 if all went well; else a message is in `error`.
int attend(const Sizes* sizes, const float* a, const float* b, const float* x, const float* y, const float* v,
           const float* turn, const float* factor, const float* bias, float scale, float phase_scale, float* out,
           float* log_sum, char* error, int64_t error_size) try {
  const Sizes n = *sizes;
  const bool has_phase = x != nullptr;
  const auto turns = turned_round(turn, 1, n.length), factors = turned_round(factor, n.factor_rows, n.length),
             biases = turned_round(bias, n.bias_rows, n.length);
  const RowScores scores_of = chosen_row_scores(has_phase, factor != nullptr, bias != nullptr);
  const int64_t blocks = (n.length + n.row_tile - 1) / n.row_tile;

  at::parallel_for(0, n.batch * n.heads * blocks, 1, [&](int64_t begin, int64_t end) {
    const at::AutoDispatchBelowADInplaceOrView no_gradient;
    const int64_t rows = n.row_tile, columns = n.column_tile;
    std::vector<float> scores(rows * columns), phases(has_phase ? rows * columns : 0), mixed(rows * n.value),
        queries(rows * n.amplitude), phase_queries(rows * n.phase), best(rows), total(rows);
    for (int64_t job = begin; job < end; job++) {
      const int64_t one = job / blocks, turn_of = job % blocks;
      // long and short blocks by turns, so that threads have equal shares
      const int64_t block = turn_of % 2 ? blocks - 1 - turn_of / 2 : turn_of / 2;
      const int64_t head = one % n.heads, kv = one / n.heads * n.kv_heads + head / (n.heads / n.kv_heads);
      const int64_t first = block * rows, count = std::min(rows, n.length - first), stop = first + count;
      const auto scaled = [&](std::vector<float>& into, const float* from, int64_t width, float by) {
        const float* row = from + (one * n.length + first) * width;
        for (int64_t i = 0; i < count * width; i++) into[i] = row[i] * by;
      };
      scaled(queries, a, n.amplitude, scale);
      if (has_phase) scaled(phase_queries, x, n.phase, phase_scale);
      std::fill(best.begin(), best.end(), -INF);
      std::fill(total.begin(), total.end(), 0.f);
      std::fill(mixed.begin(), mixed.end(), 0.f);
      const auto left = matrix(queries.data(), count, n.amplitude, n.amplitude);
      auto result = matrix(mixed.data(), count, n.value, n.value);
      const int64_t earliest = std::max<int64_t>(0, first - n.reach + 1) / columns * columns;
      for (int64_t start = earliest; start < stop; start += columns) {
        const int64_t wide = std::min(columns, stop - start);
        auto tile = matrix(scores.data(), count, wide, columns);
        at::mm_out(tile, left, matrix(b + (kv * n.length + start) * n.amplitude, wide, n.amplitude, n.amplitude).t());
        if (has_phase) {
          auto angles = matrix(phases.data(), count, wide, columns);
          at::mm_out(angles, matrix(phase_queries.data(), count, n.phase, n.phase),
                     matrix(y + (kv * n.length + start) * n.phase, wide, n.phase, n.phase).t());
        }
        for (int64_t i = 0; i < count; i++) {
          float* s = scores.data() + i * columns;
          const int64_t seen = std::clamp<int64_t>(first + i + 1 - start, 0, wide);
          if (seen == 0) {
            std::fill(s, s + wide, 0.f);
            continue;
          }
          const int64_t at = n.length - 1 - (first + i) + start;  // of the turned tables
          const auto row = [&](const std::vector<float>& table, int64_t each) {
            return table.empty() ? nullptr : table.data() + (each > 1 ? head * n.length : 0) + at;
          };
          const float largest = scores_of(s, has_phase ? phases.data() + i * columns : nullptr, row(turns, 1),
                                          row(factors, n.factor_rows), row(biases, n.bias_rows), seen);
          const float now = std::max(best[i], largest), shift = now == -INF ? 0.f : now;
          const float kept = std::exp(best[i] - shift);
          total[i] = total[i] * kept + row_weights(s, shift, seen, wide);
          best[i] = now;
          if (kept != 1.f) {
            float* m = mixed.data() + i * n.value;
            for (int64_t d = 0; d < n.value; d++) m[d] *= kept;
          }
        }
        result.addmm_(tile, matrix(v + (kv * n.length + start) * n.value, wide, n.value, n.value));
      }
      for (int64_t i = 0; i < count; i++) {
        const int64_t place = one * n.length + first + i;
        const float share = 1.f / total[i];
        for (int64_t d = 0; d < n.value; d++) out[place * n.value + d] = mixed[i * n.value + d] * share;
        log_sum[place] = best[i] + std::log(total[i]);
      }
    }
  });
  return 0;
} catch (const std::exception& failure) {
  std::strncpy(error, failure.what(), error_size - 1);
  error[error_size - 1] = 0;
  return 1;
}
}
