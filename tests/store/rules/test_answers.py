"""Rules on single answers: what they find, and above all what they leave alone."""

from __future__ import annotations

import pytest

from tests.store.rules.made_rows import answer, find, find_places, make_row, pair

CODE = "```python\ndef add(a, b):\n    return a + b\n```"
TABLE = "| name | age |\n|---|---|\n| Ann | 3 |\n| Bob | 4 |\n| Cid | 5 |\n| Dee | 6 |\n| Eve | 7 |"
POEM = "Tyger Tyger, burning bright,\nIn the forests of the night;\nWhat immortal hand or eye,"
HARMLESS = [CODE, TABLE, POEM, "4", "No.", "Paris", "N/A stands for not applicable.", "<p>none</p> is a paragraph."]


@pytest.mark.parametrize("rule", ["empty_answer", "refusal", "boilerplate", "repetition", "prompt_mismatch"])
def test_code_tables_poems_and_short_answers_are_left_alone(rule: str) -> None:
    assert find_places(rule, HARMLESS) == []


def test_blank_answers_and_placeholders_are_empty() -> None:
    texts = ["", "  \n", "\u200b", "N/A", "n/a.", "Output:", "<noinput>", "None given", "[No answer]", "TODO", "null"]
    assert find_places("empty_answer", texts) == texts


def test_an_answer_that_only_mentions_a_placeholder_is_not_empty() -> None:
    texts = ["The cell says N/A.", "Output: 5", "Nothing.", "None of them.", "0", "?", "👍", "No", "Null Island"]
    assert find_places("empty_answer", texts) == []


def test_of_a_pair_either_empty_side_counts_and_the_evidence_names_it() -> None:
    hits = find("empty_answer", [pair("good", "N/A"), pair("", "good"), pair("good", "better")])
    assert [(hit.place, hit.evidence["field"]) for hit in hits] == [(0, "answer_b"), (1, "answer_a")]


def test_answers_that_begin_by_refusing_are_found() -> None:
    texts = [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but I cannot assist with this request.",
        "As an AI language model, I cannot provide medical advice.",
        "Sorry, I am unable to generate images.",
        "I cannot fulfil this request. It would be wrong.",
        "Unfortunately, I am not able to browse the internet.",
        "I must decline to answer this.",
        "I won't help you with that.",
        "I do not have the ability to open links.",
    ]
    assert find_places("refusal", texts) == texts


def test_sentences_that_only_sound_like_a_refusal_are_left_alone() -> None:
    texts = [
        "I can't stress enough how important sleep is.",
        "I cannot wait to see you!",
        "Dear Ann,\n\nI cannot provide the report by Friday. Sorry!",
        "You can't help but smile.",
        "Sorry to hear that you are ill. Drink a lot and rest.",
        "He said: I can't help you.",
        "Unfortunately, the shop was closed, so we went home.",
        "We can provide it.",
    ]
    assert find_places("refusal", texts) == []


def test_a_long_answer_that_begins_with_a_caveat_is_no_refusal() -> None:
    text = "I can't give legal advice, but here is what the law says. " + "It says a lot of things. " * 40
    assert find_places("refusal", [text]) == []
    assert find_places("refusal", [text], most_words=1000) == [text]


def test_a_refusal_that_lost_its_pair_is_what_the_pair_teaches_against() -> None:
    refusal = "I'm sorry, but I can't help with that."
    rows = [pair("Here you are.", refusal, "a"), pair("Here you are.", refusal, "b"), pair("Yes.", refusal, "tie")]
    assert [hit.place for hit in find("refusal", rows)] == [1, 2]


def test_the_span_of_a_refusal_holds_its_words() -> None:
    text = "I'm sorry, but I can't help with that. Ask a doctor."
    (hit,) = find("refusal", [answer(text)])
    (start, end, kind) = hit.evidence["spans"][0]
    assert (text[start:end], kind) == ("I'm sorry, but I can't help with that", "refusal")


def test_machine_talk_is_found_with_its_kind() -> None:
    texts = {
        "Well, as an AI language model, I have no feelings.": "as_an_ai",
        "I'm just an AI assistant.": "as_an_ai",
        "As an AI, I don't have opinions.": "as_an_ai",
        "Hello! I am ChatGPT.": "model_identity",
        "I was trained by OpenAI to help people.": "model_identity",
        "I am a large model, created by Anthropic.": "model_identity",
        "My knowledge cutoff is 2021.": "cutoff_date",
        "As of my last update, he is the president.": "cutoff_date",
        "Read more here: [insert link here]": "promised_link_or_image",
        "Please see the image below.": "promised_link_or_image",
    }
    hits = find("boilerplate", [answer(text) for text in texts])
    assert {list(texts)[hit.place]: hit.evidence["spans"][0][2] for hit in hits} == texts


