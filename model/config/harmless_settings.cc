#include "model/config/harmless_settings.h"

namespace lvrpo {

absl::Span<const absl::string_view> HarmlessOfAnyModel() {
  static constexpr absl::string_view kNames[] = {
      // Who wrote the file, and what for.
      "_name_or_path", "_commit_hash", "architectures", "auto_map", "transformers_version", "finetuning_task",
      "task_specific_params", "problem_type", "id2label", "label2id", "num_labels", "tokenizer_class",
      "prefix", "model_name", "language", "tags",
      // How weights were stored and are run: known from the files, and without effect on results.
      "torch_dtype", "dtype", "use_bfloat16", "torchscript", "_attn_implementation",
      "_attn_implementation_autoset", "attn_implementation", "chunk_size_feed_forward", "use_cache",
      // Training.
      "attention_dropout", "dropout", "hidden_dropout", "initializer_range", "initializer_factor",
      "logit_scale_init_value", "gradient_checkpointing", "tf_legacy_loss", "ignore_index",
      // What a call returns.
      "return_dict", "use_return_dict", "output_attentions", "output_hidden_states", "output_scores",
      "return_dict_in_generate",
      // Special tokens: read from the tokenizer's files.
      "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id",
      // Sampling.
      "max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups",
      "diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty",
      "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids",
      "num_return_sequences", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values",
      "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens"};
  return kNames;
}

absl::Span<const absl::string_view> HarmlessOfProcessors() {
  static constexpr absl::string_view kNames[] = {
      // Who wrote the file.
      "processor_class", "feature_extractor_type", "auto_map", "_valid_processor_keys",
      // Images are RGB already, and pixels laid out as the model needs them.
      "do_convert_rgb", "data_format", "input_data_format", "return_tensors", "device", "disable_grouping",
      // Parameters of disabled steps (do_center_crop, do_pad), and sizes given as one number.
      "crop_size", "pad_size", "default_to_square"};
  return kNames;
}

absl::Span<const absl::string_view> NullIsAbsent() {
  static constexpr absl::string_view kNames[] = {"num_key_value_heads", "hidden_activation",
                                                 "image_processor_type"};
  return kNames;
}

}  // namespace lvrpo
