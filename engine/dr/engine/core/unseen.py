"""Characters that a reader does not see and a terminal or a browser obeys.

What a host put out, and what stands in a file, is not to be trusted: with these, two names could
look the same, a line could read backwards, or a text could clear the screen.
"""

from __future__ import annotations

from typing import Final

CONTROL: Final = "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f"
"""The control characters but tab and line feed, for the inside of ``[]`` in a pattern."""

HIDDEN: Final = (
    "\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e"
    "\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\ud800-\\udfff\\U000e0000-\\U000e0fff"
)
"""What reorders a line, hides in it, or is no character at all.

The joiners U+200C and U+200D are not among them: scripts and pictures are written with them.
"""
