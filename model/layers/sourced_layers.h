#pragma once

#include <string>

#include "model/layers/decoder_layer.h"
#include "model/layers/layer_source.h"

namespace lvrpo {

// A decoder's layers, made from what a LayerSource gathers.
//
// A layer that runs with gradients is one autograd function, which keeps the layer's inputs alone: its
// backward gathers the weights again, runs the layer a second time, with a graph, and hands the weights'
// gradients to the source. So a forward gathers each layer once, and a backward once more; both have the same
// values, bit for bit, as layers whose weights and graph are kept.
// Copies share the source, which must outlive them and every graph.
class SourcedLayers {
 public:
  // Names: see Decoder. `prefix` ends with "layers.".
  SourcedLayers(DecoderConfig config, std::string prefix, std::string gen_suffix, LayerSource& source)
      : config_(config), prefix_(std::move(prefix)), gen_suffix_(std::move(gen_suffix)), source_(&source) {}

  LayerState Run(int64_t layer, const LayerState& in, const LayerCall& call) const;

 private:
  friend struct SourcedLayerFunction;
  DecoderLayer Resolve(int64_t layer, Halves halves, const TensorMap& weights) const;

  DecoderConfig config_;
  std::string prefix_, gen_suffix_;
  LayerSource* source_;
};

}  // namespace lvrpo
