"""The chapters of our documents as their readers follow them: the commands, taken from the text as it is printed.

README's are fenced; the manual pages' are literal displays; in the comment that begins an example, and in plain texts, they
are what is indented by four columns or more.
"""
import re
import textwrap
from pathlib import Path


def markdown_blocks(text, heading):
    """Those in a part of the second level, which is given by its title or its number."""
    parts = re.split(r"^## ", text, flags=re.M)
    part = parts[heading] if isinstance(heading, int) else next(part for part in parts if part.startswith(heading + "\n"))
    return re.findall(r"^```sh\n(.*?)^```", part, re.M | re.S)


def manual_blocks(text, heading):
    part = re.search(rf"^\.S[hs] {heading}\n(.*?)(?=^\.S[hs] |\Z)", text, re.M | re.S)[1]
    return [block.replace("\\e", "\\") for block in re.findall(r"^\.Bd -literal.*\n((?s:.*?))^\.Ed", part, re.M)]


def indented_blocks(text):
    return [textwrap.dedent(block) for block in re.findall(r"(?:^ {4,}.*\n)+", text, re.M)]


def plain_blocks(text, heading):
    """Those below the line that begins so, until the next line in the first column that follows them."""
    part = text[re.search(rf"^{heading}", text, re.M).start():]
    return indented_blocks(re.match(r"(?:.*\n)(?:\S.*\n)*(?:(?: .*)?\n)+", part)[0])


def comment_blocks(text):
    """Those of the comment at the top."""
    return indented_blocks(re.sub(r"^# ?", "", re.match(r"(?:#.*\n)+", text)[0], flags=re.M))


def blocks(path, heading=None):
    """The blocks of commands in a chapter of a document."""
    text = Path(path).read_text()
    if Path(path).suffix == ".md":
        return markdown_blocks(text, heading)
    if re.fullmatch(r"\.[1-8]", Path(path).suffix):
        return manual_blocks(text, heading)
    return plain_blocks(text, heading) if heading else comment_blocks(text)


def commands(block):
    """The commands that somebody types for it."""
    joined = re.sub(r"(?:\\|(?<=\|))\n", " ", re.sub(r"^\s*#.*\n", "", block, flags=re.M))
    return [line for line in joined.splitlines() if line.strip()]
