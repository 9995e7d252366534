#include "data/transforms/watermark.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "data/image/image_limits.h"

namespace lvrpo {
namespace {

constexpr int kBlock = 8;                           // pixels a side
constexpr int kBits = 64;                           // 32 of the number, then 32 of the checksum
constexpr int kCarriers = 8;                        // of a block
constexpr int kBlocksPerGroup = kBits / kCarriers;  // a group carries each bit once
constexpr int kUncertainBits = 8;                   // tried both ways
constexpr int kMaxRounds = 8;                       // of embedding
constexpr double kPi = 3.14159265358979323846;

// (vertical, horizontal) frequencies: those whose steps in JPEG's standard luminance table are small, without
// the two lowest, where natural images have most of their energy.
constexpr std::array<std::array<int, 2>, kCarriers> kFrequencies = {
    {{2, 0}, {1, 1}, {0, 2}, {1, 2}, {2, 1}, {3, 0}, {0, 3}, {2, 2}}};

// [carrier, y * 8 + x], orthonormal
using Basis = std::array<std::array<double, kBlock * kBlock>, kCarriers>;
using Sums = std::array<double, kBits>;

const Basis& CosineBasis() {
  static const Basis basis = [] {
    Basis made;
    const auto wave = [](int frequency, int position) {
      const double scale = frequency == 0 ? std::sqrt(1.0 / kBlock) : std::sqrt(2.0 / kBlock);
      return scale * std::cos(kPi * frequency * (2 * position + 1) / (2 * kBlock));
    };
    for (int c = 0; c < kCarriers; ++c) {
      for (int y = 0; y < kBlock; ++y) {
        for (int x = 0; x < kBlock; ++x) {
          made[c][y * kBlock + x] = wave(kFrequencies[c][0], y) * wave(kFrequencies[c][1], x);
        }
      }
    }
    return made;
  }();
  return basis;
}

// The bit that a carrier carries, and its sign.
struct Role {
  int8_t bit = 0;
  int8_t sign = 1;  // or -1
};

// Random streams derived from the key.
enum Stream : uint64_t { kOrigins, kChecksum, kRoles };

// The geometry of one image's carriers under a key.
class Carriers {
 public:
  Carriers(int width, int height, uint64_t key)
      : columns_(width / kBlock), groups_(columns_ * (height / kBlock) / kBlocksPerGroup) {
    Random random(StreamSeed(key, kRoles));
    roles_.resize(static_cast<size_t>(groups_) * kBits);
    for (size_t start = 0; start < roles_.size(); start += kBits) {
      std::array<int, kBits> bits;
      std::iota(bits.begin(), bits.end(), 0);
      for (int i = kBits - 1; i > 0; --i) std::swap(bits[i], bits[random.Below(i + 1)]);
      for (int i = 0; i < kBits; ++i) {
        roles_[start + i] = {static_cast<int8_t>(bits[i]), static_cast<int8_t>(random.Chance(0.5) ? 1 : -1)};
      }
    }
  }

  int groups() const { return groups_; }

  // Calls visit(y, x, role of the first carrier) for every block in use; y, x: its first pixel.
  template <typename Visit>
  void ForEachBlock(Visit visit) const {
    for (int block = 0; block < groups_ * kBlocksPerGroup; ++block) {
      visit(block / columns_ * kBlock, block % columns_ * kBlock,
            &roles_[static_cast<size_t>(block) * kCarriers]);
    }
  }

 private:
  const int columns_, groups_;
  std::vector<Role> roles_;  // [blocks, carriers]
};

// The projection of each bit's carriers, as a unit vector.
Sums Project(const RgbImage& image, const Carriers& carriers) {
  Sums sums = {};
  const Basis& basis = CosineBasis();
  carriers.ForEachBlock([&](int top, int left, const Role* roles) {
    std::array<double, kBlock * kBlock> luminance;
    for (int y = 0; y < kBlock; ++y) {
      const uint8_t* pixel =
          image.pixels.data() + (static_cast<size_t>(top + y) * static_cast<size_t>(image.width) + left) * 3;
      for (int x = 0; x < kBlock; ++x, pixel += 3) {
        luminance[y * kBlock + x] = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
      }
    }
    for (int c = 0; c < kCarriers; ++c) {
      const double value = std::inner_product(luminance.begin(), luminance.end(), basis[c].begin(), 0.0);
      sums[roles[c].bit] += roles[c].sign * value;
    }
  });
  for (double& sum : sums) sum /= std::sqrt(carriers.groups());
  return sums;
}

// Adds `change` of each bit's sum to a luminance image.
void AddToSums(const Sums& change, const Carriers& carriers, int width, std::vector<float>& luminance) {
  const Basis& basis = CosineBasis();
  const double scale = 1 / std::sqrt(carriers.groups());
  carriers.ForEachBlock([&](int top, int left, const Role* roles) {
    for (int c = 0; c < kCarriers; ++c) {
      const double amount = change[roles[c].bit] * roles[c].sign * scale;
      for (int y = 0; y < kBlock; ++y) {
        float* pixel = &luminance[static_cast<size_t>(top + y) * static_cast<size_t>(width) + left];
        for (int x = 0; x < kBlock; ++x) pixel[x] += static_cast<float>(amount * basis[c][y * kBlock + x]);
      }
    }
  });
}

RgbImage Brightened(const RgbImage& image, const std::vector<float>& change) {
  RgbImage result = image;
  for (size_t i = 0; i < change.size(); ++i) {
    if (change[i] == 0) continue;
    for (size_t c = 0; c < 3; ++c) {
      const float value = std::clamp(image.pixels[i * 3 + c] + change[i], 0.0f, 255.0f);
      result.pixels[i * 3 + c] = static_cast<uint8_t>(std::lround(value));
    }
  }
  return result;
}

// The lattices of one bit: points of bit b lie at (origin + b / 2 + any whole number) x step.
struct Lattices {
  double step = 0;
  Sums origins = {};  // [0, 1)

