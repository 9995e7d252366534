#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "data/image/image.h"

// An invisible watermark: a 32-bit number in an image's pixels, read without the original.
//
// Method: spread-transform dither modulation (Chen and Wornell, "Quantization Index Modulation", IEEE
// Trans. Inf. Theory 47(4), 2001). The luminance is cut into 8x8 blocks, as JPEG does, and eight middle
// frequencies of each block's cosine transform carry the mark. 64 bits (the number and a checksum of 32) are
// each spread with pseudo-random signs over one carrier of every eight blocks, so over the whole image: the
// sum of a bit's carriers is moved to the nearest point of one of two interleaved lattices, which lattice
// being the bit. The same change goes into red, green and blue, so colours keep their hue. Signs and the
// lattices' origins are drawn from the key.
//
// False alarms: the origin of each bit's lattice is uniform over its period and independent of the others, so
// an image made without the key reads as 64 fair coins, whatever it shows. The checksum fits by chance with
// probability 2^-32; the reader also tries the 256 readings that differ in the 8 least certain bits: below
// 256 x 2^-32 = 6e-8.
//
// What it survives: PNG, JPEG of quality 75 and more at every size (50 from 256x256 up in photographs), two
// in a row, noise, changes of brightness and contrast of some percent unless they drive most of the image
// into pure black or white. What it does not: cropping, scaling, rotation, lossy WebP of flat drawings, and
// someone who knows the key and wants it gone. It is a label, not proof.
//
// Pure functions, thread-safe, on one thread.
namespace lvrpo {

inline constexpr int kMinWatermarkBlocks = 64;  // of 8x8 whole pixels: 64x64, or 32x128, ...

struct WatermarkOptions {
  uint64_t key = 0x6c7672706f;  // embedder and reader must agree
  // Twice the largest change of a carrier, in units of the orthonormal transform. The distortion's root mean
  // square is strength / sqrt(96) gray levels: 20 gives 41.9 dB PSNR, some less where white or black clips.
  // Both sides must agree; 4 .. 64.
  double strength = 20;
};

// InvalidArgument for an image whose pixels do not fit its size or with fewer than kMinWatermarkBlocks whole
// blocks, and for a strength out of range. Columns and rows beyond the last whole block stay as they are.
absl::StatusOr<RgbImage> EmbedWatermark(const RgbImage& image, uint32_t number,
                                        const WatermarkOptions& options = {});

struct Watermark {
  uint32_t number = 0;
  // 1: every bit lies on its lattice point; 0: half-way between. The mean over the bits. Unmarked images that
  // pass by chance have about 0.5.
  double certainty = 0;
};

// nullopt when the image is not marked with this key and strength, is too small or too damaged.
std::optional<Watermark> ReadWatermark(const RgbImage& image, const WatermarkOptions& options = {});

}  // namespace lvrpo
