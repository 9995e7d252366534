#include "data/image/gif.h"

#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

struct Input {
  absl::string_view rest;
  bool ended = false;
};

// An end of file where a block length is expected is read as a terminator: the frame may be complete.
int Read(GifFileType* gif, GifByteType* to, int size) {
  auto* input = static_cast<Input*>(gif->UserData);
  const auto wanted = static_cast<size_t>(std::max(size, 0));
  input->ended |= input->rest.size() < wanted;
  if (input->rest.empty() && wanted == 1) {
    *to = 0;
    return 1;
  }
  const size_t count = std::min(input->rest.size(), wanted);
  std::memcpy(to, input->rest.data(), count);
  input->rest.remove_prefix(count);
  return static_cast<int>(count);
}

absl::Status Damaged(const Input& input, int error) {
  const char* message = input.ended ? "it ends within its first picture" : GifErrorString(error);
  return absl::InvalidArgumentError(
      absl::StrCat("damaged GIF: ", message != nullptr ? message : "it cannot be decoded"));
}

// Reads up to the first image descriptor; returns the index of the transparent colour, or -1.
absl::StatusOr<int> SeekPicture(GifFileType* gif, const Input& input) {
  int transparent = -1;
  for (;;) {
    GifRecordType type;
    if (DGifGetRecordType(gif, &type) == GIF_ERROR) return Damaged(input, gif->Error);
    if (type == TERMINATE_RECORD_TYPE) return absl::InvalidArgumentError("a GIF without a picture");
    if (type == IMAGE_DESC_RECORD_TYPE) {
      if (DGifGetImageHeader(gif) == GIF_ERROR) return Damaged(input, gif->Error);
      return transparent;
    }
    int code = 0;
    GifByteType* block = nullptr;  // a length and that many bytes
    if (DGifGetExtension(gif, &code, &block) == GIF_ERROR) return Damaged(input, gif->Error);
    GraphicsControlBlock control;
    if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] == 4 &&
        DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK &&
        control.TransparentColor != NO_TRANSPARENT_COLOR) {
      transparent = control.TransparentColor;
    }
    while (block != nullptr) {
      if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) return Damaged(input, gif->Error);
    }
  }
}

// The colour of each palette index. Indices beyond the palette are black.
std::array<std::array<uint8_t, 4>, 256> Colours(const ColorMapObject* palette, int transparent) {
  std::array<std::array<uint8_t, 4>, 256> colours;
  for (int i = 0; i < 256; ++i) {
    auto& colour = colours[static_cast<size_t>(i)];
    const auto gray = static_cast<uint8_t>(palette == nullptr ? i : 0);
    colour = {gray, gray, gray, static_cast<uint8_t>(i == transparent ? 0 : 255)};
    if (palette == nullptr || i >= palette->ColorCount) continue;
    colour[0] = palette->Colors[i].Red;
    colour[1] = palette->Colors[i].Green;
    colour[2] = palette->Colors[i].Blue;
  }
  return colours;
}

// The rows of a frame in storage order (interlaced or not).
std::vector<int> RowOrder(int height, bool interlaced) {
  std::vector<int> rows;
  rows.reserve(static_cast<size_t>(height));
  if (!interlaced) {
    for (int y = 0; y < height; ++y) rows.push_back(y);
    return rows;
  }
  for (const auto& [first, step] : {std::pair(0, 8), std::pair(4, 8), std::pair(2, 4), std::pair(1, 2)}) {
    for (int y = first; y < height; y += step) rows.push_back(y);
  }
  return rows;
}

}  // namespace

absl::StatusOr<Raster> DecodeGif(absl::string_view bytes, const ImageLimits& limits) {
  if (absl::Status status = CheckFileSize("a GIF", bytes.size(), limits); !status.ok()) return status;
  Input input{bytes};
  int error = 0;
  const std::unique_ptr<GifFileType, void (*)(GifFileType*)> gif(
      DGifOpen(&input, &Read, &error), [](GifFileType* file) { DGifCloseFile(file, nullptr); });
  if (gif == nullptr) return Damaged(input, error);
  const absl::StatusOr<int> transparent = SeekPicture(gif.get(), input);
  if (!transparent.ok()) return transparent.status();
  const GifImageDesc& picture = gif->Image;
  const int width = std::max(gif->SWidth, picture.Left + picture.Width);
  const int height = std::max(gif->SHeight, picture.Top + picture.Height);
  if (absl::Status status = CheckDimensions("a GIF", width, height, limits); !status.ok()) return status;

  const auto colours = Colours(picture.ColorMap != nullptr ? picture.ColorMap : gif->SColorMap, *transparent);
  Raster raster{width, height, *transparent >= 0 ? 4 : 3, {}};
  const size_t channels = static_cast<size_t>(raster.channels);
  const auto& uncovered = colours[static_cast<size_t>(std::max(*transparent, 0))];
  raster.pixels.reserve(static_cast<size_t>(width) * static_cast<size_t>(height) * channels);
  for (size_t i = 0; i < static_cast<size_t>(width) * static_cast<size_t>(height); ++i) {
    raster.pixels.insert(raster.pixels.end(), uncovered.begin(), uncovered.begin() + raster.channels);
  }
  if (picture.Width == 0) return raster;
  int missing = picture.Height;
  for (const int y : RowOrder(picture.Height, picture.Interlace)) {
    std::vector<GifPixelType> row(static_cast<size_t>(picture.Width),
                                  static_cast<GifPixelType>(std::max(*transparent, 0)));
    const bool read = DGifGetLine(gif.get(), row.data(), picture.Width) == GIF_OK;
    if (!read && (gif->Error != D_GIF_ERR_EOF_TOO_SOON || !IsSmallLoss(missing, picture.Height))) {
      return Damaged(input, gif->Error);
    }
    uint8_t* to = &raster.pixels[(static_cast<size_t>(picture.Top + y) * static_cast<size_t>(width) +
                                  static_cast<size_t>(picture.Left)) *
                                 channels];
    for (const GifPixelType pixel : row) to = std::copy_n(colours[pixel].begin(), channels, to);
    if (!read) break;
    --missing;
  }
  return raster;
}

}  // namespace lvrpo