  Lattices(const Carriers& carriers, const WatermarkOptions& options)
      : step(options.strength * std::sqrt(carriers.groups())) {
    Random random(StreamSeed(options.key, kOrigins));
    for (double& origin : origins) origin = random.Uniform();
  }
  double Nearest(double sum, int bit, int value) const {
    const double offset = origins[bit] + 0.5 * value;
    return (std::nearbyint(sum / step - offset) + offset) * step;
  }
};

uint64_t Message(uint32_t number, uint64_t key) {
  const uint64_t checksum = StreamSeed(StreamSeed(key, kChecksum), number) >> 32;
  return uint64_t{number} << 32 | checksum;
}

int Bit(uint64_t message, int bit) { return static_cast<int>(message >> bit & 1); }

bool IsStrength(double strength) { return strength >= 4 && strength <= 64; }

bool IsLargeEnough(const RgbImage& image) {
  return int64_t{image.width / kBlock} * (image.height / kBlock) >= kMinWatermarkBlocks;
}

}  // namespace

absl::StatusOr<RgbImage> EmbedWatermark(const RgbImage& image, uint32_t number,
                                        const WatermarkOptions& options) {
  if (absl::Status status = CheckImage(image); !status.ok()) return status;
  if (!IsStrength(options.strength)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a watermark's strength is 4 to 64, not ", options.strength));
  }
  if (!IsLargeEnough(image)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "an image of ", image.width, "x", image.height, " is too small for a watermark: it needs ",
        kMinWatermarkBlocks, " blocks of 8x8 pixels, as 64x64 has"));
  }
  const Carriers carriers(image.width, image.height, options.key);
  const Lattices lattices(carriers, options);
  const uint64_t message = Message(number, options.key);
  Sums sums = Project(image, carriers), targets;
  for (int bit = 0; bit < kBits; ++bit) targets[bit] = lattices.Nearest(sums[bit], bit, Bit(message, bit));

  // Rounding to bytes and clipping at black and white lose some of the change: repeat with the remainder.
  std::vector<float> change(static_cast<size_t>(image.width) * static_cast<size_t>(image.height));
  RgbImage marked = image;
  for (int round = 0; round < kMaxRounds; ++round) {
    double largest = 0;
    Sums missing;
    for (int bit = 0; bit < kBits; ++bit) {
      missing[bit] = targets[bit] - sums[bit];
      largest = std::max(largest, std::abs(missing[bit]));
    }
    if (largest < lattices.step / 64) break;
    AddToSums(missing, carriers, image.width, change);
    marked = Brightened(image, change);
    sums = Project(marked, carriers);
  }
  return marked;
}

std::optional<Watermark> ReadWatermark(const RgbImage& image, const WatermarkOptions& options) {
  if (!CheckImage(image).ok() || !IsStrength(options.strength) || !IsLargeEnough(image)) return std::nullopt;
  const Carriers carriers(image.width, image.height, options.key);
  const Lattices lattices(carriers, options);
  const Sums sums = Project(image, carriers);
  uint64_t read = 0;
  std::array<double, kBits> certainty;  // 0 .. 1
  for (int bit = 0; bit < kBits; ++bit) {
    const double zero = std::abs(sums[bit] - lattices.Nearest(sums[bit], bit, 0));
    const double one = std::abs(sums[bit] - lattices.Nearest(sums[bit], bit, 1));
    if (one < zero) read |= uint64_t{1} << bit;
    certainty[bit] = std::abs(one - zero) / (lattices.step / 2);
  }
  std::array<int, kBits> order;  // least certain first
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return certainty[a] < certainty[b]; });

  // Choose the valid reading that flips the least certain bits; usually there is at most one.
  std::optional<Watermark> found;
  double least = 0;
  const double total = std::accumulate(certainty.begin(), certainty.end(), 0.0);
  for (int flips = 0; flips < 1 << kUncertainBits; ++flips) {
    uint64_t message = read;
    double changed = 0;
    for (int i = 0; i < kUncertainBits; ++i) {
      if ((flips >> i & 1) == 0) continue;
      message ^= uint64_t{1} << order[i];
      changed += certainty[order[i]];
    }
    const uint32_t number = static_cast<uint32_t>(message >> 32);
    if (message != Message(number, options.key) || (found.has_value() && changed >= least)) continue;
    found = Watermark{number, std::max(0.0, (total - 2 * changed) / kBits)};
    least = changed;
  }
  return found;
}

}  // namespace lvrpo
