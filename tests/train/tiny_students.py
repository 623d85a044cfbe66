"""Students with few random weights, and a tokenizer that has one token a byte."""

from pathlib import Path

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL_TOKENS = ["<|im_start|>", "<|im_end|>"]


def write_tokenizer(folder: Path, template: str | None = TEMPLATE, tokens: list[str] = SPECIAL_TOKENS) -> Path:
    """Write a byte-level tokenizer with the given special tokens, the last of which ends a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=tokens[-1], pad_token=tokens[-1])
    fast.add_special_tokens({"additional_special_tokens": tokens[:-1]})
    fast.chat_template = template
    fast.save_pretrained(folder)
    return folder


def write_student(folder: Path, template: str | None = TEMPLATE, tied: bool = True) -> Path:
    """Write a Llama model with random weights that are the same in every process, and its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    write_tokenizer(folder, template)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=256 + len(SPECIAL_TOKENS),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=tied,
        attention_dropout=0.1,  # so that a training that continues needs the random state too
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def write_small_student(folder: Path, kind: str = "Llama") -> Path:
    """Write a model with 2 layers of 64 dimensions and random weights, whose tokenizer splits as that of SmolLM2 does.

    `kind`: the name of its classes in transformers, such as "Qwen2".
    """
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    merges = [("e", "r"), ("r", "i"), ("Ġ", "s")]
    names = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(pair) for pair in merges)]
    tokenizer = Tokenizer(models.BPE(vocab={name: index for index, name in enumerate(names)}, merges=merges))
    digits, bytes_ = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, bytes_])
    tokenizer.decoder = decoders.ByteLevel()
    start, end = SPECIAL_TOKENS
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=start, eos_token=end, pad_token=end
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(fast) + 5,  # a model may have more rows than its tokenizer has tokens
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=512,
        initializer_range=0.3,  # large, so that the next tokens are clear and differ
        tie_word_embeddings=kind == "Llama",
        bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id,
        **({"sliding_window": None} if kind == "Mistral" else {}),
    )
    getattr(transformers, f"{kind}ForCausalLM")(config).save_pretrained(folder)
    return folder
