"""The glossary as a page of its own, to which the page's help leads. Pure."""

from __future__ import annotations

import re
from html import escape

from ui.views.glossary import HEAD, SECTIONS

STYLE = """
:root { color-scheme: light dark; }
body { max-width: 860px; margin: 24px auto; padding: 0 16px; font: 15px/1.5 system-ui, sans-serif; }
table { border-collapse: collapse; }
th, td { padding: 4px 12px 4px 0; text-align: left; vertical-align: top; }
tr { border-bottom: 1px solid #8884; }
tr:target { background: #ffd8; }
@media (prefers-color-scheme: dark) { tr:target { background: #553; } }
"""


def glossary_page() -> str:
    """Return the glossary as HTML; each term's row has its name as id."""
    title, about = HEAD.removeprefix("# ").split("\n", 1)
    parts = [f"<h1>{title}</h1><p>{_marked(about)}</p>"]
    for section, terms in SECTIONS:
        rows = "".join(
            f'<tr id="{escape(name)}"><th scope="row">{escape(name)}</th>'
            f"<td>{escape(unit)}</td><td>{_marked(meaning)}</td></tr>"
            for name, (unit, meaning) in terms.items()
        )
        parts.append(f"<h2>{escape(section)}</h2><table>{rows}</table>")
    body = "".join(parts)
    head = f"<title>{title} · Tickloop</title><style>{STYLE}</style>"
    view = '<meta name="viewport" content="width=device-width">'
    return f'<!doctype html><html lang="en"><meta charset="utf-8">{view}{head}{body}</html>'


def _marked(text: str) -> str:
    """Return a text with its code and its stressed words marked."""
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*(\w+)\*", r"<em>\1</em>", html)
