#include "model/weights/stored_weights.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ATen/Parallel.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "model/weights/tensor_dtypes.h"

namespace lvrpo {
namespace {

constexpr int64_t kPieceElements = int64_t{1} << 21;  // 4 to 16 MiB

struct Mapping {
  void* begin;
  size_t size;
  Mapping(void* b, size_t s) : begin(b), size(s) {}
  Mapping(const Mapping&) = delete;
  ~Mapping() { munmap(begin, size); }
};

// Private and writable: see WeightReadOptions::map. MAP_NORESERVE: the pages are the file's until written, so
// the system need not set memory aside for all of them.
absl::StatusOr<std::shared_ptr<Mapping>> Map(const RandomAccessFile& file) {
  void* begin =
      mmap(nullptr, file.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.descriptor(), 0);
  if (begin == MAP_FAILED)
    return absl::InternalError(absl::StrCat("cannot map ", file.path(), ": ", std::strerror(errno)));
  return std::make_shared<Mapping>(begin, file.size());
}

// Reads elements [first, first + into.numel()) of a stored tensor into `into`.
absl::Status ReadElements(const RandomAccessFile& file, const SafetensorsPlace& place, torch::Dtype stored,
                          int64_t first, torch::Tensor& into) {
  const size_t width = torch::elementSize(stored), bytes = static_cast<size_t>(into.numel()) * width;
  const uint64_t offset = place.begin + static_cast<uint64_t>(first) * width;
  if (stored == into.scalar_type()) return file.Read(offset, into.data_ptr(), bytes);
  torch::Tensor scratch = torch::empty({into.numel()}, stored);
  if (absl::Status status = file.Read(offset, scratch.data_ptr(), bytes); !status.ok()) return status;
  into.copy_(scratch);
  return absl::OkStatus();
}

// A part of one tensor, the unit of work of a thread.
struct Piece {
  const CheckpointIndex::Tensor* tensor;
  torch::Dtype stored;
  int64_t first;
  torch::Tensor into;  // one dimension
};

absl::Status ReadPieces(const CheckpointIndex& index, std::vector<Piece>& pieces) {
  absl::Mutex mutex;
  absl::Status result;
  at::parallel_for(0, static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    const torch::NoGradGuard no_grad;
    for (int64_t i = begin; i < end; ++i) {
      Piece& piece = pieces[static_cast<size_t>(i)];
      const absl::Status status =
          ReadElements(index.file_of(*piece.tensor), *piece.tensor, piece.stored, piece.first, piece.into);
      if (status.ok()) continue;
      const absl::MutexLock lock(&mutex);
      result.Update(status);
      return;
    }
  });
  return result;
}

}  // namespace

std::vector<int64_t> ShapeOf(const SafetensorsPlace& place) {
  return {place.shape.begin(), place.shape.end()};
}

absl::StatusOr<StoredWeights> StoredWeights::Open(const std::string& folder,
                                                  const std::vector<std::string>& stems) {
  absl::StatusOr<CheckpointIndex> index = OpenCheckpoint(folder, stems);
  if (!index.ok()) return index.status();
  return StoredWeights(*std::move(index));
}

absl::StatusOr<StoredWeights> StoredWeights::OpenFile(const std::string& path) {
  absl::StatusOr<CheckpointIndex> index = OpenCheckpointFile(path);
  if (!index.ok()) return index.status();
  return StoredWeights(*std::move(index));
}

std::optional<int64_t> StoredWeights::RowsOf(const std::string& name) const {
  const auto found = index_.tensors.find(name);
  if (found == index_.tensors.end() || found->second.shape.size() != 2) return std::nullopt;
  return static_cast<int64_t>(found->second.shape[0]);
}

void StoredWeights::Drop(const std::function<bool(const std::string& name)>& unwanted) {
  std::erase_if(index_.tensors, [&](const auto& entry) { return unwanted(entry.first); });
}

