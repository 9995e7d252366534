// Every setting of a published configuration is used, known to change nothing, or refused: each in turn is
// given another value, and then the configuration must be refused or be another one, unless the setting is
// listed here as one that changes nothing.
#include <functional>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/json/json_text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/autoencoder.h"
#include "model/bagel_config.h"
#include "model/owlv2_config.h"
#include "model/paligemma.h"
#include "model/qwen2_config.h"
#include "model/siglip.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

// What was understood, as text.
using Load = std::function<absl::StatusOr<std::string>(const nlohmann::json&)>;

template <typename Config>
absl::StatusOr<std::string> Understood(const nlohmann::json& json) {
  const absl::StatusOr<Config> config = Config::FromJson(json, "config.json");
  if (!config.ok()) return config.status();
  return JsonText(config->ToJson());
}

absl::StatusOr<std::string> UnderstoodBagel(const nlohmann::json& json) {
  const TemporaryFolder folder;
  EXPECT_TRUE(WriteFileAtomic(folder / "config.json", JsonText(json)).ok());
  const absl::StatusOr<BagelConfig> config = LoadBagelConfig(folder.path());
  if (!config.ok()) return config.status();
  EXPECT_TRUE(SaveBagelConfig(*config, folder.path()).ok());
  return *ReadFile(folder / "config.json");
}

// What older releases of transformers write into every section, whatever the model.
const char kDump[] = R"("_name_or_path": "", "_commit_hash": null, "add_cross_attention": false,
  "architectures": null, "bad_words_ids": null, "begin_suppress_tokens": null, "bos_token_id": 49406,
  "chunk_size_feed_forward": 0, "cross_attention_hidden_size": null, "decoder_start_token_id": null,
  "diversity_penalty": 0.0, "do_sample": false, "early_stopping": false, "encoder_no_repeat_ngram_size": 0,
  "eos_token_id": 49407, "exponential_decay_length_penalty": null, "finetuning_task": null,
  "forced_bos_token_id": null, "forced_eos_token_id": null, "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
  "is_decoder": false, "is_encoder_decoder": false, "label2id": {"LABEL_0": 0, "LABEL_1": 1},
  "length_penalty": 1.0, "max_length": 20, "min_length": 0, "no_repeat_ngram_size": 0, "num_beam_groups": 1,
  "num_beams": 1, "num_return_sequences": 1, "output_attentions": false, "output_hidden_states": false,
  "output_scores": false, "pad_token_id": 1, "prefix": null, "problem_type": null, "pruned_heads": {},
  "remove_invalid_values": false, "repetition_penalty": 1.0, "return_dict": true,
  "return_dict_in_generate": false, "sep_token_id": null, "suppress_tokens": null,
  "task_specific_params": null, "temperature": 1.0, "tf_legacy_loss": false, "tie_encoder_decoder": false,
  "tokenizer_class": null, "top_k": 50, "top_p": 1.0, "torch_dtype": "float32", "torchscript": false,
  "transformers_version": "4.37.0", "typical_p": 1.0, "use_bfloat16": false)";
const std::set<std::string> kDumpChangesNothing = {"_name_or_path",
                                                   "_commit_hash",
                                                   "architectures",
                                                   "bad_words_ids",
                                                   "begin_suppress_tokens",
                                                   "bos_token_id",
                                                   "chunk_size_feed_forward",
                                                   "decoder_start_token_id",
                                                   "diversity_penalty",
                                                   "do_sample",
                                                   "early_stopping",
                                                   "encoder_no_repeat_ngram_size",
                                                   "eos_token_id",
                                                   "exponential_decay_length_penalty",
                                                   "finetuning_task",
                                                   "forced_bos_token_id",
                                                   "forced_eos_token_id",
                                                   "id2label.0",
                                                   "id2label.1",
                                                   "label2id.LABEL_0",
                                                   "label2id.LABEL_1",
                                                   "length_penalty",
                                                   "max_length",
                                                   "min_length",
                                                   "no_repeat_ngram_size",
                                                   "num_beam_groups",
                                                   "num_beams",
                                                   "num_return_sequences",
                                                   "output_attentions",
                                                   "output_hidden_states",
                                                   "output_scores",
                                                   "pad_token_id",
                                                   "prefix",
                                                   "problem_type",
                                                   "remove_invalid_values",
                                                   "repetition_penalty",
                                                   "return_dict",
                                                   "return_dict_in_generate",
                                                   "sep_token_id",
                                                   "suppress_tokens",
                                                   "task_specific_params",
                                                   "temperature",
                                                   "tf_legacy_loss",
                                                   "tokenizer_class",
                                                   "top_k",
                                                   "top_p",
                                                   "torch_dtype",
                                                   "dtype",
                                                   "torchscript",
                                                   "transformers_version",
                                                   "typical_p",
                                                   "use_bfloat16",
                                                   "use_cache",
                                                   "attention_dropout",
                                                   "initializer_range",
                                                   "initializer_factor",
                                                   "logit_scale_init_value",
                                                   "ignore_index"};

