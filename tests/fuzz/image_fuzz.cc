#include "data/image/image_file.h"
#include "data/image/png_text.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes = lvrpo::fuzz::Bytes(data, size);
  lvrpo::DecodeOptions options;
  options.limits.max_pixels = 1 << 20;
  for (const bool upright : {false, true}) {
    options.upright = upright;
    const auto image = lvrpo::DecodeImage(bytes, options);
    if (image.ok() && image->pixels.size() !=
                          size_t{3} * static_cast<size_t>(image->width) * static_cast<size_t>(image->height))
      __builtin_trap();
  }
  const int orientation = lvrpo::ReadOrientation(bytes);
  if (orientation < 1 || orientation > 8) __builtin_trap();
  (void)lvrpo::ReadPngText(bytes);
  return 0;
}
