"""The phrases by which placeholders, refusals and machine talk are known. English; our own lists.

Matched on text whose apostrophes were made straight (`straighten`), which moves nothing.
"""

from __future__ import annotations

import re

PLACEHOLDER = re.compile(
    r"""[\W_]* (?:
        n/?a | none\ given | no\ (?:answer|output|response|input|comment) | null | nan | undefined | tbd | tba | todo
      | (?:insert|your|enter)\ (?:answer|response|text|output)(?:\ here)? | placeholder | lorem\ ipsum
      | test\ (?:answer|response) | (?:no\ ?input|no\ ?output|empty|blank|pad|unk|eos|endoftext|missing)
      | (?:output|answer|response|input|completion|assistant|ai|bot|result|solution)\s*:
    ) [\W_]*""",
    re.VERBOSE | re.IGNORECASE,
)
"""Matched against the whole of a short answer."""

_ACTOR = r"(?:an?\s+)?(?:ai|artificial\s+intelligence|(?:large\s+)?language\s+model|(?:virtual|digital)\s+assistant)\b"
REFUSAL = re.compile(
    rf"""[\W_]*
    (?: (?:(?:i'?m|i\s+am|we'?re|we\s+are)\s+(?:very\s+|so\s+|truly\s+|really\s+)?(?:sorry|afraid) | (?:my\s+)?apologies
          | i\s+(?:must\s+|do\s+)?apologi[sz]e | sorry | unfortunately | regrettably
          | thank\s+you | thanks) \b [^.!?\n]{{0,80}}? [,.!;:]?\s* (?:but\s+|however,?\s+|that\s+)? ){{0,2}}
    (?: as\s+{_ACTOR}[^.!?\n]{{0,60}}?,?\s* )?
    (?: (?:i|we)\s+ (?:just\s+|simply\s+|really\s+)?
        (?: can\s?not | can't | cant | could\s+not | couldn't | won't | will\s+not | am\s+(?:not\s+able|unable)\s+to
          | am\s+not\s+(?:allowed|permitted|programmed|designed)\s+to | must\s+(?:decline|refuse)\s+to
          | (?:have|need)\s+to\s+(?:decline|refuse)\s+to | (?:do\s+not|don't)\s+feel\s+comfortable
          | (?:do\s+not|don't)\s+have\s+the\s+(?:ability|capability|capacity)\s+to | am\s+not\s+comfortable )
      | (?:i'm|we're)\s+(?:just\s+|simply\s+|really\s+)?
        (?: unable\s+to | not\s+(?:able|allowed|permitted|programmed|designed)\s+to | not\s+comfortable ) )
    \s+ (?:in\s+good\s+conscience\s+)? (?:really\s+|actually\s+|directly\s+|personally\s+|ethically\s+|with\s+)?
    (?: help | assist | comply | complete | fulfil | provid | answer | respond | engag | support | generat
      | creat | writ | discuss | shar | giv | do\s+(?:that|this)\b | continue | participat | produc | offer | access
      | brows | open | perform | recommend | encourag | promot | condon | process | accommodat | advis
      | that\s+request | this\s+request ) \w* [^.!?\n]*""",
    re.VERBOSE | re.IGNORECASE,
)
"""Matched at the beginning of an answer."""

_NOUN = r"(?:link|url|image|picture|photo|screenshot)"
_PRODUCT = (
    r"(?:ChatGPT|GPT-?[0-9]\S*|Bard|Gemini|Copilot|Llama|Mistral|Qwen|DeepSeek|Vicuna|Open\s?Assistant|SmolLM"
    r"|Claude(?=,?\s+(?:an?\s+)?(?:AI|artificial|made|created|developed)))"
)
_MADE = r"(?i:trained|developed|created|made|built)"
_MAKER = r"(?:OpenAI|Anthropic|Google|Meta|Microsoft|Mistral|Alibaba|DeepSeek|LAION|Hugging\s?Face)"
BOILERPLATE = {
    "as_an_ai": re.compile(
        r"""\b(?:as|being|i'm|i\s+am)\s+(?:just\s+|only\s+)?
        (?: an?\s+(?:ai|artificial\s+intelligence)\s+(?:language\s+)?(?:model|assistant|chatbot|system|program)\b
          | an?\s+(?:large\s+)?language\s+model\b
          | an\s+(?:ai|artificial\s+intelligence)(?=\s*,?\s+i\s+(?:am|can|cannot|can't|do|don't|have|lack)\b) )""",
        re.VERBOSE | re.IGNORECASE,
    ),
    "model_identity": re.compile(
        rf"""\b(?i:i'm|i\s+am|my\s+name\s+is)\s+{_PRODUCT}\b
        | \b(?i:i\s+was|i've\s+been|i\s+am|i'm)\s+(?i:[^.\n]{{0,40}}\s)?{_MADE}\s+by\s+{_MAKER}\b
        | \b(?i:language\s+model|assistant|chatbot)\s+{_MADE}\s+by\s+{_MAKER}\b""",
        re.VERBOSE,
    ),
    "cutoff_date": re.compile(
        r"""\b(?:my|our)\s+(?:knowledge|training(?:\s+data)?)\s+cut[\s-]?off\b
        | \b(?:as\s+of\s+|since\s+)?my\s+(?:last|latest|most\s+recent)\s+(?:knowledge|training)
            \s+(?:update|cut[\s-]?off)\b
        | \bas\s+of\s+my\s+(?:last|latest|most\s+recent)\s+(?:update|training)\b
        | \bmy\s+(?:training\s+data|knowledge)\s+(?:only\s+)?
            (?:goes|extends|ends|stops|is\s+limited|was\s+last\s+updated)\b""",
        re.VERBOSE | re.IGNORECASE,
    ),
    "promised_link_or_image": re.compile(
        rf"""(?<!\w)\[\s*(?:(?:insert|add|put|see)\s+(?:\w+\s+){{0,3}})?{_NOUN}
            (?:\s+(?:to|of|here|goes|description)\b[^\]\n]{{0,60}})?\s*\](?![\(\[:])
        | \b(?:see|click(?:\s+on)?|check\s+out|view)\s+(?:the|this)\s+
            (?:attached\s+{_NOUN}|{_NOUN}\s+(?:below|above|attached))\b
        | \b(?:here\s+is|here's|i've\s+attached|i\s+have\s+attached)\s+an?\s+(?:image|picture|photo|screenshot)\b""",
        re.VERBOSE | re.IGNORECASE,
    ),
}
"""By kind; looked for in prose, not in code."""
BOILERPLATE_HINTS = {
    "as_an_ai": (" ai", "language model", "artificial intelligence"),
    "model_identity": ("i am", "i'm", "i was", "i've been", "my name is", "language model", "assistant", "chatbot"),
    "cutoff_date": (
        "cutoff",
        "cut-off",
        "cut off",
        "my last",
        "my latest",
        "my most recent",
        "my training",
        "my knowledge",
    ),
    "promised_link_or_image": ("[", "link", "url", "image", "picture", "photo", "screenshot"),
}
"""Of each kind, pieces of which one stands in every text that it is found in: they are looked up far faster."""


def straighten(text: str) -> str:
    """The text with typographic apostrophes made straight; every character keeps its place.

    >>> straighten("I can’t")
    "I can't"
    """
    return text.replace("’", "'").replace("‘", "'")