struct Published {
  const char* name;
  std::string text;
  Load load;
  std::set<std::string> changes_nothing;  // besides those above, by path
};

std::vector<Published> AllPublished() {
  const std::string dump = kDump;
  return {
      {"SigLIP 2 of a fixed resolution",
       R"({"architectures": ["SiglipModel"], "initializer_factor": 1.0, "model_type": "siglip",
           "text_config": {)" +
           dump + R"(, "attention_dropout": 0.0, "hidden_act": "gelu_pytorch_tanh",
             "hidden_size": 768, "intermediate_size": 3072, "layer_norm_eps": 1e-06,
             "max_position_embeddings": 64, "model_type": "siglip_text_model", "num_attention_heads": 12,
             "num_hidden_layers": 12, "projection_size": 768, "vocab_size": 256000},
           "torch_dtype": "float32", "transformers_version": "4.49.0.dev0",
           "vision_config": {)" +
           dump + R"(, "attention_dropout": 0.0, "hidden_act": "gelu_pytorch_tanh",
             "hidden_size": 768, "image_size": 224, "intermediate_size": 3072, "layer_norm_eps": 1e-06,
             "model_type": "siglip_vision_model", "num_attention_heads": 12, "num_channels": 3,
             "num_hidden_layers": 12, "patch_size": 16, "vision_use_head": true, "tie_word_embeddings": true}})",
       Understood<SiglipConfig>,
       {"vision_config.tie_word_embeddings"}},
      {"SigLIP 2 NaFlex",
       R"({"architectures": ["Siglip2Model"], "initializer_factor": 1.0, "model_type": "siglip2",
           "text_config": {"attention_dropout": 0.0, "hidden_act": "gelu_pytorch_tanh", "hidden_size": 768,
             "intermediate_size": 3072, "layer_norm_eps": 1e-06, "max_position_embeddings": 64,
             "model_type": "siglip2_text_model", "num_attention_heads": 12, "num_hidden_layers": 12,
             "projection_size": 768, "torch_dtype": "float32", "vocab_size": 256000},
           "vision_config": {"attention_dropout": 0.0, "hidden_act": "gelu_pytorch_tanh", "hidden_size": 768,
             "intermediate_size": 3072, "layer_norm_eps": 1e-06, "model_type": "siglip2_vision_model",
             "num_attention_heads": 12, "num_channels": 3, "num_hidden_layers": 12, "num_patches": 256,
             "patch_size": 16, "torch_dtype": "float32"}})",
       Understood<SiglipConfig>,
       {}},
      {"OWLv2",
       R"({"architectures": ["Owlv2ForObjectDetection"], "initializer_factor": 1.0,
           "logit_scale_init_value": 2.6592, "model_type": "owlv2", "projection_dim": 512,
           "text_config": {)" +
           dump + R"(, "attention_dropout": 0.0, "hidden_act": "quick_gelu",
             "hidden_size": 512, "initializer_factor": 1.0, "initializer_range": 0.02,
             "intermediate_size": 2048, "layer_norm_eps": 1e-05, "max_position_embeddings": 16,
             "model_type": "owlv2_text_model", "num_attention_heads": 8, "num_hidden_layers": 12,
             "vocab_size": 49408},
           "vision_config": {)" +
           dump + R"(, "attention_dropout": 0.0, "hidden_act": "quick_gelu",
             "hidden_size": 768, "image_size": 960, "initializer_factor": 1.0, "initializer_range": 0.02,
             "intermediate_size": 3072, "layer_norm_eps": 1e-05, "model_type": "owlv2_vision_model",
             "num_attention_heads": 12, "num_channels": 3, "num_hidden_layers": 12, "patch_size": 16}})",
       Understood<Owlv2Config>,
       {}},
      {"PaliGemma",
       R"({"_vocab_size": 257216, "architectures": ["PaliGemmaForConditionalGeneration"], "bos_token_id": 2,
           "eos_token_id": 1, "hidden_size": 2048, "ignore_index": -100, "image_token_index": 257152,
           "model_type": "paligemma", "pad_token_id": 0, "projection_dim": 2048,
           "text_config": {"hidden_size": 2048, "intermediate_size": 16384, "model_type": "gemma",
             "num_attention_heads": 8, "num_hidden_layers": 18, "num_image_tokens": 256,
             "num_key_value_heads": 1, "torch_dtype": "float32", "vocab_size": 257216, "attention_bias": false,
             "head_dim": 256, "hidden_act": "gelu_pytorch_tanh", "hidden_activation": null,
             "max_position_embeddings": 8192, "rms_norm_eps": 1e-06, "rope_theta": 10000.0,
             "tie_word_embeddings": true, "use_cache": true},
           "torch_dtype": "float32", "transformers_version": "4.41.0.dev0",
           "vision_config": {"hidden_size": 1152, "intermediate_size": 4304,
             "model_type": "siglip_vision_model", "num_attention_heads": 16, "num_hidden_layers": 27,
             "num_image_tokens": 256, "patch_size": 14, "image_size": 224, "projection_dim": 2048,
             "projector_hidden_act": "gelu_fast", "vision_use_head": false, "layer_norm_eps": 1e-06,
             "num_channels": 3, "hidden_act": "gelu_pytorch_tanh"}})",
       Understood<PaliGemmaConfig>,
       {"_vocab_size", "image_token_index", "vision_config.projector_hidden_act",
        "text_config.max_position_embeddings"}},
      {"Qwen2.5",
       R"({"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
           "eos_token_id": 151645, "hidden_act": "silu", "hidden_size": 3584, "initializer_range": 0.02,
           "intermediate_size": 18944, "max_position_embeddings": 32768, "max_window_layers": 28,
           "model_type": "qwen2", "num_attention_heads": 28, "num_hidden_layers": 28,
           "num_key_value_heads": 4, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "rope_scaling": null,
           "sliding_window": 131072, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
           "transformers_version": "4.43.1", "use_cache": true, "use_mrope": false,
           "use_sliding_window": false, "vocab_size": 152064})",
       Understood<Qwen2Config>,
       {"max_window_layers", "sliding_window", "max_position_embeddings"}},
      {"Qwen2.5 by transformers 5",
       R"({"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": null,
           "dtype": "float32", "eos_token_id": null, "hidden_act": "silu", "hidden_size": 48,
           "initializer_range": 0.02, "intermediate_size": 92,
           "layer_types": ["full_attention", "full_attention"], "max_position_embeddings": 128,
           "max_window_layers": 28, "model_type": "qwen2", "num_attention_heads": 4, "num_hidden_layers": 2,
           "num_key_value_heads": 2, "pad_token_id": null, "rms_norm_eps": 1e-06,
           "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}, "sliding_window": null,
           "tie_word_embeddings": false, "transformers_version": "5.17.0", "use_cache": true,
           "use_sliding_window": false, "vocab_size": 131})",
       Understood<Qwen2Config>,
       {"max_window_layers", "sliding_window", "max_position_embeddings"}},
      {"FLUX autoencoder",
       R"({"resolution": 256, "in_channels": 3, "downsample": 8, "ch": 128, "out_ch": 3,
           "ch_mult": [1, 2, 4, 4], "num_res_blocks": 2, "z_channels": 16, "scale_factor": 0.3611,
           "shift_factor": 0.1159})",
       Understood<AutoencoderConfig>,
       {"resolution"}},
      {"BAGEL",
       R"({"architectures": ["BagelForConditionalGeneration"], "model_type": "bagel", "visual_gen": true,
           "visual_und": true, "connector_act": "gelu_pytorch_tanh", "interpolate_pos": false,
           "timestep_shift": 1.0, "vit_max_num_patch_per_side": 70, "latent_patch_size": 2,
           "max_latent_size": 64, "torch_dtype": "bfloat16", "transformers_version": "4.49.0",
           "start_of_image_id": 151652, "end_of_image_id": 151653,
           "llm_config": {"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0,
             "hidden_act": "silu", "hidden_size": 3584, "initializer_range": 0.02, "intermediate_size": 18944,
             "max_position_embeddings": 32768, "max_window_layers": 28, "model_type": "qwen2",
             "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4,
             "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000.0, "sliding_window": null,
             "tie_word_embeddings": false, "torch_dtype": "bfloat16", "use_cache": true,
             "use_sliding_window": false, "vocab_size": 152064, "qk_norm": true, "is_causal": true,
             "freeze_und": false, "layer_module": "Qwen2MoTDecoderLayer"},
           "vit_config": {"hidden_size": 1152, "image_size": 980, "intermediate_size": 4304,
             "model_type": "siglip_vision_model", "num_attention_heads": 16, "num_hidden_layers": 27,
             "patch_size": 14, "attention_dropout": 0.0, "hidden_act": "gelu_pytorch_tanh",
             "layer_norm_eps": 1e-06, "num_channels": 3, "rope": false},
           "vae_config": {"downsample": 8, "z_channels": 16},
           "router": {"type": "top_k", "experts": 8, "experts_per_token": 2}})",
       UnderstoodBagel,
       {"visual_gen", "visual_und", "timestep_shift", "llm_config.qk_norm", "llm_config.freeze_und",
        "llm_config.max_window_layers", "llm_config.sliding_window", "vit_config.rope",
        // A separate head is wanted whatever this says: OpenBagelFolder looks for it among the weights.
        "llm_config.tie_word_embeddings"}},
  };
}

