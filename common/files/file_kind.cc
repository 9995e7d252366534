#include "common/files/file_kind.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/utf8.h"

namespace lvrpo {
namespace {

using absl::string_view;

struct Magic {
  size_t at;  // byte of the file
  string_view bytes;
  const char* kind;
  const char* advice = "";
};

constexpr char kUnpack[] = "unpack it first";
constexpr char kPickle[] = "a Python pickle, as older .pt, .bin and .pkl files are";
constexpr char kSave[] = "save it as safetensors";

// A short magic number could also be the length of a safetensors header: then more bytes must match.
const Magic kMagics[] = {
    {0, "version https://git-lfs.github.com/", "a Git LFS pointer",
     "fetch the file itself, e.g. with git lfs pull"},
    {0, "version https://hawser.github.com/", "a Git LFS pointer",
     "fetch the file itself, e.g. with git lfs pull"},
    {0, "/annex/objects/", "a git-annex pointer", "fetch the file itself with git annex get"},
    {0, "../.git/annex/", "a git-annex pointer", "fetch the file itself with git annex get"},
    {0, "\x1f\x8b\x08", "a gzip archive", kUnpack},
    {0, "BZh", "a bzip2 archive", kUnpack},
    {0,
     "\xfd"
     "7zXZ",
     "an xz archive", kUnpack},
    {0, "\x28\xb5\x2f\xfd", "a Zstandard archive", kUnpack},
    {0, "7z\xbc\xaf\x27\x1c", "a 7-Zip archive", kUnpack},
    {0, "Rar!\x1a\x07", "a RAR archive", kUnpack},
    {257, "ustar", "a tar archive", kUnpack},
    {0, "PK\x03\x04", "a ZIP archive, which is also what torch.save writes (.pt, .bin, .ckpt)",
     "unpack it, or save its tensors as safetensors"},
    {0, "\x80\x02\x8a\x0a\x6c\xfc", kPickle, kSave},
    {0, "\x80\x02}q", kPickle, kSave},
    {0, "\x80\x02]q", kPickle, kSave},
    {0,
     "\x80\x02"
     "c",
     kPickle, kSave},
    {0, "\x80\x03}q", kPickle, kSave},
    {0, "\x80\x04\x95", kPickle, kSave},
    {0, "\x80\x05\x95", kPickle, kSave},
    {0, "GGUF", "weights in llama.cpp's form (GGUF)"},
    {0, "\x89HDF\r\n", "an HDF5 file"},
    {0, "\x93NUMPY", "a NumPy array"},
    {0, "PAR1", "a Parquet table"},
    {0, "ARROW1", "an Arrow table"},
    {0, "SQLite format 3", "an SQLite database"},
    {0,
     "\x7f"
     "ELF",
     "a program (ELF)"},
    {0, "%PDF-", "a PDF document"},
    {0, "%!PS", "a PostScript document"},
    {0, "\x89PNG\r\n\x1a\n", "a PNG picture"},
    {0, "\xff\xd8\xff", "a JPEG picture"},
    {8, "WEBPVP8", "a WebP picture"},
    {0, "GIF87a", "a GIF picture"},
    {0, "GIF89a", "a GIF picture"},
    {4, "ftypavif", "an AVIF picture"},
    {4, "ftyphei", "a HEIC picture"},
    {4, "ftypmif1", "a HEIF picture"},
    {4, "ftyp", "a video"},
    {0, "\x1a\x45\xdf\xa3", "a video"},
    {0, string_view("II*\0", 4), "a TIFF picture"},
    {0, string_view("MM\0*", 4), "a TIFF picture"},
};

// A byte order mark and a character of ASCII after it.
bool IsUtf16(string_view bytes) {
  if (bytes.size() < 4) return false;
  const bool little = absl::StartsWith(bytes, "\xff\xfe") && bytes[2] != 0 && bytes[3] == 0;
  return little || (absl::StartsWith(bytes, "\xfe\xff") && bytes[2] == 0 && bytes[3] != 0);
}

bool IsText(string_view bytes) {
  return std::none_of(bytes.begin(), bytes.end(), [](char c) {
    return absl::ascii_iscntrl(static_cast<unsigned char>(c)) && c != '\n' && c != '\r' && c != '\t';
  });
}

string_view WithoutMark(string_view text) {
  return absl::StartsWith(text, "\xef\xbb\xbf") ? text.substr(3) : text;
}

bool IsHidden(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
         (c >= 0xfff0 && c <= 0xfffb) || c == 0x61c || (c >= 0xe0000 && c <= 0xe0fff);
}

}  // namespace

std::string KnownFileKind(string_view beginning) {
  for (const Magic& magic : kMagics) {
    if (beginning.size() >= magic.at && absl::StartsWith(beginning.substr(magic.at), magic.bytes))
      return absl::StrCat(magic.kind, *magic.advice == '\0' ? "" : ": ", magic.advice);
  }
  if (IsUtf16(beginning)) return "a text in UTF-16: save it as UTF-8";
  const string_view text = absl::StripLeadingAsciiWhitespace(WithoutMark(beginning));
  for (const char* start : {"<!doctype html", "<html", "<head", "<body", "<script"}) {
    if (absl::StartsWithIgnoreCase(text, start))
      return "a web page (HTML), perhaps a login or an error page in place of the file: fetch it again";
  }
  if (absl::StartsWithIgnoreCase(text, "<?xml") || absl::StartsWith(text, "<Error>"))
    return "an XML document, perhaps a storage's error message in place of the file: fetch it again";
  if (beginning.size() >= 16 && beginning.find_first_not_of('\0') == string_view::npos)
    return "nothing but zero bytes, perhaps a download that never finished: fetch it again";
  return "";
}

std::string FileKind(string_view beginning) {
  if (beginning.empty()) return "empty";
  std::string known = KnownFileKind(beginning);
  if (!known.empty() || !IsText(beginning)) return known;
  return absl::StrCat("a text that begins \"", OneLine(beginning.substr(0, 120), 60), "\"");
}

std::string WhatIsAt(const std::string& path) {
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == EACCES) return "in a folder that may not be entered: Permission denied";
    return "";
  }
  if (S_ISLNK(info.st_mode) && stat(path.c_str(), &info) != 0) {
    const int error = errno;
    char target[PATH_MAX] = {};
    const ssize_t length = readlink(path.c_str(), target, sizeof(target) - 1);
    return absl::StrCat("a link to ",
                        OneLine({target, static_cast<size_t>(std::max<ssize_t>(length, 0))}, 200),
                        error == ENOENT ? ", which is not there" : ", which cannot be reached: ",
                        error == ENOENT ? "" : std::strerror(error));
  }
  if (S_ISDIR(info.st_mode)) return "a folder";
  if (!S_ISREG(info.st_mode)) return "a pipe or a device, not a regular file";
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return absl::StrCat("a file that cannot be opened: ", std::strerror(errno));
  char bytes[kFileKindBytes];
  const ssize_t count = read(descriptor, bytes, sizeof(bytes));
  close(descriptor);
  return count < 0 ? "" : FileKind({bytes, static_cast<size_t>(count)});
}

