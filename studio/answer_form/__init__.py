"""The answer form of the Annotate page: ratings, words and submit as one component that runs in the browser.

Its files are read as text and handed to Streamlit; there is no build step. What it sends is parsed here into a frozen
record, because a browser's word is input like any other.
"""

from pitchpipe.studio.answer_form.asking import choose_screen, name_answer
from pitchpipe.studio.answer_form.component import answer_form, peek_sent, peek_view
from pitchpipe.studio.answer_form.messages import Acknowledgement, Sent, describe_form

__all__ = [
    "Acknowledgement",
    "Sent",
    "answer_form",
    "choose_screen",
    "describe_form",
    "name_answer",
    "peek_sent",
    "peek_view",
]