nlohmann::json Other(const nlohmann::json& value) {
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_number_integer()) return value.get<int64_t>() + 1;
  if (value.is_number()) return value.get<double>() * 1.25 + 1e-3;
  if (value.is_string()) return value.get<std::string>() + "x";
  if (value.is_array()) {
    nlohmann::json longer = value;
    longer.push_back(value.empty() ? nlohmann::json(1) : value.back());
    return longer;
  }
  if (value.is_object()) return {{"other", 1}};  // of an empty one
  return 1;
}

// Every member that is no section, as "section.member".
void CollectMembers(const nlohmann::json& object, const std::string& path,
                    std::vector<std::string>& members) {
  for (const auto& [key, value] : object.items()) {
    const std::string own = path.empty() ? key : path + "." + key;
    if (value.is_object() && !value.empty()) {
      CollectMembers(value, own, members);
    } else {
      members.push_back(own);
    }
  }
}

nlohmann::json& At(nlohmann::json& json, const std::string& path) {
  const size_t dot = path.find('.');
  if (dot == std::string::npos) return json[path];
  return At(json[path.substr(0, dot)], path.substr(dot + 1));
}

bool ChangesNothing(const Published& published, const std::string& path) {
  if (published.changes_nothing.contains(path)) return true;
  for (const char* section : {"text_config.", "vision_config.", "llm_config.", "vit_config.", ""}) {
    if (path.rfind(section, 0) == 0)
      return kDumpChangesNothing.contains(path.substr(std::string(section).size()));
  }
  return false;
}