absl::Status WithFileKind(const absl::Status& refused, const std::string& path) {
  if (refused.ok() || absl::IsPermissionDenied(refused)) return refused;  // the reason is said
  const std::string what = WhatIsAt(path);
  if (what.empty() || absl::StrContains(refused.message(), what)) return refused;
  // Something exists: do not report NotFound.
  const absl::StatusCode code =
      absl::IsNotFound(refused) ? absl::StatusCode::kInvalidArgument : refused.code();
  return absl::Status(code, absl::StrCat(refused.message(), "; it is ", what));
}

std::string OneLine(string_view text, size_t most) {
  // Four bytes a character at most, and what is beyond is cut anyway.
  const bool cut_bytes = text.size() > 4 * most + 4;
  const std::string sound = unicode::RepairUtf8(text.substr(0, 4 * most + 4));
  std::string line;
  size_t characters = 0;
  for (size_t at = 0; at < sound.size(); ++characters) {
    if (characters == most) return line + "...";
    const auto first = static_cast<unsigned char>(sound[at]);
    const size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    char32_t c = length == 1 ? first : first & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; ++i) c = (c << 6) | (static_cast<unsigned char>(sound[at + i]) & 0x3f);
    line += IsHidden(c) ? " " : sound.substr(at, length);
    at += length;
  }
  return cut_bytes ? line + "..." : line;
}

std::string PrintableLines(string_view text) {
  return absl::StrJoin(absl::StrSplit(text, '\n'), "\n", [](std::string* lines, string_view line) {
    absl::StrAppend(lines, OneLine(line, line.size()));
  });
}

}  // namespace lvrpo
