#pragma once

// clang-format off
#include <cstdio>  // jpeglib.h needs FILE and size_t
#include <jpeglib.h>
// clang-format on
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <vector>

#include "common/hash.h"

// Image files made of their parts, for tests.
namespace lvrpo {

inline std::string BigEndian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

inline std::string Chunk(const std::string& type, const std::string& data) {
  return BigEndian(static_cast<uint32_t>(data.size())) + type + data + BigEndian(Crc32(type + data));
}

inline std::string Deflated(const std::string& bytes) {
  std::string out(compressBound(bytes.size()), '\0');
  uLongf size = out.size();
  compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()),
           bytes.size());
  out.resize(size);
  return out;
}

inline constexpr char kSignature[] = "\x89PNG\r\n\x1a\n";

// A PNG of these parts; `scanlines` have their filter bytes, `before_pixels` are whole chunks.
inline std::string Png(uint32_t width, uint32_t height, int depth, int colour_type,
                       const std::string& scanlines, const std::string& before_pixels = "",
                       bool interlaced = false) {
  return kSignature +
         Chunk("IHDR", BigEndian(width) + BigEndian(height) +
                           std::string{static_cast<char>(depth), static_cast<char>(colour_type), 0, 0,
                                       static_cast<char>(interlaced)}) +
         before_pixels + Chunk("IDAT", Deflated(scanlines)) + Chunk("IEND", "");
}

inline std::string Bytes(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes += static_cast<char>(value);
  return bytes;
}

// A PNG with an eXIf chunk that says this orientation.
inline std::string WithOrientation(std::string png, int orientation) {
  const std::string exif =
      "MM" + Bytes({0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0});
  return png.insert(8 + 12 + 13, Chunk("eXIf", exif));
}

// A JPEG with the components of a colour space, made by the library itself. Every pixel has the colour
// `pixel`, of as many values as there are components; `saved_as` is how it is stored, as YCCK of CMYK.
inline std::string Jpeg(int width, int height, const std::vector<uint8_t>& pixel, J_COLOR_SPACE space,
                        bool progressive = false, J_COLOR_SPACE saved_as = JCS_UNKNOWN) {
  jpeg_compress_struct jpeg = {};
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &bytes, &size);
  jpeg.image_width = static_cast<JDIMENSION>(width);
  jpeg.image_height = static_cast<JDIMENSION>(height);
  jpeg.input_components = static_cast<int>(pixel.size());
  jpeg.in_color_space = space;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 100, TRUE);
  if (saved_as != JCS_UNKNOWN) jpeg_set_colorspace(&jpeg, saved_as);
  if (progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  std::vector<uint8_t> row;
  for (int x = 0; x < width; ++x) row.insert(row.end(), pixel.begin(), pixel.end());
  JSAMPROW rows = row.data();
  for (int y = 0; y < height; ++y) jpeg_write_scanlines(&jpeg, &rows, 1);
  jpeg_finish_compress(&jpeg);
  const std::string result(reinterpret_cast<char*>(bytes), size);
  jpeg_destroy_compress(&jpeg);
  std::free(bytes);
  return result;
}

// A chunk of a WebP file.
inline std::string RiffChunk(const std::string& name, const std::string& data) {
  std::string size;
  for (int i = 0; i < 4; ++i) size += static_cast<char>(data.size() >> (8 * i) & 255);
  return name + size + data + std::string(data.size() % 2, '\0');
}

inline std::string Webp(const std::string& chunks) { return RiffChunk("RIFF", "WEBP" + chunks); }

}  // namespace lvrpo