TEST(Settings, EachIsUsedOrHarmlessOrRefused) {
  for (const Published& published : AllPublished()) {
    const nlohmann::json whole = nlohmann::json::parse(published.text);
    const absl::StatusOr<std::string> understood = published.load(whole);
    ASSERT_TRUE(understood.ok()) << published.name << ": " << understood.status();
    std::vector<std::string> members;
    CollectMembers(whole, "", members);
    for (const std::string& member : members) {
      nlohmann::json changed = whole;
      nlohmann::json& value = At(changed, member);
      value = Other(value);
      const absl::StatusOr<std::string> other = published.load(changed);
      if (ChangesNothing(published, member)) {
        ASSERT_TRUE(other.ok()) << published.name << ": " << member << ": " << other.status();
        EXPECT_EQ(*other, *understood) << published.name << ": " << member;
      } else if (other.ok()) {
        EXPECT_NE(*other, *understood) << published.name << ": " << member << " is taken in silence";
      } else {
        EXPECT_TRUE(absl::IsInvalidArgument(other.status())) << other.status();
      }
    }
  }
}

// Null is the default, says nothing, or is refused: it never stands for a value that was given.
TEST(Settings, NullIsTheDefaultOrRefused) {
  for (const Published& published : AllPublished()) {
    const nlohmann::json whole = nlohmann::json::parse(published.text);
    std::vector<std::string> members;
    CollectMembers(whole, "", members);
    for (const std::string& member : members) {
      nlohmann::json changed = whole, without = whole;
      At(changed, member) = nullptr;
      const size_t dot = member.rfind('.');
      nlohmann::json& section = dot == std::string::npos ? without : At(without, member.substr(0, dot));
      if (!section.is_object()) continue;
      section.erase(dot == std::string::npos ? member : member.substr(dot + 1));
      const absl::StatusOr<std::string> null = published.load(changed), absent = published.load(without);
      if (null.ok()) {
        ASSERT_TRUE(absent.ok()) << published.name << ": " << member;
        EXPECT_EQ(*null, *absent) << published.name << ": " << member;
      } else {
        EXPECT_TRUE(absl::IsInvalidArgument(null.status())) << null.status();
      }
    }
  }
}

