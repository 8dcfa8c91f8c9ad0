"""What pages of the documentation show."""

import re


def commands(text):
    """Return the `lager` commands of a page's blocks, fenced or indented, those over several lines as one."""
    shown, fenced = [], False
    for line in text.replace("\\\n", " ").splitlines():
        fenced ^= line.startswith("```")
        if match := re.match(r"(?:\$ )?(lager .*)" if fenced else r"    (lager .*)", line):
            shown.append(match[1].split(" && ")[0].split(" > ")[0].rstrip(" &"))
    return shown