void StoredWeights::AlignNames(const ShapeMap& expected) {
  std::vector<std::string> names, wanted;
  ShapeMap stored;
  for (const auto& [name, tensor] : index_.tensors) {
    names.push_back(name);
    stored[name] = {};
  }
  for (const auto& [name, shape] : expected) wanted.push_back(name);
  const std::string more = CommonPrefix(expected, names);
  const std::string less = more.empty() ? CommonPrefix(stored, wanted) : "";
  if (more.empty() && less.empty()) return;
  std::map<std::string, CheckpointIndex::Tensor> renamed;
  for (auto& [name, tensor] : index_.tensors) {
    std::string better = name;
    if (!more.empty() && name.rfind(more, 0) == 0) better = name.substr(more.size());
    if (!less.empty() && !expected.contains(name) && expected.contains(less + name)) better = less + name;
    // A name that is taken keeps its prefix, which Check() will report.
    if (better != name && index_.tensors.contains(better)) better = name;
    renamed.emplace(better, std::move(tensor));
  }
  index_.tensors = std::move(renamed);
}

absl::Status StoredWeights::Check(const ShapeMap& expected) const {
  ShapeMap shapes;
  std::map<std::string, std::string> dtypes;
  for (const auto& [name, tensor] : index_.tensors) {
    shapes[name] = ShapeOf(tensor);
    dtypes[name] = tensor.dtype;
  }
  if (absl::Status status = CheckShapes(expected, shapes, source()); !status.ok()) return status;
  return CheckWeightDtypes(dtypes, source());
}

absl::StatusOr<TensorMap> StoredWeights::Read(const WeightReadOptions& options) const {
  const torch::NoGradGuard no_grad;
  TensorMap tensors;
  std::vector<Piece> pieces;
  std::vector<std::shared_ptr<Mapping>> mappings(index_.files.size());
  for (const auto& [name, tensor] : index_.tensors) {
    const absl::StatusOr<torch::Dtype> stored = TorchDtype(tensor.dtype);
    if (!stored.ok()) {
      return absl::UnimplementedError(absl::StrCat(source(), ": '", name, "': ", stored.status().message()));
    }
    const bool floating = torch::isFloatingType(*stored);
    const torch::Dtype wanted = floating ? options.dtype.value_or(*stored) : *stored;
    const bool aligned = tensor.begin % torch::elementSize(*stored) == 0;
    if (options.map && wanted == *stored && aligned && tensor.bytes() > 0) {
      std::shared_ptr<Mapping>& mapping = mappings[tensor.file];
      if (mapping == nullptr) {
        absl::StatusOr<std::shared_ptr<Mapping>> mapped = Map(*index_.files[tensor.file]);
        if (!mapped.ok()) return mapped.status();
        mapping = *std::move(mapped);
      }
      tensors[name] = torch::from_blob(
          static_cast<char*>(mapping->begin) + tensor.begin, ShapeOf(tensor), [mapping](void*) {},
          torch::TensorOptions(wanted));
      continue;
    }
    torch::Tensor whole;
    try {
      whole = torch::empty(ShapeOf(tensor), wanted);
    } catch (const c10::Error& error) {
      return absl::ResourceExhaustedError(absl::StrCat("no memory for the tensor '", name, "' of ", source(),
                                                       ", ", tensor.elements(),
                                                       " elements: ", error.what_without_backtrace()));
    }
    const torch::Tensor flat = whole.view({-1});
    for (int64_t first = 0; first < flat.numel(); first += kPieceElements) {
      pieces.push_back(
          {&tensor, *stored, first, flat.narrow(0, first, std::min(kPieceElements, flat.numel() - first))});
    }
    tensors[name] = whole;
  }
  if (absl::Status status = ReadPieces(index_, pieces); !status.ok()) return status;
  for (const auto& file : index_.files) {
    if (absl::Status status = file->CheckUnchanged(); !status.ok()) return status;
  }
  return tensors;
}

absl::Status StoredWeights::ReadPiece(const std::string& name, int64_t first, torch::Tensor into) const {
  const auto found = index_.tensors.find(name);
  if (found == index_.tensors.end())
    return absl::NotFoundError(absl::StrCat(source(), " has no tensor '", name, "'"));
  const CheckpointIndex::Tensor& tensor = found->second;
  const absl::StatusOr<torch::Dtype> stored = TorchDtype(tensor.dtype);
  if (!stored.ok())
    return absl::UnimplementedError(absl::StrCat(source(), ": '", name, "': ", stored.status().message()));
  if (first < 0 || first + into.numel() > static_cast<int64_t>(tensor.elements()))
    return absl::OutOfRangeError(absl::StrCat("the tensor '", name, "' ends before that piece"));
  return ReadElements(index_.file_of(tensor), tensor, *stored, first, into);
}

}  // namespace lvrpo
