#include "data/image/foreign_image.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/files/file_kind.h"

namespace lvrpo {
namespace {

struct Magic {
  size_t offset;
  absl::string_view bytes;
  absl::string_view name;
};

constexpr Magic kPictures[] = {
    {4, "ftypavif", "an AVIF picture"},
    {4, "ftypavis", "an AVIF animation"},
    {4, "ftyphei", "a HEIC picture, as iPhones take them"},
    {4, "ftyphev", "a HEIC animation"},
    {4, "ftypmif1", "a HEIF picture"},
    {4, "ftypmsf1", "a HEIF animation"},
    {4, "ftypcrx ", "a raw photograph of a Canon camera (CR3)"},
    {0, {"\xff\x0a", 2}, "a JPEG XL picture"},
    {0, {"\0\0\0\x0cJXL ", 8}, "a JPEG XL picture"},
    {0, {"\0\0\0\x0cjP  ", 8}, "a JPEG 2000 picture"},
    {0, {"\xff\x4f\xff\x51", 4}, "a JPEG 2000 picture"},
    {0, {"II\xbc\x01", 4}, "a JPEG XR picture"},
    {8, {"CR\x02", 3}, "a raw photograph of a Canon camera (CR2)"},
    {0, {"II*\0", 4}, "a TIFF picture, or a camera's raw photograph"},
    {0, {"MM\0*", 4}, "a TIFF picture, or a camera's raw photograph"},
    {0, "FUJIFILMCCD-RAW", "a raw photograph of a Fujifilm camera"},
    {0, "8BPS", "a Photoshop document"},
    {0, "BM", "a BMP picture"},
    {0, {"\0\0\1\0", 4}, "an icon (ICO)"},
    {0, "qoif", "a QOI picture"},
    {0, "gimp xcf", "a GIMP document"},
    {0, "\x8aMNG", "an MNG animation"},
    {0, "\x8bJNG", "a JNG picture"},
};

absl::string_view Find(absl::Span<const Magic> magics, absl::string_view bytes) {
  for (const Magic& magic : magics) {
    if (bytes.size() >= magic.offset && absl::StartsWith(bytes.substr(magic.offset), magic.bytes)) {
      return magic.name;
    }
  }
  return "";
}

}  // namespace

std::string NameForeignImage(absl::string_view bytes) {
  absl::string_view picture = Find(kPictures, bytes);
  const absl::string_view text = absl::StripLeadingAsciiWhitespace(bytes.substr(0, kFileKindBytes));
  if (absl::StartsWithIgnoreCase(text, "<svg") ||
      (absl::StartsWith(text, "<?xml") && absl::StrContains(text, "<svg"))) {
    picture = "an SVG drawing";
  }
  if (!picture.empty()) return absl::StrCat(picture, ": save it as PNG or JPEG");
  return KnownFileKind(bytes.substr(0, kFileKindBytes));
}

}  // namespace lvrpo