TEST(Settings, NullIsNoValue) {
  const std::vector<std::string> values = {"hidden_act",         "layer_norm_eps", "hidden_size",
                                           "rms_norm_eps",       "rope_theta",     "patch_size",
                                           "tie_word_embeddings"};
  for (const Published& published : AllPublished()) {
    const nlohmann::json whole = nlohmann::json::parse(published.text);
    std::vector<std::string> members;
    CollectMembers(whole, "", members);
    for (const std::string& member : members) {
      const std::string key = member.substr(member.rfind('.') + 1);
      if (std::count(values.begin(), values.end(), key) == 0 || ChangesNothing(published, member)) continue;
      nlohmann::json changed = whole;
      At(changed, member) = nullptr;
      // PaliGemma repeats its text model's hidden_size, and that is refused when the two differ.
      EXPECT_THAT(std::string(published.load(changed).status().message()),
                  AnyOf(HasSubstr(absl::StrCat(key, " is null, which is no value")),
                        HasSubstr(absl::StrCat(key, " is 2048 and not known"))))
          << published.name << ": " << member;
    }
  }
}

TEST(Settings, AnUnknownOneIsRefusedByName) {
  for (const Published& published : AllPublished()) {
    const nlohmann::json whole = nlohmann::json::parse(published.text);
    std::vector<std::string> sections = {""};
    for (const auto& [key, value] : whole.items()) {
      if (value.is_object()) sections.push_back(key + ".");
    }
    for (const std::string& section : sections) {
      nlohmann::json more = whole;
      At(more, section + "use_fancy_norm") = true;
      const absl::Status status = published.load(more).status();
      EXPECT_TRUE(absl::IsInvalidArgument(status)) << published.name << " " << section;
      EXPECT_THAT(std::string(status.message()), HasSubstr("use_fancy_norm is true and not known"));
      At(more, section + "use_fancy_norm") = nullptr;  // says nothing
      EXPECT_TRUE(published.load(more).ok()) << published.name << " " << section;
    }
  }
}

}  // namespace
}  // namespace lvrpo
