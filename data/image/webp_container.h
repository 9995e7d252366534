#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"

namespace lvrpo {

// The parts of a WebP file that hold its image, or the first frame of an animation. Views into the file.
struct WebpContainer {
  bool extended = false;  // it has a VP8X header, which says `canvas` and `alpha`
  bool animated = false;
  bool alpha = false;
  ImageSize canvas;         // of an extended file
  int left = 0, top = 0;    // an animation's first frame on its canvas
  ImageSize frame;          // its size as its header says, of an animation
  absl::string_view image;  // the coded picture: VP8 or VP8L chunk, an ALPH chunk in front
  absl::string_view exif;   // the EXIF chunk's data, if the header announces it; may be empty
};

// Reads the chunks' headers alone. The RIFF size is ignored: programs that write to a pipe leave it wrong.
// InvalidArgument when there is no coded image or it is truncated.
absl::StatusOr<WebpContainer> ParseWebp(absl::string_view file);

}  // namespace lvrpo
