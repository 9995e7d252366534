#pragma once

// clang-format off
#include <cstdio>  // jpeglib.h needs FILE and size_t
#include <jpeglib.h>
// clang-format on
#include <webp/encode.h>

#include <cstdlib>
#include <string>

#include "data/image/image.h"

// Files for decoders to read. The image must be sound: the libraries end the process at what is not.
namespace lvrpo {

struct JpegOptions {
  int quality = 90;              // 1 .. 100, of libjpeg's scale
  bool subsample_chroma = true;  // 4:2:0; otherwise 4:4:4
};

// Baseline.
inline std::string EncodeJpeg(const RgbImage& image, const JpegOptions& options = {}) {
  jpeg_error_mgr errors;
  jpeg_compress_struct jpeg{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* bytes = nullptr;  // the library's, by malloc
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &bytes, &size);
  jpeg.image_width = static_cast<JDIMENSION>(image.width);
  jpeg.image_height = static_cast<JDIMENSION>(image.height);
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, options.quality, TRUE);
  if (!options.subsample_chroma) {
    jpeg.comp_info[0].h_samp_factor = 1;
    jpeg.comp_info[0].v_samp_factor = 1;
  }
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < jpeg.image_height) {
    const size_t offset = size_t{3} * jpeg.image_width * jpeg.next_scanline;
    JSAMPROW row = const_cast<JSAMPROW>(image.pixels.data() + offset);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  std::string file(reinterpret_cast<const char*>(bytes), size);
  jpeg_destroy_compress(&jpeg);
  std::free(bytes);
  return file;
}

struct WebpOptions {
  bool lossless = true;
  float quality = 90;  // 0 .. 100; lossy only
};

inline std::string EncodeWebp(const RgbImage& image, const WebpOptions& options = {}) {
  uint8_t* bytes = nullptr;
  const int row_bytes = image.width * 3;
  const size_t size =
      options.lossless
          ? WebPEncodeLosslessRGB(image.pixels.data(), image.width, image.height, row_bytes, &bytes)
          : WebPEncodeRGB(image.pixels.data(), image.width, image.height, row_bytes, options.quality, &bytes);
  std::string file(reinterpret_cast<const char*>(bytes), size);
  WebPFree(bytes);
  return file;
}

}  // namespace lvrpo