def test_talk_about_machines_is_no_machine_talk() -> None:
    texts = [
        "As an AI engineer, you will train models.",
        "I am Claude Monet, and I paint water lilies.",
        "ChatGPT was made by OpenAI, and Gemini by Google.",
        "The cutoff date for applications is Monday.",
        "See [the link](https://example.com/a) for more.",
        "Use `[image]` as the key, or images[link].",
        "The training data cutoff of a model is a date.",
        "Click the link in the menu, then Save.",
        "```\nprint('as an AI language model')\n```",
    ]
    assert find_places("boilerplate", texts) == []


def test_a_kind_of_machine_talk_can_be_left_out() -> None:
    assert find_places("boilerplate", ["I am ChatGPT."], model_identity=False) == []


def test_answers_that_go_round_in_circles_are_found() -> None:
    texts = [
        "I think that this is a very good idea. " * 8,
        "yes it is " * 30,
        "\n".join(["The sun is bright.", "The sea is deep."] * 6),
        "\n\n".join([f"Step {n}." + " Do the thing again and again until it is done well." for n in (1, 1, 1, 1, 2)]),
    ]
    assert find_places("repetition", texts) == texts


def test_the_share_of_repeated_lines_is_that_of_a_count_by_hand() -> None:
    # Ten lines of four words of which six stood there before: 6 / 10. The limit of Gopher is 0.30, and that of a text
    # of 40 words 0.30 + (1 - 40 / 300) * (0.50 - 0.30) = 0.4733.
    lines = [f"Line number {word} here." for word in ("one", "two", "three", "four")]
    (hit,) = find("repetition", [answer("\n".join(lines * 2 + lines[:2]))])
    assert hit.evidence["score"] == 0.6
    assert len(hit.evidence["spans"]) == 6
    assert "60% of the answer; the limit is 47%" in hit.reason
    assert find("repetition", [answer("\n".join(lines * 2 + lines[:2]))], leniency=1.4) == []


def test_lists_refrains_and_enumerations_are_no_repetition() -> None:
    texts = [
        "\n".join(f"{n}. Take a cup of {what}." for n, what in enumerate(("flour", "milk", "sugar", "rice", "water"))),
        "Row, row, row your boat,\nGently down the stream.\nMerrily, merrily, merrily, merrily,\nLife is but a dream.",
        "Q: 2+2? A: 4\nQ: 3+3? A: 6\nQ: 4+4? A: 8\nQ: 5+5? A: 10",
        "for i in range(3):\n    print(i)\nfor i in range(3):\n    print(i)\nfor i in range(3):\n    print(i)",
        "ha ha ha ha ha",
    ]
    assert find_places("repetition", texts) == []


def test_another_language_is_found_and_named() -> None:
    texts = [
        "Das Buch liegt auf dem Tisch, und ich lese es jeden Abend vor dem Schlafen noch eine Weile.",
        "Je voudrais savoir comment faire une omelette aux champignons pour mes amis ce soir.",
        "The book lies on the table, and I read it every evening before I go to sleep.",
    ]
    hits = find("language", [answer(text) for text in texts])
    assert [(hit.place, hit.evidence["language"]) for hit in hits] == [(0, "de"), (1, "fr")]
    assert all(hit.evidence["score"] >= 0.9 for hit in hits)
    assert [hit.place for hit in find("language", [answer(text) for text in texts], languages="de, fr")] == [2]


def test_short_text_code_and_numbers_are_not_judged_by_language() -> None:
    texts = [
        "Guten Tag!",
        CODE,
        TABLE,
        "12 34 56 78 90 " * 10,
        "https://example.com/der/das/die " * 3,
        "`" + "der die das " * 20 + "`",
    ]
    assert find_places("language", texts[:4]) == []
    assert find_places("language", [texts[5]]) == []


def test_requests_are_judged_by_language_when_that_is_asked_for() -> None:
    row = answer(
        "It says that the book lies on the table.",
        "Was heißt: Das Buch liegt auf dem Tisch, wo es immer lag und liegen wird?",
    )
    assert find("language", [row]) == []
    assert [hit.evidence["field"] for hit in find("language", [row], texts="requests")] == ["messages.0"]


def test_a_labelled_text_has_no_answer_that_would_be_imitated() -> None:
    row = make_row("label", answer="I'm sorry, but I can't help with that.", labels='["x"]')
    assert find("refusal", [row]) == []
