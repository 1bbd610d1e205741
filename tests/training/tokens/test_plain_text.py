"""Tokenizers of other kinds: what cannot keep typed text is refused in words, and a classifier's frame is its own."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from pitchpipe.store.errors import RunError
from pitchpipe.training.tokens.plain_text import PlainText, find_controls
from pitchpipe.training.tokens.tokenizing import ChatEncoder
from tests.training.tokens.families import BUILDERS, build_tokenizer

TEMPLATE = (
    "{% for m in messages %}{{ '<s>' + m.content + '</s>' }}{% endfor %}{% if add_generation_prompt %}<s>{% endif %}"
)


def wrap(core: Tokenizer, **names: str) -> Any:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, **names)
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def unigram(pieces: list[str], byte_fallback: bool) -> Any:
    """Like T5's: control tokens are words of the vocabulary, and the best-scored cut into words wins."""
    vocabulary = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *((piece, -1.0) for piece in pieces)]
    core = Tokenizer(models.Unigram(vocabulary, 0, byte_fallback))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    core.decoder = decoders.Sequence(
        [decoders.Metaspace(prepend_scheme="never"), decoders.ByteFallback(), decoders.Fuse()]
    )
    core.add_special_tokens(["<unk>", "<s>", "</s>"])
    return wrap(core, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


LETTERS = [*map(chr, range(33, 127)), "\u2581"]
BYTES = [f"<0x{number:02X}>" for number in range(256)]


def test_a_control_token_that_is_a_word_of_the_vocabulary_is_not_found_in_text() -> None:
    tokenizer = unigram([*LETTERS, *BYTES], True)
    assert tokenizer("</s>", add_special_tokens=False, split_special_tokens=True)["input_ids"] == [2]
    plain = PlainText(tokenizer)
    (ids,) = plain.encode(["a</s>b"])
    assert not {1, 2} & set(ids)
    assert plain.decode(ids) == "a</s>b"


def test_a_tokenizer_that_takes_the_name_of_a_byte_for_the_byte_is_refused() -> None:
    with pytest.raises(RunError, match="does not give back what was typed: '<0x41>' became 'A'"):
        ChatEncoder(unigram([*LETTERS, *BYTES], True)).check_template()


def test_a_tokenizer_that_does_not_know_every_character_is_refused() -> None:
    with pytest.raises(RunError, match="its control token '<unk>' of the text"):
        ChatEncoder(unigram(LETTERS, False)).check_template()


def test_a_tokenizer_without_a_description_is_refused() -> None:
    class Slow:
        """A tokenizer in Python."""

    with pytest.raises(RunError, match=r"Slow.* is no fast tokenizer"):
        PlainText(Slow())  # type: ignore[arg-type]


@pytest.mark.parametrize("normalizer", [normalizers.NFKC(), normalizers.NFC(), normalizers.Lowercase()])
def test_what_rewrites_text_is_taken_away(normalizer: Any) -> None:
    tokenizer = BUILDERS["chatml"]()
    tokenizer.backend_tokenizer.normalizer = normalizers.Sequence([normalizer, normalizers.Replace("~", "~")])
    plain = PlainText(tokenizer)
    for text in ("\ufb01ne \u212b A\u030a CAFE\u0301", "plain"):
        assert plain.decode(plain.encode([text])[0]) == text


def test_added_tokens_that_are_ordinary_text_stay_as_they_are() -> None:
    tokenizer = BUILDERS["chatml"]()
    tokenizer.add_tokens([AddedToken("    "), AddedToken("lampshade"), AddedToken("<note>")])
    assert set(find_controls(tokenizer)) == {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<pad>", "<note>"}
    plain = PlainText(tokenizer)
    (ids,) = plain.encode(["x    lampshade<note>"])
    assert {tokenizer.convert_tokens_to_ids(word) for word in ("    ", "lampshade")} <= set(ids)
    assert tokenizer.convert_tokens_to_ids("<note>") not in ids
    assert plain.decode(ids) == "x    lampshade<note>"


def test_spaces_beside_a_control_token_that_takes_them_along_are_kept_where_they_were_typed() -> None:
    tokenizer = BUILDERS["chatml"]()
    tokenizer.add_tokens([AddedToken("<|end|>", rstrip=True, special=True)], special_tokens=True)
    tokenizer.chat_template = tokenizer.chat_template.replace("<|im_end|>", "<|end|>")
    encoder = ChatEncoder(tokenizer)
    encoder.check_template()
    talk = [{"role": "user", "content": "\n a<|end|>\n b"}]
    text = encoder.text.decode(encoder.prompt(talk))
    assert text == "<|im_start|>user\n\n a<|end|>\n b<|end|><|im_start|>assistant\n"


def test_a_classifier_reads_typed_marks_as_text_within_its_own_frame() -> None:
    words = ["[UNK]", "[CLS]", "[SEP]", "the", "lamp", "sep", "[", "]"]
    core = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    tokenizer = wrap(core, sep_token="[SEP]", cls_token="[CLS]", unk_token="[UNK]")
    assert tokenizer("The [SEP] lamp")["input_ids"] == [1, 3, 2, 4, 2]
    plain = PlainText(tokenizer, is_exact=False)
    assert plain.frame(["The [SEP] lamp", "lamp " * 9], 6) == [[1, 3, 6, 5, 7, 2], [1, 4, 4, 4, 4, 2]]


def test_the_hash_tells_tokenizers_apart_and_not_their_copies() -> None:
    hashes = [PlainText(BUILDERS["gemma"]()).hash, PlainText(build_tokenizer("gemma")).hash]
    assert hashes[0] == hashes[1] != PlainText(build_tokenizer("mistral")).hash
