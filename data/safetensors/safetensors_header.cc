#include "data/safetensors/safetensors_header.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

// Events of nlohmann's SAX parser, followed through the three levels that the format has:
// the object of entries; an entry or __metadata__; the arrays shape and data_offsets.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  RawHeader header;
  std::string error;

  bool start_object(std::size_t) override {
    if (++depth_ > kMaxDepth) return Fail("its header is nested too deeply");
    if (depth_ == 1) return true;
    if (skipping()) return true;
    if (depth_ == 2) {
      keys_.clear();
      if (in_metadata_) {
        header.has_metadata = true;
        return true;
      }
      tensor_ = RawTensor{.name = name_, .dtype = "", .shape = {}};
      seen_dtype_ = seen_shape_ = seen_offsets_ = false;
      offsets_.clear();
      return true;
    }
    if (unknown_) {  // an object inside an unknown field
      skip_depth_ = depth_;
      return true;
    }
    return Fail(absl::StrCat("an object where the ", field_, " of '", name_, "' belongs"));
  }

  bool end_object() override {
    --depth_;
    if (skip_depth_ > depth_) skip_depth_ = 0;
    if (depth_ == 1 && !in_metadata_) {
      if (!seen_dtype_ || !seen_shape_ || !seen_offsets_) {
        return Fail(absl::StrCat("tensor '", name_, "' lacks dtype, shape or data_offsets"));
      }
      if (offsets_.size() != 2) return Fail(absl::StrCat("tensor '", name_, "' has not two data_offsets"));
      tensor_.begin = offsets_[0];
      tensor_.end = offsets_[1];
      header.tensors.push_back(tensor_);
    }
    if (depth_ == 1) in_metadata_ = false;
    return true;
  }

  bool key(std::string& key) override {
    if (skipping()) return true;
    if (depth_ == 1) {
      if (key.find('\0') != std::string::npos) return Fail("a tensor name holds a NUL");
      if (!names_.insert(key).second) return Fail(absl::StrCat("the name '", key, "' occurs twice"));
      in_metadata_ = key == "__metadata__";
      name_ = key;
      return true;
    }
    unknown_ = !in_metadata_ && key != "dtype" && key != "shape" && key != "data_offsets";
    if (!unknown_ && !keys_.insert(key).second) {
      return Fail(absl::StrCat("'", name_, "' has the key '", key, "' twice"));
    }
    field_ = unknown_ ? "" : key;
    return true;
  }

  bool start_array(std::size_t) override {
    if (++depth_ > kMaxDepth) return Fail("its header is nested too deeply");
    if (skipping()) return true;
    if (depth_ == 3 && unknown_) {
      skip_depth_ = depth_;
      return true;
    }
    if (depth_ == 3 && !in_metadata_ && (field_ == "shape" || field_ == "data_offsets")) {
      in_array_ = true;
      return true;
    }
    return Fail("an array in the wrong place");
  }

  bool end_array() override {
    --depth_;
    if (skip_depth_ > depth_) {
      skip_depth_ = 0;
      return true;
    }
    if (skipping()) return true;
    in_array_ = false;
    (field_ == "shape" ? seen_shape_ : seen_offsets_) = true;
    return true;
  }

  bool string(std::string& value) override {
    if (skipping() || (depth_ == 2 && unknown_ && !in_metadata_)) return true;
    if (depth_ == 2 && in_metadata_) {
      header.metadata[field_] = value;
      return true;
    }
    if (depth_ == 2 && field_ == "dtype") {
      tensor_.dtype = value;
      seen_dtype_ = true;
      return true;
    }
    return Fail("a string in the wrong place");
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (skipping() || (depth_ == 2 && unknown_ && !in_metadata_)) return true;
    if (!in_array_) return Fail("a number in the wrong place");
    if (field_ == "shape")
      tensor_.shape.push_back(value);
    else
      offsets_.push_back(value);
    return true;
  }

  bool null() override {
    if (depth_ == 1 && in_metadata_) {
      in_metadata_ = false;
      return true;
    }
    return Other("null");
  }
  bool boolean(bool) override { return Other("a boolean"); }
  bool number_integer(number_integer_t) override { return Other("a negative number"); }
  bool number_float(number_float_t, const std::string& text) override {
    return Other(absl::StrCat("the number ", text));
  }
  bool binary(binary_t&) override { return Other("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return Fail(absl::StrCat("its header is not JSON at byte ", position));
  }

 private:
  static constexpr int kMaxDepth = 127;  // that of the reference (serde_json)
  bool skipping() const { return skip_depth_ != 0; }
  bool Other(absl::string_view what) {
    if (skipping() || (depth_ == 2 && unknown_ && !in_metadata_)) return true;
    return Fail(absl::StrCat(what, " in the wrong place"));
  }
  bool Fail(std::string what) {
    if (error.empty()) error = std::move(what);
    return false;
  }

  int depth_ = 0;
  int skip_depth_ = 0;  // depth at which an unknown value began; 0 = none
  bool in_metadata_ = false, in_array_ = false, unknown_ = false;
  bool seen_dtype_ = false, seen_shape_ = false, seen_offsets_ = false;
  std::string name_, field_;
  std::set<std::string> names_, keys_;
  std::vector<uint64_t> offsets_;
  RawTensor tensor_;
};

}  // namespace

absl::StatusOr<RawHeader> ParseSafetensorsHeader(absl::string_view json) {
  size_t first = 0;
  while (first < json.size() &&
         (json[first] == ' ' || json[first] == '\n' || json[first] == '\r' || json[first] == '\t')) {
    ++first;
  }
  if (first == json.size() || json[first] != '{')
    return absl::DataLossError("its header is not a JSON object");
  // The parser treats a zero byte as the end of its input.
  if (json.find('\0') != absl::string_view::npos) return absl::DataLossError("its header has a zero byte");
  HeaderReader reader;
  const bool parsed = nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  if (!reader.error.empty()) return absl::DataLossError(reader.error);
  if (!parsed) return absl::DataLossError("its header is not JSON");
  return std::move(reader.header);
}

}  // namespace lvrpo
